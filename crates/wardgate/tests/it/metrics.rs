//! What is counted for whoever watches.

use serde_json::json;
use wardgate::{BuiltinRole, RateLimits};

use crate::support::{PASSWORD, TestGate};

/// The value of a series; 0 where there is none.
fn value(t: &TestGate, series: &str) -> f64 {
    let text = text(t);
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

fn text(t: &TestGate) -> String {
    let mut text = String::new();
    t.gate.write_metrics(&mut text).unwrap();
    text
}

#[tokio::test]
async fn requests_are_counted_by_route_wherever_it_is_reached() {
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    let acme = json!({ "slug": "acme", "name": "acme" });
    root.post("/admin/tenants").json(&acme).send().await.expect(201);
    for path in ["/auth/me", "/t/acme/auth/me"] {
        t.get(path).send().await.expect(401);
    }
    alice.get("/auth/me").send().await.expect(200);
    for path in ["/nothing", "/t/acme/nothing", "/t/none/auth/me", "/admin/users/usr_x/what"] {
        t.get(path).send().await.expect(404);
    }
    let requests = |method: &str, route: &str, status: &str| {
        let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
        value(&t, &format!("wardgate_http_requests_total{{{labels}}}"))
    };
    assert_eq!((requests("GET", "/auth/me", "4xx"), requests("GET", "/auth/me", "2xx")), (2.0, 1.0));
    assert_eq!(requests("GET", "other", "4xx"), 4.0);
    assert_eq!(value(&t, "wardgate_http_request_seconds_count{method=\"GET\",route=\"/auth/me\"}"), 3.0);
    let text = text(&t);
    for secret in ["acme", "nothing", "usr_", "alice"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn sign_ins_limits_hashes_and_the_store_are_counted() {
    let t = TestGate::with(|builder| {
        let mut limits = RateLimits::default();
        limits.sign_in_account = 3;
        builder.rate_limits(limits)
    })
    .await;
    let alice = t.user("alice").registered().await;
    let sign_in = async |password: &str, status: u16| {
        let body = json!({ "email": alice.email, "password": password });
        t.post("/auth/login").from("203.0.113.9").json(&body).send().await.expect(status);
    };
    sign_in(PASSWORD, 200).await;
    sign_in("wrong password", 401).await;
    sign_in("wrong password", 401).await;
    sign_in(PASSWORD, 429).await;
    let outcome = |outcome: &str| {
        value(&t, &format!("wardgate_sign_ins_total{{by=\"password\",outcome=\"{outcome}\"}}"))
    };
    assert_eq!((outcome("success"), outcome("refused"), outcome("limited")), (1.0, 2.0, 1.0));
    assert_eq!(value(&t, "wardgate_limits_refused_total{limit=\"sign_in_account\"}"), 1.0);
    assert!(value(&t, "wardgate_hash_wait_seconds_count") >= 3.0);
    assert_eq!(value(&t, "wardgate_hashes_waiting"), 0.0);
    let (writes, commits) =
        (value(&t, "wardgate_store_writes_total"), value(&t, "wardgate_store_commits_total"));
    assert!(writes >= commits && commits >= 1.0, "{writes} {commits}");
    assert_eq!((value(&t, "wardgate_store_waiting"), value(&t, "wardgate_store_failures_total")), (0.0, 0.0));
    let before = writes;
    sign_in("wrong password", 429).await;
    t.user("bob").registered().await;
    assert!(value(&t, "wardgate_store_writes_total") > before);
}

#[cfg(feature = "pages")]
#[tokio::test]
async fn pages_are_routes_as_well() {
    let t = TestGate::with(|builder| builder.pages(wardgate::Branding::default())).await;
    t.get("/sign-in").send().await.expect(200);
    let series = "wardgate_http_requests_total{method=\"GET\",route=\"/sign-in\",status=\"2xx\"}";
    assert_eq!(value(&t, series), 1.0);
}
