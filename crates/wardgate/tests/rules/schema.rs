//! The migrated schema: the same on both engines, and with the tenant in front everywhere.

use wardgate::MIGRATIONS;
use wardgate_store::testing::{POSTGRES_VARIABLE, Scratch, TableShape, schema};

/// The tables above tenants.
const GLOBAL: &[&str] = &[
    "acme_accounts",
    "acme_certificates",
    "acme_challenges",
    "lasting_keys",
    "retired_slugs",
    "server_meta",
    "tenant_hosts",
    "tenants",
];

async fn tables() -> Vec<TableShape> {
    let scratch = Scratch::from_env(MIGRATIONS).await.unwrap();
    schema(scratch.db()).await.unwrap()
}

#[tokio::test]
async fn both_engines_have_the_same_schema() {
    let Ok(server) = std::env::var(POSTGRES_VARIABLE) else { return };
    let sqlite = Scratch::sqlite(MIGRATIONS).await.unwrap();
    let postgres = Scratch::postgres(&server, MIGRATIONS).await.unwrap();
    let (sqlite, postgres) = (schema(sqlite.db()).await.unwrap(), schema(postgres.db()).await.unwrap());
    for (ours, theirs) in sqlite.iter().zip(&postgres) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(sqlite.len(), postgres.len());
}

/// A key without the tenant would let one tenant's row stand in the way of another's (and tell that it exists).
#[tokio::test]
async fn every_key_of_a_tenants_table_begins_with_the_tenant() {
    let tables = tables().await;
    assert!(tables.len() > GLOBAL.len(), "{tables:?}");
    for table in tables.iter().filter(|table| !GLOBAL.contains(&table.name.as_str())) {
        let column = table.columns.iter().find(|column| column.name == "tenant_id");
        assert!(column.is_some_and(|column| !column.nullable), "{} has no tenant", table.name);
        for key in table.unique.iter().chain([&table.primary_key]) {
            assert_eq!(key.first().map(String::as_str), Some("tenant_id"), "{}: {key:?}", table.name);
        }
    }
}

/// A foreign key without the tenant could point into another tenant.
#[tokio::test]
async fn every_foreign_key_stays_within_the_tenant() {
    for table in tables().await {
        for key in &table.foreign_keys {
            let within = key.targets.first().is_some_and(|target| target == "tenant_id");
            assert!(within || key.table == "tenants", "{}: {key:?}", table.name);
            assert_eq!(key.columns.first().map(String::as_str), Some("tenant_id"), "{}: {key:?}", table.name);
        }
    }
}
