//! SQL of `users`.

use wardgate_store::{FromRow, Row, Sql, StoreError, Tx, params, sql};

use super::model::{User, UserFilter};
use crate::kernel::email::Email;
use crate::kernel::ids::UserId;
use crate::kernel::page::Position;
use crate::kernel::time::Timestamp;

const FORGET: Sql = sql!(
    "DELETE FROM users WHERE tenant_id = $1 AND id IN (SELECT id FROM users WHERE tenant_id = $1 LIMIT $2)"
);
const BY_ID: Sql = sql!(
    "SELECT tenant_id, id, email, email_normalized, email_verified_at, name, disabled_at, created_at \
     FROM users WHERE tenant_id = $1 AND id = $2"
);
const BY_EMAIL: Sql = sql!(
    "SELECT tenant_id, id, email, email_normalized, email_verified_at, name, disabled_at, created_at \
     FROM users WHERE tenant_id = $1 AND email_normalized = $2"
);
const LIST: Sql = sql!(
    "SELECT tenant_id, id, email, email_normalized, email_verified_at, name, disabled_at, created_at \
     FROM users WHERE tenant_id = $1 AND (created_at, id) < ($2, $3) AND email_normalized LIKE $4 ESCAPE '!' \
     AND (disabled_at IS NULL OR $5 <> 1) AND (disabled_at IS NOT NULL OR $5 <> 0) \
     ORDER BY created_at DESC, id DESC LIMIT $6"
);
/// Eight at a time, the rest filled up with an id that nobody has.
const BY_EIGHT: Sql = sql!(
    "SELECT tenant_id, id, email, email_normalized, email_verified_at, name, disabled_at, created_at \
     FROM users WHERE tenant_id = $1 AND id IN ($2, $3, $4, $5, $6, $7, $8, $9)"
);
const INSERT: Sql = sql!(
    "INSERT INTO users (tenant_id, id, email, email_normalized, email_verified_at, name, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)"
);
/// Whichever key is met first: two nodes that import one line in the same millisecond make the same id of it, and
/// PostgreSQL may then see the primary key before the address. A conflict on a key that is not named would fail the
/// transaction.
const INSERT_IF_FREE: Sql = sql!(
    "INSERT INTO users (tenant_id, id, email, email_normalized, email_verified_at, name, disabled_at, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"
);
const RENAME: Sql = sql!("UPDATE users SET name = $3 WHERE tenant_id = $1 AND id = $2");
const VERIFY: Sql = sql!(
    "UPDATE users SET email_verified_at = $3 WHERE tenant_id = $1 AND id = $2 AND email_verified_at IS NULL"
);
const CHANGE_EMAIL: Sql = sql!(
    "UPDATE users SET email = $3, email_normalized = $4, email_verified_at = $5 WHERE tenant_id = $1 AND id = $2"
);
const DISABLE: Sql =
    sql!("UPDATE users SET disabled_at = $3 WHERE tenant_id = $1 AND id = $2 AND disabled_at IS NULL");
const ENABLE: Sql =
    sql!("UPDATE users SET disabled_at = NULL WHERE tenant_id = $1 AND id = $2 AND disabled_at IS NOT NULL");
const DELETE: Sql = sql!("DELETE FROM users WHERE tenant_id = $1 AND id = $2");

impl FromRow for User {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            email: Email::from_columns(row.get(1)?, row.get(2)?),
            email_verified_at: row.get(3)?,
            name: row.get(4)?,
            disabled_at: row.get(5)?,
            created_at: row.get(6)?,
        })
    }
}

pub(super) async fn by_id(tx: &mut Tx, id: UserId) -> Result<Option<User>, StoreError> {
    tx.opt(BY_ID, &params![id]).await
}

/// Up to eight at once, in no order.
pub(super) async fn by_eight(tx: &mut Tx, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
    let nobody = UserId::from_uuid(uuid::Uuid::nil());
    let id = |index: usize| ids.get(index).copied().unwrap_or(nobody);
    tx.all(BY_EIGHT, &params![id(0), id(1), id(2), id(3), id(4), id(5), id(6), id(7)]).await
}

pub(super) async fn by_email(tx: &mut Tx, normalized: &str) -> Result<Option<User>, StoreError> {
    tx.opt(BY_EMAIL, &params![normalized]).await
}

/// Newest first, those after `start` in that order that match the filter.
pub(super) async fn list(
    tx: &mut Tx,
    filter: &UserFilter,
    start: Position,
    limit: i64,
) -> Result<Vec<User>, StoreError> {
    let pattern = filter.email_pattern();
    // 2 stands for either; a parameter that may be NULL has no type on PostgreSQL.
    let active = filter.is_active.map_or(2_i64, i64::from);
    tx.all(LIST, &params![start.at, start.id, pattern, active, limit]).await
}

/// `Constraint` on `users.email_normalized` when the address has an account.
pub(super) async fn insert(tx: &mut Tx, user: &User) -> Result<(), StoreError> {
    let (email, normalized) = (user.email.as_str(), user.email.normalized());
    let row = params![user.id, email, normalized, user.email_verified_at, user.name, user.created_at];
    tx.exec(INSERT, &row).await.map(drop)
}

/// Says whether this call did it: `false` when the address has an account, which fails no transaction.
pub(super) async fn insert_if_free(tx: &mut Tx, user: &User) -> Result<bool, StoreError> {
    let User { id, email, email_verified_at, name, disabled_at, created_at } = user;
    let (email, normalized) = (email.as_str(), email.normalized());
    let row = params![id, email, normalized, email_verified_at, name, disabled_at, created_at];
    Ok(tx.exec(INSERT_IF_FREE, &row).await? == 1)
}

/// `false` if there is no such user.
pub(super) async fn rename(tx: &mut Tx, id: UserId, name: Option<&str>) -> Result<bool, StoreError> {
    Ok(tx.exec(RENAME, &params![id, name]).await? == 1)
}

/// Says whether this call did it: `false` if the address was proven before.
pub(super) async fn verify(tx: &mut Tx, id: UserId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.exec(VERIFY, &params![id, now]).await? == 1)
}

/// `Constraint` on `users.email_normalized` when another has the address.
pub(super) async fn change_email(
    tx: &mut Tx,
    id: UserId,
    email: &Email,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.exec(CHANGE_EMAIL, &params![id, email.as_str(), email.normalized(), now]).await? == 1)
}

/// Says whether this call did it: `false` if there is no such user or it was disabled already.
pub(super) async fn disable(tx: &mut Tx, id: UserId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.exec(DISABLE, &params![id, now]).await? == 1)
}

/// Says whether this call did it.
pub(super) async fn enable(tx: &mut Tx, id: UserId) -> Result<bool, StoreError> {
    Ok(tx.exec(ENABLE, &params![id]).await? == 1)
}

/// Says whether this call did it. Takes everything of theirs along.
pub(super) async fn delete(tx: &mut Tx, id: UserId) -> Result<bool, StoreError> {
    Ok(tx.exec(DELETE, &params![id]).await? == 1)
}

/// Removes up to `limit` rows of the tenant, as when it goes, with their passwords; how many.
pub(super) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    tx.exec(FORGET, &params![limit]).await
}
