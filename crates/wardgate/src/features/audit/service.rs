//! Writes and reads the audit log.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use wardgate_crypto::SubKey;
use wardgate_store::{StoreError, Tx};

use super::chain::Chain;
use super::export::AuditExport;
use super::model::{Action, Actor, AuditCheck, AuditEvent, AuditFilter, Entry, Outcome};
use super::sink::EventSink;
use super::{feed, seal, store, verify};
use crate::environment::Environment;
use crate::features::instance::{KeyUse, LastingKeys};
use crate::kernel::error::AuthError;
use crate::kernel::ids::{AuditEventId, TenantId};
use crate::kernel::page::{PageRequest, Position};
use crate::kernel::source::Source;

/// The audit log.
pub struct Audit {
    env: Arc<Environment>,
    identifier_key: SubKey,
    chain: Arc<Chain>,
    settings: AuditSettings,
}

/// What a gate does with its log.
#[derive(Default)]
pub(crate) struct AuditSettings {
    /// How long records are kept; zero keeps all.
    pub(crate) retention: Duration,
    /// Where records go besides.
    pub(crate) sinks: Vec<Arc<dyn EventSink>>,
}

/// Removes some of what is the tenant's, as when it goes; how many rows.
pub(crate) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::forget(tx, limit).await
}

impl Audit {
    pub(crate) fn new(env: Arc<Environment>, keys: &LastingKeys, settings: AuditSettings) -> Self {
        let identifier_key = keys.get(KeyUse::AuditIdentifiers);
        Self { env, identifier_key, chain: Arc::new(Chain::new(keys)), settings }
    }

    /// A record of something done, to be written by [`record`] inside the change's transaction.
    pub(crate) fn done(&self, source: &Source, actor: Actor, action: Action, target: impl Display) -> Entry {
        self.entry(source, actor, action, Some(target.to_string()), Outcome::Success)
    }

    /// A record of something refused.
    pub(crate) fn refused(
        &self,
        source: &Source,
        actor: Actor,
        action: Action,
        target: impl Display,
    ) -> Entry {
        self.entry(source, actor, action, Some(target.to_string()), Outcome::Refused)
    }

    /// A record of `count` refusals of one kind, from one network in one minute.
    pub(crate) fn refused_several(
        &self,
        source: &Source,
        action: Action,
        target: impl Display,
        count: i64,
    ) -> Entry {
        Entry { count: Some(count), ..self.refused(source, Actor::Anonymous, action, target) }
    }

    fn entry(
        &self,
        source: &Source,
        actor: Actor,
        action: Action,
        target: Option<String>,
        outcome: Outcome,
    ) -> Entry {
        let at = self.env.now();
        let id = AuditEventId::new(at, self.env.random());
        Entry { id, at, actor, action, target, outcome, source: source.clone(), count: None }
    }

    /// How a typed identifier is written down: a keyed digest, alike for known and unknown addresses, so
    /// that the log neither holds personal data of strangers nor passwords typed into the wrong field.
    pub(crate) fn identifier(&self, normalized: &str) -> String {
        let digest = self.identifier_key.hmac(&[normalized.as_bytes()]);
        let hex: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("identifier:{hex}")
    }

    /// Writes a record that stands alone, such as a refused sign-in.
    pub(crate) async fn record_alone(&self, tenant: TenantId, entry: Entry) -> Result<(), AuthError> {
        self.env
            .db
            .write(tenant.into(), entry, |tx, entry| {
                Box::pin(async move { store::insert(tx, entry).await.map_err(AuthError::from) })
            })
            .await
    }

    /// The `limit` newest records of the default tenant, oldest first.
    pub async fn newest(&self, limit: u32) -> Result<Vec<AuditEvent>, AuthError> {
        let page = PageRequest { limit, after: None };
        let (mut events, _) = self.list(TenantId::DEFAULT, AuditFilter::default(), page).await?;
        events.reverse();
        Ok(events)
    }

    /// A page of the tenant's records that `filter` lets pass, newest first, and where the next one begins.
    pub async fn list(
        &self,
        tenant: TenantId,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Result<(Vec<AuditEvent>, Option<Position>), AuthError> {
        let rows = self
            .env
            .db
            .read(tenant.into(), (filter, page), |tx, (filter, page)| {
                Box::pin(async move {
                    Ok::<_, AuthError>(store::list_newest(tx, page.start(), filter, page.fetch()).await?)
                })
            })
            .await?;
        Ok(page.split(rows, AuditEvent::position))
    }

    /// What of the tenant came after `seen`, oldest first, at most a page: how `audit tail --follow` goes on.
    ///
    /// Records of one millisecond may be committed out of order on several nodes; begin a little
    /// before the newest seen and skip what was shown.
    pub async fn since(&self, tenant: TenantId, seen: Position) -> Result<Vec<AuditEvent>, AuthError> {
        self.env
            .db
            .read(tenant.into(), seen, |tx, seen| {
                Box::pin(
                    async move { Ok(store::list_since(tx, *seen, PageRequest::MAX_LIMIT.into()).await?) },
                )
            })
            .await
    }

    /// Gives every committed record its place in the chain; how many. A built gate does this each second.
    ///
    /// # Errors
    /// A chain whose signed end is missing or forged is not gone on with.
    pub async fn seal(&self, tenant: TenantId) -> Result<u64, AuthError> {
        seal::seal(&self.env, &self.chain, tenant, usize::MAX).await
    }

    /// Seals the records of all tenants that have any left; how many.
    pub(crate) async fn seal_all(&self) -> Result<u64, AuthError> {
        let unsealed = self.env.db.lookup_global((), |tx, ()| {
            Box::pin(async move { Ok::<_, AuthError>(store::tenants_unsealed(tx).await?) })
        });
        let (mut sealed, mut result) = (0, Ok(()));
        for tenant in unsealed.await? {
            // One whose chain is broken keeps none of the others from theirs.
            match self.seal(tenant).await {
                Ok(count) => sealed += count,
                Err(error) => result = result.and(Err(error)),
            }
        }
        result.map(|()| sealed)
    }

    /// Seals what is left when a gate closes, unless it is so much that the end would have to wait.
    pub(crate) async fn seal_rest(&self, tenant: TenantId) -> Result<u64, AuthError> {
        const BATCHES: usize = 2;
        seal::seal(&self.env, &self.chain, tenant, BATCHES).await
    }

    /// Goes through the whole chain and names the first record that does not hold; changes nothing. `progress`
    /// gets, page by page, the number reached and the last one.
    pub async fn verify(
        &self,
        tenant: TenantId,
        progress: impl FnMut(i64, i64) + Send,
    ) -> Result<AuditCheck, AuthError> {
        verify::verify(&self.env, &self.chain, tenant, progress).await
    }

    /// The link of the record with this number, in hexadecimal as [`AuditCheck::link`], whether or not it holds; `None` if
    /// there is no such record.
    pub async fn link(&self, tenant: TenantId, seq: i64) -> Result<Option<String>, AuthError> {
        let found = self.env.db.read(tenant.into(), seq, |tx, seq| {
            Box::pin(async move { Ok::<_, AuthError>(store::list_sealed(tx, *seq, 1).await?.pop()) })
        });
        let found = found.await?.filter(|sealed| sealed.seq == seq);
        Ok(found.map(|sealed| sealed.mac.iter().flatten().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Begins an export of what `filter` lets pass, oldest first. Seals first; a chain that cannot be gone on with
    /// is exported all the same, for somebody has to look into it.
    pub async fn export(&self, tenant: TenantId, filter: AuditFilter) -> Result<AuditExport, AuthError> {
        let unsealable = self.seal(tenant).await.is_err();
        AuditExport::begin(Arc::clone(&self.env), tenant, filter, unsealable).await
    }

    /// How many sinks there are.
    pub(crate) fn sinks(&self) -> usize {
        self.settings.sinks.len()
    }

    /// The tenants of which one of the sinks has something to take.
    pub(crate) async fn tenants_behind(&self, sink: usize) -> Result<Vec<TenantId>, AuthError> {
        let Some(sink) = self.settings.sinks.get(sink) else { return Ok(Vec::new()) };
        feed::tenants_behind(&self.env, sink.as_ref()).await
    }

    /// Gives one of the sinks what was sealed of the tenant called `slug` since it last took something; `false` if it
    /// has failed.
    pub(crate) async fn feed(&self, tenant: TenantId, slug: &str, sink: usize) -> Result<bool, AuthError> {
        let Some(sink) = self.settings.sinks.get(sink) else { return Ok(true) };
        feed::feed(&self.env, &self.chain, tenant, slug, sink.as_ref()).await
    }

    /// Removes what is older than the configured retention; how many.
    pub(crate) async fn remove_old(&self, tenant: TenantId) -> Result<u64, AuthError> {
        if self.settings.retention.is_zero() {
            return Ok(0);
        }
        seal::remove_old(&self.env, &self.chain, tenant, self.settings.retention).await
    }
}

/// Writes `entry` in the transaction of the change it tells of: neither is there without the other.
pub(crate) async fn record(tx: &mut Tx, entry: &Entry) -> Result<(), StoreError> {
    store::insert(tx, entry).await
}
