-- Users as other providers know them: by issuer and subject, never by address.
CREATE TABLE identity_links (
    tenant_id {id} NOT NULL,
    id {id} NOT NULL,
    user_id {id} NOT NULL,
    provider TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    email TEXT,
    created_at {time} NOT NULL,
    last_used_at {time} NOT NULL,
    CONSTRAINT pk_identity_links PRIMARY KEY (tenant_id, id),
    CONSTRAINT uq_identity_links__issuer__subject UNIQUE (tenant_id, issuer, subject),
    CONSTRAINT fk_identity_links__user_id FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX ix_identity_links__user_id ON identity_links (tenant_id, user_id, created_at, id);

-- Providers that a tenant's administrators set up. `sealed_secret` holds the client secret under a key derived from the
-- master key.
CREATE TABLE upstream_providers (
    tenant_id {id} NOT NULL,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    preset TEXT NOT NULL,
    issuer TEXT,
    client_id TEXT NOT NULL,
    sealed_secret {bytes},
    team_id TEXT,
    key_id TEXT,
    scopes TEXT NOT NULL,
    links_verified_email BIGINT NOT NULL,
    disabled_at {time},
    created_at {time} NOT NULL,
    CONSTRAINT pk_upstream_providers PRIMARY KEY (tenant_id, name),
    CONSTRAINT fk_upstream_providers__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

-- Sign-ins that were sent to a provider and have not come back. Both digests are of random tokens: the state, which goes
-- with the browser through the provider, and what the browser keeps in a cookie. Nonce and code verifier are derived
-- from the state and lie nowhere.
CREATE TABLE upstream_flows (
    tenant_id {id} NOT NULL,
    digest {bytes} NOT NULL,
    browser {bytes} NOT NULL,
    provider TEXT NOT NULL,
    next TEXT,
    user_id {id},
    session_id {id},
    expires_at {time} NOT NULL,
    CONSTRAINT pk_upstream_flows PRIMARY KEY (tenant_id, digest),
    CONSTRAINT fk_upstream_flows__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT fk_upstream_flows__user_id FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX ix_upstream_flows__user_id ON upstream_flows (tenant_id, user_id);
CREATE INDEX ix_upstream_flows__tenant_id ON upstream_flows (tenant_id, expires_at);
CREATE INDEX ix_upstream_flows__expires_at ON upstream_flows (expires_at);
