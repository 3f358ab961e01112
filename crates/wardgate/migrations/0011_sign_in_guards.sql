-- What is remembered of guesses, for known and unknown identifiers alike: subject, bucket and source are keyed digests.
-- Strangers share one bucket of an account, and each source that has signed in to it has its own.
CREATE TABLE guess_failures (
    tenant_id {id} NOT NULL,
    subject {bytes} NOT NULL,
    bucket {bytes} NOT NULL,
    failures BIGINT NOT NULL,
    last_failed_at {time} NOT NULL,
    CONSTRAINT pk_guess_failures PRIMARY KEY (tenant_id, subject, bucket),
    CONSTRAINT fk_guess_failures__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE INDEX ix_guess_failures__last_failed_at ON guess_failures (last_failed_at);

CREATE TABLE known_sources (
    tenant_id {id} NOT NULL,
    subject {bytes} NOT NULL,
    source {bytes} NOT NULL,
    last_success_at {time} NOT NULL,
    CONSTRAINT pk_known_sources PRIMARY KEY (tenant_id, subject, source),
    CONSTRAINT fk_known_sources__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE INDEX ix_known_sources__last_success_at ON known_sources (last_success_at);

-- How many refusals one record stands for, where it stands for several.
ALTER TABLE audit_events ADD COLUMN count BIGINT;
