//! Signing in with a password.

use std::time::Duration;

use serde_json::json;
use wardgate::{Scheme, TenantId};
use wardgate_store::{Sql, params, sql};

use crate::support::{PASSWORD, Reply, TestGate};

/// The reply without what may differ: the request's id.
fn face(reply: &Reply) -> (u16, Vec<(String, String)>, String) {
    let headers = reply.headers.iter().filter(|(name, _)| *name != "x-request-id");
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    (reply.status.as_u16(), headers, reply.text.clone())
}

#[tokio::test]
async fn every_refusal_looks_the_same() {
    // S-011, S-020
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    let disabled = t.user("disabled").registered().await;
    t.disable(disabled.id).await;
    let passwordless = t.user("passwordless").registered().await;
    forget_password(&t, passwordless.id).await;

    let wrong = alice.log_in("wrong password").await.refused(401, "incorrect_credentials");
    assert_eq!(
        (wrong.body["detail"].as_str(), wrong.header("www-authenticate")),
        (Some("Incorrect credentials"), "Bearer")
    );
    let others = [
        t.post("/auth/login")
            .json(&json!({ "email": "nobody@example.com", "password": PASSWORD }))
            .send()
            .await,
        t.post("/auth/login").json(&json!({ "email": "not an address", "password": PASSWORD })).send().await,
        t.post("/auth/login").form("username=alice%40example.com&password=wrong").send().await,
        disabled.log_in(PASSWORD).await,
        passwordless.log_in(PASSWORD).await,
        alice.log_in(&"x".repeat(300)).await,
    ];
    for other in &others {
        assert_eq!(face(other), face(&wrong));
    }
}

async fn forget_password(t: &TestGate, user: wardgate::UserId) {
    const FORGET: Sql = sql!("DELETE FROM passwords WHERE tenant_id = $1 AND user_id = $2");
    let id = uuid_of(user);
    let forget = t.gate.database().write(TenantId::DEFAULT.into(), id, |tx, id| {
        Box::pin(async move { tx.exec(FORGET, &params![*id]).await })
    });
    assert_eq!(forget.await.unwrap(), 1);
}

fn uuid_of(user: wardgate::UserId) -> uuid::Uuid {
    user.to_string().strip_prefix("usr_").unwrap().parse().unwrap()
}

async fn store_hash(t: &TestGate, user: wardgate::UserId, hash: &str) {
    const STORE: Sql =
        sql!("UPDATE passwords SET hash = $3, scheme = $4 WHERE tenant_id = $1 AND user_id = $2");
    let row = (uuid_of(user), hash.to_owned());
    let store = t.gate.database().write(TenantId::DEFAULT.into(), row, |tx, (id, hash)| {
        Box::pin(async move { tx.exec(STORE, &params![*id, hash, "imported"]).await })
    });
    assert_eq!(store.await.unwrap(), 1);
}

async fn stored_hash(t: &TestGate, user: wardgate::UserId) -> String {
    const FIND: Sql = sql!("SELECT tenant_id, hash FROM passwords WHERE tenant_id = $1 AND user_id = $2");
    let find = t.gate.database().lookup(TenantId::DEFAULT.into(), uuid_of(user), |tx, id| {
        Box::pin(async move { tx.one::<(String,)>(FIND, &params![*id]).await })
    });
    find.await.unwrap().0
}

#[tokio::test]
async fn new_hashes_are_of_the_configured_scheme() {
    // S-001
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    let bob = t.user("bob").registered().await;
    let (a, b) = (stored_hash(&t, alice.id).await, stored_hash(&t, bob.id).await);
    assert!(a.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{a}");
    assert_ne!(a, b, "every hash has a salt of its own");
    let t = TestGate::with(|b| b.scheme(Scheme::Bcrypt { cost: 12 })).await;
    let carol = t.user("carol").registered().await;
    assert!(stored_hash(&t, carol.id).await.starts_with("$2b$12$"));
}

#[tokio::test]
async fn a_hash_of_another_scheme_or_cost_is_replaced_at_sign_in() {
    // S-009
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    let weak = Scheme::Argon2id { memory_kib: 8192, iterations: 1, parallelism: 1 };
    let password = wardgate::Password::new(PASSWORD);
    let mut workspace = wardgate_crypto::password::Workspace::new();
    let rng = wardgate::SeededRng::new(3);
    let old = wardgate_crypto::password::hash(&password, &weak, &rng, &mut workspace).unwrap();
    store_hash(&t, alice.id, &old).await;
    alice.log_in("wrong").await.expect(401);
    assert_eq!(stored_hash(&t, alice.id).await, old, "a failure replaces nothing");
    alice.log_in(PASSWORD).await.expect(200);
    let new = stored_hash(&t, alice.id).await;
    assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
    alice.log_in(PASSWORD).await.expect(200);
    assert_eq!(stored_hash(&t, alice.id).await, new, "once is enough");
}

#[tokio::test]
async fn a_malformed_stored_hash_is_a_refusal_and_an_audit_event() {
    // S-008
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    for broken in [
        "",
        "$",
        "$argon2id$v=19$m=1",
        "$2b$12$tooshort",
        "plain",
        "$argon2id$v=19$m=19456,t=2,p=1$é$é",
        "$2b$99$aaaa",
    ] {
        store_hash(&t, alice.id, broken).await;
        // Records of one moment have no order.
        t.clock.advance(Duration::from_secs(1));
        alice.log_in(PASSWORD).await.refused(401, "incorrect_credentials");
        let newest = t.gate.audit().newest(1).await.unwrap();
        assert_eq!(newest[0].action, "password.unusable", "{broken:?}");
    }
}

#[tokio::test]
async fn passwords_count_to_their_last_character_under_both_schemes() {
    // S-002
    let base = "long enough to pass the seventy-two bytes where bcrypt stops listening, a";
    assert!(base.len() >= 72);
    for scheme in [Scheme::default(), Scheme::Bcrypt { cost: 12 }] {
        let t = TestGate::with(|b| b.scheme(scheme)).await;
        let body = json!({ "email": "ada@example.com", "password": format!("{base}1") });
        t.post("/auth/register").json(&body).send().await.expect(201);
        for (password, status) in
            [(format!("{base}2"), 401), (base.to_owned(), 401), (format!("{base}1"), 200)]
        {
            let login = json!({ "email": "ada@example.com", "password": password });
            t.post("/auth/login").json(&login).send().await.expect(status);
        }
    }
}

#[tokio::test]
async fn composed_and_decomposed_forms_are_one_password() {
    // S-010
    let t = TestGate::new().await;
    let composed = "caf\u{e9} am kiosk um halb neun";
    let decomposed = "cafe\u{301} am kiosk um halb neun";
    let body = json!({ "email": "ada@example.com", "password": composed });
    t.post("/auth/register").json(&body).send().await.expect(201);
    for form in [composed, decomposed] {
        t.post("/auth/login")
            .json(&json!({ "email": "ada@example.com", "password": form }))
            .send()
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn a_scope_is_granted_within_the_roles_and_narrows_the_session() {
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    let form =
        |scope: &str| format!("username={}&password=correct+horse+battery+staple&scope={scope}", alice.email);
    t.post("/auth/login").form(&form("users%3Awrite")).send().await.refused(400, "invalid_scope");
    let narrow = t.post("/auth/login").form(&form("profile%3Aread")).send().await.expect(200);
    assert_eq!(narrow.body["scope"], "profile:read");
    let access = narrow.str("access_token");
    let me = t.get("/auth/me").bearer(&access).send().await.expect(200);
    assert_eq!(me.body["permissions"], json!(["profile:read"]));
    // S-036
    let refused = t.request("PATCH", "/auth/me").bearer(&access).json(&json!({ "name": "x" })).send().await;
    let refused = refused.refused(403, "insufficient_scope");
    assert_eq!(
        refused.header("www-authenticate"),
        "Bearer error=\"insufficient_scope\", scope=\"profile:write\""
    );
    // S-045: a refresh keeps the scope and cannot widen it.
    let refresh = narrow.str("refresh_token");
    let wider = format!("refresh_token={refresh}&scope=profile%3Awrite");
    t.post("/auth/refresh").form(&wider).send().await.refused(400, "invalid_scope");
    let next = t.post("/auth/refresh").form(&format!("refresh_token={refresh}")).send().await.expect(200);
    assert_eq!(next.body["scope"], "profile:read");
}

#[tokio::test]
async fn the_form_takes_its_standard_fields_and_refuses_others() {
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    let base = format!("username={}&password=correct+horse+battery+staple", alice.email);
    for extra in ["", "&grant_type=password", "&grant_type=&scope=&client_id=&client_secret="] {
        t.post("/auth/login").form(&format!("{base}{extra}")).send().await.expect(200);
    }
    for extra in ["&grant_type=client_credentials", "&client_id=other", "&remember=1", "&username=x"] {
        t.post("/auth/login").form(&format!("{base}{extra}")).send().await.refused(422, "invalid_fields");
    }
    // Swagger UI and others send a Basic header along: no credential of ours, and this route is public.
    t.post("/auth/login").header("authorization", "Basic Og==").form(&base).send().await.expect(200);
    t.post("/auth/login").bearer("stale").form(&base).send().await.expect(200);
}
