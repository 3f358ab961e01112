//! A bounded queue that takes turns between sources.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use wardgate_crypto::password::Workspace;

/// Work for one hashing thread, with the question whether anybody still waits for it.
pub(super) struct Job {
    deadline: Duration,
    work: Box<dyn Work>,
}

trait Work: Send {
    fn abandoned(&self) -> bool;
    fn run(self: Box<Self>, workspace: &mut Workspace);
}

struct Reply<T, F> {
    reply: oneshot::Sender<T>,
    work: F,
}

impl<T: Send, F: FnOnce(&mut Workspace) -> T + Send> Work for Reply<T, F> {
    fn abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(self: Box<Self>, workspace: &mut Workspace) {
        // Nobody listening is no fault: the client left while its job ran.
        let _ = self.reply.send((self.work)(workspace));
    }
}

impl Job {
    /// `deadline` is a monotonic time; after it the job is dropped unanswered.
    pub(super) fn new<T: Send + 'static>(
        deadline: Duration,
        reply: oneshot::Sender<T>,
        work: impl FnOnce(&mut Workspace) -> T + Send + 'static,
    ) -> Self {
        Self { deadline, work: Box::new(Reply { reply, work }) }
    }

    /// Whether it is still worth doing at `now`.
    pub(super) fn is_wanted(&self, now: Duration) -> bool {
        now <= self.deadline && !self.work.abandoned()
    }

    pub(super) fn run(self, workspace: &mut Workspace) {
        self.work.run(workspace);
    }
}

#[derive(Default)]
struct State {
    waiting: HashMap<u128, VecDeque<Job>>,
    turns: VecDeque<u128>,
    len: usize,
    closed: bool,
}

/// The queue is full, or closed.
#[derive(Debug)]
pub(super) struct Refused;

/// Jobs of each source in order; sources take turns.
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    capacity: usize,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self { state: Mutex::default(), arrived: Condvar::new(), capacity: capacity.max(1) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; when full, the newest job of the busiest source makes room for a quieter one.
    pub(super) fn push(&self, source: u128, job: Job) -> Result<(), Refused> {
        let mut state = self.state();
        if state.closed {
            return Err(Refused);
        }
        if state.len >= self.capacity {
            state.forget_abandoned();
        }
        if state.len >= self.capacity {
            state.make_room_for(source)?;
        }
        state.append(source, job);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// The next job in turn; waits for one. `None` once closed and empty, or after `patience` without a job.
    pub(super) fn next(&self, patience: Duration) -> Next {
        let state = self.state();
        let (mut state, _) = self
            .arrived
            .wait_timeout_while(state, patience, |state| state.len == 0 && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        match state.pop() {
            Some(job) => Next::Job(job),
            None if state.closed => Next::Closed,
            None => Next::Idle,
        }
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_all();
    }
}

#[cfg(test)]
impl Queue {
    pub(super) fn len(&self) -> usize {
        self.state().len
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }
}

/// What a worker finds.
pub(super) enum Next {
    /// A job.
    Job(Job),
    /// Nothing for a while: memory can be given back.
    Idle,
    /// Nothing, and nothing will come.
    Closed,
}

impl State {
    fn append(&mut self, source: u128, job: Job) {
        let line = self.waiting.entry(source).or_default();
        if line.is_empty() {
            self.turns.push_back(source);
        }
        line.push_back(job);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<Job> {
        let source = self.turns.pop_front()?;
        let line = self.waiting.get_mut(&source)?;
        let job = line.pop_front();
        self.len -= usize::from(job.is_some());
        if line.is_empty() {
            self.waiting.remove(&source);
        } else {
            self.turns.push_back(source);
        }
        job
    }

    fn forget_abandoned(&mut self) {
        for line in self.waiting.values_mut() {
            line.retain(|job| !job.work.abandoned());
        }
        self.waiting.retain(|_, line| !line.is_empty());
        self.turns.retain(|source| self.waiting.contains_key(source));
        self.len = self.waiting.values().map(VecDeque::len).sum();
    }

    fn make_room_for(&mut self, source: u128) -> Result<(), Refused> {
        let own = self.waiting.get(&source).map_or(0, VecDeque::len);
        let busiest = self.waiting.iter_mut().max_by_key(|(_, line)| line.len());
        let Some((_, line)) = busiest.filter(|(_, line)| line.len() > own + 1) else { return Err(Refused) };
        // Dropping the job drops its reply: its client reads 503.
        line.pop_back();
        self.len -= 1;
        Ok(())
    }
}
