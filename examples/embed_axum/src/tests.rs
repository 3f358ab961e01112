//! The application from outside: its own routes and Wardgate's, through one router.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;
use wardgate::{TenantId, UserChange};

use super::*;

const PASSWORD: &str = "violet anchor canyon drum";

struct TestApp {
    gate: Wardgate,
    router: Router,
    folder: TempDir,
}

impl TestApp {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = open(folder.path()).await.unwrap();
        Self { gate: state.gate.clone(), router: app(state), folder }
    }

    async fn send(&self, method: &str, path: &str, token: Option<&str>, body: Body) -> (u16, String) {
        let mut request = Request::builder().method(method).uri(path).header("host", ADDRESS.to_string());
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn get(&self, path: &str, token: Option<&str>) -> (u16, String) {
        self.send("GET", path, token, Body::empty()).await
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, text) = self.send("POST", path, None, body.to_string().into()).await;
        assert!(status < 300, "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Registers somebody and signs them in: their id and their token.
    async fn signed_in(&self, email: &str) -> (UserId, String) {
        let account = json!({ "email": email, "password": PASSWORD });
        let user = self.post("/auth/register", &account).await;
        let tokens = self.post("/auth/login", &account).await;
        let token = tokens["access_token"].as_str().unwrap().to_owned();
        (user["id"].as_str().unwrap().parse().unwrap(), token)
    }
}

#[tokio::test]
async fn everybody_has_their_own_notes() {
    let app = TestApp::new().await;
    let (_, ada) = app.signed_in("ada@example.com").await;
    let (_, bob) = app.signed_in("bob@example.com").await;
    assert_eq!(app.send("POST", "/notes", Some(&ada), "Buy milk".into()).await.0, 201);
    assert_eq!(app.get("/notes", Some(&ada)).await, (200, r#"["Buy milk"]"#.to_owned()));
    assert_eq!(app.get("/notes", Some(&bob)).await, (200, "[]".to_owned()));
}

#[tokio::test]
async fn a_stranger_has_none() {
    let app = TestApp::new().await;
    for token in [None, Some("invented")] {
        let (status, body) = app.get("/notes", token).await;
        assert_eq!(status, 401, "{token:?}: {body}");
        assert_eq!(app.send("POST", "/notes", token, "Buy milk".into()).await.0, 401);
        assert_eq!(app.send("DELETE", "/notes", token, Body::empty()).await.0, 401);
    }
}

#[tokio::test]
async fn everybody_is_greeted() {
    let app = TestApp::new().await;
    let (_, ada) = app.signed_in("ada@example.com").await;
    assert_eq!(app.get("/hello", Some(&ada)).await, (200, "Hello, ada@example.com\n".to_owned()));
    for token in [None, Some("invented")] {
        assert_eq!(app.get("/hello", token).await, (200, "Hello, whoever you are\n".to_owned()));
    }
}

#[tokio::test]
async fn only_administrators_wipe() {
    let app = TestApp::new().await;
    let (id, ada) = app.signed_in("ada@example.com").await;
    app.send("POST", "/notes", Some(&ada), "Buy milk".into()).await;
    let (status, body) = app.send("DELETE", "/notes", Some(&ada), Body::empty()).await;
    assert_eq!(status, 403, "{body}");
    assert_eq!(app.get("/notes", Some(&ada)).await.1, r#"["Buy milk"]"#);

    let tenant = TenantId::DEFAULT;
    let lifecycle = app.gate.lifecycle();
    let to = UserChange { roles: Some(vec!["admin".to_owned()]), ..UserChange::default() };
    lifecycle.update(tenant, id, to, &app.gate.operator()).await.unwrap();
    // The same token: roles are read at each request.
    assert_eq!(app.send("DELETE", "/notes", Some(&ada), Body::empty()).await.0, 204);
    assert_eq!(app.get("/notes", Some(&ada)).await.1, "[]");
}

#[tokio::test]
async fn a_restart_keeps_users_and_tokens() {
    let first = TestApp::new().await;
    let (_, ada) = first.signed_in("ada@example.com").await;
    first.gate.close().await;
    let second = app(open(first.folder.path()).await.unwrap());
    let again = TestApp { router: second, ..first };
    assert_eq!(again.get("/hello", Some(&ada)).await.1, "Hello, ada@example.com\n");
}

#[tokio::test]
async fn the_master_key_is_nobody_elses_to_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let app = TestApp::new().await;
    let file = app.folder.path().join("master.key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(master_key(&file).unwrap().id(), master_key(&file).unwrap().id());
}
