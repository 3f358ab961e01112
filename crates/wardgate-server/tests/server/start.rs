//! Starting, and refusing to start.

use std::io::{Read as _, Write as _};

use serde_json::json;

use crate::support::{PASSWORD, Server, development, run, stderr, wardgate};

#[test]
fn a_development_server_keeps_its_users_and_keys_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.register("ada@example.com");
    let (access, refresh) = server.log_in("ada@example.com");
    // On the same port, since the issuer of a development server is its address.
    let address = server.base.strip_prefix("http://").unwrap().to_owned();
    drop(server);
    let again = Server::spawn(development(folder.path(), &address));
    assert_eq!(again.get("/auth/me", &access).0, 200);
    assert_eq!(again.post("/auth/refresh", &json!({ "refresh_token": refresh })).0, 200);
}

#[test]
fn a_folder_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Server::start(folder.path());
    let second = run(folder.path(), &["serve", "--dev", "--listen", "127.0.0.1:0"]);
    let text = stderr(&second);
    assert!(text.contains("another server") && text.contains(folder.path().to_str().unwrap()), "{text}");
}

#[test]
fn production_says_everything_that_is_wrong_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("wardgate.toml"),
        "[tokens]\naccess_ttl = \"2h\"\n[server]\nport = 80\n",
    )
    .unwrap();
    let mut serve = wardgate();
    serve.args(["serve", "--listen", "0.0.0.0:8080", "--data-dir", "data"]).current_dir(folder.path());
    let refused = serve.env("WARDGATE_SERVER__MASTER_KEY", "changeme").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&refused));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "it made nothing");
}

#[test]
fn a_development_server_is_for_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    let refused = development(folder.path(), "0.0.0.0:8080").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("loopback"), "{refused:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it made nothing");
}

#[test]
fn what_a_development_server_prints_works_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    assert_eq!(server.get("/openapi.json", "").0, 200);
    let data = std::path::absolute(folder.path()).unwrap();
    assert!(server.banner.contains(&format!("data: {}", data.display())), "{:?}", server.banner);
    let printed = json!({ "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(server.post("/auth/register", &printed).0, 201);
}

#[test]
fn the_setup_link_is_in_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(folder.path(), &[("WARDGATE_TELEMETRY__LOG", "trace")]);
    let token = server.setup_token().unwrap();
    server.terminate();
    server.wait();
    let log: Vec<String> = server.log.iter().collect();
    assert!(log.iter().any(|line| line.contains("stopping")), "{log:?}");
    assert!(!log.iter().any(|line| line.contains(&token)));
}

#[test]
fn a_head_that_is_too_long_is_answered_by_us_and_not_by_the_http_library() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut connection = server.connect();
    let head = format!(
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx: {}\r\n\r\n",
        "a".repeat(40_000)
    );
    connection.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(answer.contains("headers_too_large"), "{answer}");
}

#[test]
fn a_taken_port_is_told_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = run(folder.path(), &["serve", "--dev", "--listen", &address]);
    let text = stderr(&refused);
    assert!(text.contains(&address) && text.contains("--listen"), "{text}");
}
