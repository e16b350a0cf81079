-- Who may ask: accounts of people, applications and their keys, and the rows of the built-in OpenID provider.
-- Names and logins are here alone; every other table and the ledger know people by their opaque ids.

CREATE TABLE person_account (
    id             uuid PRIMARY KEY,
    login          text COLLATE "C" NOT NULL UNIQUE CHECK (login ~ '^[a-z][a-z0-9._-]{1,63}$'),
    display_name   text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 100),
    organization   text COLLATE "C" REFERENCES organization,
    person         uuid NOT NULL,
    password_hash  text,
    roles          text[] NOT NULL DEFAULT '{}' CHECK (
        roles <@ ARRAY['administrator', 'reviewer', 'steward', 'auditor', 'developer', 'operator']
    ),
    approved_from  timestamptz,
    approved_until timestamptz,
    created_at     timestamptz NOT NULL,
    suspended_at   timestamptz,
    CHECK ((approved_from IS NULL) = (approved_until IS NULL)),
    CHECK (approved_from < approved_until)
);
CREATE INDEX person_account_person ON person_account (person);
CREATE INDEX person_account_organization ON person_account (organization);
COMMENT ON TABLE person_account IS 'Accounts of people. Organization, roles and tier are read from here at every request, never from a token.';
COMMENT ON COLUMN person_account.person IS 'The natural person; two accounts of one person share it, and separation of duties looks here.';
COMMENT ON COLUMN person_account.password_hash IS 'Argon2id in PHC form; NULL where the account cannot sign in here.';

CREATE TABLE application (
    id                      uuid PRIMARY KEY,
    name                    text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    organization            text COLLATE "C" REFERENCES organization,
    account                 uuid REFERENCES person_account,
    stands_for_organization boolean NOT NULL DEFAULT false,
    public_client           boolean NOT NULL DEFAULT false,
    redirect_uris           text[] NOT NULL DEFAULT '{}',
    created_at              timestamptz NOT NULL,
    suspended_at            timestamptz,
    CHECK (num_nonnulls(organization, account) = 1),
    CHECK (NOT stands_for_organization OR organization IS NOT NULL)
);
CREATE INDEX application_account ON application (account);
CREATE INDEX application_organization ON application (organization);
CREATE UNIQUE INDEX application_of_organization ON application (organization) WHERE stands_for_organization;
COMMENT ON COLUMN application.stands_for_organization IS 'Its keys are the tokens of hub organization add: who holds one is the organization itself.';
COMMENT ON COLUMN application.public_client IS 'Runs where it cannot keep a key (RFC 8252): signs people in with PKCE alone and has no keys.';

CREATE TABLE application_key (
    digest      bytea PRIMARY KEY CHECK (length(digest) = 32),
    application uuid NOT NULL REFERENCES application,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz
);
CREATE INDEX application_key_application ON application_key (application);
COMMENT ON TABLE application_key IS 'SM3 digests of the keys of applications; a key is 256 random bits and is shown once.';

-- The tokens of organizations become keys of an application that stands for the organization; they go on working.
INSERT INTO application (id, name, organization, stands_for_organization, created_at)
    SELECT gen_random_uuid(), id, id, true, created_at FROM organization;
INSERT INTO application_key (digest, application, created_at, expires_at, revoked_at)
    SELECT t.digest, a.id, t.created_at, t.expires_at, t.revoked_at
    FROM organization_token t JOIN application a ON a.organization = t.organization AND a.stands_for_organization;
DROP TABLE organization_token;

CREATE TABLE external_identity (
    issuer      text COLLATE "C" NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    account     uuid REFERENCES person_account,
    application uuid REFERENCES application,
    linked_at   timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject),
    CHECK (num_nonnulls(account, application) = 1)
);
CREATE INDEX external_identity_account ON external_identity (account);
CREATE INDEX external_identity_application ON external_identity (application);
COMMENT ON TABLE external_identity IS 'Whom a subject of another issuer is here. The built-in issuer''s subjects are the ids themselves.';

-- The kill-list: what is named here is refused whatever its signature says. Suspended rows are refused by themselves.
CREATE TABLE revoked_token (
    id         text COLLATE "C" PRIMARY KEY,
    revoked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX revoked_token_expiry ON revoked_token (expires_at);
COMMENT ON COLUMN revoked_token.id IS 'A token''s jti, or the sid of all tokens that came from one sign-in or one key.';
COMMENT ON COLUMN revoked_token.expires_at IS 'When no token of this id can be valid any more and the row may go.';

-- Every change to what a known caller is raises the epoch, in the same transaction; processes that remember callers look at
-- it every 200 ms. The row lock makes the order of epochs the order of commits.
CREATE TABLE identity_epoch (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO identity_epoch (epoch) VALUES (1);

CREATE FUNCTION raise_identity_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE identity_epoch SET epoch = epoch + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER epoch AFTER UPDATE OR DELETE OR TRUNCATE ON person_account
    FOR EACH STATEMENT EXECUTE FUNCTION raise_identity_epoch();
CREATE TRIGGER epoch AFTER UPDATE OR DELETE OR TRUNCATE ON application
    FOR EACH STATEMENT EXECUTE FUNCTION raise_identity_epoch();
CREATE TRIGGER epoch AFTER UPDATE OR DELETE OR TRUNCATE ON application_key
    FOR EACH STATEMENT EXECUTE FUNCTION raise_identity_epoch();
CREATE TRIGGER epoch AFTER UPDATE OR DELETE OR TRUNCATE ON external_identity
    FOR EACH STATEMENT EXECUTE FUNCTION raise_identity_epoch();
CREATE TRIGGER epoch AFTER INSERT ON revoked_token
    FOR EACH STATEMENT EXECUTE FUNCTION raise_identity_epoch();

-- The built-in issuer --------------------------------------------------------------------------------------------------

CREATE TABLE signing_key (
    kid             text COLLATE "C" PRIMARY KEY,
    public_jwk      jsonb NOT NULL,
    private_sealed  bytea NOT NULL,
    signs_from      timestamptz NOT NULL,
    published_until timestamptz NOT NULL,
    created_at      timestamptz NOT NULL
);
COMMENT ON COLUMN signing_key.private_sealed IS 'The private key, sealed with SM4-GCM under a key of the keys folder.';
COMMENT ON COLUMN signing_key.signs_from IS 'A key is published before it signs, so that no verifier meets one it cannot know.';

CREATE TABLE authorization_code (
    digest       bytea PRIMARY KEY,
    application  uuid NOT NULL REFERENCES application,
    account      uuid NOT NULL REFERENCES person_account,
    family       uuid NOT NULL,
    redirect_uri text NOT NULL,
    challenge    text NOT NULL,
    scope        text NOT NULL,
    nonce        text,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX authorization_code_expiry ON authorization_code (expires_at);
COMMENT ON COLUMN authorization_code.family IS 'All tokens that come from this sign-in bear it as sid; a code or refresh token used twice revokes it.';

CREATE TABLE refresh_token (
    digest         bytea PRIMARY KEY,
    application    uuid NOT NULL REFERENCES application,
    account        uuid NOT NULL REFERENCES person_account,
    family         uuid NOT NULL,
    scope          text NOT NULL,
    signed_in_at   timestamptz NOT NULL,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    used_at        timestamptz
);
CREATE INDEX refresh_token_expiry ON refresh_token (expires_at);
COMMENT ON COLUMN refresh_token.expires_at IS 'Of the sign-in, not of this token: rotating does not prolong it.';

CREATE UNLOGGED TABLE sign_in_failure (
    subject  bytea PRIMARY KEY,
    failures integer NOT NULL,
    since    timestamptz NOT NULL
);
COMMENT ON TABLE sign_in_failure IS 'Failed sign-ins per login and per address, as digests, within one window.';
