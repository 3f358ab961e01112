-- A link that somebody got by the address that their provider named, and no more: whoever runs the provider could have
-- made it. It opens no account that stands over the tenant, and neither does a session that was opened by it.
ALTER TABLE identity_links ADD COLUMN by_address BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN by_address BIGINT NOT NULL DEFAULT 0;
