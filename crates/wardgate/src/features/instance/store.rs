//! SQL of `server_meta` and `lasting_keys`.

use wardgate_store::{GlobalSql, GlobalTx, StoreError, global_sql, params};

use crate::kernel::ids::TenantId;

const FIND: GlobalSql = global_sql!("SELECT value FROM server_meta WHERE name = $1");
const INSERT: GlobalSql =
    global_sql!("INSERT INTO server_meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING");
const PUT: GlobalSql = global_sql!(
    "INSERT INTO server_meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
);
const REMOVE: GlobalSql = global_sql!("DELETE FROM server_meta WHERE name = $1");
const KEYS: GlobalSql = global_sql!("SELECT purpose, sealed FROM lasting_keys ORDER BY purpose");
const INSERT_KEY: GlobalSql = global_sql!(
    "INSERT INTO lasting_keys (purpose, sealed) VALUES ($1, $2) ON CONFLICT (purpose) DO NOTHING"
);
const RESEAL_KEY: GlobalSql = global_sql!("UPDATE lasting_keys SET sealed = $2 WHERE purpose = $1");

pub(super) async fn find(tx: &mut GlobalTx, name: &str) -> Result<Option<String>, StoreError> {
    let row: Option<(String,)> = tx.opt(FIND, &params![name]).await?;
    Ok(row.map(|(value,)| value))
}

/// Keeps the value that is there, if there is one.
pub(super) async fn insert(tx: &mut GlobalTx, name: &str, value: &str) -> Result<(), StoreError> {
    tx.exec(INSERT, &params![name, value]).await.map(drop)
}

/// Replaces the value that is there, if there is one.
pub(super) async fn put(tx: &mut GlobalTx, name: &str, value: &str) -> Result<(), StoreError> {
    tx.exec(PUT, &params![name, value]).await.map(drop)
}

pub(super) async fn remove(tx: &mut GlobalTx, name: &str) -> Result<(), StoreError> {
    tx.exec(REMOVE, &params![name]).await.map(drop)
}

/// Every lasting key with what it is for.
pub(super) async fn keys(tx: &mut GlobalTx) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    tx.all(KEYS, &params![]).await
}

/// Keeps the key that is there, if there is one.
pub(super) async fn insert_key(tx: &mut GlobalTx, purpose: &str, sealed: &[u8]) -> Result<(), StoreError> {
    tx.exec(INSERT_KEY, &params![purpose, sealed]).await.map(drop)
}

pub(super) async fn reseal_key(tx: &mut GlobalTx, purpose: &str, sealed: &[u8]) -> Result<(), StoreError> {
    tx.exec(RESEAL_KEY, &params![purpose, sealed]).await.map(drop)
}

/// The count that `statement`, of another feature, makes of what does not begin with `mark`.
pub(super) async fn count(tx: &mut GlobalTx, statement: GlobalSql, mark: &[u8]) -> Result<u64, StoreError> {
    let (count,): (i64,) = tx.one(statement, &params![mark]).await?;
    Ok(count.unsigned_abs())
}

/// The tenants that `statement`, of another feature, finds with what does not begin with `mark`.
pub(super) async fn tenants(
    tx: &mut GlobalTx,
    statement: GlobalSql,
    mark: &[u8],
) -> Result<Vec<TenantId>, StoreError> {
    let rows: Vec<(TenantId,)> = tx.all(statement, &params![mark]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
