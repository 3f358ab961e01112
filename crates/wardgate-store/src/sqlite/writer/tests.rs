//! One batch at a time on this thread, so that its composition is certain.

use std::{
    future::{pending, ready},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use tokio::sync::oneshot::{self, Receiver};

use super::*;
use crate::{
    BoxFuture, Durability, GlobalSql, GlobalTx, Stats, global_sql, params,
    sqlite::{
        connect::{self, Role},
        job::BodyJob,
        queue::Queue,
    },
};

const INSERT: GlobalSql = global_sql!("INSERT INTO t (id, data) VALUES ($1, $2)");
const COUNT: GlobalSql = global_sql!("SELECT count(*) FROM t");
const DANGLE: GlobalSql = global_sql!("INSERT INTO late (id) VALUES (99)");
const TINY_DISK: GlobalSql = global_sql!("PRAGMA max_page_count = 20");

type Answer = Result<i64, StoreError>;

/// What a body of these tests does after inserting its number.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Good,
    Fail,
    Panic,
    Wait,
    /// Inserts more than the disk holds.
    Fill,
    /// Leaves a reference behind that COMMIT refuses.
    Dangle,
    /// Only reads.
    Read,
    /// Ends the outer transaction, which no body may.
    Commit,
}

struct Bench {
    _folder: tempfile::TempDir,
    path: PathBuf,
    queue: Queue,
    jobs: Jobs,
    counts: Counts,
}

impl Bench {
    fn new() -> (Self, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bench.db");
        connect::create_file(&path).unwrap();
        let conn = connect::open(&path, Role::Writer(Durability::Off)).unwrap();
        conn.execute_batch(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, data BLOB);
             CREATE TABLE late (id BIGINT REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED);",
        )
        .unwrap();
        let (queue, jobs, _) = Queue::new(100);
        (Self { _folder: folder, path, queue, jobs, counts: Counts::default() }, conn)
    }

    fn submit(&self, number: i64, act: Act) -> Receiver<Answer> {
        self.submit_body((number, act), |tx, input| Box::pin(run_act(tx, *input)))
    }

    fn submit_body<I, F>(&self, input: I, body: F) -> Receiver<Answer>
    where
        I: Send + 'static,
        F: for<'t> Fn(&'t mut GlobalTx, &'t I) -> BoxFuture<'t, Answer> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.counts.came();
        self.queue.submit(BodyJob::boxed((), input, body, reply)).unwrap();
        answer
    }

    fn batch(&self, conn: Connection, bodies: usize) -> Connection {
        let limits = Limits { bodies, time: Duration::from_secs(3600) };
        batch(conn, self.jobs.recv().unwrap(), &self.jobs, limits, &self.counts)
    }

    fn numbers(&self) -> Vec<i64> {
        let conn = connect::open(&self.path, Role::Reader).unwrap();
        let mut statement = conn.prepare("SELECT id FROM t ORDER BY id").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }
}

async fn run_act(tx: &mut GlobalTx, (number, act): (i64, Act)) -> Answer {
    if act == Act::Fill {
        tx.all::<(i64,)>(TINY_DISK, &params![]).await?;
        tx.exec(INSERT, &params![number, vec![0_u8; 1 << 20]]).await?;
    } else if act != Act::Read {
        tx.exec(INSERT, &params![number, None::<Vec<u8>>]).await?;
    }
    match act {
        Act::Fail => Err(StoreError::NotFound),
        Act::Panic => panic!("on purpose"),
        Act::Wait => pending().await,
        Act::Dangle => tx.exec(DANGLE, &params![]).await.map(|_| number),
        Act::Read => tx.one::<(i64,)>(COUNT, &params![]).await.map(|(count,)| count),
        Act::Commit => tx.exec(global_sql!("COMMIT"), &params![]).await.map(|_| number),
        Act::Good | Act::Fill => Ok(number),
    }
}

fn is_unavailable(mut answer: Receiver<Answer>) -> bool {
    matches!(answer.try_recv().unwrap(), Err(StoreError::Unavailable(_)))
}

#[test]
fn one_commit_keeps_the_good_and_drops_the_bad() {
    let (bench, conn) = Bench::new();
    let acts = [Act::Good, Act::Fail, Act::Panic, Act::Good, Act::Wait, Act::Read, Act::Good];
    let mut answers: Vec<_> = (1..).zip(acts).map(|(number, act)| bench.submit(number, act)).collect();
    bench.batch(conn, 256);
    let answers: Vec<_> = answers.iter_mut().map(|answer| answer.try_recv().unwrap()).collect();
    assert_eq!([&answers[0], &answers[3], &answers[6]], [&Ok(1), &Ok(4), &Ok(7)]);
    assert_eq!(answers[1], Err(StoreError::NotFound));
    assert!(matches!(answers[2], Err(StoreError::Internal(_))));
    assert!(matches!(answers[4], Err(StoreError::Internal(_))));
    assert_eq!(answers[5], Ok(2), "a body sees what its neighbours before it wrote");
    assert_eq!(bench.numbers(), [1, 4, 7]);
}

#[test]
fn nobody_is_answered_before_the_commit() {
    let (bench, conn) = Bench::new();
    let early =
        [(1, Act::Good), (2, Act::Fail), (3, Act::Read)].map(|(number, act)| bench.submit(number, act));
    let early = Arc::new(Mutex::new(early));
    let mut answered = bench.submit_body(Arc::clone(&early), |_, early| {
        let answered = early.lock().unwrap().iter_mut().filter_map(|answer| answer.try_recv().ok()).count();
        Box::pin(ready(Ok(answered as i64)))
    });
    bench.batch(conn, 256);
    assert_eq!(answered.try_recv().unwrap(), Ok(0));
    let answers = early.lock().unwrap().each_mut().map(|answer| answer.try_recv().unwrap());
    assert_eq!(answers, [Ok(1), Err(StoreError::NotFound), Ok(1)]);
}

#[test]
fn a_batch_ends_at_its_limit() {
    let (bench, conn) = Bench::new();
    let mut answers: Vec<_> = (1..=3).map(|number| bench.submit(number, Act::Good)).collect();
    let conn = bench.batch(conn, 2);
    assert_eq!(bench.numbers(), [1, 2]);
    assert!(answers[2].try_recv().is_err());
    assert_eq!(bench.counts.read(), Stats { writes: 2, commits: 1, failures: 0, waiting: 1 });
    bench.batch(conn, 2);
    assert_eq!(bench.numbers(), [1, 2, 3]);
}

#[test]
fn a_full_disk_fails_the_whole_batch_and_only_it() {
    let (bench, conn) = Bench::new();
    let lost = [Act::Good, Act::Fail, Act::Fill].map(|act| bench.submit(act as i64, act));
    let mut later = bench.submit(50, Act::Good);
    let conn = bench.batch(conn, 256);
    assert!(lost.into_iter().all(is_unavailable));
    assert!(bench.numbers().is_empty(), "the neighbours' work is gone, and they know");
    assert!(later.try_recv().is_err(), "a body that had not run yet is not drawn in");
    assert_eq!(bench.counts.read(), Stats { writes: 3, commits: 0, failures: 3, waiting: 1 });
    bench.batch(conn, 256);
    assert_eq!(bench.counts.read(), Stats { writes: 4, commits: 1, failures: 3, waiting: 0 });
    assert_eq!(later.try_recv().unwrap(), Ok(50));
}

#[test]
fn a_body_that_ends_the_outer_transaction_is_noticed() {
    let (bench, conn) = Bench::new();
    let (first, second) = (bench.submit(1, Act::Good), bench.submit(2, Act::Commit));
    let mut third = bench.submit(3, Act::Good);
    let conn = bench.batch(conn, 256);
    assert!(is_unavailable(first));
    let noticed = { second }.try_recv().unwrap();
    assert!(matches!(&noticed, Err(StoreError::Unavailable(text)) if text.contains("rolled")), "{noticed:?}");
    bench.batch(conn, 256);
    assert_eq!(third.try_recv().unwrap(), Ok(3));
}

#[test]
fn a_failed_commit_fails_errors_and_reads_as_well() {
    let (bench, conn) = Bench::new();
    let lost = [(1, Act::Good), (2, Act::Fail), (3, Act::Dangle), (4, Act::Read)]
        .map(|(number, act)| bench.submit(number, act));
    let conn = bench.batch(conn, 256);
    assert!(lost.into_iter().all(is_unavailable));
    assert!(bench.numbers().is_empty());
    let mut later = bench.submit(5, Act::Good);
    bench.batch(conn, 256);
    assert_eq!(later.try_recv().unwrap(), Ok(5));
}

#[test]
fn a_destructor_that_panics_harms_no_neighbour() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let (bench, conn) = Bench::new();
    drop(bench.submit_body(Bomb, |_, _| Box::pin(ready(Ok(0)))));
    let mut neighbour = bench.submit(1, Act::Good);
    bench.batch(conn, 256);
    assert_eq!(neighbour.try_recv().unwrap(), Ok(1));
}

#[test]
fn a_lock_held_elsewhere_is_busy_for_all_that_wait() {
    let (bench, conn) = Bench::new();
    conn.busy_timeout(Duration::ZERO).unwrap();
    let other = connect::open(&bench.path, Role::Writer(Durability::Off)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = [bench.submit(1, Act::Good), bench.submit(2, Act::Good)];
    let conn = bench.batch(conn, 256);
    assert!(waiting.into_iter().all(|mut answer| answer.try_recv().unwrap() == Err(StoreError::Busy)));
    other.execute_batch("ROLLBACK").unwrap();
    bench.submit(3, Act::Good);
    bench.batch(conn, 256);
    assert_eq!(bench.numbers(), [3]);
}
