-- How far each sink was given the chain. Until due_at nobody gives it more: another node is at it, or it has failed
-- and is left alone for a while.
CREATE TABLE audit_sinks (
    tenant_id {id} NOT NULL,
    name TEXT NOT NULL,
    seq BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    due_at {time} NOT NULL,
    CONSTRAINT pk_audit_sinks PRIMARY KEY (tenant_id, name),
    CONSTRAINT fk_audit_sinks__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);
