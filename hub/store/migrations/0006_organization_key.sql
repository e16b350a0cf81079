-- Public keys of organizations, who must sign, and what was signed.

ALTER TABLE organization ADD COLUMN signature_required boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN organization.signature_required IS 'Batches this organization sends are refused whole without a signature.';

CREATE TABLE organization_key (
    organization text COLLATE "C" NOT NULL REFERENCES organization,
    key_id       text COLLATE "C" NOT NULL CHECK (key_id ~ '^[a-z][a-z0-9-]{0,63}$'),
    pem          text NOT NULL,
    fingerprint  text COLLATE "C" NOT NULL UNIQUE CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    valid_from   timestamptz NOT NULL,
    valid_until  timestamptz NOT NULL,
    added_at     timestamptz NOT NULL,
    revoked_at   timestamptz,
    PRIMARY KEY (organization, key_id),
    CHECK (valid_from < valid_until)
);
COMMENT ON COLUMN organization_key.fingerprint IS 'SM3 of the SubjectPublicKeyInfo: one key is one organization''s, and never registered again.';

-- The signature of a batch stays as long as its receipt, which is longer than the log keeps the message.
CREATE TABLE batch_signature (
    organization text COLLATE "C" NOT NULL,
    batch        uuid NOT NULL,
    sender       text COLLATE "C" NOT NULL,
    key_id       text COLLATE "C" NOT NULL,
    envelope     text NOT NULL,
    signature    bytea NOT NULL,
    PRIMARY KEY (organization, batch),
    FOREIGN KEY (organization, batch) REFERENCES receipt (organization, batch) ON DELETE CASCADE,
    FOREIGN KEY (sender, key_id) REFERENCES organization_key
);
COMMENT ON COLUMN batch_signature.envelope IS 'The bytes under the signature, as they came.';
