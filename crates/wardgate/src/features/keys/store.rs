//! SQL of `signing_keys`.

use wardgate_store::{GlobalSql, Sql, StoreError, Tx, from_row, global_sql, params, sql};

use crate::kernel::time::Timestamp;

const FORGET: Sql = sql!(
    "DELETE FROM signing_keys WHERE tenant_id = $1 AND kid IN (SELECT kid FROM signing_keys WHERE tenant_id = $1 LIMIT $2)"
);
const LIST: Sql = sql!(
    "SELECT tenant_id, kid, algorithm, sealed_secret, created_at, activates_at, retired_at \
     FROM signing_keys WHERE tenant_id = $1 ORDER BY activates_at DESC, kid"
);
const LIST_OPEN: Sql = sql!(
    "SELECT tenant_id, kid, algorithm, sealed_secret, created_at, activates_at, retired_at \
     FROM signing_keys WHERE tenant_id = $1 AND retired_at IS NULL ORDER BY activates_at DESC, kid"
);
const SIGNING: Sql = sql!(
    "SELECT tenant_id, kid FROM signing_keys \
     WHERE tenant_id = $1 AND retired_at IS NULL AND activates_at <= $2 ORDER BY activates_at DESC, kid DESC LIMIT 1"
);
const OPEN: Sql =
    sql!("SELECT tenant_id, kid FROM signing_keys WHERE tenant_id = $1 AND kid = $2 AND retired_at IS NULL");
const INSERT: Sql = sql!(
    "INSERT INTO signing_keys (tenant_id, kid, algorithm, sealed_secret, created_at, activates_at) \
     VALUES ($1, $2, $3, $4, $5, $6)"
);
/// Of what is sealed, that which does not begin with `$1`.
pub(super) const COUNT_BEHIND: GlobalSql =
    global_sql!("SELECT COUNT(*) FROM signing_keys WHERE substr(sealed_secret, 1, 9) <> $1");
/// Some of the tenants that have such rows.
pub(super) const TENANTS_BEHIND: GlobalSql = global_sql!(
    "SELECT DISTINCT tenant_id FROM signing_keys WHERE substr(sealed_secret, 1, 9) <> $1 LIMIT 1000"
);
const LIST_BEHIND: Sql = sql!(
    "SELECT tenant_id, kid, sealed_secret FROM signing_keys \
     WHERE tenant_id = $1 AND substr(sealed_secret, 1, 9) <> $2 LIMIT $3"
);
const RESEAL: Sql = sql!(
    "UPDATE signing_keys SET sealed_secret = $4 WHERE tenant_id = $1 AND kid = $2 AND sealed_secret = $3"
);
const RETIRE: Sql =
    sql!("UPDATE signing_keys SET retired_at = $3 WHERE tenant_id = $1 AND kid = $2 AND retired_at IS NULL");
const RETIRE_EVERY: Sql =
    sql!("UPDATE signing_keys SET retired_at = $2 WHERE tenant_id = $1 AND retired_at IS NULL");

/// A signing key as it lies in the table.
pub(super) struct KeyRow {
    pub(super) kid: String,
    pub(super) algorithm: String,
    pub(super) sealed_secret: Vec<u8>,
    pub(super) created_at: Timestamp,
    pub(super) activates_at: Timestamp,
    pub(super) retired_at: Option<Timestamp>,
}

from_row!(KeyRow { kid, algorithm, sealed_secret, created_at, activates_at, retired_at });

/// All keys, newest first.
pub(super) async fn list(tx: &mut Tx) -> Result<Vec<KeyRow>, StoreError> {
    tx.all(LIST, &params![]).await
}

/// The keys that are not retired, newest first.
pub(super) async fn list_open(tx: &mut Tx) -> Result<Vec<KeyRow>, StoreError> {
    tx.all(LIST_OPEN, &params![]).await
}

/// The key that signs at `now`: of those already active the youngest.
pub(super) async fn signing(tx: &mut Tx, now: Timestamp) -> Result<Option<String>, StoreError> {
    let row: Option<(String,)> = tx.opt(SIGNING, &params![now]).await?;
    Ok(row.map(|(kid,)| kid))
}

pub(super) async fn is_open(tx: &mut Tx, kid: &str) -> Result<bool, StoreError> {
    let row: Option<(String,)> = tx.opt(OPEN, &params![kid]).await?;
    Ok(row.is_some())
}

pub(super) async fn insert(tx: &mut Tx, row: &KeyRow) -> Result<(), StoreError> {
    let KeyRow { kid, algorithm, sealed_secret, created_at, activates_at, .. } = row;
    let values = params![kid, algorithm, sealed_secret, created_at, activates_at];
    tx.exec(INSERT, &values).await.map(drop)
}

/// Up to `limit` of the tenant's keys whose secrets do not begin with `mark`, with these.
pub(super) async fn list_behind(
    tx: &mut Tx,
    mark: &[u8],
    limit: i64,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    tx.all(LIST_BEHIND, &params![mark, limit]).await
}

/// Replaces the sealed secret that was `seen`; says whether this call did it.
pub(super) async fn reseal(tx: &mut Tx, kid: &str, seen: &[u8], sealed: &[u8]) -> Result<bool, StoreError> {
    Ok(tx.exec(RESEAL, &params![kid, seen, sealed]).await? == 1)
}

/// Withdraws the key; `false` if it was not open.
pub(super) async fn retire(tx: &mut Tx, kid: &str, now: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.exec(RETIRE, &params![kid, now]).await? == 1)
}

/// Withdraws every key of the tenant; how many.
pub(super) async fn retire_every(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    tx.exec(RETIRE_EVERY, &params![now]).await
}

/// Removes up to `limit` rows of the tenant, as when it goes; how many.
pub(super) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    tx.exec(FORGET, &params![limit]).await
}
