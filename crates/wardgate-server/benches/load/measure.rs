//! Rates and latencies.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wardgate::{Password, Scheme};

use crate::client::Connection;

#[derive(Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn push(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    pub(crate) fn p99_ms(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() * 99 / 100).min(sorted.len() - 1)].as_secs_f64() * 1000.0
    }
}

pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) p99_ms: f64,
}

/// Sends one request over and over from `clients` connections for `period`.
pub(crate) async fn rate(address: SocketAddr, clients: usize, period: Duration, request: &[u8]) -> Rate {
    rate_of(address, clients, period, request, 200).await
}

/// As [`rate`], of a request that is answered with `status`.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) async fn rate_of(
    address: SocketAddr,
    clients: usize,
    period: Duration,
    request: &[u8],
    status: u16,
) -> Rate {
    let started = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..clients {
        let request = request.to_vec();
        tasks.push(tokio::spawn(async move {
            let mut connection = Connection::open(address).await;
            let mut latencies = Vec::new();
            while started.elapsed() < period {
                latencies.push(connection.timed(&request, status).await);
            }
            latencies
        }));
    }
    let mut all = Latencies::default();
    for task in tasks {
        all.0.extend(task.await.expect("a client ends"));
    }
    Rate { per_second: all.0.len() as f64 / started.elapsed().as_secs_f64(), p99_ms: all.p99_ms() }
}

/// The cell whose rate is the median.
pub(crate) fn median(mut rates: Vec<Rate>) -> Rate {
    rates.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    rates.swap_remove(rates.len() / 2)
}

pub(crate) fn median_of(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The configured hash in a bare loop on every core; hashes a second.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn bare_hashes(period: Duration) -> f64 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let started = Instant::now();
    let hash_all = || {
        let (mut count, mut workspace) = (0_u32, wardgate_crypto::password::Workspace::new());
        let password = Password::new("correct horse battery staple");
        let stored = wardgate_crypto::password::decoy(&Scheme::default());
        while started.elapsed() < period {
            let _ = wardgate_crypto::password::verify(&password, &stored, &mut workspace);
            count += 1;
        }
        count
    };
    let total: u32 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(hash_all)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a loop ends")).sum()
    });
    f64::from(total) / started.elapsed().as_secs_f64()
}
