-- The owner is a user or a service account. A key that was rotated ends with its overlap, at expires_at.
CREATE TABLE api_keys (
    tenant_id {id} NOT NULL,
    id {id} NOT NULL,
    owner_kind TEXT NOT NULL,
    owner_id {id} NOT NULL,
    name TEXT NOT NULL,
    digest {bytes} NOT NULL,
    scopes TEXT,
    networks TEXT,
    rate_requests BIGINT,
    rate_seconds BIGINT,
    quota_requests BIGINT,
    quota_period TEXT,
    quota_since {time},
    quota_used BIGINT NOT NULL,
    created_at {time} NOT NULL,
    expires_at {time},
    revoked_at {time},
    replaced_at {time},
    last_used_at {time},
    last_used_address TEXT,
    CONSTRAINT pk_api_keys PRIMARY KEY (tenant_id, id),
    CONSTRAINT uq_api_keys__digest UNIQUE (tenant_id, digest),
    CONSTRAINT fk_api_keys__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE INDEX ix_api_keys__owner_id ON api_keys (tenant_id, owner_id, created_at, id);
