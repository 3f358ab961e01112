//! Makes, changes and removes service accounts.

use std::sync::Arc;

use wardgate_store::{StoreError, Tx};

use super::model::{ServiceAccount, check_name};
use super::store;
use crate::environment::Environment;
use crate::features::audit::{self, Action, Audit, Entry};
use crate::features::roles::{self, Authority, Caller, Roles};
use crate::kernel::error::AuthError;
use crate::kernel::ids::{ServiceAccountId, TenantId};
use crate::kernel::page::{PageRequest, Position};
use crate::kernel::time::Timestamp;

/// The service accounts of all tenants.
pub struct ServiceAccounts {
    env: Arc<Environment>,
    audit: Arc<Audit>,
}

/// A service account with the roles it has.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The account.
    pub account: ServiceAccount,
    /// Its roles.
    pub roles: Roles,
}

/// What is to become of a service account; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ServiceAccountChange {
    /// Another name.
    pub name: Option<String>,
    /// While it is inactive its keys open nothing.
    pub is_active: Option<bool>,
    /// Exactly these roles.
    pub roles: Option<Vec<String>>,
}

struct Change {
    id: ServiceAccountId,
    to: ServiceAccountChange,
    authority: Authority,
    now: Timestamp,
    updated: Entry,
}

/// The account, active or not.
pub(crate) async fn find(tx: &mut Tx, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError> {
    store::by_id(tx, id).await
}

/// Lets one transaction at a time decide about this account, until it ends.
pub(crate) async fn lock(tx: &mut Tx, id: ServiceAccountId) -> Result<(), StoreError> {
    tx.lock(&format!("service_account/{id}")).await
}

/// Removes some of what is the tenant's, as when it goes; how many rows.
pub(crate) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::forget(tx, limit).await
}

impl ServiceAccounts {
    pub(crate) fn new(env: Arc<Environment>, audit: Arc<Audit>) -> Self {
        Self { env, audit }
    }

    /// A page of service accounts with their roles, newest first, and where the next one begins.
    pub async fn list(
        &self,
        tenant: TenantId,
        page: PageRequest,
    ) -> Result<(Vec<Machine>, Option<Position>), AuthError> {
        let rows = self.env.db.read(tenant.into(), page, |tx, page| {
            Box::pin(async move {
                let accounts = store::list(tx, page.start(), page.fetch()).await?;
                let ids: Vec<_> = accounts.iter().map(|account| account.id.as_uuid()).collect();
                let mut roles = roles::of_all(tx, &ids).await?;
                let machine = |account: ServiceAccount| Machine {
                    roles: roles.remove(&account.id.as_uuid()).unwrap_or_default(),
                    account,
                };
                Ok::<_, AuthError>(accounts.into_iter().map(machine).collect())
            })
        });
        Ok(page.split(rows.await?, |machine: &Machine| machine.account.position()))
    }

    /// One of them, or [`AuthError::NotFound`].
    pub async fn get(&self, tenant: TenantId, id: ServiceAccountId) -> Result<Machine, AuthError> {
        self.env.db.read(tenant.into(), id, |tx, id| Box::pin(machine(tx, *id))).await
    }

    /// The account of this name.
    pub async fn find_by_name(
        &self,
        tenant: TenantId,
        name: &str,
    ) -> Result<Option<ServiceAccount>, AuthError> {
        let found = self.env.db.read(tenant.into(), name.to_owned(), |tx, name| {
            Box::pin(async move { Ok(store::by_name(tx, name).await?) })
        });
        found.await
    }

    /// Makes an account with these roles, none of which go beyond the caller (S-105).
    ///
    /// # Errors
    /// [`AuthError::NameTaken`]; [`AuthError::InvalidFields`] for a name or roles that are none.
    pub async fn create(
        &self,
        tenant: TenantId,
        name: &str,
        roles: Vec<String>,
        caller: &Caller,
    ) -> Result<Machine, AuthError> {
        check_name(name).map_err(|fault| AuthError::InvalidFields(vec![fault]))?;
        let now = self.env.now();
        let id = ServiceAccountId::new(now, self.env.random());
        let account = ServiceAccount { id, name: name.to_owned(), disabled_at: None, created_at: now };
        let created = self.audit.done(&caller.source, caller.actor, Action::ServiceAccountCreated, id);
        let input = (account, roles, caller.authority.clone(), created);
        let made = self.env.db.write(tenant.into(), input, |tx, (account, roles, authority, created)| {
            Box::pin(async move {
                store::insert(tx, account).await.map_err(name_taken)?;
                roles::assign(tx, account.id.into(), roles, authority).await?;
                audit::record(tx, created).await?;
                machine(tx, account.id).await
            })
        });
        made.await
    }

    /// Changes the account in all the ways asked for, or in none.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`AuthError::InsufficientPermissions`] for one above the caller.
    pub async fn update(
        &self,
        tenant: TenantId,
        id: ServiceAccountId,
        to: ServiceAccountChange,
        caller: &Caller,
    ) -> Result<Machine, AuthError> {
        if let Some(name) = &to.name {
            check_name(name).map_err(|fault| AuthError::InvalidFields(vec![fault]))?;
        }
        let updated = self.audit.done(&caller.source, caller.actor, Action::ServiceAccountUpdated, id);
        let change = Change { id, to, authority: caller.authority.clone(), now: self.env.now(), updated };
        self.env.db.write(tenant.into(), change, |tx, change| Box::pin(update(tx, change))).await
    }
}

/// Removes the account with its roles, unless it stands above `authority`.
pub(crate) async fn delete(
    tx: &mut Tx,
    id: ServiceAccountId,
    authority: &Authority,
) -> Result<(), AuthError> {
    take(tx, id, authority).await?;
    roles::take_all(tx, id.into()).await?;
    Ok(store::delete(tx, id).await?)
}

fn name_taken(error: StoreError) -> AuthError {
    match error {
        StoreError::Constraint(constraint) if constraint.is("service_accounts", &["name"]) => {
            AuthError::NameTaken
        }
        other => other.into(),
    }
}

async fn machine(tx: &mut Tx, id: ServiceAccountId) -> Result<Machine, AuthError> {
    let account = store::by_id(tx, id).await?.ok_or(AuthError::NotFound)?;
    Ok(Machine { roles: roles::of(tx, id.into()).await?, account })
}

/// Takes the account for this transaction; refuses one above `authority`.
async fn take(tx: &mut Tx, id: ServiceAccountId, authority: &Authority) -> Result<ServiceAccount, AuthError> {
    lock(tx, id).await?;
    let Machine { account, roles } = machine(tx, id).await?;
    authority.outranks(&roles)?;
    Ok(account)
}

async fn update(tx: &mut Tx, change: &Change) -> Result<Machine, AuthError> {
    let account = take(tx, change.id, &change.authority).await?;
    if let Some(name) = &change.to.name {
        store::rename(tx, account.id, name).await.map_err(name_taken)?;
    }
    if let Some(active) = change.to.is_active
        && active != account.is_active()
    {
        store::set_disabled(tx, account.id, (!active).then_some(change.now)).await?;
    }
    if let Some(names) = &change.to.roles {
        roles::assign(tx, account.id.into(), names, &change.authority).await?;
    }
    audit::record(tx, &change.updated).await?;
    machine(tx, account.id).await
}
