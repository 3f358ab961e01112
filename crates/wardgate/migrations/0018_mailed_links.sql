-- One-use tokens in mails, by their digest. `slot` is a keyed digest of what the link is for: a newer link for the same
-- takes its place. Addresses without an account leave the same rows, for nobody.
CREATE TABLE mailed_links (
    tenant_id {id} NOT NULL,
    purpose TEXT NOT NULL,
    slot {bytes} NOT NULL,
    digest {bytes} NOT NULL,
    user_id {id} NOT NULL,
    password_version BIGINT NOT NULL,
    browser {bytes},
    new_email TEXT,
    expires_at {time} NOT NULL,
    CONSTRAINT pk_mailed_links PRIMARY KEY (tenant_id, purpose, slot),
    CONSTRAINT uq_mailed_links__digest UNIQUE (tenant_id, digest),
    CONSTRAINT fk_mailed_links__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE INDEX ix_mailed_links__expires_at ON mailed_links (expires_at);
