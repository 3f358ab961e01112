//! The rows of another database, into one that has none.

use futures_util::future;
use tokio::sync::mpsc;
use tokio_postgres::{
    Statement,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::{
    error::{describe, store_error},
    lease::{Block, Lease},
    sight::Sight,
};
use crate::{
    StoreError, Value,
    relocate::{Batch, Table, quoted},
};

/// Refuses a schema with any table in it.
pub(super) async fn refuse_tables(lease: &Lease) -> Result<(), StoreError> {
    let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace \
               AND relkind IN ('r', 'p', 'v', 'm', 'f') LIMIT 1";
    let found = lease.client().query_opt(sql, &[]).await.map_err(|error| store_error(&error))?;
    let Some(found) = found else { return Ok(()) };
    let name: String = found.try_get(0).map_err(|error| store_error(&error))?;
    Err(StoreError::Refused(format!(
        "the target is not empty: it has a table {name}. Give an empty database"
    )))
}

/// Refuses one that has rows, or lacks a table.
pub(super) async fn refuse_rows(lease: &mut Lease, tables: &[Table]) -> Result<(), StoreError> {
    lease.begin(Block::Snapshot).await?;
    let looked = look_for_rows(lease, tables).await;
    lease.rollback().await;
    looked
}

async fn look_for_rows(lease: &Lease, tables: &[Table]) -> Result<(), StoreError> {
    lease.batch(&Sight::All.statement()).await?;
    for table in tables {
        if count(lease, table).await? > 0 {
            let name = &table.name;
            return Err(StoreError::Refused(format!(
                "the target is not empty: there are rows in {name}. Give an empty database"
            )));
        }
    }
    Ok(())
}

async fn count(lease: &Lease, table: &Table) -> Result<u64, StoreError> {
    let sql = format!("SELECT count(*) FROM {}", quoted(&table.name));
    let row = lease.client().query_one(&sql, &[]).await.map_err(|error| named(table, &error))?;
    let count: i64 = row.try_get(0).map_err(|error| store_error(&error))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Takes all rows in one transaction, with everybody else kept out, and commits if there are as many as there were.
pub(super) async fn run(
    lease: &mut Lease,
    tables: &[Table],
    mut arriving: mpsc::Receiver<Result<Batch, StoreError>>,
    progress: &mut (impl FnMut(&str, u64, u64) + Send),
) -> Result<(), StoreError> {
    lease.begin(Block::Write).await?;
    lease.batch("SET LOCAL statement_timeout = 0").await?;
    lease.batch(&Sight::All.statement()).await?;
    let names: Vec<String> = tables.iter().map(|table| quoted(&table.name)).collect();
    let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", names.join(", "));
    lease.client().batch_execute(&lock).await.map_err(|error| {
        StoreError::Refused(format!("the target's tables cannot be locked: {}", describe(&error)))
    })?;
    // Again, now that nobody can be quicker.
    look_for_rows(lease, tables).await?;
    let all: u64 = tables.iter().map(|table| table.rows).sum();
    let (mut done, mut current) = (0, None);
    while let Some(batch) = arriving.recv().await {
        let batch = batch?;
        let table = &tables[batch.table];
        if current.as_ref().is_none_or(|(place, _)| *place != batch.table) {
            current = Some((batch.table, prepare(lease, table).await?));
        }
        if let Some((_, insert)) = &current {
            insert_all(lease, table, insert, &batch.rows).await?;
        }
        done += batch.rows.len() as u64;
        progress(&table.name, done, all);
    }
    for table in tables {
        let arrived = count(lease, table).await?;
        if arrived != table.rows {
            return Err(StoreError::internal(format!(
                "{}: of {} rows {arrived} arrived; nothing was committed",
                table.name, table.rows
            )));
        }
    }
    lease.commit().await
}

async fn prepare(lease: &Lease, table: &Table) -> Result<Statement, StoreError> {
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(column)).collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| format!("${place}")).collect();
    let (name, columns, places) = (quoted(&table.name), columns.join(", "), places.join(", "));
    let insert = format!("INSERT INTO {name} ({columns}) VALUES ({places})");
    lease.client().prepare(&insert).await.map_err(|error| named(table, &error))
}

/// Sends all rows before it waits for the first answer.
async fn insert_all(
    lease: &Lease,
    table: &Table,
    insert: &Statement,
    rows: &[Vec<Value<'static>>],
) -> Result<(), StoreError> {
    let typed: Vec<Vec<Value<'_>>> =
        rows.iter().map(|row| typed(row, insert.params())).collect::<Result<_, _>>()?;
    let runs = typed.iter().map(|row| async move {
        let bound: Vec<&(dyn ToSql + Sync)> = row.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        lease.client().execute(insert, &bound).await
    });
    future::try_join_all(runs).await.map(drop).map_err(|error| named(table, &error))
}

/// SQLite has one word for bytes and ids.
fn typed<'v>(row: &'v [Value<'static>], types: &[Type]) -> Result<Vec<Value<'v>>, StoreError> {
    let one = |(value, ty): (&'v Value<'static>, &Type)| match value {
        Value::Bytes(bytes) if *ty == Type::UUID => {
            Uuid::from_slice(bytes).map(Value::Id).map_err(|_| StoreError::decode("an id has not 16 bytes"))
        }
        other => Ok(crate::Param::to_value(other)),
    };
    row.iter().zip(types).map(one).collect()
}

fn named(table: &Table, error: &tokio_postgres::Error) -> StoreError {
    StoreError::internal(format!("{}: {}", table.name, describe(error)))
}
