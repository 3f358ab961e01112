//! Good and bad bodies side by side, and callers who leave.

use std::future::pending;

use futures_util::future::join_all;
use wardgate_store::{GlobalSql, Sql, StoreError, global_sql, params, sql};

use crate::support::{
    A, NUMBER, add, add_note, block_writer, engines, gate, is_sqlite, names, number, open_again, start,
};

#[derive(Debug, PartialEq)]
enum Failure {
    OnPurpose,
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

#[tokio::test]
async fn a_body_that_fails_rolls_back_alone() {
    for scratch in engines().await {
        let db = scratch.db();
        let results = join_all((0..90_i64).map(|index| {
            db.write(A, index, |tx, index| {
                Box::pin(async move {
                    add(tx, &format!("{index:02}"), *index).await?;
                    match index % 3 {
                        0 => Ok(*index),
                        1 => Err(Failure::OnPurpose),
                        _ => panic!("on purpose"),
                    }
                })
            })
        }))
        .await;
        for (index, result) in (0..).zip(results) {
            match index % 3 {
                0 => assert_eq!(result, Ok(index)),
                1 => assert_eq!(result, Err(Failure::OnPurpose)),
                _ => assert!(matches!(result, Err(Failure::Store(StoreError::Internal(_)))), "{result:?}"),
            }
        }
        let kept: Vec<_> = (0..90).step_by(3).map(|index| format!("{index:02}")).collect();
        assert_eq!(names(db, A).await, kept);
    }
}

#[tokio::test]
async fn a_panic_outside_the_future_is_caught_as_well() {
    for scratch in engines().await {
        let panicked: Result<(), StoreError> =
            scratch.db().write(A, (), |_, ()| panic!("on purpose, before the future")).await;
        assert!(matches!(panicked, Err(StoreError::Internal(_))));
        add_note(scratch.db(), A, "a", 1).await.expect("the database goes on");
    }
}

#[tokio::test]
async fn a_body_that_waits_is_dropped_on_sqlite() {
    for scratch in engines().await.into_iter().filter(|scratch| is_sqlite(scratch.db())) {
        let db = scratch.db();
        let waiting: Result<(), StoreError> = db
            .write(A, (), |tx, ()| {
                Box::pin(async move {
                    add(tx, "a", 1).await?;
                    pending().await
                })
            })
            .await;
        assert!(
            matches!(&waiting, Err(StoreError::Internal(text)) if text.contains("awaited")),
            "{waiting:?}"
        );
        let looking: Result<(), StoreError> = db.lookup(A, (), |_, ()| Box::pin(pending())).await;
        assert!(matches!(looking, Err(StoreError::Internal(_))));
        let reading: Result<(), StoreError> = db.read(A, (), |_, ()| Box::pin(pending())).await;
        assert!(matches!(reading, Err(StoreError::Internal(_))));
        assert!(names(db, A).await.is_empty());
    }
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_stop_the_body_on_sqlite() {
    for scratch in engines().await.into_iter().filter(|scratch| is_sqlite(scratch.db())) {
        let db = scratch.db();
        let (blocker, open) = block_writer(db).await;
        drop(start(add_note(db, A, "left", 1)).await);
        drop(open);
        blocker.await.unwrap();
        add_note(db, A, "later", 1).await.unwrap();
        assert_eq!(names(db, A).await, ["later", "left"]);
    }
}

#[tokio::test]
async fn a_full_queue_is_busy_at_once() {
    for scratch in engines().await.into_iter().filter(|scratch| is_sqlite(scratch.db())) {
        let db = open_again(&scratch, |options| options.queue = 2).await;
        let (blocker, open) = block_writer(&db).await;
        let waiting = [start(add_note(&db, A, "1", 1)).await, start(add_note(&db, A, "2", 1)).await];
        assert_eq!(add_note(&db, A, "3", 1).await, Err(StoreError::Busy));
        drop(open);
        blocker.await.unwrap();
        assert_eq!(join_all(waiting).await, [Ok(()), Ok(())]);
        assert_eq!(names(&db, A).await, ["1", "2"]);
    }
}

#[tokio::test]
async fn a_commit_that_fails_is_unavailable() {
    for scratch in engines().await {
        let db = scratch.db();
        // Exactly what migrations must not contain: a rule that is looked at only by COMMIT.
        const DEFERRED: wardgate_store::Migration = wardgate_store::Migration {
            version: 3,
            name: "deferred",
            sql: "CREATE TABLE deferred (tenant_id {id} NOT NULL, note TEXT NOT NULL,
                  FOREIGN KEY (tenant_id, note) REFERENCES notes (tenant_id, name) DEFERRABLE INITIALLY DEFERRED)",
        };
        const DANGLE: Sql = sql!("INSERT INTO deferred (tenant_id, note) VALUES ($1, $2)");
        let mut migrations = crate::support::SCHEMA.to_vec();
        migrations.push(DEFERRED);
        db.migrate(&migrations).await.unwrap();
        let failed =
            db.write(A, (), |tx, ()| Box::pin(async move { tx.exec(DANGLE, &params!["absent"]).await }));
        let failed = failed.await;
        assert!(
            matches!(&failed, Err(StoreError::Unavailable(text)) if text.contains("commit")),
            "{failed:?}"
        );
        add_note(db, A, "a", 1).await.expect("the database goes on");
    }
}

#[tokio::test]
async fn a_read_sees_one_state_and_a_lookup_the_latest() {
    for scratch in engines().await.into_iter().filter(|scratch| is_sqlite(scratch.db())) {
        let db = scratch.db();
        add_note(db, A, "a", 1).await.unwrap();
        let (gate, has_entered, open) = gate();
        let reading = db.read(A, gate, |tx, gate| {
            Box::pin(async move {
                let before: (i64,) = tx.one(NUMBER, &params!["a"]).await?;
                gate.pass();
                let after: (i64,) = tx.one(NUMBER, &params!["a"]).await?;
                Ok::<_, StoreError>((before.0, after.0))
            })
        });
        let reading = start(reading).await;
        has_entered.recv().unwrap();
        for expected in 2..50 {
            let changed = db.write(A, expected, |tx, number| {
                Box::pin(async move { tx.exec(crate::support::SET, &params!["a", number]).await })
            });
            assert_eq!(changed.await, Ok::<_, StoreError>(1));
            assert_eq!(number(db, A, "a").await, Some(expected), "a lookup after the answer sees the commit");
        }
        drop(open);
        assert_eq!(reading.await, Ok((1, 1)));
    }
}

#[tokio::test]
async fn a_lookup_that_opens_a_transaction_pins_nobody_to_its_state_on_sqlite() {
    // The lookup is in one already, and the body ends it.
    const COMMIT: GlobalSql = global_sql!("COMMIT");
    const BEGIN: GlobalSql = global_sql!("BEGIN");
    const COUNT: GlobalSql = global_sql!("SELECT count(*) FROM notes");
    for scratch in engines().await.into_iter().filter(|scratch| is_sqlite(scratch.db())) {
        let db = scratch.db();
        let count: Result<(i64,), StoreError> = db
            .lookup_global((), |tx, ()| {
                Box::pin(async move {
                    tx.all::<(i64,)>(COMMIT, &params![]).await?;
                    tx.all::<(i64,)>(BEGIN, &params![]).await?;
                    tx.one(COUNT, &params![]).await
                })
            })
            .await;
        // It runs in one already, which ends with it.
        assert!(matches!(count, Err(StoreError::Internal(_))), "{count:?}");
        add_note(db, A, "a", 1).await.unwrap();
        assert_eq!(number(db, A, "a").await, Some(1));
    }
}
