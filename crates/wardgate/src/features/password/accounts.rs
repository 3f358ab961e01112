//! Makes accounts that sign in with a password.

use std::sync::Arc;

use wardgate_store::{StoreError, Tx};

use super::model::ForeignHash;
use super::service::{self, Passwords, check_length_of};
use super::store::NewHash;
use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit, Entry};
use crate::features::limits::{Limits, Route};
use crate::features::roles::{self, Authority, BuiltinRole, Caller, Roles};
use crate::features::users::{self, NewUser, User, UserFilter, check_name};
use crate::kernel::error::AuthError;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::page::{PageRequest, Position};
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
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
    hash: Option<NewHash>,
    roles: FirstRoles,
    created: Entry,
}

/// What a new account may do from the start.
pub(crate) enum FirstRoles {
    /// What this way of making an account gives to all that come by it.
    Builtin(BuiltinRole),
    /// What somebody chose, who grants nothing that they lack.
    Chosen(Vec<String>, Authority),
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
    let PreparedAccount { user, hash, roles, created } = account;
    users::insert(tx, user).await?;
    if let Some(hash) = hash {
        service::set(tx, user.id, hash, user.created_at).await?;
    }
    match roles {
        FirstRoles::Builtin(role) => roles::assign_first(tx, user.id.into(), *role).await?,
        FirstRoles::Chosen(names, authority) => {
            roles::assign(tx, user.id.into(), names, authority).await?;
        }
    }
    audit::record(tx, created).await?;
    Ok(Account { user: user.clone(), roles: roles::of(tx, user.id.into()).await? })
}

/// An account as another program kept it, found good.
pub(crate) struct ImportedAccount {
    pub(crate) user: User,
    pub(crate) hash: Option<ForeignHash>,
    pub(crate) roles: Vec<String>,
    pub(crate) created: Entry,
}

/// Writes the account with its password, roles and record, and says whether it did: `false` if the address has an
/// account. The roles are there, and nobody takes them away meanwhile ([`roles::hold`]); `now` is when the password
/// came to be here.
pub(crate) async fn write_imported(
    tx: &mut Tx,
    account: &ImportedAccount,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let ImportedAccount { user, hash, roles, created } = account;
    if !users::insert_if_free(tx, user).await? {
        return Ok(false);
    }
    if let Some(hash) = hash {
        service::set(tx, user.id, &NewHash::from(hash), now).await?;
    }
    roles::assign_found(tx, user.id.into(), roles).await?;
    audit::record(tx, created).await?;
    Ok(true)
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
        tenant: &CurrentTenant,
        new: NewUser,
        password: &str,
        source: &Source,
    ) -> Result<Account, AuthError> {
        if !tenant.registration_open.unwrap_or(self.mode == RegistrationMode::Open) {
            return Err(AuthError::RegistrationClosed);
        }
        check_length_of(tenant, password, "password")?;
        let tenant = tenant.id;
        self.limits.admit(tenant, Route::Register, source).await?;
        let roles = FirstRoles::Builtin(BuiltinRole::User);
        let account = self.prepare(new, password, roles, Actor::Anonymous, source).await?;
        self.write(tenant, account).await
    }

    /// Makes an account with these roles, none of which go beyond the caller (S-105). Without a password nobody can
    /// sign in to it yet.
    pub async fn create(
        &self,
        tenant: TenantId,
        new: NewUser,
        password: Option<&str>,
        roles: Vec<String>,
        caller: &Caller,
    ) -> Result<Account, AuthError> {
        let (actor, source) = (caller.actor, &caller.source);
        let roles = FirstRoles::Chosen(roles, caller.authority.clone());
        let account = match password {
            Some(password) => self.prepare(new, password, roles, actor, source).await?,
            None => self.account(new, None, roles, Action::UserCreated, actor, source)?,
        };
        self.write(tenant, account).await
    }

    async fn write(&self, tenant: TenantId, account: PreparedAccount) -> Result<Account, AuthError> {
        self.env.db.write(tenant.into(), account, |tx, account| Box::pin(write(tx, account))).await
    }

    /// The user with their roles, or [`AuthError::NotFound`].
    pub async fn get(&self, tenant: TenantId, id: UserId) -> Result<Account, AuthError> {
        let found = self.env.db.read(tenant.into(), id, |tx, id| {
            Box::pin(async move {
                let user = users::find(tx, *id).await?.ok_or(AuthError::NotFound)?;
                let roles = roles::of(tx, user.id.into()).await?;
                Ok(Account { user, roles })
            })
        });
        found.await
    }

    /// A page of the users that match, with their roles, newest first, and where the next one begins.
    pub async fn list(
        &self,
        tenant: TenantId,
        filter: UserFilter,
        page: PageRequest,
    ) -> Result<(Vec<Account>, Option<Position>), AuthError> {
        let rows = self.env.db.read(tenant.into(), (filter, page), |tx, (filter, page)| {
            Box::pin(async move {
                let users = users::list(tx, filter, page).await?;
                let ids: Vec<_> = users.iter().map(|user| user.id.as_uuid()).collect();
                let mut roles = roles::of_all(tx, &ids).await?;
                let account = |user: User| Account {
                    roles: roles.remove(&user.id.as_uuid()).unwrap_or_default(),
                    user,
                };
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
        roles: FirstRoles,
        actor: Actor,
        source: &Source,
    ) -> Result<PreparedAccount, AuthError> {
        // Before the hash, which costs far more.
        check(&new)?;
        let hash = self.passwords.hash_new(password, &new.email, source).await?;
        self.account(new, Some(hash), roles, Action::UserRegistered, actor, source)
    }

    fn account(
        &self,
        new: NewUser,
        hash: Option<NewHash>,
        roles: FirstRoles,
        action: Action,
        actor: Actor,
        source: &Source,
    ) -> Result<PreparedAccount, AuthError> {
        check(&new)?;
        let user = self.user(new, self.env.now());
        let created = self.audit.done(source, actor, action, user.id);
        Ok(PreparedAccount { user, hash, roles, created })
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

fn check(new: &NewUser) -> Result<(), AuthError> {
    let checked = new.name.as_deref().map_or(Ok(()), check_name);
    checked.map_err(|fault| AuthError::InvalidFields(vec![fault]))
}
