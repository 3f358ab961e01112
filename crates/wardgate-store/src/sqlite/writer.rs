//! The one writer: gathers the bodies that wait and commits them together, so that one fsync serves many.
//!
//! Each body has its savepoint and rolls back alone. Nobody is answered before the COMMIT: not an error and
//! not a body that only read, because either may rest on what a neighbour wrote.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    error::store_error,
    job::{Job, answer},
    queue::{Jobs, Queue, spawn},
};
use crate::{DbOptions, StoreError, stats::Counts};

/// When a batch ends although more bodies wait.
#[derive(Clone, Copy)]
struct Limits {
    bodies: usize,
    /// Bounds how long the first body waits for the last.
    time: Duration,
}

pub(super) fn start(
    conn: Connection,
    options: &DbOptions,
    counts: &Arc<Counts>,
) -> Result<Queue, StoreError> {
    let (queue, jobs, alive) = Queue::new(options.queue);
    let limits = Limits { bodies: options.commit_batch.max(1), time: Duration::from_millis(5) };
    let counts = Arc::clone(counts);
    spawn("wardgate-writer".to_owned(), move || {
        run(conn, &jobs, limits, &counts);
        drop(alive);
    })?;
    Ok(queue)
}

fn run(mut conn: Connection, jobs: &Jobs, limits: Limits, counts: &Counts) {
    while let Ok(first) = jobs.recv() {
        conn = batch(conn, first, jobs, limits, counts);
    }
}

fn batch(
    mut conn: Connection,
    first: Box<dyn Job>,
    jobs: &Jobs,
    limits: Limits,
    counts: &Counts,
) -> Connection {
    if let Err(error) = execute(&conn, "BEGIN IMMEDIATE") {
        refuse(first, jobs, limits, &error, counts);
        return conn;
    }
    let end = now() + limits.time;
    let mut ran = Vec::new();
    let mut fate = Ok(());
    let mut next = Some(first);
    while let Some(mut job) = next {
        counts.left();
        (conn, fate) = in_savepoint(conn, job.as_mut());
        ran.push(job);
        let go_on = fate.is_ok() && ran.len() < limits.bodies && now() < end;
        next = if go_on { jobs.try_recv().ok() } else { None };
    }
    let fate = fate.and_then(|()| execute(&conn, "COMMIT")).map_err(lost);
    roll_back(&conn);
    counts.wrote(ran.len());
    match fate {
        Ok(()) => counts.committed(),
        Err(_) => counts.failed(ran.len()),
    }
    ran.into_iter().for_each(|job| answer(job, fate.clone()));
    conn
}

/// Ends what a failed COMMIT may have left open; without effect after a good one.
fn roll_back(conn: &Connection) {
    if conn.is_autocommit() {
        return;
    }
    if let Err(error) = execute(conn, "ROLLBACK") {
        tracing::error!(%error, "the SQLite writer could not roll back");
    }
}

/// All that wait now would meet the same lock or the same broken disk, and each wait ten seconds for it.
fn refuse(first: Box<dyn Job>, jobs: &Jobs, limits: Limits, error: &StoreError, counts: &Counts) {
    // Gathered before anybody is answered: whoever tries again at once has not waited.
    let waiting: Vec<_> = jobs.try_iter().take(limits.bodies - 1).collect();
    let refused: Vec<_> = std::iter::once(first).chain(waiting).collect();
    counts.failed(refused.len());
    refused.iter().for_each(|_| counts.left());
    refused.into_iter().for_each(|job| answer(job, Err(error.clone())));
}

/// Runs one body. An error means that the whole batch is lost, not only this body.
fn in_savepoint(conn: Connection, job: &mut dyn Job) -> (Connection, Result<(), StoreError>) {
    if let Err(error) = execute(&conn, "SAVEPOINT body") {
        return (conn, Err(error));
    }
    let (conn, keep) = job.run(conn);
    let ended = end_savepoint(&conn, keep);
    (conn, ended)
}

fn end_savepoint(conn: &Connection, keep: bool) -> Result<(), StoreError> {
    // A full disk or an I/O error makes SQLite roll back everything by itself, neighbours included; going
    // on would run the next body outside any transaction.
    if conn.is_autocommit() {
        return Err(StoreError::unavailable("SQLite rolled the transaction back"));
    }
    if !keep {
        execute(conn, "ROLLBACK TO body")?;
    }
    execute(conn, "RELEASE body")
}

pub(super) fn execute(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    let done = conn.prepare_cached(sql).and_then(|mut statement| statement.raw_execute());
    done.map(|_| ()).map_err(|error| store_error(&error))
}

fn lost(error: StoreError) -> StoreError {
    match error {
        unavailable @ StoreError::Unavailable(_) => unavailable,
        other => StoreError::unavailable(format!("the commit failed: {other}")),
    }
}

#[expect(clippy::disallowed_methods, reason = "bounds the writer's own work; no result depends on it")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
