//! The four verbs, and every kind of value on its way in and out.

use wardgate_store::{FromRow, GlobalSql, Sql, StoreError, from_row, global_sql, params, sql};

use crate::support::{A, B, NAMES, NUMBER, SET, add, add_note, engines, names, number};

#[derive(Debug, PartialEq, Clone)]
struct Note {
    name: String,
    number: i64,
    secret: Option<Vec<u8>>,
    owner: Option<uuid::Uuid>,
    seen_at: Option<i64>,
}
from_row!(Note { name, number, secret, owner, seen_at });

const PUT: Sql = sql!(
    "INSERT INTO notes (tenant_id, name, number, secret, owner, seen_at) VALUES ($1, $2, $3, $4, $5, $6)
     RETURNING tenant_id, name, number, secret, owner, seen_at"
);
const BY_OWNER: Sql = sql!(
    "SELECT tenant_id, name, number, secret, owner, seen_at FROM notes WHERE tenant_id = $1 AND owner = $2"
);

async fn round_trip<T: FromRow + Send + 'static>(
    db: &wardgate_store::Db,
    note: Note,
) -> Result<T, StoreError> {
    db.write(A, note, |tx, note| {
        Box::pin(async move {
            let values = params![note.name, note.number, note.secret, note.owner, note.seen_at];
            tx.one(PUT, &values).await
        })
    })
    .await
}

#[tokio::test]
async fn every_kind_of_value_comes_back_as_it_went() {
    let full = Note {
        name: "naïve ☃ 'quoted'".into(),
        number: i64::MAX,
        secret: Some(vec![0, 255, 1]),
        owner: Some(uuid::Uuid::from_u128(u128::MAX - 7)),
        seen_at: Some(-1),
    };
    let empty = Note { name: String::new(), number: 0, secret: None, owner: None, seen_at: None };
    for scratch in engines().await {
        for note in [&full, &empty] {
            assert_eq!(round_trip::<Note>(scratch.db(), note.clone()).await.unwrap(), *note);
        }
        let owner = full.owner;
        let found: Option<Note> = scratch
            .db()
            .read(A, owner, |tx, owner| Box::pin(async move { tx.opt(BY_OWNER, &params![owner]).await }))
            .await
            .unwrap();
        assert_eq!(found.as_ref(), Some(&full), "an id can be compared");
    }
}

#[tokio::test]
async fn a_wrong_kind_is_an_error_that_names_the_column() {
    for scratch in engines().await {
        let note = Note { name: "n".into(), number: 1, secret: None, owner: None, seen_at: None };
        let failed = round_trip::<(String, String)>(scratch.db(), note.clone()).await.unwrap_err();
        assert!(matches!(&failed, StoreError::Decode { column, .. } if column == "number"), "{failed:?}");
        let failed = round_trip::<(String, i64, Vec<u8>)>(scratch.db(), note.clone()).await.unwrap_err();
        assert!(matches!(&failed, StoreError::Decode { column, .. } if column == "secret"), "{failed:?}");
        type TooMany = (String, i64, Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>, i64);
        let note = Note { owner: None, ..note };
        assert!(matches!(round_trip::<TooMany>(scratch.db(), note).await, Err(StoreError::Decode { .. })));
        assert!(names(scratch.db(), A).await.is_empty(), "a failed verb fails its transaction");
    }
}

#[tokio::test]
async fn opt_and_one_count_rows() {
    for scratch in engines().await {
        let db = scratch.db();
        add_note(db, A, "a", 1).await.unwrap();
        add_note(db, A, "b", 2).await.unwrap();
        let several: Result<Option<(String,)>, StoreError> =
            db.read(A, (), |tx, ()| Box::pin(async move { tx.opt(NAMES, &params![]).await })).await;
        assert!(matches!(several, Err(StoreError::Internal(_))));
        let none: Result<(i64,), StoreError> =
            db.read(A, (), |tx, ()| Box::pin(async move { tx.one(NUMBER, &params!["c"]).await })).await;
        assert_eq!(none, Err(StoreError::NotFound));
    }
}

#[tokio::test]
async fn exec_counts_changed_rows() {
    for scratch in engines().await {
        add_note(scratch.db(), A, "a", 1).await.unwrap();
        let change = |name: &'static str| {
            scratch
                .db()
                .write(A, name, |tx, name| Box::pin(async move { tx.exec(SET, &params![name, 5_i64]).await }))
        };
        assert_eq!(change("a").await, Ok::<_, StoreError>(1));
        assert_eq!(change("b").await, Ok::<_, StoreError>(0));
        assert_eq!(number(scratch.db(), A, "a").await, Some(5));
    }
}

#[tokio::test]
async fn an_absent_row_fails_no_transaction() {
    for scratch in engines().await {
        let written: Result<(), StoreError> = scratch
            .db()
            .write(A, (), |tx, ()| {
                Box::pin(async move {
                    let absent = tx.one::<(i64,)>(NUMBER, &params!["a"]).await;
                    assert_eq!(absent, Err(StoreError::NotFound));
                    add(tx, "a", 1).await
                })
            })
            .await;
        assert_eq!(written, Ok(()));
        assert_eq!(number(scratch.db(), A, "a").await, Some(1));
    }
}

#[tokio::test]
async fn a_wrong_number_of_parameters_is_refused() {
    for scratch in engines().await {
        let failed: Result<(i64,), StoreError> = scratch
            .db()
            .read(A, (), |tx, ()| Box::pin(async move { tx.one(NUMBER, &params![]).await }))
            .await;
        assert!(
            matches!(&failed, Err(StoreError::Internal(text)) if text.contains("takes 2 parameters, got 1"))
        );
    }
}

#[tokio::test]
async fn above_tenants_every_row_and_parameter_is_the_callers() {
    const COUNT: GlobalSql =
        global_sql!("SELECT tenant_id, count(*), count(*) > 1 FROM notes GROUP BY tenant_id ORDER BY 1");
    const SWEEP: GlobalSql = global_sql!("DELETE FROM notes WHERE number < $1");
    for scratch in engines().await {
        let db = scratch.db();
        for (tenant, name, number) in [(A, "a", 1), (A, "b", 9), (B, "a", 1)] {
            add_note(db, tenant, name, number).await.unwrap();
        }
        let counts: Result<Vec<(uuid::Uuid, i64, bool)>, StoreError> =
            db.read_global((), |tx, ()| Box::pin(async move { tx.all(COUNT, &params![]).await })).await;
        assert_eq!(counts.unwrap(), [(A.0, 2, true), (B.0, 1, false)]);
        let swept = db.write_global(5_i64, |tx, limit| {
            Box::pin(async move {
                tx.lock("sweep").await?;
                tx.exec(SWEEP, &params![limit]).await
            })
        });
        assert_eq!(swept.await, Ok::<_, StoreError>(2));
        let left: Result<(uuid::Uuid, i64, bool), StoreError> =
            db.lookup_global((), |tx, ()| Box::pin(async move { tx.one(COUNT, &params![]).await })).await;
        assert_eq!(left.unwrap(), (A.0, 1, false));
    }
}

#[tokio::test]
async fn reading_accesses_cannot_write() {
    const RETURNING: Sql =
        sql!("INSERT INTO notes (tenant_id, name, number) VALUES ($1, $2, $3) RETURNING tenant_id, name");
    for scratch in engines().await {
        let db = scratch.db();
        let in_read: Result<(), StoreError> = db.read(A, (), |tx, ()| Box::pin(add(tx, "a", 1))).await;
        assert!(matches!(in_read, Err(StoreError::Unavailable(_))), "{in_read:?}");
        let in_lookup: Result<(), StoreError> = db.lookup(A, (), |tx, ()| Box::pin(add(tx, "a", 1))).await;
        assert!(matches!(in_lookup, Err(StoreError::Internal(_))), "{in_lookup:?}");
        let returning: Result<Option<(String,)>, StoreError> = db
            .lookup(A, (), |tx, ()| Box::pin(async move { tx.opt(RETURNING, &params!["a", 1_i64]).await }))
            .await;
        assert!(matches!(returning, Err(StoreError::Internal(_))), "{returning:?}");
        let lock: Result<(), StoreError> =
            db.lookup(A, (), |tx, ()| Box::pin(async move { tx.lock("rule").await })).await;
        assert!(matches!(lock, Err(StoreError::Internal(_))), "{lock:?}");
        assert_eq!(names(db, A).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_sign_of_life_is_given() {
    for scratch in engines().await {
        assert_eq!(scratch.db().ping().await, Ok(()));
    }
}
