//! The way to the collector: the one client for requests of our own, which follows no redirect and has its patience.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_sdk::Resource;
use tokio::runtime::Handle;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;
use wardgate::{Answer, Outbound};

use crate::config::{Header, Otlp};
use crate::failure::Failure;

/// What may wait to be sent, of either kind; whatever comes on top is lost.
pub(super) const QUEUE: usize = 4096;
pub(super) const BATCH: usize = 512;

/// How long something waits for others to go with.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// More than a stop waits for.
pub(super) const LAST_BATCH: Duration = Duration::from_secs(5);

/// What it is all from. Not what the SDK finds by itself: the environment is not where Wardgate's settings are.
pub(super) fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder_empty().with_service_name("wardgate").with_attribute(version).build()
}

pub(super) fn fault(error: &dyn std::error::Error) -> Failure {
    Failure::Usage(format!("telemetry.otlp_endpoint: {error}"))
}

/// Takes batches to the collector. A batch that it does not take is gone: nothing is kept that would grow.
pub(super) struct Collector {
    /// Of what they are.
    batches: &'static str,
    client: Outbound,
    headers: Arc<[Header]>,
    runtime: Handle,
    /// Whether the last batch was lost.
    away: AtomicBool,
}

impl Collector {
    /// # Errors
    /// The system has no certificates to check others by.
    pub(super) fn new(batches: &'static str, otlp: &Otlp, runtime: Handle) -> Result<Self, Failure> {
        // The operator says where it lies, and a collector mostly lies inside.
        let client = Outbound::new([otlp.host.clone()]).map_err(|error| fault(&error))?;
        Ok(Self {
            batches,
            client,
            headers: Arc::clone(&otlp.headers),
            runtime,
            away: AtomicBool::new(false),
        })
    }

    /// The exporter calls from a thread of its own, where no timer and no connection runs. `None` once the server is gone.
    async fn send(&self, request: Request<Bytes>) -> Option<Result<Answer, String>> {
        let (client, own) = (self.client.clone(), Arc::clone(&self.headers));
        let sent = async move {
            let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            let mut headers: Vec<(&str, String)> =
                own.iter().map(|(name, value)| (name.as_str(), value.expose().clone())).collect();
            headers.extend(kind.map(|kind| (CONTENT_TYPE.as_str(), kind.to_owned())));
            client.post(&request.uri().to_string(), &headers, request.body().to_vec()).await
        };
        // Else each batch would make the spans of the next one.
        let sent = self.runtime.spawn(sent.with_subscriber(NoSubscriber::default()));
        Some(match sent.await.ok()? {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer),
            Ok(answer) => Err(format!("it answered with status {}", answer.status)),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Says each change once, not each batch.
    fn tell(&self, sent: &Result<Answer, String>) {
        let batches = self.batches;
        let was_away = self.away.swap(sent.is_err(), Ordering::Relaxed);
        match sent {
            Ok(_) if was_away => tracing::info!("the collector takes {batches} again"),
            Err(error) if !was_away => {
                tracing::warn!(error, "the collector does not take {batches}: they are lost until it does");
            }
            _ => {}
        }
    }
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'f>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let sent = self.send(request).await.ok_or("the server is gone")?;
            self.tell(&sent);
            Ok(Response::new(Bytes::from(sent?.body)))
        })
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}
