-- One row is one sign-in and the whole family of its refresh tokens: ending it ends them all.
-- expires_at slides with each refresh (idle limit) and never passes the absolute limit.
CREATE TABLE sessions (
    tenant_id {id} NOT NULL,
    id {id} NOT NULL,
    user_id {id} NOT NULL,
    client_id TEXT NOT NULL,
    scope TEXT,
    created_at {time} NOT NULL,
    last_seen_at {time} NOT NULL,
    expires_at {time} NOT NULL,
    ended_at {time},
    end_reason TEXT,
    address TEXT,
    user_agent TEXT,
    CONSTRAINT pk_sessions PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_sessions__user_id FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX ix_sessions__user_id ON sessions (tenant_id, user_id, created_at, id);
CREATE INDEX ix_sessions__expires_at ON sessions (expires_at);
