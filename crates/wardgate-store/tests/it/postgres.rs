//! What only PostgreSQL does: refuse one side of a race, and run on the caller's task.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::oneshot;
use wardgate_store::{Db, DbOptions, GlobalSql, Migration, StoreError, global_sql, params, testing::Scratch};

use crate::support::{A, B, LINKS, NOTES, add, add_note, names, on_postgres, open_again, start};

const FAIL: GlobalSql = global_sql!("SELECT lose_race($1)");

/// A function that fails as a serialization conflict would.
async fn install_lose_race(url: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let create = "CREATE FUNCTION lose_race(code text) RETURNS bigint LANGUAGE plpgsql AS \
                  'BEGIN RAISE EXCEPTION ''lost'' USING ERRCODE = code; END'";
    client.batch_execute(create).await.unwrap();
}

struct Attempts {
    /// How many runs lose before one succeeds.
    losing: usize,
    code: &'static str,
    runs: Arc<AtomicUsize>,
}

async fn runs_until_done(losing: usize, code: &'static str) -> Option<(Result<(), StoreError>, usize)> {
    let scratch = on_postgres().await?;
    install_lose_race(scratch.url()).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let attempts = Attempts { losing, code, runs: Arc::clone(&runs) };
    let result = scratch.db().write_global(attempts, |tx, attempts| {
        Box::pin(async move {
            if attempts.runs.fetch_add(1, Ordering::SeqCst) < attempts.losing {
                // Even a body that does not look at the error cannot go on.
                drop(tx.one::<(i64,)>(FAIL, &params![attempts.code]).await);
            }
            Ok(())
        })
    });
    Some((result.await, runs.load(Ordering::SeqCst)))
}

#[tokio::test]
async fn a_lost_race_runs_the_whole_body_again() {
    for code in ["40001", "40P01"] {
        let Some(outcome) = runs_until_done(2, code).await else { return };
        assert_eq!(outcome, (Ok(()), 3), "{code}");
    }
}

#[tokio::test]
async fn five_lost_races_are_busy() {
    let Some(outcome) = runs_until_done(usize::MAX, "40001").await else { return };
    assert_eq!(outcome, (Err(StoreError::Busy), 5));
}

#[tokio::test]
async fn other_failures_are_not_tried_again() {
    let Some((result, runs)) = runs_until_done(usize::MAX, "22012").await else { return };
    assert!(matches!(result, Err(StoreError::Internal(_))), "{result:?}");
    assert_eq!(runs, 1);
}

#[tokio::test]
async fn a_panic_over_a_lost_race_is_still_a_panic() {
    let Some(scratch) = on_postgres().await else { return };
    install_lose_race(scratch.url()).await;
    let panicked: Result<(i64,), StoreError> = scratch
        .db()
        .write_global((), |tx, ()| {
            Box::pin(async move { Ok(tx.one(FAIL, &params!["40001"]).await.expect("on purpose")) })
        })
        .await;
    assert!(matches!(panicked, Err(StoreError::Internal(_))), "{panicked:?}");
}

#[tokio::test]
async fn real_serialization_failures_are_settled() {
    const SERIALIZABLE: GlobalSql = global_sql!("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");
    const COUNT: GlobalSql = global_sql!("SELECT count(*) FROM notes");
    const PUT: GlobalSql = global_sql!("INSERT INTO notes (tenant_id, name, number) VALUES ($1, $2, $3)");
    let Some(scratch) = on_postgres().await else { return };
    let db = scratch.db();
    let barrier = tokio::sync::Barrier::new(2);
    let first_run = AtomicUsize::new(0);
    let shared = Arc::new((barrier, first_run));
    let one = |name: &'static str| {
        db.write_global((name, Arc::clone(&shared)), |tx, (name, shared)| {
            Box::pin(async move {
                tx.exec(SERIALIZABLE, &params![]).await?;
                let (count,): (i64,) = tx.one(COUNT, &params![]).await?;
                if shared.1.fetch_add(1, Ordering::SeqCst) < 2 {
                    shared.0.wait().await;
                }
                tx.exec(PUT, &params![A.0, name, count]).await
            })
        })
    };
    let (left, right) = tokio::join!(one("left"), one("right"));
    assert_eq!((left, right), (Ok::<_, StoreError>(1), Ok::<_, StoreError>(1)));
    let mut numbers =
        [crate::support::number(db, A, "left").await, crate::support::number(db, A, "right").await];
    numbers.sort();
    assert_eq!(numbers, [Some(0), Some(1)], "as if one had come after the other");
}

#[tokio::test]
async fn a_dropped_caller_never_returns_an_open_transaction() {
    let Some(scratch) = on_postgres().await else { return };
    let db = open_again(&scratch, |options| options.pool = 1).await;
    let (inserted, has_inserted) = oneshot::channel();
    let inserted = std::sync::Mutex::new(Some(inserted));
    let write = db.write(A, inserted, |tx, inserted| {
        Box::pin(async move {
            add(tx, "dropped", 1).await?;
            inserted.lock().unwrap().take().unwrap().send(()).unwrap();
            pending::<Result<(), StoreError>>().await
        })
    });
    tokio::select! {
        _ = write => panic!("the body waits for ever"),
        sent = has_inserted => sent.unwrap(),
    }
    add_note(&db, A, "later", 1).await.expect("the only place in the pool is free again");
    assert_eq!(names(&db, A).await, ["later"]);
}

#[tokio::test]
async fn closing_waits_for_the_transactions_at_work() {
    let Some(scratch) = on_postgres().await else { return };
    let db = scratch.db().clone();
    let ((inserted, has_inserted), (go_on, goes_on)) = (oneshot::channel(), oneshot::channel::<()>());
    let input = std::sync::Mutex::new(Some((inserted, goes_on)));
    let working = tokio::spawn(async move {
        let write = db.write(A, input, |tx, input| {
            Box::pin(async move {
                let (inserted, goes_on) = input.lock().unwrap().take().unwrap();
                add(tx, "at work", 1).await?;
                inserted.send(()).unwrap();
                goes_on.await.unwrap();
                Ok::<_, StoreError>(())
            })
        });
        write.await
    });
    has_inserted.await.unwrap();
    let closing = start(scratch.db().close()).await;
    go_on.send(()).unwrap();
    closing.await;
    assert_eq!(working.await.unwrap(), Ok(()));
    assert_eq!(add_note(scratch.db(), A, "late", 1).await, Err(StoreError::Closed));
    assert_eq!(names(&open_again(&scratch, |_| ()).await, A).await, ["at work"]);
}

#[tokio::test]
async fn a_panicking_body_gives_its_connection_back_clean() {
    let Some(scratch) = on_postgres().await else { return };
    let db = open_again(&scratch, |options| options.pool = 1).await;
    for _ in 0..3 {
        let panicked: Result<(), StoreError> = db
            .write(A, (), |tx, ()| {
                Box::pin(async move {
                    add(tx, "panicked", 1).await?;
                    panic!("on purpose")
                })
            })
            .await;
        assert!(matches!(panicked, Err(StoreError::Internal(_))));
    }
    assert!(names(&db, A).await.is_empty());
}

#[tokio::test]
async fn a_server_that_ends_the_connection_is_unavailable_once() {
    const SUICIDE: GlobalSql = global_sql!("SELECT pg_terminate_backend(pg_backend_pid())");
    let Some(scratch) = on_postgres().await else { return };
    let db = open_again(&scratch, |options| options.pool = 1).await;
    let lost: Result<(bool,), StoreError> =
        db.write_global((), |tx, ()| Box::pin(async move { tx.one(SUICIDE, &params![]).await })).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    add_note(&db, A, "later", 1).await.expect("the pool connects anew");
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_unavailable_and_keeps_its_password() {
    let Some(scratch) = on_postgres().await else { return };
    let absent = scratch.url().replace("/wardgate_test_", "/absent_");
    let refused = wardgate_store::Db::open(DbOptions::new(absent.parse().unwrap())).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unavailable(text) if text.contains("does not exist")),
        "{refused:?}"
    );
    let nobody = "postgres://u:hunter2@127.0.0.1:1/d".parse().unwrap();
    let refused = wardgate_store::Db::open(DbOptions::new(nobody)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Unavailable(text) if !text.contains("hunter2")), "{refused:?}");
}

#[tokio::test]
async fn a_lock_of_one_tenant_holds_no_other() {
    let Some(scratch) = on_postgres().await else { return };
    let nested = scratch.db().clone();
    let done: Result<(), StoreError> = scratch
        .db()
        .write(A, nested, |tx, nested| {
            Box::pin(async move {
                tx.lock("rule").await?;
                nested.write(B, (), |tx, ()| Box::pin(async move { tx.lock("rule").await })).await?;
                nested.write_global((), |tx, ()| Box::pin(async move { tx.lock("rule").await })).await
            })
        })
        .await;
    assert_eq!(done, Ok(()));
}

const STATEMENT_TIMEOUT: GlobalSql = global_sql!("SELECT current_setting('statement_timeout')");
const LOCK_TIMEOUT: GlobalSql = global_sql!("SELECT current_setting('lock_timeout')");

/// One connection, whose URL sets some of the server's parameters.
async fn open_with(scratch: &Scratch, settings: &str) -> Db {
    let mark = if scratch.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{mark}options={}", scratch.url(), settings.replace(' ', "%20").replace('=', "%3D"));
    open_again(scratch, |options| {
        options.url = url.parse().unwrap();
        options.pool = 1;
    })
    .await
}

async fn timeouts(db: &Db) -> (String, String) {
    let read: Result<_, StoreError> = db
        .write_global((), |tx, ()| {
            Box::pin(async move {
                let (statement,) = tx.one(STATEMENT_TIMEOUT, &params![]).await?;
                let (lock,) = tx.one(LOCK_TIMEOUT, &params![]).await?;
                Ok((statement, lock))
            })
        })
        .await;
    read.unwrap()
}

#[tokio::test]
async fn every_connection_has_timeouts_and_the_url_may_set_others() {
    let Some(scratch) = on_postgres().await else { return };
    let both = |statement: &str, lock: &str| (statement.to_owned(), lock.to_owned());
    assert_eq!(timeouts(scratch.db()).await, both("15s", "5s"));
    let set = open_with(&scratch, "-c statement_timeout=1h").await;
    assert_eq!(timeouts(&set).await, both("1h", "5s"));
    let set = open_with(&scratch, "-c lock_timeout=0").await;
    assert_eq!(timeouts(&set).await, both("15s", "0"));
}

#[tokio::test]
async fn what_takes_its_time_has_it_to_the_end_of_its_transaction() {
    let Some(scratch) = on_postgres().await else { return };
    let db = open_with(&scratch, "-c statement_timeout=20s").await;
    let taken: Result<(String,), StoreError> = db
        .write_global((), |tx, ()| {
            Box::pin(async move {
                tx.take_time().await?;
                tx.one(STATEMENT_TIMEOUT, &params![]).await
            })
        })
        .await;
    assert_eq!(taken, Ok(("0".to_owned(),)));
    // On the same connection, of which there is one.
    assert_eq!(timeouts(&db).await.0, "20s");
}

#[tokio::test]
async fn a_plan_that_was_made_for_few_rows_is_good_for_many() {
    const PLAN: GlobalSql = global_sql!(
        "EXPLAIN (COSTS OFF) SELECT number FROM notes WHERE tenant_id = $1 AND name = 'the only one'"
    );
    let Some(scratch) = on_postgres().await else { return };
    add_note(scratch.db(), A, "the only one", 1).await.unwrap();
    let (client, connection) = tokio_postgres::connect(scratch.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    // Without it the server takes an empty table for one of ten pages.
    client.batch_execute("ANALYZE notes").await.unwrap();
    let plan: Result<Vec<(String,)>, StoreError> = scratch
        .db()
        .write_global((), |tx, ()| Box::pin(async move { tx.all(PLAN, &params![A.0]).await }))
        .await;
    let plan = plan.unwrap().into_iter().map(|(line,)| line).collect::<Vec<_>>().join("\n");
    assert!(plan.contains("Index") && !plan.contains("Seq Scan"), "{plan}");
}

#[tokio::test]
async fn a_statement_without_end_is_given_up() {
    const ENDLESS: GlobalSql = global_sql!("SELECT 'never' FROM pg_sleep(3600)");
    let Some(scratch) = on_postgres().await else { return };
    let db = open_with(&scratch, "-c statement_timeout=500ms").await;
    let given_up: Result<(String,), StoreError> =
        db.write_global((), |tx, ()| Box::pin(async move { tx.one(ENDLESS, &params![]).await })).await;
    assert!(
        matches!(&given_up, Err(StoreError::Unavailable(text)) if text.contains("57014")),
        "{given_up:?}"
    );
}

#[tokio::test]
async fn a_lock_that_is_not_to_be_had_is_waited_for_once() {
    let Some(scratch) = on_postgres().await else { return };
    let waiting = open_with(&scratch, "-c lock_timeout=10ms").await;
    let runs = Arc::new(AtomicUsize::new(0));
    let done: Result<(), StoreError> = scratch
        .db()
        .write(A, (waiting, Arc::clone(&runs)), |tx, (waiting, runs)| {
            Box::pin(async move {
                tx.lock("rule").await?;
                let refused: Result<(), StoreError> = waiting
                    .write(A, Arc::clone(runs), |tx, runs| {
                        Box::pin(async move {
                            runs.fetch_add(1, Ordering::SeqCst);
                            tx.lock("rule").await
                        })
                    })
                    .await;
                assert!(
                    matches!(&refused, Err(StoreError::Unavailable(text)) if text.contains("55P03")),
                    "{refused:?}"
                );
                Ok(())
            })
        })
        .await;
    assert_eq!((done, runs.load(Ordering::SeqCst)), (Ok(()), 1));
}

#[tokio::test]
async fn a_migration_takes_the_time_it_takes() {
    const SLOW: Migration = Migration {
        version: 3,
        name: "slow",
        sql: "CREATE TABLE slow AS SELECT current_setting('lock_timeout') AS lock_timeout FROM pg_sleep(0.6);",
    };
    const LOCK_TIMEOUT_THEN: GlobalSql = global_sql!("SELECT lock_timeout FROM slow");
    let Some(scratch) = on_postgres().await else { return };
    let db = open_with(&scratch, "-c statement_timeout=500ms -c lock_timeout=10ms").await;
    db.migrate(&[NOTES, LINKS, SLOW]).await.unwrap();
    let then: Result<(String,), StoreError> = db
        .lookup_global((), |tx, ()| Box::pin(async move { tx.one(LOCK_TIMEOUT_THEN, &params![]).await }))
        .await;
    assert_eq!(then, Ok(("1s".to_owned(),)), "a step gives way, and not with the limit of requests");
    assert_eq!(timeouts(&db).await, ("500ms".to_owned(), "10ms".to_owned()), "afterwards they hold again");
}
