//! The way to the collector: the one client for requests of our own, which follows no redirect and has its patience.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;
use wardgate::{Answer, Outbound, OutboundError};

use crate::config::{Header, Otlp};

/// Takes batches to the collector. A batch that it does not take is gone: nothing is kept that would grow.
pub(super) struct Collector {
    client: Outbound,
    headers: Arc<[Header]>,
    runtime: Handle,
    /// Whether the last batch was lost.
    away: AtomicBool,
}

impl Collector {
    /// # Errors
    /// The system has no certificates to check others by.
    pub(super) fn new(otlp: &Otlp, runtime: Handle) -> Result<Self, OutboundError> {
        // The operator says where it lies, and a collector mostly lies inside.
        let client = Outbound::new([otlp.host.clone()])?;
        Ok(Self { client, headers: Arc::clone(&otlp.headers), runtime, away: AtomicBool::new(false) })
    }

    /// The exporter calls from a thread of its own, where no timer and no connection runs.
    async fn send(&self, request: Request<Bytes>) -> Result<Answer, String> {
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
        match sent.await {
            Ok(Ok(answer)) if (200..300).contains(&answer.status) => Ok(answer),
            Ok(Ok(answer)) => Err(format!("it answered with status {}", answer.status)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the server has stopped".to_owned()),
        }
    }

    /// Says each change once, not each batch.
    fn tell(&self, sent: &Result<Answer, String>) {
        let was_away = self.away.swap(sent.is_err(), Ordering::Relaxed);
        match sent {
            Ok(_) if was_away => tracing::info!("the collector of traces is back"),
            Err(error) if !was_away => {
                tracing::warn!(error, "the collector does not take traces: they are lost until it does");
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
            let sent = self.send(request).await;
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
