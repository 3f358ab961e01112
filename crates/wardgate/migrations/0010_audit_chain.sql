-- A record is written unlinked, so that no writer waits for another; the sealer gives it its place afterwards. Personal
-- fields enter the chain as a digest only, so that erasing them later keeps it whole.
ALTER TABLE audit_events ADD COLUMN seq BIGINT;
ALTER TABLE audit_events ADD COLUMN mac {bytes};
ALTER TABLE audit_events ADD COLUMN personal_digest {bytes};

-- Serves both what has no place yet, in the order of time, and the chain.
CREATE INDEX ix_audit_events__seq ON audit_events (tenant_id, seq, at, id);

-- Two rows at most: the last link, and the last one that retention has removed. Signed, so that neither end can be cut.
CREATE TABLE audit_heads (
    tenant_id {id} NOT NULL,
    kind TEXT NOT NULL,
    seq BIGINT NOT NULL,
    mac {bytes} NOT NULL,
    at {time} NOT NULL,
    signature {bytes} NOT NULL,
    CONSTRAINT pk_audit_heads PRIMARY KEY (tenant_id, kind),
    CONSTRAINT fk_audit_heads__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);
