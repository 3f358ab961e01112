//! Gives sinks what was committed and sealed, and remembers how far.

use std::sync::Arc;
use std::time::Duration;

use wardgate_store::Tx;

use super::chain::Chain;
use super::model::{AuditEvent, PlaceKind, SealedEvent, SinkPlace};
use super::sink::{EventSink, SinkError};
use super::store;
use crate::environment::Environment;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;

/// How long a sink may take for one batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a node that has gone in the middle of a batch keeps others from it.
const LEASE: Duration = Duration::from_secs(15);

/// The longest that a sink which fails is left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Batches at a time, after which other sinks and the stop signal have their turn.
const BATCHES: usize = 40;

/// What the next batch is.
struct Next {
    place: SinkPlace,
    records: Vec<SealedEvent>,
}

/// The tenants of which `sink` has something to take.
pub(super) async fn tenants_behind(
    env: &Environment,
    sink: &dyn EventSink,
) -> Result<Vec<TenantId>, AuthError> {
    let now = env.now();
    let input = (sink.name().to_owned(), now, now.plus(LONGEST_PAUSE));
    let behind = env.db.lookup_global(input, |tx, (name, now, never)| {
        Box::pin(async move { Ok::<_, AuthError>(store::tenants_behind(tx, name, *now, *never).await?) })
    });
    behind.await
}

/// Gives `sink` what it has not taken yet of the tenant called `slug`; `false` if it has failed.
///
/// Only what is sealed: the order of the chain is the one in which nothing appears later between what was read before.
pub(super) async fn feed(
    env: &Environment,
    chain: &Arc<Chain>,
    tenant: TenantId,
    slug: &str,
    sink: &dyn EventSink,
) -> Result<bool, AuthError> {
    for _ in 0..BATCHES {
        let Some(next) = next(env, chain, tenant, sink).await? else { break };
        let Some(leased) = claim(env, tenant, &next.place).await? else { break };
        let named = |event| AuditEvent { tenant: slug.to_owned(), ..event };
        let (seqs, records): (Vec<i64>, Vec<AuditEvent>) =
            next.records.into_iter().map(|sealed| (sealed.seq, named(sealed.event))).unzip();
        warn_of_gap(sink, slug, leased.seq, seqs.first().copied());
        let outcome = deliver(env, sink, &records).await;
        settle(env, tenant, &leased, seqs.last().copied(), &outcome).await?;
        if let Err(error) = outcome {
            let failures = leased.failures + 1;
            tracing::warn!(sink = sink.name(), tenant = slug, failures, %error, "audit records could not be delivered; they are kept and tried again");
            return Ok(false);
        }
        if leased.failures > 0 {
            tracing::info!(
                sink = sink.name(),
                tenant = slug,
                failures = leased.failures,
                "audit records are delivered again"
            );
        }
    }
    Ok(true)
}

/// The next batch, if there is one and it is due.
async fn next(
    env: &Environment,
    chain: &Arc<Chain>,
    tenant: TenantId,
    sink: &dyn EventSink,
) -> Result<Option<Next>, AuthError> {
    let input =
        (sink.name().to_owned(), i64::from(sink.batch().max(1)), env.now(), Arc::clone(chain), tenant);
    let body = env.db.read(tenant.into(), input, |tx, (name, limit, now, chain, tenant)| {
        Box::pin(async move {
            let place = store::sink_place(tx, name).await?;
            let place = place.unwrap_or_else(|| SinkPlace::beginning(name.clone()));
            // Further off than any pause lies what a clock that ran ahead has left behind.
            if place.due_at > *now && place.due_at <= now.plus(LONGEST_PAUSE) {
                return Ok(None);
            }
            let end = end(tx, chain, *tenant).await?;
            let mut records = store::list_sealed(tx, place.seq + 1, *limit).await?;
            // A row with a number that was never given out must not carry the sink past what comes.
            records.retain(|sealed| sealed.seq <= end);
            Ok::<_, AuthError>((!records.is_empty()).then_some(Next { place, records }))
        })
    });
    body.await
}

/// The number of the last record.
async fn end(tx: &mut Tx, chain: &Chain, tenant: TenantId) -> Result<i64, AuthError> {
    let Some(head) = store::place(tx, PlaceKind::Head).await? else { return Ok(0) };
    let link = chain.read(tenant, PlaceKind::Head, &head);
    let forged = || {
        AuthError::internal(
            "feed the sinks; see `wardgate audit verify`",
            "the signed end of the chain is forged",
        )
    };
    link.map(|link| link.seq).ok_or_else(forged)
}

/// Keeps other nodes from the batch; `None` if one of them was first.
async fn claim(
    env: &Environment,
    tenant: TenantId,
    place: &SinkPlace,
) -> Result<Option<SinkPlace>, AuthError> {
    let leased = SinkPlace { due_at: env.now().plus(LEASE), ..place.clone() };
    let body = env.db.write(tenant.into(), (place.clone(), leased.clone()), |tx, (place, leased)| {
        Box::pin(async move {
            store::begin_sink(tx, &SinkPlace::beginning(place.name.clone())).await?;
            Ok::<_, AuthError>(store::move_sink(tx, place, leased).await?)
        })
    });
    Ok(body.await?.then_some(leased))
}

async fn deliver(env: &Environment, sink: &dyn EventSink, records: &[AuditEvent]) -> Result<(), SinkError> {
    let delivery = tokio::time::timeout(PATIENCE, sink.deliver(records, env.now()));
    delivery.await.unwrap_or_else(|_| Err(SinkError::new("it took longer than 10 seconds")))
}

/// Notes how it went. Whoever took longer than the lease, and was overtaken, notes nothing.
async fn settle(
    env: &Environment,
    tenant: TenantId,
    leased: &SinkPlace,
    last: Option<i64>,
    outcome: &Result<(), SinkError>,
) -> Result<(), AuthError> {
    let name = leased.name.clone();
    let after = match outcome {
        Ok(()) => SinkPlace { name, seq: last.unwrap_or(leased.seq), failures: 0, due_at: env.now() },
        Err(_) => {
            let failures = leased.failures + 1;
            SinkPlace { name, seq: leased.seq, failures, due_at: env.now().plus(pause(failures)) }
        }
    };
    let body = env.db.write(tenant.into(), (leased.clone(), after), |tx, (leased, after)| {
        Box::pin(async move { Ok::<_, AuthError>(store::move_sink(tx, leased, after).await?) })
    });
    body.await.map(drop)
}

/// A second, doubled with each failure in a row.
fn pause(failures: i64) -> Duration {
    let doublings = u32::try_from(failures - 1).unwrap_or(0).min(16);
    Duration::from_secs(1 << doublings).min(LONGEST_PAUSE)
}

fn warn_of_gap(sink: &dyn EventSink, tenant: &str, seq: i64, first: Option<i64>) {
    if let Some(missed) = first.map(|first| first - seq - 1).filter(|&missed| missed > 0 && seq > 0) {
        tracing::warn!(
            sink = sink.name(),
            tenant,
            missed,
            "audit records were removed before they could be delivered"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let seconds: Vec<_> = [1, 2, 3, 8, 9, 10, 1000].map(|failures| pause(failures).as_secs()).to_vec();
        assert_eq!(seconds, [1, 2, 4, 128, 256, 300, 300]);
    }
}
