//! Makes and redeems the one-use link for the first superadmin.

use std::sync::Arc;
use std::time::Duration;

use wardgate_crypto::{Digest, OpaqueToken};
use wardgate_store::{StoreError, Tx};
use zeroize::Zeroizing;

use super::store;
use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit, Entry};
use crate::features::limits::Limits;
use crate::features::password::{Account, Accounts, FirstRoles, PreparedAccount, write_account};
use crate::features::roles::{self, BuiltinRole};
use crate::features::users::NewUser;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

const PREFIX: &str = "wgs";

/// How long a link can be used.
const LIFE: Duration = Duration::from_secs(60 * 60);

/// The way to the first superadmin.
pub struct Setup {
    env: Arc<Environment>,
    audit: Arc<Audit>,
    limits: Arc<Limits>,
    accounts: Arc<Accounts>,
}

struct Redemption {
    digest: Digest,
    account: PreparedAccount,
    now: Timestamp,
    completed: Entry,
}

/// Ends the link, as an older state of the database is put back; how many there were.
pub(crate) async fn end_link(tx: &mut Tx) -> Result<u64, StoreError> {
    store::clear(tx).await
}

impl Setup {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        limits: Arc<Limits>,
        accounts: Arc<Accounts>,
    ) -> Self {
        Self { env, audit, limits, accounts }
    }

    /// A new link's token, which kills the one before; `None` once any superadmin exists.
    pub async fn new_link(&self, source: &Source) -> Result<Option<Zeroizing<String>>, AuthError> {
        let token = OpaqueToken::generate(PREFIX, self.env.rng.as_ref());
        let entry = self.audit.done(source, Actor::System, Action::SetupLinkCreated, BuiltinRole::Superadmin);
        let made = self
            .env
            .db
            .write(
                TenantId::DEFAULT.into(),
                (token.digest(), self.env.now().plus(LIFE), entry),
                |tx, (digest, expires_at, entry)| {
                    Box::pin(async move {
                        if superadmin_exists(tx).await? {
                            store::clear(tx).await?;
                            return Ok::<_, AuthError>(false);
                        }
                        store::put(tx, *digest, *expires_at).await?;
                        audit::record(tx, entry).await?;
                        Ok(true)
                    })
                },
            )
            .await?;
        Ok(made.then(|| token.reveal()))
    }

    /// Makes the first superadmin; [`AuthError::InvalidSetupToken`] after use, after an hour, or once any
    /// superadmin exists, which is checked in the transaction that makes the account.
    pub async fn redeem(
        &self,
        token: &str,
        new: NewUser,
        password: &str,
        source: &Source,
    ) -> Result<Account, AuthError> {
        self.limits.admit_setup(source).await?;
        let token = OpaqueToken::parse(PREFIX, token).ok_or(AuthError::InvalidSetupToken)?;
        let roles = FirstRoles::Builtin(BuiltinRole::Superadmin);
        let account = self.accounts.prepare(new, password, roles, Actor::Anonymous, source).await?;
        let user = account.user_id();
        let completed = self.audit.done(source, Actor::User(user), Action::SetupCompleted, user);
        let redemption = Redemption { digest: token.digest(), account, now: self.env.now(), completed };
        self.env
            .db
            .write(TenantId::DEFAULT.into(), redemption, |tx, redemption| Box::pin(redeem(tx, redemption)))
            .await
    }
}

async fn redeem(tx: &mut Tx, redemption: &Redemption) -> Result<Account, AuthError> {
    tx.lock("superadmins").await?;
    if !store::take(tx, redemption.digest, redemption.now).await? || superadmin_exists(tx).await? {
        return Err(AuthError::InvalidSetupToken);
    }
    let account = write_account(tx, &redemption.account).await?;
    audit::record(tx, &redemption.completed).await?;
    Ok(account)
}

async fn superadmin_exists(tx: &mut Tx) -> Result<bool, AuthError> {
    Ok(!roles::holders(tx, BuiltinRole::Superadmin).await?.is_empty())
}
