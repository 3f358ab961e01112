//! What wraps every request: its origin, its limits, the headers of its answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, USER_AGENT,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri};

use super::client_ip::client_address;
use super::docs::{DOCS_CSP, DOCS_PATH};
use super::problem::InternalCause;
use crate::kernel::error::AuthError;
use crate::kernel::ids::RequestId;
use crate::kernel::language::Language;
use crate::kernel::network::Network;
use crate::kernel::source::Source;
use crate::ports::{Clock, Rng};

/// The longest header section, in bytes, counted as names and values (S-145).
const MAX_HEADER_BYTES: usize = 16 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const API_CSP: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// What the envelope needs to know.
pub(crate) struct Envelope {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) trusted_proxies: Vec<Network>,
    /// Whether only loopback names are answered: a development server must not be reachable through a
    /// stranger's DNS name that points at 127.0.0.1.
    pub(crate) loopback_hosts_only: bool,
}

/// The middleware.
pub(crate) async fn wrap(
    State(envelope): State<Arc<Envelope>>,
    mut request: Request,
    next: Next,
) -> Response {
    let source = envelope.source(request.headers(), request.extensions());
    let is_docs = request.uri().path().starts_with(DOCS_PATH);
    let mut response = match envelope.admit(&request) {
        Ok(()) => {
            request.extensions_mut().insert(source.clone());
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    };
    if let Some(InternalCause(cause)) = response.extensions().get() {
        tracing::error!(request_id = %source.request_id, cause, "a request failed");
    }
    protect(response.headers_mut(), &source, is_docs);
    response
}

impl Envelope {
    fn admit(&self, request: &Request) -> Result<(), AuthError> {
        let bytes: usize =
            request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if bytes + request.uri().path().len() + request.uri().query().map_or(0, str::len) > MAX_HEADER_BYTES {
            return Err(AuthError::HeadersTooLarge);
        }
        if self.loopback_hosts_only && !names_loopback(request.uri(), request.headers()) {
            return Err(AuthError::UntrustedHost);
        }
        Ok(())
    }

    /// Where a request comes from.
    pub(crate) fn source(&self, headers: &HeaderMap, extensions: &Extensions) -> Source {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        let mut random = [0; 10];
        self.rng.fill(&mut random);
        Source {
            address: peer.map(|peer| client_address(peer, headers, &self.trusted_proxies)),
            user_agent: user_agent(headers),
            language: language(headers),
            request_id: RequestId::new(self.clock.now(), random),
        }
    }
}

fn language(headers: &HeaderMap) -> Language {
    let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    header.map_or_else(Language::default, Language::accepted)
}

/// The User-Agent as one harmless line (S-132).
fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(USER_AGENT)?.as_bytes());
    Some(text.chars().filter(|c| !c.is_control()).take(Source::MAX_USER_AGENT).collect())
}

fn names_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let host =
        headers.get(HOST).and_then(|value| value.to_str().ok()).or(uri.authority().map(|a| a.as_str()));
    let Some(host) = host else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn protect(headers: &mut HeaderMap, source: &Source, is_docs: bool) {
    if let Ok(id) = HeaderValue::from_str(&source.request_id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(if is_docs { DOCS_CSP } else { API_CSP });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback(host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        names_loopback(&Uri::from_static("/"), &headers)
    }

    #[test]
    fn only_loopback_names_are_loopback() {
        for name in
            ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:9", "127.8.8.8", "[::1]", "[::1]:80"]
        {
            assert!(loopback(name), "{name}");
        }
        for name in
            ["example.com", "localhost.example.com", "127.0.0.1.nip.io", "[2001:db8::1]", "0.0.0.0", ""]
        {
            assert!(!loopback(name), "{name}");
        }
        assert!(!names_loopback(&Uri::from_static("/"), &HeaderMap::new()));
    }
}
