//! Whether time tells who has an account, or which key exists: the area under the ROC curve of response times.
//!
//! 0.5 means that knowing how long an answer took helps nobody; S-012, S-065 and S-124 ask for 0.45 to 0.55.

use std::time::Duration;

use serde_json::json;
use wardgate_crypto::{ApiKeyText, SystemRng};

use crate::client::{Connection, get_with, json_request};
use crate::server::Server;

/// Samples of each kind.
const SAMPLES: usize = 2000;
/// Requests before the first that counts: caches fill, pages come into memory.
const WARM_UP: usize = 50;

/// Two requests that are to be alike, and the status both are answered with.
struct Pair {
    name: &'static str,
    existing: Vec<u8>,
    invented: Vec<u8>,
    status: u16,
}

pub(crate) async fn run(folder: &std::path::Path) {
    let server = Server::start(folder, &[]);
    let tokens = server.sign_up("ada@example.com").await;
    println!("| what exists and what does not | median | median | AUC | 95 % |\n|---|---|---|---|---|");
    for pair in pairs(&server, &tokens.access).await {
        let (existing, invented) = interleaved(&server, &pair).await;
        let auc = Auc::of(&existing, &invented);
        println!(
            "| {} | {:.3} ms | {:.3} ms | {:.3} | {:.3} to {:.3} |",
            pair.name,
            median_ms(existing),
            median_ms(invented),
            auc.area,
            auc.area - auc.margin,
            auc.area + auc.margin
        );
    }
}

async fn pairs(server: &Server, access: &str) -> Vec<Pair> {
    let address = |path: &str, email: &str| json_request(path, &json!({ "email": email }).to_string());
    let login = |email: &str| {
        json_request("/auth/login", &json!({ "email": email, "password": "wrong" }).to_string())
    };
    let key = |id: [u8; 16]| {
        let guess = ApiKeyText::generate(&id, &SystemRng).reveal();
        get_with("/auth/verify", &format!("x-api-key: {}", guess.as_str()))
    };
    let made = server.api_key(access).await;
    let id = u128::from_str_radix(&made["wgk_".len()..][..32], 16).expect("a key's id").to_be_bytes();
    let mut other = id;
    other[15] ^= 1;
    // Names of one length: the length of a request is known to whoever sends it.
    vec![
        Pair {
            name: "an account, by a wrong password",
            existing: login("ada@example.com"),
            invented: login("eve@example.com"),
            status: 401,
        },
        Pair {
            name: "an account, by a forgotten password",
            existing: address("/auth/password/forgot", "ada@example.com"),
            invented: address("/auth/password/forgot", "eve@example.com"),
            status: 202,
        },
        Pair {
            name: "an account, by a magic link",
            existing: address("/auth/magic-link", "ada@example.com"),
            invented: address("/auth/magic-link", "eve@example.com"),
            status: 202,
        },
        Pair { name: "an API key's prefix", existing: key(id), invented: key(other), status: 403 },
    ]
}

/// Times of both, taken in turns on one connection; which comes first changes without a pattern.
async fn interleaved(server: &Server, pair: &Pair) -> (Vec<Duration>, Vec<Duration>) {
    let mut connection = Connection::open(server.address).await;
    let (mut existing, mut invented) = (Vec::new(), Vec::new());
    let mut chance = 1_u64;
    for round in 0..WARM_UP + SAMPLES {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for turn in 0..2 {
            let is_existing = (chance >> 63 == 0) == (turn == 0);
            let (request, times) = match is_existing {
                true => (&pair.existing, &mut existing),
                false => (&pair.invented, &mut invented),
            };
            let time = connection.timed(request, pair.status).await;
            if round >= WARM_UP {
                times.push(time);
            }
        }
    }
    (existing, invented)
}

/// The chance that of one time of each kind that of what exists is the longer.
struct Auc {
    area: f64,
    /// Half of the 95 % interval.
    margin: f64,
}

impl Auc {
    /// By ranks (Mann and Whitney), ties counting half; the interval by Hanley and McNeil (1982).
    fn of(existing: &[Duration], invented: &[Duration]) -> Self {
        let mut sorted = invented.to_vec();
        sorted.sort_unstable();
        let below = |time: &Duration| {
            let (less, upto) =
                (sorted.partition_point(|other| other < time), sorted.partition_point(|other| other <= time));
            (less + upto) as f64 / 2.0
        };
        let (n, m) = (existing.len() as f64, invented.len() as f64);
        let area = existing.iter().map(below).sum::<f64>() / (n * m);
        let square = area * area;
        let both_existing = area / (2.0 - area) - square;
        let both_invented = 2.0 * square / (1.0 + area) - square;
        let variance =
            (area * (1.0 - area) + (n - 1.0) * both_existing + (m - 1.0) * both_invented) / (n * m);
        Self { area, margin: 1.96 * variance.sqrt() }
    }
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}
