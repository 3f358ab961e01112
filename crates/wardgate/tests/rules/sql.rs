//! Every statement of the library, prepared by both engines: a misspelt column is found here, not in production.

use wardgate::MIGRATIONS;
use wardgate_store::Db;
use wardgate_store::testing::{POSTGRES_VARIABLE, Scratch, prepare};

use crate::source::{self, Source};

/// A statement and where it stands.
struct Statement {
    place: String,
    text: String,
}

fn statements(source: &Source) -> Vec<Statement> {
    let calls = [source.calls("sql"), source.calls("global_sql")].concat();
    let statement = |(line, text): (usize, Option<String>)| {
        let place = format!("src/{}:{line}", source.path);
        let text = text.unwrap_or_else(|| panic!("{place}: a statement is one string literal"));
        Statement { place, text }
    };
    calls.into_iter().map(statement).collect()
}

async fn refused(db: &Db) -> Vec<String> {
    let mut refused = Vec::new();
    let all: Vec<_> = source::all().iter().flat_map(statements).collect();
    assert!(all.len() > 20, "the statements are not where this test looks: {}", all.len());
    for Statement { place, text } in all {
        if let Err(reason) = prepare(db, &text).await {
            refused.push(format!("{place}: {reason}\n    {text}"));
        }
    }
    refused
}

#[tokio::test]
async fn sqlite_prepares_every_statement() {
    let scratch = Scratch::sqlite(MIGRATIONS).await.unwrap();
    let refused = refused(scratch.db()).await;
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[tokio::test]
async fn postgresql_prepares_every_statement() {
    let Ok(server) = std::env::var(POSTGRES_VARIABLE) else { return };
    let scratch = Scratch::postgres(&server, MIGRATIONS).await.unwrap();
    let refused = refused(scratch.db()).await;
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn statements_are_found_with_their_lines() {
    let text = "use wardgate_store::sql;\nconst A: Sql = sql!(\n    \"SELECT a \\\n     FROM b\"\n);\n\
                const B: GlobalSql = global_sql!(\"SELECT c\");";
    let found = statements(&Source::new("features/x/store.rs", text));
    let found: Vec<_> = found.iter().map(|found| (found.place.as_str(), found.text.as_str())).collect();
    let expected =
        [("src/features/x/store.rs:2", "SELECT a FROM b"), ("src/features/x/store.rs:6", "SELECT c")];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_misspelt_column_is_refused() {
    let scratch = Scratch::sqlite(MIGRATIONS).await.unwrap();
    let reason = prepare(scratch.db(), "SELECT emial FROM users WHERE tenant_id = $1").await.unwrap_err();
    assert!(reason.contains("emial"), "{reason}");
}
