//! What wraps every request: its origin, its limits, the headers of its answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, USER_AGENT, X_CONTENT_TYPE_OPTIONS,
};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri};
use tracing::Instrument as _;

use super::client_ip::client_address;
use super::docs::{DOCS_CSP, DOCS_PATH};
use super::problem::InternalCause;
use super::trace;
use crate::kernel::error::AuthError;
use crate::kernel::ids::RequestId;
use crate::kernel::language::Language;
use crate::kernel::network::Network;
use crate::kernel::source::Source;
use crate::ports::meter::Meter;
use crate::ports::{Clock, Rng};

/// The longest header section, in bytes, counted as names and values (S-145).
const MAX_HEADER_BYTES: usize = 16 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const API_CSP: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Browsers stay on TLS for a year, for names below this one as well: a cookie could be planted through one of those.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// What the envelope needs to know.
pub(crate) struct Envelope {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) trusted_proxies: Vec<Network>,
    /// Whether every client is on TLS.
    pub(crate) tls: bool,
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
    // HTTP/2 names the host in the address alone (RFC 9113 §8.3.1), and an address that names one overrules the header
    // (RFC 9112 §3.2.2): from here on there is one place to look.
    if let Some(host) = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        request.headers_mut().insert(HOST, host);
    }
    let (came, method) = (envelope.clock.monotonic(), request.method().clone());
    let outer = request.extensions().get::<MatchedPath>().cloned();
    let source = envelope.source(request.headers(), request.extensions());
    let is_secure = envelope.is_secure(request.headers(), request.extensions());
    let is_docs = request.uri().path().starts_with(DOCS_PATH);
    let span = trace::request(&method, outer.as_ref(), source.request_id);
    let mut response = match envelope.admit(&request) {
        Ok(()) => {
            request.extensions_mut().insert(source.clone());
            next.run(request).instrument(span.clone()).await
        }
        Err(refusal) => refusal.into_response(),
    };
    if let Some(InternalCause(cause)) = response.extensions().get() {
        span.in_scope(|| tracing::error!(request_id = %source.request_id, cause, "a request failed"));
    }
    protect(response.headers_mut(), &source, is_docs);
    if is_secure {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    let route = response.extensions().get().or(outer.as_ref()).map(MatchedPath::as_str);
    let took = envelope.clock.monotonic().saturating_sub(came);
    envelope.meter.answered(method.as_str(), route, response.status().as_u16(), took);
    trace::answered(&span, route, response.status());
    response
}

/// Tells [`wrap`] which route of a tenant's it was; from outside it is the one that leads to all of them.
pub(crate) async fn tell_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
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

    /// Whether the client is on TLS, for all that we know. Over plain HTTP the header must not be sent (RFC 6797 section
    /// 7.2), and a stranger's word for it counts for nothing (S-135).
    fn is_secure(&self, headers: &HeaderMap, extensions: &Extensions) -> bool {
        let peer =
            extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical());
        let is_trusted = |peer| self.trusted_proxies.iter().any(|network| network.contains(peer));
        self.tls
            || headers.get(X_FORWARDED_PROTO).is_some_and(|scheme| scheme == "https")
                && peer.is_some_and(is_trusted)
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
