//! Limits as they are configured.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Server, run, stdout};

/// How many of `tries` wrong passwords were looked at.
fn looked_at(server: &Server, tries: usize) -> usize {
    let wrong = json!({ "email": "ada@example.com", "password": "wrong password" });
    let statuses: Vec<u16> = (0..tries).map(|_| server.post("/auth/login", &wrong).0).collect();
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
    statuses.into_iter().filter(|status| *status == 401).count()
}

#[test]
fn limits_hold_under_dev_and_their_refusals_are_counted_in_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    server.register("ada@example.com");
    assert_eq!(looked_at(&server, 12), 10);
    let right = json!({ "email": "ada@example.com", "password": PASSWORD });
    let (status, body) = server.post("/auth/login", &right);
    assert_eq!((status, &body["code"]), (429, &json!("rate_limited")));
    server.terminate();
    server.wait();
    let log = stdout(&run(folder.path(), &["audit", "tail"]));
    let reached: Vec<&str> = log.lines().filter(|line| line.contains("rate_limit.reached")).collect();
    assert_eq!(reached.len(), 1, "{log}");
    assert!(reached[0].ends_with("sign_in_account                       127.0.0.1  x3"), "{}", reached[0]);
    let log: Value =
        serde_json::from_str(&stdout(&run(folder.path(), &["audit", "tail", "--json"]))).unwrap();
    let counts: Vec<_> = log.as_array().unwrap().iter().filter_map(|event| event["count"].as_i64()).collect();
    assert_eq!(counts, [3]);
}

#[test]
fn limits_are_what_the_configuration_says() {
    let folder = tempfile::tempdir().unwrap();
    let few = Server::start_with(folder.path(), &[("WARDGATE_RATE_LIMIT__SIGN_IN_ACCOUNT", "2")]);
    few.register("ada@example.com");
    assert_eq!(looked_at(&few, 5), 2);
    drop(few);
    let folder = tempfile::tempdir().unwrap();
    let off = Server::start_with(folder.path(), &[("WARDGATE_RATE_LIMIT__ENABLED", "false")]);
    off.register("ada@example.com");
    assert_eq!(looked_at(&off, 15), 15);
}

#[test]
fn an_operator_lets_an_account_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[("WARDGATE_RATE_LIMIT__SIGN_IN_ACCOUNT", "100")]);
    server.register("ada@example.com");
    assert_eq!(looked_at(&server, 12), 10);
    let said = stdout(&run(folder.path(), &["user", "clear-limits", "--email", "ada@example.com"]));
    assert!(said.starts_with("forgot the failed attempts at ada@example.com"), "{said}");
    assert_eq!(looked_at(&server, 1), 1);
}

#[test]
fn a_redis_that_is_gone_leaves_stricter_limits_and_a_ready_server() {
    // S-116: nobody listens at the discard port.
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[("WARDGATE_REDIS__URL", "redis://127.0.0.1:9")]);
    server.register("ada@example.com");
    assert_eq!(looked_at(&server, 12), 5);
    assert_eq!(server.get("/readyz", "").0, 200);
}
