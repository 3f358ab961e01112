CREATE TABLE signing_keys (
    tenant_id {id} NOT NULL,
    kid TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    sealed_secret {bytes} NOT NULL,
    created_at {time} NOT NULL,
    activates_at {time} NOT NULL,
    retired_at {time},
    CONSTRAINT pk_signing_keys PRIMARY KEY (tenant_id, kid),
    CONSTRAINT fk_signing_keys__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);
