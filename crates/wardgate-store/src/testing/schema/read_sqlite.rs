//! SQLite's schema, from its pragma functions.

use rusqlite::{Connection, types::FromSql};

use super::{ColumnShape, ForeignKeyShape, Kind, TableShape};
use crate::StoreError;

const TABLES: &str =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
const COLUMNS: &str =
    "SELECT name, type, \"notnull\", dflt_value IS NOT NULL FROM pragma_table_info(?1) ORDER BY cid";
const PRIMARY_KEY: &str = "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk";
const INDEXES: &str = "SELECT name, \"unique\", origin FROM pragma_index_list(?1)";
const INDEX_COLUMNS: &str = "SELECT coalesce(name, '<expression>') FROM pragma_index_info(?1) ORDER BY seqno";
const FOREIGN_KEYS: &str =
    "SELECT id, \"table\", \"from\", \"to\", on_delete FROM pragma_foreign_key_list(?1) ORDER BY id, seq";

pub(super) fn tables(conn: &Connection) -> Result<Vec<TableShape>, StoreError> {
    let names: Vec<String> = read(conn, TABLES, None, |row| row.get(0))?;
    names.into_iter().map(|name| table(conn, name)).collect()
}

fn table(conn: &Connection, name: String) -> Result<TableShape, StoreError> {
    let indexes: Vec<(String, bool, String)> =
        read(conn, INDEXES, Some(&name), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let columns_of = |index: &str| list(conn, INDEX_COLUMNS, index);
    let unique = indexes.iter().filter(|(_, unique, origin)| *unique && origin != "pk");
    let made = indexes.iter().filter(|(_, _, origin)| origin == "c");
    Ok(TableShape {
        columns: columns(conn, &name)?,
        primary_key: list(conn, PRIMARY_KEY, &name)?,
        unique: unique.map(|(index, ..)| columns_of(index)).collect::<Result<_, _>>()?,
        foreign_keys: foreign_keys(conn, &name)?,
        indexes: made
            .map(|(index, ..)| Ok((index.clone(), columns_of(index)?)))
            .collect::<Result<_, StoreError>>()?,
        name,
    })
}

fn columns(conn: &Connection, table: &str) -> Result<Vec<ColumnShape>, StoreError> {
    let found: Vec<(String, String, bool, bool)> =
        read(conn, COLUMNS, Some(table), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let shape = |(name, declared, not_null, has_default): (String, String, bool, bool)| {
        let kind = kind(&declared).ok_or_else(|| {
            StoreError::internal(format!("{table}.{name} is {declared}, outside the common subset"))
        })?;
        Ok(ColumnShape { name, kind, nullable: !not_null, has_default })
    };
    found.into_iter().map(shape).collect()
}

fn kind(declared: &str) -> Option<Kind> {
    match declared {
        "BIGINT" => Some(Kind::Int),
        "TEXT" => Some(Kind::Text),
        "BLOB" => Some(Kind::Bytes),
        _ => None,
    }
}

fn foreign_keys(conn: &Connection, table: &str) -> Result<Vec<ForeignKeyShape>, StoreError> {
    let parts: Vec<(i64, String, String, String, String)> = read(conn, FOREIGN_KEYS, Some(table), |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    })?;
    let mut keys: Vec<(i64, ForeignKeyShape)> = Vec::new();
    for (id, table, column, target, on_delete) in parts {
        match keys.last_mut().filter(|(last, _)| *last == id) {
            Some((_, key)) => {
                key.columns.push(column);
                key.targets.push(target);
            }
            None => {
                let key = ForeignKeyShape { columns: vec![column], table, targets: vec![target], on_delete };
                keys.push((id, key));
            }
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

fn list<T: FromSql>(conn: &Connection, sql: &str, of: &str) -> Result<Vec<T>, StoreError> {
    read(conn, sql, Some(of), |row| row.get(0))
}

fn read<T>(
    conn: &Connection,
    sql: &str,
    of: Option<&str>,
    shape: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let found = conn
        .prepare(sql)
        .and_then(|mut statement| statement.query_map(rusqlite::params_from_iter(of), shape)?.collect());
    found.map_err(|error| StoreError::internal(error.to_string()))
}
