-- The open tier of personal datasets: pre-declared aggregates, their releases, and what was ever stated of which cells.

CREATE TABLE aggregate_definition (
    dataset        text COLLATE "C" NOT NULL REFERENCES dataset,
    name           text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    version        integer NOT NULL CHECK (version > 0),
    content        text NOT NULL,
    sm3            text COLLATE "C" NOT NULL CHECK (sm3 ~ '^[0-9a-f]{64}$'),
    defined_by     text COLLATE "C" NOT NULL,
    defined_person text COLLATE "C",
    defined_at     timestamptz NOT NULL,
    PRIMARY KEY (dataset, name, version)
);
COMMENT ON COLUMN aggregate_definition.content IS 'Canonical JSON (RFC 8785) exactly as digested.';

CREATE TABLE aggregate_release (
    id              uuid PRIMARY KEY,
    dataset         text COLLATE "C" NOT NULL,
    name            text COLLATE "C" NOT NULL,
    version         integer NOT NULL,
    instant         timestamptz NOT NULL,
    state           text COLLATE "C" NOT NULL CHECK (
        state IN ('computed', 'reviewed', 'published', 'superseded', 'recalled')
    ),
    basis           integer NOT NULL CHECK (basis >= 0),
    number          integer CHECK (number > 0),
    json            bytea NOT NULL,
    csv             bytea NOT NULL,
    report          bytea NOT NULL,
    certificate     text COLLATE "C" NOT NULL CHECK (certificate ~ '^[0-9a-f]{64}$'),
    computed_by     text COLLATE "C" NOT NULL,
    computed_person text COLLATE "C",
    computed_at     timestamptz NOT NULL,
    reviewed_by     text COLLATE "C",
    reviewed_person text COLLATE "C",
    reviewed_at     timestamptz,
    published_by    text COLLATE "C",
    published_at    timestamptz,
    recalled_by     text COLLATE "C",
    recalled_at     timestamptz,
    FOREIGN KEY (dataset, name, version) REFERENCES aggregate_definition,
    UNIQUE (dataset, number),
    CHECK (reviewed_by <> computed_by),
    CHECK (reviewed_person <> computed_person),
    CHECK ((state = 'computed') = (reviewed_by IS NULL)),
    CHECK ((number IS NOT NULL) = (state IN ('published', 'superseded', 'recalled'))),
    CHECK ((number IS NOT NULL) = (published_at IS NOT NULL)),
    CHECK ((state = 'recalled') = (recalled_at IS NOT NULL))
);
CREATE UNIQUE INDEX aggregate_release_published ON aggregate_release (dataset, name) WHERE state = 'published';
COMMENT ON COLUMN aggregate_release.number IS 'Place among all releases of the dataset that were ever published.';
COMMENT ON COLUMN aggregate_release.basis IS 'The last number when it was computed: no other may have been published since.';
COMMENT ON COLUMN aggregate_release.certificate IS 'SM3 of the report, which holds the SM3 of both forms: reviews are bound to it.';

CREATE FUNCTION aggregate_release_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'releases of statistics are kept';
    END IF;
    IF (OLD.id, OLD.dataset, OLD.name, OLD.version, OLD.instant, OLD.json, OLD.csv, OLD.report, OLD.certificate)
        IS DISTINCT FROM
        (NEW.id, NEW.dataset, NEW.name, NEW.version, NEW.instant, NEW.json, NEW.csv, NEW.report, NEW.certificate) THEN
        RAISE EXCEPTION 'release % of statistics does not change', OLD.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER aggregate_release_is_kept BEFORE UPDATE OR DELETE ON aggregate_release
    FOR EACH ROW EXECUTE FUNCTION aggregate_release_is_kept();

-- The release ledger: exact counts, never shown. Whoever could read it could read the data.
CREATE TABLE aggregate_statement (
    release uuid NOT NULL REFERENCES aggregate_release,
    detail  text COLLATE "C" NOT NULL,
    region  text COLLATE "C" NOT NULL,
    instant timestamptz NOT NULL,
    stated  boolean NOT NULL,
    counts  jsonb NOT NULL,
    PRIMARY KEY (release, detail, region)
);
COMMENT ON TABLE aggregate_statement IS 'What a release newly stated of a region in a detail, or withheld; it counts once the release was published, and for good.';
COMMENT ON COLUMN aggregate_statement.counts IS 'Pairs of a cell and its exact count; zeros are left out.';
