//! More sign-ins at once than the hashing threads can bear.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use crate::support::{PASSWORD, Server, agent};

const LOGINS: usize = 200;
const THREADS: usize = 2;
const QUEUE: usize = 16;
/// Of one hash; large, so that it stands out beside 200 connections.
const HASH_MIB: usize = 64;

/// A figure of the process's memory, in MiB.
fn memory_mib(server: &Server, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() / 1024
}

/// Status, and whether it says when to come back.
fn log_in(base: &str) -> (u16, bool) {
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    let answer = agent().post(format!("{base}/auth/login")).send_json(&body).unwrap();
    (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
}

fn get(base: &str, path: &str) -> u16 {
    agent().get(format!("{base}{path}")).call().unwrap().status().as_u16()
}

#[test]
fn what_the_hashing_threads_cannot_bear_is_sent_away_and_memory_stays_bounded() {
    // S-007
    let folder = tempfile::tempdir().unwrap();
    let (threads, queue, memory) = (THREADS.to_string(), QUEUE.to_string(), (HASH_MIB * 1024).to_string());
    let server = Server::start_with(
        folder.path(),
        &[
            ("WARDGATE_RATE_LIMIT__ENABLED", "false"),
            ("WARDGATE_PASSWORD__HASH_THREADS", &threads),
            ("WARDGATE_PASSWORD__HASH_QUEUE", &queue),
            ("WARDGATE_PASSWORD__HASH_DEADLINE", "60s"),
            ("WARDGATE_PASSWORD__ARGON2_MEMORY_KIB", &memory),
        ],
    );
    server.register("ada@example.com");
    let before = memory_mib(&server, "VmRSS");
    let base = &server.base;
    let (running, health) = (AtomicBool::new(true), AtomicUsize::new(0));
    let answers: Vec<_> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while running.load(Ordering::Relaxed) {
                assert_eq!(get(base, "/healthz"), 200);
                health.fetch_add(1, Ordering::Relaxed);
            }
        });
        let logins: Vec<_> = (0..LOGINS).map(|_| scope.spawn(|| log_in(base))).collect();
        let answers = logins.into_iter().map(|login| login.join().unwrap()).collect();
        running.store(false, Ordering::Relaxed);
        answers
    });
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    let (served, sent_away) = (count((200, false)), count((503, true)));
    assert_eq!(served + sent_away, LOGINS, "{answers:?}");
    assert!(served >= THREADS + QUEUE && sent_away > 0, "{served} and {sent_away}");
    // Others are served while all that goes on: far more often than a single one that waits its turn.
    assert!(health.into_inner() > served, "health was answered too seldom");
    let most = memory_mib(&server, "VmHWM");
    assert!(most <= before + THREADS * HASH_MIB + 48, "{before} MiB before, {most} MiB at most");
}
