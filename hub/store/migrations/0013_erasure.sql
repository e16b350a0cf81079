-- Erasure leaves no key behind, and what was erased does not come back.

ALTER TABLE erasure ALTER COLUMN dataset TYPE text COLLATE "C", ALTER COLUMN commitment TYPE text COLLATE "C";
ALTER TABLE erasure ADD COLUMN version_row bigint, ADD COLUMN notice bytea;
UPDATE erasure SET version_row = 0 WHERE version IS NOT NULL;
ALTER TABLE erasure ADD CHECK ((version IS NULL) = (version_row IS NULL));
CREATE INDEX erasure_commitment ON erasure (dataset, commitment);
CREATE INDEX erasure_erased_at ON erasure (dataset, erased_at);
CREATE INDEX erasure_notice ON erasure (erased_at) WHERE notice IS NOT NULL;
COMMENT ON COLUMN erasure.commitment IS 'HMAC-SM3 under the hub''s erasure key of dataset, U+001E and the key''s text, hexadecimal.';
COMMENT ON COLUMN erasure.version IS 'With version_row the highest the hub held: records of the key up to it stay out. A later delete raises it.';
COMMENT ON COLUMN erasure.notice IS 'The key, sealed under a key that is not in the store, as long as followers of the changes are told; then NULL.';
