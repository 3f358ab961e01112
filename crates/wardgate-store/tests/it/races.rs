//! Many tasks at once: nothing is lost, and rules over several rows hold.

use tokio::task::JoinSet;
use wardgate_store::{Db, Sql, StoreError, Tx, params, sql};

use crate::support::{A, NAMES, NUMBER, add_note, engines, names, number};

const TASKS: usize = 64;
const STEP: Sql =
    sql!("UPDATE notes SET number = number + 1 WHERE tenant_id = $1 AND name = $2 AND number = $3");
const REMOVE: Sql = sql!("DELETE FROM notes WHERE tenant_id = $1 AND name = $2");

/// Reads, then changes only what it has read; tells how often another was first.
async fn step(tx: &mut Tx) -> Result<u64, StoreError> {
    let mut lost = 0;
    loop {
        let (seen,): (i64,) = tx.one(NUMBER, &params!["counter"]).await?;
        if tx.exec(STEP, &params!["counter", seen]).await? == 1 {
            return Ok(lost);
        }
        lost += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_counter_loses_no_step() {
    for scratch in engines().await {
        add_note(scratch.db(), A, "counter", 0).await.unwrap();
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            let db = scratch.db().clone();
            tasks.spawn(async move {
                for _ in 0..4 {
                    db.write(A, (), |tx, ()| Box::pin(step(tx))).await?;
                }
                Ok::<_, StoreError>(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
        assert_eq!(number(scratch.db(), A, "counter").await, Some(4 * 64));
    }
}

/// Takes one away, unless it is the last.
async fn leave(db: &Db, name: String) -> Result<bool, StoreError> {
    db.write(A, name, |tx, name| {
        Box::pin(async move {
            tx.lock("the last one stays").await?;
            let all: Vec<(String,)> = tx.all(NAMES, &params![]).await?;
            Ok(all.len() > 1 && tx.exec(REMOVE, &params![name]).await? == 1)
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lock_guards_a_rule_over_several_rows() {
    for scratch in engines().await {
        let db = scratch.db();
        for round in 0..8 {
            let mut tasks = JoinSet::new();
            for index in 0..8 {
                add_note(db, A, format!("{round}-{index}"), 1).await.unwrap();
            }
            for name in names(db, A).await {
                let db = db.clone();
                tasks.spawn(async move { leave(&db, name).await });
            }
            while let Some(done) = tasks.join_next().await {
                done.unwrap().unwrap();
            }
            assert_eq!(names(db, A).await.len(), 1, "round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_and_lookups_run_beside_writers() {
    for scratch in engines().await {
        add_note(scratch.db(), A, "counter", 0).await.unwrap();
        let mut tasks = JoinSet::new();
        for index in 0..TASKS {
            let db = scratch.db().clone();
            tasks.spawn(async move {
                match index % 3 {
                    0 => db.write(A, (), |tx, ()| Box::pin(step(tx))).await.map(|_| ()),
                    1 => {
                        db.read(A, (), |tx, ()| {
                            Box::pin(async move {
                                let first: (i64,) = tx.one(NUMBER, &params!["counter"]).await?;
                                let second: (i64,) = tx.one(NUMBER, &params!["counter"]).await?;
                                assert_eq!(first, second);
                                Ok(())
                            })
                        })
                        .await
                    }
                    _ => {
                        assert!(number(&db, A, "counter").await.is_some());
                        Ok(())
                    }
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
        assert_eq!(number(scratch.db(), A, "counter").await, Some(22));
    }
}
