//! Commands whose output goes on, or whose reader stops.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Server, run, stdout, wardgate};

#[test]
fn a_follower_sees_what_happens_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut follow = wardgate();
    follow.args(["audit", "tail", "-n", "1", "--follow", "--json", "--data-dir"]).arg(folder.path());
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    // Mails are recorded when they are sent, whenever that is.
    let mut next = || loop {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        if event["action"] != "mail.sent" {
            break event;
        }
    };
    assert_eq!(next()["action"], "setup_link.created", "the newest so far");
    server.register("ada@example.com");
    let registered = next();
    assert_eq!(
        (&registered["action"], &registered["actor"]),
        (&"user.registered".into(), &"anonymous".into())
    );
    server.log_in("ada@example.com");
    assert_eq!(next()["action"], "session.signed_in");
    follow.kill().unwrap();
    follow.wait().unwrap();
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["openapi"][..], &["completions", "bash"], &["config", "show"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = wardgate();
        let output =
            command.args(arguments).arg("--data-dir").arg(folder.path()).stdout(writer).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn a_list_of_several_pages_is_complete_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    drop(Server::start(folder.path()));
    let database = rusqlite::Connection::open(folder.path().join("wardgate.db")).unwrap();
    database
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 450)
             INSERT INTO users (tenant_id, id, email, email_normalized, created_at)
             SELECT tenants.id, unhex(printf('%032x', i)), i || '@example.com', i || '@example.com', i / 3
             FROM n, tenants",
            (),
        )
        .unwrap();
    let listed: Value =
        serde_json::from_str(&stdout(&run(folder.path(), &["user", "list", "--json"]))).unwrap();
    let emails: Vec<_> =
        listed.as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap()).collect();
    let expected: Vec<_> = (1..=450).rev().map(|i| format!("{i}@example.com")).collect();
    assert_eq!(emails, expected);
    assert_eq!(stdout(&run(folder.path(), &["user", "list"])).lines().count(), 451);
}
