//! Makes accounts that sign in with a password.

use std::sync::Arc;

use wardgate_store::{StoreError, Tx};

use super::model::ForeignHash;
use super::service::{self, Passwords, check_length_of};
use super::store::NewHash;
use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit, Entry};
use crate::features::limits::{Limits, Route};
use crate::features::links::{self, Links, NewLink, Purpose, Receiver};
use crate::features::outbox::{LetterKind, MAILS_PER_RECIPIENT, Outbox};
use crate::features::roles::{self, Authority, BuiltinRole, Caller, Roles};
use crate::features::users::{self, NewUser, User, UserFilter, check_name};
use crate::kernel::email::Email;
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
    /// Everybody who proves their address: the answer is the same whether or not it is taken, and the mail tells. Nobody
    /// signs in to an account whose address is not proven. Needs a mailer.
    Verified,
    /// Nobody: operators make the accounts.
    Closed,
}

/// Makes accounts.
pub struct Accounts {
    env: Arc<Environment>,
    audit: Arc<Audit>,
    limits: Arc<Limits>,
    passwords: Arc<Passwords>,
    outbox: Arc<Outbox>,
    links: Arc<Links>,
    mode: RegistrationMode,
}

/// What became of a registration.
#[derive(Debug, Clone)]
pub enum Registered {
    /// There is an account.
    Account(Box<Account>),
    /// The mail tells whether there is one.
    Mailed,
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

/// An account that a stranger asks for, and what is mailed to whom it concerns.
struct Registration {
    account: PreparedAccount,
    /// Asks the owner of the address to prove it.
    verify: NewLink,
    /// Tells the owner of an address that is taken.
    taken: NewLink,
    repeated: Entry,
}

/// Writes the account, or tells the owner of its address that somebody wanted one. Both cost about the same.
async fn register_or_tell(tx: &mut Tx, registration: &Registration) -> Result<(), AuthError> {
    let Registration { account, verify, taken, repeated } = registration;
    let Some(owner) = users::find_for_sign_in(tx, account.user.email.normalized()).await? else {
        let account = write(tx, account).await?;
        return links::issue(tx, verify, Some(receiver(&account.user, 1))).await;
    };
    let version = service::version_of(tx, owner.id).await?;
    // In place of the other branch's statements, each of which may be a way over the network.
    for _ in 0..3 {
        users::find(tx, owner.id).await?;
    }
    audit::record(tx, repeated).await?;
    let receiver = owner.is_active().then(|| receiver(&owner, version));
    links::issue(tx, taken, receiver).await
}

fn receiver(user: &User, password_version: i64) -> Receiver<'_> {
    Receiver { user: user.id, password_version, to: &user.email }
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
        outbox: Arc<Outbox>,
        links: Arc<Links>,
        mode: RegistrationMode,
    ) -> Self {
        Self { env, audit, limits, passwords, outbox, links, mode }
    }

    /// Registers a stranger: an account with the role `user`, its address not proven. Where there is mail, one asks for
    /// the proof.
    pub async fn register(
        &self,
        tenant: &CurrentTenant,
        new: NewUser,
        password: &str,
        source: &Source,
    ) -> Result<Registered, AuthError> {
        if !self.are_open(tenant) {
            return Err(AuthError::RegistrationClosed);
        }
        check_length_of(tenant, password, "password")?;
        self.limits.admit(tenant, Route::Register, source).await?;
        let email = new.email.clone();
        let may_mail = match self.outbox.is_on() {
            true => self.may_mail(tenant.id, &email, source).await,
            false => Ok(()),
        };
        let roles = FirstRoles::Builtin(BuiltinRole::User);
        if self.mode == RegistrationMode::Verified {
            may_mail?;
            let account = self.prepare(new, password, roles, Actor::Anonymous, source).await?;
            return self.register_verified(tenant, account, source).await;
        }
        let account = self.prepare(new, password, roles, Actor::Anonymous, source).await?;
        let verify = (self.outbox.is_on() && may_mail.is_ok())
            .then(|| self.verification(tenant, &email, account.user.id, source))
            .transpose()?;
        self.write(tenant.id, account, verify).await.map(|account| Registered::Account(Box::new(account)))
    }

    /// Whether strangers may register.
    pub(crate) fn are_open(&self, tenant: &CurrentTenant) -> bool {
        tenant.registration_open.unwrap_or(self.mode != RegistrationMode::Closed)
    }

    /// The same answer whether or not the address is taken, after the same work (S-013).
    async fn register_verified(
        &self,
        tenant: &CurrentTenant,
        account: PreparedAccount,
        source: &Source,
    ) -> Result<Registered, AuthError> {
        let email = account.user.email.clone();
        let target = self.audit.identifier(email.normalized());
        let repeated =
            self.audit.refused(source, Actor::Anonymous, Action::RegistrationRepeated, target.clone());
        let kind = LetterKind::RegisteredAlready;
        let taken =
            self.links.for_address(tenant, Purpose::ResetPassword, kind, &email, target.clone(), source)?;
        let verify = self.verification(tenant, &email, target, source)?;
        let registration = Arc::new(Registration { account, verify, taken, repeated });
        // Of two at once for one address, the one that comes too late finds the other's account.
        for _ in 0..2 {
            let registration = Arc::clone(&registration);
            let written = self.env.db.write(tenant.id.into(), registration, |tx, registration| {
                Box::pin(async move { register_or_tell(tx, registration).await })
            });
            match written.await {
                Err(AuthError::EmailTaken) => {}
                written => return written.map(|()| Registered::Mailed),
            }
        }
        Ok(Registered::Mailed)
    }

    fn verification(
        &self,
        tenant: &CurrentTenant,
        email: &Email,
        target: impl std::fmt::Display,
        source: &Source,
    ) -> Result<NewLink, AuthError> {
        self.links.for_address(tenant, Purpose::VerifyEmail, LetterKind::VerifyEmail, email, target, source)
    }

    async fn may_mail(&self, tenant: TenantId, email: &Email, source: &Source) -> Result<(), AuthError> {
        self.limits.take(tenant, MAILS_PER_RECIPIENT, email.normalized().as_bytes(), source).await
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
        self.write(tenant, account, None).await
    }

    /// As [`create`](Self::create) without a password; where there is mail, its owner gets one with a link that sets the
    /// first.
    pub async fn invite(
        &self,
        tenant: &CurrentTenant,
        new: NewUser,
        roles: Vec<String>,
        caller: &Caller,
    ) -> Result<Account, AuthError> {
        if !self.outbox.is_on() {
            return self.create(tenant.id, new, None, roles, caller).await;
        }
        let (actor, source) = (caller.actor, &caller.source);
        let roles = FirstRoles::Chosen(roles, caller.authority.clone());
        let account = self.account(new, None, roles, Action::UserCreated, actor, source)?;
        let (email, id) = (account.user.email.clone(), account.user.id);
        self.may_mail(tenant.id, &email, source).await?;
        let (purpose, kind) = (Purpose::Invitation, LetterKind::Invitation);
        let invitation = self.links.for_address(tenant, purpose, kind, &email, id, source)?;
        self.write(tenant.id, account, Some(invitation)).await
    }

    async fn write(
        &self,
        tenant: TenantId,
        account: PreparedAccount,
        link: Option<NewLink>,
    ) -> Result<Account, AuthError> {
        self.env
            .db
            .write(tenant.into(), (account, link), |tx, (account, link)| {
                Box::pin(async move {
                    let version = i64::from(account.hash.is_some());
                    let account = write(tx, account).await?;
                    if let Some(link) = link {
                        links::issue(tx, link, Some(receiver(&account.user, version))).await?;
                    }
                    Ok(account)
                })
            })
            .await
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

    /// Checks an account whose owner another provider vouches for; without writing anything.
    pub(crate) fn prepare_linked(&self, new: NewUser, source: &Source) -> Result<PreparedAccount, AuthError> {
        let roles = FirstRoles::Builtin(BuiltinRole::User);
        self.account(new, None, roles, Action::UserRegistered, Actor::Anonymous, source)
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
