//! Both engines tell the same of a broken rule.

use wardgate_store::{Constraint, ConstraintKind, Db, Sql, StoreError, params, sql};

use crate::support::{A, B, add, add_note, engines, names};

const OWN: Sql = sql!("INSERT INTO notes (tenant_id, name, number, owner) VALUES ($1, $2, $3, $4)");
const NAMELESS: Sql = sql!("INSERT INTO notes (tenant_id, name) VALUES ($1, $2)");
const LINK: Sql = sql!("INSERT INTO links (tenant_id, id, note) VALUES ($1, $2, $3)");

fn constraint<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Constraint {
    result.unwrap_err().constraint().expect("a constraint").clone()
}

async fn own(db: &Db, name: &'static str) -> Result<u64, StoreError> {
    db.write(A, name, |tx, name| {
        Box::pin(async move { tx.exec(OWN, &params![name, 1_i64, uuid::Uuid::nil()]).await })
    })
    .await
}

async fn link(db: &Db, id: i64, note: &'static str) -> Result<u64, StoreError> {
    db.write(A, (id, note), |tx, (id, note)| Box::pin(async move { tx.exec(LINK, &params![id, note]).await }))
        .await
}

#[tokio::test]
async fn uniqueness_names_table_and_columns() {
    for scratch in engines().await {
        let db = scratch.db();
        add_note(db, A, "a", 1).await.unwrap();
        add_note(db, B, "a", 1).await.expect("another tenant may use the same name");
        let taken = constraint(add_note(db, A, "a", 1).await);
        assert!(taken.is("notes", &["name"]), "{taken}");
        assert_eq!(taken.kind, ConstraintKind::PrimaryKey);
        own(db, "b").await.unwrap();
        let taken = constraint(own(db, "c").await);
        assert!(taken.is("notes", &["owner", "number"]), "{taken}");
        assert_eq!(taken.kind, ConstraintKind::Unique);
        assert!(!taken.is("notes", &["name"]));
    }
}

#[tokio::test]
async fn a_partial_unique_index_names_its_columns() {
    for scratch in engines().await {
        let db = scratch.db();
        add_note(db, A, "a", 1).await.unwrap();
        for id in [1, 2, 101] {
            link(db, id, "a").await.unwrap();
        }
        let taken = constraint(link(db, 102, "a").await);
        assert!(taken.is("links", &["note"]), "{taken}");
    }
}

#[tokio::test]
async fn references_nulls_and_checks_are_told_apart() {
    for scratch in engines().await {
        let db = scratch.db();
        assert!(constraint(link(db, 1, "absent").await).is_foreign_key());
        let nameless = db
            .write(A, (), |tx, ()| Box::pin(async move { tx.exec(NAMELESS, &params![None::<&str>]).await }));
        let missing = constraint(nameless.await);
        assert_eq!((missing.kind, missing.table.as_str()), (ConstraintKind::NotNull, "notes"));
        assert_eq!(missing.columns, ["name"]);
        let negative = constraint(add_note(db, A, "a", -1).await);
        assert_eq!((negative.kind, negative.table.as_str()), (ConstraintKind::Check, "notes"));
        assert_eq!(negative.columns, ["number"]);
    }
}

#[tokio::test]
async fn a_body_cannot_commit_past_a_refusal() {
    for scratch in engines().await {
        let db = scratch.db();
        add_note(db, A, "a", 1).await.unwrap();
        let swallowed: Result<(), StoreError> = db
            .write(A, (), |tx, ()| {
                Box::pin(async move {
                    add(tx, "before", 1).await?;
                    assert!(add(tx, "a", 1).await.is_err());
                    assert!(add(tx, "after", 1).await.is_err(), "later verbs repeat the error");
                    Ok(())
                })
            })
            .await;
        assert!(constraint(swallowed).is("notes", &["name"]));
        assert_eq!(names(db, A).await, ["a"]);
    }
}
