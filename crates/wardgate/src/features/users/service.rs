//! Reads and changes users.

use std::collections::HashMap;
use std::sync::Arc;

use wardgate_store::{StoreError, Tx};

use super::model::{User, UserFilter, check_name};
use super::store;
use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit};
use crate::kernel::email::{Email, normalize_identifier};
use crate::kernel::error::AuthError;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::page::PageRequest;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

/// The users of all tenants.
pub struct Users {
    env: Arc<Environment>,
    audit: Arc<Audit>,
}

/// Lets one transaction at a time decide about this user, until it ends.
///
/// On PostgreSQL a sign-in that read the old password could otherwise commit its session after the change had
/// ended all those it could see.
pub(crate) async fn lock(tx: &mut Tx, id: UserId) -> Result<(), StoreError> {
    tx.lock(&format!("user/{id}")).await
}

/// The user, if there is one.
pub(crate) async fn find(tx: &mut Tx, id: UserId) -> Result<Option<User>, StoreError> {
    store::by_id(tx, id).await
}

/// Those of a page of users that are there, eight a query.
pub(crate) async fn find_all(tx: &mut Tx, ids: &[UserId]) -> Result<HashMap<UserId, User>, StoreError> {
    let mut found = HashMap::with_capacity(ids.len());
    for some in ids.chunks(8) {
        found.extend(store::by_eight(tx, some).await?.into_iter().map(|user| (user.id, user)));
    }
    Ok(found)
}

/// The user that a typed identifier names, however it is spelled (S-014).
pub(crate) async fn find_for_sign_in(tx: &mut Tx, normalized: &str) -> Result<Option<User>, StoreError> {
    store::by_email(tx, normalized).await
}

/// A page of users, newest first, and one more if there is a next page.
pub(crate) async fn list(
    tx: &mut Tx,
    filter: &UserFilter,
    page: &PageRequest,
) -> Result<Vec<User>, StoreError> {
    store::list(tx, filter, page.start(), page.fetch()).await
}

/// `false` if there is no such user.
pub(crate) async fn rename(tx: &mut Tx, id: UserId, name: Option<&str>) -> Result<bool, StoreError> {
    store::rename(tx, id, name).await
}

/// Makes the account; [`AuthError::EmailTaken`] if the address has one.
pub(crate) async fn insert(tx: &mut Tx, user: &User) -> Result<(), AuthError> {
    store::insert(tx, user).await.map_err(taken)
}

/// Notes that the address was proven just now; says whether it had not been before.
pub(crate) async fn verify_email(tx: &mut Tx, id: UserId, now: Timestamp) -> Result<bool, StoreError> {
    store::verify(tx, id, now).await
}

/// Gives the account an address that was proven just now; [`AuthError::EmailTaken`] if it is another's.
pub(crate) async fn change_email(
    tx: &mut Tx,
    id: UserId,
    email: &Email,
    now: Timestamp,
) -> Result<bool, AuthError> {
    store::change_email(tx, id, email, now).await.map_err(taken)
}

fn taken(error: StoreError) -> AuthError {
    match error {
        StoreError::Constraint(constraint) if constraint.is("users", &["email_normalized"]) => {
            AuthError::EmailTaken
        }
        other => other.into(),
    }
}

/// Makes the account unless its address has one; says whether this call did it. The transaction goes on either way.
pub(crate) async fn insert_if_free(tx: &mut Tx, user: &User) -> Result<bool, StoreError> {
    store::insert_if_free(tx, user).await
}

/// Says whether this call did it; the caller ends the user's sessions in the same transaction.
pub(crate) async fn disable(tx: &mut Tx, id: UserId, now: Timestamp) -> Result<bool, StoreError> {
    store::disable(tx, id, now).await
}

/// Says whether this call did it.
pub(crate) async fn enable(tx: &mut Tx, id: UserId) -> Result<bool, StoreError> {
    store::enable(tx, id).await
}

/// Says whether this call did it; roles, password, sessions and tokens go with the row.
pub(crate) async fn delete(tx: &mut Tx, id: UserId) -> Result<bool, StoreError> {
    store::delete(tx, id).await
}

/// Removes some of what is the tenant's, as when it goes; how many rows.
pub(crate) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::forget(tx, limit).await
}

impl Users {
    pub(crate) fn new(env: Arc<Environment>, audit: Arc<Audit>) -> Self {
        Self { env, audit }
    }

    /// The user with this address, in any spelling.
    pub async fn find_by_email(&self, tenant: TenantId, email: &str) -> Result<Option<User>, AuthError> {
        let normalized = normalize_identifier(email);
        self.env
            .db
            .read(tenant.into(), normalized, |tx, email| {
                Box::pin(async move { Ok(store::by_email(tx, email).await?) })
            })
            .await
    }

    /// The user, or [`AuthError::NotFound`].
    pub async fn get(&self, tenant: TenantId, id: UserId) -> Result<User, AuthError> {
        self.env
            .db
            .lookup(tenant.into(), id, |tx, id| {
                Box::pin(async move { Ok::<_, AuthError>(store::by_id(tx, *id).await?) })
            })
            .await?
            .ok_or(AuthError::NotFound)
    }

    /// Gives the user another name, or none.
    pub async fn rename(
        &self,
        tenant: TenantId,
        id: UserId,
        name: Option<String>,
        actor: Actor,
        source: &Source,
    ) -> Result<User, AuthError> {
        if let Some(name) = &name {
            check_name(name).map_err(|fault| AuthError::InvalidFields(vec![fault]))?;
        }
        let entry = self.audit.done(source, actor, Action::UserUpdated, id);
        self.env
            .db
            .write(tenant.into(), (id, name, entry), |tx, (id, name, entry)| {
                Box::pin(async move {
                    if !store::rename(tx, *id, name.as_deref()).await? {
                        return Err(AuthError::NotFound);
                    }
                    audit::record(tx, entry).await?;
                    store::by_id(tx, *id).await?.ok_or(AuthError::NotFound)
                })
            })
            .await
    }
}
