//! Keys from a server of the test's own, with a clock that stands still until it is told to move.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header::LOCATION};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::download::Download;
use super::{FetchError, FetchedKeys};
use crate::testing::{AUDIENCE, ISSUER, Issuer, NOW, claims};
use crate::{Jwk, KeyError, Policy, TokenVerifier, VerifyError};

#[derive(Clone)]
enum Answer {
    Keys(Vec<Jwk>),
    Status(StatusCode),
    Redirect,
    Text(String),
    Never,
}

/// A server that publishes keys, and a clock.
#[derive(Clone)]
struct Site(Arc<Inner>);

struct Inner {
    url: String,
    answer: Mutex<Answer>,
    requests: AtomicUsize,
    /// One permit for each answer that may be sent.
    gate: Semaphore,
    seconds: AtomicU64,
}

impl Site {
    async fn publishing(keys: Vec<Jwk>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let site = Self(Arc::new(Inner {
            url,
            answer: Mutex::new(Answer::Keys(keys)),
            requests: AtomicUsize::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            seconds: AtomicU64::new(1000),
        }));
        let app = Router::new().route("/jwks", get(serve)).route("/elsewhere", get(elsewhere));
        let app = app.with_state(site.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        site
    }

    fn answers(&self, answer: Answer) {
        *self.0.answer.lock().unwrap() = answer;
    }

    fn requests(&self) -> usize {
        self.0.requests.load(Ordering::SeqCst)
    }

    fn pass(&self, seconds: u64) {
        self.0.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    async fn start(&self) -> Result<FetchedKeys, FetchError> {
        let site = self.clone();
        let now = move || Duration::from_secs(site.0.seconds.load(Ordering::SeqCst));
        FetchedKeys::start_with_clock(&self.0.url, now).await
    }

    async fn verifier(&self) -> TokenVerifier {
        let keys = self.start().await.unwrap();
        TokenVerifier::fetched_with_clock(Policy::new(ISSUER, AUDIENCE), keys, || NOW)
    }
}

async fn serve(State(site): State<Site>) -> Response {
    site.0.requests.fetch_add(1, Ordering::SeqCst);
    let answer = site.0.answer.lock().unwrap().clone();
    site.0.gate.acquire().await.unwrap().forget();
    match answer {
        Answer::Keys(keys) => json!({ "keys": keys }).to_string().into_response(),
        Answer::Status(status) => (status, json!({ "keys": [] }).to_string()).into_response(),
        Answer::Redirect => (StatusCode::FOUND, [(LOCATION, "/elsewhere")]).into_response(),
        Answer::Text(text) => text.into_response(),
        Answer::Never => std::future::pending().await,
    }
}

/// Where a redirect leads: to keys that would be good.
async fn elsewhere() -> String {
    json!({ "keys": [Issuer::new().ed25519_jwk()] }).to_string()
}

fn ed25519_token(issuer: &Issuer) -> String {
    issuer.sign_claims(&claims().to_string())
}

fn p256_token(issuer: &Issuer) -> String {
    let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": issuer.p256_jwk().kid()});
    issuer.sign_p256(&header.to_string(), &claims().to_string())
}

fn token_of_kid(kid: &str) -> String {
    Issuer::new().sign_header(&json!({"alg": "EdDSA", "typ": "at+jwt", "kid": kid}).to_string())
}

/// Begins `future` and says whether it waits for something.
async fn waits<F: Future>(future: &mut Pin<Box<F>>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test]
async fn keys_are_fetched_once_and_used_many_times() {
    let issuer = Issuer::new();
    let site = Site::publishing(vec![issuer.ed25519_jwk(), issuer.p256_jwk()]).await;
    let verifier = site.verifier().await;
    for token in [ed25519_token(&issuer), p256_token(&issuer), ed25519_token(&issuer)] {
        assert_eq!(verifier.verify(&token).await.unwrap().sub, "usr_1");
    }
    assert_eq!(site.requests(), 1);
}

// S-033
#[tokio::test]
async fn a_flood_of_unknown_kids_costs_one_fetch_for_each_cool_down() {
    let site = Site::publishing(vec![Issuer::new().ed25519_jwk()]).await;
    let verifier = site.verifier().await;
    let flood = async |wave: &str| {
        let tokens: Vec<String> = (0..200).map(|n| token_of_kid(&format!("{wave}{n}"))).collect();
        for verdict in join_all(tokens.iter().map(|token| verifier.verify(token))).await {
            assert_eq!(verdict, Err(VerifyError::UnknownKey));
        }
    };
    for (pass, requests) in [(9, 1), (1, 2), (0, 2), (9, 2), (1, 3)] {
        site.pass(pass);
        flood(&format!("{pass}-{requests}-")).await;
        assert_eq!(site.requests(), requests);
    }
    // Nor does it help that the fetches fail.
    site.answers(Answer::Status(StatusCode::SERVICE_UNAVAILABLE));
    for requests in [4, 4] {
        site.pass(if requests == site.requests() { 9 } else { 10 });
        flood("failing").await;
        assert_eq!(site.requests(), requests);
    }
}

// S-033
#[tokio::test]
async fn what_is_no_token_fetches_nothing() {
    let site = Site::publishing(vec![Issuer::new().ed25519_jwk()]).await;
    let verifier = site.verifier().await;
    site.pass(10);
    let long = token_of_kid(&"k".repeat(129));
    let without = Issuer::new().sign_header(r#"{"alg":"EdDSA","typ":"at+jwt"}"#);
    for token in ["", "a.b.c", &long, &without] {
        assert!(verifier.verify(token).await.is_err());
    }
    assert_eq!(site.requests(), 1);
}

// S-141
#[tokio::test]
async fn a_new_key_is_found_when_its_first_token_comes() {
    let issuer = Issuer::new();
    let site = Site::publishing(vec![issuer.ed25519_jwk()]).await;
    let verifier = site.verifier().await;
    site.answers(Answer::Keys(vec![issuer.ed25519_jwk(), issuer.p256_jwk()]));
    site.pass(10);
    // All of those that come at once wait for the one fetch, and none is refused.
    let token = p256_token(&issuer);
    for verdict in join_all((0..50).map(|_| verifier.verify(&token))).await {
        assert!(verdict.is_ok(), "{verdict:?}");
    }
    assert_eq!(site.requests(), 2);
}

// S-142
#[tokio::test]
async fn old_keys_are_fetched_again_and_a_withdrawn_one_is_gone() {
    let issuer = Issuer::new();
    let site = Site::publishing(vec![issuer.ed25519_jwk(), issuer.p256_jwk()]).await;
    let verifier = site.verifier().await;
    site.answers(Answer::Keys(vec![issuer.ed25519_jwk()]));
    site.pass(299);
    assert!(verifier.verify(&p256_token(&issuer)).await.is_ok());
    assert_eq!(site.requests(), 1);
    site.pass(1);
    assert_eq!(verifier.verify(&p256_token(&issuer)).await, Err(VerifyError::UnknownKey));
    assert_eq!(site.requests(), 2);
}

fn bad_answers() -> Vec<(Answer, FetchError)> {
    let mut weak: Value = serde_json::to_value(Issuer::new().ed25519_jwk()).unwrap();
    weak["x"] = json!("A".repeat(43));
    let blanks = " ".repeat(1024 * 1024);
    vec![
        (Answer::Status(StatusCode::INTERNAL_SERVER_ERROR), FetchError::Status(500)),
        (Answer::Status(StatusCode::NO_CONTENT), FetchError::Status(204)),
        (Answer::Redirect, FetchError::Status(302)),
        (Answer::Text(format!("{blanks}{{\"keys\":[]}}")), FetchError::TooLarge),
        (Answer::Text("<html>".to_owned()), FetchError::Form),
        (Answer::Text("{}".to_owned()), FetchError::Form),
        (Answer::Text(json!({ "keys": [weak] }).to_string()), FetchError::Key(KeyError::Weak)),
    ]
}

#[tokio::test]
async fn a_start_without_keys_is_refused() {
    for (answer, error) in bad_answers() {
        let site = Site::publishing(Vec::new()).await;
        site.answers(answer);
        assert_eq!(site.start().await.unwrap_err(), error);
    }
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let failed = FetchedKeys::start(&format!("http://{nobody}/jwks")).await.unwrap_err();
    assert!(matches!(failed, FetchError::Request(_)), "{failed}");
}

#[tokio::test]
async fn a_fetch_that_fails_leaves_the_keys_as_they_are() {
    let issuer = Issuer::new();
    let site = Site::publishing(vec![issuer.ed25519_jwk()]).await;
    let verifier = site.verifier().await;
    for (index, (answer, _)) in bad_answers().into_iter().enumerate() {
        site.answers(answer);
        site.pass(300);
        assert!(verifier.verify(&ed25519_token(&issuer)).await.is_ok());
        assert_eq!(site.requests(), 2 + index);
        // Failing is no reason to ask at each request.
        assert!(verifier.verify(&ed25519_token(&issuer)).await.is_ok());
        assert_eq!(site.requests(), 2 + index);
    }
    site.answers(Answer::Keys(vec![issuer.p256_jwk()]));
    site.pass(10);
    assert!(verifier.verify(&p256_token(&issuer)).await.is_ok());
    assert_eq!(verifier.verify(&ed25519_token(&issuer)).await, Err(VerifyError::UnknownKey));
}

#[tokio::test]
async fn a_megabyte_is_still_read() {
    let site = Site::publishing(Vec::new()).await;
    let keys = r#"{"keys":[]}"#;
    site.answers(Answer::Text(format!("{}{keys}", " ".repeat(1024 * 1024 - keys.len()))));
    assert!(site.start().await.is_ok());
}

#[tokio::test]
async fn while_old_keys_are_fetched_others_go_on_with_them() {
    let issuer = Issuer::new();
    let site = Site::publishing(vec![issuer.ed25519_jwk()]).await;
    let verifier = site.verifier().await;
    site.0.gate.forget_permits(Semaphore::MAX_PERMITS);
    site.pass(300);
    let token = ed25519_token(&issuer);
    let mut first = Box::pin(verifier.verify(&token));
    assert!(waits(&mut first).await);
    assert!(verifier.verify(&token).await.is_ok());
    site.0.gate.add_permits(1);
    assert!(first.await.is_ok());
    assert_eq!(site.requests(), 2);
}

// S-033
#[tokio::test]
async fn a_client_that_hangs_up_does_not_end_the_fetch() {
    let issuer = Issuer::new();
    let site = Site::publishing(vec![issuer.ed25519_jwk()]).await;
    let verifier = site.verifier().await;
    site.answers(Answer::Keys(vec![issuer.p256_jwk()]));
    site.0.gate.forget_permits(Semaphore::MAX_PERMITS);
    site.pass(10);
    let invented = token_of_kid("invented");
    let mut hanging_up = Box::pin(verifier.verify(&invented));
    assert!(waits(&mut hanging_up).await);
    drop(hanging_up);
    site.0.gate.add_permits(1);
    // Within the same cool-down: only the fetch that was begun can have brought the key.
    assert!(verifier.verify(&p256_token(&issuer)).await.is_ok());
    assert_eq!(site.requests(), 2);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let site = Site::publishing(Vec::new()).await;
    site.answers(Answer::Never);
    let download = Download::with_patience(&site.0.url, Duration::from_millis(50)).unwrap();
    let failed = download.keys().await.unwrap_err();
    assert_eq!(failed, FetchError::Request("no answer in time".to_owned()));
}
