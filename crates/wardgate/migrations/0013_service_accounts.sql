CREATE TABLE service_accounts (
    tenant_id {id} NOT NULL,
    id {id} NOT NULL,
    name TEXT NOT NULL,
    disabled_at {time},
    created_at {time} NOT NULL,
    CONSTRAINT pk_service_accounts PRIMARY KEY (tenant_id, id),
    CONSTRAINT uq_service_accounts__name UNIQUE (tenant_id, name),
    CONSTRAINT fk_service_accounts__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE INDEX ix_service_accounts__created_at ON service_accounts (tenant_id, created_at, id);
