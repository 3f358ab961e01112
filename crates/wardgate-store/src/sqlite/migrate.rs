//! Migrations on SQLite: one exclusive transaction each.
//!
//! A step that rebuilds a table drops the old one, and with foreign keys enforced that would delete or
//! refuse the rows that refer to it. So the migrating connection does not enforce them, and each step ends
//! with a check of all of them instead (<https://www.sqlite.org/lang_altertable.html#otheralter>).

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::error::store_error;
use crate::{
    Applied, Dialect, Migration, Pending, StoreError,
    migrate::{self, CREATE_TABLE, RECORDED, Recorded},
};

pub(super) fn apply(conn: &Connection, migrations: &[Migration]) -> Result<Vec<Applied>, StoreError> {
    let mut applied = Vec::new();
    while let Some(migration) = apply_next(conn, migrations)? {
        applied.push(migration.applied());
    }
    Ok(applied)
}

pub(super) fn pending(conn: &Connection, migrations: &[Migration]) -> Result<Pending, StoreError> {
    migrate::compare(migrations, &recorded(conn)?)
}

/// Looks again inside the lock, because another process may have been first.
fn apply_next(conn: &Connection, migrations: &[Migration]) -> Result<Option<Migration>, StoreError> {
    let transaction = rusqlite::Transaction::new_unchecked(conn, TransactionBehavior::Exclusive)
        .map_err(|error| store_error(&error))?;
    let Some(next) = migrate::plan(migrations, &recorded(&transaction)?)?.into_iter().next() else {
        return Ok(None);
    };
    let failed = |error: rusqlite::Error| next.fault(format_args!("failed: {error}"));
    let text = next.filled(Dialect::Sqlite)?;
    step(&transaction, &next, &text).map_err(failed)?;
    if let Some(table) = dangling_references(&transaction).map_err(failed)? {
        return Err(next.fault(format_args!("leaves dangling references in {table}")));
    }
    transaction.commit().map_err(failed)?;
    Ok(Some(next))
}

fn step(conn: &Connection, migration: &Migration, text: &str) -> rusqlite::Result<()> {
    conn.execute_batch(text)?;
    conn.execute_batch(CREATE_TABLE)?;
    conn.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (?1, ?2, ?3)",
        (migration.version, migration.name, migration.checksum()),
    )?;
    Ok(())
}

fn dangling_references(conn: &Connection) -> rusqlite::Result<Option<String>> {
    conn.query_row("PRAGMA foreign_key_check", [], |row| row.get(0)).optional()
}

fn recorded(conn: &Connection) -> Result<Recorded, StoreError> {
    read_recorded(conn).map_err(|error| store_error(&error))
}

fn read_recorded(conn: &Connection) -> rusqlite::Result<Recorded> {
    let exists = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'";
    if conn.query_row(exists, [], |_| Ok(())).optional()?.is_none() {
        return Ok(Recorded::new());
    }
    let mut statement = conn.prepare(RECORDED)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}
