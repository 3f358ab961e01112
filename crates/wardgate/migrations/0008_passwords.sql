-- The version rises with every change: a sign-in in flight must not outlive a password change.
CREATE TABLE passwords (
    tenant_id {id} NOT NULL,
    user_id {id} NOT NULL,
    hash TEXT NOT NULL,
    scheme TEXT NOT NULL,
    version BIGINT NOT NULL,
    changed_at {time} NOT NULL,
    CONSTRAINT pk_passwords PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT fk_passwords__user_id FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX ix_passwords__scheme ON passwords (tenant_id, scheme);
