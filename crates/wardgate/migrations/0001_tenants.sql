CREATE TABLE tenants (
    id {id} NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at {time} NOT NULL,
    CONSTRAINT pk_tenants PRIMARY KEY (id),
    CONSTRAINT uq_tenants__slug UNIQUE (slug)
);

-- Facts about this database as a whole: the sealed key check, whether it belongs to development.
CREATE TABLE server_meta (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_server_meta PRIMARY KEY (name)
);
