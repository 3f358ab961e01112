//! A transaction body on its way to a database thread and back.

use std::{marker::PhantomData, panic::AssertUnwindSafe};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::{
    StoreError,
    body::{Body, Ended, run_now},
    session::{Conn, Session},
    tx::Scope,
};

/// A body whose types are forgotten, so that all wait in one queue.
pub(super) trait Job: Send {
    /// Runs the body in the transaction that is open; says whether its changes may be kept.
    fn run(&mut self, conn: Connection) -> (Connection, bool);

    /// Tells the caller its result, or `fate` if the transaction around it failed.
    fn answer(self: Box<Self>, fate: Result<(), StoreError>);
}

pub(super) struct BodyJob<X: Scope, I, T, E, F> {
    key: X::Key,
    input: I,
    body: F,
    ended: Option<Ended<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
    scope: PhantomData<fn(X)>,
}

impl<X, I, T, E, F> BodyJob<X, I, T, E, F>
where
    X: Scope,
    I: Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: Body<X, I, T, E>,
{
    pub(super) fn boxed(
        key: X::Key,
        input: I,
        body: F,
        reply: oneshot::Sender<Result<T, E>>,
    ) -> Box<dyn Job> {
        Box::new(Self { key, input, body, ended: None, reply, scope: PhantomData })
    }
}

impl<X, I, T, E, F> Job for BodyJob<X, I, T, E, F>
where
    X: Scope,
    I: Send,
    T: Send,
    E: From<StoreError> + Send,
    F: Body<X, I, T, E>,
{
    fn run(&mut self, conn: Connection) -> (Connection, bool) {
        let (conn, ended) =
            run_now(Session::transaction(Conn::Sqlite(conn)), self.key, &self.input, &self.body);
        let keep = ended.may_commit();
        self.ended = Some(ended);
        (sqlite(conn), keep)
    }

    fn answer(self: Box<Self>, fate: Result<(), StoreError>) {
        let never_ran = || Err(StoreError::internal("a transaction body was not run").into());
        let result = match fate {
            Ok(()) => self.ended.map_or_else(never_ran, Ended::result),
            Err(error) => Err(error.into()),
        };
        // The caller may have gone; its transaction stands all the same.
        drop(self.reply.send(result));
    }
}

/// The connection that was lent to a body of this engine.
pub(super) fn sqlite(conn: Conn) -> Connection {
    match conn {
        Conn::Sqlite(conn) => conn,
        Conn::Postgres(_) => unreachable!("a transaction gives back the connection it was lent"),
    }
}

/// Answers, and survives an error conversion or a destructor of the caller's that panics.
pub(super) fn answer(job: Box<dyn Job>, fate: Result<(), StoreError>) {
    let answered = std::panic::catch_unwind(AssertUnwindSafe(|| job.answer(fate)));
    if answered.is_err() {
        tracing::error!("answering a transaction body panicked");
    }
}
