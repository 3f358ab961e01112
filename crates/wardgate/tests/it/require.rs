//! The extractors and the layer in an application of one's own.

use axum::extract::FromRef;
use axum::routing::get;
use axum::{Router, http::StatusCode};
use serde_json::json;
use wardgate::{Admin, BuiltinRole, CurrentUser, Require, Superadmin, Wardgate};

use crate::support::{Request, TestGate};

#[derive(Clone, FromRef)]
struct App {
    gate: Wardgate,
    greeting: &'static str,
}

async fn hello(
    axum::extract::State(greeting): axum::extract::State<&'static str>,
    user: Option<CurrentUser>,
) -> String {
    format!("{greeting} {}", user.map_or("stranger".to_owned(), |user| user.user().email.to_string()))
}

async fn twice(_: CurrentUser, admin: Require<Admin>) -> String {
    admin.0.principal().subject.to_string()
}

fn app(t: &TestGate) -> Router {
    let guarded = Router::new().route("/sub/tree", get(async || "in")).layer(t.gate.require_role("admin"));
    Router::new()
        .route("/hello", get(hello))
        .route("/me", get(async |user: CurrentUser| user.user().email.to_string()))
        .route("/admin", get(twice))
        .route("/super", get(async |_: Require<Superadmin>| "in"))
        .merge(guarded)
        .merge(t.gate.router())
        .fallback(async || (StatusCode::IM_A_TEAPOT, "the application's own"))
        .with_state(App { gate: t.gate.clone(), greeting: "hi" })
}

#[tokio::test]
async fn an_application_embeds_the_routes_and_the_extractors() {
    let t = TestGate::new().await;
    let app = app(&t);
    let get = |path: &str, token: &str| Request::new(&app, "GET", path).bearer(token);
    let anonymous = |path: &str| Request::new(&app, "GET", path);
    let user = t.user("alice").signed_in().await;
    let admin = t.user("boss").role(BuiltinRole::Admin).signed_in().await;
    let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;

    assert_eq!(anonymous("/hello").send().await.expect(200).text, "hi stranger");
    assert_eq!(get("/hello", "stale").send().await.expect(200).text, "hi stranger");
    assert_eq!(get("/hello", &user.access).send().await.expect(200).text, "hi alice@example.com");
    anonymous("/me").send().await.refused(401, "missing_credential");
    assert_eq!(get("/me", &user.access).send().await.expect(200).text, "alice@example.com");
    for path in ["/admin", "/sub/tree"] {
        anonymous(path).send().await.refused(401, "missing_credential");
        let refused = get(path, &user.access).send().await.refused(403, "insufficient_permissions");
        assert_eq!(refused.body["detail"], "Insufficient permissions");
        get(path, &admin.access).send().await.expect(200);
        get(path, &root.access).send().await.expect(200);
    }
    get("/super", &admin.access).send().await.refused(403, "insufficient_permissions");
    get("/super", &root.access).send().await.expect(200);
    get("/auth/me", &user.access).send().await.expect(200);
    // The application's own paths stay its own.
    assert_eq!(anonymous("/elsewhere").send().await.expect(418).text, "the application's own");
}

#[tokio::test]
async fn a_scope_that_leaves_a_roles_permission_out_is_not_that_role() {
    let t = TestGate::new().await;
    let app = app(&t);
    let admin = t.user("boss").role(BuiltinRole::Admin).registered().await;
    let form = format!("username={}&password=correct+horse+battery+staple&scope=users%3Aread", admin.email);
    let narrow = t.post("/auth/login").form(&form).send().await.expect(200).str("access_token");
    for path in ["/admin", "/sub/tree"] {
        Request::new(&app, "GET", path).bearer(&narrow).send().await.refused(403, "insufficient_scope");
    }
    assert_eq!(t.get("/auth/me").bearer(&narrow).send().await.body["permissions"], json!(["users:read"]));
}

#[tokio::test]
async fn two_gates_live_in_one_process() {
    let (one, two) = (
        TestGate::new().await,
        TestGate::with(|b| b.rng(std::sync::Arc::new(wardgate::SeededRng::new(5)))).await,
    );
    let alice = one.user("alice").signed_in().await;
    two.get("/auth/me").bearer(&alice.access).send().await.refused(401, "invalid_credential");
    assert_eq!(alice.log_in("x").await.status, 401);
}
