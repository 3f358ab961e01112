//! Ends every credential that may have ended since the state that was put back, so that none that was revoked comes back
//! with it (S-144).
//!
//! What was used, withdrawn or ended after a backup is good again in the backup, and nothing in it tells. So everything
//! that can be made anew ends: sessions with their refresh tokens, one-use links, signing keys, and API keys unless the
//! operator knows better. Passwords, links to other providers and the standing of users and tenants are as they were.

use std::sync::Arc;

use wardgate_store::{GlobalTx, StoreError};

use super::model::{ApiKeysAfter, Ended};
use crate::environment::Environment;
use crate::features::audit::{self, Action, Audit, Entry};
use crate::features::roles::Caller;
use crate::features::{
    api_keys, federation, instance, keys, links, organizations, outbox, sessions, setup, tenants,
};
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::time::Timestamp;

struct Restored {
    /// Each with the record of its own log.
    tenants: Vec<(TenantId, Entry)>,
    api_keys: ApiKeysAfter,
    now: Timestamp,
}

/// Ends it in all tenants, and writes a record into the log of each: one transaction.
pub(crate) async fn end_all(
    env: &Environment,
    audit: &Arc<Audit>,
    api_keys: ApiKeysAfter,
    caller: &Caller,
) -> Result<Ended, AuthError> {
    let (mut all, mut last) = (Vec::new(), None);
    loop {
        let some = tenants::list_ids(env, last).await?;
        let Some(newest) = some.last() else { break };
        last = Some(*newest);
        let record = |tenant: TenantId| {
            (tenant, audit.done(&caller.source, caller.actor, Action::DatabaseRestored, api_keys.as_str()))
        };
        all.extend(some.into_iter().map(record));
    }
    let restored = Restored { tenants: all, api_keys, now: env.now() };
    Ok(env.db.write_global(restored, |tx, restored| Box::pin(end(tx, restored))).await?)
}

async fn end(tx: &mut GlobalTx, restored: &Restored) -> Result<Ended, StoreError> {
    const ALL: i64 = i64::MAX;
    let mut ended = Ended::default();
    tx.take_time().await?;
    instance::unmark_moved(tx).await?;
    for (tenant, entry) in &restored.tenants {
        let tx = tx.within((*tenant).into());
        ended.sessions += sessions::end_every(tx, restored.now).await?;
        ended.signing_keys += keys::retire_every(tx, restored.now).await?;
        if restored.api_keys == ApiKeysAfter::Revoked {
            ended.api_keys += api_keys::revoke_every(tx, restored.now).await?;
        }
        ended.links += links::forget(tx, ALL).await?
            + organizations::end_invitations(tx).await?
            + federation::end_flows(tx, ALL).await?
            + setup::end_link(tx).await?;
        // They were sent since, or their links have just ended.
        ended.mails += outbox::forget(tx, ALL).await?;
        audit::record(tx, entry).await?;
    }
    Ok(ended)
}
