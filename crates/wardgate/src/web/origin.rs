//! Whether a request with a cookie comes from a page that may make it.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, Method};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Which pages' requests pass with a cookie.
#[derive(Debug, Clone)]
pub(crate) struct Origins {
    issuer: String,
    scheme: &'static str,
    allowed: Vec<String>,
}

/// Whose host the request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// This server's.
    Directly,
    /// That of the application behind the proxy that asks whether a request may pass. A page of another site cannot
    /// set the header without a preflight, which nobody answers.
    ByProxy,
}

impl Origins {
    /// `issuer` is a URL; `allowed` are origins, compared whole.
    pub(crate) fn new(issuer: &str, allowed: Vec<String>) -> Self {
        let (scheme, rest) = issuer.split_once("://").unwrap_or(("https", issuer));
        let authority = rest.split('/').next().unwrap_or_default();
        let issuer = format!("{scheme}://{authority}");
        Self { issuer, scheme: if scheme == "http" { "http" } else { "https" }, allowed }
    }

    /// Whether cookies are marked for HTTPS only.
    pub(crate) fn are_secure(&self) -> bool {
        self.scheme == "https"
    }

    /// Whether what `method` asks for passes: reading always, since it changes nothing (S-052); writing from the
    /// request's own host, the issuer, an origin that was allowed, or from what is no browser (S-051, S-053).
    pub(crate) fn admit(&self, method: &Method, headers: &HeaderMap, asked: Asked) -> bool {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return true;
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        let site = headers.get(SEC_FETCH_SITE).map(|site| site.to_str().unwrap_or_default());
        let Some(origin) = origins.next() else { return site.is_none_or(|site| site == "same-origin") };
        let Ok(origin) = origin.to_str() else { return false };
        if origins.next().is_some() {
            return false;
        }
        if self.allowed.iter().any(|allowed| allowed == origin) {
            return true;
        }
        site != Some("cross-site") && (origin == self.issuer || self.is_own_host(origin, headers, asked))
    }

    fn is_own_host(&self, origin: &str, headers: &HeaderMap, asked: Asked) -> bool {
        let names: &[HeaderName] = match asked {
            Asked::Directly => &[HOST],
            Asked::ByProxy => &[HOST, FORWARDED_HOST],
        };
        let hosts = names.iter().filter_map(|name| headers.get(name)?.to_str().ok());
        let authority = origin.strip_prefix(self.scheme).and_then(|rest| rest.strip_prefix("://"));
        authority.is_some_and(|authority| {
            !authority.is_empty() && hosts.into_iter().any(|host| host.eq_ignore_ascii_case(authority))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(method: &Method, headers: &[(&str, &str)], asked: Asked) -> bool {
        let origins =
            Origins::new("https://auth.example.com/base", vec!["https://app.example.org".to_owned()]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        origins.admit(method, &map, asked)
    }

    #[test]
    fn writing_passes_from_known_origins_only() {
        // S-051
        let host = ("host", "api.example.com");
        for (headers, passes) in [
            (&[host][..], true),
            (&[host, ("origin", "https://api.example.com")], true),
            (&[host, ("origin", "https://API.example.com")], true),
            (&[host, ("origin", "https://auth.example.com")], true),
            (&[host, ("origin", "https://app.example.org"), ("sec-fetch-site", "cross-site")], true),
            (&[host, ("sec-fetch-site", "same-origin")], true),
            (&[host, ("origin", "http://api.example.com")], false),
            (&[host, ("origin", "https://api.example.com:8443")], false),
            (&[host, ("origin", "https://api.example.com.evil.org")], false),
            (&[host, ("origin", "https://evil.org")], false),
            (&[host, ("origin", "null")], false),
            (&[host, ("origin", "")], false),
            (&[host, ("origin", "https://")], false),
            (&[host, ("origin", "https://app.example.org/")], false),
            (&[host, ("origin", "https://api.example.com"), ("origin", "https://evil.org")], false),
            (&[host, ("origin", "https://api.example.com"), ("sec-fetch-site", "cross-site")], false),
            (&[host, ("sec-fetch-site", "cross-site")], false),
            (&[host, ("sec-fetch-site", "same-site")], false),
            (&[host, ("sec-fetch-site", "none")], false),
            (&[host, ("origin", "https://other.com"), ("x-forwarded-host", "other.com")], false),
        ] {
            assert_eq!(admits(&Method::POST, headers, Asked::Directly), passes, "{headers:?}");
            assert!(admits(&Method::GET, headers, Asked::Directly), "{headers:?}");
        }
        let forwarded = [host, ("origin", "https://other.com"), ("x-forwarded-host", "other.com")];
        assert!(admits(&Method::POST, &forwarded, Asked::ByProxy));
    }
}
