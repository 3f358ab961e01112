//! Sends records to an address, signed as the Standard Webhooks specification 1.0 has it.

use serde_json::json;
use wardgate_crypto::WebhookKey;

use super::model::AuditEvent;
use super::sink::{Delivery, EventSink, SinkError};
use crate::kernel::time::Timestamp;
use crate::ports::{Outbound, OutboundError};

/// Sends each batch of records with one POST. It was taken when the answer is 2xx; redirects are not followed.
///
/// The body is `{"type": "audit.records", "timestamp": …, "data": {"records": […]}}`. `webhook-signature` covers the
/// body, `webhook-id`, which stays the same when the same batch is sent again, and `webhook-timestamp`, by which the
/// receiver refuses what was recorded and played back.
pub struct WebhookSink {
    outbound: Outbound,
    url: String,
    key: WebhookKey,
}

impl WebhookSink {
    /// Sends to `url`.
    ///
    /// # Errors
    /// `outbound` would not send there.
    pub fn new(outbound: Outbound, url: impl Into<String>, key: WebhookKey) -> Result<Self, OutboundError> {
        let url = url.into();
        outbound.check(&url)?;
        Ok(Self { outbound, url, key })
    }

    async fn send(&self, records: &[AuditEvent], now: Timestamp) -> Result<(), SinkError> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
        let body = json!({ "type": "audit.records", "timestamp": last.at, "data": { "records": records } });
        let body = body.to_string().into_bytes();
        let id = format!("{}-{}", first.id, records.len());
        let seconds = now.as_millis().div_euclid(1000);
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-signature", self.key.sign(&id, seconds, &body)),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-id", id),
        ];
        match self.outbound.post(&self.url, &headers, body).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(SinkError::new(format!("it answered {}", answer.status))),
            Err(error) => Err(SinkError::new(error.to_string())),
        }
    }
}

impl EventSink for WebhookSink {
    fn name(&self) -> &str {
        "webhook"
    }

    fn deliver<'a>(&'a self, records: &'a [AuditEvent], now: Timestamp) -> Delivery<'a> {
        Box::pin(self.send(records, now))
    }
}
