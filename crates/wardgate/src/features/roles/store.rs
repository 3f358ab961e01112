//! SQL of `roles`, `role_permissions` and `principal_roles`.

use uuid::Uuid;
use wardgate_store::{Sql, StoreError, Tx, params, sql};

use crate::kernel::principal::Subject;
use crate::kernel::time::Timestamp;

const FORGET_ASSIGNED: Sql = sql!(
    "DELETE FROM principal_roles WHERE tenant_id = $1 AND principal_id IN \
     (SELECT principal_id FROM principal_roles WHERE tenant_id = $1 LIMIT $2)"
);
const FORGET_ROLES: Sql = sql!(
    "DELETE FROM roles WHERE tenant_id = $1 AND name IN (SELECT name FROM roles WHERE tenant_id = $1 LIMIT $2)"
);
const OF_PRINCIPAL: Sql = sql!(
    "SELECT a.tenant_id, a.role, p.permission FROM principal_roles a \
     LEFT JOIN role_permissions p ON p.tenant_id = a.tenant_id AND p.role = a.role \
     WHERE a.tenant_id = $1 AND a.principal_id = $2 ORDER BY a.role, p.permission"
);
/// Eight at a time, the rest filled up with an id that nobody has.
const OF_EIGHT: Sql = sql!(
    "SELECT a.tenant_id, a.principal_id, a.role, p.permission FROM principal_roles a \
     LEFT JOIN role_permissions p ON p.tenant_id = a.tenant_id AND p.role = a.role \
     WHERE a.tenant_id = $1 AND a.principal_id IN ($2, $3, $4, $5, $6, $7, $8, $9) \
     ORDER BY a.principal_id, a.role, p.permission"
);
const HOLDERS: Sql =
    sql!("SELECT tenant_id, principal_id FROM principal_roles WHERE tenant_id = $1 AND role = $2");
const HOLDERS_AFTER: Sql = sql!(
    "SELECT tenant_id, principal_id FROM principal_roles \
     WHERE tenant_id = $1 AND role = $2 AND principal_id > $3 ORDER BY principal_id LIMIT 500"
);
const IS_HELD: Sql =
    sql!("SELECT tenant_id, principal_id FROM principal_roles WHERE tenant_id = $1 AND role = $2 LIMIT 1");
const CLEAR: Sql = sql!("DELETE FROM principal_roles WHERE tenant_id = $1 AND principal_id = $2");
const ASSIGN: Sql = sql!("INSERT INTO principal_roles (tenant_id, principal_id, role) VALUES ($1, $2, $3)");
const LIST: Sql = sql!(
    "SELECT r.tenant_id, r.name, r.description, r.created_at, p.permission FROM roles r \
     LEFT JOIN role_permissions p ON p.tenant_id = r.tenant_id AND p.role = r.name \
     WHERE r.tenant_id = $1 ORDER BY r.name, p.permission"
);
const FIND: Sql = sql!(
    "SELECT r.tenant_id, r.name, r.description, r.created_at, p.permission FROM roles r \
     LEFT JOIN role_permissions p ON p.tenant_id = r.tenant_id AND p.role = r.name \
     WHERE r.tenant_id = $1 AND r.name = $2 ORDER BY p.permission"
);
const INSERT: Sql =
    sql!("INSERT INTO roles (tenant_id, name, description, created_at) VALUES ($1, $2, $3, $4)");
const DESCRIBE: Sql = sql!("UPDATE roles SET description = $3 WHERE tenant_id = $1 AND name = $2");
const DELETE: Sql = sql!("DELETE FROM roles WHERE tenant_id = $1 AND name = $2");
const ALLOW: Sql = sql!("INSERT INTO role_permissions (tenant_id, role, permission) VALUES ($1, $2, $3)");
const ALLOW_NOTHING: Sql = sql!("DELETE FROM role_permissions WHERE tenant_id = $1 AND role = $2");

/// A role somebody has, once for each permission of a role of the tenant's own, sorted.
pub(super) type HeldRow = (String, Option<String>);

/// A role of the tenant's own, once for each of its permissions, sorted.
pub(super) type RoleRow = (String, Option<String>, Timestamp, Option<String>);

pub(super) async fn of_principal(tx: &mut Tx, subject: Subject) -> Result<Vec<HeldRow>, StoreError> {
    tx.all(OF_PRINCIPAL, &params![subject]).await
}

/// As [`of_principal`] for up to eight at once, sorted by id.
pub(super) async fn of_eight(
    tx: &mut Tx,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, String, Option<String>)>, StoreError> {
    let id = |index: usize| ids.get(index).copied().unwrap_or(Uuid::nil());
    tx.all(OF_EIGHT, &params![id(0), id(1), id(2), id(3), id(4), id(5), id(6), id(7)]).await
}

pub(super) async fn holders(tx: &mut Tx, role: &str) -> Result<Vec<(Uuid,)>, StoreError> {
    tx.all(HOLDERS, &params![role]).await
}

pub(super) async fn holders_after(tx: &mut Tx, role: &str, last: Uuid) -> Result<Vec<(Uuid,)>, StoreError> {
    tx.all(HOLDERS_AFTER, &params![role, last]).await
}

pub(super) async fn is_held(tx: &mut Tx, role: &str) -> Result<bool, StoreError> {
    Ok(tx.opt::<(Uuid,)>(IS_HELD, &params![role]).await?.is_some())
}

pub(super) async fn clear(tx: &mut Tx, subject: Subject) -> Result<(), StoreError> {
    tx.exec(CLEAR, &params![subject]).await.map(drop)
}

pub(super) async fn assign(tx: &mut Tx, subject: Subject, role: &str) -> Result<(), StoreError> {
    tx.exec(ASSIGN, &params![subject, role]).await.map(drop)
}

pub(super) async fn list(tx: &mut Tx) -> Result<Vec<RoleRow>, StoreError> {
    tx.all(LIST, &params![]).await
}

pub(super) async fn find(tx: &mut Tx, name: &str) -> Result<Vec<RoleRow>, StoreError> {
    tx.all(FIND, &params![name]).await
}

/// `Constraint` on `roles.name` when there is one of this name.
pub(super) async fn insert(
    tx: &mut Tx,
    name: &str,
    description: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.exec(INSERT, &params![name, description, now]).await.map(drop)
}

pub(super) async fn describe(tx: &mut Tx, name: &str, description: Option<&str>) -> Result<(), StoreError> {
    tx.exec(DESCRIBE, &params![name, description]).await.map(drop)
}

/// Takes its permissions along.
pub(super) async fn delete(tx: &mut Tx, name: &str) -> Result<(), StoreError> {
    tx.exec(DELETE, &params![name]).await.map(drop)
}

/// Replaces what the role allows.
pub(super) async fn set_permissions(
    tx: &mut Tx,
    name: &str,
    permissions: &[String],
) -> Result<(), StoreError> {
    tx.exec(ALLOW_NOTHING, &params![name]).await?;
    for permission in permissions {
        tx.exec(ALLOW, &params![name, permission]).await?;
    }
    Ok(())
}

/// Removes rows of the tenant, as when it goes; how many.
pub(super) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    let assigned = tx.exec(FORGET_ASSIGNED, &params![limit]).await?;
    Ok(assigned + tx.exec(FORGET_ROLES, &params![limit]).await?)
}
