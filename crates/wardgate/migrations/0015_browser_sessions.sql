-- A browser holds a cookie instead of tokens; the row is the same. proven_at is the last sign-in or step-up.
ALTER TABLE sessions ADD COLUMN cookie_digest {bytes};
ALTER TABLE sessions ADD COLUMN proven_at {time};
CREATE UNIQUE INDEX uq_sessions__cookie_digest ON sessions (tenant_id, cookie_digest);
