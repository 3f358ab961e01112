//! Migrations on PostgreSQL: under one advisory lock, one transaction each, and while others work.
//!
//! A step that waits for a table lets everybody wait who comes after it, readers too. So it gives way soon and comes
//! back: whoever holds the table may be a dump, which takes its time.

use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::{Error, error::SqlState};

use super::{
    error::{describe, store_error},
    lease::{Block, Lease},
    lock,
    sight::{self, Sight},
};
use crate::{
    Applied, Dialect, Migration, Pending, StoreError,
    migrate::{self, CREATE_TABLE, RECORDED, Recorded},
};

/// For so long a step waits for a table, and those behind it: well within the patience of their statements.
const WAIT: &str = "SET LOCAL lock_timeout = '1s'";
/// For so long those who waited have the table to themselves.
const PAUSE: Duration = Duration::from_secs(2);
/// Ten minutes in all.
const ATTEMPTS: usize = 200;

/// Several nodes may start at once; the lock lets one migrate while the others wait for it.
pub(super) async fn apply(mut lease: Lease, migrations: &[Migration]) -> Result<Vec<Applied>, StoreError> {
    let key = lock::key(b"schema", "migrations");
    // The lock belongs to the connection: if anything fails here, closing it releases the lock.
    lease.taint();
    // A large table takes its time, and so does waiting for the node that migrates.
    lease.batch("SET statement_timeout = 0; SET lock_timeout = 0").await?;
    lease.batch(&format!("SELECT pg_advisory_lock({key})")).await?;
    // What moves rows would find none.
    lease.batch(&Sight::All.statement()).await?;
    let mut applied = Vec::new();
    for migration in migrate::plan(migrations, &recorded(&lease).await?)? {
        step(&mut lease, &migration).await?;
        lease.taint();
        applied.push(migration.applied());
    }
    sight::guard(&lease).await?;
    lease.batch(&format!("SELECT pg_advisory_unlock({key})")).await?;
    lease.batch("RESET statement_timeout; RESET lock_timeout").await?;
    lease.cleaned();
    Ok(applied)
}

pub(super) async fn pending(lease: &Lease, migrations: &[Migration]) -> Result<Pending, StoreError> {
    migrate::compare(migrations, &recorded(lease).await?)
}

async fn step(lease: &mut Lease, migration: &Migration) -> Result<(), StoreError> {
    let text = migration.filled(Dialect::Postgres)?;
    if let Some(index) = migration.builds_concurrently() {
        // It waits for nobody's table, but for transactions to end, and can be in none. Of one that was cut short an
        // index is left that serves nobody.
        lease.batch(&format!("DROP INDEX CONCURRENTLY IF EXISTS {index}")).await?;
        return run(lease, migration, &text).await.map_err(|error| failed(migration, &error));
    }
    for _ in 0..ATTEMPTS {
        lease.begin(Block::Write).await?;
        lease.batch(WAIT).await?;
        match run(lease, migration, &text).await {
            Ok(()) => return lease.commit().await,
            Err(error) if is_in_the_way(&error) => lease.batch("ROLLBACK").await?,
            Err(error) => return Err(failed(migration, &error)),
        }
        tracing::warn!(migration = migration.name, "others hold its tables: it waits, and tries again");
        sleep(PAUSE).await;
    }
    Err(migration.fault("failed: others hold its tables and do not let go, such as a dump of the database"))
}

async fn run(lease: &Lease, migration: &Migration, text: &str) -> Result<(), Error> {
    let client = lease.client();
    client.batch_execute(text).await?;
    client.batch_execute(CREATE_TABLE).await?;
    let sql = "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)";
    let row = (i64::from(migration.version), migration.name, migration.checksum());
    client.execute(sql, &[&row.0, &row.1, &row.2]).await.map(drop)
}

fn is_in_the_way(error: &Error) -> bool {
    let states = [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED];
    error.code().is_some_and(|code| states.contains(code))
}

fn failed(migration: &Migration, error: &Error) -> StoreError {
    migration.fault(format_args!("failed: {}", describe(error)))
}

async fn recorded(lease: &Lease) -> Result<Recorded, StoreError> {
    let read = async {
        let exists =
            lease.client().query_one("SELECT to_regclass('schema_migrations') IS NOT NULL", &[]).await?;
        if !exists.try_get::<_, bool>(0)? {
            return Ok(Recorded::new());
        }
        let rows = lease.client().query(RECORDED, &[]).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    };
    read.await.map_err(|error: tokio_postgres::Error| store_error(&error))
}
