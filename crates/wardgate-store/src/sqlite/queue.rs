//! The bounded queue before a database thread, and the news that the thread has ended.

use std::{
    sync::{
        PoisonError, RwLock,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use tokio::sync::watch;

use super::job::Job;
use crate::StoreError;

pub(super) type Jobs = Receiver<Box<dyn Job>>;

pub(super) struct Queue {
    /// `None` once closed: the thread works off what is left and then sees that no sender remains.
    sender: RwLock<Option<SyncSender<Box<dyn Job>>>>,
    /// Errs as soon as every thread has dropped its [`Alive`].
    threads: watch::Receiver<()>,
}

/// Held by a thread while it lives, also if it panics.
pub(super) type Alive = watch::Sender<()>;

impl Queue {
    /// A queue for `length` jobs, its far end, and the token its threads share.
    pub(super) fn new(length: usize) -> (Self, Jobs, Alive) {
        let (sender, jobs) = sync_channel(length.max(1));
        let (alive, threads) = watch::channel(());
        (Self { sender: RwLock::new(Some(sender)), threads }, jobs, alive)
    }

    /// Puts a job into the queue without waiting: a full queue is an overload, and waiting would hide it.
    pub(super) fn submit(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let sender = self.sender.read().unwrap_or_else(PoisonError::into_inner);
        let sender = sender.as_ref().ok_or(StoreError::Closed)?;
        sender.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => StoreError::unavailable("a database thread stopped"),
        })
    }

    pub(super) fn still_open(&self) -> Result<(), StoreError> {
        let sender = self.sender.read().unwrap_or_else(PoisonError::into_inner);
        sender.as_ref().ok_or(StoreError::Closed)?;
        match self.threads.has_changed() {
            Ok(_) => Ok(()),
            Err(_) => Err(StoreError::unavailable("a database thread stopped")),
        }
    }

    /// Takes no more jobs, and waits until the threads have worked off the rest and ended.
    pub(super) async fn close(&self) {
        drop(self.sender.write().unwrap_or_else(PoisonError::into_inner).take());
        let mut threads = self.threads.clone();
        while threads.changed().await.is_ok() {}
    }
}

/// Starts a named thread.
pub(super) fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    let started = thread::Builder::new().name(name).spawn(work);
    started.map(|_| ()).map_err(|error| StoreError::unavailable(format!("cannot start a thread: {error}")))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn closing_waits_for_the_last_thread() {
        let (queue, jobs, first) = Queue::new(1);
        let second = first.clone();
        let mut closing = Box::pin(queue.close());
        assert!((&mut closing).now_or_never().is_none());
        assert!(jobs.recv().is_err(), "the threads see that nothing more comes");
        drop(first);
        assert!((&mut closing).now_or_never().is_none());
        drop(second);
        assert!(closing.now_or_never().is_some());
    }

    #[test]
    fn a_thread_that_died_is_noticed() {
        let (queue, jobs, alive) = Queue::new(1);
        assert_eq!(queue.still_open(), Ok(()));
        drop((jobs, alive));
        assert!(matches!(queue.still_open(), Err(StoreError::Unavailable(_))));
    }
}
