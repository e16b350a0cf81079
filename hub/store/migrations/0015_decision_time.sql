-- How long the decision behind an answer took to make: read, for the metrics, from the newest trails.
ALTER TABLE release_trail ADD COLUMN decided_us integer CHECK (decided_us >= 0);
COMMENT ON COLUMN release_trail.decided_us IS 'Microseconds the decision took, reading grants and labels included; NULL before this was kept.';
