//! What a gate counts, for whoever watches it. Labels are from small closed sets: none names a user, a tenant, an address
//! or a path as it was asked for, so that no stranger fills the memory and nobody is named (S-156).
//!
//! It costs a request one look into a map that never changes, and a few atomic additions.

use std::array::from_fn;
use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use wardgate_store::Stats;

const METHODS: [&str; 5] = ["GET", "POST", "PATCH", "PUT", "DELETE"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What stands for every method and every path that are none of the table's.
const OTHER: &str = "other";

/// From a point read to a queue that is full.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// How somebody signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// With a password.
    Password,
    /// By a mailed link.
    MagicLink,
    /// Through another provider.
    Upstream,
}

/// What came of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInOutcome {
    /// A session was opened.
    Success,
    /// Whoever it was may not come in.
    Refused,
    /// Too many tries: nothing was looked at.
    Limited,
    /// No room to hash, or in the database's queue.
    Busy,
    /// Something is broken.
    Failed,
}

/// The counters.
pub(crate) struct Meter {
    registry: Registry,
    requests: Family<Labels<3>, Counter>,
    request_seconds: Histograms<2>,
    /// By path; known once there is a router.
    routes: OnceLock<HashMap<&'static str, Route>>,
    other: Route,
    sign_ins: Family<Labels<2>, Counter>,
    limited: Family<Labels<1>, Counter>,
    hashes_waiting: Gauge,
    hash_wait_seconds: Histogram,
    hashes_refused: Counter,
}

/// The counters of one route by method, made when it is first asked for.
#[derive(Default)]
struct Route([OnceLock<Answers>; METHODS.len() + 1]);

struct Answers {
    by_class: [Counter; CLASSES.len()],
    seconds: Histogram,
}

/// One job that waits for a hashing thread, until it is dropped.
pub(crate) struct Waiting(Gauge);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

impl Meter {
    /// A meter that asks `store` what the database has done.
    pub(crate) fn new(store: impl Fn() -> Stats + Send + Sync + 'static) -> Self {
        let mut meter = Self {
            registry: Registry::with_prefix("wardgate"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram as fn() -> Histogram),
            routes: OnceLock::new(),
            other: Route::default(),
            sign_ins: Family::default(),
            limited: Family::default(),
            hashes_waiting: Gauge::default(),
            hash_wait_seconds: histogram(),
            hashes_refused: Counter::default(),
        };
        let registry = &mut meter.registry;
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", version);
        registry.register(
            "http_requests",
            "Requests answered, by route and kind of status",
            meter.requests.clone(),
        );
        let help = "From a request's head to its answer's";
        registry.register_with_unit("http_request", help, Unit::Seconds, meter.request_seconds.clone());
        registry.register("sign_ins", "Sign-ins, by means and what came of them", meter.sign_ins.clone());
        registry.register(
            "limits_refused",
            "Requests that a limit refused, by its name",
            meter.limited.clone(),
        );
        registry.register(
            "hashes_waiting",
            "Jobs that wait for a hashing thread",
            meter.hashes_waiting.clone(),
        );
        let help = "How long a job waited for a hashing thread";
        registry.register_with_unit("hash_wait", help, Unit::Seconds, meter.hash_wait_seconds.clone());
        let help = "Jobs that found the queue full, or waited for too long";
        registry.register("hashes_refused", help, meter.hashes_refused.clone());
        registry.register_collector(Box::new(Store(Box::new(store))));
        meter
    }

    /// Takes `paths` for the routes that are told apart; the first time counts.
    pub(crate) fn know(&self, paths: impl Iterator<Item = &'static str>) {
        self.routes.get_or_init(|| paths.map(|path| (path, Route::default())).collect());
    }

    /// Counts a request; `path` is the route's pattern, if it was a route's.
    pub(crate) fn answered(&self, method: &str, path: Option<&str>, status: u16, took: Duration) {
        let known = path.and_then(|path| self.routes.get()?.get_key_value(path));
        let (name, route) = known.map_or((OTHER, &self.other), |(name, route)| (*name, route));
        let index = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len());
        let method = METHODS.get(index).copied().unwrap_or(OTHER);
        let answers = route.0[index].get_or_init(|| self.answers(method, name));
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        answers.by_class[class].inc();
        answers.seconds.observe(took.as_secs_f64());
    }

    fn answers(&self, method: &'static str, route: &'static str) -> Answers {
        let of = [("method", method), ("route", route)];
        let counter =
            |index: usize| self.requests.get_or_create_owned(&[of[0], of[1], ("status", CLASSES[index])]);
        Answers { by_class: from_fn(counter), seconds: self.request_seconds.get_or_create_owned(&of) }
    }

    /// Counts a sign-in.
    pub(crate) fn signed_in(&self, by: Means, outcome: SignInOutcome) {
        let by = match by {
            Means::Password => "password",
            Means::MagicLink => "magic_link",
            Means::Upstream => "provider",
        };
        let outcome = match outcome {
            SignInOutcome::Success => "success",
            SignInOutcome::Refused => "refused",
            SignInOutcome::Limited => "limited",
            SignInOutcome::Busy => "busy",
            SignInOutcome::Failed => "failed",
        };
        self.sign_ins.get_or_create(&[("by", by), ("outcome", outcome)]).inc();
    }

    /// Counts a request that the limit of this name refused.
    pub(crate) fn limited(&self, limit: &'static str) {
        self.limited.get_or_create(&[("limit", limit)]).inc();
    }

    /// One more job waits for a hashing thread, until what is returned is dropped.
    pub(crate) fn hash_waits(&self) -> Waiting {
        self.hashes_waiting.inc();
        Waiting(self.hashes_waiting.clone())
    }

    /// A job's turn came after so long.
    pub(crate) fn hash_waited(&self, time: Duration) {
        self.hash_wait_seconds.observe(time.as_secs_f64());
    }

    /// A job was not done.
    pub(crate) fn hash_refused(&self) {
        self.hashes_refused.inc();
    }

    /// Writes all of it as OpenMetrics text, but for the line that ends it.
    pub(crate) fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        encode_registry(out, &self.registry)
    }
}

/// What the database counts by itself.
struct Store(Box<dyn Fn() -> Stats + Send + Sync>);

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

impl Collector for Store {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stats = (self.0)();
        let mut say = |name, help, metric: &dyn Told| metric.tell(&mut encoder, name, help);
        let counter = ConstCounter::new;
        say("store_writes", "Transactions that ran", &counter(stats.writes))?;
        say("store_commits", "Commits; on SQLite one serves many transactions", &counter(stats.commits))?;
        say("store_failures", "Calls that the database failed", &counter(stats.failures))?;
        let waiting = i64::try_from(stats.waiting).unwrap_or(i64::MAX);
        say("store_waiting", "Calls that wait for the database", &ConstGauge::new(waiting))
    }
}

/// A metric of any kind, as a collector tells it.
trait Told {
    fn tell(&self, encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str) -> fmt::Result;
}

impl<M: EncodeMetric> Told for M {
    fn tell(&self, encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str) -> fmt::Result {
        self.encode(encoder.encode_descriptor(name, help, None, self.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_the_series_stay_few() {
        let meter = Meter::new(Stats::default);
        meter.know(["/auth/me", "/admin/users/{id}"].into_iter());
        let lines = || {
            let mut text = String::new();
            meter.write(&mut text).unwrap();
            text.lines().filter(|line| line.starts_with("wardgate_http")).count()
        };
        let ask = |round: u16| {
            for method in ["GET", "HEAD", "BREW", &format!("M{round}")] {
                for path in [None, Some("/auth/me"), Some("/nothing"), Some(&*format!("/p{round}"))] {
                    meter.answered(method, path, 100 + 50 * (round % 20), Duration::from_millis(1));
                }
            }
        };
        ask(1);
        let few = lines();
        (2..1000).for_each(ask);
        assert_eq!(lines(), few);
        let (routes, methods, series) = (2, 2, CLASSES.len() + SECONDS.len() + 3);
        assert_eq!(few, routes * methods * series);
    }
}
