-- A link that somebody got by the address that their provider named, and no more: whoever runs the provider could have
-- made it. It opens no account that stands over the tenant, and neither does a session that was opened by it.
ALTER TABLE identity_links ADD COLUMN by_address BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN by_address BIGINT NOT NULL DEFAULT 0;

-- Pages of the tenant's own that mails link to, as a JSON object; what is not in it is the built-in page.
ALTER TABLE tenants ADD COLUMN mail_urls TEXT;
