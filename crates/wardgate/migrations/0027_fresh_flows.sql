-- Whether the provider was asked for a fresh proof, so that the answer is held to it. What is under way is not.
ALTER TABLE upstream_flows ADD COLUMN fresh BIGINT NOT NULL DEFAULT 0;
