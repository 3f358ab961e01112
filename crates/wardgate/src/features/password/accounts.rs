//! Makes accounts that sign in with a password.

use std::sync::Arc;

use wardgate_store::Tx;

use super::service::{self, Passwords};
use super::store::NewHash;
use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit, Entry};
use crate::features::limits::{Limits, Route};
use crate::features::roles::{self, BuiltinRole, Roles};
use crate::features::users::{self, NewUser, User, check_name};
use crate::kernel::error::AuthError;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::page::{PageRequest, Position};
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RegistrationMode {
    /// Everybody; a taken address is told, since without mail there is no other way.
    #[default]
    Open,
    /// Nobody: operators make the accounts.
    Closed,
}

/// Makes accounts.
pub struct Accounts {
    env: Arc<Environment>,
    audit: Arc<Audit>,
    limits: Arc<Limits>,
    passwords: Arc<Passwords>,
    mode: RegistrationMode,
}

/// An account, hashed and ready to be written.
pub(crate) struct PreparedAccount {
    user: User,
    hash: NewHash,
    role: BuiltinRole,
    created: Entry,
}

/// A user with the roles they have.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user.
    pub user: User,
    /// Their roles.
    pub roles: Roles,
}

impl PreparedAccount {
    pub(crate) fn user_id(&self) -> UserId {
        self.user.id
    }
}

/// Writes the account with its password, role and record; [`AuthError::EmailTaken`] if the address has one.
pub(crate) async fn write(tx: &mut Tx, account: &PreparedAccount) -> Result<Account, AuthError> {
    let PreparedAccount { user, hash, role, created } = account;
    users::insert(tx, user).await?;
    service::set(tx, user.id, hash, user.created_at).await?;
    roles::assign_only(tx, user.id, *role).await?;
    audit::record(tx, created).await?;
    Ok(Account { user: user.clone(), roles: roles::of(tx, user.id).await? })
}

impl Accounts {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        limits: Arc<Limits>,
        passwords: Arc<Passwords>,
        mode: RegistrationMode,
    ) -> Self {
        Self { env, audit, limits, passwords, mode }
    }

    /// Registers a stranger: an account with the role `user`, its address not proven.
    pub async fn register(
        &self,
        tenant: TenantId,
        new: NewUser,
        password: &str,
        source: &Source,
    ) -> Result<Account, AuthError> {
        if self.mode == RegistrationMode::Closed {
            return Err(AuthError::RegistrationClosed);
        }
        self.limits.admit(tenant, Route::Register, source).await?;
        self.create(tenant, new, password, BuiltinRole::User, Actor::Anonymous, source).await
    }

    /// Makes an account as an operator, with any role.
    pub async fn create(
        &self,
        tenant: TenantId,
        new: NewUser,
        password: &str,
        role: BuiltinRole,
        actor: Actor,
        source: &Source,
    ) -> Result<Account, AuthError> {
        let account = self.prepare(new, password, role, actor, source).await?;
        self.env.db.write(tenant.into(), account, |tx, account| Box::pin(write(tx, account))).await
    }

    /// The user with their roles, or [`AuthError::NotFound`].
    pub async fn get(&self, tenant: TenantId, id: UserId) -> Result<Account, AuthError> {
        let found = self.env.db.read(tenant.into(), id, |tx, id| {
            Box::pin(async move {
                let user = users::find(tx, *id).await?.ok_or(AuthError::NotFound)?;
                let roles = roles::of(tx, user.id).await?;
                Ok(Account { user, roles })
            })
        });
        found.await
    }

    /// A page of users with their roles, newest first, and where the next one begins. Two queries a page.
    pub async fn list(
        &self,
        tenant: TenantId,
        page: PageRequest,
    ) -> Result<(Vec<Account>, Option<Position>), AuthError> {
        let rows = self.env.db.read(tenant.into(), page, |tx, page| {
            Box::pin(async move {
                let users = users::list(tx, page).await?;
                let ids: Vec<UserId> = users.iter().map(|user| user.id).collect();
                let mut roles = roles::of_all(tx, &ids).await?;
                let account =
                    |user: User| Account { roles: roles.remove(&user.id).unwrap_or_default(), user };
                Ok::<_, AuthError>(users.into_iter().map(account).collect())
            })
        });
        Ok(page.split(rows.await?, |account: &Account| account.user.position()))
    }

    /// Checks and hashes, without writing anything.
    pub(crate) async fn prepare(
        &self,
        new: NewUser,
        password: &str,
        role: BuiltinRole,
        actor: Actor,
        source: &Source,
    ) -> Result<PreparedAccount, AuthError> {
        if let Some(name) = &new.name {
            check_name(name).map_err(|fault| AuthError::InvalidFields(vec![fault]))?;
        }
        let hash = self.passwords.hash_new(password, &new.email, source).await?;
        let now = self.env.now();
        let user = self.user(new, now);
        let created = self.audit.done(source, actor, Action::UserRegistered, user.id);
        Ok(PreparedAccount { user, hash, role, created })
    }

    fn user(&self, new: NewUser, now: Timestamp) -> User {
        User {
            id: UserId::new(now, self.env.random()),
            email: new.email,
            email_verified_at: new.email_verified.then_some(now),
            name: new.name,
            disabled_at: None,
            created_at: now,
        }
    }
}
