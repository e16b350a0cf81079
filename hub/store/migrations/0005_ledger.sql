-- The ledger: leaves exactly as hashed, the order they were sealed in, the tree over them, and its signed heads.

-- One row: which ledger this is, how far it is sealed, and when the sealer last looked.
CREATE TABLE ledger_head (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    origin     text COLLATE "C" NOT NULL DEFAULT 'hub/ledger/' || gen_random_uuid(),
    size       bigint NOT NULL DEFAULT 0 CHECK (size >= 0),
    cursor_xid xid8 NOT NULL DEFAULT '0',
    cursor_id  bigint NOT NULL DEFAULT 0,
    begun_at   timestamptz NOT NULL DEFAULT now(),
    looked_at  timestamptz,
    signed_at  timestamptz,
    missed     bigint NOT NULL DEFAULT 0 CHECK (missed >= 0)
) WITH (fillfactor = 10);
INSERT INTO ledger_head DEFAULT VALUES;
COMMENT ON COLUMN ledger_head.origin IS 'The ledger''s name: in every leaf, and the first line of every checkpoint.';
COMMENT ON COLUMN ledger_head.cursor_xid IS 'Sealed are all leaves up to (cursor_xid, cursor_id): never up to an id alone, which a transaction may take long before it commits.';
COMMENT ON COLUMN ledger_head.looked_at IS 'When the sealer last left nothing unsealed that could be sealed.';
COMMENT ON COLUMN ledger_head.signed_at IS 'Of the newest checkpoint; while nothing happens the same head is signed again.';
COMMENT ON COLUMN ledger_head.missed IS 'Leaves behind the cursor that were never sealed, as the last reconciliation counted them: anything but 0 is an alarm.';

-- Written in the transaction of what the leaf tells of. The bytes are what is hashed; nobody writes them anew to verify.
CREATE TABLE ledger_leaf (
    xid   xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id    bigint GENERATED ALWAYS AS IDENTITY,
    leaf  uuid NOT NULL,
    bytes bytea NOT NULL CHECK (length(bytes) BETWEEN 2 AND 16384),
    PRIMARY KEY (xid, id),
    UNIQUE (leaf)
) WITH (autovacuum_vacuum_insert_threshold = 1000000);
ALTER TABLE ledger_leaf ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- What opens a leaf's commitments. Erasing a row takes the value for good, and the tree stays as it is.
CREATE TABLE ledger_opening (
    leaf   uuid NOT NULL,
    member text COLLATE "C" NOT NULL,
    salt   bytea NOT NULL CHECK (length(salt) = 32),
    value  text NOT NULL,
    PRIMARY KEY (leaf, member)
);
COMMENT ON TABLE ledger_opening IS 'commitment = HMAC-SM3(salt, value). The only place of the ledger where personal data may stand.';

-- The order of the tree.
CREATE TABLE ledger_sealed (
    leaf_index bigint PRIMARY KEY CHECK (leaf_index >= 0),
    leaf       uuid NOT NULL UNIQUE
);

-- Hashes of the tree in tiles: tile (level, number) holds those of complete subtrees of 256^level leaves, from
-- 256 * number on, 256 at most. What lies between is made from a tile, so any proof reads log256(size) of them.
CREATE TABLE ledger_tile (
    level  smallint NOT NULL CHECK (level BETWEEN 0 AND 7),
    number bigint NOT NULL CHECK (number >= 0),
    hashes bytea NOT NULL CHECK (length(hashes) BETWEEN 32 AND 8192 AND length(hashes) % 32 = 0),
    PRIMARY KEY (level, number)
);
ALTER TABLE ledger_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;

CREATE TABLE ledger_checkpoint (
    number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    size      bigint NOT NULL CHECK (size >= 0),
    root      bytea NOT NULL CHECK (length(root) = 32),
    note      text NOT NULL,
    signed_at timestamptz NOT NULL,
    UNIQUE (size, number)
);
COMMENT ON COLUMN ledger_checkpoint.note IS 'The signed text, byte for byte, with the ledger''s own signature.';

CREATE TABLE ledger_key (
    name       text COLLATE "C" NOT NULL,
    key_id     text COLLATE "C" NOT NULL CHECK (key_id ~ '^[0-9a-f]{8}$'),
    kind       text NOT NULL CHECK (kind IN ('ledger', 'witness')),
    public_pem text NOT NULL,
    first_used timestamptz NOT NULL,
    PRIMARY KEY (name, key_id)
);
COMMENT ON TABLE ledger_key IS 'Public keys that signed or witnessed checkpoints. Who verifies gets them from elsewhere and compares.';

-- Without a foreign key: to check one takes the right to update checkpoints, which nobody has.
CREATE TABLE ledger_cosignature (
    checkpoint  bigint NOT NULL,
    witness     text COLLATE "C" NOT NULL,
    line        text NOT NULL,
    cosigned_at timestamptz NOT NULL,
    PRIMARY KEY (checkpoint, witness)
);
CREATE INDEX ledger_cosignature_witness ON ledger_cosignature (witness, checkpoint DESC);

CREATE TABLE ledger_alarm (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    raised_by text COLLATE "C" NOT NULL,
    code      text COLLATE "C" NOT NULL,
    zh        text NOT NULL,
    en        text NOT NULL,
    raised_at timestamptz NOT NULL
);
COMMENT ON TABLE ledger_alarm IS 'What a witness refused, or the reconciliation missed. The witness keeps its own copy outside.';

ALTER TABLE receipt ADD COLUMN leaf uuid;
COMMENT ON COLUMN receipt.leaf IS 'Id of its leaf in the ledger; NULL for receipts older than the ledger.';

-- A speed bump against mistakes. Whoever owns the database can remove it; the tree and its witnesses are the evidence.
CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER ledger_leaf_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER ledger_sealed_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_sealed
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER ledger_checkpoint_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
REVOKE UPDATE, DELETE, TRUNCATE ON ledger_leaf, ledger_sealed, ledger_checkpoint FROM CURRENT_USER;
