//! Changes that end, narrow or widen what a user may do, each in one transaction with all its consequences.

use std::sync::Arc;

use wardgate_store::Tx;

use crate::environment::Environment;
use crate::features::api_keys;
use crate::features::audit::{self, Action, Audit};
use crate::features::federation::{Federation, Way, superadmin_remains};
use crate::features::keys::Keys;
use crate::features::limits::Limits;
use crate::features::organizations;
use crate::features::password::Account;
use crate::features::roles::{self, Authority, BuiltinRole, Caller, CustomRole, CustomRoles, RoleChange};
use crate::features::service_accounts;
use crate::features::sessions::{self, EndReason};
use crate::features::tenants::Tenants;
use crate::features::users::{self, User, check_name};
use crate::kernel::error::AuthError;
use crate::kernel::ids::{ServiceAccountId, TenantId, UserId};
use crate::kernel::time::Timestamp;

/// Changes and deletes users.
pub struct Lifecycle {
    pub(super) env: Arc<Environment>,
    pub(super) audit: Arc<Audit>,
    pub(super) keys: Arc<Keys>,
    pub(super) tenants: Arc<Tenants>,
    roles: Arc<CustomRoles>,
    limits: Arc<Limits>,
    federation: Arc<Federation>,
}

/// What is to become of a user; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Another name, or none.
    pub name: Option<Option<String>>,
    /// Deactivating ends every session (S-018); activating brings none back.
    pub is_active: Option<bool>,
    /// Exactly these roles.
    pub roles: Option<Vec<String>>,
}

struct Change {
    user: UserId,
    to: UserChange,
    caller: Caller,
    ways: Vec<Way>,
    now: Timestamp,
    audit: Arc<Audit>,
}

impl Change {
    async fn record(&self, tx: &mut Tx, action: Action) -> Result<(), AuthError> {
        let entry = self.audit.done(&self.caller.source, self.caller.actor, action, self.user);
        Ok(audit::record(tx, &entry).await?)
    }
}

impl Lifecycle {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        keys: Arc<Keys>,
        tenants: Arc<Tenants>,
        roles: Arc<CustomRoles>,
        limits: Arc<Limits>,
        federation: Arc<Federation>,
    ) -> Self {
        Self { env, audit, keys, tenants, roles, limits, federation }
    }

    /// Changes the user in all the ways asked for, or in none. Asking for what is so already is no fault.
    ///
    /// # Errors
    /// [`AuthError::InsufficientPermissions`] for a user above the caller, or roles beyond them (S-105);
    /// [`AuthError::LastSuperadmin`].
    pub async fn update(
        &self,
        tenant: TenantId,
        user: UserId,
        to: UserChange,
        caller: &Caller,
    ) -> Result<Account, AuthError> {
        if let Some(Some(name)) = &to.name {
            check_name(name).map_err(|fault| AuthError::InvalidFields(vec![fault]))?;
        }
        let (now, audit) = (self.env.now(), Arc::clone(&self.audit));
        let ways = self.federation.configured_ways(tenant);
        let change = Change { user, to, caller: caller.clone(), ways, now, audit };
        self.env.db.write(tenant.into(), change, |tx, change| Box::pin(update(tx, change))).await
    }

    /// Removes the user with password, roles, sessions, tokens and keys.
    pub async fn delete(&self, tenant: TenantId, user: UserId, caller: &Caller) -> Result<(), AuthError> {
        let entry = self.audit.done(&caller.source, caller.actor, Action::UserDeleted, user);
        let input = (user, caller.authority.clone(), self.federation.configured_ways(tenant), entry);
        self.env
            .db
            .write(tenant.into(), input, |tx, (user, authority, ways, entry)| {
                Box::pin(async move {
                    take(tx, *user, authority).await?;
                    keep_a_superadmin(tx, *user, ways).await?;
                    organizations::leave_all(tx, *user).await?;
                    roles::take_all(tx, (*user).into()).await?;
                    api_keys::end_all_of(tx, (*user).into()).await?;
                    users::delete(tx, *user).await?;
                    Ok(audit::record(tx, entry).await?)
                })
            })
            .await
    }

    /// Removes a service account with roles and keys.
    pub async fn delete_service_account(
        &self,
        tenant: TenantId,
        id: ServiceAccountId,
        caller: &Caller,
    ) -> Result<(), AuthError> {
        let entry = self.audit.done(&caller.source, caller.actor, Action::ServiceAccountDeleted, id);
        let input = (id, caller.authority.clone(), entry);
        let deleted = self.env.db.write(tenant.into(), input, |tx, (id, authority, entry)| {
            Box::pin(async move {
                service_accounts::delete(tx, *id, authority).await?;
                api_keys::end_all_of(tx, (*id).into()).await?;
                Ok(audit::record(tx, entry).await?)
            })
        });
        deleted.await
    }

    /// Changes what one of the tenant's own roles is for and what it allows; it counts for its holders at their next
    /// request.
    ///
    /// # Errors
    /// As [`CustomRoles::create`](crate::CustomRoles::create); [`AuthError::NotFound`].
    pub async fn update_role(
        &self,
        tenant: TenantId,
        name: &str,
        change: RoleChange,
        caller: &Caller,
    ) -> Result<CustomRole, AuthError> {
        let writing = self.roles.writing(name, change, Action::RoleUpdated, caller)?;
        let input = (writing, self.env.now());
        let changed = self.env.db.write(tenant.into(), input, |tx, (writing, now)| {
            Box::pin(async move {
                let (role, rose) = roles::rewrite(tx, writing).await?;
                if rose {
                    end_sessions_as_rights_rise(tx, &role.name, *now).await?;
                }
                Ok(role)
            })
        });
        changed.await
    }

    /// Forgets the failed attempts at the user's account, as after somebody else tried to guess the password: whoever
    /// comes next need not wait. Windows of an hour or less run out by themselves.
    pub async fn clear_limits(
        &self,
        tenant: TenantId,
        user: UserId,
        caller: &Caller,
    ) -> Result<(), AuthError> {
        let entry = self.audit.done(&caller.source, caller.actor, Action::LimitsCleared, user);
        let input = (user, caller.authority.clone(), Arc::clone(&self.limits), entry);
        self.env
            .db
            .write(tenant.into(), input, |tx, (user, authority, limits, entry)| {
                Box::pin(async move {
                    let user = take(tx, *user, authority).await?;
                    limits.clear(tx, user.id, user.email.normalized()).await?;
                    Ok(audit::record(tx, entry).await?)
                })
            })
            .await
    }

    /// Ends every session of the user.
    pub async fn end_sessions(
        &self,
        tenant: TenantId,
        user: UserId,
        caller: &Caller,
    ) -> Result<(), AuthError> {
        let entry = self.audit.done(&caller.source, caller.actor, Action::SessionsEnded, user);
        let input = (user, caller.authority.clone(), self.env.now(), entry);
        self.env
            .db
            .write(tenant.into(), input, |tx, (user, authority, now, entry)| {
                Box::pin(async move {
                    take(tx, *user, authority).await?;
                    sessions::end_all_of(tx, *user, *now, EndReason::EndedByAdmin, None).await?;
                    Ok(audit::record(tx, entry).await?)
                })
            })
            .await
    }
}

async fn update(tx: &mut Tx, change: &Change) -> Result<Account, AuthError> {
    let user = take(tx, change.user, &change.caller.authority).await?;
    if let Some(name) = &change.to.name
        && *name != user.name
    {
        users::rename(tx, user.id, name.as_deref()).await?;
        change.record(tx, Action::UserUpdated).await?;
    }
    if let Some(names) = &change.to.roles {
        assign(tx, change, names).await?;
    }
    match change.to.is_active {
        Some(false) => disable(tx, change).await?,
        Some(true) if users::enable(tx, user.id).await? => {
            change.record(tx, Action::UserEnabled).await?;
        }
        _ => {}
    }
    let user = users::find(tx, change.user).await?.ok_or(AuthError::NotFound)?;
    let roles = roles::of(tx, user.id.into()).await?;
    Ok(Account { user, roles })
}

async fn assign(tx: &mut Tx, change: &Change, names: &[String]) -> Result<(), AuthError> {
    if !names.iter().any(|name| name == BuiltinRole::Superadmin.as_str()) {
        keep_a_superadmin(tx, change.user, &change.ways).await?;
    }
    let assigned = roles::assign(tx, change.user.into(), names, &change.caller.authority).await?;
    if assigned.rose {
        sessions::end_as_rights_rise(tx, change.user, change.now).await?;
    }
    if assigned.changed {
        change.record(tx, Action::RolesChanged).await?;
    }
    Ok(())
}

async fn disable(tx: &mut Tx, change: &Change) -> Result<(), AuthError> {
    keep_a_superadmin(tx, change.user, &change.ways).await?;
    if users::disable(tx, change.user, change.now).await? {
        sessions::end_all_of(tx, change.user, change.now, EndReason::UserDisabled, None).await?;
        change.record(tx, Action::UserDisabled).await?;
    }
    Ok(())
}

async fn end_sessions_as_rights_rise(tx: &mut Tx, role: &str, now: Timestamp) -> Result<(), AuthError> {
    let mut last = None;
    loop {
        let some = roles::users_with(tx, role, last).await?;
        let Some(newest) = some.last() else { return Ok(()) };
        last = Some(*newest);
        for user in some {
            sessions::end_as_rights_rise(tx, user, now).await?;
        }
    }
}

/// Takes the user for this transaction; [`AuthError::NotFound`] if there is none, and refuses one above
/// `authority`.
async fn take(tx: &mut Tx, user: UserId, authority: &Authority) -> Result<User, AuthError> {
    users::lock(tx, user).await?;
    let found = users::find(tx, user).await?.ok_or(AuthError::NotFound)?;
    authority.outranks(&roles::of(tx, user.into()).await?)?;
    Ok(found)
}

/// Refuses to take the last superadmin away who can sign in: nobody could give the role back over HTTP (S-105).
async fn keep_a_superadmin(tx: &mut Tx, leaving: UserId, ways: &[Way]) -> Result<(), AuthError> {
    let remains = superadmin_remains(tx, Some(leaving), ways).await?;
    if !remains && roles::holders(tx, BuiltinRole::Superadmin).await?.contains(&leaving) {
        return Err(AuthError::LastSuperadmin);
    }
    Ok(())
}
