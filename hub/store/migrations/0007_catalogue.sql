-- The catalogue: versions of entries, what was done to them, and what search finds.

-- Whatever a decision is made from raises the epoch in the same transaction: entries, secrecy reviews, levels, contracts,
-- grants, tiers. Who remembers a resource or a grant looks at it, or listens to channel policy_epoch.
CREATE TABLE policy_epoch (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO policy_epoch (epoch) VALUES (1);
COMMENT ON TABLE policy_epoch IS 'One row. Its lock makes the order of epochs the order of commits.';

CREATE FUNCTION bump_policy_epoch() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    bumped bigint;
BEGIN
    UPDATE policy_epoch SET epoch = epoch + 1 RETURNING epoch INTO bumped;
    PERFORM pg_notify('policy_epoch', '');  -- no payload, so that one transaction tells it once
    RETURN bumped;
END $$;

CREATE FUNCTION raise_policy_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bump_policy_epoch();
    RETURN NULL;
END $$;

CREATE TABLE entry_version (
    dataset         text COLLATE "C" NOT NULL REFERENCES dataset,
    version         integer NOT NULL CHECK (version > 0),
    state           text COLLATE "C" NOT NULL CHECK (
        state IN ('draft', 'submitted', 'reviewed', 'published', 'sent_back', 'revised', 'withdrawn')
    ),
    content         text NOT NULL,
    sm3             text COLLATE "C" NOT NULL CHECK (sm3 ~ '^[0-9a-f]{64}$'),
    created_at      timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    published_at    timestamptz,
    PRIMARY KEY (dataset, version),
    CHECK ((state IN ('published', 'revised', 'withdrawn')) = (published_at IS NOT NULL))
);
CREATE UNIQUE INDEX entry_version_published ON entry_version (dataset) WHERE state = 'published';
CREATE UNIQUE INDEX entry_version_in_work ON entry_version (dataset) WHERE state IN ('draft', 'submitted', 'reviewed');
COMMENT ON TABLE entry_version IS 'Versions of catalogue entries (目录条目). At most one is published and one in work.';
COMMENT ON COLUMN entry_version.content IS 'Canonical JSON (RFC 8785) exactly as digested: reviews are bound to sm3.';

CREATE FUNCTION entry_version_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'versions of entries are kept';
    END IF;
    IF OLD.state <> 'draft' AND (OLD.content, OLD.sm3, OLD.dataset, OLD.version, OLD.created_at)
        IS DISTINCT FROM (NEW.content, NEW.sm3, NEW.dataset, NEW.version, NEW.created_at) THEN
        RAISE EXCEPTION 'version % of the entry of % was submitted and does not change', OLD.version, OLD.dataset;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER entry_version_is_kept BEFORE UPDATE OR DELETE ON entry_version
    FOR EACH ROW EXECUTE FUNCTION entry_version_is_kept();

CREATE TABLE entry_event (
    dataset text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    number  integer NOT NULL CHECK (number > 0),
    act     text COLLATE "C" NOT NULL,
    actor   text COLLATE "C" NOT NULL,
    person  text COLLATE "C",
    at      timestamptz NOT NULL,
    sm3     text COLLATE "C" NOT NULL,
    note    text NOT NULL,
    PRIMARY KEY (dataset, version, number),
    FOREIGN KEY (dataset, version) REFERENCES entry_version
);
COMMENT ON TABLE entry_event IS 'What was done to a version by whom, to exactly which content.';

-- 保密审查 and 个人信息保护影响评估 (article 13): the last one of a version counts.
CREATE TABLE secrecy_review (
    dataset text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    number  integer NOT NULL CHECK (number > 0),
    sm3     text COLLATE "C" NOT NULL CHECK (sm3 ~ '^[0-9a-f]{64}$'),
    passed  boolean NOT NULL,
    opinion text NOT NULL CHECK (length(opinion) BETWEEN 1 AND 2000),
    impact  text NOT NULL CHECK (length(impact) <= 2000),
    actor   text COLLATE "C" NOT NULL,
    person  text COLLATE "C",
    at      timestamptz NOT NULL,
    PRIMARY KEY (dataset, version, number),
    FOREIGN KEY (dataset, version) REFERENCES entry_version
);
COMMENT ON COLUMN secrecy_review.impact IS 'Assessment of the impact on personal information; empty where there is none.';

-- A level raised at once, without waiting for a new version. It can only be higher, and ends with the next version.
CREATE TABLE raised_level (
    dataset text COLLATE "C" NOT NULL REFERENCES dataset,
    field   text COLLATE "C" NOT NULL,
    level   text COLLATE "C" NOT NULL CHECK (level IN ('1', '2', '3', '4', 'important', 'core')),
    reason  text NOT NULL,
    actor   text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (dataset, field)
);

CREATE TRIGGER epoch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON entry_version
    FOR EACH STATEMENT EXECUTE FUNCTION raise_policy_epoch();
CREATE TRIGGER epoch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON secrecy_review
    FOR EACH STATEMENT EXECUTE FUNCTION raise_policy_epoch();
CREATE TRIGGER epoch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON raised_level
    FOR EACH STATEMENT EXECUTE FUNCTION raise_policy_epoch();
CREATE TRIGGER epoch AFTER INSERT OR UPDATE OR DELETE ON dataset
    FOR EACH STATEMENT EXECUTE FUNCTION raise_policy_epoch();

-- What search finds: of each dataset the published version and the newest, derived from the tables above.
CREATE TABLE entry_listing (
    dataset      text COLLATE "C" NOT NULL,
    version      integer NOT NULL,
    state        text COLLATE "C" NOT NULL,
    current      boolean NOT NULL,
    audience     smallint NOT NULL,
    organization text COLLATE "C" NOT NULL,
    base         text COLLATE "C" NOT NULL,
    level        text COLLATE "C" NOT NULL,
    share        text COLLATE "C" NOT NULL,
    open         text COLLATE "C" NOT NULL,
    region       text COLLATE "C" NOT NULL,
    format       text COLLATE "C" NOT NULL,
    name_zh      text NOT NULL,
    name_en      text NOT NULL,
    title_zh     text COLLATE "C" NOT NULL,
    title_en     text NOT NULL,
    keywords     text NOT NULL,
    search       text NOT NULL,
    grams        text[] NOT NULL,
    PRIMARY KEY (dataset, version),
    FOREIGN KEY (dataset, version) REFERENCES entry_version
) WITH (autovacuum_analyze_scale_factor = 0.05, toast_tuple_target = 128);
-- What is compared in every row stays in it, what only an index or a few rows need stands aside: a row is 300 bytes
-- instead of 3,000, and a search that finds a tenth of all entries reads a tenth of that.
ALTER TABLE entry_listing ALTER dataset SET STORAGE MAIN, ALTER state SET STORAGE MAIN, ALTER organization SET STORAGE MAIN,
    ALTER base SET STORAGE MAIN, ALTER level SET STORAGE MAIN, ALTER share SET STORAGE MAIN, ALTER open SET STORAGE MAIN,
    ALTER region SET STORAGE MAIN, ALTER format SET STORAGE MAIN, ALTER title_zh SET STORAGE MAIN,
    ALTER title_en SET STORAGE MAIN, ALTER keywords SET STORAGE MAIN, ALTER name_zh SET STORAGE EXTERNAL,
    ALTER name_en SET STORAGE EXTERNAL, ALTER search SET STORAGE EXTERNAL, ALTER grams SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX entry_listing_current ON entry_listing (dataset) WHERE current;
CREATE INDEX entry_listing_organization ON entry_listing (organization);
CREATE INDEX entry_listing_browse ON entry_listing (title_zh, dataset, version);
CREATE INDEX entry_listing_grams ON entry_listing USING gin (grams) WITH (fastupdate = off);
COMMENT ON COLUMN entry_listing.current IS 'The one row that stands for the dataset: the published version, else the newest.';
COMMENT ON COLUMN entry_listing.audience IS '0 everyone, 1 departments, 2 the owner and the hub''s own offices.';
COMMENT ON COLUMN entry_listing.title_zh IS 'Normalised, for comparing and sorting; name_zh is as written.';
COMMENT ON COLUMN entry_listing.grams IS 'What search finds it by: characters and pairs of Chinese, runs of three of Latin (catalog/search.py).';
