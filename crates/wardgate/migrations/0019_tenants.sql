ALTER TABLE tenants ADD COLUMN suspended_at {time};
ALTER TABLE tenants ADD COLUMN logo_url TEXT;
ALTER TABLE tenants ADD COLUMN registration TEXT;
ALTER TABLE tenants ADD COLUMN min_password_length BIGINT;
-- The host name that its issuer is made of, if it has any; the table below has all.
ALTER TABLE tenants ADD COLUMN issuer_host TEXT;

CREATE INDEX ix_tenants__created_at ON tenants (created_at, id);

-- Host names under which tenants are reached.
CREATE TABLE tenant_hosts (
    host TEXT NOT NULL,
    tenant_id {id} NOT NULL,
    CONSTRAINT pk_tenant_hosts PRIMARY KEY (tenant_id, host),
    CONSTRAINT uq_tenant_hosts__host UNIQUE (host),
    CONSTRAINT fk_tenant_hosts__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

-- Slugs of tenants that were deleted. Tokens and links that name one must never mean another tenant.
CREATE TABLE retired_slugs (
    slug TEXT NOT NULL,
    CONSTRAINT pk_retired_slugs PRIMARY KEY (slug)
);

-- Which tenants have audit records to be sealed, without going through all of them.
CREATE INDEX ix_audit_events__unsealed ON audit_events (tenant_id) WHERE seq IS NULL;
