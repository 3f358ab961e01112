//! Migrations against real databases: order, repetition, change, and two at once.

use tokio_postgres::{Client, NoTls};
use wardgate_store::{Migration, StoreError, testing::Scratch};

use crate::support::{A, LINKS, NOTES, SCHEMA, add_note, engines, names, on_postgres, open_again};

const MORE: Migration = Migration { version: 3, name: "more", sql: "CREATE TABLE more (id BIGINT NOT NULL)" };

fn with(extra: &[Migration]) -> Vec<Migration> {
    [SCHEMA, extra].concat()
}

fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result.unwrap_err() {
        StoreError::Migration(text) => text,
        other => panic!("not a refused migration: {other:?}"),
    }
}

#[tokio::test]
async fn only_what_is_missing_is_applied() {
    for scratch in engines().await {
        let db = scratch.db();
        assert_eq!(db.migrate(SCHEMA).await.unwrap(), []);
        assert!(db.pending(SCHEMA).await.unwrap().is_empty());
        assert_eq!(db.pending(&with(&[MORE])).await.unwrap().missing, [MORE]);
        let applied = db.migrate(&with(&[MORE])).await.unwrap();
        assert_eq!(applied.iter().map(|a| (a.version, a.name)).collect::<Vec<_>>(), [(3, "more")]);
        assert_eq!(db.migrate(&with(&[MORE])).await.unwrap(), []);
    }
}

#[tokio::test]
async fn an_empty_database_misses_everything() {
    let scratch = Scratch::sqlite(&[]).await.unwrap();
    assert_eq!(scratch.db().pending(SCHEMA).await.unwrap().missing, SCHEMA);
}

#[tokio::test]
async fn a_changed_text_is_refused_by_name() {
    let changed = Migration { sql: "CREATE TABLE notes (id BIGINT)", ..NOTES };
    for scratch in engines().await {
        let db = scratch.db();
        assert!(refusal(db.migrate(&[changed, LINKS]).await).contains("1 (notes) was changed"));
        assert!(refusal(db.pending(&[changed, LINKS]).await).contains("1 (notes) was changed"));
    }
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    for scratch in engines().await {
        let db = scratch.db();
        assert!(refusal(db.migrate(&[NOTES]).await).contains("newer program"));
        assert_eq!(db.pending(&[NOTES]).await.unwrap().unknown, [2]);
    }
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_and_keeps_those_before() {
    let half = Migration {
        version: 4,
        name: "half",
        sql: "CREATE TABLE half (id BIGINT); CREATE TABLE notes (id BIGINT)",
    };
    for scratch in engines().await {
        let db = scratch.db();
        assert!(refusal(db.migrate(&with(&[MORE, half])).await).contains("4 (half) failed"));
        assert_eq!(db.pending(&with(&[MORE, half])).await.unwrap().missing, [half]);
        let repaired = Migration { sql: "CREATE TABLE half (id BIGINT)", ..half };
        assert_eq!(db.migrate(&with(&[MORE, repaired])).await.unwrap().len(), 1, "the first half is gone");
    }
}

#[tokio::test]
async fn an_unknown_type_word_is_refused() {
    let typo = Migration { version: 3, name: "typo", sql: "CREATE TABLE typo (id {uuid})" };
    for scratch in engines().await {
        assert!(refusal(scratch.db().migrate(&with(&[typo])).await).contains("{uuid}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_programs_at_once_apply_each_migration_once() {
    for scratch in engines().await {
        let other = open_again(&scratch, |_| ()).await;
        let all: Vec<_> = (3..40)
            .map(|version| Migration {
                version,
                name: "step",
                sql: "CREATE TABLE IF NOT EXISTS step (id BIGINT)",
            })
            .collect();
        let all = with(&all);
        let (mine, theirs) = tokio::join!(scratch.db().migrate(&all), other.migrate(&all));
        assert_eq!(mine.unwrap().len() + theirs.unwrap().len(), 37);
        assert!(other.pending(&all).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn statements_prepared_before_a_migration_work_after_it() {
    let wider = Migration { version: 3, name: "wider", sql: "ALTER TABLE notes ADD COLUMN extra TEXT" };
    for scratch in engines().await {
        let db = scratch.db();
        add_note(db, A, "a", 1).await.unwrap();
        assert_eq!(names(db, A).await, ["a"]);
        db.migrate(&with(&[wider])).await.unwrap();
        add_note(db, A, "b", 1).await.unwrap();
        assert_eq!(names(db, A).await, ["a", "b"]);
    }
}

#[tokio::test]
async fn rebuilding_a_table_keeps_what_refers_to_it_on_sqlite() {
    let rebuild = Migration {
        version: 3,
        name: "rebuild",
        sql: "CREATE TABLE notes_new (tenant_id {id} NOT NULL, name TEXT NOT NULL, PRIMARY KEY (tenant_id, name));
              INSERT INTO notes_new SELECT tenant_id, name FROM notes;
              DROP TABLE notes;
              ALTER TABLE notes_new RENAME TO notes;",
    };
    let careless = Migration { sql: "DELETE FROM notes", ..rebuild };
    let scratch = Scratch::sqlite(SCHEMA).await.unwrap();
    let db = scratch.db();
    add_note(db, A, "a", 1).await.unwrap();
    const LINK: wardgate_store::Sql =
        wardgate_store::sql!("INSERT INTO links (tenant_id, id, note) VALUES ($1, $2, $3)");
    const LINKED: wardgate_store::Sql =
        wardgate_store::sql!("SELECT tenant_id, note FROM links WHERE tenant_id = $1");
    let linked: Result<u64, StoreError> = db
        .write(A, (), |tx, ()| {
            Box::pin(async move { tx.exec(LINK, &wardgate_store::params![1_i64, "a"]).await })
        })
        .await;
    linked.unwrap();
    assert!(refusal(db.migrate(&with(&[careless])).await).contains("dangling references in links"));
    db.migrate(&with(&[rebuild])).await.unwrap();
    let kept: Result<Vec<(String,)>, StoreError> =
        db.read(A, (), |tx, ()| Box::pin(async move { tx.all(LINKED, &[]).await })).await;
    assert_eq!(kept.unwrap(), [("a".to_owned(),)]);
}

const WIDER: Migration =
    Migration { version: 3, name: "wider", sql: "ALTER TABLE notes ADD COLUMN extra TEXT" };
const INDEX: Migration = Migration {
    version: 3,
    name: "index",
    sql: "-- As it stands in a file.\nCREATE INDEX {concurrently} ix_notes__number ON notes (tenant_id, number);\n",
};

async fn connect(scratch: &Scratch) -> Client {
    let (client, connection) = tokio_postgres::connect(scratch.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Returns once a connection of this database waits for a lock.
async fn until_one_waits(client: &Client) {
    let waits = "SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while client.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_has_to_wait_for_a_table_lets_others_through() {
    // S-154
    let Some(scratch) = on_postgres().await else { return };
    let (db, watcher, dump) = (scratch.db(), connect(&scratch).await, connect(&scratch).await);
    add_note(db, A, "a", 1).await.unwrap();
    dump.batch_execute("BEGIN; LOCK TABLE notes IN ACCESS SHARE MODE").await.unwrap();
    let (other, all) = (db.clone(), with(&[WIDER]));
    let migrating = tokio::spawn(async move { other.migrate(&all).await });
    until_one_waits(&watcher).await;
    // It stands behind the step, which gives way sooner than this loses patience; the dump goes on.
    assert_eq!(names(db, A).await, ["a"]);
    dump.batch_execute("COMMIT").await.unwrap();
    assert_eq!(migrating.await.unwrap().unwrap().len(), 1);
    add_note(db, A, "b", 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_is_built_while_others_write() {
    let Some(scratch) = on_postgres().await else { return };
    let (db, watcher, writer) = (scratch.db(), connect(&scratch).await, connect(&scratch).await);
    let write = "SET wardgate.tenant = 'all'; BEGIN; UPDATE notes SET number = 2; LOCK TABLE notes IN ROW EXCLUSIVE MODE";
    writer.batch_execute(write).await.unwrap();
    let (other, all) = (db.clone(), with(&[INDEX]));
    let migrating = tokio::spawn(async move { other.migrate(&all).await });
    until_one_waits(&watcher).await;
    add_note(db, A, "a", 1).await.unwrap();
    writer.batch_execute("COMMIT").await.unwrap();
    assert_eq!(migrating.await.unwrap().unwrap().len(), 1);
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_notes__number'::regclass";
    assert!(watcher.query_one(valid, &[]).await.unwrap().get::<_, bool>(0));
}

#[tokio::test]
async fn an_index_whose_building_was_cut_short_is_built_anew() {
    let Some(scratch) = on_postgres().await else { return };
    let left = "CREATE INDEX ix_notes__number ON notes (number)";
    connect(&scratch).await.batch_execute(left).await.unwrap();
    assert_eq!(scratch.db().migrate(&with(&[INDEX])).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_index_that_is_built_while_others_write_is_one_on_both_engines() {
    for scratch in engines().await {
        assert_eq!(scratch.db().migrate(&with(&[INDEX])).await.unwrap().len(), 1);
        let tables = wardgate_store::testing::schema(scratch.db()).await.unwrap();
        let notes = tables.iter().find(|table| table.name == "notes").unwrap();
        assert!(format!("{notes:?}").contains("ix_notes__number"), "{notes:?}");
    }
}
