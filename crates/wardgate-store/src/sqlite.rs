//! SQLite: one writer thread with group commit, reader threads, and lookups on the caller's thread.

mod connect;
mod error;
pub(crate) mod file;
mod job;
mod lookups;
mod migrate;
mod queue;
mod read_all;
mod readers;
pub(crate) mod value;
pub(crate) mod verbs;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{OnceCell, oneshot};

use crate::{
    Applied, DbOptions, Durability, Migration, Pending, Stats, StoreError,
    body::Body,
    db::Access,
    relocate::{Reading, Table},
    stats::Counts,
    tx::Scope,
};
use connect::Role;
use job::{BodyJob, Job};
use lookups::Lookups;
use queue::Queue;

pub(crate) struct Engine {
    path: PathBuf,
    durability: Durability,
    writer: Queue,
    readers: Queue,
    lookups: Lookups,
    counts: Arc<Counts>,
    /// Set by the first call of `close`, for which others wait.
    tidied: OnceCell<()>,
}

impl Engine {
    pub(crate) async fn open(path: PathBuf, options: DbOptions) -> Result<Self, StoreError> {
        off_runtime(move || Self::open_here(path, &options)).await
    }

    fn open_here(path: PathBuf, options: &DbOptions) -> Result<Self, StoreError> {
        connect::create_file(&path)?;
        let conn = connect::open(&path, Role::Writer(options.durability))?;
        conn.busy_timeout(options.patience).map_err(|error| error::store_error(&error))?;
        let counts = Arc::new(Counts::default());
        let writer = writer::start(conn, options, &counts)?;
        let readers = readers::start(&path, options)?;
        let (lookups, tidied) = (Lookups::new(path.clone()), OnceCell::new());
        Ok(Self { path, durability: options.durability, writer, readers, lookups, counts, tidied })
    }

    pub(crate) async fn run<X, I, T, E>(
        &self,
        access: Access,
        key: X::Key,
        input: I,
        body: impl Body<X, I, T, E>,
    ) -> Result<T, E>
    where
        X: Scope,
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        if access == Access::Lookup {
            return self.lookups.run(key, &input, &body);
        }
        let (reply, answer) = oneshot::channel();
        self.submit(access, BodyJob::boxed(key, input, body, reply))?;
        answer.await.unwrap_or_else(|_| Err(StoreError::unavailable("a database thread stopped").into()))
    }

    fn submit(&self, access: Access, job: Box<dyn Job>) -> Result<(), StoreError> {
        let submitted = if access == Access::Write {
            self.counts.came();
            self.writer.submit(job).inspect_err(|_| self.counts.left())
        } else {
            self.readers.submit(job)
        };
        submitted.inspect_err(|_| self.counts.failed(1))
    }

    pub(crate) fn stats(&self) -> Stats {
        self.counts.read()
    }

    pub(crate) async fn migrate(&self, migrations: &[Migration]) -> Result<Vec<Applied>, StoreError> {
        self.writer.still_open()?;
        let (path, durability, migrations) = (self.path.clone(), self.durability, migrations.to_vec());
        off_runtime(move || migrate::apply(&connect::open(&path, Role::Migrator(durability))?, &migrations))
            .await
    }

    pub(crate) async fn pending(&self, migrations: &[Migration]) -> Result<Pending, StoreError> {
        self.writer.still_open()?;
        let (path, migrations) = (self.path.clone(), migrations.to_vec());
        off_runtime(move || migrate::pending(&connect::open(&path, Role::Reader)?, &migrations)).await
    }

    pub(crate) async fn catalogue(&self) -> Result<Vec<Table>, StoreError> {
        self.writer.still_open()?;
        let path = self.path.clone();
        off_runtime(move || read_all::catalogue(&connect::open(&path, Role::Reader)?)).await
    }

    /// Reads everything on a thread of its own; what keeps it from that is told through `reading`.
    pub(crate) async fn read_all(&self, reading: Reading) {
        let (path, durability) = (self.path.clone(), self.durability);
        let read = off_runtime(move || match connect::open(&path, Role::Writer(durability)) {
            Ok(conn) => {
                read_all::run(&conn, reading);
                Ok(())
            }
            Err(error) => {
                drop(reading.plan.send(Err(error.clone())));
                Err(error)
            }
        });
        drop(read.await);
    }

    pub(crate) fn ping(&self) -> Result<(), StoreError> {
        self.writer.still_open()?;
        self.readers.still_open()?;
        self.lookups.ping()
    }

    pub(crate) async fn close(&self) {
        self.lookups.close();
        tokio::join!(self.readers.close(), self.writer.close());
        self.tidied.get_or_init(|| self.tidy()).await;
    }

    /// Leaves one file behind instead of three, so that a copy of it is complete.
    ///
    /// On a connection of its own: threads that end at the same moment see each other's connection and
    /// both leave the log to the other.
    async fn tidy(&self) {
        let (path, durability) = (self.path.clone(), self.durability);
        if let Err(error) = off_runtime(move || connect::checkpoint(&path, durability)).await {
            tracing::error!(%error, "the last checkpoint failed; the log is kept and read at the next start");
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn connect(&self) -> Result<rusqlite::Connection, StoreError> {
        connect::open(&self.path, Role::Reader)
    }
}

/// Opening files and migrating may take its time, so it does not happen on a runtime thread.
async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(StoreError::internal("opening or migrating the database panicked")))
}
