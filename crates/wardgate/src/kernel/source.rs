//! Where a request comes from, as it is written into sessions and audit records.

use std::net::IpAddr;

use super::ids::RequestId;

/// The origin of one request or one command.
#[derive(Debug, Clone)]
pub struct Source {
    /// The peer's address: the right-most hop that is not a trusted proxy. `None` on the command line.
    pub address: Option<IpAddr>,
    /// The client's own description of itself, at most [`Source::MAX_USER_AGENT`] characters.
    pub user_agent: Option<String>,
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
