CREATE TABLE audit_events (
    tenant_id {id} NOT NULL,
    id {id} NOT NULL,
    at {time} NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT,
    outcome TEXT NOT NULL,
    source TEXT,
    user_agent TEXT,
    request_id TEXT NOT NULL,
    CONSTRAINT pk_audit_events PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_audit_events__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE INDEX ix_audit_events__at ON audit_events (tenant_id, at, id);
