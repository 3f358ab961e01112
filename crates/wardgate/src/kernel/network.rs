//! Ranges of addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address range, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// The text is not an address or a range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an address or a network such as 192.0.2.0/24 or 2001:db8::/32")]
pub struct InvalidNetwork;

impl Network {
    /// The range of addresses that share their first `prefix` bits with `address`; `prefix` is cut to the
    /// address's length.
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        let address = address.to_canonical();
        let longest = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix: prefix.min(longest) }
    }

    /// Whether `other` lies in it; an IPv4 address mapped into IPv6 is the IPv4 address (S-112).
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                same_bits(a.to_bits().into(), b.to_bits().into(), 32 - self.prefix)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => same_bits(a.to_bits(), b.to_bits(), 128 - self.prefix),
            _ => false,
        }
    }
}

fn same_bits(a: u128, b: u128, ignored: u8) -> bool {
    (a ^ b).checked_shr(ignored.into()).unwrap_or(0) == 0
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) => {
                let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                let prefix: Option<u8> = digits.parse().ok().filter(|prefix| plain && *prefix <= longest);
                prefix.ok_or(InvalidNetwork)?
            }
        };
        // `::ffff:10.0.0.0/104` means an IPv4 range in a spelling that nobody reads the same way twice.
        if address.to_canonical() == address { Ok(Self { address, prefix }) } else { Err(InvalidNetwork) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lies_in(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_holds_the_addresses_that_share_its_prefix() {
        assert!(lies_in("192.0.2.0/24", "192.0.2.255") && !lies_in("192.0.2.0/24", "192.0.3.0"));
        assert!(lies_in("192.0.2.7", "192.0.2.7") && !lies_in("192.0.2.7", "192.0.2.8"));
        assert!(lies_in("0.0.0.0/0", "8.8.8.8") && !lies_in("0.0.0.0/0", "2001:db8::1"));
        assert!(lies_in("2001:db8::/32", "2001:db8:ffff::1") && !lies_in("2001:db8::/32", "2001:db9::"));
        assert!(lies_in("192.0.2.0/24", "::ffff:192.0.2.9"), "mapped spellings are equal");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for wrong in [
            "",
            "/",
            "192.0.2.0/33",
            "192.0.2.0/",
            "192.0.2.0/+8",
            "192.0.2/24",
            "2001:db8::/129",
            "::ffff:10.0.0.0/104",
            "a/8",
        ] {
            assert_eq!(wrong.parse::<Network>(), Err(InvalidNetwork), "{wrong}");
        }
    }
}
