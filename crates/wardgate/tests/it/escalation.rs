//! What somebody with some rights could try in order to get more (S-061, S-066, S-105).

use std::time::Duration;

use http::Version;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use wardgate::{BuiltinRole, CurrentPrincipal, RateLimits, TenantId};

use crate::support::{PASSWORD, Persona, TestGate};

/// Somebody with a role of the tenant's own that allows `permissions`.
async fn holder<'t>(t: &'t TestGate, boss: &Persona<'t>, role: &str, permissions: Value) -> Persona<'t> {
    let new = json!({ "name": role, "permissions": permissions });
    boss.post("/admin/roles").json(&new).send().await.expect(201);
    let who = t.user(&format!("mallory-{role}")).signed_in().await;
    t.set_roles(who.id, &[role]).await.unwrap();
    who
}

/// The path of the keys of a new service account that is an admin.
async fn keys_of_an_admin(boss: &Persona<'_>) -> String {
    let new = json!({ "name": "root", "roles": ["admin"] });
    let account = boss.post("/admin/service-accounts").json(&new).send().await.expect(201);
    format!("/admin/service-accounts/{}/api-keys", account.str("id"))
}

#[tokio::test]
async fn nobody_touches_a_key_of_somebody_above_them() {
    let t = TestGate::new().await;
    let boss = t.user("boss").role(BuiltinRole::Admin).signed_in().await;
    let rights = json!(["service_accounts:read", "service_accounts:write"]);
    let mallory = holder(&t, &boss, "keeper", rights).await;
    let keys = keys_of_an_admin(&boss).await;
    let made = boss.post(&keys).json(&json!({ "name": "deploy", "scopes": ["users:read"] })).send().await;
    let key = format!("{keys}/{}", made.expect(201).str("id"));
    for (method, path) in [("POST", format!("{key}/rotate")), ("DELETE", key.clone())] {
        let refused = mallory.request(method, &path).send().await;
        refused.refused(403, "insufficient_permissions");
    }
    boss.post(&format!("{key}/rotate")).send().await.expect(201);
}

#[tokio::test]
async fn every_permission_of_an_admin_does_not_make_one() {
    let t = TestGate::new().await;
    let boss = t.user("boss").role(BuiltinRole::Admin).signed_in().await;
    let all = json!(BuiltinRole::Admin.permissions());
    let mallory = holder(&t, &boss, "helpdesk", all).await;
    let keys = keys_of_an_admin(&boss).await;
    // An admin is over all that the application brings along, which no list of permissions says.
    let minted = mallory.post(&keys).json(&json!({ "name": "x", "scopes": ["billing:refund"] })).send().await;
    minted.refused(403, "insufficient_permissions");
    let admin = format!("/admin/users/{}", boss.id);
    mallory.request("DELETE", &admin).send().await.refused(403, "insufficient_permissions");
    let crowned = mallory.request("PATCH", &format!("/admin/users/{}", mallory.id));
    let crowned = crowned.json(&json!({ "roles": ["admin"] })).send().await;
    crowned.refused(403, "insufficient_permissions");
}

#[tokio::test]
async fn an_admin_with_every_permission_over_tenants_is_no_superadmin() {
    let t = TestGate::new().await;
    let s = t.user("s").role(BuiltinRole::Superadmin).signed_in().await;
    let mallory = holder(&t, &s, "landlord", json!(["tenants:read", "tenants:write"])).await;
    t.set_roles(mallory.id, &["admin", "landlord"]).await.unwrap();
    let path = format!("/admin/users/{}", mallory.id);
    let crowned = mallory.request("PATCH", &path).json(&json!({ "roles": ["superadmin"] })).send().await;
    crowned.refused(403, "insufficient_permissions");
    let dethroned = mallory.request("DELETE", &format!("/admin/users/{}", s.id)).send().await;
    dethroned.refused(403, "insufficient_permissions");
}

#[tokio::test]
async fn a_token_for_a_key_stays_inside_the_keys_networks_and_limits() {
    let t = TestGate::with(|builder| builder.rate_limits(RateLimits::default())).await;
    let ada = t.user("ada").signed_in().await;
    let bounds = json!({
        "name": "ci", "networks": ["10.0.0.0/8"], "quota": { "requests": 3, "period": "day" },
    });
    let key = ada.post("/auth/api-keys").json(&bounds).send().await.expect(201);
    let exchange = t.post(&format!("/auth/api-keys/{}/token", key.str("id")));
    let exchanged = exchange.header("x-api-key", key.str("key")).from("10.0.0.1").send().await;
    let token = exchanged.expect(200).str("access_token");
    let verify = async |from: &str| t.get("/auth/verify").bearer(&token).from(from).send().await;
    verify("203.0.113.9").await.refused(401, "invalid_credential");
    verify("10.0.0.2").await.expect(200);
    verify("10.0.0.2").await.expect(200);
    verify("10.0.0.2").await.refused(429, "rate_limited");
}

#[tokio::test]
async fn the_scope_of_an_admins_narrow_key_is_told_and_never_empty() {
    let t = TestGate::new().await;
    let boss = t.user("boss").role(BuiltinRole::Admin).signed_in().await;
    let new = json!({ "name": "billing", "scopes": ["billing:read"] });
    let key = boss.post("/auth/api-keys").json(&new).send().await.expect(201);
    let verify = async || t.get("/auth/verify").header("x-api-key", key.str("key")).send().await;
    let exchange = async || {
        let path = format!("/auth/api-keys/{}/token", key.str("id"));
        t.post(&path).header("x-api-key", key.str("key")).send().await
    };
    assert_eq!(verify().await.expect(200).header("x-auth-scope"), "billing:read");
    assert_eq!(exchange().await.expect(200).str("scope"), "billing:read");
    // With the role gone nothing is left, which must not look like no limit at all behind a proxy that drops empty
    // headers, or in a token.
    t.set_roles(boss.id, &["user"]).await.unwrap();
    assert_eq!(verify().await.expect(200).header("x-auth-scope"), "-");
    exchange().await.refused(403, "insufficient_permissions");
}

#[tokio::test]
async fn a_bounded_key_leaves_no_key_with_wider_bounds() {
    let t = TestGate::new().await;
    let ada = t.user("ada").signed_in().await;
    let scopes = json!(["api_keys:read", "api_keys:write", "profile:read"]);
    let make = async |bounds: Value| {
        let mut new = json!({ "name": "k", "scopes": scopes });
        new.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
        ada.post("/auth/api-keys").json(&new).send().await.expect(201)
    };
    let other = make(json!({})).await;
    for (bounds, lifted) in [
        (json!({ "networks": ["10.0.0.0/8"] }), json!({ "networks": null })),
        (json!({ "quota": { "requests": 50, "period": "day" } }), json!({ "quota": null })),
        (json!({ "rate_limit": { "requests": 50, "seconds": 1 } }), json!({ "rate_limit": null })),
        (json!({ "expires_at": "2026-03-01T00:00:00.000Z" }), json!({ "expires_at": null })),
    ] {
        let key = make(bounds.clone()).await;
        let text = key.str("key");
        let with_key =
            |method: &str, path: &str| t.request(method, path).header("x-api-key", &text).from("10.0.0.1");
        let own = format!("/auth/api-keys/{}", key.str("id"));
        let changed = with_key("PATCH", &own).json(&lifted).send().await;
        changed.refused(403, "insufficient_permissions");
        let child = json!({ "name": "child", "scopes": ["profile:read"] });
        let child = with_key("POST", "/auth/api-keys").json(&child).send().await;
        child.refused(403, "insufficient_permissions");
        let taken = format!("/auth/api-keys/{}/rotate", other.str("id"));
        with_key("POST", &taken).send().await.refused(403, "insufficient_permissions");
        // Itself it may rotate: its successor has the same bounds.
        let fresh = with_key("POST", &format!("{own}/rotate")).send().await.expect(201).body;
        let (name, bound) = bounds.as_object().unwrap().iter().next().unwrap();
        assert_eq!(fresh[name], *bound);
    }
    // One that only ends brings about what ends no later.
    let ending = make(json!({ "expires_at": "2026-03-01T00:00:00.000Z" })).await;
    let child = json!({ "name": "c", "scopes": ["profile:read"], "expires_at": "2026-02-01T00:00:00Z" });
    let made = t.post("/auth/api-keys").header("x-api-key", ending.str("key")).json(&child).send().await;
    made.expect(201);
}

#[tokio::test]
async fn the_end_of_a_replaced_key_stands() {
    let t = TestGate::new().await;
    let ada = t.user("ada").signed_in().await;
    let key = ada.post("/auth/api-keys").json(&json!({ "name": "k" })).send().await.expect(201);
    let path = format!("/auth/api-keys/{}", key.str("id"));
    ada.post(&format!("{path}/rotate")).json(&json!({ "overlap": 60 })).send().await.expect(201);
    for later in [Value::Null, json!("2026-06-01T00:00:00Z")] {
        let change = json!({ "expires_at": later });
        ada.request("PATCH", &path).json(&change).send().await.refused(422, "invalid_fields");
    }
    ada.request("PATCH", &path).json(&json!({ "name": "old" })).send().await.expect(200);
    t.advance(Duration::from_secs(60));
    t.get("/auth/me").header("x-api-key", key.str("key")).send().await.refused(403, "invalid_api_key");
}

#[tokio::test]
async fn a_quota_over_another_period_is_counted_from_its_first_request() {
    let t = TestGate::new().await;
    t.advance(Duration::from_secs(5 * 24 * 60 * 60));
    let ada = t.user("ada").signed_in().await;
    let quota = |requests: u32, period: &str| json!({ "requests": requests, "period": period });
    let new = json!({ "name": "k", "quota": quota(1000, "day") });
    let key = ada.post("/auth/api-keys").json(&new).send().await.expect(201);
    let text = key.str("key");
    let used = async || t.get("/auth/me").header("x-api-key", &text).send().await;
    used().await.expect(200);
    t.gate.tend().await.unwrap();
    let path = format!("/auth/api-keys/{}", key.str("id"));
    // Counted for the day, and not written yet when the day no longer counts.
    used().await.expect(200);
    let change = json!({ "quota": quota(3, "month") });
    ada.request("PATCH", &path).json(&change).send().await.expect(200);
    t.gate.tend().await.unwrap();
    for _ in 0..3 {
        used().await.expect(200);
        t.gate.tend().await.unwrap();
    }
    used().await.refused(429, "rate_limited");
}

#[tokio::test]
async fn whether_there_is_a_tenant_is_not_told_by_any_path_below_it() {
    let t = TestGate::new().await;
    let s = t.user("s").role(BuiltinRole::Superadmin).signed_in().await;
    let new = json!({ "slug": "acme", "name": "Acme" });
    let acme = s.post("/admin/tenants").json(&new).send().await.expect(201).str("id");
    let ada = t.user("ada").signed_in().await;
    let invented = "ten_00000000000070008000000000000009";
    for rest in ["bogus", "users", "users/usr_1/bogus", "tenants", "roles"] {
        let ask = |id: &str| format!("/admin/tenants/{id}/{rest}");
        let (real, unreal) = (t.get(&ask(&acme)).send().await, t.get(&ask(invented)).send().await);
        assert_eq!((real.status, &real.body["code"]), (unreal.status, &unreal.body["code"]), "{rest}");
        let (real, unreal) = (ada.get(&ask(&acme)).send().await, ada.get(&ask(invented)).send().await);
        assert_eq!((real.status, &real.body["code"]), (unreal.status, &unreal.body["code"]), "{rest}");
    }
    s.get(&format!("/admin/tenants/{acme}/users")).send().await.expect(200);
    s.get(&format!("/admin/tenants/{invented}/users")).send().await.refused(404, "not_found");
}

#[tokio::test]
async fn a_cookie_is_worth_no_more_once_its_role_allows_more() {
    // S-049
    let t = TestGate::new().await;
    let boss = t.user("boss").role(BuiltinRole::Admin).signed_in().await;
    let holder = holder(&t, &boss, "ops", json!(["notes:read", "notes:write"])).await;
    let cookie = async || {
        let proof = json!({ "email": holder.email, "password": PASSWORD });
        let reply = t.post("/auth/session").json(&proof).send().await.expect(200);
        reply.header("set-cookie").split(';').next().unwrap().to_owned()
    };
    let allow = async |permissions: Value| {
        let change = json!({ "permissions": permissions });
        boss.request("PATCH", "/admin/roles/ops").json(&change).send().await.expect(200);
    };
    let planted = cookie().await;
    allow(json!(["notes:read"])).await;
    t.get("/auth/me").header("cookie", &planted).send().await.expect(200);
    allow(json!(["notes:read", "users:read"])).await;
    t.get("/auth/me").header("cookie", &planted).send().await.refused(401, "invalid_credential");
    t.get("/auth/me").header("cookie", &cookie().await).send().await.expect(200);
}

#[tokio::test]
async fn a_stale_sign_in_hands_out_no_rights() {
    let t = TestGate::new().await;
    let s = t.user("s").role(BuiltinRole::Superadmin).signed_in().await;
    let ada = t.user("ada").signed_in().await;
    let account = s.post("/admin/service-accounts").json(&json!({ "name": "a" })).send().await.expect(201);
    t.advance(Duration::from_secs(15 * 60));
    let refreshed = t.post("/auth/refresh").json(&json!({ "refresh_token": s.refresh })).send().await;
    let stale = refreshed.expect(200).str("access_token");
    for (method, path, body) in [
        ("POST", "/admin/users".to_owned(), json!({ "email": "eve@example.com", "roles": ["admin"] })),
        ("PATCH", format!("/admin/users/{}", ada.id), json!({ "roles": ["superadmin"] })),
        ("POST", "/admin/roles".to_owned(), json!({ "name": "x", "permissions": ["users:write"] })),
        ("POST", "/admin/service-accounts".to_owned(), json!({ "name": "b", "roles": ["admin"] })),
        ("PATCH", format!("/admin/service-accounts/{}", account.str("id")), json!({ "roles": ["admin"] })),
    ] {
        let refused = t.request(method, &path).bearer(&stale).json(&body).send().await;
        refused.refused(403, "step_up_required");
    }
}

#[tokio::test]
async fn the_last_superadmin_who_can_sign_in_stays() {
    let t = TestGate::new().await;
    let s = t.user("s").role(BuiltinRole::Superadmin).signed_in().await;
    let invited = json!({ "email": "ghost@example.com", "roles": ["superadmin"] });
    s.post("/admin/users").json(&invited).send().await.expect(201);
    s.request("DELETE", "/auth/me").send().await.refused(409, "last_superadmin");
    t.user("second").role(BuiltinRole::Superadmin).signed_in().await;
    s.request("DELETE", "/auth/me").send().await.expect(204);
}

#[tokio::test]
async fn a_service_account_takes_its_keys_along() {
    let t = TestGate::new().await;
    let boss = t.user("boss").role(BuiltinRole::Admin).signed_in().await;
    let account = boss.post("/admin/service-accounts").json(&json!({ "name": "x" })).send().await.expect(201);
    let path = format!("/admin/service-accounts/{}", account.str("id"));
    let keys = format!("{path}/api-keys");
    let key = boss.post(&keys).json(&json!({ "name": "k" })).send().await.expect(201).str("id");
    boss.request("DELETE", &path).send().await.expect(204);
    assert!(t.gate.api_keys().get(TenantId::DEFAULT, key.parse().unwrap()).await.is_err());
}

#[tokio::test]
async fn http_2_names_its_host_in_the_address_alone() {
    // S-103, RFC 9113 §8.3.1
    let t = TestGate::new().await;
    let s = t.user("s").role(BuiltinRole::Superadmin).signed_in().await;
    let new = json!({ "slug": "acme", "name": "Acme" });
    let acme = s.post("/admin/tenants").json(&new).send().await.expect(201).str("id");
    let hosts = json!({ "hosts": ["acme.example.org"] });
    s.request("PATCH", &format!("/admin/tenants/{acme}")).json(&hosts).send().await.expect(200);
    let mine = axum::routing::get(async |current: CurrentPrincipal| current.principal().tenant.to_string());
    let app = axum::Router::new().route("/mine", mine).with_state(t.gate.clone());
    for (address, status) in [("https://acme.example.org/mine", 401), ("https://localhost/mine", 200)] {
        let request = http::Request::builder().uri(address).version(Version::HTTP_2);
        let request = request.header("authorization", format!("Bearer {}", s.access));
        let reply = app.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        assert_eq!(reply.status(), status, "{address}");
    }
    // Also where a page's own origin is compared with it.
    let person = json!({ "email": "a@example.com", "password": PASSWORD });
    t.post("/t/acme/auth/register").json(&person).send().await.expect(201);
    for (origin, status) in [("https://acme.example.org", 200), ("https://evil.example.org", 403)] {
        let request = http::Request::builder().method("POST").uri("https://acme.example.org/auth/session");
        let request = request
            .version(Version::HTTP_2)
            .header("origin", origin)
            .header("content-type", "application/json");
        let reply =
            t.app.clone().oneshot(request.body(axum::body::Body::from(person.to_string())).unwrap()).await;
        assert_eq!(reply.unwrap().status(), status, "{origin}");
    }
}
