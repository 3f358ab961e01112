//! The application behind a Wardgate that listens on a port of its own.

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;
use wardgate::{DatabaseUrl, DbOptions, MasterKey, Stage, SystemRng, TenantId, UserChange, UserId, Wardgate};

use super::*;

const PASSWORD: &str = "violet anchor canyon drum";

struct Both {
    gate: Wardgate,
    issuer: Router,
    app: Router,
    _folder: TempDir,
}

impl Both {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let gate = Wardgate::builder()
            .issuer(address.clone())
            .database(DbOptions::new(DatabaseUrl::Sqlite(folder.path().join("app.db"))))
            .master_key(MasterKey::generate(&SystemRng))
            .stage(Some(Stage::Development))
            .build()
            .await
            .unwrap();
        let issuer: Router = gate.router();
        let served = issuer.clone();
        tokio::spawn(async move { axum::serve(listener, served).await });
        let state = open(&address, &address).await.unwrap();
        Self { gate, issuer, app: app(state), _folder: folder }
    }

    /// Registers somebody: their id.
    async fn register(&self, email: &str) -> UserId {
        let body = json!({ "email": email, "password": PASSWORD }).to_string();
        let request = Request::post("/auth/register").header("content-type", "application/json");
        let user =
            json_of(self.issuer.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap());
        user.await["id"].as_str().unwrap().parse().unwrap()
    }

    /// Signs them in: their token.
    async fn token(&self, email: &str, scope: &str) -> String {
        let form = format!("username={email}&password={}&scope={scope}", PASSWORD.replace(' ', "+"));
        let request =
            Request::post("/auth/login").header("content-type", "application/x-www-form-urlencoded");
        let answer =
            json_of(self.issuer.clone().oneshot(request.body(Body::from(form)).unwrap()).await.unwrap());
        answer.await["access_token"].as_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str, token: &str) -> (u16, String) {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let request = request.body(Body::empty()).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        (response.status().as_u16(), text_of(response).await)
    }
}

async fn text_of(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn json_of(response: Response) -> Value {
    let (status, text) = (response.status(), text_of(response).await);
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_token_of_the_issuer_opens_what_its_roles_and_scope_allow() {
    let both = Both::start().await;
    let id = both.register("ada@example.com").await;
    let token = both.token("ada@example.com", "").await;
    assert_eq!(both.get("/hello", &token).await, (200, format!("Hello, {id}\n")));
    assert_eq!(both.get("/me", &token).await, (200, r#"["user"]"#.to_owned()));
    assert_eq!(both.get("/report", &token).await.0, 403);
    assert_eq!(both.get("/card", &token).await.0, 403);

    let limited = both.token("ada@example.com", "profile:read").await;
    assert_eq!(both.get("/card", &limited).await, (200, format!("The card of {id}\n")));

    let change = UserChange { roles: Some(vec!["admin".to_owned()]), ..UserChange::default() };
    let (gate, operator) = (&both.gate, both.gate.operator());
    gate.lifecycle().update(TenantId::DEFAULT, id, change, &operator).await.unwrap();
    // The old token has the roles of its making.
    assert_eq!(both.get("/report", &token).await.0, 403);
    let token = both.token("ada@example.com", "").await;
    assert_eq!(both.get("/report", &token).await, (200, "All is well\n".to_owned()));
}

#[tokio::test]
async fn a_stranger_gets_in_nowhere() {
    let both = Both::start().await;
    for path in ["/me", "/report", "/card"] {
        assert_eq!(both.get(path, "invented").await.0, 401, "{path}");
    }
    assert_eq!(both.get("/hello", "invented").await, (200, "Hello, whoever you are\n".to_owned()));
}

/// What is refused here and at the issuer looks alike, but for the request id that the issuer adds.
// S-035, S-036
#[tokio::test]
async fn refusals_are_those_of_the_issuer() {
    let both = Both::start().await;
    both.register("ada@example.com").await;
    let good = format!("Bearer {}", both.token("ada@example.com", "").await);
    let cases: [(&str, &[&str]); 5] = [
        ("", &[]),
        ("", &["Bearer invented"]),
        ("", &["Basic YTpi"]),
        ("", &[&good, &good]),
        ("?access_token=x", &[]),
    ];
    for (query, headers) in cases {
        let mut answers = Vec::new();
        for (router, path) in [(&both.issuer, "/auth/me"), (&both.app, "/me")] {
            let mut request = Request::get(format!("{path}{query}"));
            for value in headers {
                request = request.header("authorization", *value);
            }
            let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let status = response.status();
            let shown = ["content-type", "cache-control", "www-authenticate"]
                .map(|name| response.headers().get(name).cloned());
            let mut body: Value = serde_json::from_str(&text_of(response).await).unwrap();
            body.as_object_mut().unwrap().remove("request_id");
            answers.push((status, shown, body));
        }
        assert_eq!(answers[0], answers[1], "{query} {headers:?}");
    }
}
