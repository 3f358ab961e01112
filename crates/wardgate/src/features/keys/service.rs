//! The signing keys of all tenants: what there is, and what is published.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use wardgate_crypto::Keyring;
use wardgate_store::{StoreError, Tx};
use wardgate_verify::{Algorithm, JwkSet};
use zeroize::Zeroizing;

use super::material::{ParsedKey, parse_algorithm};
use super::model::{KeyState, KeyView};
use super::store::{self, KeyRow};
use super::verified::VerifiedTokens;
use crate::environment::Environment;
use crate::features::audit::Audit;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::time::Timestamp;

/// What the configuration says about signing.
#[derive(Clone)]
pub(crate) struct KeySettings {
    pub(crate) algorithm: Algorithm,
    /// The shared secret; only with HS256.
    pub(crate) hs256_secret: Option<Zeroizing<Vec<u8>>>,
    pub(crate) rotation: Duration,
    pub(crate) token_life: Duration,
}

/// The signing keys of all tenants.
pub struct Keys {
    pub(super) env: Arc<Environment>,
    pub(super) audit: Arc<Audit>,
    pub(super) master: Arc<Keyring>,
    pub(super) settings: KeySettings,
    pub(super) parsed: RwLock<HashMap<String, Arc<ParsedKey>>>,
    pub(super) reloaded_at: Mutex<HashMap<TenantId, Duration>>,
    pub(super) verified: VerifiedTokens,
}

/// The key that signs at `now`. Read in the transaction that issues, so that a key retired by another
/// process is never signed with again.
pub(crate) async fn signing_kid(tx: &mut Tx, now: Timestamp) -> Result<Option<String>, StoreError> {
    store::signing(tx, now).await
}

/// Whether tokens of this key are still taken.
pub(crate) async fn is_open(tx: &mut Tx, kid: &str) -> Result<bool, StoreError> {
    store::is_open(tx, kid).await
}

/// Withdraws every key of the tenant, as an older state of the database is put back; how many. Until
/// [`Keys::maintain`] has made another, nobody can sign in.
pub(crate) async fn retire_every(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    store::retire_every(tx, now).await
}

/// Removes some of what is the tenant's, as when it goes; how many rows.
pub(crate) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::forget(tx, limit).await
}

impl Keys {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        master: Arc<Keyring>,
        settings: KeySettings,
    ) -> Self {
        Self {
            env,
            audit,
            master,
            settings,
            parsed: RwLock::default(),
            reloaded_at: Mutex::default(),
            verified: VerifiedTokens::default(),
        }
    }

    /// Every key, newest first.
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<KeyView>, AuthError> {
        let now = self.env.now();
        let rows = self
            .env
            .db
            .read(tenant.into(), (), |tx, ()| {
                Box::pin(async move { Ok::<_, AuthError>(store::list(tx).await?) })
            })
            .await?;
        let signing = rows
            .iter()
            .find(|row| row.retired_at.is_none() && row.activates_at <= now)
            .map(|row| row.kid.clone());
        rows.iter().map(|row| view(row, signing.as_deref(), now)).collect()
    }

    /// The public keys: those that sign, will sign, or signed tokens that still live.
    pub async fn jwks(&self, tenant: TenantId) -> Result<JwkSet, AuthError> {
        let rows = self.open_rows(tenant).await?;
        let mut keys = Vec::new();
        for row in &rows {
            // From the sealed secret, not from a column: whoever can write rows but lacks the master key must not
            // be able to publish a key of their own.
            keys.extend(self.parsed(tenant, row)?.signing.public_jwk());
        }
        Ok(JwkSet { keys })
    }

    /// Whether a key is open to sign with right now.
    pub(crate) async fn can_sign(&self, tenant: TenantId) -> Result<bool, AuthError> {
        let now = self.env.now();
        let signing = self
            .env
            .db
            .lookup(tenant.into(), now, |tx, now| {
                Box::pin(async move { Ok::<_, AuthError>(store::signing(tx, *now).await?) })
            })
            .await?;
        Ok(signing.is_some())
    }
}

fn view(row: &KeyRow, signing: Option<&str>, now: Timestamp) -> Result<KeyView, AuthError> {
    let state = if row.retired_at.is_some() {
        KeyState::Retired
    } else if row.activates_at > now {
        KeyState::Published
    } else if signing == Some(row.kid.as_str()) {
        KeyState::Signing
    } else {
        KeyState::Verifying
    };
    Ok(KeyView {
        kid: row.kid.clone(),
        algorithm: parse_algorithm(&row.algorithm)?,
        state,
        created_at: row.created_at,
        activates_at: row.activates_at,
        retired_at: row.retired_at,
    })
}
