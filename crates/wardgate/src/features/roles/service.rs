//! Who has which role. These run inside the transactions of others.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;
use wardgate_store::{StoreError, Tx};

use super::model::{Authority, BuiltinRole, MAX_ROLES, Role, Roles};
use super::store::{self, HeldRow};
use crate::kernel::error::AuthError;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::principal::Subject;

/// The principal's roles now.
pub(crate) async fn of(tx: &mut Tx, subject: Subject) -> Result<Roles, StoreError> {
    Ok(gather(store::of_principal(tx, subject).await?))
}

/// The roles of each of a page of principals, eight a query.
pub(crate) async fn of_all(tx: &mut Tx, ids: &[Uuid]) -> Result<HashMap<Uuid, Roles>, StoreError> {
    let mut rows: HashMap<Uuid, Vec<HeldRow>> = HashMap::new();
    for some in ids.chunks(8) {
        for (id, role, permission) in store::of_eight(tx, some).await? {
            rows.entry(id).or_default().push((role, permission));
        }
    }
    Ok(rows.into_iter().map(|(id, rows)| (id, gather(rows))).collect())
}

/// From rows sorted by role. A name that is neither built in nor a role of the tenant's allows nothing.
fn gather(rows: Vec<HeldRow>) -> Roles {
    let mut roles: Vec<Role> = Vec::new();
    for (role, permission) in rows {
        match (role.parse(), roles.last_mut()) {
            (Ok(builtin), _) => roles.push(Role::Builtin(builtin)),
            (Err(_), Some(Role::Custom { name, permissions })) if *name == role => {
                permissions.extend(permission);
            }
            (Err(_), _) => {
                roles.push(Role::Custom { name: role, permissions: permission.into_iter().collect() });
            }
        }
    }
    Roles::new(roles)
}

/// Every user who has the role, active or not.
pub(crate) async fn holders(tx: &mut Tx, role: BuiltinRole) -> Result<Vec<UserId>, StoreError> {
    let rows = store::holders(tx, role.as_str()).await?;
    Ok(rows.into_iter().map(|(id,)| UserId::from_uuid(id)).collect())
}

/// Some of those who have the role, by id, those after `last`. Service accounts are among them: to what is kept of users
/// they are nobody.
pub(crate) async fn users_with(
    tx: &mut Tx,
    role: &str,
    last: Option<UserId>,
) -> Result<Vec<UserId>, StoreError> {
    let last = last.map_or(Uuid::nil(), |last| last.as_uuid());
    let rows = store::holders_after(tx, role, last).await?;
    Ok(rows.into_iter().map(|(id,)| UserId::from_uuid(id)).collect())
}

/// Gives a new principal its first role.
pub(crate) async fn assign_first(tx: &mut Tx, subject: Subject, role: BuiltinRole) -> Result<(), StoreError> {
    store::assign(tx, subject, role.as_str()).await
}

/// Keeps the tenant's own roles from going until the transaction ends.
pub(crate) async fn hold(tx: &mut Tx) -> Result<(), StoreError> {
    tx.lock("roles").await
}

/// The names of the tenant's own roles.
pub(crate) async fn own_names(tx: &mut Tx) -> Result<HashSet<String>, StoreError> {
    Ok(store::list(tx).await?.into_iter().map(|(name, ..)| name).collect())
}

/// Gives a new principal its first roles, which the caller has found to be there; none bounds what they allow.
pub(crate) async fn assign_found(tx: &mut Tx, subject: Subject, names: &[String]) -> Result<(), StoreError> {
    for name in names {
        store::assign(tx, subject, name).await?;
    }
    Ok(())
}

/// Takes every role away, as when the principal goes.
pub(crate) async fn take_all(tx: &mut Tx, subject: Subject) -> Result<(), StoreError> {
    store::clear(tx, subject).await
}

/// What an assignment changed.
pub(crate) struct Assigned {
    /// Whether there was anything to change.
    pub(crate) changed: bool,
    /// Whether the principal may now do what it could not before.
    pub(crate) rose: bool,
}

/// Gives the principal exactly these roles.
///
/// # Errors
/// [`AuthError::InvalidFields`] for a role that is not there; [`AuthError::InsufficientPermissions`] if the
/// principal stands above `authority`, or would after it.
pub(crate) async fn assign(
    tx: &mut Tx,
    subject: Subject,
    names: &[String],
    authority: &Authority,
) -> Result<Assigned, AuthError> {
    // A role that is deleted meanwhile must not live on as a name that its successor would inherit.
    tx.lock("roles").await?;
    check_names(tx, subject, names).await?;
    let before = of(tx, subject).await?;
    authority.outranks(&before)?;
    store::clear(tx, subject).await?;
    for name in names {
        store::assign(tx, subject, name).await?;
    }
    let after = of(tx, subject).await?;
    authority.grants(&before, &after)?;
    let rose = after.permissions().into_iter().any(|permission| !before.allow(permission))
        || after.crown() > before.crown();
    Ok(Assigned { changed: before.names() != after.names(), rose })
}

async fn check_names(tx: &mut Tx, subject: Subject, names: &[String]) -> Result<(), AuthError> {
    if names.len() > MAX_ROLES {
        return Err(AuthError::field("roles", "too_many", format!("must be at most {MAX_ROLES}")));
    }
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            return Err(AuthError::field("roles", "duplicate", format!("{} stands twice", shown(name))));
        }
        match name.parse() {
            Ok(BuiltinRole::Superadmin) if tx.tenant() != TenantId::DEFAULT.into() => {
                let detail = "superadmins are over all tenants, and live in the one at the root";
                return Err(AuthError::field("roles", "not_in_this_tenant", detail));
            }
            Ok(BuiltinRole::Superadmin) if matches!(subject, Subject::ServiceAccount(_)) => {
                let detail = "superadmin is for people: a service account cannot be asked who it is";
                return Err(AuthError::field("roles", "not_for_service_accounts", detail));
            }
            Ok(_) => {}
            Err(_) if store::find(tx, name).await?.is_empty() => {
                let detail = format!(
                    "there is no role {}: user, admin and superadmin are built in; GET /admin/roles and `wardgate role list` list all",
                    shown(name)
                );
                return Err(AuthError::field("roles", "unknown_role", detail));
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// A stranger's text, short and harmless enough to be shown back.
fn shown(name: &str) -> String {
    let short: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    format!("{short:?}")
}

/// Removes some of what is the tenant's, as when it goes; how many rows.
pub(crate) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::forget(tx, limit).await
}
