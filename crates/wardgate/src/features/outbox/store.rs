//! SQL of `outbox`.

use wardgate_store::{GlobalSql, GlobalTx, Sql, StoreError, Tx, from_row, global_sql, params, sql};

use crate::kernel::ids::{MailId, TenantId};
use crate::kernel::time::Timestamp;

const INSERT: Sql = sql!(
    "INSERT INTO outbox (tenant_id, id, kind, target, sealed, attempts, due_at, keep_until, created_at) \
     VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $6)"
);
const DUE: Sql = sql!(
    "SELECT tenant_id, id, kind, target, sealed, attempts, due_at, keep_until FROM outbox \
     WHERE tenant_id = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3"
);
const TENANTS: GlobalSql = global_sql!("SELECT DISTINCT tenant_id FROM outbox WHERE due_at <= $1 LIMIT 1000");
/// Of what is sealed, that which does not begin with `$1`.
pub(super) const COUNT_BEHIND: GlobalSql =
    global_sql!("SELECT COUNT(*) FROM outbox WHERE substr(sealed, 1, 9) <> $1");
/// Some of the tenants that have such rows.
pub(super) const TENANTS_BEHIND: GlobalSql =
    global_sql!("SELECT DISTINCT tenant_id FROM outbox WHERE substr(sealed, 1, 9) <> $1 LIMIT 1000");
const LIST_BEHIND: Sql = sql!(
    "SELECT tenant_id, id, sealed FROM outbox WHERE tenant_id = $1 AND substr(sealed, 1, 9) <> $2 LIMIT $3"
);
const RESEAL: Sql = sql!("UPDATE outbox SET sealed = $4 WHERE tenant_id = $1 AND id = $2 AND sealed = $3");
const FORGET: Sql = sql!(
    "DELETE FROM outbox WHERE tenant_id = $1 AND id IN (SELECT id FROM outbox WHERE tenant_id = $1 LIMIT $2)"
);
const CLAIM: Sql = sql!(
    "UPDATE outbox SET due_at = $4, attempts = attempts + 1 WHERE tenant_id = $1 AND id = $2 AND due_at = $3"
);
const POSTPONE: Sql = sql!("UPDATE outbox SET due_at = $4 WHERE tenant_id = $1 AND id = $2 AND due_at = $3");
const REMOVE: Sql = sql!("DELETE FROM outbox WHERE tenant_id = $1 AND id = $2 AND due_at = $3");

/// A mail as it waits.
pub(super) struct Waiting {
    pub(super) id: MailId,
    pub(super) kind: String,
    pub(super) target: String,
    pub(super) sealed: Vec<u8>,
    pub(super) attempts: i64,
    pub(super) due_at: Timestamp,
    pub(super) keep_until: Timestamp,
}

from_row!(Waiting { id, kind, target, sealed, attempts, due_at, keep_until });

/// A mail about to wait.
pub(super) struct NewMail<'a> {
    pub(super) id: MailId,
    pub(super) kind: &'a str,
    pub(super) target: &'a str,
    pub(super) sealed: &'a [u8],
    pub(super) now: Timestamp,
    pub(super) keep_until: Timestamp,
}

pub(super) async fn insert(tx: &mut Tx, mail: &NewMail<'_>) -> Result<(), StoreError> {
    let NewMail { id, kind, target, sealed, now, keep_until } = mail;
    tx.exec(INSERT, &params![*id, *kind, *target, *sealed, *now, *keep_until]).await.map(drop)
}

/// Up to `limit` of those due, the longest due first.
pub(super) async fn due(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<Vec<Waiting>, StoreError> {
    tx.all(DUE, &params![now, limit]).await
}

/// The tenants that have mails due.
pub(super) async fn tenants(tx: &mut GlobalTx, now: Timestamp) -> Result<Vec<TenantId>, StoreError> {
    let rows: Vec<(TenantId,)> = tx.all(TENANTS, &params![now]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Up to `limit` of the tenant's mails that do not begin with `mark`.
pub(super) async fn list_behind(
    tx: &mut Tx,
    mark: &[u8],
    limit: i64,
) -> Result<Vec<(MailId, Vec<u8>)>, StoreError> {
    tx.all(LIST_BEHIND, &params![mark, limit]).await
}

/// Replaces what was `seen` sealed; says whether this call did it.
pub(super) async fn reseal(tx: &mut Tx, id: MailId, seen: &[u8], sealed: &[u8]) -> Result<bool, StoreError> {
    Ok(tx.exec(RESEAL, &params![id, seen, sealed]).await? == 1)
}

/// Removes up to `limit` rows of the tenant, as when it goes; how many.
pub(super) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    tx.exec(FORGET, &params![limit]).await
}

/// Takes the mail until `until` if nobody did since it was `seen`; says whether this call did it.
pub(super) async fn claim(
    tx: &mut Tx,
    id: MailId,
    seen: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.exec(CLAIM, &params![id, seen, until]).await? == 1)
}

/// Makes a mail that is still this call's due at `due_at`.
pub(super) async fn postpone(
    tx: &mut Tx,
    id: MailId,
    seen: Timestamp,
    due_at: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.exec(POSTPONE, &params![id, seen, due_at]).await? == 1)
}

/// Removes a mail that is still this call's; says whether this call did it.
pub(super) async fn remove(tx: &mut Tx, id: MailId, seen: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.exec(REMOVE, &params![id, seen]).await? == 1)
}
