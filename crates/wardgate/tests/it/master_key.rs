//! Another master key: while nodes go on, without anything lost, and from a database that knew of one only.

use std::time::Duration;

use serde_json::json;
use wardgate::{Actor, Builder, BuiltinRole, MasterKey, SeededRng, TenantId, Wardgate};
use wardgate_store::{GlobalSql, Sql, StoreError, global_sql, params, sql};

use crate::mail::{forgot, token};
use crate::support::{PASSWORD, TestGate, urls};

const TENANT: TenantId = TenantId::DEFAULT;
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Whether a provider can be set up.
const FEDERATION: bool = cfg!(feature = "federation");

const CHECK: GlobalSql = global_sql!("SELECT value FROM server_meta WHERE name = $1");
const SET_CHECK: GlobalSql = global_sql!("UPDATE server_meta SET value = $1 WHERE name = 'key_check'");
const FORGET_LASTING: GlobalSql = global_sql!("DELETE FROM lasting_keys");
const LASTING: GlobalSql = global_sql!("SELECT sealed FROM lasting_keys");
const SIGNING: Sql = sql!("SELECT tenant_id, sealed_secret FROM signing_keys WHERE tenant_id = $1");
const SECRETS: Sql = sql!("SELECT tenant_id, sealed_secret FROM upstream_providers WHERE tenant_id = $1");
const MAILS: Sql = sql!("SELECT tenant_id, sealed FROM outbox WHERE tenant_id = $1");
const INSERT_ACCOUNT: GlobalSql =
    global_sql!("INSERT INTO acme_accounts (directory, sealed) VALUES ($1, $2)");
const INSERT_CERTIFICATE: GlobalSql = global_sql!(
    "INSERT INTO acme_certificates (directory, names, sealed_key, attempts, due_at) VALUES ($1, $2, $3, 0, 0)"
);
const ACCOUNT: GlobalSql = global_sql!("SELECT sealed FROM acme_accounts WHERE directory = $1");
const CERTIFICATE: GlobalSql = global_sql!("SELECT sealed_key FROM acme_certificates WHERE directory = $1");
const REPLACE_KEY: Sql = sql!("UPDATE signing_keys SET kid = $2, sealed_secret = $3 WHERE tenant_id = $1");
const SPOIL_KEY: Sql = sql!("UPDATE signing_keys SET sealed_secret = $3 WHERE tenant_id = $1 AND kid = $2");

/// The key that every test begins with, and those that follow it.
fn key(place: u64) -> MasterKey {
    if place == 1 { TestGate::master_key() } else { MasterKey::generate(&SeededRng::new(70 + place)) }
}

fn given(first: u64, previous: &[u64]) -> impl FnOnce(Builder) -> Builder + use<> {
    let previous = previous.iter().copied().map(key).collect();
    move |builder| builder.master_key(key(first)).previous_master_keys(previous)
}

fn id(place: u64) -> String {
    key(place).id().to_string()
}

/// As `key rotate-master` does it.
async fn rotate(gate: &Wardgate) -> wardgate::Resealed {
    gate.begin_master_key().await.unwrap();
    gate.reseal(|_, _, _| {}).await.unwrap()
}

async fn refused(t: &TestGate, first: u64, previous: &[u64]) -> String {
    let refused = t.try_beside(given(first, previous)).await;
    refused.map(drop).expect_err("this key should not be enough").to_string()
}

/// Everything sealed that the database holds.
async fn everything_sealed(t: &TestGate) -> Vec<Vec<u8>> {
    let db = t.gate.database();
    let mut all: Vec<Vec<u8>> = Vec::new();
    for each in [SIGNING, SECRETS, MAILS] {
        let rows = db.read(TENANT.into(), each, |tx, each| {
            Box::pin(async move { tx.all::<(Vec<u8>,)>(*each, &params![]).await })
        });
        let rows = rows.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
        all.extend(rows.into_iter().map(|(sealed,)| sealed));
    }
    let lasting =
        db.read_global((), |tx, ()| Box::pin(async move { tx.all::<(Vec<u8>,)>(LASTING, &params![]).await }));
    let lasting = lasting.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
    assert_eq!(lasting.len(), 10);
    all.extend(lasting.into_iter().map(|(sealed,)| sealed));
    all
}

async fn checks(t: &TestGate) -> Vec<bool> {
    let mut found = Vec::new();
    for name in ["key_check", "next_key_check"] {
        let row = t.gate.database().read_global(name, |tx, name| {
            Box::pin(async move { tx.opt::<(String,)>(CHECK, &params![*name]).await })
        });
        found.push(row.await.unwrap_or_else(|error: StoreError| panic!("{error}")).is_some());
    }
    found
}

#[tokio::test]
async fn a_change_of_the_master_key_loses_nothing() {
    let (t, mailer) = TestGate::with_mail(|b| b).await;
    let mut alice = t.user("alice").signed_in().await;
    let boss = t.user("boss").role(BuiltinRole::Admin).signed_in().await;
    for name in ["ben", "cleo"] {
        t.user(name).registered().await;
    }
    // What is keyed or sealed, of every kind.
    let provider = json!({
        "name": "corp", "preset": "oidc", "issuer": "https://id.example.com", "client_id": "c", "client_secret": "kept",
    });
    if FEDERATION {
        boss.post("/admin/providers").json(&provider).send().await.expect(201);
    }
    let page = boss.get("/admin/users?limit=2").send().await.expect(200).str("next_cursor");
    let consumed = alice.refresh.clone();
    let successor = alice.present(&consumed).await.expect(200);
    forgot(&t, &alice.email).await;
    t.gate.tend().await.unwrap();
    let link = token(&mailer.take()[0]);
    forgot(&t, &boss.email).await;

    let tool = t.beside(given(2, &[1])).await;
    let done = rotate(&tool.gate).await;
    assert_eq!((done.signing_keys, done.client_secrets, done.mails), (1, u64::from(FEDERATION), 1));
    assert_eq!(done.master_key, id(2));
    let mark = key(2).id().mark();
    assert!(everything_sealed(&t).await.iter().all(|sealed| sealed.starts_with(&mark)));

    let after = t.beside(|b| given(2, &[])(b.mailer(mailer.clone()).link_urls(urls()))).await;
    after.get("/auth/me").bearer(&alice.access).send().await.expect(200);
    let retried = after.post("/auth/refresh").json(&json!({ "refresh_token": consumed })).send().await;
    assert_eq!(
        retried.expect(200).str("refresh_token"),
        successor.str("refresh_token"),
        "the same successor"
    );
    alice.keep(&successor);
    after.post("/auth/refresh").json(&json!({ "refresh_token": alice.refresh })).send().await.expect(200);
    let rest = after.get(&format!("/admin/users?limit=2&cursor={page}")).bearer(&boss.access).send().await;
    assert_eq!(rest.expect(200).body["items"].as_array().unwrap().len(), 2);
    after.gate.tend().await.unwrap();
    assert_eq!(mailer.take()[0].to.as_str(), boss.email, "what waited is sent");
    if FEDERATION {
        let provider = after.request("PATCH", "/admin/providers/corp").bearer(&boss.access);
        provider.json(&json!({ "label": "Corp" })).send().await.expect(200);
    }
    let reset = json!({ "token": link, "new_password": "another violet anchor canyon" });
    after.post("/auth/password/reset").json(&reset).send().await.expect(204);
    let log = after.gate.audit().verify(TENANT, |_, _| {}).await.unwrap();
    assert!(log.broken.is_none(), "{log:?}");
    let records = after.gate.audit().newest(20).await.unwrap();
    let record = records.iter().find(|record| record.action == "master_key.rotated").unwrap();
    assert_eq!(record.target.as_deref(), Some(id(2).as_str()));
    let refused = refused(&t, 1, &[]).await;
    assert!(refused.contains(&id(2)) && refused.contains("rotate-master"), "{refused}");
}

// What lies there was sealed as it is here: with other words nobody would open it after an upgrade.
#[tokio::test]
async fn accounts_at_authorities_and_keys_of_certificates_are_sealed_anew() {
    if !cfg!(feature = "acme") {
        return;
    }
    let t = TestGate::new().await;
    let directory = "https://ca.example.com/directory";
    let sealed =
        |purpose, context: &str| key(1).seal(purpose, context.as_bytes(), b"secret", &SeededRng::new(9));
    let rows = (
        sealed("wardgate acme account", directory),
        sealed("wardgate acme certificate", "https://ca.example.com/directory a.example.com b.example.com"),
    );
    let put = t.gate.database().write_global(rows, move |tx, (account, certificate)| {
        Box::pin(async move {
            tx.exec(INSERT_ACCOUNT, &params![directory, *account]).await?;
            tx.exec(INSERT_CERTIFICATE, &params![directory, "a.example.com b.example.com", *certificate])
                .await
        })
    });
    put.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
    let tool = t.beside(given(2, &[1])).await;
    assert_eq!(rotate(&tool.gate).await.certificates, 2);
    for (statement, purpose, context) in [
        (ACCOUNT, "wardgate acme account", directory.to_owned()),
        (CERTIFICATE, "wardgate acme certificate", format!("{directory} a.example.com b.example.com")),
    ] {
        let row = t.gate.database().read_global(statement, move |tx, statement| {
            Box::pin(async move { tx.one::<(Vec<u8>,)>(*statement, &params![directory]).await })
        });
        let (row,) = row.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
        let plain = key(2).open(purpose, context.as_bytes(), &row).unwrap();
        assert_eq!(&plain[..], b"secret");
    }
}

#[tokio::test]
async fn no_node_meets_what_it_cannot_open_while_the_keys_change() {
    let (t, _) = TestGate::with_mail(|b| b).await;
    let alice = t.user("alice").signed_in().await;
    let source = t.gate.own_source();
    // One node has been restarted with the next key, the other not yet.
    let next = t.beside(given(2, &[1])).await;
    next.gate.keys().rotate(TENANT, Actor::CommandLine, &source).await.unwrap();
    assert_eq!(
        t.get("/.well-known/jwks.json").send().await.expect(200).body["keys"].as_array().unwrap().len(),
        2
    );
    t.advance(HOUR);
    t.get("/auth/me").bearer(&alice.access).send().await.refused(401, "invalid_credential");
    alice.log_in(PASSWORD).await.expect(200);
    assert_eq!(checks(&t).await, [true, false]);

    // The other as well, and the database is told.
    let other = t.beside(given(2, &[1])).await;
    next.gate.begin_master_key().await.unwrap();
    other.gate.tend().await.unwrap();
    for node in [&next, &other] {
        node.get("/readyz").send().await.expect(200);
    }
    let kid = other.gate.keys().rotate(TENANT, Actor::CommandLine, &source).await.unwrap();
    assert!(kid.len() == 43);
    // One that was forgotten seals nothing from now on, and says that it is of no use.
    assert!(t.gate.tend().await.is_err());
    t.get("/readyz").send().await.expect(503);
    assert!(t.gate.keys().rotate(TENANT, Actor::CommandLine, &source).await.is_err());
    alice.log_in(PASSWORD).await.expect(200);

    // Half way it takes both keys to start.
    assert!(refused(&t, 2, &[]).await.contains(&id(1)));
    assert!(refused(&t, 1, &[]).await.contains(&id(2)));
    t.try_beside(given(2, &[1])).await.unwrap();

    let done = other.gate.reseal(|_, _, _| {}).await.unwrap();
    assert_eq!(done.signing_keys, 2, "the third was sealed under it already");
    assert_eq!(checks(&t).await, [true, false]);
    t.try_beside(given(2, &[])).await.unwrap();
    // Once more there is nothing to do, and nothing to write down.
    assert_eq!(rotate(&next.gate).await.signing_keys, 0);
    let records = next.gate.audit().newest(50).await.unwrap();
    assert_eq!(records.iter().filter(|record| record.action == "master_key.rotated").count(), 1);
}

#[tokio::test]
async fn what_opens_with_no_key_keeps_the_one_before_until_it_does() {
    let t = TestGate::new().await;
    t.user("alice").signed_in().await;
    let kid = t.gate.keys().rotate(TENANT, Actor::CommandLine, &t.gate.own_source()).await.unwrap();
    let stray = key(3).seal(
        "wardgate signing key",
        format!("{TENANT}/{kid}").as_bytes(),
        &[7; 32],
        &SeededRng::new(1),
    );
    let spoil = t.gate.database().write(TENANT.into(), (kid, stray), |tx, (kid, stray)| {
        Box::pin(async move { tx.exec(SPOIL_KEY, &params![kid, stray]).await })
    });
    assert_eq!(spoil.await.unwrap_or_else(|error: StoreError| panic!("{error}")), 1);
    let next = t.tool_beside(given(2, &[1])).await;
    next.begin_master_key().await.unwrap();
    let failed = next.reseal(|_, _, _| {}).await.unwrap_err().to_string();
    assert!(failed.contains(&id(3)), "{failed}");
    assert!(refused(&t, 2, &[]).await.contains(&id(1)), "the one before is still needed");
    let all = t.tool_beside(given(2, &[1, 3])).await;
    let mut seen = Vec::new();
    all.reseal(|word, done, of| seen.push((word.to_owned(), done, of))).await.unwrap();
    assert_eq!(seen, [("signing keys".to_owned(), 2, 2)], "the batch that failed was taken back");
    t.tool_beside(given(2, &[])).await;
}

#[tokio::test]
async fn two_changes_at_once_do_not_end_each_other() {
    let t = TestGate::new().await;
    let (second, third) = (t.tool_beside(given(2, &[1])).await, t.tool_beside(given(3, &[1, 2])).await);
    second.begin_master_key().await.unwrap();
    third.begin_master_key().await.unwrap();
    assert!(second.reseal(|_, _, _| {}).await.is_err());
    third.reseal(|_, _, _| {}).await.unwrap();
    t.tool_beside(given(3, &[])).await;
}

/// Sealed by the version before values named their master key, of which there was one.
#[tokio::test]
async fn a_database_from_before_opens_and_can_change_its_key() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as B64;
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    let before = t.gate.audit().verify(TENANT, |_, _| {}).await.unwrap();
    let check = "AbW5SYpDS2OQxH333Z9TqZyPR1r37iKbc6MIaMqwr1uOH3Cz1XA+SzZFpC9hSWs=";
    let kid = "u81bmJMA-eICr7KLktpHiiXy-NWHcYWtS03XcpnP-jE";
    let sealed =
        B64.decode("AW8kVpesq8WmHXwgHKTrkWAb7GPqkrsL33Lie2sv1qRVDyIhekJW3I56vQpt9T5zBLUYfll46pkRcoE1Dg==");
    let aged = t.gate.database().write_global((check, kid, sealed.unwrap()), |tx, (check, kid, sealed)| {
        Box::pin(async move {
            tx.exec(SET_CHECK, &params![*check]).await?;
            tx.exec(FORGET_LASTING, &params![]).await?;
            tx.within(TENANT.into()).exec(REPLACE_KEY, &params![*kid, sealed]).await
        })
    });
    aged.await.unwrap_or_else(|error: StoreError| panic!("{error}"));

    assert!(refused(&t, 2, &[]).await.contains("another one"));
    // Whoever is started with the next key already finds the keys that the database always had.
    let next = t.beside(given(2, &[1])).await;
    let again = next.gate.audit().verify(TENANT, |_, _| {}).await.unwrap();
    assert!(again.broken.is_none() && again.records >= before.records, "{again:?}");
    let keys = next.get("/.well-known/jwks.json").send().await.expect(200);
    assert_eq!(keys.body["keys"][0]["kid"], kid);
    t.try_beside(given(1, &[])).await.unwrap();
    // A program of the version before may still serve it, and opens the form that it knows (S-154).
    let source = next.gate.operator().source;
    next.gate.keys().rotate(TENANT, Actor::CommandLine, &source).await.unwrap();
    let sealed = everything_sealed(&next).await;
    assert!(sealed.len() > 2 && sealed.iter().all(|sealed| sealed[0] == 1), "{sealed:?}");
    assert_eq!(rotate(&next.gate).await.signing_keys, 2);
    assert!(everything_sealed(&next).await.iter().all(|sealed| sealed[0] == 2));
    let after = t.beside(given(2, &[])).await;
    let login = json!({ "email": alice.email, "password": PASSWORD });
    after.post("/auth/login").json(&login).send().await.expect(200);
    let log = after.gate.audit().verify(TENANT, |_, _| {}).await.unwrap();
    assert!(log.broken.is_none(), "{log:?}");
}
