//! Closing, and a second program on the same database.

use futures_util::{FutureExt, future::join_all};
use wardgate_store::{Db, DbOptions, StoreError};

use crate::support::{
    A, SCHEMA, add_note, block_writer, engines, is_sqlite, names, number, open_again, start,
};

#[tokio::test]
async fn closing_answers_all_that_was_accepted() {
    for scratch in engines().await.into_iter().filter(|scratch| is_sqlite(scratch.db())) {
        let db = open_again(&scratch, |options| options.commit_batch = 3).await;
        let (blocker, open) = block_writer(&db).await;
        let mut accepted = Vec::new();
        for index in 0..40 {
            accepted.push(start(add_note(&db, A, format!("{index:02}"), index)).await);
        }
        let closing = start(db.close()).await;
        assert_eq!(add_note(&db, A, "late", 1).await, Err(StoreError::Closed));
        drop(open);
        closing.await;
        assert_eq!(blocker.await, Ok(()));
        let answers: Vec<_> = accepted.into_iter().map(FutureExt::now_or_never).collect();
        assert!(answers.iter().all(|answer| *answer == Some(Ok(()))), "answered before close returns");
        assert_eq!(names(scratch.db(), A).await.len(), 40);
    }
}

#[tokio::test]
async fn a_closed_database_refuses_everything() {
    for scratch in engines().await {
        let db = scratch.db();
        let clone = db.clone();
        db.close().await;
        assert_eq!(add_note(&clone, A, "a", 1).await, Err(StoreError::Closed));
        let read: Result<(), StoreError> = clone.read(A, (), |_, ()| Box::pin(async { Ok(()) })).await;
        assert_eq!(read, Err(StoreError::Closed));
        let looked_up: Result<(), StoreError> = clone.lookup(A, (), |_, ()| Box::pin(async { Ok(()) })).await;
        assert_eq!(looked_up, Err(StoreError::Closed));
        assert_eq!(clone.ping().await, Err(StoreError::Closed));
        assert_eq!(clone.migrate(SCHEMA).await, Err(StoreError::Closed));
        assert_eq!(clone.pending(SCHEMA).await, Err(StoreError::Closed));
        clone.close().await;
    }
}

#[tokio::test]
async fn closing_leaves_one_complete_file() {
    for scratch in engines().await {
        let Some(folder) = scratch.folder() else { continue };
        add_note(scratch.db(), A, "a", 7).await.unwrap();
        names(scratch.db(), A).await;
        scratch.db().close().await;
        let files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, ["scratch.db"]);
        let copy = folder.join("copy.db");
        std::fs::copy(folder.join("scratch.db"), &copy).unwrap();
        let url = format!("sqlite://{}", copy.display()).parse().unwrap();
        let db = Db::open(DbOptions::new(url)).await.unwrap();
        assert_eq!(number(&db, A, "a").await, Some(7));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_program_writes_to_the_same_database() {
    for scratch in engines().await {
        let other = open_again(&scratch, |_| ()).await;
        let mut work = Vec::new();
        for index in 0..60 {
            let db = if index % 2 == 0 { scratch.db().clone() } else { other.clone() };
            work.push(tokio::spawn(async move { add_note(&db, A, format!("{index:02}"), index).await }));
        }
        for done in join_all(work).await {
            done.unwrap().unwrap();
        }
        assert_eq!(names(&other, A).await.len(), 60);
        assert_eq!(names(scratch.db(), A).await.len(), 60);
    }
}
