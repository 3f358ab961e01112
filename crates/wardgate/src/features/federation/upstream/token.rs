//! Codes for tokens (RFC 6749 section 4.1.3), and how a client proves which one it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::client::{Client, escape, read};
use crate::ports::{Returned, UpstreamError};

/// How the client proves which one it is (RFC 6749 section 2.3).
pub(super) enum Authentication<'a> {
    /// In the header.
    Basic(&'a str),
    /// In the form.
    Post(Zeroizing<String>),
    /// Not at all: the code verifier proves that whoever redeems the code asked for it.
    Nothing,
}

/// What came for a code. Nothing of it is kept longer than it takes to learn who somebody is.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: Option<Zeroizing<String>>,
    pub(super) id_token: Option<Zeroizing<String>>,
    token_type: Option<String>,
    /// GitHub says so with 200.
    error: Option<String>,
}

/// Redeems the code.
pub(super) async fn redeem(
    client: &Client,
    endpoint: &str,
    client_id: &str,
    authentication: Authentication<'_>,
    returned: &Returned<'_>,
) -> Result<Tokens, UpstreamError> {
    const WHAT: &str = "the token endpoint";
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", returned.code),
        ("redirect_uri", returned.redirect_uri),
        ("code_verifier", returned.code_verifier),
    ];
    let (mut header, secret);
    header = None;
    match authentication {
        // Both halves are encoded first (RFC 6749 section 2.3.1): a colon in the id would end it.
        Authentication::Basic(secret) => {
            let pair = Zeroizing::new(format!("{}:{}", escape(client_id), escape(secret)));
            header = Some(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        }
        Authentication::Post(given) => {
            secret = given;
            form.extend([("client_id", client_id), ("client_secret", secret.as_str())]);
        }
        Authentication::Nothing => form.push(("client_id", client_id)),
    }
    let answer = client.post(WHAT, endpoint, &form, header.take()).await?;
    if answer.status != 200 {
        let said = serde_json::from_slice::<Tokens>(&answer.body).ok().and_then(|tokens| tokens.error);
        let said = word(said.as_deref());
        return Err(UpstreamError::Failed(format!("{WHAT} answered {}: {said}", answer.status)));
    }
    let tokens: Tokens = read(WHAT, &answer)?;
    if tokens.error.is_some() {
        return Err(UpstreamError::Failed(format!("{WHAT} refused: {}", word(tokens.error.as_deref()))));
    }
    if tokens.token_type.as_deref().is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(UpstreamError::Failed(format!("{WHAT} gave no bearer token")));
    }
    Ok(tokens)
}

/// An error code for the log, as far as it is one (RFC 6749 section 5.2).
fn word(text: Option<&str>) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '_' || *c == '-';
    text.unwrap_or("no reason").chars().filter(plain).take(64).collect()
}
