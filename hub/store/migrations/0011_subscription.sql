-- Standing releases of changes, whole-dataset exports, and what lets changes be found without reading a whole table.

-- Changes of a dataset since an instant are found by two block range indexes that cost next to nothing to keep: history
-- by the time a row was superseded, and current by the time its key came. An index on current's _taken would do for both
-- and is too dear: that column changes with every update, and an index on it, block range ones included before
-- PostgreSQL 16, forbids updates in place (seen: 0 of 55,806 instead of 55,700, and twice the time of an update).
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT table_name FROM dataset ORDER BY table_name LOOP
        EXECUTE format('ALTER TABLE data.%I ADD COLUMN _since timestamptz NOT NULL DEFAULT now()', name);
        EXECUTE format('ALTER TABLE data.%I ALTER COLUMN _since SET DEFAULT clock_timestamp()', name);
        EXECUTE format(
            'CREATE INDEX ON data.%I USING brin (_since) WITH (pages_per_range = 32, autosummarize = on)', name);
        EXECUTE format(
            'CREATE INDEX ON data.%I USING brin (_until) WITH (pages_per_range = 32, autosummarize = on)',
            name || '_history');
    END LOOP;
END $$;

CREATE TABLE subscription (
    id              uuid PRIMARY KEY,
    subscriber      text COLLATE "C" NOT NULL,
    organization    text COLLATE "C",
    dataset         text COLLATE "C" NOT NULL REFERENCES dataset,
    kind            text NOT NULL CHECK (kind IN ('pull', 'push', 'topic')),
    address         text,
    purpose         text,
    access_grant    text,
    state           text NOT NULL CHECK (state IN ('active', 'paused', 'ended')),
    why             text NOT NULL CHECK (why IN ('', 'verification', 'requested', 'failing', 'denied')),
    verified        boolean NOT NULL,
    after           text,
    settled         timestamptz NOT NULL,
    pending         bigint NOT NULL DEFAULT 0 CHECK (pending >= 0),
    pending_after   text,
    pending_changes bigint NOT NULL DEFAULT 0 CHECK (pending_changes >= 0),
    deliveries      bigint NOT NULL DEFAULT 0,
    changes         bigint NOT NULL DEFAULT 0,
    failures        integer NOT NULL DEFAULT 0,
    failure         text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    delivered_at    timestamptz,
    next_at         timestamptz NOT NULL,
    ended_at        timestamptz,
    lease           uuid,
    leased_until    timestamptz,
    CHECK ((kind = 'push') = (address IS NOT NULL)),
    CHECK ((state = 'paused') = (why <> '')),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
    CHECK ((pending > 0) = (pending_after IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX subscription_subscriber ON subscription (subscriber, id);
CREATE INDEX subscription_due ON subscription (dataset) WHERE state <> 'ended' AND kind <> 'pull';
COMMENT ON COLUMN subscription.after IS 'Sealed: the last key delivered is in it.';
COMMENT ON COLUMN subscription.pending IS 'Number of the delivery under way; repeated under this number, with the same changes, until acknowledged.';
COMMENT ON COLUMN subscription.lease IS 'Of the dispatcher that works on it; when its time is over another takes it.';

CREATE TABLE export (
    id           uuid PRIMARY KEY,
    caller       text COLLATE "C" NOT NULL,
    organization text COLLATE "C",
    dataset      text COLLATE "C" NOT NULL REFERENCES dataset,
    format       text NOT NULL,
    instant      timestamptz NOT NULL,
    terms        text COLLATE "C" NOT NULL,
    continues    uuid,
    state        text NOT NULL CHECK (state IN ('open', 'complete', 'cut')),
    why          text NOT NULL DEFAULT '',
    rows         bigint NOT NULL DEFAULT 0,
    bytes        bigint NOT NULL DEFAULT 0,
    sm3          text,
    points       jsonb NOT NULL DEFAULT '[]',
    opened_at    timestamptz NOT NULL,
    beat_at      timestamptz NOT NULL,
    closed_at    timestamptz,
    CHECK ((state = 'open') = (closed_at IS NULL))
) WITH (fillfactor = 50);
CREATE INDEX export_open ON export (beat_at) WHERE state = 'open';
CREATE INDEX export_opened ON export (opened_at);
COMMENT ON COLUMN export.id IS 'Of its leaf release.opened.';
COMMENT ON COLUMN export.terms IS 'Digest of fields, treatments and row condition: a file never goes on under others unnoticed.';
COMMENT ON COLUMN export.points IS 'The last record boundaries: rows and bytes up to there, and the sealed cursor that goes on from it.';
