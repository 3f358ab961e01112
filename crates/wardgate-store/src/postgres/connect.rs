//! The pool of connections.

use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType, Timeouts,
};
use tokio_postgres::NoTls;

use super::{error::describe, lease::Lease};
use crate::{DbOptions, Durability, StoreError, url::PostgresUrl};

/// Longer than any healthy transaction; who waits longer is better told to come back.
const PATIENCE: Duration = Duration::from_secs(5);
/// After a failover the old server may never answer again: give it up well within 30 seconds.
const SILENCE: Duration = Duration::from_secs(15);

pub(super) fn pool(url: &PostgresUrl, options: &DbOptions) -> Result<Pool, StoreError> {
    let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(driver_config(url, options.durability), NoTls, config);
    let timeouts = Timeouts { wait: Some(PATIENCE), create: Some(PATIENCE), recycle: Some(PATIENCE) };
    Pool::builder(manager)
        .max_size(options.pool.max(1))
        .timeouts(timeouts)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| StoreError::internal(error.to_string()))
}

fn driver_config(url: &PostgresUrl, durability: Durability) -> tokio_postgres::Config {
    let mut config = (*url.0).clone();
    if config.get_application_name().is_none() {
        config.application_name("wardgate");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(PATIENCE);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE);
    }
    if durability == Durability::Off {
        let given = config.get_options().unwrap_or_default().to_owned();
        config.options(format!("{given} -c synchronous_commit=off"));
    }
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
