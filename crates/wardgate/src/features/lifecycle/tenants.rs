//! A tenant's beginning and its end, with everything that is its own.

use wardgate_store::{StoreError, Tx};

use super::service::Lifecycle;
use crate::features::audit::Action;
use crate::features::roles::Caller;
use crate::features::tenants::{self, Tenant, check_slug};
use crate::features::{
    api_keys, audit, federation, identities, keys, limits, links, organizations, outbox, roles,
    service_accounts, sessions, users,
};
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;

/// As [`BATCH`], of what takes many other rows along.
const FEW: i64 = 10;

/// Rows of one table removed in one transaction: no body may keep the writer longer than its neighbours can wait.
const BATCH: i64 = 500;

impl Lifecycle {
    /// Makes a tenant with signing keys of its own, so that somebody can sign in at once.
    ///
    /// # Errors
    /// [`AuthError::SlugTaken`], also for the slug of a tenant that is gone; [`AuthError::InvalidFields`].
    pub async fn create_tenant(&self, slug: &str, name: &str, caller: &Caller) -> Result<Tenant, AuthError> {
        let mut faults: Vec<_> = check_slug(slug).err().into_iter().collect();
        faults.extend(tenants::check_name(name));
        if !faults.is_empty() {
            return Err(AuthError::InvalidFields(faults));
        }
        let now = self.env.now();
        let id = TenantId::new(now, self.env.random());
        let entry = self.audit.done(&caller.source, caller.actor, Action::TenantCreated, id);
        let input = (id, slug.to_owned(), name.to_owned(), now, entry);
        let made = self.env.db.write_global(input, |tx, (id, slug, name, now, entry)| {
            Box::pin(async move {
                let tenant = tenants::insert(tx, *id, slug, name, *now).await?;
                tenants::record(tx, entry).await?;
                Ok::<_, AuthError>(tenant)
            })
        });
        let tenant = made.await?;
        self.keys.maintain(id, &caller.source).await?;
        Ok(tenant)
    }

    /// Removes a tenant: first of all it is suspended, then its rows go, a few a transaction, and its own row last. Cut
    /// off in the middle it stays suspended, and asking again goes on.
    ///
    /// # Errors
    /// [`AuthError::DefaultTenant`]; [`AuthError::NotFound`].
    pub async fn delete_tenant(&self, id: TenantId, caller: &Caller) -> Result<(), AuthError> {
        self.tenants.suspend(id, true, caller).await?;
        while self.env.db.write(id.into(), (), |tx, ()| Box::pin(forget(tx))).await? {}
        let entry = self.audit.done(&caller.source, caller.actor, Action::TenantDeleted, id);
        let gone = self.env.db.write_global((id, entry), |tx, (id, entry)| {
            Box::pin(async move {
                tenants::forget(tx, *id).await?;
                Ok::<_, AuthError>(tenants::record(tx, entry).await?)
            })
        });
        gone.await?;
        self.keys.drop_tenant(id);
        Ok(())
    }
}

/// Removes some of what is the tenant's; whether there may be more. What points to others goes before them.
async fn forget(tx: &mut Tx) -> Result<bool, StoreError> {
    let removed = organizations::forget(tx, FEW).await?
        + api_keys::forget(tx, BATCH).await?
        + sessions::forget(tx, BATCH).await?
        + roles::forget(tx, BATCH).await?
        + service_accounts::forget(tx, BATCH).await?
        + federation::forget(tx, BATCH).await?
        + identities::forget(tx, BATCH).await?
        + users::forget(tx, BATCH).await?
        + outbox::forget(tx, BATCH).await?
        + links::forget(tx, BATCH).await?
        + limits::forget(tx, BATCH).await?
        + keys::forget(tx, BATCH).await?
        + audit::forget(tx, BATCH).await?;
    Ok(removed > 0)
}
