//! Every row of every table, for a database that moves.

use rusqlite::{Connection, Params, types::ValueRef};

use super::error::store_error;
use crate::{
    StoreError, Value,
    relocate::{BATCH, Batch, Reading, Table, in_order, quoted},
};

/// All tables but the one of migrations, each behind those that it refers to.
pub(super) fn catalogue(conn: &Connection) -> Result<Vec<Table>, StoreError> {
    in_order(tables(conn).map_err(|error| store_error(&error))?)
}

fn tables(conn: &Connection) -> rusqlite::Result<Vec<Table>> {
    let names = texts(
        conn,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         AND name <> 'schema_migrations' ORDER BY name",
        [],
    )?;
    let table = |name: String| {
        let columns = texts(conn, "SELECT name FROM pragma_table_info(?1) ORDER BY cid", [&name])?;
        let refers_to = texts(conn, "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1)", [&name])?;
        let count = format!("SELECT count(*) FROM {}", quoted(&name));
        let rows: i64 = conn.query_row(&count, [], |row| row.get(0))?;
        Ok(Table { name, columns, refers_to, rows: u64::try_from(rows).unwrap_or(0) })
    };
    names.into_iter().map(table).collect()
}

fn texts(conn: &Connection, sql: &str, of: impl Params) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare(sql)?;
    let rows = statement.query_map(of, |row| row.get(0))?;
    rows.collect()
}

/// Takes the writer's lock, so that nothing changes that was read already, and keeps it until it is let go.
pub(super) fn run(conn: &Connection, reading: Reading) {
    let Reading { plan, batches, until } = reading;
    let begun = conn.execute_batch("BEGIN IMMEDIATE").map_err(|error| store_error(&error));
    let tables = match begun.and_then(|()| catalogue(conn)) {
        Ok(tables) => tables,
        Err(error) => return drop(plan.send(Err(error))),
    };
    if plan.send(Ok(tables.clone())).is_err() {
        return;
    }
    for (place, table) in tables.iter().enumerate() {
        let mut give = |rows| batches.blocking_send(Ok(Batch { table: place, rows })).is_ok();
        match send_rows(conn, table, &mut give) {
            Ok(true) => {}
            // Nobody takes them any more.
            Ok(false) => return,
            Err(error) => return drop(batches.blocking_send(Err(error))),
        }
    }
    drop(batches);
    let _ = until.blocking_recv();
    // Nothing was written.
    let _ = conn.execute_batch("ROLLBACK");
}

fn send_rows(
    conn: &Connection,
    table: &Table,
    give: &mut impl FnMut(Vec<Vec<Value<'static>>>) -> bool,
) -> Result<bool, StoreError> {
    let failed = |error: rusqlite::Error| store_error(&error);
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(column)).collect();
    let select = format!("SELECT {} FROM {}", columns.join(", "), quoted(&table.name));
    let mut statement = conn.prepare(&select).map_err(failed)?;
    let (mut rows, mut batch) = (statement.query([]).map_err(failed)?, Vec::new());
    while let Some(row) = rows.next().map_err(failed)? {
        let cells = (0..columns.len()).map(|at| value(row.get_ref(at).map_err(failed)?));
        batch.push(cells.collect::<Result<Vec<_>, _>>()?);
        if batch.len() == BATCH && !give(std::mem::take(&mut batch)) {
            return Ok(false);
        }
    }
    Ok(batch.is_empty() || give(batch))
}

fn value(cell: ValueRef<'_>) -> Result<Value<'static>, StoreError> {
    match cell {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(number) => Ok(Value::Int(number)),
        ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes.to_vec().into())),
        ValueRef::Text(text) => String::from_utf8(text.to_vec())
            .map(|text| Value::Text(text.into()))
            .map_err(|_| StoreError::decode("a text is not UTF-8")),
        ValueRef::Real(_) => Err(StoreError::decode("floating-point numbers are outside the common subset")),
    }
}
