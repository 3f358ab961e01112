CREATE TABLE role_assignments (
    tenant_id {id} NOT NULL,
    user_id {id} NOT NULL,
    role TEXT NOT NULL,
    CONSTRAINT pk_role_assignments PRIMARY KEY (tenant_id, user_id, role),
    CONSTRAINT fk_role_assignments__user_id FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX ix_role_assignments__role ON role_assignments (tenant_id, role);
