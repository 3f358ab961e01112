//! Links records after they are committed, and removes those that retention no longer wants.
//!
//! The order of the chain is the order of sealing. On PostgreSQL a record with an earlier time may be committed after
//! a later one was sealed; it then simply stands behind that one.

use std::sync::Arc;
use std::time::Duration;

use wardgate_store::Tx;

use super::chain::Chain;
use super::model::{Link, PlaceKind};
use super::store;
use crate::environment::Environment;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::time::Timestamp;

/// Records of one transaction: no body may keep the writer longer than its neighbours can wait.
pub(super) const BATCH: i64 = 500;

/// One at a time seals or removes.
const LOCK: &str = "audit chain";

#[derive(Clone)]
struct Job {
    chain: Arc<Chain>,
    tenant: TenantId,
    now: Timestamp,
}

/// Links what is not linked yet, `batches` transactions at most; how many.
pub(super) async fn seal(
    env: &Environment,
    chain: &Arc<Chain>,
    tenant: TenantId,
    batches: usize,
) -> Result<u64, AuthError> {
    let mut sealed = 0;
    for _ in 0..batches {
        if !has_unsealed(env, tenant).await? {
            break;
        }
        let job = Job { chain: Arc::clone(chain), tenant, now: env.now() };
        let body = env.db.write(tenant.into(), job, |tx, job| Box::pin(seal_batch(tx, job)));
        let batch = body.await?;
        sealed += batch;
        if batch < BATCH.unsigned_abs() {
            break;
        }
    }
    Ok(sealed)
}

/// Spares the writer a transaction each second while nothing happens.
async fn has_unsealed(env: &Environment, tenant: TenantId) -> Result<bool, AuthError> {
    let found = env.db.lookup(tenant.into(), (), |tx, ()| {
        Box::pin(async move { Ok::<_, AuthError>(store::list_unsealed(tx, 1).await?) })
    });
    Ok(!found.await?.is_empty())
}

async fn seal_batch(tx: &mut Tx, job: &Job) -> Result<u64, AuthError> {
    let Job { chain, tenant, now } = job;
    tx.lock(LOCK).await?;
    let mut last = end(tx, job).await?;
    let unsealed = store::list_unsealed(tx, BATCH).await?;
    for event in &unsealed {
        let personal_digest = chain.personal_digest(event);
        last = chain.link(*tenant, &last, event, &personal_digest);
        if !store::seal(tx, event.id, &last, &personal_digest).await? {
            return Err(AuthError::internal("seal the audit log", "somebody else seals beside the lock"));
        }
    }
    if !unsealed.is_empty() {
        store::put_place(tx, PlaceKind::Head, &chain.sign(*tenant, PlaceKind::Head, &last, *now)).await?;
    }
    Ok(unsealed.len() as u64)
}

/// Where the next record is linked. A chain whose end is not ours is not gone on with: that would cover up the cut.
async fn end(tx: &mut Tx, job: &Job) -> Result<Link, AuthError> {
    let Job { chain, tenant, .. } = job;
    let broken = |what| AuthError::internal("seal the audit log; see `wardgate audit verify`", what);
    match store::place(tx, PlaceKind::Head).await? {
        Some(head) => chain
            .read(*tenant, PlaceKind::Head, &head)
            .ok_or_else(|| broken("the signed end of the chain is forged")),
        None if store::last_seq(tx).await?.is_none()
            && store::place(tx, PlaceKind::Start).await?.is_none() =>
        {
            Ok(chain.origin(*tenant))
        }
        None => Err(broken("the signed end of the chain is missing")),
    }
}

struct Removal {
    job: Job,
    before: Timestamp,
}

/// Removes sealed records older than `retention` from the beginning of the chain; how many.
///
/// Each is verified first, or a forged time would make retention remove what it proves.
pub(super) async fn remove_old(
    env: &Environment,
    chain: &Arc<Chain>,
    tenant: TenantId,
    retention: Duration,
) -> Result<u64, AuthError> {
    let mut removed = 0;
    loop {
        let now = env.now();
        let job = Job { chain: Arc::clone(chain), tenant, now };
        let removal = Removal { job, before: now.minus(retention) };
        let body = env.db.write(tenant.into(), removal, |tx, removal| Box::pin(remove_batch(tx, removal)));
        let batch = body.await?;
        removed += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(removed);
        }
    }
}

async fn remove_batch(tx: &mut Tx, removal: &Removal) -> Result<u64, AuthError> {
    let Removal { job: job @ Job { chain, tenant, now }, before } = removal;
    let broken = |what: String| AuthError::internal("remove old audit records", what);
    tx.lock(LOCK).await?;
    let mut start = match store::place(tx, PlaceKind::Start).await? {
        Some(place) => chain
            .read(*tenant, PlaceKind::Start, &place)
            .ok_or_else(|| broken("the signed beginning of the chain is forged".to_owned()))?,
        None => chain.origin(*tenant),
    };
    let end = end(tx, job).await?;
    let mut count = 0;
    for sealed in store::list_sealed(tx, start.seq + 1, BATCH).await? {
        if sealed.event.at >= *before || sealed.seq > end.seq {
            break;
        }
        let verified = chain.verify(*tenant, &start, &sealed);
        start = verified.ok_or_else(|| broken(format!("record {} does not hold", sealed.seq)))?.link;
        count += 1;
    }
    if count > 0 {
        store::remove_to(tx, start.seq).await?;
        store::put_place(tx, PlaceKind::Start, &chain.sign(*tenant, PlaceKind::Start, &start, *now)).await?;
    }
    Ok(count)
}
