//! As many connections as there may be, and one more (S-147).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{Server, half_a_login, login_body, read_text};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn start(folder: &std::path::Path, most: &str) -> Server {
    Server::start_with(folder, &[("WARDGATE_SERVER__MAX_CONNECTIONS", most)])
}

/// The status line of the answer to a request for health.
fn ask(connection: &mut TcpStream) -> String {
    connection.write_all(HEALTH.as_bytes()).unwrap();
    let head = read_text(connection, 12);
    assert!(head.starts_with("HTTP/1.1 "), "{head}");
    head["HTTP/1.1 ".len()..].to_owned()
}

/// Whether it ends without another word.
fn is_closed(connection: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).is_err() || !String::from_utf8_lossy(&rest).contains("HTTP/1.1")
}

#[test]
fn whoever_asks_for_nothing_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "2");
    let (mut first, mut second) = (server.connect(), server.connect());
    assert_eq!((ask(&mut first), ask(&mut second)), ("200".to_owned(), "200".to_owned()));
    // A head that is never finished is no request.
    first.write_all(b"GET /healthz HTTP/1.1\r\nhost: loc").unwrap();
    let mut third = server.connect();
    assert_eq!(ask(&mut third), "200");
    assert!(is_closed(&mut first));
    let mut fourth = server.connect();
    assert_eq!(ask(&mut fourth), "200");
    assert!(is_closed(&mut second));
}

#[test]
fn many_that_say_nothing_keep_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "20");
    let silent: Vec<_> = (0..200).map(|_| server.connect()).collect();
    assert_eq!(ask(&mut server.connect()), "200");
    drop(silent);
}

#[test]
fn where_each_waits_for_an_answer_one_more_is_sent_away() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "2");
    server.register("ada@example.com");
    let body = login_body();
    let mut logins = [half_a_login(&server, &body), half_a_login(&server, &body)];
    let mut answer = String::new();
    server.connect().read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    let (_, problem) = answer.split_once("\r\n\r\n").unwrap();
    let problem: serde_json::Value = serde_json::from_str(problem).unwrap();
    assert_eq!(problem["code"], "busy");
    // Those that were waiting are not disturbed.
    for login in &mut logins {
        login.write_all(body.as_bytes()).unwrap();
        assert!(read_text(login, 40).contains("HTTP/1.1 200"));
    }
    assert_eq!(ask(&mut server.connect()), "200");
}

#[test]
fn an_http_2_connection_without_a_request_makes_room_too() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "1");
    let mut idle = server.connect();
    idle.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    // Its settings: it speaks HTTP/2.
    assert_eq!(read_text(&mut idle, 9).as_bytes()[3], 4);
    assert_eq!(ask(&mut server.connect()), "200");
    assert!(is_closed(&mut idle));
}
