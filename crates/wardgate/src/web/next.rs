//! Where a browser goes once it has signed in. Whoever writes the link to a sign-in page names the address, so it is
//! judged before anybody is sent there (S-054).

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Where a browser goes when it asked for nothing, or for what is refused.
pub(crate) const DEFAULT_PAGE: &str = "/";

/// No page of an application has a longer address.
const MAX_BYTES: usize = 2048;

/// The address as it may stand in `Location`: a path on our own origin, or an address on one of the `allowed` origins,
/// which are compared whole. `None` for everything else, which is then nobody's page.
///
/// It is written for browsers, which read `\` as `/` and drop tabs and line ends (WHATWG URL section 4.4), so that
/// `/\e` and `/<tab>/e` lead to the host `e`.
pub(crate) fn destination<'a>(asked: &'a str, allowed: &[String]) -> Option<&'a str> {
    // Tabs, line ends, spaces, backslashes and what is no ASCII come encoded in what honest pages send.
    if asked.len() > MAX_BYTES || !asked.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return None;
    }
    let local = asked.starts_with('/').then_some(asked);
    let rest = local.or_else(|| allowed.iter().find_map(|origin| asked.strip_prefix(origin.as_str())))?;
    // Behind an origin anything else would make another host of it: `https://app.example.org@evil.org`.
    let is_whole = rest.is_empty() || rest.starts_with(['/', '?', '#']);
    (is_whole && is_plain_path(rest)).then_some(asked)
}

/// The query of an address, every value escaped.
pub(crate) fn query<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let pair = |(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
    pairs.map(pair).collect::<Vec<_>>().join("&")
}

/// Whether the path names one page however often it is decoded or normalised on the way: no empty segment, which after
/// `/..` would be another host's beginning, and nothing that turns into one.
fn is_plain_path(rest: &str) -> bool {
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let decoded = percent_decode_str(path).collect::<Vec<u8>>();
    let has = |pair: &[u8]| decoded.windows(2).any(|window| window == pair);
    !has(b"//") && !decoded.iter().any(|byte| byte.is_ascii_control() || *byte == b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(asked: &str) -> bool {
        let allowed = ["https://app.example.org".to_owned(), "http://localhost:3000".to_owned()];
        destination(asked, &allowed) == Some(asked)
    }

    #[test]
    fn pages_of_our_own_and_of_allowed_origins_pass() {
        for asked in [
            "/",
            "/account",
            "/a/b?c=d&e=https://other.example/#f",
            "/a%20b/%C3%A9",
            "/?next=//e",
            "/@e",
            "/a@b:c",
            "https://app.example.org",
            "https://app.example.org/",
            "https://app.example.org/a/b?c#d",
            "https://app.example.org?a",
            "https://app.example.org#a",
            "http://localhost:3000/x",
        ] {
            assert!(is_taken(asked), "{asked}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        // S-054
        for asked in [
            "",
            "e",
            "//e",
            "///e",
            "/\\e",
            "\\\\e",
            "\\/e",
            "/\t/e",
            "\t//e",
            "\t/e",
            "/\n/e",
            "/a\r\nSet-Cookie: x=y",
            " //e",
            " /e",
            "/a b",
            "/%09/e",
            "/%0d%0aSet-Cookie:x",
            "/%2fe",
            "/%2f%2fe",
            "/%5ce",
            "/%5Ce",
            "/..//e",
            "/.//e",
            "/a/%2e%2e//e",
            "@e",
            ".e",
            ":80",
            "?x",
            "#x",
            "https:e",
            "https:/e",
            "https://e",
            "HTTPS://e",
            "http://e",
            "ftp://e",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "https://app.example.org@e",
            "https://app.example.org:443/",
            "https://app.example.org.e/",
            "https://app.example.org:e@e/",
            "https://app.example.orge/",
            "https://app.example.org\\e",
            "https://app.example.org//e",
            "https://app.example.org%2f/",
            "https://APP.example.org/",
            "https://user@app.example.org/",
            "http://app.example.org/",
            "http://localhost:30001/",
            "http://localhost:3000@e/",
            "/\u{2028}/e",
            "/é",
            "/\u{0}",
        ] {
            assert!(!is_taken(asked), "{asked:?}");
        }
        assert!(is_taken(&format!("/{}", "a".repeat(MAX_BYTES - 1))));
        assert!(!is_taken(&format!("/{}", "a".repeat(MAX_BYTES))));
    }
}
