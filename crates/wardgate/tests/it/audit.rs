//! Every event is one record.

use serde_json::json;
use wardgate::{Actor, AuditEvent, BuiltinRole, TenantId};

use crate::support::{PASSWORD, TestGate};

async fn newest(t: &TestGate) -> AuditEvent {
    t.gate.audit().newest(1).await.unwrap().remove(0)
}

async fn count(t: &TestGate) -> usize {
    t.gate.audit().newest(200).await.unwrap().len()
}

#[tokio::test]
async fn each_event_leaves_exactly_one_record() {
    // S-130
    let t = TestGate::new().await;
    let (tenant, source) = (TenantId::DEFAULT, t.gate.own_source());
    t.tick();
    let mut alice = t.user("alice").registered().await;
    assert_eq!(newest(&t).await.action, "user.registered");
    let mut records = count(&t).await;
    let mut expect = async |action: &str, outcome: &str, actor: &str| {
        records += 1;
        assert_eq!(count(&t).await, records, "{action}");
        let event = newest(&t).await;
        assert_eq!(
            (event.action.as_str(), event.outcome.as_str(), event.actor.as_str()),
            (action, outcome, actor)
        );
        assert!(event.request_id.starts_with("req_"));
    };
    let me = alice.id.to_string();
    t.tick();
    alice.log_in("wrong password").await.expect(401);
    expect("session.signed_in", "refused", "anonymous").await;
    t.tick();
    alice.sign_in().await;
    expect("session.signed_in", "success", &me).await;
    t.tick();
    alice.request("PATCH", "/auth/me").json(&json!({ "name": "A" })).send().await.expect(200);
    expect("user.updated", "success", &me).await;
    t.tick();
    let change = json!({ "current_password": "wrong", "new_password": "an entirely new sentence" });
    alice.post("/auth/password").json(&change).send().await.expect(403);
    expect("password.changed", "refused", &me).await;
    t.tick();
    let change = json!({ "current_password": PASSWORD, "new_password": "an entirely new sentence" });
    alice.post("/auth/password").json(&change).send().await.expect(204);
    expect("password.changed", "success", &me).await;
    t.tick();
    alice.post("/auth/logout").send().await.expect(204);
    expect("session.ended", "success", &me).await;
    t.tick();
    t.gate
        .lifecycle()
        .set_role(tenant, alice.id, BuiltinRole::Admin, Actor::CommandLine, &source)
        .await
        .unwrap();
    expect("user.roles_changed", "success", "command_line").await;
    t.tick();
    t.gate.lifecycle().disable(tenant, alice.id, Actor::CommandLine, &source).await.unwrap();
    expect("user.disabled", "success", "command_line").await;
    t.tick();
    t.gate.lifecycle().enable(tenant, alice.id, Actor::CommandLine, &source).await.unwrap();
    expect("user.enabled", "success", "command_line").await;
    t.tick();
    t.gate.keys().rotate(tenant, Actor::CommandLine, &source).await.unwrap();
    expect("signing_key.created", "success", "command_line").await;
    t.tick();
    t.gate.lifecycle().delete(tenant, alice.id, Actor::CommandLine, &source).await.unwrap();
    expect("user.deleted", "success", "command_line").await;
}

#[tokio::test]
async fn a_right_password_with_a_scope_too_wide_leaves_a_trace() {
    // S-130: or stolen passwords could be tried unseen.
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    t.tick();
    let form = format!("username={}&password=correct+horse+battery+staple&scope=everything", alice.email);
    t.post("/auth/login").form(&form).send().await.refused(400, "invalid_scope");
    let event = newest(&t).await;
    let found = (event.action.as_str(), event.outcome.as_str(), event.target);
    assert_eq!(found, ("session.signed_in", "refused", Some(alice.id.to_string())));
}

#[tokio::test]
async fn a_refused_request_leaves_no_record_of_a_change() {
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let before = count(&t).await;
    alice.request("PATCH", "/auth/me").json(&json!({ "name": "a\u{1b}[31m" })).send().await.expect(422);
    let taken = json!({ "email": alice.email, "password": PASSWORD });
    t.post("/auth/register").json(&taken).send().await.expect(409);
    assert_eq!(count(&t).await, before);
}

#[tokio::test]
async fn no_secret_and_no_typed_identifier_reaches_a_record() {
    // S-131, S-132
    let t = TestGate::new().await;
    let mut alice = t.user("alice").registered().await;
    let canary = "canary-pässword typed into the wrong field";
    t.post("/auth/login").json(&json!({ "email": canary, "password": canary })).send().await.expect(401);
    let login = json!({ "email": "alice@example.com", "password": PASSWORD });
    let agent = "evil\u{a0}agent \u{202e} {\"a\":1} ";
    let reply = t.post("/auth/login").header("user-agent", agent).json(&login).send().await.expect(200);
    alice.keep(&reply);
    let records = serde_json::to_string(&t.gate.audit().newest(200).await.unwrap()).unwrap();
    for secret in ["canary", PASSWORD, &alice.access, &alice.refresh, "alice@"] {
        assert!(!records.contains(secret), "{secret} in {records}");
    }
    t.tick();
    // Known and unknown identifiers are written down alike, and one of them always the same.
    t.post("/auth/login")
        .json(&json!({ "email": "alice@example.com", "password": "wrong" }))
        .send()
        .await
        .expect(401);
    t.post("/auth/login")
        .json(&json!({ "email": "ALICE@example.com", "password": "wrong" }))
        .send()
        .await
        .expect(401);
    let events = t.gate.audit().newest(2).await.unwrap();
    assert!(events[0].target.as_ref().unwrap().starts_with("identifier:"));
    assert_eq!(events[0].target, events[1].target);
}

#[tokio::test]
async fn following_the_log_misses_nothing_and_repeats_nothing() {
    let t = TestGate::new().await;
    t.tick();
    t.user("alice").registered().await;
    let seen = newest(&t).await;
    assert!(t.gate.audit().since(seen.position()).await.unwrap().is_empty());
    for name in ["bob", "carol", "dave"] {
        t.tick();
        t.user(name).registered().await;
    }
    let more = t.gate.audit().since(seen.position()).await.unwrap();
    assert_eq!(more.len(), 3);
    assert!(more.windows(2).all(|pair| pair[0].position() < pair[1].position()));
}
