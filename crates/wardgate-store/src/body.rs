//! The closure a transaction runs, and what its end means.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures_util::FutureExt;

use crate::{
    StoreError,
    session::{Conn, Session},
    tx::{BoxFuture, Scope},
};

/// A transaction body: what [`Db::write`](crate::Db::write) takes, under a shorter name.
pub(crate) trait Body<X, I, T, E>:
    for<'t> Fn(&'t mut X, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + 'static
{
}

impl<F, X, I, T, E> Body<X, I, T, E> for F where
    F: for<'t> Fn(&'t mut X, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + 'static
{
}

/// A body that came to its end, in one way or another.
pub(crate) struct Ended<T, E> {
    outcome: Result<Option<Result<T, E>>, Panic>,
    failed: Option<StoreError>,
}

pub(crate) type Panic = Box<dyn Any + Send>;

impl<T, E: From<StoreError>> Ended<T, E> {
    /// `None` stands for a body that was still waiting for something.
    pub(crate) fn new(outcome: Result<Option<Result<T, E>>, Panic>, failed: Option<StoreError>) -> Self {
        Self { outcome, failed }
    }

    /// Whether its changes may be committed: it said `Ok`, and no statement failed on the way.
    pub(crate) fn may_commit(&self) -> bool {
        self.failed.is_none() && matches!(self.outcome, Ok(Some(Ok(_))))
    }

    /// Whether it lost a race that PostgreSQL settles by refusing one side.
    pub(crate) fn lost_race(&self) -> bool {
        self.outcome.is_ok() && self.failed == Some(StoreError::Busy)
    }

    /// The answer to the caller.
    pub(crate) fn result(self) -> Result<T, E> {
        match (self.outcome, self.failed) {
            (Ok(Some(Ok(_))), Some(failed)) => Err(failed.into()),
            (Ok(Some(result)), _) => result,
            (Ok(None), _) => {
                Err(StoreError::internal("a transaction body awaited something other than its statements")
                    .into())
            }
            (Err(_), _) => Err(StoreError::internal("a transaction body panicked").into()),
        }
    }
}

/// Runs a body whose every await is ready at once, which is so on SQLite.
///
/// A body that still waits is dropped. A panic stays inside: the thread and the connection belong to others
/// as well.
pub(crate) fn run_now<X: Scope, I, T, E: From<StoreError>>(
    session: Session,
    key: X::Key,
    input: &I,
    body: &impl Body<X, I, T, E>,
) -> (Conn, Ended<T, E>) {
    let mut tx = X::enter(session, key);
    let outcome = caught(|| body(&mut tx, input).now_or_never());
    let (conn, failed) = tx.leave().end();
    (conn, Ended::new(outcome, failed))
}

/// Calls a body for its future, with a panic of the call itself caught.
pub(crate) fn call<'t, X, I, T, E>(
    body: &impl Body<X, I, T, E>,
    tx: &'t mut X,
    input: &'t I,
) -> BoxFuture<'t, Result<Result<T, E>, Panic>>
where
    T: Send + 't,
    E: Send + 't,
{
    match caught(move || body(tx, input)) {
        Ok(future) => Box::pin(AssertUnwindSafe(future).catch_unwind()),
        Err(panic) => Box::pin(std::future::ready(Err(panic))),
    }
}

/// The bound makes the compiler see a closure that is called once, so that it may give away what it borrows.
fn caught<R>(call: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_unwind(AssertUnwindSafe(call))
}
