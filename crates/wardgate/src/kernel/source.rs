//! Where a request comes from, as it is written into sessions and audit records.

use std::net::{IpAddr, Ipv6Addr};

use super::ids::RequestId;
use super::language::Language;

/// The origin of one request or one command.
#[derive(Debug, Clone)]
pub struct Source {
    /// The peer's address: the right-most hop that is not a trusted proxy. `None` on the command line.
    pub address: Option<IpAddr>,
    /// The client's own description of itself, at most [`Source::MAX_USER_AGENT`] characters.
    pub user_agent: Option<String>,
    /// In which language whoever sent it would read a mail.
    pub language: Language,
    /// Joins log lines, audit records and the answer's `X-Request-Id`.
    pub request_id: RequestId,
}

impl Source {
    /// How much of a User-Agent is kept, in characters.
    pub const MAX_USER_AGENT: usize = 256;

    /// The address as text, `None` on the command line.
    pub fn address_text(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }

    /// What counts as one source: an IPv4 address, or the /64 that one IPv6 link holds, since whoever has one
    /// address there has 2^64 of them (S-112). `None` where no peer is known.
    pub(crate) fn network(&self) -> Option<IpAddr> {
        self.address.map(|address| match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(masked(v6, 64)),
            v4 => v4,
        })
    }

    /// The /48 that one IPv6 site holds: 65,536 of the networks above. `None` for IPv4.
    pub(crate) fn site(&self) -> Option<IpAddr> {
        match self.address?.to_canonical() {
            IpAddr::V6(v6) => Some(IpAddr::V6(masked(v6, 48))),
            IpAddr::V4(_) => None,
        }
    }

    /// What shares one place in a fair queue: an IPv4 address, or the /48 that one IPv6 site
    /// holds: whoever has 65,536 networks must not count as that many sources.
    pub(crate) fn fairness_key(&self) -> u128 {
        match self.address.map(|address| address.to_canonical()) {
            None => 0,
            Some(IpAddr::V4(v4)) => u128::from(v4.to_bits()) | (1 << 127),
            Some(IpAddr::V6(v6)) => v6.to_bits() >> 80,
        }
    }
}

fn masked(address: Ipv6Addr, prefix: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(address: &str) -> (String, Option<String>) {
        let request_id = RequestId::new(crate::kernel::time::Timestamp::from_millis(0), [0; 10]);
        let source = Source {
            address: Some(address.parse().unwrap()),
            user_agent: None,
            language: Language::default(),
            request_id,
        };
        (source.network().unwrap().to_string(), source.site().map(|site| site.to_string()))
    }

    #[test]
    fn an_ipv6_link_is_one_source_and_odd_spellings_are_equal() {
        // S-112
        let site = || Some("2001:db8:1::".to_owned());
        assert_eq!(keys("2001:db8:1:2::1"), ("2001:db8:1:2::".to_owned(), site()));
        assert_eq!(keys("2001:DB8:1:2:ffff:ffff:ffff:ffff"), ("2001:db8:1:2::".to_owned(), site()));
        assert_eq!(keys("2001:db8:1:3::1"), ("2001:db8:1:3::".to_owned(), site()));
        assert_eq!(keys("203.0.113.7"), ("203.0.113.7".to_owned(), None));
        assert_eq!(keys("::ffff:203.0.113.7"), ("203.0.113.7".to_owned(), None));
    }
}
