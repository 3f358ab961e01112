//! The handle to a database, the same for both engines.

use std::{fmt, sync::Arc};

use tracing::{Instrument as _, Span};

use crate::{
    Applied, BoxFuture, DatabaseUrl, DbOptions, Dialect, GlobalTx, Migration, Pending, Stats, StoreError,
    TenantKey, Tx, body::Body, postgres, sqlite, tx::Scope,
};

/// A database. Clones share its connections.
///
/// Six ways to run a transaction body: `write` changes, `read` sees one state over several queries, `lookup`
/// is the quick way for a query or two by key; each inside one tenant, or above tenants (`…_global`). A body
/// gets the transaction and the input by reference: `|tx, input| Box::pin(async move { … })`.
#[derive(Clone)]
pub struct Db {
    engine: Arc<Engine>,
    #[cfg(feature = "testing")]
    watch: crate::testing::Watch,
}

pub(crate) enum Engine {
    Sqlite(sqlite::Engine),
    Postgres(postgres::Engine),
}

/// What a body is going to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Write,
    Read,
    Lookup,
}

impl Access {
    /// For who collects traces: from the call to its answer, with the way to another thread. It says nothing of what
    /// is written or asked.
    fn span(self) -> Span {
        match self {
            Self::Write => tracing::trace_span!("database write"),
            Self::Read => tracing::trace_span!("database read"),
            Self::Lookup => tracing::trace_span!("database lookup"),
        }
    }
}

impl Db {
    /// Opens the database; on SQLite makes the file (mode 0600) and its folder (0700) if they are absent.
    ///
    /// Runs no migration. On PostgreSQL, connects once to see that the address is right.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with the reason.
    pub async fn open(options: DbOptions) -> Result<Self, StoreError> {
        let engine = match options.url.clone() {
            DatabaseUrl::Sqlite(path) => Engine::Sqlite(sqlite::Engine::open(path, options).await?),
            DatabaseUrl::Postgres(url) => Engine::Postgres(postgres::Engine::open(&url, &options).await?),
        };
        Ok(Self {
            engine: Arc::new(engine),
            #[cfg(feature = "testing")]
            watch: crate::testing::Watch::default(),
        })
    }

    /// Runs `body` in a transaction of `tenant`: `Ok` commits, `Err` rolls back.
    ///
    /// On SQLite the body runs on the writer's thread and shares a COMMIT with others; dropping this future
    /// does not stop it. On PostgreSQL it runs here, in READ COMMITTED, and is called again (five times at
    /// most) after a serialization failure or a deadlock; dropping this future rolls back.
    ///
    /// # Errors
    /// The body's own, or from [`StoreError`]: `Busy` (nothing was written), `Unavailable` (nothing may be
    /// assumed written), `Closed`, `Internal` for a body that panics or waits.
    pub async fn write<I, T, E, F>(&self, tenant: TenantKey, input: I, body: F) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.run(Access::Write, tenant, input, body).await
    }

    /// Runs `body` on one consistent state of the database; changes are refused.
    ///
    /// On SQLite on a reader's thread, on PostgreSQL here, in REPEATABLE READ READ ONLY.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn read<I, T, E, F>(&self, tenant: TenantKey, input: I, body: F) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.run(Access::Read, tenant, input, body).await
    }

    /// Runs `body` without a transaction: each query sees the latest commit. Changes and locks are refused.
    ///
    /// For point reads by key. On SQLite it runs at once on the calling thread, which spares the way to
    /// another thread and back but blocks it meanwhile: no listing, no search.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn lookup<I, T, E, F>(&self, tenant: TenantKey, input: I, body: F) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.run(Access::Lookup, tenant, input, body).await
    }

    /// [`Db::write`] above tenants.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_global<I, T, E, F>(&self, input: I, body: F) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut GlobalTx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.run(Access::Write, (), input, body).await
    }

    /// [`Db::read`] above tenants.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn read_global<I, T, E, F>(&self, input: I, body: F) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut GlobalTx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.run(Access::Read, (), input, body).await
    }

    /// [`Db::lookup`] above tenants.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn lookup_global<I, T, E, F>(&self, input: I, body: F) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut GlobalTx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.run(Access::Lookup, (), input, body).await
    }

    async fn run<X, I, T, E>(
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
        #[cfg(feature = "testing")]
        let body = self.watch.around(body);
        let span = access.span();
        match &*self.engine {
            Engine::Sqlite(engine) => engine.run(access, key, input, body).instrument(span).await,
            Engine::Postgres(engine) => engine.run(access, key, input, body).instrument(span).await,
        }
    }

    /// Applies the migrations that are missing, each in its own transaction, and tells which.
    ///
    /// `migrations` are the program's, all of them, by rising version. Two processes may call it at once.
    ///
    /// # Errors
    /// [`StoreError::Migration`] if a text was changed after it was applied, if the database knows versions
    /// that the program does not, or if one fails; those before it stay applied.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<Vec<Applied>, StoreError> {
        match &*self.engine {
            Engine::Sqlite(engine) => engine.migrate(migrations).await,
            Engine::Postgres(engine) => engine.migrate(migrations).await,
        }
    }

    /// Compares the migrations of the program and of the database; changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Migration`] if a text was changed after it was applied.
    pub async fn pending(&self, migrations: &[Migration]) -> Result<Pending, StoreError> {
        match &*self.engine {
            Engine::Sqlite(engine) => engine.pending(migrations).await,
            Engine::Postgres(engine) => engine.pending(migrations).await,
        }
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// `Unavailable`, `Busy` or `Closed`.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match &*self.engine {
            Engine::Sqlite(engine) => engine.ping(),
            Engine::Postgres(engine) => engine.ping().await,
        }
    }

    /// What it has done so far.
    pub fn stats(&self) -> Stats {
        match &*self.engine {
            Engine::Sqlite(engine) => engine.stats(),
            Engine::Postgres(engine) => engine.stats(),
        }
    }

    /// Which engine it is.
    pub fn dialect(&self) -> Dialect {
        match &*self.engine {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Ends the work: everything accepted is committed and answered, then the connections are closed.
    ///
    /// Later calls, also on clones, get [`StoreError::Closed`]. Calling it again waits as well.
    pub async fn close(&self) {
        match &*self.engine {
            Engine::Sqlite(engine) => engine.close().await,
            Engine::Postgres(engine) => engine.close().await,
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    #[cfg(feature = "testing")]
    pub(crate) fn watch(&self) -> &crate::testing::Watch {
        &self.watch
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("dialect", &self.dialect()).finish_non_exhaustive()
    }
}
