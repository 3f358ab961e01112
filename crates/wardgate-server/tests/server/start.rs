//! Starting, refusing to start, stopping.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::support::{PASSWORD, Server, run, stderr, wardgate};

#[test]
fn a_development_server_keeps_its_users_and_keys_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.register("ada@example.com");
    let (access, refresh) = server.log_in("ada@example.com");
    let port = server.base.rsplit(':').next().unwrap().to_owned();
    drop(server);
    // On the same port, since the issuer of a development server is its address.
    let mut command = wardgate();
    command
        .args(["serve", "--dev", "--data-dir"])
        .arg(folder.path())
        .args(["--listen", &format!("127.0.0.1:{port}")]);
    let again = Server {
        process: command.stdout(std::process::Stdio::null()).spawn().unwrap(),
        base: format!("http://127.0.0.1:{port}"),
        banner: vec![],
    };
    while TcpStream::connect(("127.0.0.1", port.parse::<u16>().unwrap())).is_err() {
        std::thread::yield_now();
    }
    assert_eq!(again.get("/auth/me", &access).0, 200);
    assert_eq!(again.post("/auth/refresh", &json!({ "refresh_token": refresh })).0, 200);
}

#[test]
fn development_and_production_databases_are_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    drop(Server::start(folder.path()));
    // Production on a folder that --dev made, with its very key.
    let key = std::fs::read_to_string(folder.path().join("master.key")).unwrap();
    let mut production = wardgate();
    production
        .env("WARDGATE_SERVER__MASTER_KEY", key.trim())
        .env("WARDGATE_SERVER__ISSUER", "https://auth.example.com");
    production.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
    assert!(stderr(&production.output().unwrap()).contains("made by --dev"));
    // --dev on a folder with a database of somebody else.
    std::fs::remove_file(folder.path().join("master.key")).unwrap();
    let refused = run(folder.path(), &["serve", "--dev", "--listen", "127.0.0.1:0"]);
    assert!(stderr(&refused).contains("master.key"), "{refused:?}");
    assert!(!folder.path().join("master.key").exists(), "it made nothing");
}

#[test]
fn a_folder_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Server::start(folder.path());
    let second = run(folder.path(), &["serve", "--dev", "--listen", "127.0.0.1:0"]);
    assert!(stderr(&second).contains("another server runs on"), "{second:?}");
}

#[test]
fn production_says_everything_that_is_missing_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run(folder.path(), &["serve", "--listen", "0.0.0.0:8080"]);
    assert_eq!(refused.status.code(), Some(2));
    let text = stderr(&refused);
    for setting in ["server.issuer", "server.master_key", "server.listen"] {
        assert!(text.contains(setting), "{text}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it made nothing");
    let public = run(folder.path(), &["serve", "--dev", "--listen", "0.0.0.0:8080"]);
    assert!(stderr(&public).contains("loopback"));
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

#[test]
fn a_stop_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    server.register("ada@example.com");
    let host = server.base.strip_prefix("http://").unwrap().to_owned();
    let mut idle = TcpStream::connect(&host).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    // Sign-ins that are being hashed when the signal comes.
    let mut logins: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(&host).unwrap()).collect();
    let body = json!({ "email": "ada@example.com", "password": PASSWORD }).to_string();
    for login in &mut logins {
        let head = format!(
            "POST /auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        login.write_all(format!("{head}{body}").as_bytes()).unwrap();
    }
    // One answer shows that the server took them up.
    logins[0].read_exact(&mut answer).unwrap();
    server.terminate();
    for login in &mut logins[1..] {
        login.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).unwrap();
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
    assert!(TcpStream::connect(&host).is_err());
}
