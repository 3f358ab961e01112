//! What wraps every answer: headers, limits, CORS, the documentation page, readiness.

use std::collections::BTreeSet;

use serde_json::json;
use wardgate::{CorsOrigins, Network, WebSettings};

use crate::support::{PASSWORD, TestGate};

fn web(settings: WebSettings) -> impl FnOnce(wardgate::Builder) -> wardgate::Builder {
    move |builder| builder.web(settings)
}

#[tokio::test]
async fn every_answer_carries_the_protective_headers() {
    // S-135
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    for reply in [
        alice.me().await,
        t.get("/auth/me").send().await,
        t.get("/nothing").send().await,
        t.get("/healthz").send().await,
    ] {
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "no-referrer");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
        assert!(reply.header("x-request-id").starts_with("req_"));
        assert_eq!(reply.header("server"), "");
    }
}

#[tokio::test]
async fn browsers_are_told_to_stay_on_tls_where_they_are_on_it() {
    // S-135
    const HSTS: &str = "max-age=31536000; includeSubDomains";
    let proxies = vec![Network::new("10.0.0.0".parse().unwrap(), 8)];
    let t = TestGate::with(web(WebSettings { trusted_proxies: proxies, ..WebSettings::default() })).await;
    for (peer, scheme, said) in [
        ("10.0.0.1", "https", HSTS),
        ("::ffff:10.0.0.1", "https", HSTS),
        ("10.0.0.1", "http", ""),
        ("10.0.0.1", "https, http", ""),
        ("203.0.113.1", "https", ""),
    ] {
        for path in ["/healthz", "/nothing"] {
            let reply = t.get(path).from(peer).header("x-forwarded-proto", scheme).send().await;
            assert_eq!(reply.header("strict-transport-security"), said, "{peer} {scheme}");
        }
    }
    let reply = t.get("/healthz").from("10.0.0.1").send().await;
    assert_eq!(reply.header("strict-transport-security"), "");
    let t = TestGate::with(web(WebSettings { tls: true, ..WebSettings::default() })).await;
    assert_eq!(t.get("/auth/me").send().await.header("strict-transport-security"), HSTS);
}

#[tokio::test]
async fn the_docs_page_is_there_when_it_is_switched_on_and_runs_no_inline_script() {
    let t = TestGate::with(web(WebSettings { docs: true, ..WebSettings::default() })).await;
    let page = t.get("/docs/").send().await.expect(200);
    assert!(page.header("content-security-policy").contains("script-src 'self';"));
    let inline =
        page.text.split("<script").skip(1).any(|tag| !tag.split('>').next().unwrap().contains("src="));
    assert!(!inline, "{}", page.text);
    let api = t.get("/openapi.json").send().await.expect(200);
    assert_eq!(api.body["openapi"], "3.1.0");
    assert_eq!(
        api.body["components"]["securitySchemes"]["password"]["flows"]["password"]["tokenUrl"],
        "/auth/login"
    );
    let (mut described, mut used) = (Vec::new(), BTreeSet::new());
    for (path, operations) in api.body["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            described.push(format!("{} {path}", method.to_uppercase()));
            used.insert(operation["tags"][0].as_str().unwrap());
        }
    }
    let mut groups: Vec<_> =
        api.body["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    groups.sort_unstable();
    assert_eq!(groups, Vec::from_iter(used), "the groups of routes, each with its place on the page");
    let mut routed: Vec<_> =
        wardgate::Wardgate::endpoints().iter().map(|e| format!("{} {}", e.method, e.path)).collect();
    described.sort();
    routed.sort();
    assert_eq!(described, routed);
}

#[tokio::test]
async fn only_listed_origins_may_read_answers() {
    // S-055
    let cors = CorsOrigins { exact: vec!["https://app.example.com".to_owned()], any_loopback: false };
    let t = TestGate::with(web(WebSettings { cors, ..WebSettings::default() })).await;
    let ask = async |origin: &str| {
        let reply = t.get("/auth/me").header("origin", origin).send().await;
        assert_eq!(reply.header("access-control-allow-credentials"), "");
        reply.header("access-control-allow-origin").to_owned()
    };
    assert_eq!(ask("https://app.example.com").await, "https://app.example.com");
    for other in [
        "null",
        "https://app.example.com.evil.org",
        "https://evil.org",
        "http://app.example.com",
        "https://app.example.co",
        "http://localhost:3000",
    ] {
        assert_eq!(ask(other).await, "", "{other}");
    }
    let preflight = t.request("OPTIONS", "/auth/me").header("origin", "https://app.example.com");
    let preflight = preflight.header("access-control-request-method", "PATCH").send().await.expect(200);
    assert!(preflight.header("access-control-allow-methods").contains("PATCH"));

    let cors = CorsOrigins { exact: vec![], any_loopback: true };
    let t = TestGate::with(web(WebSettings { cors, ..WebSettings::default() })).await;
    for (origin, passes) in [
        ("http://localhost:3000", true),
        ("http://127.0.0.1:5173", true),
        ("http://localhost.evil.org", false),
        ("null", false),
    ] {
        let reply = t.get("/healthz").header("origin", origin).send().await;
        assert_eq!(!reply.header("access-control-allow-origin").is_empty(), passes, "{origin}");
    }
}

#[tokio::test]
async fn a_development_server_answers_under_loopback_names_only() {
    let t = TestGate::with(web(WebSettings { loopback_hosts_only: true, ..WebSettings::default() })).await;
    t.get("/healthz").send().await.refused(421, "untrusted_host");
    let app = t.app.clone();
    let local = crate::support::Request::bare(&app, "GET", "/healthz").header("host", "localhost:8080");
    local.send().await.expect(200);
}

#[tokio::test]
async fn readiness_ends_when_the_gate_stops() {
    let t = TestGate::new().await;
    t.get("/healthz").send().await.expect(200);
    t.get("/readyz").send().await.expect(200);
    t.gate.begin_stop();
    t.get("/readyz").send().await.expect(503);
    let body = json!({ "email": "late@example.com", "password": PASSWORD });
    t.post("/auth/register").json(&body).send().await.expect(201);
    t.gate.close().await;
    // S-046, S-152: with the store gone nothing is granted and nothing claimed.
    let login = json!({ "email": "late@example.com", "password": PASSWORD });
    let refused = t.post("/auth/login").json(&login).send().await.refused(503, "unavailable");
    assert_eq!(refused.header("retry-after"), "5");
    t.post("/auth/logout").json(&json!({ "refresh_token": "wgr_x" })).send().await.expect(401);
    t.get("/healthz").send().await.expect(200);
    t.get("/readyz").send().await.expect(503);
}

async fn migrate_further(t: &TestGate, sql: &'static str) -> Result<(), wardgate_store::StoreError> {
    let next = wardgate_store::Migration { version: 9999, name: "next", sql };
    let all = [wardgate::MIGRATIONS, &[next]].concat();
    t.scratch().db().migrate(&all).await.map(drop)
}

#[tokio::test]
async fn a_node_serves_on_when_a_newer_program_has_migrated_but_does_not_start_then() {
    // S-154
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    migrate_further(&t, "ALTER TABLE users ADD COLUMN next TEXT").await.unwrap();
    t.get("/readyz").send().await.expect(200);
    alice.me().await.expect(200);
    let refused = t.try_beside(|builder| builder).await.err().unwrap();
    assert!(refused.to_string().contains("newer program"), "{refused}");
}

#[tokio::test]
async fn a_schema_that_lacks_something_is_not_ready() {
    let t = TestGate::new().await;
    // SQLite looks again after each step, and finds what is amiss at once.
    let _ = migrate_further(&t, "DELETE FROM schema_migrations WHERE version = 1").await;
    t.get("/readyz").send().await.expect(503);
}

#[tokio::test]
async fn a_revocation_that_cannot_be_stored_is_not_claimed() {
    // S-046
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    t.gate.close().await;
    let body = json!({ "refresh_token": alice.refresh });
    t.post("/auth/logout").json(&body).send().await.refused(503, "unavailable");
    alice.me().await.refused(503, "unavailable");
    alice.present(&alice.refresh).await.refused(503, "unavailable");
}
