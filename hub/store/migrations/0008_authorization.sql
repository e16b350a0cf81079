-- Requests with their events, grants, records of use, the table of tiers, and years of the calendar.
-- 《政务数据共享条例》 (State Council order 809): articles are named where a column answers one.

-- A request: the five elements of article 20 as JSON, where it stands, and what happened to it.
CREATE TABLE request (
    id           uuid PRIMARY KEY,
    dataset      text COLLATE "C" NOT NULL REFERENCES dataset,
    holder       text COLLATE "C" NOT NULL CHECK (holder ~ '^(organization|application|person):.+$'),
    organization text COLLATE "C" REFERENCES organization,
    provider     text COLLATE "C" NOT NULL REFERENCES organization,
    share        text NOT NULL CHECK (share IN ('unconditional', 'conditional')),
    asked_by     text COLLATE "C" NOT NULL,
    asked_person text COLLATE "C",
    state        text NOT NULL CHECK (state IN ('submitted', 'incomplete', 'accepted', 'refused', 'delivered', 'closed')),
    elements     jsonb NOT NULL,
    created_at   timestamptz NOT NULL
);
CREATE INDEX request_state ON request (state, id);
CREATE INDEX request_holder ON request (holder, id);
CREATE INDEX request_organization ON request (organization, id);
CREATE INDEX request_provider ON request (provider, id);
COMMENT ON COLUMN request.elements IS 'Basis, scenario, scope, method and term (article 20), as last completed.';
COMMENT ON COLUMN request.share IS 'Share attribute of the dataset when it was asked for: it sets the clock of the reply (article 21).';
COMMENT ON COLUMN request.asked_person IS 'The natural person behind the account: separation of duties looks here too.';

CREATE TABLE request_event (
    request uuid NOT NULL REFERENCES request,
    number  integer NOT NULL CHECK (number > 0),
    step    text NOT NULL,
    actor   text COLLATE "C" NOT NULL,
    person  text COLLATE "C",
    at      timestamptz NOT NULL,
    detail  jsonb NOT NULL,
    PRIMARY KEY (request, number)
);
COMMENT ON TABLE request_event IS 'What was done, in order; the state and the clocks of a request are computed from it.';
CREATE UNIQUE INDEX request_event_notice ON request_event (request) WHERE step = 'notice';
COMMENT ON INDEX request_event_notice IS 'One notice of everything missing, and no second (article 21).';

-- A proposal never changes; another content is another proposal. Approval names the digest of exactly this content.
CREATE TABLE grant_proposal (
    id          uuid PRIMARY KEY,
    request     uuid REFERENCES request,
    dataset     text COLLATE "C" NOT NULL REFERENCES dataset,
    content     text NOT NULL,
    digest      text COLLATE "C" NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    proposed_by text COLLATE "C" NOT NULL,
    person      text COLLATE "C",
    proposed_at timestamptz NOT NULL,
    state       text NOT NULL CHECK (state IN ('open', 'approved', 'withdrawn')),
    decided_by  text COLLATE "C",
    decided_at  timestamptz,
    CHECK (decided_by <> proposed_by OR state <> 'approved'),
    CHECK ((state = 'open') = (decided_by IS NULL AND decided_at IS NULL))
);
CREATE INDEX grant_proposal_request ON grant_proposal (request);
CREATE INDEX grant_proposal_state ON grant_proposal (state, id);
COMMENT ON COLUMN grant_proposal.digest IS 'SM3 of the content, byte for byte.';

CREATE TABLE access_grant (
    id             uuid PRIMARY KEY,
    kind           text NOT NULL CHECK (kind IN ('ordinary', 'emergency')),
    holder         text COLLATE "C" NOT NULL CHECK (holder ~ '^(organization|application|person):.+$'),
    dataset        text COLLATE "C" NOT NULL REFERENCES dataset,
    fields         jsonb NOT NULL,
    laws           jsonb NOT NULL,
    rows           jsonb,
    purpose        text NOT NULL,
    basis          text NOT NULL,
    methods        text[] NOT NULL,
    quota_requests bigint CHECK (quota_requests >= 0),
    quota_rows     bigint CHECK (quota_rows >= 0),
    quota_bytes    bigint CHECK (quota_bytes >= 0),
    valid_from     timestamptz NOT NULL,
    valid_until    timestamptz NOT NULL CHECK (valid_until > valid_from),
    state          text NOT NULL CHECK (state IN ('active', 'suspended', 'ended')),
    request        uuid REFERENCES request,
    digest         text COLLATE "C" NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    given_by       text COLLATE "C" NOT NULL,
    given_person   text COLLATE "C",
    given_at       timestamptz NOT NULL,
    review_by      timestamptz,
    reviewed_at    timestamptz,
    rectify_by     timestamptz,
    rectified_at   timestamptz,
    ended_at       timestamptz,
    CHECK (kind = 'emergency' OR request IS NOT NULL),
    CHECK ((kind = 'emergency') = (review_by IS NOT NULL)),
    CHECK ((state = 'suspended') = (rectify_by IS NOT NULL)),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL))
);
CREATE INDEX access_grant_holder ON access_grant (holder, dataset, id) WHERE state <> 'ended';
CREATE INDEX access_grant_dataset ON access_grant (dataset, id);
CREATE INDEX access_grant_all_of_holder ON access_grant (holder, id);
CREATE INDEX access_grant_request ON access_grant (request);
CREATE INDEX access_grant_overdue ON access_grant (
    least(
        valid_until, CASE WHEN reviewed_at IS NULL THEN review_by END, CASE WHEN rectified_at IS NULL THEN rectify_by END
    )
) WHERE state <> 'ended';
COMMENT ON TABLE access_grant IS 'Grants in effect and of the past ("grant" is a word of SQL). What was allowed never changes; only the state does.';
COMMENT ON COLUMN access_grant.laws IS 'Fields of level 4 that may be given clear, each with the law that names it.';
COMMENT ON COLUMN access_grant.review_by IS 'An emergency grant ends here unless it was reviewed: the read of grants looks, no job needs to run.';
COMMENT ON COLUMN access_grant.rectify_by IS 'Deadline of 限期整改 while suspended (article 27).';

CREATE TABLE grant_event (
    access_grant uuid NOT NULL REFERENCES access_grant,
    number  integer NOT NULL CHECK (number > 0),
    step    text NOT NULL,
    actor   text COLLATE "C" NOT NULL,
    person  text COLLATE "C",
    at      timestamptz NOT NULL,
    detail  jsonb NOT NULL,
    PRIMARY KEY (access_grant, number)
);

-- What a holder tells of its use (article 29): kept for at least three years, which the store itself holds to.
CREATE TABLE usage_record (
    id           uuid PRIMARY KEY,
    access_grant uuid NOT NULL REFERENCES access_grant,
    told_by      text COLLATE "C" NOT NULL,
    told_at      timestamptz NOT NULL,
    scenario     text NOT NULL,
    course       text NOT NULL,
    effect       text NOT NULL,
    storage      text NOT NULL,
    disposal     text NOT NULL,
    kept_until   timestamptz NOT NULL CHECK (kept_until > told_at)
);
CREATE INDEX usage_record_grant ON usage_record (access_grant, id);
COMMENT ON TABLE usage_record IS '使用场景、过程、成效、存储、销毁 (article 29).';

CREATE FUNCTION usage_record_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR OLD.kept_until > now() THEN
        RAISE EXCEPTION 'a record of use is kept unchanged until % (article 29)', OLD.kept_until;
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER usage_record_is_kept BEFORE UPDATE OR DELETE ON usage_record
    FOR EACH ROW EXECUTE FUNCTION usage_record_is_kept();

-- The table of tiers: proposed by one administrator, approved by a second. The newest approved version holds.
CREATE TABLE tier_version (
    version         integer PRIMARY KEY CHECK (version > 0),
    rules           text NOT NULL,
    digest          text COLLATE "C" NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    reason          text NOT NULL,
    proposed_by     text COLLATE "C" NOT NULL,
    proposed_person text COLLATE "C",
    proposed_at     timestamptz NOT NULL,
    approved_by     text COLLATE "C",
    approved_person text COLLATE "C",
    approved_at     timestamptz,
    CHECK (approved_by <> proposed_by),
    CHECK (approved_person <> proposed_person),
    CHECK ((approved_by IS NULL) = (approved_at IS NULL))
);
COMMENT ON COLUMN tier_version.digest IS 'SM3 of the rules, byte for byte: the policy id that decisions name.';

-- What decisions are made from raises the epoch, however it was changed.
CREATE TRIGGER epoch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON access_grant
    FOR EACH STATEMENT EXECUTE FUNCTION raise_policy_epoch();
CREATE TRIGGER epoch AFTER UPDATE OR DELETE OR TRUNCATE ON tier_version
    FOR EACH STATEMENT EXECUTE FUNCTION raise_policy_epoch();

-- A year's official arrangement of holidays and make-up workdays (国务院办公厅), entered where the package has none.
CREATE TABLE calendar_year (
    year       integer PRIMARY KEY CHECK (year BETWEEN 2004 AND 2999),
    holidays   date[] NOT NULL,
    workdays   date[] NOT NULL,
    source     text NOT NULL,
    entered_by text COLLATE "C" NOT NULL,
    entered_at timestamptz NOT NULL
);
COMMENT ON COLUMN calendar_year.holidays IS 'Every day off by the arrangement, weekends within it included.';
COMMENT ON COLUMN calendar_year.workdays IS 'Saturdays and Sundays that are workdays (调休).';
