//! The roles that a tenant makes of permissions.

use std::sync::Arc;

use wardgate_store::Tx;

use super::model::{
    Authority, Caller, CustomRole, MAX_CUSTOM_ROLES, MAX_PERMISSIONS, check_description, check_permission,
    check_role_name,
};
use super::store::{self, RoleRow};
use crate::environment::Environment;
use crate::features::audit::{self, Action, Audit, Entry};
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::time::Timestamp;

/// The tenants' own roles.
pub struct CustomRoles {
    env: Arc<Environment>,
    audit: Arc<Audit>,
}

/// What a role is to be.
#[derive(Debug, Clone, Default)]
pub struct RoleChange {
    /// What it is for; `None` leaves it, `Some(None)` takes it away.
    pub description: Option<Option<String>>,
    /// What it allows; `None` leaves it.
    pub permissions: Option<Vec<String>>,
}

/// A change that is about to be written, checked as far as no store is needed for it.
pub(crate) struct Writing {
    name: String,
    change: RoleChange,
    authority: Authority,
    now: Timestamp,
    entry: Entry,
}

impl CustomRoles {
    pub(crate) fn new(env: Arc<Environment>, audit: Arc<Audit>) -> Self {
        Self { env, audit }
    }

    /// The tenant's own roles, by name; a tenant has at most 200.
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<CustomRole>, AuthError> {
        let rows = self.env.db.read(tenant.into(), (), |tx, ()| {
            Box::pin(async move { Ok::<_, AuthError>(store::list(tx).await?) })
        });
        Ok(gather(rows.await?))
    }

    /// One of them, or [`AuthError::NotFound`].
    pub async fn get(&self, tenant: TenantId, name: &str) -> Result<CustomRole, AuthError> {
        let found = self.env.db.read(tenant.into(), name.to_owned(), |tx, name| Box::pin(find(tx, name)));
        found.await
    }

    /// Makes a role; nobody puts a permission into it that they lack (S-105).
    ///
    /// # Errors
    /// [`AuthError::RoleExists`]; [`AuthError::InvalidFields`] for names and permissions that are none.
    pub async fn create(
        &self,
        tenant: TenantId,
        name: &str,
        change: RoleChange,
        caller: &Caller,
    ) -> Result<CustomRole, AuthError> {
        check_role_name(name).map_err(|fault| AuthError::InvalidFields(vec![fault]))?;
        let writing = self.writing(name, change, Action::RoleCreated, caller)?;
        self.env.db.write(tenant.into(), writing, |tx, writing| Box::pin(create(tx, writing))).await
    }

    /// Removes a role; [`AuthError::RoleInUse`] while anybody has it.
    pub async fn delete(&self, tenant: TenantId, name: &str, caller: &Caller) -> Result<(), AuthError> {
        let nothing = RoleChange::default();
        let writing = self.writing(name, nothing, Action::RoleDeleted, caller)?;
        self.env.db.write(tenant.into(), writing, |tx, writing| Box::pin(delete(tx, writing))).await
    }

    /// The change as it can be written, or all that is wrong with it.
    pub(crate) fn writing(
        &self,
        name: &str,
        mut change: RoleChange,
        action: Action,
        caller: &Caller,
    ) -> Result<Writing, AuthError> {
        let mut faults = Vec::new();
        if let Some(Some(description)) = &change.description {
            faults.extend(check_description(description).err());
        }
        if let Some(permissions) = &mut change.permissions {
            permissions.sort_unstable();
            permissions.dedup();
            faults.extend(permissions.iter().filter_map(|permission| check_permission(permission).err()));
        }
        if !faults.is_empty() {
            return Err(AuthError::InvalidFields(faults));
        }
        if change.permissions.as_ref().is_some_and(|permissions| permissions.len() > MAX_PERMISSIONS) {
            let detail = format!("must be at most {MAX_PERMISSIONS}");
            return Err(AuthError::field("permissions", "too_many", detail));
        }
        let entry = self.audit.done(&caller.source, caller.actor, action, format_args!("role:{name}"));
        Ok(Writing {
            name: name.to_owned(),
            change,
            authority: caller.authority.clone(),
            now: self.env.now(),
            entry,
        })
    }
}

fn gather(rows: Vec<RoleRow>) -> Vec<CustomRole> {
    let mut roles: Vec<CustomRole> = Vec::new();
    for (name, description, created_at, permission) in rows {
        match roles.last_mut() {
            Some(role) if role.name == name => role.permissions.extend(permission),
            _ => roles.push(CustomRole {
                name,
                description,
                permissions: permission.into_iter().collect(),
                created_at,
            }),
        }
    }
    roles
}

async fn find(tx: &mut Tx, name: &str) -> Result<CustomRole, AuthError> {
    gather(store::find(tx, name).await?).pop().ok_or(AuthError::NotFound)
}

fn covers(authority: &Authority, permissions: &[String]) -> Result<(), AuthError> {
    let covered = permissions.iter().all(|permission| authority.allows(permission));
    if covered { Ok(()) } else { Err(AuthError::InsufficientPermissions) }
}

async fn create(tx: &mut Tx, writing: &Writing) -> Result<CustomRole, AuthError> {
    tx.lock("roles").await?;
    let roles = gather(store::list(tx).await?);
    if roles.iter().any(|role| role.name == writing.name) {
        return Err(AuthError::RoleExists);
    }
    if roles.len() >= MAX_CUSTOM_ROLES {
        let detail = format!("a tenant has at most {MAX_CUSTOM_ROLES} roles of its own");
        return Err(AuthError::field("name", "too_many", detail));
    }
    let description = writing.change.description.clone().flatten();
    store::insert(tx, &writing.name, description.as_deref(), writing.now).await?;
    write_permissions(tx, writing).await
}

/// Changes a role; also says whether it allows what it did not before.
pub(crate) async fn rewrite(tx: &mut Tx, writing: &Writing) -> Result<(CustomRole, bool), AuthError> {
    tx.lock("roles").await?;
    let before = find(tx, &writing.name).await?;
    covers(&writing.authority, &before.permissions)?;
    if let Some(description) = &writing.change.description {
        store::describe(tx, &writing.name, description.as_deref()).await?;
    }
    let after = write_permissions(tx, writing).await?;
    let rose = after.permissions.iter().any(|permission| !before.permissions.contains(permission));
    Ok((after, rose))
}

async fn write_permissions(tx: &mut Tx, writing: &Writing) -> Result<CustomRole, AuthError> {
    if let Some(permissions) = &writing.change.permissions {
        covers(&writing.authority, permissions)?;
        store::set_permissions(tx, &writing.name, permissions).await?;
    }
    audit::record(tx, &writing.entry).await?;
    find(tx, &writing.name).await
}

async fn delete(tx: &mut Tx, writing: &Writing) -> Result<(), AuthError> {
    tx.lock("roles").await?;
    let role = find(tx, &writing.name).await?;
    covers(&writing.authority, &role.permissions)?;
    if store::is_held(tx, &writing.name).await? {
        return Err(AuthError::RoleInUse);
    }
    store::delete(tx, &writing.name).await?;
    Ok(audit::record(tx, &writing.entry).await?)
}
