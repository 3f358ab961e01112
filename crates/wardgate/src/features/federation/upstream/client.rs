//! Requests to providers, through the one way out.

use std::sync::OnceLock;

use serde::de::DeserializeOwned;

use crate::ports::{Answer, Outbound, OutboundError, UpstreamError};

/// Asks providers. What it needs from the system, certificates among it, is fetched with the first request: most gates
/// never send one.
pub(in super::super) struct Client {
    internal_hosts: Vec<String>,
    outbound: OnceLock<Result<Outbound, OutboundError>>,
}

impl Client {
    /// One that also reaches these hosts wherever they lie.
    pub(in super::super) fn new(internal_hosts: &[String]) -> Self {
        let internal_hosts = internal_hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        Self { internal_hosts, outbound: OnceLock::new() }
    }

    /// Refuses an address that nothing would be sent to; also for those that the browser is sent to.
    pub(super) fn check(&self, url: &str) -> Result<(), UpstreamError> {
        Outbound::check_address(url, &self.internal_hosts)
            .map_err(|refusal| UpstreamError::Failed(format!("{url:?} {refusal}")))
    }

    /// As [`check`](Self::check), for an address that this issuer's document names. One inside must be the issuer's
    /// own: whoever sets a provider up could otherwise have forms posted to every host that the operator allows.
    pub(super) fn check_endpoint(&self, issuer: &str, url: &str) -> Result<(), UpstreamError> {
        self.check(url)?;
        if Outbound::leads_inside(issuer, url, &self.internal_hosts) {
            return Err(UpstreamError::Failed(format!(
                "{url:?} is an internal host's, and not the issuer's"
            )));
        }
        Ok(())
    }

    /// What lies at an address, as JSON.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        what: &str,
        url: &str,
        bearer: Option<&str>,
    ) -> Result<T, UpstreamError> {
        let mut headers = vec![("accept", "application/json".to_owned())];
        headers.extend(bearer.map(|token| ("authorization", format!("Bearer {token}"))));
        let answer = self.outbound()?.get(url, &headers).await;
        read(what, &answer.map_err(|error| failed(what, &error))?)
    }

    /// What comes back for a form.
    pub(super) async fn post(
        &self,
        what: &str,
        url: &str,
        form: &[(&str, &str)],
        authorization: Option<String>,
    ) -> Result<Answer, UpstreamError> {
        let mut headers = vec![
            ("accept", "application/json".to_owned()),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ];
        headers.extend(authorization.map(|value| ("authorization", value)));
        let answer = self.outbound()?.post(url, &headers, encode(form).into_bytes()).await;
        answer.map_err(|error| failed(what, &error))
    }

    fn outbound(&self) -> Result<&Outbound, UpstreamError> {
        let made = self.outbound.get_or_init(|| Outbound::new(self.internal_hosts.iter().cloned()));
        made.as_ref().map_err(|error| failed("the client", error))
    }
}

fn failed(what: &str, error: &OutboundError) -> UpstreamError {
    UpstreamError::Failed(format!("{what}: {error}"))
}

/// The answer's JSON, if it is a success.
pub(super) fn read<T: DeserializeOwned>(what: &str, answer: &Answer) -> Result<T, UpstreamError> {
    if answer.status != 200 {
        return Err(UpstreamError::Failed(format!("{what} answered {}", answer.status)));
    }
    // What it says may hold tokens, so the fault's own text is left out.
    serde_json::from_slice(&answer.body)
        .map_err(|_| UpstreamError::Failed(format!("{what} is not the JSON that was asked for")))
}

/// The pairs as `application/x-www-form-urlencoded`, which a query is written in as well.
pub(super) fn encode(pairs: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", escape(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// All but the unreserved characters of RFC 3986 escaped.
pub(super) fn escape(text: &str) -> String {
    const RESERVED: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(text, RESERVED).to_string()
}

/// An address with more in its query.
pub(super) fn with_query(url: &str, pairs: &[(&str, &str)]) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{}", encode(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_escaped() {
        let pairs = [("a", "x y&z=1"), ("b", "https://é/?#"), ("c", "-._~")];
        let query = "a=x%20y%26z%3D1&b=https%3A%2F%2F%C3%A9%2F%3F%23&c=-._~";
        assert_eq!(
            with_query("https://op.example.com/auth", &pairs),
            format!("https://op.example.com/auth?{query}")
        );
        assert_eq!(
            with_query("https://op.example.com/auth?p=1", &pairs),
            format!("https://op.example.com/auth?p=1&{query}")
        );
    }
}
