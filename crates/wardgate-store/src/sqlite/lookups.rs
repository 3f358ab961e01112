//! Point reads on the caller's thread: a few microseconds, where a way through another thread costs thirty.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;

use super::{
    connect::{self, Role},
    error::store_error,
    job::sqlite,
};
use crate::{
    StoreError,
    body::{Body, run_now},
    session::{Conn, Session},
    tx::Scope,
};

/// Connections kept open. More may exist for a moment: one per runtime thread that looks something up.
const IDLE: usize = 16;

pub(super) struct Lookups {
    path: PathBuf,
    /// `None` once closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

fn run(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    let ran = conn.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    ran.map(drop).map_err(|error| store_error(&error))
}

impl Lookups {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Some(Vec::new())) }
    }

    pub(super) fn run<X: Scope, I, T, E: From<StoreError>>(
        &self,
        key: X::Key,
        input: &I,
        body: &impl Body<X, I, T, E>,
    ) -> Result<T, E> {
        let conn = self.take()?;
        // Each statement by itself would take and release the file's locks, which costs more than to read a row.
        run(&conn, "BEGIN")?;
        let (conn, ended) = run_now(Session::lookup(Conn::Sqlite(conn)), key, input, body);
        let conn = sqlite(conn);
        if run(&conn, "COMMIT").is_ok() {
            self.give_back(conn);
        }
        ended.result()
    }

    /// Reads the schema, which touches the file.
    pub(super) fn ping(&self) -> Result<(), StoreError> {
        let conn = self.take()?;
        let seen = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
        self.give_back(conn);
        seen.map_err(|error| store_error(&error))
    }

    pub(super) fn close(&self) {
        drop(self.idle().take());
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let waiting = self.idle().as_mut().ok_or(StoreError::Closed)?.pop();
        waiting.map_or_else(|| connect::open(&self.path, Role::Reader), Ok)
    }

    fn give_back(&self, conn: Connection) {
        let mut idle = self.idle();
        // A body that opened a transaction of its own would pin the next caller to an old state.
        if let Some(idle) = idle.as_mut().filter(|idle| idle.len() < IDLE && conn.is_autocommit()) {
            idle.push(conn);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
