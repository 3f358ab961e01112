//! What the server tells about itself while it runs: log lines to standard error, and traces to a collector where one is
//! configured, with lines as well if that is asked for.
//!
//! Each has a filter of its own. `telemetry.log` is that of the lines, wherever they go; traces take every span of
//! Wardgate's and nothing else, whatever the log shows.

#[cfg(feature = "otlp")]
mod collector;
#[cfg(feature = "otlp")]
mod logs;
#[cfg(feature = "otlp")]
mod traces;

use std::io;

use axum::Router;
use tokio::runtime::Handle;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

#[cfg(feature = "otlp")]
use self::{logs::Logs, traces::Traces};
use crate::config::{Config, Format, Telemetry};
use crate::failure::Failure;

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// What was started, to be ended in order.
pub(crate) struct Running {
    #[cfg(feature = "otlp")]
    traces: Option<Traces>,
    #[cfg(feature = "otlp")]
    logs: Option<Logs>,
}

/// From now on lines are written, and spans sent from tasks of `runtime`.
///
/// # Errors
/// The client of the collector cannot be made.
#[cfg(feature = "otlp")]
pub(crate) fn start(config: &Config, runtime: &Handle) -> Result<Running, Failure> {
    let (telemetry, otlp) = (&config.telemetry, config.telemetry.otlp.as_ref());
    let traces = otlp.map(|otlp| Traces::start(config, otlp, runtime)).transpose()?;
    let logs = otlp.filter(|otlp| otlp.logs).map(|otlp| Logs::start(telemetry, otlp, runtime));
    let ((spans, traces), (records, logs)) = (traces.unzip(), logs.transpose()?.unzip());
    // The spans' first: a line looks for its trace where they have put it.
    let layers: Vec<_> = spans.into_iter().chain(records).chain([lines(telemetry)]).collect();
    tracing_subscriber::registry().with(layers).init();
    Ok(Running { traces, logs })
}

/// From now on lines are written.
///
/// # Errors
/// None: it stands for one that also sends traces.
#[cfg(not(feature = "otlp"))]
pub(crate) fn start(config: &Config, _: &Handle) -> Result<Running, Failure> {
    tracing_subscriber::registry().with(lines(&config.telemetry)).init();
    Ok(Running {})
}

fn lines(settings: &Telemetry) -> BoxedLayer {
    // What it says of lines that cannot be written goes through `eprintln!`, which panics where nobody reads: then a log
    // collector that ends would take with it whatever writes a line next, the stopping too.
    let lines = fmt::layer().log_internal_errors(false).with_writer(io::stderr);
    let filter = EnvFilter::new(&settings.log);
    match settings.format {
        Format::Text => {
            lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).with_filter(filter).boxed()
        }
        Format::Json => lines.json().with_filter(filter).boxed(),
    }
}

impl Running {
    /// Puts around the routes what has to be told before a request's span begins.
    pub(crate) fn around(&self, app: Router) -> Router {
        #[cfg(feature = "otlp")]
        if let Some(traces) = &self.traces {
            return traces.around(app);
        }
        app
    }

    /// Sends what waits, for as long as the caller waits.
    pub(crate) async fn close(self) {
        #[cfg(feature = "otlp")]
        {
            let traces = async {
                if let Some(traces) = self.traces {
                    traces.close().await;
                }
            };
            let logs = async {
                if let Some(logs) = self.logs {
                    logs.close().await;
                }
            };
            tokio::join!(traces, logs);
        }
    }
}
