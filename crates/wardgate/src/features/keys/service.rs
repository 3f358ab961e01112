//! Makes, rotates and retires signing keys; signs and verifies with them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use wardgate_crypto::{Digest, MasterKey, SigningKey};
use wardgate_store::{StoreError, Tx};
use wardgate_verify::{AccessClaims, Algorithm, JwkSet, Policy, VerifyingKey, jws};
use zeroize::Zeroizing;

use super::model::{KeyState, KeyView, OpenKey, Schedule, plan};
use super::store::{self, KeyRow};
use super::verified::{Verified, VerifiedTokens};
use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit};
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

const PURPOSE: &str = "wardgate signing key";

/// Unknown key ids reload the keys at most this often: a flood of invented ids costs nothing (S-033).
const RELOAD_COOL_DOWN: Duration = Duration::from_secs(1);

/// What the configuration says about signing.
#[derive(Clone)]
pub(crate) struct KeySettings {
    pub(crate) algorithm: Algorithm,
    /// The shared secret; only with HS256.
    pub(crate) hs256_secret: Option<Zeroizing<Vec<u8>>>,
    pub(crate) rotation: Duration,
    pub(crate) token_life: Duration,
}

/// A key in memory: parsed once, used for every signature.
struct ParsedKey {
    tenant: TenantId,
    signing: SigningKey,
    verifying: VerifyingKey,
}

/// The signing keys of all tenants.
pub struct Keys {
    env: Arc<Environment>,
    audit: Arc<Audit>,
    master: Arc<MasterKey>,
    settings: KeySettings,
    parsed: RwLock<HashMap<String, Arc<ParsedKey>>>,
    reloaded_at: Mutex<Option<Duration>>,
    verified: VerifiedTokens,
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

impl Keys {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        master: Arc<MasterKey>,
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

    /// Does what is due for the tenant's keys: makes the first one, publishes a successor, retires the outlived.
    ///
    /// Safe to call from many nodes at once: they make one key set (S-142).
    pub async fn maintain(&self, tenant: TenantId, source: &Source) -> Result<(), AuthError> {
        let open = self.open_rows(tenant).await?;
        let plan = plan(&self.planning_view(tenant, &open)?, self.schedule(), self.env.now());
        if plan.make.is_none() && plan.retire.is_empty() {
            return Ok(());
        }
        let candidate = match plan.make {
            Some(_) => Some(self.generate().await?),
            None => None,
        };
        self.apply(tenant, candidate, source).await
    }

    /// Decides again under the lock, so that of two nodes with a candidate each only one inserts it.
    async fn apply(
        &self,
        tenant: TenantId,
        candidate: Option<SigningKey>,
        source: &Source,
    ) -> Result<(), AuthError> {
        let now = self.env.now();
        let input = ApplyInput {
            candidate: candidate.map(|key| self.row(tenant, &key, now, now)).transpose()?,
            configured: self.configured_marks(tenant).await?,
            schedule: self.schedule(),
            now,
            audit: Arc::clone(&self.audit),
            source: source.clone(),
        };
        self.env.db.write(tenant.into(), input, |tx, input| Box::pin(apply_plan(tx, input))).await?;
        self.reload(tenant).await
    }

    /// Publishes a successor that takes over in an hour. [`AuthError::InvalidFields`] under HS256, whose
    /// secret only the operator can change.
    pub async fn rotate(&self, tenant: TenantId, actor: Actor, source: &Source) -> Result<String, AuthError> {
        if self.settings.algorithm == Algorithm::Hs256 {
            return Err(AuthError::field(
                "algorithm",
                "shared_secret",
                "HS256 signs with a secret that you share with your services: write a new one into \
                 tokens.hs256_secret_file, give it to them, and restart",
            ));
        }
        let now = self.env.now();
        let key = self.generate().await?;
        let row = self.row(tenant, &key, now, now.plus(super::model::PUBLISH_AHEAD))?;
        let kid = row.kid.clone();
        let made = self.audit.done(source, actor, Action::KeyCreated, &kid);
        self.env
            .db
            .write(tenant.into(), (row, made), |tx, (row, made)| {
                Box::pin(async move {
                    store::insert(tx, row).await?;
                    audit::record(tx, made).await?;
                    Ok::<_, AuthError>(())
                })
            })
            .await?;
        self.reload(tenant).await?;
        Ok(kid)
    }

    /// Withdraws a key at once: its tokens are refused from the next request on. If it was the one that
    /// signs, a new one takes its place in the same transaction.
    pub async fn retire_now(
        &self,
        tenant: TenantId,
        kid: &str,
        actor: Actor,
        source: &Source,
    ) -> Result<(), AuthError> {
        let now = self.env.now();
        let spare = self.generate().await?;
        let spare_row = self.row(tenant, &spare, now, now)?;
        let retired = self.audit.done(source, actor, Action::KeyRetired, kid);
        let made = self.audit.done(source, actor, Action::KeyCreated, &spare_row.kid);
        self.env
            .db
            .write(tenant.into(), (kid.to_owned(), spare_row, retired, made, now), |tx, input| {
                Box::pin(async move {
                    let (kid, spare, retired, made, now) = input;
                    tx.lock("signing_keys").await?;
                    if !store::retire(tx, kid, *now).await? {
                        return Err(AuthError::NotFound);
                    }
                    audit::record(tx, retired).await?;
                    if store::signing(tx, *now).await?.is_none() {
                        store::insert(tx, spare).await?;
                        audit::record(tx, made).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        self.reload(tenant).await
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

    /// Signs `claims` with the key that the issuing transaction chose.
    pub(crate) async fn sign(
        &self,
        tenant: TenantId,
        kid: &str,
        claims: &AccessClaims,
    ) -> Result<String, AuthError> {
        let key = match self.find(kid) {
            Some(key) => key,
            None => {
                self.reload(tenant).await?;
                self.find(kid)
                    .ok_or_else(|| AuthError::internal("sign", "the signing key is not in memory"))?
            }
        };
        wardgate_crypto::jwt::encode(&key.signing, claims).map_err(|error| AuthError::internal("sign", error))
    }

    /// Checks signature and claims; the tenant is the key's, never one that the token names. Whether the key is
    /// still open is for the caller's look at the store ([`is_open`]).
    async fn check_signature(&self, token: &str) -> Result<Arc<Verified>, AuthError> {
        let unverified = jws::parse(token).map_err(|_| AuthError::InvalidCredential)?;
        let kid = unverified.kid();
        let key = match self.find(kid) {
            Some(key) => key,
            None => self.find_after_reload(kid).await?,
        };
        let payload = unverified.verify(&key.verifying).map_err(|_| AuthError::InvalidCredential)?;
        let claims = AccessClaims::from_json(payload).map_err(|_| AuthError::InvalidCredential)?;
        Ok(Arc::new(Verified { tenant: key.tenant, kid: kid.to_owned(), claims }))
    }

    /// As [`check_signature`](Self::check_signature), once a token; claims and times are checked every time.
    pub(crate) async fn verify(
        &self,
        token: &str,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Arc<Verified>, AuthError> {
        // Before anything is computed over it (S-145).
        if token.len() > jws::MAX_TOKEN_BYTES {
            return Err(AuthError::InvalidCredential);
        }
        let digest = Digest::of(token.as_bytes());
        let verified = match self.verified.find(digest) {
            Some(known) => known,
            None => {
                let verified = self.check_signature(token).await?;
                self.verified.keep(digest, Arc::clone(&verified));
                verified
            }
        };
        policy.check(&verified.claims, now.as_seconds()).map_err(|_| AuthError::InvalidCredential)?;
        Ok(verified)
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

    fn find(&self, kid: &str) -> Option<Arc<ParsedKey>> {
        self.parsed.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }

    async fn find_after_reload(&self, kid: &str) -> Result<Arc<ParsedKey>, AuthError> {
        // Every key id of ours is 43 characters of base64url; nothing else is worth a look at the database.
        let ours =
            kid.len() == 43 && kid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if ours && self.may_reload() {
            self.reload(TenantId::DEFAULT).await?;
        }
        self.find(kid).ok_or(AuthError::InvalidCredential)
    }

    fn may_reload(&self) -> bool {
        let now = self.env.clock.monotonic();
        let mut last = self.reloaded_at.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.saturating_sub(last) >= RELOAD_COOL_DOWN);
        if due {
            *last = Some(now);
        }
        due
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
        parsed.extend(fresh);
        Ok(())
    }

    async fn open_rows(&self, tenant: TenantId) -> Result<Vec<KeyRow>, AuthError> {
        self.env
            .db
            .lookup(tenant.into(), (), |tx, ()| {
                Box::pin(async move { Ok::<_, AuthError>(store::list_open(tx).await?) })
            })
            .await
    }

    fn schedule(&self) -> Schedule {
        Schedule {
            rotation: self.settings.rotation,
            token_life: self.settings.token_life,
            shared_secret: self.settings.algorithm == Algorithm::Hs256,
        }
    }

    fn planning_view(&self, tenant: TenantId, rows: &[KeyRow]) -> Result<Vec<OpenKey>, AuthError> {
        rows.iter()
            .map(|row| {
                let as_configured = self.is_as_configured(tenant, row)?;
                Ok(OpenKey { kid: row.kid.clone(), as_configured, activates_at: row.activates_at })
            })
            .collect()
    }

    async fn configured_marks(&self, tenant: TenantId) -> Result<HashMap<String, bool>, AuthError> {
        let rows = self.open_rows(tenant).await?;
        rows.iter().map(|row| Ok((row.kid.clone(), self.is_as_configured(tenant, row)?))).collect()
    }

    fn is_as_configured(&self, tenant: TenantId, row: &KeyRow) -> Result<bool, AuthError> {
        if row.algorithm != self.settings.algorithm.as_str() {
            return Ok(false);
        }
        match &self.settings.hs256_secret {
            None => Ok(true),
            Some(secret) => {
                let stored = self.unseal(tenant, row)?;
                Ok(bool::from(subtle::ConstantTimeEq::ct_eq(stored.as_slice(), secret.as_slice())))
            }
        }
    }

    /// Makes a key as configured; off the async threads, since RSA takes its time.
    async fn generate(&self) -> Result<SigningKey, AuthError> {
        let (algorithm, rng) = (self.settings.algorithm, Arc::clone(&self.env.rng));
        if let Some(secret) = &self.settings.hs256_secret {
            let kid = random_kid(&self.env.random());
            return SigningKey::hs256(kid, secret)
                .map_err(|error| AuthError::internal("take the HS256 secret", error));
        }
        tokio::task::spawn_blocking(move || SigningKey::generate(algorithm, rng.as_ref()))
            .await
            .map_err(|error| AuthError::internal("make a signing key", error))?
            .map_err(|error| AuthError::internal("make a signing key", error))
    }

    fn row(
        &self,
        tenant: TenantId,
        key: &SigningKey,
        now: Timestamp,
        activates_at: Timestamp,
    ) -> Result<KeyRow, AuthError> {
        let kid = key.kid().to_owned();
        let secret =
            key.to_secret_bytes().map_err(|error| AuthError::internal("write a signing key", error))?;
        let sealed_secret =
            self.master.seal(PURPOSE, &seal_context(tenant, &kid), &secret, self.env.rng.as_ref());
        let algorithm = key.algorithm().as_str().to_owned();
        Ok(KeyRow { kid, algorithm, sealed_secret, created_at: now, activates_at, retired_at: None })
    }

    fn unseal(&self, tenant: TenantId, row: &KeyRow) -> Result<Zeroizing<Vec<u8>>, AuthError> {
        self.master
            .open(PURPOSE, &seal_context(tenant, &row.kid), &row.sealed_secret)
            .map_err(|error| AuthError::internal("open a signing key", error))
    }

    /// The row's key from memory, or opened.
    fn parsed(&self, tenant: TenantId, row: &KeyRow) -> Result<Arc<ParsedKey>, AuthError> {
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

struct ApplyInput {
    candidate: Option<KeyRow>,
    configured: HashMap<String, bool>,
    schedule: Schedule,
    now: Timestamp,
    audit: Arc<Audit>,
    source: Source,
}

async fn apply_plan(tx: &mut Tx, input: &ApplyInput) -> Result<(), AuthError> {
    tx.lock("signing_keys").await?;
    let due = plan(&open_keys(tx, &input.configured).await?, input.schedule, input.now);
    if let (Some(activates_at), Some(candidate)) = (due.make, &input.candidate) {
        store::insert(tx, &candidate.activating(activates_at)).await?;
        let made = input.audit.done(&input.source, Actor::System, Action::KeyCreated, &candidate.kid);
        audit::record(tx, &made).await?;
    }
    for kid in &due.retire {
        store::retire(tx, kid, input.now).await?;
        let retired = input.audit.done(&input.source, Actor::System, Action::KeyRetired, kid);
        audit::record(tx, &retired).await?;
    }
    Ok(())
}

async fn open_keys(tx: &mut Tx, configured: &HashMap<String, bool>) -> Result<Vec<OpenKey>, StoreError> {
    let as_planned = |row: KeyRow| OpenKey {
        // A key that appeared meanwhile was made by a node that had the same reason.
        as_configured: configured.get(&row.kid).copied().unwrap_or(true),
        kid: row.kid,
        activates_at: row.activates_at,
    };
    Ok(store::list_open(tx).await?.into_iter().map(as_planned).collect())
}

impl KeyRow {
    fn activating(&self, at: Timestamp) -> Self {
        Self {
            kid: self.kid.clone(),
            algorithm: self.algorithm.clone(),
            sealed_secret: self.sealed_secret.clone(),
            created_at: self.created_at,
            activates_at: at,
            retired_at: None,
        }
    }
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

fn parse_algorithm(text: &str) -> Result<Algorithm, AuthError> {
    text.parse().map_err(|_| AuthError::internal("read a signing key", format!("unknown algorithm {text:?}")))
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
