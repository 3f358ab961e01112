//! Another master key, while any number of nodes go on.
//!
//! The database says which master key it is under, in two values that only this key opens. The change begins with one
//! for the next key beside the one before: from then on every node seals with the next, and it takes both to start.
//! When nothing is sealed under the one before any more, the other value goes, and with it the need for that key.

use std::sync::Arc;

use wardgate_crypto::{Keyring, MasterKeyId};
use wardgate_store::{BoxFuture, Db, GlobalSql, GlobalTx, StoreError, Tx};

use super::service::{Checks, KEPT, KEY_CHECK, NEXT_KEY_CHECK, new_check};
use super::store;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::ports::Rng;

/// Two changes at once would end each other half done.
const LOCK: &str = "master key";

/// The rows of a feature in which something is sealed.
pub(crate) trait SealedRows: 'static {
    /// What they are called, many of them.
    const NAME: &str;

    /// How many, of all tenants, do not begin with the mark `$1`.
    const COUNT_BEHIND: GlobalSql;

    /// Some of the tenants that have such rows; none when there are no more.
    const TENANTS_BEHIND: GlobalSql;

    /// Seals some of the tenant's such rows anew; how many.
    fn reseal<'t>(tx: &'t mut Tx, under: &'t Resealing) -> BoxFuture<'t, Result<u64, AuthError>>;
}

/// What a tenant's rows are sealed anew with.
pub(crate) struct Resealing {
    pub(crate) tenant: TenantId,
    /// What everything begins with that is done.
    pub(crate) mark: Vec<u8>,
    keyring: Arc<Keyring>,
    rng: Arc<dyn Rng>,
}

impl Resealing {
    pub(crate) fn new(tenant: TenantId, keyring: &Arc<Keyring>, rng: &Arc<dyn Rng>) -> Self {
        let mark = keyring.given().id().mark().to_vec();
        Self { tenant, mark, keyring: Arc::clone(keyring), rng: Arc::clone(rng) }
    }

    /// Opens `sealed` and seals it anew.
    pub(crate) fn seal(&self, purpose: &str, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, AuthError> {
        let anew = self.keyring.reseal(purpose, context, sealed, self.rng.as_ref());
        anew.map_err(|error| {
            AuthError::internal("seal anew", format!("{purpose} of tenant {}: {error}", self.tenant))
        })
    }
}

/// How many rows of `R` are not under the key of this mark.
pub(crate) async fn count_behind<R: SealedRows>(tx: &mut GlobalTx, mark: &[u8]) -> Result<u64, StoreError> {
    store::count(tx, R::COUNT_BEHIND, mark).await
}

/// Some of the tenants that have such rows.
pub(crate) async fn tenants_behind<R: SealedRows>(
    tx: &mut GlobalTx,
    mark: &[u8],
) -> Result<Vec<TenantId>, StoreError> {
    store::tenants(tx, R::TENANTS_BEHIND, mark).await
}

/// Seals with the key that the database is under by now, once somebody has changed it.
///
/// # Errors
/// That key was not given: this node seals nothing more, and others must have its place.
pub(crate) async fn follow(db: &Db, keyring: &Keyring) -> Result<(), AuthError> {
    let checks =
        db.lookup_global((), |tx, ()| Box::pin(async move { Ok::<_, AuthError>(Checks::read(tx).await?) }));
    checks.await?.take_up(keyring).map_err(|error| AuthError::internal("follow the master key", error))
}

/// Lets every node seal under the given key from now on, and seals the lasting keys anew.
pub(crate) async fn begin_rotation(
    db: &Db,
    keyring: &Arc<Keyring>,
    rng: &Arc<dyn Rng>,
) -> Result<(), AuthError> {
    let input = (Arc::clone(keyring), Arc::clone(rng));
    let begun = db.write_global(input, |tx, (keyring, rng)| {
        Box::pin(async move {
            tx.lock(LOCK).await?;
            for (purpose, sealed) in store::keys(tx).await? {
                let anew = keyring.reseal(KEPT, purpose.as_bytes(), &sealed, rng.as_ref());
                let anew = anew.map_err(|error| AuthError::internal("open a lasting key", error))?;
                store::reseal_key(tx, &purpose, &anew).await?;
            }
            Ok::<_, AuthError>(store::put(tx, NEXT_KEY_CHECK, &new_check(keyring, rng.as_ref())).await?)
        })
    });
    begun.await?;
    follow(db, keyring).await
}

/// Lets go of the key before the given one: nothing is sealed under it any more. Says whether there was one.
///
/// # Errors
/// Somebody has begun to change to another one meanwhile.
pub(crate) async fn end_rotation(
    tx: &mut GlobalTx,
    keyring: &Keyring,
    rng: &dyn Rng,
) -> Result<bool, AuthError> {
    tx.lock(LOCK).await?;
    let Checks { whole, next } = Checks::read(tx).await?;
    let (before, next) = (whole.as_deref().and_then(named_in), next.as_deref().and_then(named_in));
    if next != Some(keyring.given().id()) {
        return Err(AuthError::internal("change the master key", "it is being changed to another one"));
    }
    store::put(tx, KEY_CHECK, &new_check(keyring, rng)).await?;
    store::remove(tx, NEXT_KEY_CHECK).await?;
    Ok(before != Some(keyring.given().id()))
}

fn named_in(check: &str) -> Option<MasterKeyId> {
    MasterKeyId::named_in(&super::service::decoded(check))
}
