-- What was released, so that it can be told and recomputed, and what was used of quotas.

CREATE EXTENSION IF NOT EXISTS pgcrypto;  -- pseudonyms and record references are made where the records are

-- Decisions repeat from request to request: each is kept once, by the digest of what it says.
CREATE TABLE release_decision (
    sm3     bytea PRIMARY KEY CHECK (length(sm3) = 32),
    content text NOT NULL,
    made_at timestamptz NOT NULL
);
COMMENT ON TABLE release_decision IS 'Decisions as explained: to a program, and in sentences of both languages.';
COMMENT ON COLUMN release_decision.content IS 'JSON, exactly as digested.';

CREATE TABLE release_trail (
    leaf         uuid PRIMARY KEY,
    dataset      text COLLATE "C" NOT NULL,
    caller       text COLLATE "C" NOT NULL,
    organization text COLLATE "C",
    allowed      boolean NOT NULL,
    decision     bytea NOT NULL,
    at           timestamptz NOT NULL,
    instant      timestamptz,
    query        text,
    first_place  text,
    last_place   text,
    rows         bigint NOT NULL CHECK (rows >= 0)
) WITH (autovacuum_vacuum_insert_threshold = 1000000);
CREATE INDEX release_trail_dataset ON release_trail (dataset, leaf);
COMMENT ON TABLE release_trail IS 'Beside each leaf of a release or refusal: which records it held can be recomputed. May be erased; the leaf stays.';
COMMENT ON COLUMN release_trail.instant IS 'The records are those of this moment; NULL where none were looked at.';
COMMENT ON COLUMN release_trail.query IS 'Filter, box, order and fields as JSON; what was filtered by may be personal.';
COMMENT ON COLUMN release_trail.first_place IS 'JSON array of the order''s values of the first record, as text; of the last beside it.';

-- Not logged: after a crash of the store a day's count begins anew.
CREATE UNLOGGED TABLE quota_use (
    subject  text COLLATE "C" NOT NULL,
    day      date NOT NULL,
    requests bigint NOT NULL DEFAULT 0,
    rows     bigint NOT NULL DEFAULT 0,
    bytes    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, day)
) WITH (fillfactor = 50);
COMMENT ON COLUMN quota_use.subject IS 'grant:<id>, or tier:public, or a caller''s id.';
COMMENT ON COLUMN quota_use.day IS 'Of Asia/Shanghai.';

-- Positions are asked for by box: as new tables have it (hub.store.tables), so those that are there.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT c.relname, a.attname FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'data'
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.atttypid = 'geometry'::regtype AND NOT a.attisdropped
        WHERE c.relkind = 'r' AND c.relname !~ '_history$'
    LOOP
        EXECUTE format(
            'CREATE INDEX IF NOT EXISTS %I ON data.%I USING gist (%I)',
            right(found.relname || '_' || found.attname || '_at', 63), found.relname, found.attname
        );
    END LOOP;
END $$;
