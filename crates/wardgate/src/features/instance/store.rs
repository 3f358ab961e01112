//! SQL of `server_meta`.

use wardgate_store::{GlobalSql, GlobalTx, StoreError, global_sql, params};

const FIND: GlobalSql = global_sql!("SELECT value FROM server_meta WHERE name = $1");
const INSERT: GlobalSql =
    global_sql!("INSERT INTO server_meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING");
const REMOVE: GlobalSql = global_sql!("DELETE FROM server_meta WHERE name = $1");

pub(super) async fn find(tx: &mut GlobalTx, name: &str) -> Result<Option<String>, StoreError> {
    let row: Option<(String,)> = tx.opt(FIND, &params![name]).await?;
    Ok(row.map(|(value,)| value))
}

/// Keeps the value that is there, if there is one.
pub(super) async fn insert(tx: &mut GlobalTx, name: &str, value: &str) -> Result<(), StoreError> {
    tx.exec(INSERT, &params![name, value]).await.map(drop)
}

pub(super) async fn remove(tx: &mut GlobalTx, name: &str) -> Result<(), StoreError> {
    tx.exec(REMOVE, &params![name]).await.map(drop)
}
