//! `kill -9` in the middle of writes: nothing acknowledged is lost, nothing is half-written (S-149).

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::support::{PASSWORD, Server, post, tokens};

/// The short form; `WARDGATE_CRASH_CYCLES=1000` is run before a release.
fn cycles() -> usize {
    std::env::var("WARDGATE_CRASH_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(24)
}

/// What one client was told before the server died.
#[derive(Default)]
struct Acknowledged {
    /// Used up, with its successor: the last two of a chain.
    used: Option<String>,
    newest: Option<String>,
    /// The session was ended by logging out.
    ended: bool,
    registered: Option<String>,
}

#[test]
fn nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    // The grace is off so that a used token is a replay at once.
    let environment = [("WARDGATE_TOKENS__REFRESH_GRACE", "0s")];
    let mut server = Server::start_with(folder.path(), &environment);
    server.register("ada@example.com");
    for cycle in 0..cycles() {
        let chains: Vec<String> = (0..4).map(|_| server.log_in("ada@example.com").1).collect();
        let told = storm(&mut server, chains, cycle);
        server = Server::start_with(folder.path(), &environment);
        for client in told {
            check(&server, &client);
        }
    }
}

/// Clients write until the server is killed under them.
fn storm(server: &mut Server, chains: Vec<String>, cycle: usize) -> Vec<Acknowledged> {
    let (base, dead) = (server.base.clone(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let clients: Vec<_> = chains
            .into_iter()
            .enumerate()
            .map(|(index, token)| {
                let (base, dead) = (base.clone(), &dead);
                scope.spawn(move || client(&base, token, index, cycle, dead))
            })
            .collect();
        // Let every client get some answers first; how many is up to the scheduler, which varies the moment.
        std::thread::sleep(std::time::Duration::from_millis(5 + (cycle as u64 * 7) % 40));
        server.kill();
        dead.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

fn client(base: &str, token: String, index: usize, cycle: usize, dead: &AtomicBool) -> Acknowledged {
    let mut told = Acknowledged { newest: Some(token), ..Acknowledged::default() };
    if index == 0 {
        let email = format!("user{cycle}@example.com");
        let body = json!({ "email": email, "password": PASSWORD });
        if post(base, "/auth/register", &body).is_some_and(|(status, _)| status == 201) {
            told.registered = Some(email);
        }
    }
    for step in 0.. {
        if dead.load(Ordering::SeqCst) {
            break;
        }
        let Some(token) = told.newest.clone() else { break };
        let body = json!({ "refresh_token": token });
        if index == 1 && step == 3 {
            match post(base, "/auth/logout", &body) {
                Some((204, _)) => told.ended = true,
                // Sent but not acknowledged: it may or may not have happened.
                _ => told.newest = None,
            }
            break;
        }
        match post(base, "/auth/refresh", &body) {
            Some((200, answer)) => {
                told.used = Some(token);
                told.newest = Some(tokens(&answer).1);
            }
            // Not acknowledged: the exchange may have happened, so nothing is known of this token any more.
            _ => {
                told.newest = None;
                break;
            }
        }
    }
    told
}

fn check(server: &Server, told: &Acknowledged) {
    let refresh = |token: &String| server.post("/auth/refresh", &json!({ "refresh_token": token })).0;
    if let Some(email) = &told.registered {
        server.log_in(email);
    }
    match (&told.newest, told.ended) {
        (Some(token), true) => assert_eq!(refresh(token), 401, "an acknowledged logout holds"),
        (Some(token), false) => assert_eq!(refresh(token), 200, "an acknowledged refresh holds"),
        (None, _) => {}
    }
    if let Some(token) = &told.used {
        assert_eq!(refresh(token), 401, "a used token stays used");
    }
}
