//! Which address a request comes from, behind proxies that we trust and clients that we do not.

use std::net::IpAddr;

use http::HeaderMap;

use crate::kernel::network::Network;

/// The right-most hop that is not a trusted proxy. Whatever a client writes further left changes nothing
/// (S-112); with no trusted proxy the header is not read at all.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return client;
    }
    // Lossy: one bad byte of a client's must not take the proxy's own hop in the same header along.
    let values =
        headers.get_all("x-forwarded-for").iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let values: Vec<_> = values.collect();
    let hops: Vec<&str> = values.iter().flat_map(|value| value.split(',')).map(str::trim).collect();
    for hop in hops.iter().rev() {
        // An unreadable hop ends the chain of trust: what lies left of it is a stranger's word.
        let Some(address) = parse_hop(hop) else { return client };
        client = address;
        if !is_trusted(client) {
            return client;
        }
    }
    client
}

/// An address, also with a port or in brackets as some proxies write it.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let address = hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip());
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address.or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let trusted =
            [Network::new("10.0.0.0".parse().unwrap(), 8), Network::new("fd00::".parse().unwrap(), 16)];
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn the_right_most_untrusted_hop_counts() {
        // S-112
        assert_eq!(client("203.0.113.9", &["1.1.1.1"]), "203.0.113.9", "a stranger's header is not read");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "198.51.100.7, 10.2.3.4"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["8.8.8.8, garbage, 10.2.3.4"]), "10.2.3.4");
        assert_eq!(client("10.0.0.1", &["é, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("::ffff:10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("fd00::1", &["::ffff:198.51.100.7"]), "198.51.100.7");
    }
}
