//! How fast, how small: ratios against a floor measured in the same run, on loopback, with one client.
//!
//! `cargo bench --profile dist -p wardgate-server --bench load` takes about five minutes and prints a table in Markdown.
//! The floor is a bare axum handler that verifies the same token, with the same runtime, in a process of its own.
//!
//! `cargo bench -p wardgate-server --bench load -- timing` measures whether time tells who has an account.

mod client;
mod floor;
mod measure;
mod server;
mod timing;

use std::time::Duration;

use client::{Connection, json_request};
use measure::{Latencies, median, rate};
use serde_json::json;
use server::{Server, binary_size_mb};

/// How long one cell is measured.
const CELL: Duration = Duration::from_secs(4);
/// Cells of a row; the median counts.
const ROUNDS: usize = 3;

fn main() {
    let is_asked = |word: &str| std::env::args().any(|argument| argument == word);
    if is_asked("floor-server") {
        return floor::serve();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if is_asked("timing") {
        let folder = tempfile::tempdir().expect("a temporary folder");
        return runtime.block_on(timing::run(folder.path()));
    }
    runtime.block_on(run());
}

async fn run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(folder.path(), &[]);
    let tokens = server.sign_up("ada@example.com").await;
    let floor = server.start_floor(&tokens.access).await;
    println!("| what | floor | Wardgate | ratio | asked |\n|---|---|---|---|---|");
    authenticated(&server, &floor, &tokens.access).await;
    keys_and_cookies(&server, &floor, &tokens.access).await;
    logins(&server).await;
    latency_beside_logins(&server, &tokens.access).await;
    let idle_floor = floor.rate_of_verifying().await;
    refreshes(&server, idle_floor).await;
    size(folder.path(), server);
}

/// `GET /auth/me` with 64 connections against the bare handler.
async fn authenticated(server: &Server, floor: &floor::Floor, access: &str) {
    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(rate(floor.address, 64, CELL, &floor.request).await);
        ours.push(rate(server.address, 64, CELL, &client::get("/auth/me", access)).await);
    }
    let (floor, ours) = (median(floors), median(ours));
    let row = |name: &str, floor: f64, ours: f64, asked: &str, unit: &str| {
        println!("| {name} | {floor:.1} {unit} | {ours:.1} {unit} | {:.2} | {asked} |", ours / floor);
    };
    row("`GET /auth/me`, 64 connections", floor.per_second, ours.per_second, "≥ 0.7", "req/s");
    row("its p99", floor.p99_ms, ours.p99_ms, "≤ 2", "ms");
}

/// `GET /auth/verify` with a key and with a cookie against a handler that checks nothing; a wrong key against a right
/// one.
async fn keys_and_cookies(server: &Server, floor: &floor::Floor, access: &str) {
    let key = server.api_key(access).await;
    let cookie = server.cookie().await;
    let by_key = client::get_with("/auth/verify", &format!("x-api-key: {key}"));
    let wrong = client::get_with("/auth/verify", &format!("x-api-key: {}", server.revoked_key(access).await));
    let by_cookie = client::get_with("/auth/verify", &format!("cookie: {cookie}"));
    let (mut bare, mut keys, mut cookies, mut wrongs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(rate(floor.address, 64, CELL, &floor::bare_request()).await.per_second);
        keys.push(rate(server.address, 64, CELL, &by_key).await.per_second);
        cookies.push(rate(server.address, 64, CELL, &by_cookie).await.per_second);
        wrongs.push(measure::rate_of(server.address, 64, CELL, &wrong, 403).await.per_second);
    }
    let [bare, keys, cookies, wrongs] = [bare, keys, cookies, wrongs].map(measure::median_of);
    let row = |name: &str, floor: f64, ours: f64, asked: &str| {
        println!("| {name} | {floor:.0} req/s | {ours:.0} req/s | {:.2} | {asked} |", ours / floor);
    };
    row("`GET /auth/verify` with an API key, against a handler that checks nothing", bare, keys, "≥ 0.5");
    row("the same with a cookie", bare, cookies, "≥ 0.5");
    row("a wrong key against a right one", keys, wrongs, "about 1");
}

/// Sign-ins a second with 8 clients against the same hash in a bare loop on every core.
async fn logins(server: &Server) {
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(tokio::task::spawn_blocking(|| measure::bare_hashes(CELL)).await.expect("the loop ends"));
        ours.push(rate(server.address, 8, CELL, &server.login_request()).await.per_second);
    }
    let (bare, ours) = (measure::median_of(bare), measure::median_of(ours));
    println!("| sign-ins, 8 clients | {bare:.1} hashes/s | {ours:.1} /s | {:.2} | ≥ 0.9 |", ours / bare);
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    let wrong = |email: &str| {
        json_request("/auth/login", &json!({ "email": email, "password": "wrong" }).to_string())
    };
    for _ in 0..ROUNDS {
        known
            .push(measure::rate_of(server.address, 8, CELL, &wrong("ada@example.com"), 401).await.per_second);
        unknown.push(
            measure::rate_of(server.address, 8, CELL, &wrong("nobody@example.com"), 401).await.per_second,
        );
    }
    let (known, unknown) = (measure::median_of(known), measure::median_of(unknown));
    println!(
        "| a sign-in to nobody against a wrong password | {known:.1} /s | {unknown:.1} /s | {:.2} | about 1 |",
        unknown / known
    );
}

/// One `GET /auth/me` every 20 ms, alone and while 16 clients sign in without pause.
async fn latency_beside_logins(server: &Server, access: &str) {
    let idle = paced(server, access).await;
    let address = server.address;
    let login = server.login_request();
    let storm = tokio::spawn(async move { rate(address, 16, CELL + CELL / 2, &login).await });
    tokio::time::sleep(CELL / 4).await;
    let busy = paced(server, access).await;
    let rate = storm.await.expect("the storm ends").per_second;
    println!(
        "| p99 of one `GET /auth/me` every 20 ms: idle, beside 16 clients signing in ({rate:.1} /s) | {:.2} ms | {:.2} ms | {:.2} | ≤ 3 |",
        idle.p99_ms(),
        busy.p99_ms(),
        busy.p99_ms() / idle.p99_ms()
    );
}

async fn paced(server: &Server, access: &str) -> Latencies {
    let mut connection = Connection::open(server.address).await;
    let request = client::get("/auth/me", access);
    let mut latencies = Latencies::default();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..CELL.as_millis() / 20 {
        ticks.tick().await;
        latencies.push(connection.timed(&request, 200).await);
    }
    latencies
}

/// Durable refreshes with 64 clients, each its own family: against a batch of one, and against the floor.
async fn refreshes(server: &Server, floor_rate: f64) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let single = Server::start(folder.path(), &[("WARDGATE_DATABASE__COMMIT_BATCH", "1")]);
    single.sign_up("ada@example.com").await;
    let (mut ones, mut ours) = (Vec::new(), Vec::new());
    let (single_families, our_families) = (single.families(64).await, server.families(64).await);
    let (mut single_families, mut our_families) = (single_families, our_families);
    for _ in 0..ROUNDS {
        ones.push(server::refresh_rate(single.address, &mut single_families, CELL).await);
        ours.push(server::refresh_rate(server.address, &mut our_families, CELL).await);
    }
    let (ones, ours) = (measure::median_of(ones), measure::median_of(ours));
    println!(
        "| durable refreshes, 64 clients: one a commit, many a commit | {ones:.0} /s | {ours:.0} /s | {:.2} | ≥ 2, or the next row |",
        ours / ones
    );
    println!(
        "| the same against the floor's verifying | {floor_rate:.0} /s | {ours:.0} /s | {:.2} | ≥ 0.4 |",
        ours / floor_rate
    );
}

/// Memory, start and binary.
fn size(folder: &std::path::Path, server: Server) {
    drop(server);
    let mut starts: Vec<f64> = (0..5)
        .map(|_| {
            let server = Server::start(folder, &[]);
            let first = server.first_answer_ms();
            drop(server);
            first
        })
        .collect();
    starts.sort_by(f64::total_cmp);
    let server = Server::start(folder, &[]);
    server.first_answer_ms();
    std::thread::sleep(Duration::from_secs(3));
    println!("| idle resident memory | – | {:.1} MB | – | ≤ 25 |", server.resident_mb());
    println!(
        "| start to first 200 on an existing folder | – | {:.0} ms | – | ≤ 150 |",
        starts[starts.len() / 2]
    );
    println!("| release binary | – | {:.1} MB | – | ≤ 25 |", binary_size_mb());
}
