//! How a database is opened.

use std::time::Duration;

use crate::DatabaseUrl;

/// Whether a COMMIT waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A COMMIT that was answered survives a power cut.
    Full,
    /// The operating system writes when it likes: for tests only, a power cut may lose or damage data.
    Off,
}

/// The settings of a [`Db`](crate::Db); a count of 0 is taken as 1.
#[derive(Clone, Debug)]
pub struct DbOptions {
    /// Which database.
    pub url: DatabaseUrl,
    /// SQLite: how many bodies share one COMMIT at most. Default 256.
    pub commit_batch: usize,
    /// SQLite: how many bodies may wait before [`StoreError::Busy`](crate::StoreError::Busy). Default 4096.
    pub queue: usize,
    /// SQLite: threads for [`Db::read`](crate::Db::read). Default 2.
    pub readers: usize,
    /// SQLite: how long the writer waits for another process's before [`StoreError::Busy`](crate::StoreError::Busy).
    /// Default 10 seconds.
    pub patience: Duration,
    /// PostgreSQL: connections at most. Default 16.
    pub pool: usize,
    /// Whether a COMMIT waits for the disk. Default [`Durability::Full`].
    pub durability: Durability,
}

impl DbOptions {
    /// The defaults for the database at `url`.
    pub fn new(url: DatabaseUrl) -> Self {
        Self {
            url,
            commit_batch: 256,
            queue: 4096,
            readers: 2,
            patience: Duration::from_secs(10),
            pool: 16,
            durability: Durability::Full,
        }
    }
}
