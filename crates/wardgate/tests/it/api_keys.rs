//! API keys: made, used, limited, rotated, revoked, and what a stranger might try.

use std::time::Duration;

use serde_json::{Value, json};
use wardgate::{BuiltinRole, RateLimits};

use crate::support::{PASSWORD, Persona, Reply, Request, TestGate};

async fn make(owner: &Persona<'_>, fields: Value) -> Reply {
    let mut body = json!({ "name": "ci" });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    owner.post("/auth/api-keys").json(&body).send().await
}

async fn key_of(owner: &Persona<'_>, fields: Value) -> String {
    make(owner, fields).await.expect(201).str("key")
}

fn by_key(t: &TestGate, method: &str, path: &str, key: &str) -> Request {
    t.request(method, path).header("x-api-key", key)
}

async fn me(t: &TestGate, key: &str) -> Reply {
    by_key(t, "GET", "/auth/me", key).send().await
}

async fn editor<'t>(t: &'t TestGate, name: &str) -> Persona<'t> {
    let boss = t.user(&format!("boss-of-{name}")).role(BuiltinRole::Admin).signed_in().await;
    let role = json!({ "name": "editor", "permissions": ["notes:read", "notes:write"] });
    boss.post("/admin/roles").json(&role).send().await;
    let editor = t.user(name).signed_in().await;
    t.set_roles(editor.id, &["user", "editor"]).await.unwrap();
    editor
}

#[tokio::test]
async fn a_key_is_shown_once_and_opens_what_its_owner_may_do() {
    // S-060, S-063
    let t = TestGate::new().await;
    let alice = editor(&t, "alice").await;
    let made = make(&alice, json!({})).await.expect(201);
    let (key, id) = (made.str("key"), made.str("id"));
    assert_eq!(key.len(), 85);
    assert!(key.starts_with(&made.str("prefix")) && made.str("prefix") == id.replacen("key_", "wgk_", 1));
    let listed = alice.get("/auth/api-keys").send().await.expect(200);
    assert_eq!(listed.body["items"][0]["id"], made.body["id"]);
    assert_eq!(listed.body["items"][0]["key"], Value::Null);
    assert!(!listed.text.contains(&key[40..]), "the secret is nowhere but in the first answer");

    let who = me(&t, &key).await.expect(200);
    assert_eq!(who.body["id"], json!(alice.id.to_string()));
    assert_eq!(
        who.body["permissions"],
        json!(["notes:read", "notes:write", "profile:read", "profile:write"])
    );
    // S-061: what is Wardgate's own it reaches only by a scope.
    for (method, path) in
        [("GET", "/auth/sessions"), ("GET", "/auth/api-keys"), ("DELETE", "/auth/api-keys/key_1")]
    {
        by_key(&t, method, path, &key).send().await.refused(403, "insufficient_scope");
    }
    let change = json!({ "current_password": PASSWORD, "new_password": "an entirely new sentence" });
    let password = by_key(&t, "POST", "/auth/password", &key).json(&change);
    password.send().await.refused(403, "insufficient_scope");
    let step_up = by_key(&t, "POST", "/auth/step-up", &key).json(&json!({ "password": PASSWORD }));
    step_up.send().await.refused(403, "insufficient_permissions");
    // Where only a key will do.
    let path = format!("/auth/api-keys/{id}/token");
    let none = t.post(&path).send().await.refused(401, "missing_api_key");
    assert_eq!(none.body["detail"], "API Key required");
    alice.post(&path).send().await.refused(401, "missing_api_key");
    alice.log_in(PASSWORD).await.expect(200);
}

#[tokio::test]
async fn every_bad_key_is_the_same_403() {
    // S-062, S-063
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let good = key_of(&alice, json!({})).await;
    let revoked = make(&alice, json!({})).await.expect(201);
    alice.request("DELETE", &format!("/auth/api-keys/{}", revoked.str("id"))).send().await.expect(204);
    let expired = key_of(&alice, json!({ "expires_at": "2026-01-01T00:00:10Z" })).await;
    let elsewhere = key_of(&alice, json!({ "networks": ["192.0.2.0/24"] })).await;
    let mallory = t.user("mallory").signed_in().await;
    let disabled = key_of(&mallory, json!({})).await;
    t.disable(mallory.id).await;
    let eve = t.user("eve").signed_in().await;
    let deleted = key_of(&eve, json!({})).await;
    t.delete(eve.id).await.unwrap();
    let other = TestGate::with(|b| b.rng(std::sync::Arc::new(wardgate::SeededRng::new(5)))).await;
    let foreign = key_of(&other.user("alice").signed_in().await, json!({})).await;
    t.advance(Duration::from_secs(9));
    me(&t, &expired).await.expect(200);
    t.advance(Duration::from_secs(1));
    let (cut, upper) = (good[..84].to_owned(), good.to_uppercase());
    let revoked = revoked.str("key");
    for bad in
        ["", "x", &cut, &upper, &revoked, &expired, &elsewhere, &disabled, &deleted, &foreign, &alice.access]
    {
        let refused = me(&t, bad).await.refused(403, "invalid_api_key");
        assert_eq!(refused.body["detail"], "Invalid API Key");
        assert_eq!(refused.body.as_object().unwrap().len(), 5, "{bad}");
    }
    me(&t, &good).await.expect(200);
    // A public route ignores it.
    by_key(&t, "POST", "/auth/login", "x")
        .json(&json!({ "email": alice.email, "password": PASSWORD }))
        .send()
        .await
        .expect(200);
    t.enable(mallory.id).await;
    me(&t, &disabled).await.expect(200);
}

#[tokio::test]
async fn two_credentials_or_one_in_the_url_are_refused() {
    // S-064
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let key = key_of(&alice, json!({})).await;
    let refused = |reply: Reply| drop(reply.refused(400, "ambiguous_credential"));
    refused(alice.get("/auth/me").header("x-api-key", &key).send().await);
    refused(by_key(&t, "GET", "/auth/me", &key).header("x-api-key", &key).send().await);
    refused(by_key(&t, "GET", "/auth/me", &key).header("cookie", "__Host-wardgate_session=x").send().await);
    for name in ["api_key", "X-API-Key", "apikey", "access_token"] {
        refused(t.get(&format!("/auth/me?a=b&{name}={key}")).send().await);
        refused(by_key(&t, "GET", &format!("/auth/me?{name}=x"), &key).send().await);
    }
    // Another scheme is no credential of ours.
    by_key(&t, "GET", "/auth/me", &key).header("authorization", "Basic eDp5").send().await.expect(200);
}

#[tokio::test]
async fn scopes_bound_a_key_and_the_owners_rights_bound_the_scopes() {
    // S-061
    let t = TestGate::new().await;
    let alice = editor(&t, "alice").await;
    for beyond in ["users:read", "notes:delete", "tenants:write"] {
        make(&alice, json!({ "scopes": [beyond] })).await.refused(403, "insufficient_permissions");
    }
    for (scopes, code) in [
        (json!([]), "out_of_range"),
        (json!(["notes"]), "invalid_permission"),
        (json!(["notes:read", "notes:read"]), "duplicate"),
    ] {
        let refused = make(&alice, json!({ "scopes": scopes })).await.refused(422, "invalid_fields");
        assert_eq!(refused.body["errors"][0]["code"], code);
    }
    let reader = key_of(&alice, json!({ "scopes": ["notes:read", "sessions:read"] })).await;
    assert_eq!(me(&t, &reader).await.body["permissions"], json!(["notes:read", "sessions:read"]));
    by_key(&t, "GET", "/auth/sessions", &reader).send().await.expect(200);
    // A role that is taken away is gone from the key as well.
    t.set_roles(alice.id, &["user"]).await.unwrap();
    assert_eq!(me(&t, &reader).await.body["permissions"], json!(["sessions:read"]));
}

#[tokio::test]
async fn a_key_mints_nothing_wider_than_itself() {
    // S-059, S-061
    let t = TestGate::new().await;
    let alice = editor(&t, "alice").await;
    let wide = make(&alice, json!({ "name": "wide" })).await.expect(201);
    let minter = key_of(&alice, json!({ "scopes": ["api_keys:read", "api_keys:write", "notes:read"] })).await;
    let mint = |body: Value| by_key(&t, "POST", "/auth/api-keys", &minter).json(&body);
    let child = mint(json!({ "name": "child", "scopes": ["notes:read"] })).send().await.expect(201);
    for body in [
        json!({ "name": "x" }),
        json!({ "name": "x", "scopes": null }),
        json!({ "name": "x", "scopes": ["notes:write"] }),
        json!({ "name": "x", "scopes": ["notes:read", "password:write"] }),
    ] {
        mint(body).send().await.refused(403, "insufficient_permissions");
    }
    let path = |id: &str, verb: &str| format!("/auth/api-keys/{id}{verb}");
    let (wide, child) = (wide.str("id"), child.str("id"));
    let widen = json!({ "scopes": ["notes:read", "notes:write"] });
    by_key(&t, "PATCH", &path(&child, ""), &minter)
        .json(&widen)
        .send()
        .await
        .refused(403, "insufficient_permissions");
    by_key(&t, "PATCH", &path(&child, ""), &minter)
        .json(&json!({ "scopes": null }))
        .send()
        .await
        .refused(403, "insufficient_permissions");
    by_key(&t, "PATCH", &path(&wide, ""), &minter)
        .json(&json!({ "name": "mine" }))
        .send()
        .await
        .refused(403, "insufficient_permissions");
    by_key(&t, "POST", &path(&wide, "/rotate"), &minter)
        .send()
        .await
        .refused(403, "insufficient_permissions");
    by_key(&t, "POST", &path(&child, "/rotate"), &minter).send().await.expect(201);
    // Somebody else's key is not there; an owner in the body is no field.
    let bob = t.user("bob").signed_in().await;
    for (method, path) in
        [("PATCH", path(&wide, "")), ("DELETE", path(&wide, "")), ("POST", path(&wide, "/rotate"))]
    {
        let request = bob.request(method, &path);
        let request = if method == "PATCH" { request.json(&json!({ "name": "x" })) } else { request };
        request.send().await.refused(404, "not_found");
    }
    for field in ["owner", "owner_id", "user_id", "tenant_id", "id", "key"] {
        make(&bob, json!({ field: alice.id.to_string() })).await.refused(422, "invalid_fields");
    }
    assert_eq!(bob.get("/auth/api-keys").send().await.body["items"], json!([]));
}

#[tokio::test]
async fn networks_bind_a_key_to_the_true_address() {
    // S-066, S-112
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let key = key_of(&alice, json!({ "networks": ["10.0.0.0/8", "2001:db8::/32"] })).await;
    for (address, status) in
        [("10.1.2.3", 200), ("::ffff:10.1.2.3", 200), ("2001:db8::1", 200), ("11.0.0.1", 403)]
    {
        assert_eq!(
            by_key(&t, "GET", "/auth/me", &key).from(address).send().await.status,
            status,
            "{address}"
        );
    }
    let forged = by_key(&t, "GET", "/auth/me", &key).from("11.0.0.1").header("x-forwarded-for", "10.1.2.3");
    forged.send().await.refused(403, "invalid_api_key");
    for wrong in ["10.0.0.0/33", "10.0.0.256", "example.com", "", "10.0.0.0/8/8"] {
        make(&alice, json!({ "networks": [wrong] })).await.refused(422, "invalid_fields");
    }
}

#[tokio::test]
async fn a_rotated_key_ends_with_its_overlap() {
    // S-066
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let old = make(
        &alice,
        json!({ "networks": ["::/0", "0.0.0.0/0"], "quota": { "requests": 9, "period": "day" } }),
    )
    .await;
    let old = old.expect(201);
    let rotate = |id: &str, body: Option<Value>| {
        let request = alice.post(&format!("/auth/api-keys/{id}/rotate"));
        body.map_or_else(|| alice.post(&format!("/auth/api-keys/{id}/rotate")), |body| request.json(&body))
    };
    let new = rotate(&old.str("id"), Some(json!({ "overlap": 60 }))).send().await.expect(201);
    assert_ne!((new.str("id"), new.str("key")), (old.str("id"), old.str("key")));
    assert_eq!((&new.body["networks"], &new.body["quota"]), (&old.body["networks"], &old.body["quota"]));
    // A key has one successor.
    rotate(&old.str("id"), None).send().await.refused(404, "not_found");
    let works = async |key: &Reply| {
        by_key(&t, "GET", "/auth/me", &key.str("key")).from("10.0.0.1").send().await.status == 200
    };
    t.advance(Duration::from_millis(59_999));
    assert!(works(&old).await && works(&new).await);
    t.advance(Duration::from_millis(1));
    assert!(!works(&old).await && works(&new).await);
    // Without a word of it, a day.
    let third = rotate(&new.str("id"), None).send().await.expect(201);
    t.advance(Duration::from_secs(24 * 60 * 60) - Duration::from_millis(1));
    assert!(works(&new).await);
    t.advance(Duration::from_millis(1));
    assert!(!works(&new).await && works(&third).await);
    let reply = alice.log_in(PASSWORD).await.expect(200).str("access_token");
    let at_once = t.post(&format!("/auth/api-keys/{}/rotate", third.str("id"))).bearer(&reply);
    at_once.json(&json!({ "overlap": 0 })).send().await.expect(201);
    assert!(!works(&third).await);
    // An overlap outlives no expiry.
    let ends = wardgate::Timestamp::from_millis(t.now().as_millis() + 10_000).to_string();
    let ending = t.post("/auth/api-keys").bearer(&reply).json(&json!({ "name": "x", "expires_at": ends }));
    let ending = ending.send().await.expect(201);
    t.post(&format!("/auth/api-keys/{}/rotate", ending.str("id"))).bearer(&reply).send().await.expect(201);
    t.advance(Duration::from_secs(10));
    assert!(!works(&ending).await);
}

#[tokio::test]
async fn a_key_is_changed_and_faults_change_nothing() {
    let t = TestGate::new().await;
    let alice = editor(&t, "alice").await;
    let made = make(&alice, json!({ "scopes": ["notes:read"] })).await.expect(201);
    let path = format!("/auth/api-keys/{}", made.str("id"));
    let patch = |change: Value| alice.request("PATCH", &path).json(&change);
    let change = json!({
        "name": "other", "scopes": ["notes:write"], "networks": ["10.0.0.1"], "expires_at": "2030-01-01T00:00:00Z",
        "rate_limit": { "requests": 5, "seconds": 60 }, "quota": { "requests": 7, "period": "month" },
    });
    let changed = patch(change).send().await.expect(200);
    assert_eq!(changed.body["networks"], json!(["10.0.0.1/32"]));
    assert_eq!(changed.body["quota"], json!({ "requests": 7, "period": "month" }));
    for wrong in [
        json!({ "name": "" }),
        json!({ "expires_at": "2020-01-01T00:00:00Z" }),
        json!({ "rate_limit": { "requests": 0, "seconds": 1 } }),
        json!({ "rate_limit": { "requests": 1 } }),
        json!({ "quota": { "requests": 1, "period": "year" } }),
    ] {
        patch(wrong).send().await.refused(422, "invalid_fields");
    }
    patch(json!({ "scopes": ["users:read"] })).send().await.refused(403, "insufficient_permissions");
    assert_eq!(alice.get("/auth/api-keys").send().await.body["items"][0], changed.body);
    let open =
        json!({ "scopes": null, "networks": null, "expires_at": null, "rate_limit": null, "quota": null });
    let opened = patch(open).send().await.expect(200);
    for field in ["scopes", "expires_at", "rate_limit", "quota"] {
        assert_eq!(opened.body[field], Value::Null, "{field}");
    }
    me(&t, &made.str("key")).await.expect(200);
    alice.request("DELETE", &path).send().await.expect(204);
    patch(json!({ "name": "x" })).send().await.refused(404, "not_found");
    alice.request("DELETE", &path).send().await.refused(404, "not_found");
}

#[tokio::test]
async fn an_owner_has_a_hundred_live_keys_also_by_requests_at_once() {
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    for _ in 0..98 {
        make(&alice, json!({})).await.expect(201);
    }
    let (a, b, c, d) = tokio::join!(
        make(&alice, json!({})),
        make(&alice, json!({})),
        make(&alice, json!({})),
        make(&alice, json!({}))
    );
    let made = [&a, &b, &c, &d].iter().filter(|reply| reply.status == 201).count();
    assert_eq!(made, 2);
    make(&alice, json!({})).await.refused(409, "too_many_api_keys");
    let page = alice.get("/auth/api-keys?limit=60").send().await.expect(200);
    let next = format!("/auth/api-keys?limit=60&cursor={}", page.str("next_cursor"));
    assert_eq!(alice.get(&next).send().await.expect(200).body["items"].as_array().unwrap().len(), 40);
    let id = page.body["items"][0]["id"].as_str().unwrap();
    alice.request("DELETE", &format!("/auth/api-keys/{id}")).send().await.expect(204);
    make(&alice, json!({})).await.expect(201);
}

#[tokio::test]
async fn uses_are_written_down_after_the_request() {
    // S-066
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let key = key_of(&alice, json!({})).await;
    let seen = async || {
        let list = alice.get("/auth/api-keys").send().await.expect(200);
        let key = &list.body["items"][0];
        (key["last_used_at"].clone(), key["last_used_address"].clone())
    };
    assert_eq!(seen().await, (Value::Null, Value::Null));
    by_key(&t, "GET", "/auth/me", &key).from("10.0.0.7").send().await.expect(200);
    assert_eq!(seen().await, (Value::Null, Value::Null), "no request waits for it");
    t.gate.tend().await.unwrap();
    assert_eq!(seen().await, (json!(t.now().to_string()), json!("10.0.0.7")));
}

#[tokio::test]
async fn a_keys_rate_limit_and_quota_hold_also_for_requests_at_once() {
    // S-066, S-111
    let t = TestGate::with(|b| b.rate_limits(RateLimits::default())).await;
    let alice = t.user("alice").signed_in().await;
    let limited = key_of(&alice, json!({ "rate_limit": { "requests": 3, "seconds": 60 } })).await;
    let many: Vec<_> = (0..10).map(|_| me(&t, &limited)).collect();
    let passed =
        futures_util::future::join_all(many).await.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(passed, 3);
    let refused = me(&t, &limited).await.refused(429, "rate_limited");
    assert!(!refused.header("retry-after").is_empty());
    me(&t, &key_of(&alice, json!({})).await).await.expect(200);

    let quota = key_of(&alice, json!({ "quota": { "requests": 5, "period": "day" } })).await;
    let count = async |t: &TestGate, n: usize| {
        let many: Vec<_> = (0..n).map(|_| me(t, &quota)).collect();
        futures_util::future::join_all(many).await.iter().filter(|reply| reply.status == 200).count()
    };
    assert_eq!(count(&t, 2).await, 2);
    t.gate.tend().await.unwrap();
    // What was written down counts for another node, and after a restart.
    let beside = t.beside(|b| b).await;
    assert_eq!(count(&beside, 1).await, 1);
    beside.gate.tend().await.unwrap();
    assert_eq!(count(&t, 9).await, 2);
    let refused = me(&t, &quota).await.refused(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "86400");
    t.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(count(&t, 9).await, 5);
}

#[tokio::test]
async fn a_key_is_exchanged_for_a_short_token_that_dies_with_it() {
    let t = TestGate::new().await;
    let alice = editor(&t, "alice").await;
    let made = make(
        &alice,
        json!({ "scopes": ["notes:read", "sessions:read"], "expires_at": "2026-01-01T00:10:00Z" }),
    )
    .await
    .expect(201);
    let (key, id) = (made.str("key"), made.str("id"));
    let path = format!("/auth/api-keys/{id}/token");
    let exchange = |path: &str| by_key(&t, "POST", path, &key);
    let reply = exchange(&path).send().await.expect(200);
    assert_eq!(
        (&reply.body["expires_in"], &reply.body["scope"]),
        (&json!(600), &json!("notes:read sessions:read"))
    );
    assert_eq!(reply.body["refresh_token"], Value::Null);
    exchange("/auth/api-keys/key_00000000000070008000000000000000/token")
        .send()
        .await
        .refused(404, "not_found");
    let token = reply.str("access_token");
    let by_token = |method: &str, path: &str| t.request(method, path).bearer(&token);
    assert_eq!(
        by_token("GET", "/auth/me").send().await.body["permissions"],
        json!(["notes:read", "sessions:read"])
    );
    by_token("GET", "/auth/sessions").send().await.expect(200);
    by_token("DELETE", "/auth/sessions/ses_1").send().await.refused(403, "insufficient_scope");
    // It does not renew itself, and it is no sign-in.
    by_token("POST", &path).send().await.refused(401, "missing_api_key");
    by_token("POST", "/auth/logout").send().await.refused(401, "invalid_credential");
    by_token("DELETE", "/auth/session").send().await.refused(403, "insufficient_permissions");
    t.set_roles(alice.id, &["user"]).await.unwrap();
    assert_eq!(exchange(&path).send().await.expect(200).body["scope"], "sessions:read");
    alice.request("DELETE", &format!("/auth/api-keys/{id}")).send().await.expect(204);
    by_token("GET", "/auth/me").send().await.refused(401, "invalid_credential");
    exchange(&path).send().await.refused(403, "invalid_api_key");
    // A key without scopes says what it leaves; an empty scope is no absent one.
    let plain = make(&t.user("bob").signed_in().await, json!({})).await.expect(201);
    let path = format!("/auth/api-keys/{}/token", plain.str("id"));
    let reply = by_key(&t, "POST", &path, &plain.str("key")).send().await.expect(200);
    assert_eq!(reply.body["scope"], "profile:read profile:write");
}

#[tokio::test]
async fn a_service_account_acts_by_its_keys() {
    let t = TestGate::new().await;
    let boss = t.user("boss").role(BuiltinRole::Admin).signed_in().await;
    let ci = boss.post("/admin/service-accounts").json(&json!({ "name": "ci", "roles": ["user", "admin"] }));
    let ci = ci.send().await.expect(201);
    let account = format!("/admin/service-accounts/{}", ci.str("id"));
    let keys = format!("{account}/api-keys");
    let made = boss
        .post(&keys)
        .json(&json!({ "name": "k", "scopes": ["users:read", "api_keys:read"] }))
        .send()
        .await
        .expect(201);
    let key = made.str("key");
    let who = me(&t, &key).await.expect(200);
    assert_eq!(
        (&who.body["id"], &who.body["name"], &who.body["email"]),
        (&ci.body["id"], &json!("ci"), &Value::Null)
    );
    by_key(&t, "GET", "/admin/users", &key).send().await.expect(200);
    by_key(&t, "GET", "/admin/roles", &key).send().await.refused(403, "insufficient_scope");
    // What is for people is not for machines.
    by_key(&t, "GET", "/auth/sessions", &key).send().await.refused(403, "insufficient_scope");
    let verified = by_key(&t, "GET", "/auth/verify", &key).send().await.expect(200);
    assert_eq!(verified.header("x-auth-subject"), ci.str("id"));
    assert_eq!(
        (verified.header("x-auth-email"), verified.header("x-auth-scope")),
        ("", "api_keys:read users:read")
    );
    let listed = boss.get(&keys).send().await.expect(200);
    assert_eq!(listed.body["items"][0]["id"], made.body["id"]);
    assert_eq!(
        by_key(&t, "GET", "/auth/api-keys", &key).send().await.expect(200).body["items"],
        listed.body["items"]
    );
    let one = format!("{keys}/{}", made.str("id"));
    let rotated = boss.post(&format!("{one}/rotate")).json(&json!({ "overlap": 0 })).send().await.expect(201);
    me(&t, &key).await.refused(403, "invalid_api_key");
    let key = rotated.str("key");
    // Inactive, and active again.
    let switch = |on: bool| boss.request("PATCH", &account).json(&json!({ "is_active": on }));
    switch(false).send().await.expect(200);
    me(&t, &key).await.refused(403, "invalid_api_key");
    switch(true).send().await.expect(200);
    me(&t, &key).await.expect(200);
    // Another account's id, and nobody's, are the same 404 (S-102).
    let other =
        boss.post("/admin/service-accounts").json(&json!({ "name": "other" })).send().await.expect(201);
    let foreign = format!("/admin/service-accounts/{}/api-keys/{}", other.str("id"), rotated.str("id"));
    boss.request("DELETE", &foreign).send().await.refused(404, "not_found");
    boss.get("/admin/service-accounts/svc_00000000000070008000000000000000/api-keys")
        .send()
        .await
        .refused(404, "not_found");
    boss.request("DELETE", &format!("{keys}/{}", rotated.str("id"))).send().await.expect(204);
    me(&t, &key).await.refused(403, "invalid_api_key");
    let last = boss.post(&keys).json(&json!({ "name": "k" })).send().await.expect(201).str("key");
    me(&t, &last).await.expect(200);
    boss.request("DELETE", &account).send().await.expect(204);
    me(&t, &last).await.refused(403, "invalid_api_key");
}

#[tokio::test]
async fn a_revocation_holds_on_the_other_node_at_once() {
    // S-062
    let t = TestGate::new().await;
    let other = t.beside(|b| b).await;
    let alice = t.user("alice").signed_in().await;
    let made = make(&alice, json!({})).await.expect(201);
    me(&other, &made.str("key")).await.expect(200);
    alice.request("DELETE", &format!("/auth/api-keys/{}", made.str("id"))).send().await.expect(204);
    me(&other, &made.str("key")).await.refused(403, "invalid_api_key");
}

#[tokio::test]
async fn guessing_keys_is_limited_by_source() {
    // S-065, S-115
    let t = TestGate::with(|b| b.rate_limits(RateLimits::default())).await;
    let alice = t.user("alice").signed_in().await;
    let key = key_of(&alice, json!({})).await;
    let from = |address: &str, key: &str| by_key(&t, "GET", "/auth/me", key).from(address);
    let mut refused = 0;
    while from("192.0.2.1", "wgk_x").send().await.status == 403 {
        refused += 1;
        assert!(refused < 1000);
    }
    assert!(refused >= 100, "{refused}");
    from("192.0.2.1", &key).send().await.refused(429, "rate_limited");
    from("192.0.2.2", &key).send().await.expect(200);
}
