-- Schemas that departments write single records with. A framed record names its schema by this id.
CREATE TABLE writer_schema (
    id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sm3    text NOT NULL UNIQUE,
    source text NOT NULL
);

-- The versions of a subject: of the key or the value of a dataset's topic. Each resolves to one version of the
-- dataset's contract, under which records written with it are checked.
CREATE TABLE subject_version (
    dataset       text COLLATE "C" NOT NULL REFERENCES dataset,
    part          text NOT NULL CHECK (part IN ('key', 'value')),
    version       integer NOT NULL CHECK (version > 0),
    writer_schema integer NOT NULL REFERENCES writer_schema,
    contract      integer NOT NULL,
    registered_by text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dataset, part, version),
    UNIQUE (dataset, part, writer_schema)
);

CREATE INDEX subject_version_schema ON subject_version (writer_schema);

-- Of a run of single records: the offset of its last one. A batch is one message.
ALTER TABLE receipt ADD COLUMN log_offset_last bigint;
ALTER TABLE refused_message ADD COLUMN log_offset_last bigint;
