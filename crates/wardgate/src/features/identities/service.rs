//! Finds, makes and removes identity links.

use std::sync::Arc;

use wardgate_store::{StoreError, Tx};

use super::model::{Identity, MAX_IDENTITIES};
use super::store;
use crate::environment::Environment;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{IdentityId, TenantId, UserId};
use crate::kernel::time::Timestamp;

/// The identity links of all tenants.
pub struct Identities {
    env: Arc<Environment>,
}

/// A link about to be made.
pub(crate) struct NewIdentity<'a> {
    pub(crate) id: IdentityId,
    pub(crate) user: UserId,
    pub(crate) provider: &'a str,
    pub(crate) issuer: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) email: Option<&'a str>,
    pub(crate) by_address: bool,
    pub(crate) now: Timestamp,
}

/// The link of this user of that provider, if there is one.
pub(crate) async fn find(tx: &mut Tx, issuer: &str, subject: &str) -> Result<Option<Identity>, StoreError> {
    store::by_subject(tx, issuer, subject).await
}

/// All links of the user, newest first.
pub(crate) async fn list_of(tx: &mut Tx, user: UserId) -> Result<Vec<Identity>, StoreError> {
    store::of_user(tx, user).await
}

/// Makes the link; the caller has locked the user.
///
/// # Errors
/// [`AuthError::LinkingRefused`] if it is somebody's already, or the user has as many as one may.
pub(crate) async fn insert(tx: &mut Tx, new: &NewIdentity<'_>) -> Result<Identity, AuthError> {
    if store::of_user(tx, new.user).await?.len() >= MAX_IDENTITIES {
        return Err(AuthError::LinkingRefused);
    }
    let identity = Identity {
        id: new.id,
        user: new.user,
        provider: new.provider.to_owned(),
        issuer: new.issuer.to_owned(),
        subject: new.subject.to_owned(),
        email: new.email.map(str::to_owned),
        by_address: new.by_address,
        created_at: new.now,
        last_used_at: new.now,
    };
    store::insert(tx, &identity).await.map_err(|error| match error {
        StoreError::Constraint(constraint) if constraint.is("identity_links", &["issuer", "subject"]) => {
            AuthError::LinkingRefused
        }
        other => other.into(),
    })?;
    Ok(identity)
}

/// Notes that somebody signed in by it just now.
pub(crate) async fn note_use(tx: &mut Tx, id: IdentityId, now: Timestamp) -> Result<(), StoreError> {
    store::note_use(tx, id, now).await
}

/// Makes a link that somebody got by an address one that they made themselves; says whether it was the former.
pub(crate) async fn confirm(tx: &mut Tx, id: IdentityId) -> Result<bool, StoreError> {
    store::confirm(tx, id).await
}

/// Removes one of the user's links; `false` for another's or an invented one.
pub(crate) async fn remove(tx: &mut Tx, user: UserId, id: IdentityId) -> Result<bool, StoreError> {
    store::remove(tx, user, id).await
}

/// Removes all links of the user; how many.
pub(crate) async fn end_all_of(tx: &mut Tx, user: UserId) -> Result<u64, StoreError> {
    store::end_all_of(tx, user).await
}

/// Removes some of what is the tenant's, as when it goes; how many rows.
pub(crate) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::forget(tx, limit).await
}

impl Identities {
    pub(crate) fn new(env: Arc<Environment>) -> Self {
        Self { env }
    }

    /// All links of the user, newest first.
    pub async fn list(&self, tenant: TenantId, user: UserId) -> Result<Vec<Identity>, AuthError> {
        let found = self.env.db.read(tenant.into(), user, |tx, user| {
            Box::pin(async move { Ok::<_, AuthError>(store::of_user(tx, *user).await?) })
        });
        found.await
    }
}
