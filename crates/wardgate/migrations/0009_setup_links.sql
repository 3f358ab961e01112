-- At most one row: each start without a superadmin makes a new link and kills the old one.
CREATE TABLE setup_links (
    tenant_id {id} NOT NULL,
    digest {bytes} NOT NULL,
    expires_at {time} NOT NULL,
    CONSTRAINT pk_setup_links PRIMARY KEY (tenant_id),
    CONSTRAINT fk_setup_links__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);
