//! The shape of a schema in words that both engines share, so that a test can compare them.

mod read_postgres;
mod read_sqlite;

use crate::{Db, StoreError, db::Engine};

/// A kind of column, as far as both engines tell the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `BIGINT`, also for times.
    Int,
    /// `TEXT`.
    Text,
    /// `{bytes}` or `{id}`: SQLite has one word for both.
    Bytes,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnShape {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may be `NULL`.
    pub nullable: bool,
    /// Whether it has a default.
    pub has_default: bool,
}

/// One foreign key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignKeyShape {
    /// Its columns.
    pub columns: Vec<String>,
    /// The table it points to.
    pub table: String,
    /// The columns it points to.
    pub targets: Vec<String>,
    /// What happens to this row when the other is deleted: `NO ACTION`, `CASCADE`, `SET NULL`, ….
    pub on_delete: String,
}

/// One table. Lists are sorted where the order means nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableShape {
    /// Its name.
    pub name: String,
    /// In the order of creation.
    pub columns: Vec<ColumnShape>,
    /// The columns of the primary key, in its order.
    pub primary_key: Vec<String>,
    /// The columns of each unique constraint and unique index.
    pub unique: Vec<Vec<String>>,
    /// The foreign keys.
    pub foreign_keys: Vec<ForeignKeyShape>,
    /// Name and columns of each index made by `CREATE INDEX`; an expression is named `<expression>`.
    pub indexes: Vec<(String, Vec<String>)>,
}

impl TableShape {
    fn sorted(mut self) -> Self {
        self.unique.sort();
        self.foreign_keys.sort();
        self.indexes.sort();
        self
    }
}

/// All tables by name, without `schema_migrations`.
///
/// # Errors
/// What the database says; an internal error for a type outside the common subset.
pub async fn schema(db: &Db) -> Result<Vec<TableShape>, StoreError> {
    let mut tables = match db.engine() {
        Engine::Sqlite(engine) => read_sqlite::tables(&engine.connect()?)?,
        Engine::Postgres(engine) => read_postgres::tables(&engine.connect().await?).await?,
    };
    tables.retain(|table| table.name != "schema_migrations");
    tables.sort();
    Ok(tables.into_iter().map(TableShape::sorted).collect())
}
