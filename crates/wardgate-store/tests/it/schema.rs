//! The helpers for tests of others: parsing statements and comparing schemas.

use wardgate_store::testing::{self, Kind};

use crate::support::engines;

#[tokio::test]
async fn both_engines_have_one_schema() {
    let mut shapes = Vec::new();
    for scratch in engines().await {
        shapes.push(testing::schema(scratch.db()).await.unwrap());
    }
    for shape in &shapes {
        assert_eq!(shape, &shapes[0]);
    }
    let [links, notes] = shapes[0].as_slice() else { panic!("two tables") };
    assert_eq!((links.name.as_str(), notes.name.as_str()), ("links", "notes"));
    assert_eq!(notes.primary_key, ["tenant_id", "name"]);
    assert_eq!(notes.unique, [["tenant_id", "owner", "number"]]);
    assert_eq!(notes.indexes, [("ix_notes__seen_at".into(), vec!["tenant_id".into(), "seen_at".into()])]);
    let columns: Vec<_> =
        notes.columns.iter().map(|c| (c.name.as_str(), c.kind, c.nullable, c.has_default)).collect();
    let expected = [
        ("tenant_id", Kind::Bytes, false, false),
        ("name", Kind::Text, false, false),
        ("number", Kind::Int, false, true),
        ("secret", Kind::Bytes, true, false),
        ("owner", Kind::Bytes, true, false),
        ("seen_at", Kind::Int, true, false),
    ];
    assert_eq!(columns, expected);
    let [key] = links.foreign_keys.as_slice() else { panic!("one foreign key") };
    assert_eq!((key.table.as_str(), key.on_delete.as_str()), ("notes", "CASCADE"));
    assert_eq!(
        (&key.columns, &key.targets),
        (&vec!["tenant_id".into(), "note".into()], &vec!["tenant_id".into(), "name".into()])
    );
    assert_eq!(links.unique, [["tenant_id", "note"]]);
}

#[tokio::test]
async fn statements_are_parsed_without_being_run() {
    for scratch in engines().await {
        let db = scratch.db();
        assert_eq!(
            testing::prepare(db, "DELETE FROM notes WHERE tenant_id = $1 AND name = $2").await,
            Ok(())
        );
        let refused = testing::prepare(db, "SELECT absent FROM notes").await.unwrap_err();
        assert!(refused.contains("absent"), "{refused}");
        let misspelt = testing::prepare(db, "SELECT \"absent\" FROM notes").await;
        assert!(misspelt.is_err(), "a quoted name is never taken for text");
    }
}
