//! The pool of connections.

use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType, Timeouts,
};

use super::{error::describe, lease::Lease, tls};
use crate::{DbOptions, Durability, StoreError, url::PostgresUrl};

/// Longer than any healthy transaction; who waits longer is better told to come back.
const PATIENCE: Duration = Duration::from_secs(5);
/// After a failover the old server may never answer again: give it up well within 30 seconds.
const SILENCE: Duration = Duration::from_secs(15);
/// The server gives up a statement that takes as long, and a wait for a lock that takes as long: whoever asked has gone
/// by then, and the connection is one of few. Parameters in the URL's `options` come later and win.
const TIMEOUTS: &str = "-c statement_timeout=15s -c lock_timeout=5s";
/// A plan is kept as long as its connection, and is made while a table may have ten rows, where reading all of them is the
/// quickest way; when there are ten thousand it would be read like that until the next ANALYZE. Each statement has an
/// index, which costs nothing where there is little. The price that is put on reading all would set off the compiler
/// where nothing else is possible, for which no statement here is long enough.
const PLANS: &str = "-c enable_seqscan=off -c jit=off";

pub(super) fn pool(url: &PostgresUrl, options: &DbOptions) -> Result<Pool, StoreError> {
    let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let connector = tls::connector(&url.trust)?;
    let manager = Manager::from_config(driver_config(url, options.durability), connector, config);
    let timeouts = Timeouts { wait: Some(PATIENCE), create: Some(PATIENCE), recycle: Some(PATIENCE) };
    Pool::builder(manager)
        .max_size(options.pool.max(1))
        .timeouts(timeouts)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| StoreError::internal(error.to_string()))
}

fn driver_config(url: &PostgresUrl, durability: Durability) -> tokio_postgres::Config {
    let mut config = (*url.config).clone();
    if config.get_application_name().is_none() {
        config.application_name("wardgate");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(PATIENCE);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE);
    }
    let given = config.get_options().unwrap_or_default().to_owned();
    let durability = if durability == Durability::Off { "-c synchronous_commit=off" } else { "" };
    config.options(format!("{TIMEOUTS} {PLANS} {given} {durability}").trim_end());
    config
}

pub(super) async fn lease(pool: &Pool) -> Result<Lease, StoreError> {
    pool.get().await.map(Lease::new).map_err(|error| match error {
        PoolError::Timeout(TimeoutType::Wait) => StoreError::Busy,
        PoolError::Closed => StoreError::Closed,
        PoolError::Backend(error) => StoreError::unavailable(describe(&error)),
        other => StoreError::unavailable(other.to_string()),
    })
}
