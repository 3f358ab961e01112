-- A tenant's own roles. The built-in ones are in the program, and their names are reserved.
CREATE TABLE roles (
    tenant_id {id} NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    created_at {time} NOT NULL,
    CONSTRAINT pk_roles PRIMARY KEY (tenant_id, name),
    CONSTRAINT fk_roles__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE TABLE role_permissions (
    tenant_id {id} NOT NULL,
    role TEXT NOT NULL,
    permission TEXT NOT NULL,
    CONSTRAINT pk_role_permissions PRIMARY KEY (tenant_id, role, permission),
    CONSTRAINT fk_role_permissions__role FOREIGN KEY (tenant_id, role) REFERENCES roles (tenant_id, name) ON DELETE CASCADE
);

-- Who has which role: users and service accounts, so there is no one table that principal_id could refer to.
CREATE TABLE principal_roles (
    tenant_id {id} NOT NULL,
    principal_id {id} NOT NULL,
    role TEXT NOT NULL,
    CONSTRAINT pk_principal_roles PRIMARY KEY (tenant_id, principal_id, role),
    CONSTRAINT fk_principal_roles__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE INDEX ix_principal_roles__role ON principal_roles (tenant_id, role);

INSERT INTO principal_roles (tenant_id, principal_id, role) SELECT tenant_id, user_id, role FROM role_assignments;

DROP TABLE role_assignments;
