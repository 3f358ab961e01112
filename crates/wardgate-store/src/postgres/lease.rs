//! A pooled connection on loan, and the promise that none returns with a transaction open.

use deadpool_postgres::{ClientWrapper, Object};

use super::{error::store_error, sight::Sight};
use crate::StoreError;

/// A connection on loan from the pool.
///
/// Dropped in the middle of a transaction (the caller's future was dropped, or ROLLBACK failed), it closes
/// the connection instead of returning it: the next borrower would work inside a stranger's transaction.
pub(crate) struct Lease {
    /// Taken by `drop` only.
    client: Option<Object>,
    /// Whether the server may hold state of this borrower.
    tainted: bool,
    /// What this borrower last let the connection see; a pooler may have given it to others before.
    sight: Option<Sight>,
}

/// The kinds of transaction. Written out, because the server's defaults can be set otherwise.
#[derive(Clone, Copy)]
pub(super) enum Block {
    Write,
    Snapshot,
}

impl Lease {
    pub(super) fn new(client: Object) -> Self {
        Self { client: Some(client), tainted: false, sight: None }
    }

    pub(crate) fn client(&self) -> &ClientWrapper {
        self.client.as_ref().expect("only drop takes the connection")
    }

    pub(super) async fn begin(&mut self, block: Block) -> Result<(), StoreError> {
        self.taint();
        // A rollback takes back what was set inside.
        self.sight = None;
        self.batch(match block {
            Block::Write => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            Block::Snapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        })
        .await
    }

    /// Whether the connection has to be told that it may see `sight`; it is taken to be told now.
    pub(super) fn needs(&mut self, sight: Sight) -> bool {
        self.sight.replace(sight) != Some(sight)
    }

    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        if self.tainted {
            self.batch("COMMIT").await?;
            self.tainted = false;
        }
        Ok(())
    }

    /// Rolls back; if that fails, the connection is closed, which rolls back too.
    pub(super) async fn rollback(&mut self) {
        if self.tainted && self.batch("ROLLBACK").await.is_ok() {
            self.tainted = false;
        }
    }

    /// From here on the connection is not given back unless [`Lease::cleaned`] says so.
    pub(super) fn taint(&mut self) {
        self.tainted = true;
    }

    pub(super) fn cleaned(&mut self) {
        self.tainted = false;
    }

    pub(crate) async fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.client().batch_execute(sql).await.map_err(|error| store_error(&error))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(client) = self.client.take().filter(|_| self.tainted) {
            drop(Object::take(client));
        }
    }
}
