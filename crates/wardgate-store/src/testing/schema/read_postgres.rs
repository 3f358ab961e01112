//! PostgreSQL's schema, from its catalog.

use tokio_postgres::{
    Row,
    types::{FromSql, ToSql},
};

use super::{ColumnShape, ForeignKeyShape, Kind, TableShape};
use crate::{StoreError, postgres::Lease};

const TABLES: &str = "SELECT relname::text, oid FROM pg_class \
     WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace";
const COLUMNS: &str = "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull, atthasdef \
     FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
/// Name, unique, primary, made by a constraint, columns in order.
const INDEXES: &str = "SELECT c.relname::text, i.indisunique, i.indisprimary, \
     EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u')), \
     ARRAY(SELECT coalesce(a.attname::text, '<expression>') \
           FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS part (number, place) \
           LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = part.number \
           ORDER BY part.place) \
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1";
const FOREIGN_KEYS: &str = "SELECT \
     ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS part (number, place) \
           JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = part.number ORDER BY part.place), \
     t.relname::text, \
     ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS part (number, place) \
           JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = part.number ORDER BY part.place), \
     CASE k.confdeltype WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' \
          WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END \
     FROM pg_constraint k JOIN pg_class t ON t.oid = k.confrelid WHERE k.conrelid = $1 AND k.contype = 'f'";

pub(super) async fn tables(lease: &Lease) -> Result<Vec<TableShape>, StoreError> {
    let mut tables = Vec::new();
    for row in read(lease, TABLES, &[]).await? {
        tables.push(table(lease, get(&row, 0)?, get(&row, 1)?).await?);
    }
    Ok(tables)
}

struct Index {
    name: String,
    unique: bool,
    primary: bool,
    by_constraint: bool,
    columns: Vec<String>,
}

async fn table(lease: &Lease, name: String, oid: u32) -> Result<TableShape, StoreError> {
    let indexes = read(lease, INDEXES, &[&oid]).await?;
    let indexes = indexes.iter().map(index).collect::<Result<Vec<_>, _>>()?;
    let columns = read(lease, COLUMNS, &[&oid]).await?;
    let foreign_keys = read(lease, FOREIGN_KEYS, &[&oid]).await?;
    let primary = indexes.iter().find(|index| index.primary);
    let unique = indexes.iter().filter(|index| index.unique && !index.primary);
    let made = indexes.iter().filter(|index| !index.by_constraint);
    Ok(TableShape {
        columns: columns.iter().map(|row| column(&name, row)).collect::<Result<_, _>>()?,
        primary_key: primary.map(|index| index.columns.clone()).unwrap_or_default(),
        unique: unique.map(|index| index.columns.clone()).collect(),
        foreign_keys: foreign_keys.iter().map(foreign_key).collect::<Result<_, _>>()?,
        indexes: made.map(|index| (index.name.clone(), index.columns.clone())).collect(),
        name,
    })
}

fn index(row: &Row) -> Result<Index, StoreError> {
    Ok(Index {
        name: get(row, 0)?,
        unique: get(row, 1)?,
        primary: get(row, 2)?,
        by_constraint: get(row, 3)?,
        columns: get(row, 4)?,
    })
}

fn column(table: &str, row: &Row) -> Result<ColumnShape, StoreError> {
    let (name, declared): (String, String) = (get(row, 0)?, get(row, 1)?);
    let not_null: bool = get(row, 2)?;
    let kind = match declared.as_str() {
        "bigint" => Kind::Int,
        "text" => Kind::Text,
        "uuid" | "bytea" => Kind::Bytes,
        _ => {
            let text = format!("{table}.{name} is {declared}, outside the common subset");
            return Err(StoreError::internal(text));
        }
    };
    Ok(ColumnShape { name, kind, nullable: !not_null, has_default: get(row, 3)? })
}

fn foreign_key(row: &Row) -> Result<ForeignKeyShape, StoreError> {
    Ok(ForeignKeyShape {
        columns: get(row, 0)?,
        table: get(row, 1)?,
        targets: get(row, 2)?,
        on_delete: get(row, 3)?,
    })
}

async fn read(lease: &Lease, sql: &str, of: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
    lease.client().query(sql, of).await.map_err(|error| StoreError::internal(error.to_string()))
}

fn get<'r, T: FromSql<'r>>(row: &'r Row, at: usize) -> Result<T, StoreError> {
    row.try_get(at).map_err(|error| StoreError::internal(error.to_string()))
}
