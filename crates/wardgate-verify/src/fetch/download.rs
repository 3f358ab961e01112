//! One request for a JWKS, with its limits.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url, redirect};

use super::error::FetchError;
use crate::jwk::JwkSet;
use crate::keyset::KeySet;

/// From the connection to the last byte.
const PATIENCE: Duration = Duration::from_secs(5);

/// A key takes half a kilobyte; nobody has two thousand.
const MAX_BYTES: usize = 1024 * 1024;

pub(super) struct Download {
    url: Url,
    client: Client,
}

impl Download {
    pub(super) fn new(url: &str) -> Result<Self, FetchError> {
        Self::with_patience(url, PATIENCE)
    }

    pub(super) fn with_patience(url: &str, patience: Duration) -> Result<Self, FetchError> {
        let url = Url::parse(url).map_err(|_| FetchError::Address)?;
        let local = is_loopback(&url);
        if url.scheme() != "https" && !(local && url.scheme() == "http") {
            return Err(FetchError::Address);
        }
        let mut client = Client::builder()
            .timeout(patience)
            // An open redirect at the issuer would let others choose the keys.
            .redirect(redirect::Policy::none())
            .https_only(!local);
        if local {
            // What is meant for this machine must not pass a proxy on another.
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| request(&error))?;
        Ok(Self { url, client })
    }

    pub(super) fn url(&self) -> &str {
        self.url.as_str()
    }

    pub(super) async fn keys(&self) -> Result<KeySet, FetchError> {
        let response = self.client.get(self.url.clone()).send().await.map_err(|error| request(&error))?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let body = read(response).await?;
        let set: JwkSet = serde_json::from_slice(&body).map_err(|_| FetchError::Form)?;
        Ok(KeySet::from_jwks(&set)?)
    }
}

/// Stops at the limit, whatever `Content-Length` says.
async fn read(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| request(&error))? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost cause tells most: reqwest's own text says that sending failed.
fn request(error: &reqwest::Error) -> FetchError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    FetchError::Request(if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() })
}

/// An address of this machine, or the name that RFC 6761 section 6.3 keeps for it.
fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_asked() {
        for good in [
            "https://auth.example.com/.well-known/jwks.json",
            "https://10.0.0.1/jwks",
            "http://127.0.0.1:8080/jwks",
            "http://127.9.9.9/jwks",
            "http://[::1]:8080/jwks",
            "http://localhost:8080/jwks",
        ] {
            assert!(Download::new(good).is_ok(), "{good}");
        }
        for bad in [
            "http://auth.example.com/jwks",
            "http://10.0.0.1/jwks",
            "http://0.0.0.0/jwks",
            "http://localhost.example.com/jwks",
            "http://127.0.0.1.example.com/jwks",
            "http://127.0.0.1@example.com/jwks",
            "ftp://127.0.0.1/jwks",
            "file:///etc/jwks.json",
            "/jwks",
            "",
        ] {
            assert_eq!(Download::new(bad).err(), Some(FetchError::Address), "{bad}");
        }
    }
}
