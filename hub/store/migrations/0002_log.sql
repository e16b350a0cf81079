-- The embedded log, and positions in any log. Words as in hub/exchange/log.py.

CREATE TABLE log_topic (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text COLLATE "C" NOT NULL,
    incarnation text COLLATE "C" NOT NULL UNIQUE DEFAULT gen_random_uuid()::text,
    partitions  integer NOT NULL CHECK (partitions BETWEEN 1 AND 1024),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at  timestamptz
);
CREATE UNIQUE INDEX log_topic_name ON log_topic (name) WHERE deleted_at IS NULL;

-- Its row lock is held from the moment an offset is taken to the commit: visible order is offset order.
CREATE TABLE log_partition (
    id               integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic            integer NOT NULL REFERENCES log_topic,
    partition        integer NOT NULL,
    first_offset     bigint NOT NULL DEFAULT 0,
    next_offset      bigint NOT NULL DEFAULT 0,
    bytes_total      bigint NOT NULL DEFAULT 0,
    last_appended_at timestamptz NOT NULL DEFAULT '-infinity',
    closed           boolean NOT NULL DEFAULT false,
    UNIQUE (topic, partition),
    CHECK (0 <= first_offset AND first_offset <= next_offset)
) WITH (fillfactor = 30);
COMMENT ON COLUMN log_partition.bytes_total IS 'Of everything ever appended; with log_message.bytes_before it tells what is unread without counting.';
COMMENT ON COLUMN log_partition.closed IS 'The topic is deleted: nothing is appended any more, what is left is being removed.';

-- Values arrive compressed or not worth it, and are read whole: out of line, as they are. Rows are never updated, and go
-- by sweeping, so vacuums that insertions would start only read it all over again.
CREATE TABLE log_message (
    partition     integer NOT NULL,
    log_offset    bigint NOT NULL,
    bytes_before  bigint NOT NULL,
    bytes         integer NOT NULL,
    key           text COLLATE "C" NOT NULL,
    header_names  text[] NOT NULL,
    header_values bytea[] NOT NULL,
    value         bytea NOT NULL,
    appended_at   timestamptz NOT NULL,
    PRIMARY KEY (partition, log_offset)
) WITH (
    autovacuum_vacuum_insert_threshold = -1,
    toast.autovacuum_vacuum_insert_threshold = -1,
    toast.autovacuum_vacuum_scale_factor = 0.1
);
ALTER TABLE log_message ALTER COLUMN value SET STORAGE EXTERNAL;
CREATE INDEX log_message_time ON log_message (partition, appended_at);

-- Groups that hold back retention. Their number is half of the key of the locks by which members share partitions.
CREATE TABLE log_group (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text COLLATE "C" NOT NULL UNIQUE,
    topics     text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN log_group.topics IS 'The group reads all topics whose names begin so.';

-- Positions of groups, in whichever log.
CREATE TABLE log_position (
    log         text COLLATE "C" NOT NULL,
    topic       text COLLATE "C" NOT NULL,
    incarnation text COLLATE "C" NOT NULL,
    partition   integer NOT NULL,
    group_name  text COLLATE "C" NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (log, incarnation, partition, group_name)
) WITH (fillfactor = 50);
