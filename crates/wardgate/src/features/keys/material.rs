//! The keys themselves: made, sealed into rows, opened and held in memory.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use wardgate_crypto::SigningKey;
use wardgate_store::{BoxFuture, GlobalSql, Tx};
use wardgate_verify::{Algorithm, VerifyingKey};
use zeroize::Zeroizing;

use super::service::Keys;
use super::store::{self, KeyRow};
use crate::features::instance::{Resealing, SealedRows};
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::time::Timestamp;

const PURPOSE: &str = "wardgate signing key";

/// Unknown key ids reload the keys at most this often: a flood of invented ids costs nothing (S-033).
const RELOAD_COOL_DOWN: Duration = Duration::from_secs(1);

/// Keys that one transaction seals anew.
const RESEALED_AT_ONCE: i64 = 500;

/// Tenants whose keys are reloaded in one second at most.
const MAX_TENANTS: usize = 1024;
/// Keys in memory at most, but for those of one tenant.
const MAX_KEYS: usize = 4096;

/// A key in memory: parsed once, used for every signature.
pub(super) struct ParsedKey {
    pub(super) tenant: TenantId,
    pub(super) signing: SigningKey,
    pub(super) verifying: VerifyingKey,
}

impl Keys {
    pub(super) fn find(&self, kid: &str) -> Option<Arc<ParsedKey>> {
        self.parsed.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }

    pub(super) async fn find_after_reload(
        &self,
        tenant: TenantId,
        kid: &str,
    ) -> Result<Arc<ParsedKey>, AuthError> {
        // Every key id of ours is 43 characters of base64url; nothing else is worth a look at the database.
        let ours =
            kid.len() == 43 && kid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if ours && self.may_reload(tenant) {
            self.reload(tenant).await?;
        }
        self.find(kid).ok_or(AuthError::InvalidCredential)
    }

    fn may_reload(&self, tenant: TenantId) -> bool {
        let now = self.env.clock.monotonic();
        let mut all = self.reloaded_at.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, last| now.saturating_sub(*last) < RELOAD_COOL_DOWN);
        // As many tenants in one second are a flood themselves.
        let due = all.len() < MAX_TENANTS && !all.contains_key(&tenant);
        if due {
            all.insert(tenant, now);
        }
        due
    }

    /// Forgets the keys of a tenant that is gone.
    pub(crate) fn drop_tenant(&self, tenant: TenantId) {
        self.parsed.write().unwrap_or_else(PoisonError::into_inner).retain(|_, key| key.tenant != tenant);
    }

    /// Brings the tenant's open keys into memory and drops those that are retired.
    pub(crate) async fn reload(&self, tenant: TenantId) -> Result<(), AuthError> {
        let rows = self.open_rows(tenant).await?;
        let mut fresh = HashMap::with_capacity(rows.len());
        for row in &rows {
            fresh.insert(row.kid.clone(), self.parsed(tenant, row)?);
        }
        let mut parsed = self.parsed.write().unwrap_or_else(PoisonError::into_inner);
        parsed.retain(|_, key| key.tenant != tenant);
        // Those of tenants that are not asked for cost memory; whoever is asked for next is read again.
        if parsed.len() > MAX_KEYS {
            parsed.retain(|_, key| key.tenant == TenantId::DEFAULT);
        }
        parsed.extend(fresh);
        Ok(())
    }

    pub(super) async fn open_rows(&self, tenant: TenantId) -> Result<Vec<KeyRow>, AuthError> {
        self.env
            .db
            .lookup(tenant.into(), (), |tx, ()| {
                Box::pin(async move { Ok::<_, AuthError>(store::list_open(tx).await?) })
            })
            .await
    }

    /// Makes a key as configured; off the async threads, since RSA takes its time.
    pub(super) async fn generate(&self, tenant: TenantId) -> Result<SigningKey, AuthError> {
        let (algorithm, rng) = (self.algorithm_of(tenant), Arc::clone(&self.env.rng));
        if let (Algorithm::Hs256, Some(secret)) = (algorithm, &self.settings.hs256_secret) {
            let kid = random_kid(&self.env.random());
            return SigningKey::hs256(kid, secret)
                .map_err(|error| AuthError::internal("take the HS256 secret", error));
        }
        tokio::task::spawn_blocking(move || SigningKey::generate(algorithm, rng.as_ref()))
            .await
            .map_err(|error| AuthError::internal("make a signing key", error))?
            .map_err(|error| AuthError::internal("make a signing key", error))
    }

    /// What the tenant's tokens are signed with. A secret that is shared with one tenant's services is never
    /// another's: they could mint for both.
    pub(super) fn algorithm_of(&self, tenant: TenantId) -> Algorithm {
        match self.settings.algorithm {
            Algorithm::Hs256 if tenant != TenantId::DEFAULT => Algorithm::EdDsa,
            algorithm => algorithm,
        }
    }

    pub(super) fn row(
        &self,
        tenant: TenantId,
        key: &SigningKey,
        now: Timestamp,
        activates_at: Timestamp,
    ) -> Result<KeyRow, AuthError> {
        let kid = key.kid().to_owned();
        let secret =
            key.to_secret_bytes().map_err(|error| AuthError::internal("write a signing key", error))?;
        let sealed = self.master.seal(PURPOSE, &seal_context(tenant, &kid), &secret, self.env.rng.as_ref());
        let sealed_secret = sealed.map_err(|error| AuthError::internal("seal a signing key", error))?;
        let algorithm = key.algorithm().as_str().to_owned();
        Ok(KeyRow { kid, algorithm, sealed_secret, created_at: now, activates_at, retired_at: None })
    }

    pub(super) fn unseal(&self, tenant: TenantId, row: &KeyRow) -> Result<Zeroizing<Vec<u8>>, AuthError> {
        self.master
            .open(PURPOSE, &seal_context(tenant, &row.kid), &row.sealed_secret)
            .map_err(|error| AuthError::internal("open a signing key", error))
    }

    /// The row's key from memory, or opened.
    pub(super) fn parsed(&self, tenant: TenantId, row: &KeyRow) -> Result<Arc<ParsedKey>, AuthError> {
        self.find(&row.kid).map_or_else(|| self.parse(tenant, row).map(Arc::new), Ok)
    }

    fn parse(&self, tenant: TenantId, row: &KeyRow) -> Result<ParsedKey, AuthError> {
        let algorithm = parse_algorithm(&row.algorithm)?;
        let secret = self.unseal(tenant, row)?;
        let signing = if algorithm == Algorithm::Hs256 {
            SigningKey::hs256(row.kid.clone(), &secret)
        } else {
            SigningKey::from_secret_bytes(algorithm, &secret)
        }
        .map_err(|error| AuthError::internal("read a signing key", error))?;
        let verifying = signing.verifying_key();
        Ok(ParsedKey { tenant, signing, verifying })
    }
}

impl SealedRows for Keys {
    const NAME: &str = "signing keys";
    const COUNT_BEHIND: GlobalSql = store::COUNT_BEHIND;
    const TENANTS_BEHIND: GlobalSql = store::TENANTS_BEHIND;

    fn reseal<'t>(tx: &'t mut Tx, under: &'t Resealing) -> BoxFuture<'t, Result<u64, AuthError>> {
        Box::pin(reseal(tx, under))
    }
}

async fn reseal(tx: &mut Tx, under: &Resealing) -> Result<u64, AuthError> {
    let mut resealed = 0;
    for (kid, sealed) in store::list_behind(tx, &under.mark, RESEALED_AT_ONCE).await? {
        let anew = under.seal(PURPOSE, &seal_context(under.tenant, &kid), &sealed)?;
        resealed += u64::from(store::reseal(tx, &kid, &sealed, &anew).await?);
    }
    Ok(resealed)
}

/// Binds a sealed key to its row: moved to another tenant or key id it does not open.
fn seal_context(tenant: TenantId, kid: &str) -> Vec<u8> {
    format!("{tenant}/{kid}").into_bytes()
}

/// A random key id for a shared secret: one derived from it would let it be guessed offline.
fn random_kid(random: &[u8; 32]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random)
}

pub(super) fn parse_algorithm(text: &str) -> Result<Algorithm, AuthError> {
    text.parse().map_err(|_| AuthError::internal("read a signing key", format!("unknown algorithm {text:?}")))
}
