-- Who provides, what a record is, which datasets there are, and what became of every batch.
-- Keys are COLLATE "C": bytes compare fast and the same on every machine.

CREATE EXTENSION IF NOT EXISTS postgis;

CREATE SCHEMA data;
COMMENT ON SCHEMA data IS 'One pair of tables per dataset: current and history. Named only by exchange/apply, store/tables and release.';

CREATE TABLE organization (
    id          text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[a-z][a-z0-9-]{1,39}$'),
    name_zh     text NOT NULL,
    name_en     text NOT NULL,
    level       text NOT NULL CHECK (level IN ('province', 'city', 'county')),
    region      text COLLATE "C" NOT NULL CHECK (region ~ '^[0-9]{6}$'),
    credit_code text COLLATE "C" UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE organization_token (
    digest       bytea PRIMARY KEY,
    organization text COLLATE "C" NOT NULL REFERENCES organization,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz
);
CREATE INDEX organization_token_organization ON organization_token (organization);

CREATE TABLE contract_version (
    name          text COLLATE "C" NOT NULL,
    version       integer NOT NULL CHECK (version > 0),
    base          text NOT NULL,
    source        text NOT NULL,
    sm3           text NOT NULL,
    compatibility text NOT NULL CHECK (compatibility IN ('backward', 'forward', 'full')),
    registered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);

CREATE TABLE dataset (
    id               text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[0-9]{6}\.[a-z][a-z0-9_]{0,40}$'),
    contract         text COLLATE "C" NOT NULL,
    contract_version integer NOT NULL,
    organization     text COLLATE "C" NOT NULL REFERENCES organization,
    title_zh         text NOT NULL,
    title_en         text NOT NULL,
    base             text NOT NULL,
    table_name       text COLLATE "C" NOT NULL UNIQUE,
    created_at       timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (contract, contract_version) REFERENCES contract_version (name, version)
);
COMMENT ON COLUMN dataset.contract_version IS 'The newest version of the contract the dataset''s tables hold the columns of.';

CREATE TABLE mandate (
    sender       text COLLATE "C" NOT NULL REFERENCES organization,
    organization text COLLATE "C" NOT NULL REFERENCES organization,
    dataset      text COLLATE "C" NOT NULL REFERENCES dataset,
    basis        text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    revoked_at   timestamptz,
    PRIMARY KEY (sender, organization, dataset)
);
COMMENT ON TABLE mandate IS 'Who may hand in batches of whose data, as when a city hub forwards.';

-- Counts are kept by apply, never selected from the data tables.
CREATE TABLE dataset_statistics (
    dataset       text COLLATE "C" PRIMARY KEY REFERENCES dataset,
    records       bigint NOT NULL DEFAULT 0,
    tombstones    bigint NOT NULL DEFAULT 0,
    history       bigint NOT NULL DEFAULT 0,
    batches       bigint NOT NULL DEFAULT 0,
    received      bigint NOT NULL DEFAULT 0,
    rejected      bigint NOT NULL DEFAULT 0,
    last_taken_at timestamptz
) WITH (fillfactor = 50);

CREATE TABLE receipt (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization        text COLLATE "C" NOT NULL,
    batch               uuid NOT NULL,
    sender              text COLLATE "C" NOT NULL,
    dataset             text COLLATE "C" NOT NULL,
    contract            integer NOT NULL,
    run                 uuid NOT NULL,
    operation           text NOT NULL CHECK (operation IN ('upsert', 'delete', 'keys')),
    sm3                 text NOT NULL,
    status              text NOT NULL DEFAULT 'accepted' CHECK (status IN ('accepted', 'partial', 'refused')),
    received            bigint NOT NULL DEFAULT 0,
    accepted_new        bigint NOT NULL DEFAULT 0,
    accepted_changed    bigint NOT NULL DEFAULT 0,
    accepted_unchanged  bigint NOT NULL DEFAULT 0,
    accepted_superseded bigint NOT NULL DEFAULT 0,
    accepted_deleted    bigint NOT NULL DEFAULT 0,
    rejected            bigint NOT NULL DEFAULT 0,
    pending             bigint NOT NULL DEFAULT 0,
    closed              bigint NOT NULL DEFAULT 0,
    flags               jsonb NOT NULL DEFAULT '{}',
    reasons             jsonb NOT NULL DEFAULT '{}',
    refusal             jsonb,
    topic               text NOT NULL,
    incarnation         text NOT NULL,
    partition           integer NOT NULL,
    log_offset          bigint NOT NULL,
    taken_at            timestamptz NOT NULL,
    seconds             double precision NOT NULL DEFAULT 0,
    UNIQUE (organization, batch)
) WITH (fillfactor = 70);
CREATE INDEX receipt_dataset ON receipt (dataset, id);
COMMENT ON COLUMN receipt.closed IS 'Records the last part of a key list closed because the source no longer has them.';

-- A batch id used again for other bytes: the first receipt stands, the second use is kept here with its reason.
CREATE TABLE refused_message (
    topic       text NOT NULL,
    incarnation text NOT NULL,
    partition   integer NOT NULL,
    log_offset  bigint NOT NULL,
    message_key text NOT NULL,
    refusal     jsonb NOT NULL,
    seen_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, incarnation, partition, log_offset)
);

CREATE TABLE quarantine (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    receipt      bigint NOT NULL REFERENCES receipt,
    organization text COLLATE "C" NOT NULL,
    dataset      text COLLATE "C" NOT NULL,
    position     bigint,
    key          text COLLATE "C",
    version      bigint,
    version_row  bigint,
    record       jsonb,
    digest       text COLLATE "C" NOT NULL,
    reasons      jsonb NOT NULL,
    codes        text COLLATE "C" NOT NULL,
    state        text NOT NULL CHECK (state IN ('open', 'pending', 'ready', 'closed')),
    created_at   timestamptz NOT NULL,
    closed_at    timestamptz,
    closed_by    text CHECK (closed_by IN ('accepted', 'superseded', 'replay', 'hand', 'resolved', 'erased')),
    closed_note  text,
    CHECK ((state = 'closed') = (closed_at IS NOT NULL AND closed_by IS NOT NULL))
);
CREATE INDEX quarantine_open ON quarantine (dataset, id) WHERE state <> 'closed';
CREATE INDEX quarantine_key ON quarantine (dataset, key) WHERE state <> 'closed';
CREATE INDEX quarantine_ready ON quarantine (dataset) WHERE state = 'ready';
CREATE INDEX quarantine_receipt ON quarantine (receipt);
COMMENT ON COLUMN quarantine.position IS 'Row of the record in its batch, from 0; NULL where a stored record lost to another of the same version.';
COMMENT ON COLUMN quarantine.record IS 'Every field in text form; NULL after erasure.';
COMMENT ON COLUMN quarantine.digest IS 'SM3 of the canonical JSON of the record: the commitment that stays after erasure.';

-- What a pending record waits for. A row goes when the parent arrives; a record with none left becomes ready.
CREATE TABLE pending_reference (
    quarantine bigint NOT NULL REFERENCES quarantine ON DELETE CASCADE,
    name       text NOT NULL,
    parent     text COLLATE "C" NOT NULL,
    parent_key text COLLATE "C" NOT NULL,
    PRIMARY KEY (quarantine, name)
);
CREATE INDEX pending_reference_parent ON pending_reference (parent, parent_key);

-- Parts of a source's complete key list, kept until the last one has come.
CREATE TABLE key_list (
    dataset    text COLLATE "C" NOT NULL,
    run        uuid NOT NULL,
    part       integer NOT NULL CHECK (part > 0),
    total      bigint,
    confirm    boolean NOT NULL,
    cut_at     timestamptz NOT NULL,
    keys       text[] NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (dataset, run, part)
);

CREATE TABLE erasure (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset    text COLLATE "C" NOT NULL,
    commitment text NOT NULL,
    version    bigint,
    digest     text,
    reason     text NOT NULL,
    actor      text NOT NULL,
    erased_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE erasure IS 'What stays of an erased record: a commitment to its key, its version and its digest.';
