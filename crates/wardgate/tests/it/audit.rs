//! Every event is one record.

use serde_json::json;
use wardgate::{Actor, AuditEvent, BuiltinRole, TenantId};

use crate::support::{PASSWORD, Reply, TestGate};

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
    t.set_roles(alice.id, &["admin"]).await.unwrap();
    expect("user.roles_changed", "success", "command_line").await;
    t.tick();
    t.disable(alice.id).await;
    expect("user.disabled", "success", "command_line").await;
    t.tick();
    t.enable(alice.id).await;
    expect("user.enabled", "success", "command_line").await;
    t.tick();
    t.gate.keys().rotate(tenant, Actor::CommandLine, &source).await.unwrap();
    expect("signing_key.created", "success", "command_line").await;
    t.tick();
    t.delete(alice.id).await.unwrap();
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
    assert!(t.gate.audit().since(TenantId::DEFAULT, seen.position()).await.unwrap().is_empty());
    for name in ["bob", "carol", "dave"] {
        t.tick();
        t.user(name).registered().await;
    }
    let more = t.gate.audit().since(TenantId::DEFAULT, seen.position()).await.unwrap();
    assert_eq!(more.len(), 3);
    assert!(more.windows(2).all(|pair| pair[0].position() < pair[1].position()));
}

/// The actions of a page, and its cursor.
fn page(reply: &Reply) -> (Vec<String>, Option<String>) {
    let items = reply.body["items"].as_array().unwrap();
    let actions = items.iter().map(|item| item["action"].as_str().unwrap().to_owned()).collect();
    (actions, reply.body["next_cursor"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn an_administrator_reads_the_log_filtered_and_in_pages() {
    let t = TestGate::new().await;
    let admin = t.user("root").role(BuiltinRole::Admin).signed_in().await;
    t.tick();
    let first = t.now();
    let mut alice = t.user("alice").registered().await;
    t.tick();
    alice.log_in("wrong password").await.expect(401);
    t.tick();
    let signed_in_at = t.now();
    alice.sign_in().await;
    t.tick();
    let query = |query: String| admin.get(&format!("/admin/audit?{query}"));
    let (actions, next) = page(&query(format!("from={first}")).send().await.expect(200));
    assert_eq!(actions, ["session.signed_in", "session.signed_in", "user.registered"]);
    assert_eq!(next, None);
    // The end is left out, the beginning is not.
    let (actions, _) = page(&query(format!("from={first}&to={signed_in_at}")).send().await.expect(200));
    assert_eq!(actions.len(), 2);
    for (narrowed, count) in [
        (format!("actor={}", alice.id), 1),
        (format!("target={}", alice.id), 1),
        ("action=session.signed_in".to_owned(), 3),
        ("action=session.signed_in&outcome=refused".to_owned(), 1),
        (format!("action=session.signed_in&actor={}&from={signed_in_at}", alice.id), 1),
        ("actor=nobody".to_owned(), 0),
    ] {
        let reply = query(narrowed.clone()).send().await.expect(200);
        assert_eq!(page(&reply).0.len(), count, "{narrowed}: {reply:#?}");
    }
    let whole = query("limit=200".to_owned()).send().await.expect(200);
    let record = &whole.body["items"][0];
    let fields: Vec<&str> = record.as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["action", "actor", "at", "id", "outcome", "request_id", "source", "target", "tenant", "user_agent"];
    assert_eq!(fields, expected);
    assert_eq!(record["tenant"], "default");
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let reply = query(format!("limit=2&cursor={cursor}")).send().await.expect(200);
        paged.extend(reply.body["items"].as_array().unwrap().clone());
        match page(&reply).1 {
            Some(next) => cursor = next,
            None => break,
        }
    }
    assert_eq!(&paged, whole.body["items"].as_array().unwrap());
}

#[tokio::test]
async fn a_cursor_of_the_log_is_good_for_its_own_filter_only() {
    // S-107
    let t = TestGate::new().await;
    let admin = t.user("root").role(BuiltinRole::Admin).signed_in().await;
    let reply = admin.get("/admin/audit?limit=1&outcome=success").send().await.expect(200);
    let cursor = page(&reply).1.unwrap();
    admin.get(&format!("/admin/audit?outcome=success&cursor={cursor}")).send().await.expect(200);
    for other in
        ["", "outcome=refused&", "outcome=success&actor=system&", "outcome=success&to=2030-01-01T00:00:00Z&"]
    {
        let path = format!("/admin/audit?{other}cursor={cursor}");
        admin.get(&path).send().await.refused(400, "invalid_cursor");
    }
    admin.get("/admin/audit?outcome=success&cursor=AAAA").send().await.refused(400, "invalid_cursor");
}

#[tokio::test]
async fn a_filter_that_cannot_be_meant_is_refused_by_name() {
    let t = TestGate::new().await;
    let admin = t.user("root").role(BuiltinRole::Admin).signed_in().await;
    for (query, field) in [
        ("from=yesterday", "#/from"),
        ("to=2026-01-01", "#/to"),
        ("action=user.sneezed", "#/action"),
        ("outcome=maybe", "#/outcome"),
        ("actor=a%00b", "#/actor"),
        ("target=%1b", "#/target"),
        ("limit=0", "#/limit"),
        ("limit=201", "#/limit"),
        ("actr=system", "#/actr"),
        ("actor=a&actor=b", "#/actor"),
        ("actor=%ff", "#"),
    ] {
        let path = format!("/admin/audit?{query}");
        let reply = admin.get(&path).send().await.refused(422, "invalid_fields");
        assert_eq!(reply.body["errors"][0]["pointer"], field, "{query}: {reply:#?}");
    }
}

#[tokio::test]
async fn only_who_may_read_the_log_reads_it() {
    // S-101
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    for path in ["/admin/audit", "/admin/audit?limit=0"] {
        alice.get(path).send().await.refused(403, "insufficient_permissions");
    }
    let admin = t.user("root").role(BuiltinRole::Admin).registered().await;
    let form = format!("username={}&password=correct+horse+battery+staple&scope=profile:read", admin.email);
    let limited = t.post("/auth/login").form(&form).send().await.expect(200).str("access_token");
    t.get("/admin/audit").bearer(&limited).send().await.refused(403, "insufficient_scope");
}
