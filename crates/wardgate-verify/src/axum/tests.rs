//! The extractor from outside: what each request is answered with.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Refusal, VerifiedToken};
use crate::testing::{AUDIENCE, ISSUER, Issuer, NOW, claims};
use crate::{Policy, TokenVerifier};

async fn whoever(token: Option<VerifiedToken>) -> String {
    token.map_or("nobody".to_owned(), |token| token.sub.clone())
}

async fn admins(token: VerifiedToken) -> Result<String, Refusal> {
    token.require_role(&["admin", "superadmin"])?;
    Ok(token.sub.clone())
}

async fn writers(token: VerifiedToken) -> Result<String, Refusal> {
    token.require_scope("notes:write")?;
    Ok(token.sub.clone())
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn code(&self) -> Value {
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["type"], format!("urn:wardgate:problem:{}", problem["code"].as_str().unwrap()));
        problem["code"].clone()
    }
}

async fn ask(path: &str, authorization: &[&[u8]]) -> Answer {
    let keys = Issuer::new().keys();
    let verifier = TokenVerifier::with_clock(Policy::new(ISSUER, AUDIENCE), keys, || NOW);
    let app = Router::new()
        .route("/me", get(async |token: VerifiedToken| token.sub.clone()))
        .route("/whoever", get(whoever))
        .route("/admins", get(admins))
        .route("/writers", get(writers))
        .with_state(verifier);
    let mut request = Request::get(path);
    for value in authorization {
        request = request.header("authorization", *value);
    }
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    Answer { status, headers, body: String::from_utf8(bytes.to_vec()).unwrap() }
}

fn bearer(claims: &Value) -> String {
    format!("Bearer {}", Issuer::new().sign_claims(&claims.to_string()))
}

fn with_claim(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    bearer(&claims)
}

#[tokio::test]
async fn a_good_token_is_let_in_with_its_claims() {
    let good = bearer(&claims());
    for value in [good.clone(), good.replace("Bearer", "bearer"), good.replace("Bearer ", "BEARER  ")] {
        let answer = ask("/me", &[value.as_bytes()]).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "usr_1"), "{value}");
    }
}

// S-036
#[tokio::test]
async fn without_a_token_the_challenge_is_bare() {
    for headers in [&[][..], &[b"Basic YTpi".as_slice()], &[b"".as_slice()], &[b"Bearerx y".as_slice()]] {
        let answer = ask("/me", headers).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.code(), "missing_credential");
        assert!(answer.body.contains("Invalid credentials"));
    }
}

// S-036
#[tokio::test]
async fn a_bad_token_is_named_so_and_not_why() {
    let mut bodies = Vec::new();
    for value in [
        b"Bearer".to_vec(),
        b"Bearer invented".to_vec(),
        b"Bearer \xff".to_vec(),
        with_claim("exp", json!(NOW - 60)).into_bytes(),
        with_claim("aud", json!("https://other.example")).into_bytes(),
        format!("{}x", bearer(&claims())).into_bytes(),
    ] {
        let answer = ask("/me", &[value.as_slice()]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        assert_eq!(answer.code(), "invalid_credential");
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

// S-035
#[tokio::test]
async fn two_headers_or_a_token_in_the_url_are_refused_though_one_is_good() {
    let good = bearer(&claims());
    let good = good.as_bytes();
    for (path, headers) in [
        ("/me", &[good, good][..]),
        ("/me", &[good, b"Basic YTpi"]),
        ("/me?access_token=x", &[good]),
        ("/me?a=b&access_token=x", &[]),
        ("/me?access_token", &[]),
        ("/whoever?access_token=x", &[]),
        ("/whoever", &[good, good]),
    ] {
        let answer = ask(path, headers).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.code(), "ambiguous_credential");
        assert_eq!(answer.header("www-authenticate"), None);
    }
    assert_eq!(ask("/me?access_tokens=x", &[good]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_optional_token_may_be_absent_or_bad() {
    let good = bearer(&claims());
    for (headers, body) in
        [(&[][..], "nobody"), (&[b"Bearer invented".as_slice()], "nobody"), (&[good.as_bytes()], "usr_1")]
    {
        let answer = ask("/whoever", headers).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, body));
    }
}

#[tokio::test]
async fn a_role_is_asked_for_by_its_whole_name() {
    for (roles, status) in [
        (json!(["admin"]), StatusCode::OK),
        (json!(["user", "superadmin"]), StatusCode::OK),
        (json!(["user"]), StatusCode::FORBIDDEN),
        (json!([]), StatusCode::FORBIDDEN),
        (json!(["Admin", "admin ", "administrator", "adm"]), StatusCode::FORBIDDEN),
    ] {
        let answer = ask("/admins", &[with_claim("roles", roles.clone()).as_bytes()]).await;
        assert_eq!(answer.status, status, "{roles}");
        if status == StatusCode::FORBIDDEN {
            assert_eq!(answer.code(), "insufficient_permissions");
        }
    }
    assert_eq!(ask("/admins", &[]).await.status, StatusCode::UNAUTHORIZED);
}

// S-036
#[tokio::test]
async fn a_missing_scope_is_named_in_the_challenge() {
    for (scope, status) in [
        (json!("notes:write"), StatusCode::OK),
        (json!("notes:read notes:write"), StatusCode::OK),
        (json!("notes:read"), StatusCode::FORBIDDEN),
        (json!("notes:writer Notes:write"), StatusCode::FORBIDDEN),
        (json!(""), StatusCode::FORBIDDEN),
    ] {
        let answer = ask("/writers", &[with_claim("scope", scope.clone()).as_bytes()]).await;
        assert_eq!(answer.status, status, "{scope}");
    }
    let answer = ask("/writers", &[bearer(&claims()).as_bytes()]).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, json!("insufficient_scope")));
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"notes:write\"";
    assert_eq!(answer.header("www-authenticate"), Some(challenge));
}

#[test]
fn a_scope_does_not_break_out_of_the_challenge() {
    use axum::response::IntoResponse as _;
    for scope in ["a\"b", "a\\b", "a\r\nx: y", "ä"] {
        let response = Refusal::Scope(scope.to_owned()).into_response();
        assert_eq!(response.headers()["www-authenticate"], "Bearer error=\"insufficient_scope\"", "{scope}");
    }
}
