//! The generated access test: every route of the table, without and with a credential.

use std::collections::BTreeSet;

use serde_json::json;
use wardgate::{Access, BuiltinRole, Endpoint, Wardgate};

use crate::support::{PASSWORD, Reply, Request, TestGate};

/// Every route, with the weakest of those who may call it. A new route fails the test until it is entered here.
const ROUTES: &[(&str, Weakest)] = &[
    ("DELETE /admin/providers/{name}", Admin),
    ("DELETE /admin/roles/{name}", Admin),
    ("DELETE /admin/service-accounts/{id}", Admin),
    ("DELETE /admin/service-accounts/{id}/api-keys/{key}", Admin),
    ("DELETE /admin/tenants/{id}", Superadmin),
    ("DELETE /admin/users/{id}", Admin),
    ("DELETE /admin/users/{id}/limits", Admin),
    ("DELETE /admin/users/{id}/sessions", Admin),
    ("DELETE /auth/api-keys/{id}", User),
    ("DELETE /auth/identities/{id}", User),
    ("DELETE /auth/me", User),
    ("DELETE /auth/orgs/active", User),
    ("DELETE /auth/orgs/{id}", User),
    ("DELETE /auth/orgs/{id}/invitations/{invitation}", User),
    ("DELETE /auth/orgs/{id}/members/{user}", User),
    ("DELETE /auth/session", SignedIn),
    ("DELETE /auth/sessions/{id}", User),
    ("GET /.well-known/jwks.json", Anybody),
    ("GET /admin/audit", Admin),
    ("GET /admin/keys", Admin),
    ("GET /admin/providers", Admin),
    ("GET /admin/providers/{name}", Admin),
    ("GET /admin/roles", Admin),
    ("GET /admin/roles/{name}", Admin),
    ("GET /admin/service-accounts", Admin),
    ("GET /admin/service-accounts/{id}", Admin),
    ("GET /admin/service-accounts/{id}/api-keys", Admin),
    ("GET /admin/tenants", Superadmin),
    ("GET /admin/tenants/{id}", Superadmin),
    ("GET /admin/users", Admin),
    ("GET /admin/users/{id}", Admin),
    ("GET /auth/api-keys", User),
    ("GET /auth/callback/{provider}", Anybody),
    ("GET /auth/identities", User),
    ("GET /auth/login/{provider}", Anybody),
    ("GET /auth/me", SignedIn),
    ("GET /auth/me/export", User),
    ("GET /auth/orgs", User),
    ("GET /auth/orgs/{id}", User),
    ("GET /auth/orgs/{id}/invitations", User),
    ("GET /auth/orgs/{id}/members", User),
    ("GET /auth/providers", Anybody),
    ("GET /auth/session", SignedIn),
    ("GET /auth/sessions", User),
    ("GET /auth/verify", SignedIn),
    ("GET /healthz", Anybody),
    ("GET /readyz", Anybody),
    ("GET /setup", Anybody),
    ("GET /setup/setup.css", Anybody),
    ("GET /setup/setup.js", Anybody),
    ("PATCH /admin/providers/{name}", Admin),
    ("PATCH /admin/roles/{name}", Admin),
    ("PATCH /admin/service-accounts/{id}", Admin),
    ("PATCH /admin/tenants/{id}", Superadmin),
    ("PATCH /admin/users/{id}", Admin),
    ("PATCH /auth/api-keys/{id}", User),
    ("PATCH /auth/me", User),
    ("PATCH /auth/orgs/{id}", User),
    ("PATCH /auth/orgs/{id}/members/{user}", User),
    ("POST /admin/keys/rotate", Admin),
    ("POST /admin/keys/{kid}/retire", Admin),
    ("POST /admin/providers", Admin),
    ("POST /admin/roles", Admin),
    ("POST /admin/service-accounts", Admin),
    ("POST /admin/service-accounts/{id}/api-keys", Admin),
    ("POST /admin/service-accounts/{id}/api-keys/{key}/rotate", Admin),
    ("POST /admin/tenants", Superadmin),
    ("POST /admin/tenants/{id}/resume", Superadmin),
    ("POST /admin/tenants/{id}/suspend", Superadmin),
    ("POST /admin/users", Admin),
    ("POST /auth/api-keys", User),
    ("POST /auth/api-keys/{id}/rotate", User),
    ("POST /auth/api-keys/{id}/token", KeyHolder),
    ("POST /auth/callback/{provider}", Anybody),
    ("POST /auth/email", User),
    ("POST /auth/email/resend", Anybody),
    ("POST /auth/email/verify", Anybody),
    ("POST /auth/identities", User),
    ("POST /auth/invitations/accept", User),
    ("POST /auth/login", Anybody),
    ("POST /auth/logout", SignedIn),
    ("POST /auth/magic-link", Anybody),
    ("POST /auth/magic-link/redeem", Anybody),
    ("POST /auth/orgs", User),
    ("POST /auth/orgs/{id}/activate", User),
    ("POST /auth/orgs/{id}/invitations", User),
    ("POST /auth/orgs/{id}/leave", User),
    ("POST /auth/password", User),
    ("POST /auth/password/forgot", Anybody),
    ("POST /auth/password/reset", Anybody),
    ("POST /auth/refresh", Anybody),
    ("POST /auth/register", Anybody),
    ("POST /auth/session", Anybody),
    ("POST /auth/setup", Anybody),
    ("POST /auth/step-up", SignedIn),
];

/// Ordered: whoever is not weaker passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weakest {
    Anybody,
    /// With an account and no role at all.
    SignedIn,
    User,
    Admin,
    Superadmin,
    /// Nobody by a bearer token, of whatever role.
    KeyHolder,
}

use Weakest::{Admin, Anybody, KeyHolder, SignedIn, Superadmin, User};

/// The path with ids of nothing.
pub(crate) fn concrete(path: &str) -> String {
    let id = match path {
        path if path.starts_with("/admin/tenants") => "ten_00000000000070008000000000000009",
        path if path.starts_with("/admin/users") => "usr_00000000000070008000000000000000",
        path if path.starts_with("/auth/orgs") => "org_00000000000070008000000000000000",
        path if path.starts_with("/auth/api-keys") => "key_00000000000070008000000000000000",
        path if path.starts_with("/admin/service-accounts") => "svc_00000000000070008000000000000000",
        _ => "ses_00000000000070008000000000000000",
    };
    path.replace("{id}", id)
        .replace("{name}", "nothing")
        .replace("{kid}", "nothing")
        .replace("{provider}", "nothing")
        .replace("{user}", "usr_00000000000070008000000000000000")
        .replace("{invitation}", "inv_00000000000070008000000000000000")
        .replace("{key}", "key_00000000000070008000000000000000")
}

/// The request with a body where the route reads one; the body itself is refused as late as any.
fn request(t: &TestGate, endpoint: &Endpoint) -> Request {
    let request = t.request(endpoint.method.as_str(), &concrete(endpoint.path));
    let reads_nothing =
        endpoint.method == "GET" || endpoint.method == "DELETE" || endpoint.path == "/auth/logout";
    if reads_nothing { request } else { request.json(&json!({ "no_such_field": 1 })) }
}

fn says(reply: &Reply, codes: &[&str]) -> bool {
    reply.body["code"].as_str().is_some_and(|code| codes.contains(&code))
}

fn name(endpoint: &Endpoint) -> String {
    format!("{} {}", endpoint.method, endpoint.path)
}

#[tokio::test]
async fn every_route_admits_exactly_those_it_is_for() {
    // S-016, S-101
    let t = TestGate::new().await;
    let people = [
        (SignedIn, t.user("nobody").signed_in().await),
        (User, t.user("user").signed_in().await),
        (Admin, t.user("admin").role(BuiltinRole::Admin).signed_in().await),
        (Superadmin, t.user("root").role(BuiltinRole::Superadmin).signed_in().await),
    ];
    t.set_roles(people[0].1.id, &[]).await.unwrap();
    let mut routes: Vec<_> = Wardgate::endpoints();
    routes.sort_by_key(name);
    let listed: Vec<_> = ROUTES.iter().map(|(route, _)| (*route).to_owned()).collect();
    assert_eq!(routes.iter().map(name).collect::<Vec<_>>(), listed);
    for (endpoint, (route, weakest)) in routes.iter().zip(ROUTES) {
        let anonymous = request(&t, endpoint).send().await;
        assert_eq!(
            says(&anonymous, &["missing_credential", "missing_api_key"]),
            *weakest != Anybody,
            "{route}: {anonymous:?}"
        );
        let stale = request(&t, endpoint).bearer("stale").send().await;
        assert_eq!(stale.body["code"] == "invalid_credential", *weakest != Anybody, "{route}: {stale:?}");
        for (role, person) in &people {
            // A logout ends the session, so each has one of its own.
            let access = match *route {
                // These end the session, or the account.
                "POST /auth/logout" | "DELETE /auth/session" => {
                    person.log_in(PASSWORD).await.expect(200).str("access_token")
                }
                "DELETE /auth/me" => {
                    let roles = person.me().await.expect(200).body["roles"].clone();
                    let leaving = t.user(&format!("leaving-{role:?}")).signed_in().await;
                    let roles: Vec<&str> =
                        roles.as_array().unwrap().iter().filter_map(|r| r.as_str()).collect();
                    t.set_roles(leaving.id, &roles).await.unwrap();
                    leaving.access
                }
                _ => person.access.clone(),
            };
            let reply = request(&t, endpoint).bearer(&access).send().await;
            let refused = says(&reply, &["insufficient_permissions", "missing_api_key"]);
            assert_eq!(refused, role < weakest, "{route} as {role:?}: {reply:?}");
            assert!(
                refused || ![401, 403].contains(&reply.status.as_u16()),
                "{route} as {role:?}: {reply:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_asks_for_a_fresh_sign_in_gets_one() {
    let t = TestGate::new().await;
    let alice = t.user("alice").role(BuiltinRole::Superadmin).signed_in().await;
    let stepped_up =
        || Wardgate::endpoints().into_iter().filter(|e| matches!(e.access, Access::SteppedUp(_)));
    assert!(stepped_up().count() > 0);
    t.advance(std::time::Duration::from_secs(15 * 60 - 1));
    let refreshed = alice.present(&alice.refresh).await.expect(200);
    for endpoint in stepped_up() {
        let reply = request(&t, &endpoint).bearer(&alice.access).send().await;
        assert_ne!(reply.body["code"], "step_up_required", "{}", name(&endpoint));
    }
    t.advance(std::time::Duration::from_secs(1));
    // A refresh proves nothing: whoever holds the token has it.
    let access = refreshed.str("access_token");
    for endpoint in stepped_up() {
        request(&t, &endpoint).bearer(&access).send().await.refused(403, "step_up_required");
    }
    let step_up =
        |password: &str| t.post("/auth/step-up").bearer(&access).json(&json!({ "password": password }));
    step_up("wrong").send().await.refused(403, "wrong_password");
    for endpoint in stepped_up() {
        request(&t, &endpoint).bearer(&access).send().await.refused(403, "step_up_required");
    }
    step_up(PASSWORD).send().await.expect(204);
    for endpoint in stepped_up() {
        let reply = request(&t, &endpoint).bearer(&access).send().await;
        assert_ne!(reply.body["code"], "step_up_required", "{}", name(&endpoint));
    }
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
        let found = if endpoint.path.contains('{') { 404 } else { 200 };
        alice.request("HEAD", &concrete(endpoint.path)).send().await.expect(found);
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
