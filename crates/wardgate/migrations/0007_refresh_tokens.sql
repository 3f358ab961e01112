-- Consumed rows stay until their family's end, or a late replay would go unseen.
CREATE TABLE refresh_tokens (
    tenant_id {id} NOT NULL,
    id {id} NOT NULL,
    session_id {id} NOT NULL,
    digest {bytes} NOT NULL,
    consumed_at {time},
    successor_id {id},
    successor_nonce {bytes},
    CONSTRAINT pk_refresh_tokens PRIMARY KEY (tenant_id, id),
    CONSTRAINT uq_refresh_tokens__digest UNIQUE (tenant_id, digest),
    CONSTRAINT fk_refresh_tokens__session_id FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX ix_refresh_tokens__session_id ON refresh_tokens (tenant_id, session_id);
