//! Log lines that go the way of traces, each with the trace it belongs to.

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::logs::{BatchConfigBuilder, BatchLogProcessor, SdkLoggerProvider};
use tokio::runtime::Handle;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::{EnvFilter, Layer as _};

use super::BoxedLayer;
use super::collector::{BATCH, Collector, LAST_BATCH, PAUSE, QUEUE, fault, resource};
use crate::config::{Otlp, Telemetry};
use crate::failure::Failure;

/// Whose lines are mails in whole, with their links: a development server's inbox.
const INBOX: &str = "wardgate::ports::mailer::inbox";

/// The way that lines go, until it is closed.
pub(super) struct Logs(SdkLoggerProvider);

impl Logs {
    /// The layer that sends what the log shows, and what ends it.
    ///
    /// # Errors
    /// The client of the collector cannot be made.
    pub(super) fn start(
        settings: &Telemetry,
        otlp: &Otlp,
        runtime: &Handle,
    ) -> Result<(BoxedLayer, Self), Failure> {
        let exporter = LogExporter::builder()
            .with_http()
            .with_http_client(Collector::new("log lines", otlp, runtime.clone())?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/logs", otlp.endpoint))
            .build()
            .map_err(|error| fault(&error))?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(PAUSE);
        let processor = BatchLogProcessor::builder(exporter).with_batch_config(batches.build()).build();
        let provider =
            SdkLoggerProvider::builder().with_log_processor(processor).with_resource(resource()).build();
        // Of other crates none, or what sends a batch would have to be sent with the next one.
        let of_ours = filter_fn(|about| {
            about.is_event() && about.target().starts_with("wardgate") && !about.target().starts_with(INBOX)
        });
        let filter = EnvFilter::new(&settings.log).and(of_ours);
        let layer = OpenTelemetryTracingBridge::new(&provider).with_filter(filter);
        Ok((layer.boxed(), Self(provider)))
    }

    /// Sends what waits. It blocks a thread of its own, which nobody has to wait for.
    pub(super) async fn close(self) {
        let last = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST_BATCH));
        // A collector that does not answer was warned of already.
        let _ = last.await;
    }
}
