//! The audit log at the command line.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{KEY, Server, production, run, stderr, stdout, wardgate};

fn database(folder: &Path) -> Connection {
    Connection::open(folder.join("wardgate.db")).unwrap()
}

/// Commits `count` records of the past that are not sealed yet, `age` days old.
fn commit(folder: &Path, count: u32, age: u32) {
    let statement = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
         INSERT INTO audit_events (tenant_id, id, at, actor, action, target, outcome, source, request_id)
         SELECT tenants.id, unhex(printf('%016x%016x', ?2, i)), (unixepoch() - ?2 * 86400) * 1000 + i, 'anonymous',
         'session.signed_in', 'identifier:' || i, 'refused', '192.0.2.1', 'req_' || i FROM n, tenants";
    assert_eq!(database(folder).execute(statement, (count, age)).unwrap(), count as usize);
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(&run(folder, arguments))).unwrap()
}

#[test]
fn a_list_shows_what_was_asked_for_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.register("ada@example.com");
    server.log_in("ada@example.com");
    server.register("bob@example.com");
    // From here on the log stands still: mails are sent, and recorded, when their time comes.
    drop(server);
    let list = |more: &[&str]| {
        let found = json(folder.path(), &[&["audit", "list", "--json"], more].concat());
        found.as_array().unwrap().clone()
    };
    let all = list(&[]);
    let by_people: Vec<_> = all.iter().filter(|event| event["action"] != "mail.sent").cloned().collect();
    assert_eq!(by_people[0]["action"], "user.registered");
    assert_eq!(by_people[1]["action"], "session.signed_in");
    let signed_in = &by_people[1..2];
    let registered = list(&["--action", "user.registered"]);
    assert_eq!(registered.len(), 2);
    let bob = registered[0]["target"].as_str().unwrap();
    assert_eq!(list(&["--target", bob]), registered[..1]);
    assert_eq!(list(&["--actor", signed_in[0]["actor"].as_str().unwrap()]), signed_in);
    assert_eq!(list(&["--outcome", "refused"]), [Value::Null; 0]);
    assert_eq!(list(&["--limit", "2"]), all[..2]);
    let at = signed_in[0]["at"].as_str().unwrap();
    assert!(list(&["--to", at]).iter().all(|event| event["at"].as_str() < Some(at)));
    assert_eq!(list(&["--from", at, "--action", "session.signed_in"]), signed_in);

    let table = stdout(&run(folder.path(), &["audit", "list", "-n", "1", "--action", "user.registered"]));
    assert!(table.starts_with("TIME  ") && table.contains(bob) && table.lines().count() == 2, "{table}");
    // More than a page, and ended where it was asked to.
    commit(folder.path(), 450, 1);
    assert_eq!(list(&["--outcome", "refused"]).len(), 100);
    assert_eq!(list(&["--outcome", "refused", "--limit", "401"]).len(), 401);
    assert_eq!(list(&["--outcome", "refused", "--limit", "9999"]).len(), 450);
}

#[test]
fn a_filter_that_names_nothing_says_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, value, hint) in [
        ("--action", "session.signedin", "session.signed_in"),
        ("--outcome", "failure", "refused"),
        ("--from", "yesterday", "--from"),
        ("--limit", "0", "--limit"),
    ] {
        let output = run(folder.path(), &["audit", "list", flag, value]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(hint), "{output:?}");
    }
}

#[test]
fn verify_names_the_first_broken_record_and_fails() {
    // S-133
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.register("ada@example.com");
    drop(server);
    let verify = |more: &[&str]| run(folder.path(), &[&["audit", "verify"], more].concat());
    // The end of any command seals what the killed server left.
    stdout(&run(folder.path(), &["audit", "list"]));
    commit(folder.path(), 1203, 1);
    stdout(&run(folder.path(), &["audit", "list"]));
    let whole = json(folder.path(), &["audit", "verify", "--json"]);
    let last = whole["last"].as_i64().unwrap();
    assert_eq!((&whole["broken"], whole["records"].as_i64()), (&Value::Null, Some(last)));
    let text = stdout(&verify(&[]));
    assert!(text.starts_with(&format!("all {last} records hold\n")), "{text}");
    assert!(text.contains(whole["link"].as_str().unwrap()), "{text}");

    let changed = "UPDATE audit_events SET outcome = 'success' WHERE seq IN (700, 900)";
    assert_eq!(database(folder.path()).execute(changed, ()).unwrap(), 2);
    let output = verify(&[]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("record 700 (aud_") && said.contains("was changed"), "{said}");
    assert!(output.stdout.is_empty());
    let output = verify(&["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((found["broken"]["seq"].as_i64(), &found["broken"]["fault"]), (Some(700), &"changed".into()));
    assert_eq!(found["records"], 699);
    database(folder.path()).execute("DELETE FROM audit_events WHERE seq = 12", ()).unwrap();
    assert!(stderr(&verify(&[])).contains("record 12 is missing"));
}

#[test]
fn a_log_that_was_put_back_is_told_from_one_that_went_on() {
    let folder = tempfile::tempdir().unwrap();
    drop(Server::start(folder.path()));
    stdout(&run(folder.path(), &["audit", "list"]));
    let kept = tempfile::tempdir().unwrap();
    let copy =
        |from: &Path, to: &Path| std::fs::copy(from.join("wardgate.db"), to.join("wardgate.db")).unwrap();
    // A command that closes leaves all of it in the one file.
    copy(folder.path(), kept.path());
    commit(folder.path(), 3, 1);
    stdout(&run(folder.path(), &["audit", "list"]));
    let seen = json(folder.path(), &["audit", "verify", "--json"]);
    let expected = format!("{}:{}", seen["last"], seen["link"].as_str().unwrap());
    let verify = || run(folder.path(), &["audit", "verify", "--expect", &expected]);
    stdout(&verify());
    commit(folder.path(), 2, 2);
    stdout(&run(folder.path(), &["audit", "list"]));
    stdout(&verify());
    copy(kept.path(), folder.path());
    assert!(stderr(&verify()).contains("was put back to an earlier state"));
    commit(folder.path(), 9, 3);
    stdout(&run(folder.path(), &["audit", "list"]));
    stdout(&run(folder.path(), &["audit", "verify"]));
    let output = verify();
    assert!(stderr(&output).contains("has another link") && output.status.code() == Some(1), "{output:?}");
    for wrong in ["5", "5:abc", "0:", &expected.replace(':', "")] {
        assert_eq!(run(folder.path(), &["audit", "verify", "--expect", wrong]).status.code(), Some(2));
    }
}

#[test]
fn an_export_is_whole_though_its_reader_is_slow_and_the_log_grows() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    commit(folder.path(), 6000, 1);
    let mut export = wardgate();
    export.args(["audit", "export", "--data-dir"]).arg(folder.path());
    let mut export = export.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(export.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    // The pipe holds far less than the log: it cannot have been read to its end by now.
    assert!(export.try_wait().unwrap().is_none());
    server.register("late@example.com");
    commit(folder.path(), 1000, 2);
    let mut events = vec![first];
    events.extend(lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()));
    assert!(export.wait().unwrap().success());
    let of_before = events.iter().filter(|event| event["outcome"] == "refused").count();
    assert_eq!(of_before, 6000, "all of before and none of later");
    let ids: std::collections::HashSet<_> = events.iter().map(|event| event["id"].as_str()).collect();
    assert_eq!(ids.len(), events.len());
    let again = stdout(&run(folder.path(), &["audit", "export", "--action", "user.registered"]));
    assert_eq!(again.lines().count(), 1);
    assert!(again.starts_with(r#"{"id":"aud_"#), "{again}");
}

#[test]
fn retention_removes_what_is_older_and_leaves_a_log_that_holds() {
    let folder = tempfile::tempdir().unwrap();
    let tool = |arguments: &[&str]| {
        let mut command = wardgate();
        command.args(arguments).arg("--data-dir").arg(folder.path()).env("WARDGATE_SERVER__MASTER_KEY", KEY);
        stdout(&command.output().unwrap())
    };
    tool(&["migrate"]);
    // The end of any command seals what there is.
    commit(folder.path(), 700, 40);
    tool(&["audit", "list"]);
    commit(folder.path(), 20, 20);
    tool(&["audit", "list"]);
    assert!(tool(&["audit", "verify"]).starts_with("all 720 records hold"));
    let mut command = production(folder.path(), KEY);
    command.env("WARDGATE_AUDIT__RETENTION", "30d");
    let mut server = Server::spawn(command);
    server.terminate();
    server.wait();
    let text = tool(&["audit", "verify"]);
    assert!(text.contains("retention has removed the first 700\n"), "{text}");
    let left = tool(&["audit", "export", "--outcome", "refused"]);
    assert_eq!(left.lines().count(), 20);
    // Without retention nothing more goes.
    drop(Server::spawn(production(folder.path(), KEY)));
    assert_eq!(tool(&["audit", "export", "--outcome", "refused"]).lines().count(), 20);
}

/// Answers each request with 204, and gives its head and body.
fn receiver() -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).unwrap();
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let answer = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            let _ = sender.send((head, serde_json::from_slice(&body).unwrap()));
        }
    });
    (url, received)
}

#[test]
fn a_server_gives_its_records_to_a_file_and_a_webhook_and_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    let (url, received) = receiver();
    let environment = [
        ("WARDGATE_AUDIT__FILE", file.to_str().unwrap()),
        ("WARDGATE_AUDIT__WEBHOOK_URL", url.as_str()),
        ("WARDGATE_AUDIT__WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ];
    let mut server = Server::start_with(folder.path(), &environment);
    server.register("ada@example.com");
    let mut sent = Vec::new();
    let mut wait_for = |email: &str| {
        let user = json(folder.path(), &["user", "show", "--email", email, "--json"])["id"].clone();
        while sent.iter().all(|record: &Value| record["target"] != user) {
            let (head, body) = received.recv_timeout(Duration::from_secs(20)).unwrap();
            assert!(head.contains("webhook-signature: v1,"), "{head}");
            sent.extend(body["data"]["records"].as_array().unwrap().clone());
        }
    };
    wait_for("ada@example.com");
    server.register("bob@example.com");
    // Its last second too.
    server.terminate();
    assert_eq!(server.wait(), Some(0));
    let written = |file: &Path| std::fs::read_to_string(file).unwrap();
    assert!(written(&file).lines().count() >= 3);
    let server = Server::start_with(folder.path(), &environment);
    server.register("eve@example.com");
    wait_for("eve@example.com");
    drop(server);
    let exported = stdout(&run(folder.path(), &["audit", "export"]));
    let ids = |records: Vec<Value>| records.iter().map(|record| record["id"].to_string()).collect::<Vec<_>>();
    let all = ids(exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect());
    let sent = ids(sent);
    assert_eq!(sent, all[..sent.len()]);
    assert!(exported.starts_with(&written(&file)), "the same lines, but for what came last");
}

#[test]
fn every_command_reads_the_log_of_the_tenant_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    stdout(&run(folder.path(), &["tenant", "create", "acme", "--name", "Acme"]));
    let (status, _) = server.post(
        "/t/acme/auth/register",
        &serde_json::json!({ "email": "ada@example.com", "password": crate::support::PASSWORD }),
    );
    assert_eq!(status, 201);
    let registered = |tenant: &str| {
        let arguments = ["audit", "list", "--action", "user.registered", "--json", "--tenant", tenant];
        json(folder.path(), &arguments).as_array().unwrap().clone()
    };
    assert_eq!(registered("default"), [Value::Null; 0]);
    assert_eq!(registered("acme")[0]["tenant"], "acme");
    let tail = json(folder.path(), &["audit", "tail", "--json", "--tenant", "acme"]);
    assert_eq!(tail.as_array().unwrap().last(), registered("acme").first());
    let exported = stdout(&run(folder.path(), &["audit", "export", "--tenant", "acme"]));
    assert!(
        exported.lines().all(|line| line.contains(r#""tenant":"acme""#))
            && exported.contains("user.registered")
    );
    database(folder.path())
        .execute("UPDATE audit_events SET outcome = 'refused' WHERE action = 'user.registered'", ())
        .unwrap();
    stdout(&run(folder.path(), &["audit", "verify"]));
    assert!(stderr(&run(folder.path(), &["audit", "verify", "--tenant", "acme"])).contains("was changed"));
    assert!(stderr(&run(folder.path(), &["audit", "list", "--tenant", "zeta"])).contains("no tenant"));
}
