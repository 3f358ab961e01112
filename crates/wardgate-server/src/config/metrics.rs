//! `[metrics]`: where what is counted can be read.

use std::net::SocketAddr;

use serde::Deserialize;

use super::{address, check::Checker};

const LISTEN: &str = "metrics.listen";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMetrics {
    listen: Option<String>,
    beyond_loopback: bool,
    hosts: Vec<String>,
}

/// The checked section.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// `None`: nowhere.
    pub(crate) listen: Option<SocketAddr>,
    /// Names under which it is asked, besides addresses and names that no stranger can own.
    pub(crate) hosts: Vec<String>,
}

pub(super) fn check(checker: &mut Checker<'_>) -> Metrics {
    let raw: RawMetrics = checker.section("metrics");
    let example = "a host as a URL has it, such as \"wardgate.example.com\"";
    let hosts = checker.items("metrics.hosts", &raw.hosts, example, |host| {
        address::check_host(host).map(|()| host.to_owned())
    });
    let hosts = hosts.unwrap_or_default();
    let Some(text) = raw.listen else { return Metrics { listen: None, hosts } };
    let Ok(address) = text.parse::<SocketAddr>() else {
        checker.fault(LISTEN, "is no address and port", "\"127.0.0.1:9464\", or \"[::1]:9464\" for IPv6");
        return Metrics { listen: None, hosts };
    };
    // Whoever reads them asks for no credential. (S-138)
    if !address.ip().to_canonical().is_loopback() && !raw.beyond_loopback {
        checker.fault(
            LISTEN,
            "would show the metrics to whoever reaches this address",
            "\"127.0.0.1:9464\", or beyond_loopback = true if only your scraper reaches it",
        );
    }
    Metrics { listen: Some(address), hosts }
}
