//! What a gate does by itself: over and over, until it stops or its last handle is dropped.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::gate::{Inner, Wardgate};
use crate::kernel::error::AuthError;

/// How often is done what nobody waits for.
const MINUTE: Duration = Duration::from_secs(60);

/// How often is done what somebody may be waiting for.
const SECOND: Duration = Duration::from_secs(1);

/// Starts all of it. Each goes on for itself: a mail server or a sink of the audit log that answers slowly must hold
/// nothing else up.
pub(crate) fn start(gate: &Wardgate) {
    spawn(gate, MINUTE, "maintenance failed", |gate| async move { gate.maintain().await });
    let fault = "the uses of keys and sessions cannot be written down, or the audit log not be sealed";
    spawn(gate, SECOND, fault, |gate| async move { gate.write_down().await });
    let fault = "mails cannot be taken from the outbox";
    spawn(gate, SECOND, fault, |gate| async move { gate.send_mail().await });
    for sink in 0..gate.0.audit.sinks() {
        let fault = "a sink of the audit log cannot be fed";
        spawn(gate, SECOND, fault, move |gate| async move { gate.feed_sink(sink).await });
    }
}

fn spawn<J>(
    gate: &Wardgate,
    period: Duration,
    fault: &'static str,
    job: impl Fn(Wardgate) -> J + Send + 'static,
) where
    J: Future<Output = Result<(), AuthError>> + Send + 'static,
{
    tokio::spawn(repeat(Arc::downgrade(&gate.0), period, fault, job));
}

async fn repeat<J>(gate: Weak<Inner>, period: Duration, fault: &'static str, job: impl Fn(Wardgate) -> J)
where
    J: Future<Output = Result<(), AuthError>>,
{
    let mut ticks = interval(period);
    // After one that took long the missed ones are not made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first comes at once.
    ticks.tick().await;
    let mut was_well = true;
    loop {
        ticks.tick().await;
        let Some(gate) = gate.upgrade().map(Wardgate) else { return };
        if gate.is_stopping() {
            return;
        }
        let result = job(gate).await;
        // Once, not each time.
        if let (true, Err(error)) = (was_well, &result) {
            tracing::error!(%error, every = ?period, "{fault}; it is tried again until it succeeds");
        }
        was_well = result.is_ok();
    }
}
