//! The floor: a bare axum handler that verifies the same token and answers the same bytes.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use wardgate_verify::{JwkSet, KeySet, Policy, Verifier};

use crate::client;
use crate::measure::{median_of, rate};
use crate::{CELL, ROUNDS};

/// The floor's server, running in a process of its own.
pub(crate) struct Floor {
    pub(crate) address: SocketAddr,
    pub(crate) request: Vec<u8>,
    pub(crate) process: std::process::Child,
}

impl Floor {
    pub(crate) async fn rate_of_verifying(&self) -> f64 {
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            rates.push(rate(self.address, 64, CELL, &self.request).await.per_second);
        }
        median_of(rates)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn request(access: &str) -> Vec<u8> {
    client::get("/", access)
}

struct App {
    verifier: Verifier,
    answer: String,
}

async fn verified(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<String, StatusCode> {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let token = token.ok_or(StatusCode::UNAUTHORIZED)?;
    app.verifier.verify(token, i64::try_from(now).unwrap_or(0)).map_err(|_| StatusCode::UNAUTHORIZED)?;
    Ok(app.answer.clone())
}

/// What checks nothing at all.
pub(crate) fn bare_request() -> Vec<u8> {
    client::get_with("/bare", "accept: */*")
}

/// What `floor-server ISSUER JWKS ANSWER` does.
pub(crate) fn serve() {
    let arguments: Vec<String> =
        std::env::args().skip_while(|argument| argument != "floor-server").skip(1).collect();
    let [issuer, jwks, answer] = <[String; 3]>::try_from(arguments[..3].to_vec()).expect("three arguments");
    let jwks: JwkSet = serde_json::from_str(&jwks).expect("a key set");
    let keys = KeySet::from_jwks(&jwks).expect("good keys");
    let verifier = Verifier::new(Policy::new(issuer.clone(), issuer), keys);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let app = Router::new()
            .route("/", get(verified))
            .route("/bare", get(async || ()))
            .with_state(Arc::new(App { verifier, answer }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("listening on http://{}", listener.local_addr().expect("an address"));
        axum::serve(listener, app).await.expect("it serves");
    });
}
