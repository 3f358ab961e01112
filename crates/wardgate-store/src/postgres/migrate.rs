//! Migrations on PostgreSQL: under one advisory lock, one transaction each.

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

/// Several nodes may start at once; the lock lets one migrate while the others wait for it.
pub(super) async fn apply(mut lease: Lease, migrations: &[Migration]) -> Result<Vec<Applied>, StoreError> {
    let key = lock::key(b"schema", "migrations");
    // The lock belongs to the connection: if anything fails here, closing it releases the lock.
    lease.taint();
    // A migration of a large table takes its time, and so does waiting for the node that runs it.
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
    lease.begin(Block::Write).await?;
    let ran = lease.client().batch_execute(&text).await;
    ran.map_err(|error| migration.fault(format_args!("failed: {}", describe(&error))))?;
    lease.batch(CREATE_TABLE).await?;
    let sql = "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)";
    let row = (i64::from(migration.version), migration.name, migration.checksum());
    let recorded = lease.client().execute(sql, &[&row.0, &row.1, &row.2]).await;
    recorded.map_err(|error| store_error(&error))?;
    lease.commit().await
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
