//! Changes that end or narrow what a user may do, each in one transaction with all its consequences.

use std::sync::Arc;

use wardgate_store::Tx;

use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit, Entry};
use crate::features::roles::{self, BuiltinRole};
use crate::features::sessions::{self, EndReason};
use crate::features::users;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

/// Disables, enables and deletes users, and changes their roles.
pub struct Lifecycle {
    env: Arc<Environment>,
    audit: Arc<Audit>,
}

struct Change {
    user: UserId,
    now: Timestamp,
    entry: Entry,
}

impl Lifecycle {
    pub(crate) fn new(env: Arc<Environment>, audit: Arc<Audit>) -> Self {
        Self { env, audit }
    }

    fn change(&self, user: UserId, action: Action, actor: Actor, source: &Source) -> Change {
        Change { user, now: self.env.now(), entry: self.audit.done(source, actor, action, user) }
    }

    /// Deactivates the user and ends every session of theirs (S-018). Doing it twice is no fault.
    pub async fn disable(
        &self,
        tenant: TenantId,
        user: UserId,
        actor: Actor,
        source: &Source,
    ) -> Result<(), AuthError> {
        let change = self.change(user, Action::UserDisabled, actor, source);
        self.env.db.write(tenant.into(), change, |tx, change| Box::pin(disable(tx, change))).await
    }

    /// Activates the user again; no ended session comes back.
    pub async fn enable(
        &self,
        tenant: TenantId,
        user: UserId,
        actor: Actor,
        source: &Source,
    ) -> Result<(), AuthError> {
        let change = self.change(user, Action::UserEnabled, actor, source);
        self.env
            .db
            .write(tenant.into(), change, |tx, change| {
                Box::pin(async move {
                    take(tx, change.user).await?;
                    if users::enable(tx, change.user).await? {
                        audit::record(tx, &change.entry).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Removes the user with password, roles, sessions and tokens.
    pub async fn delete(
        &self,
        tenant: TenantId,
        user: UserId,
        actor: Actor,
        source: &Source,
    ) -> Result<(), AuthError> {
        let change = self.change(user, Action::UserDeleted, actor, source);
        self.env
            .db
            .write(tenant.into(), change, |tx, change| {
                Box::pin(async move {
                    take(tx, change.user).await?;
                    keep_a_superadmin(tx, change.user).await?;
                    users::delete(tx, change.user).await?;
                    Ok(audit::record(tx, &change.entry).await?)
                })
            })
            .await
    }

    /// Gives the user this role instead of those they have; it counts at their next request.
    pub async fn set_role(
        &self,
        tenant: TenantId,
        user: UserId,
        role: BuiltinRole,
        actor: Actor,
        source: &Source,
    ) -> Result<(), AuthError> {
        let change = self.change(user, Action::RolesChanged, actor, source);
        self.env
            .db
            .write(tenant.into(), (change, role), |tx, (change, role)| {
                Box::pin(async move {
                    take(tx, change.user).await?;
                    if *role != BuiltinRole::Superadmin {
                        keep_a_superadmin(tx, change.user).await?;
                    }
                    roles::assign_only(tx, change.user, *role).await?;
                    Ok(audit::record(tx, &change.entry).await?)
                })
            })
            .await
    }
}

async fn disable(tx: &mut Tx, change: &Change) -> Result<(), AuthError> {
    take(tx, change.user).await?;
    keep_a_superadmin(tx, change.user).await?;
    if users::disable(tx, change.user, change.now).await? {
        sessions::end_all_of(tx, change.user, change.now, EndReason::UserDisabled, None).await?;
        audit::record(tx, &change.entry).await?;
    }
    Ok(())
}

/// Takes the user for this transaction; [`AuthError::NotFound`] if there is none.
async fn take(tx: &mut Tx, user: UserId) -> Result<(), AuthError> {
    users::lock(tx, user).await?;
    users::find(tx, user).await?.map(drop).ok_or(AuthError::NotFound)
}

/// Refuses to take the last active superadmin away: nobody could give the role back over HTTP (S-105).
async fn keep_a_superadmin(tx: &mut Tx, leaving: UserId) -> Result<(), AuthError> {
    // Two requests that each remove the other's superadmin must not both see one remaining.
    tx.lock("superadmins").await?;
    let holders = roles::holders(tx, BuiltinRole::Superadmin).await?;
    if !holders.contains(&leaving) {
        return Ok(());
    }
    for other in holders.into_iter().filter(|holder| *holder != leaving) {
        if users::find(tx, other).await?.is_some_and(|user| user.is_active()) {
            return Ok(());
        }
    }
    Err(AuthError::LastSuperadmin)
}
