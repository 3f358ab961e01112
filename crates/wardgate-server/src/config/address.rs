//! Web addresses and networks in settings: parsed strictly, since tokens and headers are compared with them
//! letter by letter.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The part of a web address that a browser calls its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    pub(crate) https: bool,
    pub(crate) host: &'a str,
}

impl Origin<'_> {
    /// Whether the host can only be this machine: `localhost`, a name below it (RFC 6761 section 6.3), or a
    /// loopback address.
    pub(crate) fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let named = self.host == "localhost" || self.host.ends_with(".localhost");
        named || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Splits an address into its origin and what follows (a path, or nothing).
///
/// # Errors
/// Says what is wrong: no http or https in front, a user name, a host that browsers would spell otherwise, a
/// default port written out.
pub(crate) fn parse(text: &str) -> Result<(Origin<'_>, &str), &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("is not a full web address")?;
    let https = match scheme {
        "https" => true,
        "http" => false,
        _ => return Err("begins with neither https:// nor http://"),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("has a user name in it");
    }
    let (host, port) = split_port(authority);
    check_host(host)?;
    check_port(port, https)?;
    Ok((Origin { https, host }, path))
}

/// Checks that a path is made of plain segments, with no slash at its end, no query and no fragment
/// (RFC 8414 section 2 asks that of an issuer).
pub(crate) fn check_issuer_path(path: &str) -> Result<(), &'static str> {
    if path.contains(['?', '#']) {
        return Err("has a query or a fragment");
    }
    if path.ends_with('/') {
        return Err("ends with a slash");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let good = |segment: &str| !matches!(segment, "" | "." | "..") && segment.chars().all(plain);
    if path.split('/').skip(1).all(good) { Ok(()) } else { Err("has a path that proxies may rewrite") }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn check_port(port: Option<&str>, https: bool) -> Result<(), &'static str> {
    let Some(port) = port else { return Ok(()) };
    let plain = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
    match port.parse::<u16>() {
        Ok(443) if https => Err("spells out the default port, which browsers leave out"),
        Ok(80) if !https => Err("spells out the default port, which browsers leave out"),
        Ok(_) if plain => Ok(()),
        _ => Err("has no port from 1 to 65535 after the colon"),
    }
}

/// Checks a host as a URL has it: a name, an IPv4 address, or an IPv6 address in brackets.
///
/// # Errors
/// Says what is wrong.
pub(super) fn check_host(host: &str) -> Result<(), &'static str> {
    if let Some(bare) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        // Browsers write the one shortest form (RFC 5952); any other spelling would never be equal.
        let canonical = bare.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == bare);
        return if canonical {
            Ok(())
        } else {
            Err("has no IPv6 address in its shortest form in the brackets")
        };
    }
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("has upper case in the host, which browsers send in lower case");
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // `127.1` and `0x7f000001` reach 127.0.0.1 in many resolvers, but are no spelling that we compare.
    let numeric = host.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    let good = host.len() <= 253
        && if numeric { host.parse::<Ipv4Addr>().is_ok() } else { host.split('.').all(label) };
    if good { Ok(()) } else { Err("has no valid host name") }
}

/// A network of addresses, `10.0.0.0/8`; a single address is one with all bits fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    /// The lowest address of the network.
    pub(crate) address: IpAddr,
    /// How many leading bits are fixed: 1 to 32, or to 128 for IPv6.
    pub(crate) prefix: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `10.0.0.7`, `fd00::/8`.
    ///
    /// # Errors
    /// Says what is wrong. Bits behind the prefix are refused, for one of the two numbers is a mistake; so is
    /// `/0`, with which any client could name itself any address.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| "is no address or network")?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix =
            prefix.map_or(Ok(bits), str::parse::<u8>).map_err(|_| "has no number after the slash")?;
        match prefix {
            0 => Err("trusts every address, so that any client could claim any other's"),
            _ if prefix > bits => Err("has more bits after the slash than an address has"),
            _ if has_bits_behind(address, prefix) => Err("has bits set behind its prefix"),
            _ => Ok(Self { address, prefix }),
        }
    }
}

fn has_bits_behind(address: IpAddr, prefix: u8) -> bool {
    match address {
        IpAddr::V4(v4) => v4.to_bits().checked_shl(prefix.into()).is_some_and(|rest| rest != 0),
        IpAddr::V6(v6) => v6.to_bits().checked_shl(prefix.into()).is_some_and(|rest| rest != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_split_from_its_path() {
        let cases = [
            ("https://auth.example.com", true, "auth.example.com", ""),
            ("http://127.0.0.1:8080/", false, "127.0.0.1", "/"),
            ("https://[::1]:8443/a", true, "[::1]", "/a"),
            ("https://a.example?x", true, "a.example", "?x"),
        ];
        for (text, https, host, path) in cases {
            assert_eq!(parse(text), Ok((Origin { https, host }, path)), "{text}");
        }
    }

    #[test]
    fn addresses_that_no_browser_sends_are_refused() {
        let wrong = [
            "auth.example.com",
            "ftp://a.example",
            "https://",
            "https://A.example",
            "https://u@a.example",
            "https://a.example:443",
            "http://a.example:80",
            "https://a.example:",
            "https://a.example:0",
            "https://a.example:+8",
            "https://a.example:99999",
            "https://127.1",
            "https://0x7f000001",
            "https://[0:0::1]",
            "https://[::1",
            "https://a..example",
            "https://-a.example",
            "https://a_b.example",
            "https://a.example:08",
            "https://a b",
            "*",
            "null",
        ];
        for text in wrong {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn loopback_is_told_from_what_only_looks_like_it() {
        let loopback = |text| parse(text).unwrap().0.is_loopback();
        for text in ["http://localhost", "http://a.localhost:1", "http://127.0.0.9", "http://[::1]:8080"] {
            assert!(loopback(text), "{text}");
        }
        for text in ["http://localhost.example", "http://10.0.0.1", "http://notlocalhost", "http://[::2]"] {
            assert!(!loopback(text), "{text}");
        }
    }

    #[test]
    fn an_issuer_path_has_plain_segments_only() {
        for good in ["", "/auth", "/a/b-c.d"] {
            assert_eq!(check_issuer_path(good), Ok(()), "{good}");
        }
        for wrong in ["/", "/a/", "/a//b", "/../b", "/a?b", "#x", "/a%2fb", "/a b"] {
            assert!(check_issuer_path(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn networks_are_exact() {
        let network = |address: &str, prefix| Ok(Network { address: address.parse().unwrap(), prefix });
        assert_eq!(Network::parse("10.0.0.0/8"), network("10.0.0.0", 8));
        assert_eq!(Network::parse("10.1.2.3"), network("10.1.2.3", 32));
        assert_eq!(Network::parse("10.1.2.3/32"), network("10.1.2.3", 32));
        assert_eq!(Network::parse("fd00::/8"), network("fd00::", 8));
        assert_eq!(Network::parse("::1"), network("::1", 128));
        for wrong in
            ["10.0.0.1/8", "0.0.0.0/0", "::/0", "10.0.0.0/33", "fd00::1/64", "10.0.0.0/", "10.0/8", "proxy"]
        {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }
}
