//! The hashing pool: slow password hashes on threads of their own, which yield to the request threads.
//!
//! One Argon2id takes about 20 ms of a whole core. On the async threads it would stop every other request
//! (what the guide's own application does), so it runs here: few threads of low priority, a bounded queue
//! that is fair between sources, a deadline, and no work for a client that has gone.

mod queue;
mod worker;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::Instrument as _;
use wardgate_crypto::password::Workspace;

use crate::kernel::error::AuthError;
use crate::ports::Clock;
use crate::ports::meter::Meter;
use queue::{Job, Queue};

/// Sizes of the pool.
#[derive(Debug, Clone, Copy)]
pub struct HashPoolSettings {
    /// Threads that hash; each holds one hash's memory (19 MiB by default) while it works.
    pub threads: usize,
    /// Jobs that may wait; more are answered 503.
    pub queue: usize,
    /// How long a job may wait before it is answered 503 instead.
    pub deadline: Duration,
}

impl Default for HashPoolSettings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads: cores, queue: 64, deadline: Duration::from_secs(5) }
    }
}

/// Threads that hash passwords.
pub(crate) struct HashPool {
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    meter: Arc<Meter>,
    threads: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl HashPool {
    /// Starts the threads.
    pub(crate) fn start(
        settings: HashPoolSettings,
        clock: Arc<dyn Clock>,
        meter: Arc<Meter>,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::new(settings.queue));
        let threads = (0..settings.threads.max(1))
            .map(|index| worker::spawn(index, Arc::clone(&queue), Arc::clone(&clock)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { queue, clock, deadline: settings.deadline, meter, threads: std::sync::Mutex::new(threads) })
    }

    /// Runs `work` on a hashing thread and waits for its result.
    ///
    /// `source` shares the queue fairly. Answers [`AuthError::Busy`] when the queue is full or the job
    /// waited longer than the deadline; dropping the future takes the job back unless it has begun.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        source: u128,
        work: impl FnOnce(&mut Workspace) -> T + Send + 'static,
    ) -> Result<T, AuthError> {
        let (reply, answer) = oneshot::channel();
        let (came, waiting) = (self.clock.monotonic(), self.meter.hash_waits());
        let (clock, meter) = (Arc::clone(&self.clock), Arc::clone(&self.meter));
        let job = Job::new(came + self.deadline, reply, move |workspace| {
            drop(waiting);
            meter.hash_waited(clock.monotonic().saturating_sub(came));
            work(workspace)
        });
        self.queue.push(source, job).map_err(|_| self.busy())?;
        // The sender is dropped unanswered when the job is evicted, outlives its deadline or panics.
        let span = tracing::trace_span!("hash password");
        answer.instrument(span).await.map_err(|_| self.busy())
    }

    fn busy(&self) -> AuthError {
        self.meter.hash_refused();
        // Half the deadline: by then about half of a full queue has been worked off.
        AuthError::Busy { retry_after: (self.deadline / 2).max(Duration::from_secs(1)) }
    }

    /// Refuses new jobs, finishes the accepted ones and ends the threads. Blocks: call it off the async threads.
    pub(crate) fn drain(&self) {
        self.queue.close();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for thread in threads {
            // A worker cannot panic out of its loop: jobs run under catch_unwind.
            let _ = thread.join();
        }
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        self.queue.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Timestamp;
    use crate::ports::ManualClock;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    fn pool(queue: usize) -> (Arc<HashPool>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
        let meter = Arc::new(Meter::new(wardgate_store::Stats::default));
        let settings = HashPoolSettings { threads: 1, queue, deadline: Duration::from_secs(5) };
        (Arc::new(HashPool::start(settings, Arc::clone(&clock) as Arc<dyn Clock>, meter).unwrap()), clock)
    }

    /// Occupies the only thread until the returned sender is used.
    async fn occupy(pool: &Arc<HashPool>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
        let (release, gate) = mpsc::channel::<()>();
        let (started, begun) = oneshot::channel();
        let pool = Arc::clone(pool);
        let task = tokio::spawn(async move {
            let work = move |_: &mut Workspace| {
                let _ = started.send(());
                let _ = gate.recv();
            };
            pool.run(0, work).await.unwrap();
        });
        begun.await.unwrap();
        (release, task)
    }

    /// Queues a job and returns once it is in the queue.
    async fn enqueue(
        pool: &Arc<HashPool>,
        source: u128,
        ran: &Arc<AtomicUsize>,
    ) -> tokio::task::JoinHandle<bool> {
        let before = pool.queue.len();
        let (task_pool, ran) = (Arc::clone(pool), Arc::clone(ran));
        let task = tokio::spawn(async move {
            task_pool.run(source, move |_| ran.fetch_add(1, Ordering::SeqCst)).await.is_ok()
        });
        while pool.queue.len() == before && !task.is_finished() {
            tokio::task::yield_now().await;
        }
        task
    }

    #[tokio::test]
    async fn a_full_queue_is_answered_at_once() {
        let (pool, _) = pool(2);
        let (release, blocker) = occupy(&pool).await;
        let ran = Arc::new(AtomicUsize::new(0));
        let (a, b) = (enqueue(&pool, 1, &ran).await, enqueue(&pool, 1, &ran).await);
        let refused = pool.run(1, |_| ()).await;
        assert!(
            matches!(refused, Err(AuthError::Busy { retry_after }) if retry_after >= Duration::from_secs(1))
        );
        release.send(()).unwrap();
        blocker.await.unwrap();
        assert!(a.await.unwrap() && b.await.unwrap());
    }

    #[tokio::test]
    async fn one_source_cannot_crowd_out_another() {
        let (pool, _) = pool(4);
        let (release, blocker) = occupy(&pool).await;
        let ran = Arc::new(AtomicUsize::new(0));
        let mut greedy = Vec::new();
        for _ in 0..4 {
            greedy.push(enqueue(&pool, 1, &ran).await);
        }
        let (modest_pool, modest_ran) = (Arc::clone(&pool), Arc::clone(&ran));
        let modest = tokio::spawn(async move {
            modest_pool.run(2, move |_| modest_ran.fetch_add(1, Ordering::SeqCst)).await.unwrap()
        });
        // The greedy source's newest job makes room; it is answered Busy.
        assert!(!greedy.pop().unwrap().await.unwrap());
        release.send(()).unwrap();
        blocker.await.unwrap();
        assert!(modest.await.unwrap() <= 1, "the modest source waits for one greedy job at most");
        for job in greedy {
            assert!(job.await.unwrap());
        }
    }

    #[tokio::test]
    async fn a_client_that_has_gone_costs_nothing() {
        let (pool, _) = pool(8);
        let (release, blocker) = occupy(&pool).await;
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..8 {
            let gone = enqueue(&pool, 1, &ran).await;
            gone.abort();
            assert!(gone.await.is_err());
        }
        release.send(()).unwrap();
        blocker.await.unwrap();
        pool.run(2, |_| ()).await.unwrap();
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_job_past_its_deadline_is_answered_busy_and_not_run() {
        let (pool, clock) = pool(8);
        let (release, blocker) = occupy(&pool).await;
        let ran = Arc::new(AtomicUsize::new(0));
        let late = enqueue(&pool, 1, &ran).await;
        clock.advance(Duration::from_secs(6));
        release.send(()).unwrap();
        blocker.await.unwrap();
        assert!(!late.await.unwrap());
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_panic_ends_one_job_only() {
        let (pool, _) = pool(8);
        assert!(pool.run(1, |_| panic!("boom")).await.is_err());
        assert_eq!(pool.run(1, |_| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn draining_finishes_what_was_accepted_and_refuses_the_rest() {
        let (pool, _) = pool(8);
        let (release, blocker) = occupy(&pool).await;
        let ran = Arc::new(AtomicUsize::new(0));
        let accepted = enqueue(&pool, 1, &ran).await;
        let draining = {
            let pool = Arc::clone(&pool);
            tokio::task::spawn_blocking(move || pool.drain())
        };
        while !pool.queue.is_closed() {
            tokio::task::yield_now().await;
        }
        assert!(pool.run(1, |_| ()).await.is_err());
        release.send(()).unwrap();
        draining.await.unwrap();
        blocker.await.unwrap();
        assert!(accepted.await.unwrap());
    }
}
