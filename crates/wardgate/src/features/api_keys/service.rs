//! Makes, checks, changes, rotates and revokes API keys.

use std::sync::Arc;
use std::time::Duration;

use wardgate_crypto::{ApiKeyText, Digest};
use wardgate_store::{StoreError, Tx};
use zeroize::Zeroizing;

use super::model::{ApiKey, ApiKeyChange, MAX_KEYS, Quota, RateLimit, may_mint, within_roles};
use super::store;
use super::usage::Usage;
use crate::environment::Environment;
use crate::features::audit::{self, Action, Audit, Entry};
use crate::features::limits::Limits;
use crate::features::principals::{self, Authenticated};
use crate::features::roles::{self, Caller};
use crate::features::{service_accounts, users};
use crate::kernel::error::AuthError;
use crate::kernel::ids::{ApiKeyId, TenantId};
use crate::kernel::page::{PageRequest, Position};
use crate::kernel::principal::{Subject, Via};
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;
use crate::ports::ephemeral::Limit;

/// Uses written in one transaction.
const FLUSH_BATCH: usize = 200;
/// Keys removed in one transaction.
const PURGE_BATCH: i64 = 100;

/// The API keys of all tenants.
pub struct ApiKeys {
    env: Arc<Environment>,
    audit: Arc<Audit>,
    limits: Arc<Limits>,
    usage: Usage,
}

/// A key that was just made, with the text that exists nowhere else.
pub struct NewApiKey {
    /// What is stored of it.
    pub key: ApiKey,
    /// What to send as `X-API-Key`; shown once.
    pub text: Zeroizing<String>,
}

/// Removes some of what is the tenant's, as when it goes; how many rows.
pub(crate) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::forget(tx, limit).await
}

impl std::fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewApiKey").field("key", &self.key).finish_non_exhaustive()
    }
}

/// A key about to be written, for an owner whose rights are read in the same transaction.
struct Making {
    key: ApiKey,
    digest: Digest,
    caller: Caller,
    entry: Entry,
}

/// One of an owner's keys, and who is about to do something to it.
struct Asked {
    owner: Subject,
    id: ApiKeyId,
    caller: Caller,
    now: Timestamp,
}

struct Changing {
    of: Asked,
    change: ApiKeyChange,
    entry: Entry,
}

struct Rotating {
    of: Asked,
    successor: ApiKeyId,
    digest: Digest,
    ends: Timestamp,
    entry: Entry,
}

/// What the row of a presented key says, and who stands behind it.
struct Presented {
    key: ApiKey,
    authenticated: Authenticated,
}

/// The key, live or not.
pub(crate) async fn find(tx: &mut Tx, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
    store::by_id(tx, id).await
}

/// Revokes every key of the tenant, as an older state of the database is put back; how many.
pub(crate) async fn revoke_every(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    store::revoke_every(tx, now).await
}

/// Removes every key of an owner who goes.
pub(crate) async fn end_all_of(tx: &mut Tx, owner: Subject) -> Result<u64, StoreError> {
    store::delete_all_of(tx, owner).await
}

/// Removes keys that ended before `before`, a few a transaction.
pub(crate) async fn purge(env: &Environment, before: Timestamp) -> Result<(), StoreError> {
    loop {
        let removed = env.db.write_global(before, |tx, before| {
            Box::pin(async move { store::purge(tx, *before, PURGE_BATCH).await })
        });
        if removed.await? == 0 {
            return Ok(());
        }
    }
}

impl ApiKeys {
    pub(crate) fn new(env: Arc<Environment>, audit: Arc<Audit>, limits: Arc<Limits>) -> Self {
        Self { env, audit, limits, usage: Usage::default() }
    }

    /// Makes a key for `owner`.
    ///
    /// # Errors
    /// [`AuthError::InsufficientPermissions`] for scopes beyond the owner's or the caller's rights;
    /// [`AuthError::TooManyApiKeys`]; [`AuthError::InvalidFields`]; [`AuthError::NotFound`] without such an owner.
    pub async fn create(
        &self,
        tenant: TenantId,
        owner: Subject,
        new: ApiKeyChange,
        caller: &Caller,
    ) -> Result<NewApiKey, AuthError> {
        let now = self.env.now();
        let mut key = ApiKey {
            id: ApiKeyId::new(now, self.env.random()),
            owner,
            name: String::new(),
            scopes: None,
            networks: Vec::new(),
            rate_limit: None,
            quota: None,
            used: Default::default(),
            created_at: now,
            expires_at: None,
            revoked_at: None,
            replaced_at: None,
            last_used_at: None,
            last_used_address: None,
        };
        new.apply(&mut key, now)?;
        let text = self.text_of(key.id);
        let entry = self.audit.done(&caller.source, caller.actor, Action::ApiKeyCreated, key.id);
        let making = Making { key, digest: text.digest(), caller: caller.clone(), entry };
        let made = self.env.db.write(tenant.into(), making, |tx, making| Box::pin(make(tx, making)));
        Ok(NewApiKey { key: made.await?, text: text.reveal() })
    }

    /// The key, live or not; [`AuthError::NotFound`] if there is none.
    pub async fn get(&self, tenant: TenantId, id: ApiKeyId) -> Result<ApiKey, AuthError> {
        let found = self.env.db.read(tenant.into(), id, |tx, id| {
            Box::pin(async move { store::by_id(tx, *id).await?.ok_or(AuthError::NotFound) })
        });
        found.await
    }

    /// A page of the owner's live keys, newest first, and where the next one begins.
    pub async fn list(
        &self,
        tenant: TenantId,
        owner: Subject,
        page: PageRequest,
    ) -> Result<(Vec<ApiKey>, Option<Position>), AuthError> {
        let input = (owner, page, self.env.now());
        let rows = self.env.db.read(tenant.into(), input, |tx, (owner, page, now)| {
            Box::pin(async move {
                Ok::<_, AuthError>(store::list_live(tx, *owner, *now, page.start(), page.fetch()).await?)
            })
        });
        Ok(page.split(rows.await?, ApiKey::position))
    }

    /// Changes one of the owner's keys.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`AuthError::NotFound`] for another's, a dead or an invented one, all alike.
    pub async fn update(
        &self,
        tenant: TenantId,
        owner: Subject,
        id: ApiKeyId,
        change: ApiKeyChange,
        caller: &Caller,
    ) -> Result<ApiKey, AuthError> {
        let entry = self.audit.done(&caller.source, caller.actor, Action::ApiKeyUpdated, id);
        let of = Asked { owner, id, caller: caller.clone(), now: self.env.now() };
        let changing = Changing { of, change, entry };
        self.env.db.write(tenant.into(), changing, |tx, changing| Box::pin(update(tx, changing))).await
    }

    /// Revokes one of the owner's keys, at once.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] as for [`update`](Self::update).
    pub async fn revoke(
        &self,
        tenant: TenantId,
        owner: Subject,
        id: ApiKeyId,
        caller: &Caller,
    ) -> Result<(), AuthError> {
        let entry = self.audit.done(&caller.source, caller.actor, Action::ApiKeyRevoked, id);
        let of = Asked { owner, id, caller: caller.clone(), now: self.env.now() };
        let revoked = self.env.db.write(tenant.into(), (of, entry), |tx, (of, entry)| {
            Box::pin(async move {
                own(tx, of).await?;
                if !store::revoke(tx, of.id, of.now).await? {
                    return Err(AuthError::NotFound);
                }
                Ok(audit::record(tx, entry).await?)
            })
        });
        revoked.await
    }

    /// Gives one of the owner's keys a successor that may do the same; the old one ends after `overlap`, or when it
    /// would have anyway.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] as for [`update`](Self::update), and for a key that has a successor already.
    pub async fn rotate(
        &self,
        tenant: TenantId,
        owner: Subject,
        id: ApiKeyId,
        overlap: Duration,
        caller: &Caller,
    ) -> Result<NewApiKey, AuthError> {
        let now = self.env.now();
        let successor = ApiKeyId::new(now, self.env.random());
        let text = self.text_of(successor);
        let entry = self.audit.done(&caller.source, caller.actor, Action::ApiKeyRotated, id);
        let of = Asked { owner, id, caller: caller.clone(), now };
        let rotating = Rotating { of, successor, digest: text.digest(), ends: now.plus(overlap), entry };
        let made = self.env.db.write(tenant.into(), rotating, |tx, rotating| Box::pin(rotate(tx, rotating)));
        Ok(NewApiKey { key: made.await?, text: text.reveal() })
    }

    fn text_of(&self, id: ApiKeyId) -> ApiKeyText {
        ApiKeyText::generate(id.as_uuid().as_bytes(), self.env.rng.as_ref())
    }

    /// Checks a presented key against the store, its networks and limits, and counts its use.
    ///
    /// # Errors
    /// [`AuthError::InvalidApiKey`], alike and at the same cost whatever is wrong (S-063, S-065);
    /// [`AuthError::RateLimited`] when the key or the source has no more room.
    pub async fn authenticate(
        &self,
        tenant: TenantId,
        text: &str,
        source: &Source,
    ) -> Result<Authenticated, AuthError> {
        self.limits.admit_token(tenant, source)?;
        let found = match ApiKeyText::parse(text) {
            Some(text) => self.find(tenant, text.digest()).await,
            None => Err(AuthError::InvalidApiKey),
        };
        let admitted = match found {
            Ok(Presented { key, authenticated }) => {
                self.admit(tenant, &key, source).await.map(|()| authenticated)
            }
            Err(refusal) => Err(refusal),
        };
        if matches!(admitted, Err(AuthError::InvalidApiKey)) {
            self.limits.note_bad_token(tenant, "api_key", source);
        }
        admitted
    }

    /// Holds a use of the key, or of a token that it was exchanged for, to the key's networks and limits, and counts it.
    ///
    /// # Errors
    /// [`AuthError::InvalidApiKey`] from elsewhere; [`AuthError::RateLimited`].
    pub(crate) async fn admit(
        &self,
        tenant: TenantId,
        key: &ApiKey,
        source: &Source,
    ) -> Result<(), AuthError> {
        if !key.admits(source.address) {
            return Err(AuthError::InvalidApiKey);
        }
        self.count(tenant, key, source).await
    }

    /// The same statements for known and unknown keys.
    async fn find(&self, tenant: TenantId, digest: Digest) -> Result<Presented, AuthError> {
        let input = (tenant, digest, self.env.now());
        let found = self.env.db.lookup(tenant.into(), input, |tx, (tenant, digest, now)| {
            Box::pin(async move {
                let key = store::by_digest(tx, *digest).await?;
                let nobody = ApiKeyId::from_uuid(uuid::Uuid::nil());
                let via = Via::ApiKey(key.as_ref().map_or(nobody, |key| key.id));
                let standing = key.as_ref().map(|key| key.standing(*now));
                let authenticated = principals::resolve(tx, *tenant, via, standing).await?;
                let key = key.ok_or(AuthError::InvalidApiKey)?;
                Ok(Presented { key, authenticated })
            })
        });
        found.await.map_err(|error| match error {
            AuthError::InvalidCredential | AuthError::InactiveUser => AuthError::InvalidApiKey,
            other => other,
        })
    }

    async fn count(&self, tenant: TenantId, key: &ApiKey, source: &Source) -> Result<(), AuthError> {
        if let Some(RateLimit { requests, seconds }) = key.rate_limit {
            let window = Duration::from_secs(seconds.into());
            let rule = Limit { name: "api_key", requests, window };
            self.limits.take(tenant, rule, key.id.as_uuid().as_bytes(), source).await?;
        }
        let now = self.env.now();
        self.usage.count(tenant, key, now, source.address).map_err(|rest| {
            let Quota { requests, period } = key.quota.unwrap_or(Quota::NONE);
            let (since, end) = period.around(now);
            AuthError::RateLimited {
                policy: "api_key_quota",
                quota: u32::try_from(requests).unwrap_or(u32::MAX),
                window: end.since(since),
                retry_after: Duration::from_secs(rest.as_millis().div_ceil(1000) as u64)
                    .max(Duration::from_secs(1)),
            }
        })
    }

    /// Writes down what keys were used for since the last time. What cannot be written is kept for the next.
    pub(crate) async fn flush(&self) -> Result<(), AuthError> {
        let mut uses = self.usage.take();
        uses.sort_unstable_by_key(|((tenant, id), _)| (*tenant, *id));
        while !uses.is_empty() {
            let tenant = uses[0].0.0;
            let same = uses.iter().take(FLUSH_BATCH).take_while(|((of, _), _)| *of == tenant).count();
            let batch: Vec<_> = uses.drain(..same).collect();
            let written = self.env.db.write(tenant.into(), batch.clone(), |tx, batch| {
                Box::pin(async move {
                    for ((_, id), uses) in batch {
                        let address = uses.address.map(|address| address.to_string());
                        store::note_use(tx, *id, uses.at, address.as_deref()).await?;
                        if let Some(counted) = uses.of {
                            let count = i64::try_from(uses.count).unwrap_or(i64::MAX);
                            store::count_use(tx, *id, counted, count).await?;
                        }
                    }
                    Ok::<_, StoreError>(())
                })
            });
            if let Err(error) = written.await {
                uses.extend(batch);
                self.usage.put_back(uses);
                return Err(error.into());
            }
        }
        self.usage.written();
        Ok(())
    }
}

/// Takes the owner for this transaction, so that the count of keys holds; [`AuthError::NotFound`] without one.
async fn take(tx: &mut Tx, owner: Subject) -> Result<(), AuthError> {
    let found = match owner {
        Subject::User(id) => {
            users::lock(tx, id).await?;
            users::find(tx, id).await?.map(drop)
        }
        Subject::ServiceAccount(id) => {
            service_accounts::lock(tx, id).await?;
            service_accounts::find(tx, id).await?.map(drop)
        }
    };
    found.ok_or(AuthError::NotFound)
}

/// The owner's live key, for a caller who stands no lower than the owner (S-105).
async fn own(tx: &mut Tx, of: &Asked) -> Result<ApiKey, AuthError> {
    take(tx, of.owner).await?;
    let key = store::by_id(tx, of.id).await?;
    let key = key.filter(|key| key.owner == of.owner && key.is_live(of.now)).ok_or(AuthError::NotFound)?;
    of.caller.authority.outranks(&roles::of(tx, of.owner).await?)?;
    Ok(key)
}

/// What a caller that is itself a key may leave behind; see [`ApiKey::may_leave`].
async fn check_caller(tx: &mut Tx, caller: &Caller, key: &ApiKey) -> Result<(), AuthError> {
    let Some(own) = caller.api_key else { return Ok(()) };
    let own = store::by_id(tx, own).await?.ok_or(AuthError::InvalidApiKey)?;
    own.may_leave(key)
}

async fn check_rights(tx: &mut Tx, caller: &Caller, key: &ApiKey) -> Result<(), AuthError> {
    let roles = roles::of(tx, key.owner).await?;
    caller.authority.outranks(&roles)?;
    within_roles(&roles, key.scopes.as_ref())?;
    may_mint(&caller.authority, key.scopes.as_ref())
}

async fn make(tx: &mut Tx, making: &Making) -> Result<ApiKey, AuthError> {
    let Making { key, digest, caller, entry } = making;
    take(tx, key.owner).await?;
    check_rights(tx, caller, key).await?;
    check_caller(tx, caller, key).await?;
    insert(tx, key, *digest).await?;
    audit::record(tx, entry).await?;
    Ok(key.clone())
}

async fn insert(tx: &mut Tx, key: &ApiKey, digest: Digest) -> Result<(), AuthError> {
    let all = PageRequest { limit: PageRequest::MAX_LIMIT, after: None };
    let live = store::list_live(tx, key.owner, key.created_at, all.start(), all.fetch()).await?;
    if live.len() >= MAX_KEYS {
        return Err(AuthError::TooManyApiKeys);
    }
    Ok(store::insert(tx, key, digest).await?)
}

async fn update(tx: &mut Tx, changing: &Changing) -> Result<ApiKey, AuthError> {
    let Changing { of, change, entry } = changing;
    let mut key = own(tx, of).await?;
    // As it is and as it is to be: a limited credential has no say over a key that may do more (S-061).
    may_mint(&of.caller.authority, key.scopes.as_ref())?;
    let scopes_change = change.scopes.is_some();
    change.clone().apply(&mut key, of.now)?;
    if scopes_change {
        check_rights(tx, &of.caller, &key).await?;
    }
    check_caller(tx, &of.caller, &key).await?;
    if !store::update(tx, &key).await? {
        return Err(AuthError::NotFound);
    }
    audit::record(tx, entry).await?;
    Ok(key)
}

async fn rotate(tx: &mut Tx, rotating: &Rotating) -> Result<ApiKey, AuthError> {
    let Rotating { of, successor, digest, ends, entry } = rotating;
    let old = own(tx, of).await?;
    may_mint(&of.caller.authority, old.scopes.as_ref())?;
    // Its own successor has the same bounds.
    if of.caller.api_key != Some(old.id) {
        check_caller(tx, &of.caller, &old).await?;
    }
    let ends = old.expires_at.map_or(*ends, |end| end.min(*ends));
    if !store::replace(tx, old.id, of.now, ends).await? {
        return Err(AuthError::NotFound);
    }
    let fresh = ApiKey {
        id: *successor,
        used: Default::default(),
        created_at: of.now,
        last_used_at: None,
        last_used_address: None,
        ..old
    };
    insert(tx, &fresh, *digest).await?;
    audit::record(tx, entry).await?;
    Ok(fresh)
}
