//! `kill -9` in the middle of writes: nothing acknowledged is lost, nothing is half-written (S-149), and the audit log
//! tells of each change once and of nothing else (S-130).

use std::path::Path;
use std::sync::mpsc::{Sender, channel};

use serde_json::json;

use crate::support::{PASSWORD, Server, post, run, stdout, tokens};

const CLIENTS: usize = 4;
/// Sessions that each client has to log out of.
const SPARE: usize = 2;

/// The short form; `WARDGATE_CRASH_CYCLES=1000` is run before a release.
fn cycles() -> usize {
    std::env::var("WARDGATE_CRASH_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

/// Access and refresh token.
type Pair = (String, String);

/// What one client was told before the server died.
struct Acknowledged {
    /// The pairs of one family, each got with the one before it. What was sent after the last is not known to have
    /// been done.
    chain: Vec<Pair>,
    ended: Vec<Pair>,
    registered: Vec<String>,
}

#[test]
fn nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        // The exchange that the server died in may have been done: within the grace its token works again.
        ("WARDGATE_TOKENS__REFRESH_GRACE", "60s"),
        // The port changes with each start, and with it the issuer that a development server would take.
        ("WARDGATE_SERVER__ISSUER", "http://localhost:1"),
        // More sign-ins and registrations than one source may make.
        ("WARDGATE_RATE_LIMIT__ENABLED", "false"),
    ];
    let mut server = Server::start_with(folder.path(), &environment);
    server.register("ada@example.com");
    let (mut ended, mut registered) = (0, 0);
    for cycle in 0..cycles() {
        let told = storm(&mut server, cycle);
        server = Server::start_with(folder.path(), &environment);
        check_integrity(folder.path());
        check_audit(folder.path());
        for client in told {
            check(&server, &client);
            ended += client.ended.len();
            registered += client.registered.len();
        }
    }
    assert!(ended > 0 && registered > 0, "the storm had something of everything");
    check_audit(folder.path());
}

/// Clients write until the server is killed under them, each time after another number of answers.
fn storm(server: &mut Server, cycle: usize) -> Vec<Acknowledged> {
    let base = server.base.clone();
    let (answered, answers) = channel();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|index| {
            let sessions = (0..=SPARE).map(|_| server.log_in("ada@example.com")).collect();
            let (base, name, answered) = (base.clone(), format!("user{cycle}-{index}"), answered.clone());
            std::thread::spawn(move || client(&base, &name, sessions, &answered))
        })
        .collect();
    drop(answered);
    answers.iter().take(20 + cycle * 37 % 150).count();
    server.kill();
    clients.into_iter().map(|client| client.join().unwrap()).collect()
}

/// Exchanges one session's token again and again, between that logs out of others and registers users, until the
/// server goes away.
fn client(base: &str, name: &str, mut spare: Vec<Pair>, answered: &Sender<()>) -> Acknowledged {
    let chain = vec![spare.pop().unwrap()];
    let mut told = Acknowledged { chain, ended: Vec::new(), registered: Vec::new() };
    for step in 1.. {
        let done = match (step % 10, spare.last()) {
            (5, Some(_)) => log_out(base, &mut spare, &mut told),
            (0, _) => register(base, format!("{name}-{step}@example.com"), &mut told),
            _ => refresh(base, &mut told),
        };
        if done.is_none() {
            return told;
        }
        // The counter stops listening when it has had enough.
        let _ = answered.send(());
    }
    told
}

fn refresh(base: &str, told: &mut Acknowledged) -> Option<()> {
    let (_, newest) = told.chain.last().unwrap();
    let (status, body) = post(base, "/auth/refresh", &json!({ "refresh_token": newest }))?;
    assert_eq!(status, 200, "{body}");
    told.chain.push(tokens(&body));
    Some(())
}

fn log_out(base: &str, spare: &mut Vec<Pair>, told: &mut Acknowledged) -> Option<()> {
    let pair = spare.pop().unwrap();
    assert_eq!(post(base, "/auth/logout", &json!({ "refresh_token": pair.1 }))?.0, 204);
    told.ended.push(pair);
    Some(())
}

fn register(base: &str, email: String, told: &mut Acknowledged) -> Option<()> {
    assert_eq!(post(base, "/auth/register", &json!({ "email": email, "password": PASSWORD }))?.0, 201);
    told.registered.push(email);
    Some(())
}

fn check(server: &Server, told: &Acknowledged) {
    let refresh = |token: &str| server.post("/auth/refresh", &json!({ "refresh_token": token })).0;
    for email in &told.registered {
        server.log_in(email);
    }
    for (access, token) in &told.ended {
        assert_eq!(server.get("/auth/me", access).0, 401, "an acknowledged logout holds");
        assert_eq!(refresh(token), 401, "an acknowledged logout holds");
    }
    let (access, newest) = told.chain.last().unwrap();
    assert_eq!(server.get("/auth/me", access).0, 200, "an acknowledged refresh holds");
    assert_eq!(refresh(newest), 200, "an acknowledged refresh holds");
    // The pair before the newest is used up, and so is its successor by now: a replay.
    if let [.., (_, used), _] = told.chain.as_slice() {
        assert_eq!(refresh(used), 401, "a used token stays used");
        assert_eq!(refresh(newest), 401, "a replay has ended the family");
    }
}

fn check_integrity(folder: &Path) {
    let database = rusqlite::Connection::open(folder.join("wardgate.db")).unwrap();
    let verdict: String = database.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

/// Action and outcome of a record, and what changed, as the record's target.
const CHANGES: &[(&str, &str, &str)] = &[
    ("user.registered", "success", "SELECT 'usr_' || lower(hex(id)) AS target FROM users"),
    ("session.signed_in", "success", "SELECT 'ses_' || lower(hex(id)) AS target FROM sessions"),
    (
        "session.ended",
        "success",
        "SELECT 'ses_' || lower(hex(id)) AS target FROM sessions WHERE end_reason = 'signed_out'",
    ),
    (
        "refresh_token.replayed",
        "refused",
        "SELECT 'ses_' || lower(hex(id)) AS target FROM sessions WHERE end_reason = 'refresh_replayed'",
    ),
];

/// Holds the audit log against what it tells of. The changes that were acknowledged are looked at on their own.
fn check_audit(folder: &Path) {
    // By the running server's own command; what is not sealed yet is linked by the server in the next second.
    stdout(&run(folder, &["audit", "verify"]));
    let database = rusqlite::Connection::open(folder.join("wardgate.db")).unwrap();
    for (action, outcome, changes) in CHANGES {
        let differ = format!(
            "WITH changes AS ({changes}), records AS (SELECT target, count(*) AS n FROM audit_events
             WHERE action = ?1 AND outcome = ?2 GROUP BY target)
             SELECT coalesce(changes.target, records.target), records.n
             FROM changes FULL JOIN records ON changes.target = records.target
             WHERE changes.target IS NULL OR records.n IS NOT 1"
        );
        let mut statement = database.prepare(&differ).unwrap();
        let rows = statement.query_map([action, outcome], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let wrong: Vec<(String, Option<i64>)> = rows.map(Result::unwrap).collect();
        assert!(wrong.is_empty(), "{action}: a change without its record, or the other way round: {wrong:?}");
    }
}
