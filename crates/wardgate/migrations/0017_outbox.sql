-- Mails that wait to be sent, written in the transaction of the change that they tell of. `sealed` holds recipient and
-- texts under a key derived from the master key; the row goes once the mail is sent or given up.
CREATE TABLE outbox (
    tenant_id {id} NOT NULL,
    id {id} NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    sealed {bytes} NOT NULL,
    attempts BIGINT NOT NULL,
    due_at {time} NOT NULL,
    keep_until {time} NOT NULL,
    created_at {time} NOT NULL,
    CONSTRAINT pk_outbox PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_outbox__tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)
);

CREATE INDEX ix_outbox__due_at ON outbox (due_at, tenant_id);
