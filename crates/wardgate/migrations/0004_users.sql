CREATE TABLE users (
    tenant_id {id} NOT NULL,
    id {id} NOT NULL,
    email TEXT NOT NULL,
    email_normalized TEXT NOT NULL,
    email_verified_at {time},
    name TEXT,
    disabled_at {time},
    created_at {time} NOT NULL,
    CONSTRAINT pk_users PRIMARY KEY (tenant_id, id),
    CONSTRAINT uq_users__email_normalized UNIQUE (tenant_id, email_normalized),
    CONSTRAINT fk_users__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE INDEX ix_users__created_at ON users (tenant_id, created_at, id);
