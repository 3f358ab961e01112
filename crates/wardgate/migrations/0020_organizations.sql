CREATE TABLE organizations (
    tenant_id {id} NOT NULL,
    id {id} NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    made_by {id} NOT NULL,
    created_at {time} NOT NULL,
    CONSTRAINT pk_organizations PRIMARY KEY (tenant_id, id),
    CONSTRAINT uq_organizations__slug UNIQUE (tenant_id, slug),
    CONSTRAINT fk_organizations__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE INDEX ix_organizations__made_by ON organizations (tenant_id, made_by);

CREATE TABLE memberships (
    tenant_id {id} NOT NULL,
    org_id {id} NOT NULL,
    user_id {id} NOT NULL,
    role TEXT NOT NULL,
    created_at {time} NOT NULL,
    CONSTRAINT pk_memberships PRIMARY KEY (tenant_id, org_id, user_id),
    CONSTRAINT fk_memberships__org_id FOREIGN KEY (tenant_id, org_id) REFERENCES organizations (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_memberships__user_id FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX ix_memberships__user_id ON memberships (tenant_id, user_id, created_at, org_id);
CREATE INDEX ix_memberships__org_id ON memberships (tenant_id, org_id, created_at, user_id);

-- An address has one invitation to an organization at a time.
CREATE TABLE invitations (
    tenant_id {id} NOT NULL,
    id {id} NOT NULL,
    org_id {id} NOT NULL,
    email TEXT NOT NULL,
    email_normalized TEXT NOT NULL,
    role TEXT NOT NULL,
    invited_by {id} NOT NULL,
    digest {bytes} NOT NULL,
    created_at {time} NOT NULL,
    expires_at {time} NOT NULL,
    CONSTRAINT pk_invitations PRIMARY KEY (tenant_id, id),
    CONSTRAINT uq_invitations__digest UNIQUE (tenant_id, digest),
    CONSTRAINT uq_invitations__org_id UNIQUE (tenant_id, org_id, email_normalized),
    CONSTRAINT fk_invitations__org_id FOREIGN KEY (tenant_id, org_id) REFERENCES organizations (tenant_id, id) ON DELETE CASCADE
);

-- The organization that a session acts in.
ALTER TABLE sessions ADD COLUMN org_id {id};
