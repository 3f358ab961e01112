//! Goes through the rows in which something is sealed, a few a transaction.
//!
//! Only rows under another key are looked at, so it can be cut off at any place and run again.

use std::sync::Arc;

use wardgate_crypto::Keyring;

use crate::environment::Environment;
use crate::features::audit::{self, Action, Audit, Entry};
use crate::features::instance::{self, Resealing, SealedRows};
use crate::features::roles::Caller;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;

/// Seals all rows of `R` anew; how many. `progress` gets their name, what is done, and how much there is.
pub(crate) async fn rows<R: SealedRows>(
    env: &Environment,
    keyring: &Arc<Keyring>,
    progress: &mut (impl FnMut(&str, u64, u64) + Send),
) -> Result<u64, AuthError> {
    let mark = keyring.given().id().mark();
    let all = env.db.read_global(mark, |tx, mark| Box::pin(instance::count_behind::<R>(tx, mark))).await?;
    let mut done = 0;
    loop {
        let tenants =
            env.db.read_global(mark, |tx, mark| Box::pin(instance::tenants_behind::<R>(tx, mark))).await?;
        if tenants.is_empty() {
            return Ok(done);
        }
        for tenant in tenants {
            let under = Resealing::new(tenant, keyring, &env.rng);
            done += env.db.write(tenant.into(), under, |tx, under| R::reseal(tx, under)).await?;
            progress(R::NAME, done, all);
        }
    }
}

/// Writes down that nothing needs the master key from before any more.
pub(crate) async fn end(
    env: &Environment,
    audit: &Audit,
    keyring: &Arc<Keyring>,
    caller: &Caller,
) -> Result<(), AuthError> {
    let target = keyring.given().id();
    let entry = audit.done(&caller.source, caller.actor, Action::MasterKeyRotated, target);
    let input = (Arc::clone(keyring), Arc::clone(&env.rng), entry);
    let ended = env.db.write_global(input, |tx, (keyring, rng, entry): &(_, _, Entry)| {
        Box::pin(async move {
            if instance::end_rotation(tx, keyring, rng.as_ref()).await? {
                audit::record(tx.within(TenantId::DEFAULT.into()), entry).await?;
            }
            Ok::<_, AuthError>(())
        })
    });
    ended.await
}
