-- Above tenants: the certificate is the listener's, whoever is asked for behind it.

-- This server's account at an authority, its key sealed.
CREATE TABLE acme_accounts (
    directory TEXT NOT NULL,
    sealed {bytes} NOT NULL,
    CONSTRAINT pk_acme_accounts PRIMARY KEY (directory)
);

-- The certificate from an authority for a set of names, with its sealed key once there is one. Until due_at nobody asks
-- for the next: a node is at it, which is what claimed_until says, or it is not time.
CREATE TABLE acme_certificates (
    directory TEXT NOT NULL,
    names TEXT NOT NULL,
    chain TEXT,
    sealed_key {bytes},
    issued_at {time},
    not_after {time},
    attempts BIGINT NOT NULL,
    due_at {time} NOT NULL,
    claimed_until {time},
    CONSTRAINT pk_acme_certificates PRIMARY KEY (directory, names)
);

-- What every node answers an authority that looks whether a name is this server's.
CREATE TABLE acme_challenges (
    name TEXT NOT NULL,
    digest {bytes} NOT NULL,
    expires_at {time} NOT NULL,
    CONSTRAINT pk_acme_challenges PRIMARY KEY (name)
);
