//! One hashing thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use wardgate_crypto::password::Workspace;

use super::queue::{Next, Queue};
use crate::ports::Clock;

/// How much the hashing threads yield: the request threads win whenever they want a core. Not nice 19,
/// or the kernel's load balancer takes two hashing threads for nothing and leaves both on one core (nice 19 gave
/// half the hash rate on two cores).
const NICENESS: i32 = 10;

/// After this long without work the thread gives its hash memory back.
const IDLE: Duration = Duration::from_secs(2);

pub(super) fn spawn(
    index: usize,
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name(format!("wardgate-hash-{index}")).spawn(move || {
        yield_to_request_threads();
        work(&queue, clock.as_ref());
    })
}

fn yield_to_request_threads() {
    // On Linux "process 0" of setpriority(2) is the calling thread alone.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "hashing threads run at normal priority");
    }
}

fn work(queue: &Queue, clock: &dyn Clock) {
    let mut workspace = Workspace::new();
    loop {
        match queue.next(IDLE) {
            Next::Job(job) if job.is_wanted(clock.monotonic()) => {
                // A panic in one hash must not take the thread, and with it every later sign-in, along.
                if catch_unwind(AssertUnwindSafe(|| job.run(&mut workspace))).is_err() {
                    workspace = Workspace::new();
                    tracing::error!("a hashing job panicked");
                }
            }
            Next::Job(_) => {}
            Next::Idle => workspace.release(),
            Next::Closed => return,
        }
    }
}
