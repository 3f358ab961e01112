//! The one way out: requests of our own to addresses that somebody else chose (S-073).
//!
//! Whoever may name an address could otherwise have this server call what only it can reach: the database beside it,
//! the cloud's metadata service. So the address that a name resolves to is looked at, and exactly that one is
//! connected to: a name that resolves to another one a moment later changes nothing.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, Url, redirect};
use tracing::Instrument as _;
use tracing::field::Empty;

use crate::kernel::network::Network;

/// From resolving the name to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same for a certificate authority, which the operator chose.
#[cfg(feature = "acme")]
const AUTHORITY_PATIENCE: Duration = Duration::from_secs(30);

/// No answer that we ask for is longer.
const MAX_BYTES: usize = 1024 * 1024;

/// Sends requests to the public network, and to nothing else.
#[derive(Clone)]
pub struct Outbound {
    client: Client,
    allowed: Arc<[String]>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code; a redirect is not followed and shows here.
    pub status: u16,
    /// The body, up to 1 MiB.
    pub body: Vec<u8>,
}

/// Why nothing came back, or nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The text is no web address, or has a user name in it.
    #[error("is no web address")]
    Address,
    /// It is not https, and its host is not an allowed one.
    #[error("is not https")]
    Plain,
    /// The host lies in this machine or its own network, and is not an allowed one.
    #[error("{0} is no host of the public network, and none of the internal hosts that are allowed")]
    Internal(String),
    /// The answer is longer than 1 MiB.
    #[error("the answer is longer than 1 MiB")]
    TooLarge,
    /// Not reached, cut off, or no answer in time.
    #[error("{0}")]
    Failed(String),
}

/// What a name resolves to. The system does it, but for tests.
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of a host.
    fn resolve(&self, host: String) -> Resolved;
}

/// The addresses, later.
pub type Resolved = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// As this machine is set up to do it.
struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: String) -> Resolved {
        Box::pin(async move {
            // The port is the connection's, not the name's.
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

impl Outbound {
    /// A client that also reaches `allowed` hosts, names or addresses as they stand in a URL, wherever they lie and
    /// over plain HTTP too.
    ///
    /// # Errors
    /// The system has no certificates to check others by.
    pub fn new(allowed: impl IntoIterator<Item = String>) -> Result<Self, OutboundError> {
        Self::with_resolver(allowed, SystemResolver)
    }

    /// As [`new`](Self::new), with names resolved otherwise.
    #[doc(hidden)]
    pub fn with_resolver(
        allowed: impl IntoIterator<Item = String>,
        resolver: impl Resolver,
    ) -> Result<Self, OutboundError> {
        Self::build(allowed, resolver, |client| client.timeout(PATIENCE))
    }

    /// As [`new`](Self::new), for a certificate authority: it gets half a minute, since what it signs it writes down
    /// first, and where `roots` (PEM) are given its own certificate is checked by those alone.
    ///
    /// # Errors
    /// As [`new`](Self::new); `roots` are no certificates.
    #[cfg(feature = "acme")]
    pub fn for_authority(
        allowed: impl IntoIterator<Item = String>,
        roots: Option<&[u8]>,
    ) -> Result<Self, OutboundError> {
        let roots = roots.map(reqwest::Certificate::from_pem_bundle).transpose();
        let roots = roots.map_err(|error| failed(&error))?;
        if roots.as_ref().is_some_and(Vec::is_empty) {
            return Err(OutboundError::Failed("there is no certificate in PEM".to_owned()));
        }
        Self::build(allowed, SystemResolver, |client| {
            let client = client.timeout(AUTHORITY_PATIENCE);
            match roots {
                Some(roots) => client.tls_certs_only(roots),
                None => client,
            }
        })
    }

    fn build(
        allowed: impl IntoIterator<Item = String>,
        resolver: impl Resolver,
        settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, OutboundError> {
        let allowed: Arc<[String]> = allowed.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        let guard = Guard { resolver: Arc::new(resolver), allowed: Arc::clone(&allowed) };
        let client = settings(Client::builder())
            // Else whoever answers chooses where we go next.
            .redirect(redirect::Policy::none())
            // A proxy would resolve the name again, where nobody looks at what it finds.
            .no_proxy()
            .dns_resolver(Arc::new(guard))
            .user_agent("Wardgate")
            .build()
            .map_err(|error| failed(&error))?;
        Ok(Self { client, allowed })
    }

    /// Whether requests to this address would be sent, as far as its text tells.
    ///
    /// # Errors
    /// What [`post`](Self::post) would refuse without asking anybody.
    pub fn check(&self, url: &str) -> Result<(), OutboundError> {
        admit(url, &self.allowed).map(drop)
    }

    /// As [`check`](Self::check), for a client that does not exist yet.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_address(url: &str, allowed: &[String]) -> Result<(), OutboundError> {
        admit(url, allowed).map(drop)
    }

    /// Whether `to` is at one of the `allowed` hosts, and elsewhere than `from`: what a document says that somebody
    /// outside may have written is no permission to go inside.
    pub fn leads_inside(from: &str, to: &str, allowed: &[String]) -> bool {
        let origin = |url: &str| Url::parse(url).map(|url| url.origin());
        let is_inside =
            Url::parse(to).is_ok_and(|to| to.host_str().is_some_and(|host| is_allowed(allowed, host)));
        is_inside && origin(from) != origin(to)
    }

    /// Sends `body` and reads the answer.
    ///
    /// # Errors
    /// The address is refused, or nothing came back in time.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, String)],
        body: Vec<u8>,
    ) -> Result<Answer, OutboundError> {
        traced(
            "POST",
            |answer| answer.status,
            send(self.client.post(admit(url, &self.allowed)?).body(body), headers),
        )
        .await
    }

    /// Asks for what lies at an address.
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub async fn get(&self, url: &str, headers: &[(&str, String)]) -> Result<Answer, OutboundError> {
        traced("GET", |answer| answer.status, send(self.client.get(admit(url, &self.allowed)?), headers))
            .await
    }

    /// Sends any request, and gives the answer with its headers.
    #[cfg(feature = "acme")]
    pub(super) async fn exchange(
        &self,
        method: reqwest::Method,
        url: &str,
        headers: reqwest::header::HeaderMap,
        body: impl Into<reqwest::Body>,
    ) -> Result<(reqwest::StatusCode, reqwest::header::HeaderMap, Vec<u8>), OutboundError> {
        let address = admit(url, &self.allowed)?;
        let request = self.client.request(method.clone(), address).headers(headers).body(body);
        let sent = async {
            let mut response = request.send().await.map_err(|error| failed(&error))?;
            let headers = std::mem::take(response.headers_mut());
            Ok((response.status(), headers, read(response).await?))
        };
        traced(method.as_str(), |(status, ..)| status.as_u16(), sent).await
    }
}

/// A span around a request of our own, without its address: that is somebody's word, and may hold a secret (S-156).
async fn traced<T>(
    method: &str,
    status: impl Fn(&T) -> u16,
    sent: impl Future<Output = Result<T, OutboundError>>,
) -> Result<T, OutboundError> {
    let span = tracing::trace_span!(
        "call",
        otel.kind = "client",
        otel.name = method,
        otel.status_code = Empty,
        http.request.method = method,
        http.response.status_code = Empty,
    );
    let answer = sent.instrument(span.clone()).await;
    match &answer {
        Ok(answer) => span.record("http.response.status_code", i64::from(status(answer))),
        Err(_) => span.record("otel.status_code", "ERROR"),
    };
    answer
}

async fn send(mut request: RequestBuilder, headers: &[(&str, String)]) -> Result<Answer, OutboundError> {
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let response = request.send().await.map_err(|error| failed(&error))?;
    Ok(Answer { status: response.status().as_u16(), body: read(response).await? })
}

async fn read(mut response: Response) -> Result<Vec<u8>, OutboundError> {
    let mut body = Vec::new();
    // Whatever Content-Length says.
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(OutboundError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A host that is an address is never resolved, so it is looked at here. Parsing as browsers do (WHATWG URL) has
/// made one spelling of all: `0x7f.1`, `2130706433` and `017700000001` are 127.0.0.1 by now.
fn admit(url: &str, allowed: &[String]) -> Result<Url, OutboundError> {
    let url = Url::parse(url).map_err(|_| OutboundError::Address)?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    let host = url.host_str().filter(|_| !has_user).ok_or(OutboundError::Address)?;
    if is_allowed(allowed, host) && url.scheme() == "http" {
        return Ok(url);
    }
    if url.scheme() != "https" {
        return Err(if url.scheme() == "http" { OutboundError::Plain } else { OutboundError::Address });
    }
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    // This machine, whatever the resolver says (RFC 6761 §6.3).
    let is_localhost = host == "localhost" || host.ends_with(".localhost");
    if (is_localhost || literal.is_ok_and(|address| !is_public(address))) && !is_allowed(allowed, host) {
        return Err(OutboundError::Internal(host.to_owned()));
    }
    Ok(url)
}

fn is_allowed(allowed: &[String], host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    allowed.iter().any(|allowed| allowed.trim_start_matches('[').trim_end_matches(']') == bare)
}

/// Stands between the names and the connections.
struct Guard {
    resolver: Arc<dyn Resolver>,
    allowed: Arc<[String]>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let is_allowed = is_allowed(&self.allowed, &host);
        let found = self.resolver.resolve(host.clone());
        Box::pin(async move {
            let found = found.await?;
            // One of several is enough to refuse all: nobody honest mixes them.
            if !is_allowed && !found.iter().copied().all(is_public) {
                return Err(Box::new(OutboundError::Internal(host)) as Box<dyn Error + Send + Sync>);
            }
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// The innermost cause tells most: the client's own text only says that sending failed.
fn failed(error: &reqwest::Error) -> OutboundError {
    let mut cause: &(dyn Error + 'static) = error;
    loop {
        if let Some(ours) = cause.downcast_ref::<OutboundError>() {
            return ours.clone();
        }
        match cause.source() {
            Some(inner) => cause = inner,
            None => break,
        }
    }
    let text = if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() };
    OutboundError::Failed(text)
}

/// What is not the public network's, of IANA's special-purpose registry (RFC 6890), multicast (RFC 5771), the
/// reserved rest (RFC 1112) and, the last, Azure's metadata service at an address that looks like anybody's.
const NOT_PUBLIC_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
];

/// Global unicast (RFC 4291 section 2.4): all else is loopback, link-local, unique local, multicast or unassigned.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Of it, what is special: Teredo and other protocols' (RFC 2928), documentation (RFC 3849, RFC 9637), and 6to4, which
/// leads to any IPv4 address (RFC 3056).
const NOT_PUBLIC_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Where only this network is IPv6: an IPv4 address behind a translator (RFC 6052).
const NAT64: (Ipv6Addr, u8) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

fn lies_in(address: IpAddr, network: (impl Into<IpAddr>, u8)) -> bool {
    Network::new(network.0.into(), network.1).contains(address)
}

/// Whether an address is one of the public network.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !NOT_PUBLIC_V4.iter().any(|&network| lies_in(v4.into(), network)),
        IpAddr::V6(v6) if lies_in(v6.into(), NAT64) => {
            let [.., a, b, c, d] = v6.octets();
            is_public(Ipv4Addr::new(a, b, c, d).into())
        }
        IpAddr::V6(v6) => {
            let special = NOT_PUBLIC_V6.iter().any(|&network| lies_in(v6.into(), network));
            lies_in(v6.into(), GLOBAL_V6) && !special
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_is_inside_is_told_from_what_is_public() {
        // S-073
        for inside in [
            "0.0.0.0",
            "10.255.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.9.9.9",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "168.63.129.17",
            "172.32.0.1",
            "192.167.0.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    /// Public when it is asked for the first time, inside from then on.
    struct Rebinds(AtomicUsize);

    impl Resolver for Rebinds {
        fn resolve(&self, _: String) -> Resolved {
            let is_first = self.0.fetch_add(1, Ordering::Relaxed) == 0;
            let address = if is_first { Ipv4Addr::new(8, 8, 8, 8) } else { Ipv4Addr::LOCALHOST };
            Box::pin(async move { Ok(vec![address.into()]) })
        }
    }

    #[tokio::test]
    async fn what_was_looked_at_is_what_is_connected_to() {
        // S-073: a second look inside of one request would let a name that rebinds through.
        let resolver = Arc::new(Rebinds(AtomicUsize::new(0)));
        let guard = Guard { resolver: Arc::clone(&resolver) as Arc<dyn Resolver>, allowed: Arc::new([]) };
        let name = || "hooks.example.com".parse::<Name>().unwrap();
        let found: Vec<_> = guard.resolve(name()).await.unwrap().map(|address| address.ip()).collect();
        assert_eq!(found, [IpAddr::from([8, 8, 8, 8])]);
        assert_eq!(resolver.0.load(Ordering::Relaxed), 1);
        // Nothing is remembered of it: the next request looks for itself.
        let refused = guard.resolve(name()).await.err().unwrap();
        let internal = OutboundError::Internal("hooks.example.com".to_owned());
        assert_eq!(refused.downcast_ref::<OutboundError>(), Some(&internal));
    }

    #[test]
    fn an_address_is_judged_before_anybody_is_asked() {
        // S-073
        let out =
            Outbound::new(["Inside.Example".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()]).unwrap();
        for url in [
            "https://hooks.example.com/x",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]/",
            "http://inside.example:8080/",
            "https://inside.example/",
            "http://127.0.0.1:1/",
            "https://127.0.0.1/",
            "http://0x7f.1/",
            "http://[::1]:80/",
        ] {
            assert_eq!(out.check(url), Ok(()), "{url}");
        }
        let internal = |host: &str| Err(OutboundError::Internal(host.to_owned()));
        for (url, refusal) in [
            ("", Err(OutboundError::Address)),
            ("/path", Err(OutboundError::Address)),
            ("ftp://inside.example/", Err(OutboundError::Address)),
            ("file:///etc/passwd", Err(OutboundError::Address)),
            ("https://user@hooks.example.com/", Err(OutboundError::Address)),
            ("https://:secret@hooks.example.com/", Err(OutboundError::Address)),
            ("http://127.0.0.1@hooks.example.com/", Err(OutboundError::Address)),
            ("http://hooks.example.com/", Err(OutboundError::Plain)),
            ("http://inside.example.com/", Err(OutboundError::Plain)),
            ("http://10.0.0.1/", Err(OutboundError::Plain)),
            ("https://10.0.0.1/", internal("10.0.0.1")),
            ("https://169.254.169.254/latest/meta-data", internal("169.254.169.254")),
            ("https://2852039166/", internal("169.254.169.254")),
            ("https://0xa9fea9fe/", internal("169.254.169.254")),
            ("https://0251.0376.0251.0376/", internal("169.254.169.254")),
            ("https://169.254.43518/", internal("169.254.169.254")),
            ("https://127.1.0.1/", internal("127.1.0.1")),
            ("https://①⓪.0.0.1/", internal("10.0.0.1")),
            ("https://[::ffff:10.0.0.1]/", internal("[::ffff:a00:1]")),
            ("https://[fe80::1]/", internal("[fe80::1]")),
        ] {
            assert_eq!(out.check(url), refusal, "{url}");
        }
    }
}
