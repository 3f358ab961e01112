//! The generated access test: every route of the table, without and with a credential.

use std::collections::BTreeSet;

use serde_json::json;
use wardgate::{Access, BuiltinRole, Wardgate};

use crate::support::TestGate;

/// What anybody may call. A new route is not in it, so it must refuse strangers or be added here on purpose.
const PUBLIC: &[&str] = &[
    "GET /.well-known/jwks.json",
    "GET /healthz",
    "GET /readyz",
    "GET /setup",
    "GET /setup/setup.css",
    "GET /setup/setup.js",
    "POST /auth/login",
    "POST /auth/refresh",
    "POST /auth/register",
    "POST /auth/setup",
];

fn concrete(path: &str) -> String {
    path.replace("{id}", "ses_00000000000070008000000000000000")
}

#[tokio::test]
async fn every_route_that_is_not_public_refuses_strangers() {
    // S-016
    let t = TestGate::new().await;
    let mut open = BTreeSet::new();
    for endpoint in Wardgate::endpoints() {
        let name = format!("{} {}", endpoint.method, endpoint.path);
        let path = concrete(endpoint.path);
        let body = json!({ "name": "x", "current_password": "x", "new_password": "x" });
        let request = t.request(endpoint.method.as_str(), &path);
        let request =
            if endpoint.method == "GET" || endpoint.method == "DELETE" || name == "POST /auth/logout" {
                request
            } else {
                request.json(&body)
            };
        let reply = request.send().await;
        if reply.body["code"] != "missing_credential" {
            open.insert(name.clone());
        }
        assert_eq!(open.contains(&name), endpoint.access == Access::Public, "{name}: {reply:?}");
        let stale = t.request(endpoint.method.as_str(), &path).bearer("stale").send().await;
        assert_eq!(
            stale.status == 401 && stale.body["code"] == "invalid_credential",
            endpoint.access != Access::Public,
            "{name}"
        );
    }
    assert_eq!(open.into_iter().collect::<Vec<_>>(), PUBLIC);
}

#[tokio::test]
async fn other_methods_are_405_and_say_which_are_allowed() {
    // S-134
    let t = TestGate::new().await;
    let paths: BTreeSet<_> = Wardgate::endpoints().into_iter().map(|endpoint| endpoint.path).collect();
    for path in paths {
        let mut allowed: Vec<String> = Wardgate::endpoints()
            .into_iter()
            .filter(|e| e.path == path)
            .map(|e| e.method.to_string())
            .collect();
        if allowed.contains(&"GET".to_owned()) {
            allowed.push("HEAD".to_owned());
        }
        allowed.sort_unstable();
        for method in ["PUT", "TRACE", "PROPFIND", "DELETE", "PATCH", "POST", "GET"] {
            if allowed.iter().any(|known| known == method) {
                continue;
            }
            let reply = t.request(method, &concrete(path)).send().await.refused(405, "method_not_allowed");
            assert_eq!(reply.header("allow"), allowed.join(", "), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn head_is_guarded_as_get_and_reading_changes_nothing() {
    // S-052, S-134
    let t = TestGate::new().await;
    let alice = t.user("alice").role(BuiltinRole::Superadmin).signed_in().await;
    let before = t.gate.audit().newest(200).await.unwrap().len();
    for endpoint in Wardgate::endpoints().into_iter().filter(|endpoint| endpoint.method == "GET") {
        let anonymous = t.request("HEAD", &concrete(endpoint.path)).send().await;
        assert_eq!(anonymous.status == 401, endpoint.access != Access::Public, "{}", endpoint.path);
        assert!(anonymous.text.is_empty());
        alice.request("HEAD", &concrete(endpoint.path)).send().await.expect(200);
        alice.request("OPTIONS", &concrete(endpoint.path)).send().await;
    }
    assert_eq!(t.gate.audit().newest(200).await.unwrap().len(), before);
}

#[tokio::test]
async fn unknown_paths_are_404() {
    let t = TestGate::new().await;
    for path in [
        "/",
        "/nothing",
        "/auth",
        "/auth/",
        "/auth/me/",
        "/auth//me",
        "/AUTH/ME",
        "/t/default/auth/me",
        "/auth/me/%2e%2e/me",
        "/docs",
        "/openapi.json",
    ] {
        t.get(path).send().await.refused(404, "not_found");
        t.post(path).send().await.refused(404, "not_found");
    }
}
