//! An API that takes Wardgate's access tokens and has no users, passwords or database of its own.
//!
//! `cargo run -- serve --dev` in one terminal, `cargo run -p resource_server` in another, then what it prints.

#[cfg(test)]
mod tests;

use std::env;
use std::error::Error;
use std::net::SocketAddr;

use axum::Json;
use axum::Router;
use axum::extract::FromRef;
use axum::routing::get;
use wardgate_verify::axum::{Refusal, VerifiedToken};
use wardgate_verify::{FetchedKeys, Policy, TokenVerifier};

const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 3001);

/// The application's state. The extractor needs to find the verifier in it, and nothing else.
#[derive(Clone, FromRef)]
struct AppState {
    verifier: TokenVerifier,
}

/// For everybody: a missing or bad token is no fault.
async fn hello(token: Option<VerifiedToken>) -> String {
    match token {
        Some(token) => format!("Hello, {}\n", token.sub),
        None => "Hello, whoever you are\n".to_owned(),
    }
}

/// For whoever is signed in: without a good token the answer is 401, and this function does not run.
async fn me(token: VerifiedToken) -> Json<Vec<String>> {
    Json(token.roles.clone())
}

/// For administrators: a token without either role gets 403.
async fn report(token: VerifiedToken) -> Result<&'static str, Refusal> {
    token.require_role(&["admin", "superadmin"])?;
    Ok("All is well\n")
}

/// For sign-ins that asked for the scope: others get 403 with `insufficient_scope`.
async fn card(token: VerifiedToken) -> Result<String, Refusal> {
    token.require_scope("profile:read")?;
    Ok(format!("The card of {}\n", token.sub))
}

fn app(state: AppState) -> Router {
    Router::new()
        .route("/hello", get(hello))
        .route("/me", get(me))
        .route("/report", get(report))
        .route("/card", get(card))
        .with_state(state)
}

/// Takes the tokens that `issuer` made for `audience`, with the keys that it publishes.
async fn open(issuer: &str, audience: &str) -> Result<AppState, Box<dyn Error>> {
    let keys = FetchedKeys::start(&format!("{issuer}/.well-known/jwks.json")).await?;
    Ok(AppState { verifier: TokenVerifier::fetched(Policy::new(issuer, audience), keys) })
}

fn setting(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = setting("ISSUER", "http://127.0.0.1:8080");
    let state = open(&issuer, &setting("AUDIENCE", &issuer)).await?;
    let listener = tokio::net::TcpListener::bind(ADDRESS).await?;
    println!(
        "listening on http://{ADDRESS}, for tokens of {issuer}\n\n\
         curl {issuer}/auth/register --json '{{\"email\": \"ada@example.com\", \"password\": \"violet anchor canyon drum\"}}'\n\
         curl {issuer}/auth/login -d username=ada@example.com -d 'password=violet anchor canyon drum'\n\
         TOKEN=   # the access_token of that answer\n\
         curl {ADDRESS}/me -H \"Authorization: Bearer $TOKEN\""
    );
    let stopped = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, app(state)).with_graceful_shutdown(stopped).await?;
    Ok(())
}
