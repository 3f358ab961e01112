//! The guard behind the filter: a row of another tenant never reaches a body.

use wardgate_store::{Db, GlobalSql, Sql, StoreError, global_sql, params, sql};

use crate::support::{A, B, add, add_note, engines, is_sqlite, names, number, on_postgres, open_again};

/// The filter is there, and defeated.
const LEAK: Sql = sql!("SELECT tenant_id, name FROM notes WHERE tenant_id = $1 OR 1 = 1 ORDER BY tenant_id");
const LEAKING_DELETE: Sql = sql!("DELETE FROM notes WHERE tenant_id = $1 OR 1 = 1 RETURNING tenant_id, name");
/// `WITH` is outside what the compile-time check understands in full.
const NO_TENANT: Sql =
    sql!("WITH mine AS (SELECT name FROM notes WHERE tenant_id = $1) SELECT name, name FROM mine");
const NULL_TENANT: Sql =
    sql!("WITH mine AS (SELECT name FROM notes WHERE tenant_id = $1) SELECT NULL, name FROM mine");
const OTHER_ID: Sql =
    sql!("WITH mine AS (SELECT owner, name FROM notes WHERE tenant_id = $1) SELECT owner, name FROM mine");

/// What a statement that reaches everyone's rows finds: on PostgreSQL the server itself shows those of the tenant only,
/// `own`; on SQLite the rows come back, and the guard looks at each.
fn seen(db: &Db, own: &[&str]) -> Result<Vec<(String,)>, StoreError> {
    if is_sqlite(db) {
        return Err(StoreError::TenantMismatch);
    }
    Ok(own.iter().map(|name| ((*name).to_owned(),)).collect())
}

async fn all(db: &Db, sql: Sql) -> Result<Vec<(String,)>, StoreError> {
    db.write(A, sql, |tx, sql| Box::pin(async move { tx.all(*sql, &params![]).await })).await
}

#[tokio::test]
async fn a_defeated_filter_leaks_nothing() {
    for scratch in engines().await {
        let db = scratch.db();
        add_note(db, A, "mine", 1).await.unwrap();
        assert_eq!(all(db, LEAK).await.unwrap(), [("mine".to_owned(),)], "own rows pass the guard");
        add_note(db, B, "theirs", 1).await.unwrap();
        assert_eq!(all(db, LEAK).await, seen(db, &["mine"]));
        let looked_up: Result<Vec<(String,)>, StoreError> =
            db.lookup(A, (), |tx, ()| Box::pin(async move { tx.all(LEAK, &params![]).await })).await;
        assert_eq!(looked_up, seen(db, &["mine"]));
    }
}

#[tokio::test]
async fn a_change_that_reaches_another_tenant_is_rolled_back_even_if_the_body_goes_on() {
    for scratch in engines().await {
        let db = scratch.db();
        add_note(db, B, "theirs", 1).await.unwrap();
        let expected = seen(db, &[]);
        let ignored: Result<(), StoreError> = db
            .write(A, expected.clone(), |tx, expected| {
                Box::pin(async move {
                    assert_eq!(tx.all::<(String,)>(LEAKING_DELETE, &params![]).await, *expected);
                    Ok(())
                })
            })
            .await;
        assert_eq!(ignored, expected.map(drop));
        assert_eq!(names(db, B).await, ["theirs"]);
    }
}

#[tokio::test]
async fn a_row_that_shows_no_tenant_is_refused() {
    const GIVE_OWNER: GlobalSql = global_sql!("UPDATE notes SET owner = $1");
    for scratch in engines().await {
        let db = scratch.db();
        add_note(db, A, "mine", 1).await.unwrap();
        for sql in [NO_TENANT, NULL_TENANT, OTHER_ID] {
            assert_eq!(all(db, sql).await, Err(StoreError::TenantMismatch), "{sql:?}");
        }
        let owned: Result<u64, StoreError> = db
            .write_global(uuid::Uuid::from_u128(9), |tx, owner| {
                Box::pin(async move { tx.exec(GIVE_OWNER, &params![owner]).await })
            })
            .await;
        assert_eq!(owned, Ok(1));
        assert_eq!(
            all(db, OTHER_ID).await,
            Err(StoreError::TenantMismatch),
            "an id that is not the tenant's"
        );
    }
}

#[tokio::test]
async fn a_transaction_knows_its_tenant() {
    for scratch in engines().await {
        let seen: Result<_, StoreError> =
            scratch.db().read(B, (), |tx, ()| Box::pin(async move { Ok(tx.tenant()) })).await;
        assert_eq!(seen, Ok(B));
    }
}

#[tokio::test]
async fn a_change_above_tenants_and_its_record_within_one_stand_or_fall_together() {
    const RAISE: GlobalSql = global_sql!("UPDATE notes SET number = number + 1");
    for scratch in engines().await {
        let db = scratch.db();
        add_note(db, B, "theirs", 1).await.unwrap();
        for stands in [false, true] {
            let done: Result<(), StoreError> = db
                .write_global(stands, |tx, stands| {
                    Box::pin(async move {
                        tx.exec(RAISE, &params![]).await?;
                        add(tx.within(A), "record", 1).await?;
                        if *stands { Ok(()) } else { Err(StoreError::NotFound) }
                    })
                })
                .await;
            assert_eq!(done, if stands { Ok(()) } else { Err(StoreError::NotFound) });
            assert_eq!(names(db, A).await, if stands { vec!["record"] } else { vec![] });
            assert_eq!(number(db, B, "theirs").await, Some(if stands { 2 } else { 1 }));
        }
    }
}

#[tokio::test]
async fn postgresql_shows_and_takes_one_tenants_rows_only() {
    const THEIRS: GlobalSql = global_sql!("INSERT INTO notes (tenant_id, name, number) VALUES ($1, $2, 1)");
    const MOVE: Sql = sql!("UPDATE notes SET tenant_id = $2 WHERE tenant_id = $1");
    let Some(scratch) = on_postgres().await else { return };
    // One connection, which each transaction gets from the one before.
    let db = open_again(&scratch, |options| options.pool = 1).await;
    add_note(&db, A, "mine", 1).await.unwrap();
    let theirs = db.write_global((), |tx, ()| {
        Box::pin(async move {
            tx.exec(THEIRS, &params![B.0, "theirs"]).await?;
            // Within a tenant the same transaction sees as little as one of its own.
            let seen = tx.within(A).all::<(String,)>(LEAK, &params![]).await?;
            assert_eq!(seen, [("mine".to_owned(),)]);
            Ok::<_, StoreError>(())
        })
    });
    theirs.await.unwrap();
    assert_eq!(all(&db, LEAK).await.unwrap(), [("mine".to_owned(),)]);
    // What was set in a transaction that is rolled back is set anew.
    let rolled_back = db.write(B, (), |tx, ()| {
        Box::pin(async move {
            tx.all::<(String,)>(LEAK, &params![]).await?;
            Err::<(), _>(StoreError::NotFound)
        })
    });
    assert_eq!(rolled_back.await, Err(StoreError::NotFound));
    assert_eq!(all(&db, LEAK).await.unwrap(), [("mine".to_owned(),)]);
    // A row cannot be made another's.
    let moved = db.write(A, (), |tx, ()| Box::pin(async move { tx.exec(MOVE, &params![B.0]).await }));
    assert!(matches!(moved.await, Err(StoreError::Internal(why)) if why.contains("42501")));
    // And whoever sets nothing sees nothing.
    assert_eq!(count_without_setting(scratch.url()).await, 0);
}

async fn count_without_setting(url: &str) -> i64 {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_one("SELECT count(*) FROM notes", &[]).await.unwrap().get(0)
}
