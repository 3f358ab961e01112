//! SQL of `role_assignments`.

use wardgate_store::{Sql, StoreError, Tx, params, sql};

use crate::kernel::ids::UserId;

const OF_USER: Sql =
    sql!("SELECT tenant_id, role FROM role_assignments WHERE tenant_id = $1 AND user_id = $2 ORDER BY role");
const OF_RANGE: Sql = sql!(
    "SELECT tenant_id, user_id, role FROM role_assignments \
     WHERE tenant_id = $1 AND user_id >= $2 AND user_id <= $3 ORDER BY user_id, role"
);
const HOLDERS: Sql =
    sql!("SELECT tenant_id, user_id FROM role_assignments WHERE tenant_id = $1 AND role = $2");
const CLEAR: Sql = sql!("DELETE FROM role_assignments WHERE tenant_id = $1 AND user_id = $2");
const INSERT: Sql = sql!("INSERT INTO role_assignments (tenant_id, user_id, role) VALUES ($1, $2, $3)");

pub(super) async fn of_user(tx: &mut Tx, user: UserId) -> Result<Vec<(String,)>, StoreError> {
    tx.all(OF_USER, &params![user]).await
}

/// The roles of all users whose ids lie between the two, ends included.
pub(super) async fn of_range(
    tx: &mut Tx,
    first: UserId,
    last: UserId,
) -> Result<Vec<(UserId, String)>, StoreError> {
    tx.all(OF_RANGE, &params![first, last]).await
}

pub(super) async fn holders(tx: &mut Tx, role: &str) -> Result<Vec<(UserId,)>, StoreError> {
    tx.all(HOLDERS, &params![role]).await
}

pub(super) async fn clear(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    tx.exec(CLEAR, &params![user]).await.map(drop)
}

pub(super) async fn insert(tx: &mut Tx, user: UserId, role: &str) -> Result<(), StoreError> {
    tx.exec(INSERT, &params![user, role]).await.map(drop)
}
