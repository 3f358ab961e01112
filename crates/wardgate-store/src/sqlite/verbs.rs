//! Running one statement on a SQLite connection.

use rusqlite::{CachedStatement, Connection};

use super::error::store_error;
use crate::{FromRow, Row, StoreError, session::Statement};

pub(crate) fn rows<T: FromRow>(conn: &Connection, statement: &Statement<'_>) -> Result<Vec<T>, StoreError> {
    let mut prepared = bind(conn, statement)?;
    let mut rows = prepared.raw_query();
    let mut decoded = Vec::new();
    while let Some(row) = rows.next().map_err(|error| store_error(&error))? {
        decoded.push(statement.decode(Row::sqlite(row))?);
    }
    Ok(decoded)
}

pub(crate) fn exec(conn: &Connection, statement: &Statement<'_>) -> Result<u64, StoreError> {
    let changed = bind(conn, statement)?.raw_execute().map_err(|error| store_error(&error))?;
    u64::try_from(changed).map_err(|_| StoreError::internal("more rows changed than can be counted"))
}

fn bind<'c>(conn: &'c Connection, statement: &Statement<'_>) -> Result<CachedStatement<'c>, StoreError> {
    let bound = statement.bound()?;
    let mut prepared = conn.prepare_cached(statement.text.sqlite).map_err(|error| store_error(&error))?;
    // SQLite would take a missing parameter for NULL.
    if prepared.parameter_count() != bound.len() {
        let (wanted, given) = (prepared.parameter_count(), bound.len());
        return Err(StoreError::internal(format!("the statement takes {wanted} parameters, got {given}")));
    }
    for (index, value) in bound.into_iter().enumerate() {
        prepared.raw_bind_parameter(index + 1, value).map_err(|error| store_error(&error))?;
    }
    Ok(prepared)
}
