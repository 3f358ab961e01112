//! What a stranger could send to each route: a clear 4xx, nothing changed, never a 5xx.

use serde_json::{Value, json};
use wardgate::{Access, BuiltinRole, Endpoint, Wardgate};

use crate::endpoints::concrete;
use crate::support::{PASSWORD, Persona, Reply, TestGate};

/// Routes that read a body, with one that they would take.
fn bodies(alice: &Persona<'_>) -> Vec<(&'static str, &'static str, Value)> {
    let key = json!({
        "name": "ci", "scopes": ["notes:read"], "expires_at": "2030-01-01T00:00:00Z", "networks": ["10.0.0.0/8"],
        "rate_limit": { "requests": 1, "seconds": 1 }, "quota": { "requests": 1, "period": "day" },
    });
    vec![
        (
            "POST",
            "/auth/register",
            json!({ "email": "new@example.com", "password": PASSWORD, "name": "New" }),
        ),
        ("POST", "/auth/login", json!({ "email": alice.email, "password": PASSWORD })),
        ("POST", "/auth/refresh", json!({ "refresh_token": alice.refresh })),
        ("POST", "/auth/logout", json!({ "refresh_token": alice.refresh })),
        (
            "POST",
            "/auth/password",
            json!({ "current_password": PASSWORD, "new_password": "an entirely new sentence" }),
        ),
        ("PATCH", "/auth/me", json!({ "name": "New" })),
        (
            "POST",
            "/auth/setup",
            json!({ "token": "wgs_x", "email": "root@example.com", "password": PASSWORD }),
        ),
        ("POST", "/auth/session", json!({ "email": alice.email, "password": PASSWORD })),
        ("POST", "/auth/api-keys", key.clone()),
        ("PATCH", "/auth/api-keys/{id}", key.clone()),
        ("POST", "/auth/api-keys/{id}/rotate", json!({ "overlap": 60 })),
        ("POST", "/admin/service-accounts/{id}/api-keys", key),
        ("POST", "/admin/service-accounts/{id}/api-keys/{key}/rotate", json!({ "overlap": 60 })),
        ("POST", "/auth/email", json!({ "email": "new@example.com" })),
        ("POST", "/auth/email/resend", json!({ "email": alice.email })),
        ("POST", "/auth/email/verify", json!({ "token": "wgm_x" })),
        ("POST", "/auth/magic-link", json!({ "email": alice.email })),
        ("POST", "/auth/magic-link/redeem", json!({ "token": "wgm_x" })),
        ("POST", "/auth/password/forgot", json!({ "email": alice.email })),
        (
            "POST",
            "/auth/password/reset",
            json!({ "token": "wgm_x", "new_password": "an entirely new sentence" }),
        ),
        ("POST", "/admin/tenants", json!({ "slug": "acme", "name": "Acme" })),
        (
            "PATCH",
            "/admin/tenants/{id}",
            json!({ "name": "Acme", "logo_url": "https://a.com/l.png", "accent_color": "#1d5fd1", "registration": "open", "min_password_length": 12, "rate_limits": { "register": 5 }, "mail_urls": { "reset_url": "https://a.com/reset" }, "hosts": ["a.com"] }),
        ),
        ("POST", "/auth/orgs", json!({ "slug": "acme", "name": "Acme" })),
        ("PATCH", "/auth/orgs/{id}", json!({ "name": "Acme" })),
        ("PATCH", "/auth/orgs/{id}/members/{user}", json!({ "role": "member" })),
        ("POST", "/auth/orgs/{id}/invitations", json!({ "email": "x@example.com", "role": "member" })),
        ("POST", "/auth/invitations/accept", json!({ "token": "wgi_x" })),
        ("POST", "/auth/step-up", json!({ "password": PASSWORD })),
        ("POST", "/auth/identities", json!({ "provider": "google", "next": "/account" })),
        (
            "POST",
            "/admin/providers",
            json!({
                "name": "google", "label": "Google", "preset": "google", "issuer": "https://accounts.google.com",
                "client_id": "client", "client_secret": "secret", "team_id": "T", "key_id": "K", "scopes": ["openid"],
                "links_verified_email": false,
            }),
        ),
        (
            "PATCH",
            "/admin/providers/{name}",
            json!({
                "label": "Google", "issuer": "https://accounts.google.com", "client_id": "client",
                "client_secret": "secret", "team_id": "T", "key_id": "K", "scopes": ["openid"],
                "links_verified_email": false, "is_active": true,
            }),
        ),
        ("POST", "/admin/users", json!({ "email": "new@example.com", "name": "New", "roles": ["user"] })),
        ("PATCH", "/admin/users/{id}", json!({ "name": "New", "is_active": false, "roles": ["user"] })),
        (
            "POST",
            "/admin/roles",
            json!({ "name": "editor", "description": "Edits", "permissions": ["notes:write"] }),
        ),
        ("PATCH", "/admin/roles/{name}", json!({ "description": "Edits", "permissions": ["notes:write"] })),
        ("POST", "/admin/service-accounts", json!({ "name": "ci", "roles": ["user"] })),
        (
            "PATCH",
            "/admin/service-accounts/{id}",
            json!({ "name": "ci", "is_active": false, "roles": ["user"] }),
        ),
    ]
}

fn is_optional(method: &str, path: &str, field: &str) -> bool {
    (method == "PATCH" && !path.starts_with("/auth/orgs"))
        || path.ends_with("/rotate")
        || (path.ends_with("/api-keys") && field != "name")
        || match path {
            "/auth/register" => field == "name",
            "/auth/logout" => true,
            "/admin/users" => field != "email",
            "/auth/identities" => field == "next",
            "/admin/providers" => !["name", "preset", "client_id"].contains(&field),
            "/admin/roles" | "/admin/service-accounts" => field != "name",
            _ => false,
        }
}

/// What is no fault of a field although most fields refuse it.
fn is_taken(method: &str, path: &str, field: &str, value: &Value) -> bool {
    match (field, value) {
        ("is_active" | "links_verified_email", Value::Bool(_))
        | ("description", Value::Null)
        | ("roles", Value::Array(_)) => true,
        ("expires_at" | "networks" | "rate_limit" | "quota" | "scopes", Value::Null) => true,
        ("issuer" | "client_secret" | "team_id" | "key_id", Value::Null) => method == "PATCH",
        // Only a key that is there is held to what it may name.
        ("networks" | "scopes", Value::Array(_)) => method == "PATCH" || path == "/admin/providers",
        ("overlap", Value::Number(seconds)) => seconds.as_i64() == Some(5),
        (
            "logo_url"
            | "accent_color"
            | "registration"
            | "min_password_length"
            | "rate_limits"
            | "mail_urls",
            Value::Null,
        ) => true,
        ("name", Value::Null) => method == "PATCH" && ["/auth/me", "/admin/users/{id}"].contains(&path),
        _ => false,
    }
}

async fn snapshot(t: &TestGate) -> String {
    let (users, _) = t
        .gate
        .accounts()
        .list(wardgate::TenantId::DEFAULT, wardgate::UserFilter::default(), wardgate::PageRequest::FIRST)
        .await
        .unwrap();
    let records = t.gate.audit().newest(200).await.unwrap().len();
    format!("{users:?} {records}")
}

#[tokio::test]
async fn the_table_has_every_route_that_reads_a_body() {
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let mut writing: Vec<(String, &str)> = Wardgate::endpoints()
        .into_iter()
        .filter(|Endpoint { method, .. }| *method == "POST" || *method == "PATCH")
        .filter(|Endpoint { access, .. }| *access != Access::ApiKeyHolder)
        .filter(|Endpoint { path, .. }| {
            !path.ends_with("/suspend")
                && !path.ends_with("/resume")
                && !path.starts_with("/admin/keys")
                && !path.ends_with("/leave")
                && !path.ends_with("/activate")
                // It reads what others write, so what it does not know is no fault.
                && !path.starts_with("/auth/callback")
        })
        .map(|endpoint| (endpoint.method.to_string(), endpoint.path))
        .collect();
    let mut listed: Vec<(String, &str)> =
        bodies(&alice).into_iter().map(|(method, path, _)| (method.to_owned(), path)).collect();
    writing.sort();
    listed.sort();
    assert_eq!(writing, listed);
}

#[tokio::test]
async fn every_malformed_body_has_its_4xx_and_changes_nothing() {
    // S-015, S-145, S-146
    let t = TestGate::new().await;
    let alice = t.user("alice").role(BuiltinRole::Superadmin).signed_in().await;
    let before = snapshot(&t).await;
    for (method, path, good) in bodies(&alice) {
        let send = async |content_type: &str, body: Vec<u8>| -> Reply {
            t.request(method, &concrete(path)).bearer(&alice.access).body(content_type, body).send().await
        };
        let json_of = |value: &Value| value.to_string().into_bytes();
        for broken in ["{", "[]", "null", "5", "\"x\"", "{\"a\":}", "{} {}", "\u{feff}{}"] {
            let reply = send("application/json", broken.into()).await;
            assert_eq!(reply.status, 400, "{method} {path} {broken}: {reply:?}");
            assert_eq!(reply.body["code"], "malformed_body");
        }
        let deep = format!("{{\"email\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
        assert_eq!(
            send("application/json", deep.into_bytes()).await.body["code"],
            "malformed_body",
            "{path}"
        );
        assert_eq!(
            send("application/json", b"{\"email\":\"\xff\"}".to_vec()).await.body["code"],
            "malformed_body"
        );
        let long = json!({ "email": "x".repeat(65 * 1024) });
        send("application/json", json_of(&long)).await.refused(413, "body_too_large");
        for media in
            ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonp", "", "x"]
        {
            let reply = send(media, json_of(&good)).await;
            assert_eq!(
                (reply.status.as_u16(), reply.body["code"].as_str()),
                (415, Some("unsupported_media_type")),
                "{path} {media:?}"
            );
        }
        let mut unknown = good.clone();
        unknown["surprise"] = json!(1);
        send("application/json", json_of(&unknown)).await.refused(422, "invalid_fields");
        for name in good.as_object().unwrap().keys() {
            for value in [
                json!(["x"]),
                json!({ "x": 1 }),
                json!(5),
                json!(true),
                json!(12345678901234567890_u64),
                Value::Null,
            ] {
                if is_taken(method, path, name, &value) {
                    continue;
                }
                let mut wrong = good.clone();
                wrong[name] = value;
                send("application/json", json_of(&wrong)).await.refused(422, "invalid_fields");
            }
            let doubled = format!("{{\"{name}\":\"x\",{}", &good.to_string()[1..]);
            send("application/json", doubled.into_bytes()).await.refused(422, "invalid_fields");
            if !is_optional(method, path, name) {
                let mut missing = good.clone();
                missing.as_object_mut().unwrap().remove(name);
                let reply = send("application/json", json_of(&missing)).await.refused(422, "invalid_fields");
                assert_eq!(reply.body["errors"][0]["pointer"], format!("#/{name}"));
            }
            let mut control = good.clone();
            control[name] = json!("a\u{0}\u{7}b");
            let reply = send("application/json", json_of(&control)).await;
            assert!(reply.status.is_client_error(), "{path} {name} with control characters: {reply:?}");
        }
    }
    let refusals_recorded = 200;
    let after = snapshot(&t).await;
    assert_eq!(before.split_whitespace().count(), after.split_whitespace().count());
    assert!(alice.me().await.status == 200 && refusals_recorded > 0);
    alice.present(&alice.refresh).await.expect(200);
    alice.log_in(PASSWORD).await.expect(200);
}

#[tokio::test]
async fn forms_are_read_as_strictly() {
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    for (path, form) in [
        ("/auth/login", "username=a"),
        ("/auth/login", "password=a"),
        ("/auth/login", "username=a&username=b&password=c"),
        ("/auth/login", "username=a&password=c&extra=d"),
        ("/auth/login", "username=a%00&password=c"),
        ("/auth/login", "email=a&password=c"),
        ("/auth/refresh", ""),
        ("/auth/refresh", "refresh_token="),
        ("/auth/refresh", "refresh_token=a&refresh_token=b"),
        ("/auth/logout", "other=a"),
    ] {
        t.post(path).form(form).send().await.refused(422, "invalid_fields");
    }
    t.post("/auth/login").form("username=%ff&password=c").send().await.refused(400, "malformed_body");
    // A form where only JSON is read.
    for path in ["/auth/register", "/auth/setup"] {
        t.post(path).form("email=a%40b.de&password=c").send().await.refused(415, "unsupported_media_type");
    }
    alice.me().await.expect(200);
}

#[tokio::test]
async fn oversized_headers_and_tokens_are_refused_on_every_route() {
    // S-145
    let t = TestGate::new().await;
    for Endpoint { method, path, access } in Wardgate::endpoints() {
        let path = concrete(path);
        let big = t.request(method.as_str(), &path).header("x-filler", "x".repeat(16 * 1024));
        big.send().await.refused(431, "headers_too_large");
        let token = t.request(method.as_str(), &path).bearer(&"x".repeat(9 * 1024)).send().await;
        assert_eq!(token.status == 401, access != Access::Public, "{method} {path}: {token:?}");
        assert!(!token.status.is_server_error());
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let t = TestGate::new().await;
    // From here on time passes only when everything waits.
    tokio::time::pause();
    let begun = futures_util::stream::iter([Ok::<_, std::io::Error>("{\"email\":")]);
    let dripping = futures_util::StreamExt::chain(begun, futures_util::stream::pending());
    let body = axum::body::Body::from_stream(dripping);
    let reply = t.post("/auth/register").body("application/json", body).send().await;
    let reply = reply.refused(400, "malformed_body");
    assert_eq!(reply.body["detail"], "The body came too slowly");
}
