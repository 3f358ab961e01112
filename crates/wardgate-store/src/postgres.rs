//! PostgreSQL: a pool; a transaction body runs on the caller's task.

mod connect;
mod error;
mod fill;
mod lease;
pub(crate) mod lock;
mod migrate;
mod sight;
mod tls;
pub(crate) mod value;
pub(crate) mod verbs;

pub(crate) use lease::Lease;
pub(crate) use sight::Sight;

use deadpool_postgres::Pool;
use tokio::sync::{RwLock, RwLockReadGuard, mpsc};

use crate::{
    Applied, DbOptions, Migration, Pending, Stats, StoreError,
    body::{Body, Ended, call},
    db::Access,
    relocate::{Batch, Table},
    session::{Conn, Session},
    stats::Counts,
    tx::Scope,
    url::PostgresUrl,
};
use lease::Block;

/// How often a body is run before its losing races is told to the caller.
const ATTEMPTS: usize = 5;

pub(crate) struct Engine {
    pool: Pool,
    counts: Counts,
    /// Read-locked by every call while it works; `false` once closed.
    open: RwLock<bool>,
}

impl Engine {
    pub(crate) async fn open(url: &PostgresUrl, options: &DbOptions) -> Result<Self, StoreError> {
        let engine =
            Self { pool: connect::pool(url, options)?, counts: Counts::default(), open: RwLock::new(true) };
        engine.ping().await?;
        Ok(engine)
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
        let _working = self.enter().await?;
        for _ in 0..ATTEMPTS {
            let begun = self.begin(access).await.inspect_err(|_| self.counts.failed(1))?;
            let mut tx = X::enter(begun, key);
            let outcome = call(&body, &mut tx, &input).await;
            let (conn, failed) = tx.leave().end();
            let counts = (access == Access::Write).then_some(&self.counts);
            if let Some(result) = finish(conn, Ended::new(outcome.map(Some), failed), counts).await {
                return result;
            }
        }
        self.counts.failed(1);
        Err(StoreError::Busy.into())
    }

    async fn begin(&self, access: Access) -> Result<Session, StoreError> {
        let mut lease = connect::lease(&self.pool).await?;
        match access {
            Access::Write => lease.begin(Block::Write).await?,
            Access::Read => lease.begin(Block::Snapshot).await?,
            Access::Lookup => return Ok(Session::lookup(Conn::Postgres(lease))),
        }
        Ok(Session::transaction(Conn::Postgres(lease)))
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats { waiting: self.pool.status().waiting as u64, ..self.counts.read() }
    }

    pub(crate) async fn migrate(&self, migrations: &[Migration]) -> Result<Vec<Applied>, StoreError> {
        let _working = self.enter().await?;
        migrate::apply(connect::lease(&self.pool).await?, migrations).await
    }

    pub(crate) async fn pending(&self, migrations: &[Migration]) -> Result<Pending, StoreError> {
        let _working = self.enter().await?;
        migrate::pending(&connect::lease(&self.pool).await?, migrations).await
    }

    pub(crate) async fn refuse_tables(&self) -> Result<(), StoreError> {
        let _working = self.enter().await?;
        fill::refuse_tables(&connect::lease(&self.pool).await?).await
    }

    pub(crate) async fn refuse_rows(&self, tables: &[Table]) -> Result<(), StoreError> {
        let _working = self.enter().await?;
        fill::refuse_rows(&mut connect::lease(&self.pool).await?, tables).await
    }

    pub(crate) async fn fill(
        &self,
        tables: &[Table],
        arriving: mpsc::Receiver<Result<Batch, StoreError>>,
        progress: &mut (impl FnMut(&str, u64, u64) + Send),
    ) -> Result<(), StoreError> {
        let _working = self.enter().await?;
        fill::run(&mut connect::lease(&self.pool).await?, tables, arriving, progress).await
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let _working = self.enter().await?;
        connect::lease(&self.pool).await?.batch("SELECT 1").await
    }

    /// Waits for the calls at work; those that come later find it closed.
    pub(crate) async fn close(&self) {
        *self.open.write().await = false;
        self.pool.close();
    }

    async fn enter(&self) -> Result<RwLockReadGuard<'_, bool>, StoreError> {
        let open = self.open.read().await;
        if *open { Ok(open) } else { Err(StoreError::Closed) }
    }

    #[cfg(feature = "testing")]
    pub(crate) async fn connect(&self) -> Result<Lease, StoreError> {
        connect::lease(&self.pool).await
    }
}

/// Commits or rolls back; `None` if the body lost a race and is to run again. Counts what wrote.
async fn finish<T, E: From<StoreError>>(
    conn: Conn,
    ended: Ended<T, E>,
    counts: Option<&Counts>,
) -> Option<Result<T, E>> {
    let mut lease = postgres(conn);
    counts.inspect(|counts| counts.wrote(1));
    if !ended.may_commit() {
        lease.rollback().await;
        return if ended.lost_race() { None } else { Some(ended.result()) };
    }
    let committed = lease.commit().await;
    if let Some(counts) = counts {
        match &committed {
            Ok(()) => counts.committed(),
            Err(StoreError::Busy) => {}
            Err(_) => counts.failed(1),
        }
    }
    match committed {
        Ok(()) => Some(ended.result()),
        Err(StoreError::Busy) => None,
        Err(unavailable @ StoreError::Unavailable(_)) => Some(Err(unavailable.into())),
        Err(other) => Some(Err(StoreError::unavailable(format!("the commit failed: {other}")).into())),
    }
}

fn postgres(conn: Conn) -> Lease {
    match conn {
        Conn::Postgres(lease) => lease,
        Conn::Sqlite(_) => unreachable!("a transaction gives back the connection it was lent"),
    }
}
