//! The one-use link for the first superadmin.

use std::time::Duration;

use serde_json::{Value, json};
use wardgate::BuiltinRole;

use crate::support::{PASSWORD, TestGate};

async fn link(t: &TestGate) -> String {
    let source = t.gate.own_source();
    t.gate.setup().new_link(&source).await.unwrap().unwrap().to_string()
}

fn body(token: &str) -> Value {
    json!({ "token": token, "email": "root@example.com", "password": PASSWORD })
}

#[tokio::test]
async fn the_link_makes_one_superadmin_once() {
    // S-017
    let t = TestGate::new().await;
    let old = link(&t).await;
    let token = link(&t).await;
    t.post("/auth/setup").json(&body(&old)).send().await.refused(401, "invalid_setup_token");
    let user = t.post("/auth/setup").json(&body(&token)).send().await.expect(201);
    assert_eq!((&user.body["roles"], &user.body["email_verified"]), (&json!(["superadmin"]), &json!(true)));
    t.post("/auth/setup").json(&body(&token)).send().await.refused(401, "invalid_setup_token");
    let source = t.gate.own_source();
    assert!(t.gate.setup().new_link(&source).await.unwrap().is_none());
}

#[tokio::test]
async fn the_link_ends_after_an_hour_or_when_a_superadmin_appears_otherwise() {
    let t = TestGate::new().await;
    let token = link(&t).await;
    t.advance(Duration::from_secs(3600));
    t.post("/auth/setup").json(&body(&token)).send().await.refused(401, "invalid_setup_token");
    let token = link(&t).await;
    t.user("boss").role(BuiltinRole::Superadmin).registered().await;
    t.post("/auth/setup").json(&body(&token)).send().await.refused(401, "invalid_setup_token");
}

#[tokio::test]
async fn of_many_uses_at_once_one_counts_and_a_weak_password_uses_nothing_up() {
    let t = TestGate::new().await;
    let token = link(&t).await;
    let weak = json!({ "token": token, "email": "root@example.com", "password": "password" });
    t.post("/auth/setup").json(&weak).send().await.refused(422, "invalid_fields");
    let uses: Vec<_> = (0..8)
        .map(|i| json!({ "token": token, "email": format!("root{i}@example.com"), "password": PASSWORD }))
        .map(|body| tokio::spawn(t.post("/auth/setup").json(&body).send()))
        .collect();
    let mut made = 0;
    for attempt in uses {
        made += usize::from(attempt.await.unwrap().status == 201);
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn the_page_runs_no_inline_script() {
    let t = TestGate::new().await;
    let page = t.get("/setup").send().await.expect(200);
    assert!(page.header("content-security-policy").contains("script-src 'self'"));
    assert!(!page.header("content-security-policy").contains("unsafe"));
    assert!(!page.text.contains("<script>") && page.text.contains("/setup/setup.js"));
    t.get("/setup/setup.js").send().await.expect(200);
    t.get("/setup/setup.css").send().await.expect(200);
}
