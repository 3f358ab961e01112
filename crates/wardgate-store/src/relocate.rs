//! A whole database, from SQLite to an empty PostgreSQL.

use tokio::sync::{mpsc, oneshot};

use crate::{Db, Migration, StoreError, Value, db::Engine};

/// Rows that travel together.
pub(crate) const BATCH: usize = 500;
/// Batches that are read ahead.
const AHEAD: usize = 2;

/// A table, and how many rows it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRows {
    /// Its name.
    pub table: String,
    /// Its rows.
    pub rows: u64,
}

/// A table as the catalogue of the source tells of it.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    /// The tables that its foreign keys name.
    pub(crate) refers_to: Vec<String>,
    pub(crate) rows: u64,
}

/// Rows of the table at this place in the plan.
pub(crate) struct Batch {
    pub(crate) table: usize,
    pub(crate) rows: Vec<Vec<Value<'static>>>,
}

/// What the source's thread gives and takes: first the plan, then the rows; it keeps its lock until it is let go.
pub(crate) struct Reading {
    pub(crate) plan: oneshot::Sender<Result<Vec<Table>, StoreError>>,
    pub(crate) batches: mpsc::Sender<Result<Batch, StoreError>>,
    pub(crate) until: oneshot::Receiver<()>,
}

/// An identifier of the catalogue as a statement names it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Puts every table behind those that it refers to.
pub(crate) fn in_order(mut tables: Vec<Table>) -> Result<Vec<Table>, StoreError> {
    let mut ordered: Vec<Table> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let is_placed = |name: &String| ordered.iter().any(|table| table.name == *name);
        let ready = tables
            .iter()
            .position(|table| table.refers_to.iter().all(|other| *other == table.name || is_placed(other)));
        let ready = ready.ok_or_else(|| StoreError::internal("foreign keys go round in a circle"))?;
        ordered.push(tables.remove(ready));
    }
    Ok(ordered)
}

fn counts(tables: &[Table]) -> Vec<TableRows> {
    tables.iter().map(|table| TableRows { table: table.name.clone(), rows: table.rows }).collect()
}

fn refused(text: impl Into<String>) -> StoreError {
    StoreError::Refused(text.into())
}

impl Db {
    /// What [`move_to`](Self::move_to) would move, in its order; changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it could not be done.
    pub async fn check_move(
        &self,
        target: &Self,
        migrations: &[Migration],
    ) -> Result<Vec<TableRows>, StoreError> {
        let (Engine::Sqlite(source), Engine::Postgres(to)) = (self.engine(), target.engine()) else {
            return Err(refused("a database is moved from SQLite to PostgreSQL, and no other way"));
        };
        if !self.pending(migrations).await?.is_empty() {
            return Err(refused(
                "the database is not of this program's version: bring it up to date first (wardgate migrate)",
            ));
        }
        let tables = source.catalogue().await?;
        let there = target.pending(migrations).await?;
        if there.is_empty() {
            to.refuse_rows(&tables).await?;
        } else if there.unknown.is_empty() && there.missing.len() == migrations.len() {
            to.refuse_tables().await?;
        } else {
            return Err(refused(
                "the target has tables of another version of this program: give an empty database",
            ));
        }
        Ok(counts(&tables))
    }

    /// Copies every row of this SQLite database into the PostgreSQL database `target`, which has none, and compares how
    /// many there are. Both have the program's `migrations` afterwards.
    ///
    /// It is one transaction: cut off at any place, the target has no rows, and this can be run again. Nobody else can
    /// write to the source meanwhile; it is left as it was. `progress` gets the table, the rows done, and all rows.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a target with rows or tables of its own, and for a source of another version.
    pub async fn move_to(
        &self,
        target: &Self,
        migrations: &[Migration],
        mut progress: impl FnMut(&str, u64, u64) + Send,
    ) -> Result<Vec<TableRows>, StoreError> {
        self.check_move(target, migrations).await?;
        let (Engine::Sqlite(source), Engine::Postgres(to)) = (self.engine(), target.engine()) else {
            return Err(StoreError::internal("it was looked at before"));
        };
        target.migrate(migrations).await?;
        let ((plan, planned), (batches, arriving)) = (oneshot::channel(), mpsc::channel(AHEAD));
        let (let_go, until) = oneshot::channel();
        let reading = source.read_all(Reading { plan, batches, until });
        let writing = async {
            let gone = || StoreError::internal("reading the source stopped");
            let tables = planned.await.unwrap_or_else(|_| Err(gone()))?;
            to.fill(&tables, arriving, &mut progress).await?;
            // Until here nothing may change in the source, or it would be lost.
            drop(let_go);
            Ok(counts(&tables))
        };
        let ((), moved) = tokio::join!(reading, writing);
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, refers_to: &[&str]) -> Table {
        let refers_to = refers_to.iter().map(|other| (*other).to_owned()).collect();
        Table { name: name.to_owned(), columns: Vec::new(), refers_to, rows: 0 }
    }

    #[test]
    fn what_is_referred_to_goes_first() {
        let tables = vec![table("a", &["c", "b"]), table("b", &["c", "b"]), table("c", &[])];
        let names: Vec<_> = in_order(tables).unwrap().into_iter().map(|table| table.name).collect();
        assert_eq!(names, ["c", "b", "a"]);
        assert!(in_order(vec![table("a", &["b"]), table("b", &["a"])]).is_err());
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(quoted("a\"; DROP TABLE b; --"), "\"a\"\"; DROP TABLE b; --\"");
    }
}
