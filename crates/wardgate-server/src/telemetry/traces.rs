//! Traces: the spans that the library makes, sent by OTLP over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{FutureExt as _, Link, SpanKind, TraceId, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingResult, SdkTracerProvider, ShouldSample,
};
use tokio::runtime::Handle;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;
use wardgate::Network;

use super::BoxedLayer;
use super::collector::{BATCH, Collector, LAST_BATCH, PAUSE, QUEUE, fault, resource};
use crate::config::{Config, Otlp};
use crate::failure::Failure;
use crate::wire;

const TRACEPARENT: &str = "traceparent";

/// The way that traces go, until it is closed.
pub(super) struct Traces {
    provider: SdkTracerProvider,
    /// Whose word counts for which trace a request belongs to; nobody's, unless the configuration says so.
    believed: Arc<[Network]>,
}

impl Traces {
    /// The layer that turns spans into traces, and what ends it.
    ///
    /// # Errors
    /// The client of the collector cannot be made.
    pub(super) fn start(
        config: &Config,
        otlp: &Otlp,
        runtime: &Handle,
    ) -> Result<(BoxedLayer, Self), Failure> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new("traces", otlp, runtime.clone())?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", otlp.endpoint))
            .build()
            .map_err(|error| fault(&error))?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(PAUSE);
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches.build()).build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(Sampler::ParentBased(Box::new(Beginnings(otlp.sample_ratio))))
            .with_resource(resource())
            .build();
        // No event: a log line may say what no trace is to hold.
        let of_ours = filter_fn(|about| about.is_span() && about.target().starts_with("wardgate"));
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("wardgate"))
            // A line learns its trace from the context; nothing else does.
            .with_context_activation(otlp.logs)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_level(false)
            .with_target(false)
            .with_filter(of_ours);
        let believed =
            if otlp.trust_traceparent { wire::networks(&config.server.trusted_proxies) } else { Vec::new() };
        Ok((layer.boxed(), Self { provider, believed: believed.into() }))
    }

    /// Lets those who are believed say which trace a request belongs to.
    pub(super) fn around(&self, app: Router) -> Router {
        match self.believed.is_empty() {
            true => app,
            false => app.layer(from_fn_with_state(Arc::clone(&self.believed), join)),
        }
    }

    /// Sends what waits. It blocks a thread of its own, which nobody has to wait for.
    pub(super) async fn close(self) {
        let last = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(LAST_BATCH));
        // A collector that does not answer was warned of already.
        let _ = last.await;
    }
}

/// Where a trace begins: with a request, or with a call of the server's own. The statements by which the server looks each
/// second whether there is anything to do are no trace.
#[derive(Clone, Debug)]
struct Beginnings(f64);

impl ShouldSample for Beginnings {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let sampler = match kind {
            SpanKind::Server | SpanKind::Client => Sampler::TraceIdRatioBased(self.0),
            _ => Sampler::AlwaysOff,
        };
        sampler.should_sample(parent, trace, name, kind, attributes, links)
    }
}

/// Has a request's span continue the trace that a trusted proxy names. A stranger who could would fill the collector, and
/// put requests into traces of others.
async fn join(State(believed): State<Arc<[Network]>>, request: Request, next: Next) -> Response {
    match named(&request, &believed) {
        Some(begun) => next.run(request).with_context(begun).await,
        None => next.run(request).await,
    }
}

fn named(request: &Request, believed: &[Network]) -> Option<Context> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    if !believed.iter().any(|proxy| proxy.contains(peer.ip())) {
        return None;
    }
    let mut values = request.headers().get_all(TRACEPARENT).iter();
    // Two of them are the proxy's beside its client's, and nobody knows which is which.
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    Some(TraceContextPropagator::new().extract_with_context(&Context::new(), &Parent(value.to_str().ok()?)))
}

/// Without `tracestate`, which is free text.
struct Parent<'h>(&'h str);

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}
