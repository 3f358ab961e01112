//! What is sealed here, anew under another master key. It is above tenants, and never much: it takes one transaction.

use std::sync::Arc;

use wardgate_crypto::Keyring;
use wardgate_store::GlobalTx;

use super::store;
use crate::environment::Environment;
use crate::kernel::error::AuthError;
use crate::ports::Rng;

/// For what the account at an authority is sealed.
pub(super) const ACCOUNT: &str = "wardgate acme account";

/// For what a certificate's key is sealed.
pub(super) const KEY: &str = "wardgate acme certificate";

/// Seals accounts and the keys of certificates anew under the given master key; how many.
pub(crate) async fn reseal(env: &Environment, keyring: &Arc<Keyring>) -> Result<u64, AuthError> {
    let input = (Arc::clone(keyring), Arc::clone(&env.rng));
    let resealed = env.db.write_global(input, |tx, (keyring, rng)| {
        Box::pin(async move {
            Ok::<_, AuthError>(
                accounts(tx, keyring, rng.as_ref()).await? + keys(tx, keyring, rng.as_ref()).await?,
            )
        })
    });
    resealed.await
}

async fn accounts(tx: &mut GlobalTx, keyring: &Keyring, rng: &dyn Rng) -> Result<u64, AuthError> {
    let mut resealed = 0;
    for (directory, sealed) in store::accounts_behind(tx, &keyring.given().id().mark()).await? {
        let anew = keyring.reseal(ACCOUNT, directory.as_bytes(), &sealed, rng);
        let anew =
            anew.map_err(|error| AuthError::internal("seal an account at an authority anew", error))?;
        resealed += u64::from(store::reseal_account(tx, &directory, &sealed, &anew).await?);
    }
    Ok(resealed)
}

async fn keys(tx: &mut GlobalTx, keyring: &Keyring, rng: &dyn Rng) -> Result<u64, AuthError> {
    let mut resealed = 0;
    for (which, sealed) in store::keys_behind(tx, &keyring.given().id().mark()).await? {
        let anew = keyring.reseal(KEY, &which.seal_context(), &sealed, rng);
        let anew = anew.map_err(|error| AuthError::internal("seal a certificate's key anew", error))?;
        resealed += u64::from(store::reseal_key(tx, &which, &sealed, &anew).await?);
    }
    Ok(resealed)
}
