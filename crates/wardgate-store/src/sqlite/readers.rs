//! Reader threads: each body sees one consistent state, however long it reads.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;

use super::{
    connect::{self, Role},
    job::{Job, answer},
    queue::{Jobs, Queue, spawn},
    writer::execute,
};
use crate::{DbOptions, StoreError};

pub(super) fn start(path: &Path, options: &DbOptions) -> Result<Queue, StoreError> {
    let (queue, jobs, alive) = Queue::new(options.queue);
    let jobs = Arc::new(Mutex::new(jobs));
    for number in 0..options.readers.max(1) {
        let conn = connect::open(path, Role::Reader)?;
        let (jobs, alive) = (Arc::clone(&jobs), alive.clone());
        spawn(format!("wardgate-read-{number}"), move || {
            run(conn, &jobs);
            drop(alive);
        })?;
    }
    Ok(queue)
}

fn run(mut conn: Connection, jobs: &Mutex<Jobs>) {
    // The lock is held while waiting: one reader listens, the others stand behind it.
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(job) = next() {
        conn = in_snapshot(conn, job);
    }
}

fn in_snapshot(conn: Connection, mut job: Box<dyn Job>) -> Connection {
    if let Err(error) = execute(&conn, "BEGIN DEFERRED") {
        answer(job, Err(error));
        return conn;
    }
    let (conn, _) = job.run(conn);
    let ended = if conn.is_autocommit() { Ok(()) } else { execute(&conn, "ROLLBACK") };
    answer(job, ended);
    conn
}
