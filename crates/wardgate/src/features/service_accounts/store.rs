//! SQL of `service_accounts`.

use wardgate_store::{FromRow, Row, Sql, StoreError, Tx, params, sql};

use super::model::ServiceAccount;
use crate::kernel::ids::ServiceAccountId;
use crate::kernel::page::Position;
use crate::kernel::time::Timestamp;

const FORGET: Sql = sql!(
    "DELETE FROM service_accounts WHERE tenant_id = $1 AND id IN (SELECT id FROM service_accounts WHERE tenant_id = $1 LIMIT $2)"
);
const BY_ID: Sql = sql!(
    "SELECT tenant_id, id, name, disabled_at, created_at FROM service_accounts WHERE tenant_id = $1 AND id = $2"
);
const BY_NAME: Sql = sql!(
    "SELECT tenant_id, id, name, disabled_at, created_at FROM service_accounts WHERE tenant_id = $1 AND name = $2"
);
const LIST: Sql = sql!(
    "SELECT tenant_id, id, name, disabled_at, created_at FROM service_accounts \
     WHERE tenant_id = $1 AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4"
);
const INSERT: Sql =
    sql!("INSERT INTO service_accounts (tenant_id, id, name, created_at) VALUES ($1, $2, $3, $4)");
const SET_DISABLED: Sql =
    sql!("UPDATE service_accounts SET disabled_at = $3 WHERE tenant_id = $1 AND id = $2");
const RENAME: Sql = sql!("UPDATE service_accounts SET name = $3 WHERE tenant_id = $1 AND id = $2");
const DELETE: Sql = sql!("DELETE FROM service_accounts WHERE tenant_id = $1 AND id = $2");

impl FromRow for ServiceAccount {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { id: row.get(0)?, name: row.get(1)?, disabled_at: row.get(2)?, created_at: row.get(3)? })
    }
}

pub(super) async fn by_id(tx: &mut Tx, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError> {
    tx.opt(BY_ID, &params![id]).await
}

pub(super) async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<ServiceAccount>, StoreError> {
    tx.opt(BY_NAME, &params![name]).await
}

/// Newest first, those after `start` in that order.
pub(super) async fn list(
    tx: &mut Tx,
    start: Position,
    limit: i64,
) -> Result<Vec<ServiceAccount>, StoreError> {
    tx.all(LIST, &params![start.at, start.id, limit]).await
}

/// `Constraint` on `service_accounts.name` when the name is taken.
pub(super) async fn insert(tx: &mut Tx, account: &ServiceAccount) -> Result<(), StoreError> {
    tx.exec(INSERT, &params![account.id, account.name, account.created_at]).await.map(drop)
}

pub(super) async fn set_disabled(
    tx: &mut Tx,
    id: ServiceAccountId,
    at: Option<Timestamp>,
) -> Result<(), StoreError> {
    tx.exec(SET_DISABLED, &params![id, at]).await.map(drop)
}

/// `Constraint` on `service_accounts.name` when the name is taken.
pub(super) async fn rename(tx: &mut Tx, id: ServiceAccountId, name: &str) -> Result<(), StoreError> {
    tx.exec(RENAME, &params![id, name]).await.map(drop)
}

pub(super) async fn delete(tx: &mut Tx, id: ServiceAccountId) -> Result<(), StoreError> {
    tx.exec(DELETE, &params![id]).await.map(drop)
}

/// Removes up to `limit` rows of the tenant, as when it goes; how many.
pub(super) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    tx.exec(FORGET, &params![limit]).await
}
