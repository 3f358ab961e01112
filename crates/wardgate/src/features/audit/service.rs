//! Writes and reads the audit log.

use std::fmt::Display;
use std::sync::Arc;

use wardgate_crypto::SubKey;
use wardgate_store::{StoreError, Tx};

use super::model::{Action, Actor, AuditEvent, Entry, Outcome};
use super::store;
use crate::environment::Environment;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{AuditEventId, TenantId};
use crate::kernel::page::{PageRequest, Position};
use crate::kernel::source::Source;

/// The audit log.
pub struct Audit {
    env: Arc<Environment>,
    identifier_key: SubKey,
}

impl Audit {
    pub(crate) fn new(env: Arc<Environment>, identifier_key: SubKey) -> Self {
        Self { env, identifier_key }
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
        let mut events = self.list(PageRequest { limit, after: None }).await?;
        events.reverse();
        Ok(events)
    }

    /// What came after `seen`, oldest first, at most a page: how `audit tail --follow` goes on.
    ///
    /// Records of one millisecond may be committed out of order on several nodes; begin a little
    /// before the newest seen and skip what was shown.
    pub async fn since(&self, seen: Position) -> Result<Vec<AuditEvent>, AuthError> {
        self.env
            .db
            .read(TenantId::DEFAULT.into(), seen, |tx, seen| {
                Box::pin(
                    async move { Ok(store::list_since(tx, *seen, PageRequest::MAX_LIMIT.into()).await?) },
                )
            })
            .await
    }

    async fn list(&self, page: PageRequest) -> Result<Vec<AuditEvent>, AuthError> {
        self.env
            .db
            .read(TenantId::DEFAULT.into(), page, |tx, page| {
                Box::pin(async move { Ok(store::list_newest(tx, page.start(), page.limit.into()).await?) })
            })
            .await
    }
}

/// Writes `entry` in the transaction of the change it tells of: neither is there without the other.
pub(crate) async fn record(tx: &mut Tx, entry: &Entry) -> Result<(), StoreError> {
    store::insert(tx, entry).await
}
