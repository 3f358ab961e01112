//! Stopping: what is under way is finished, what is idle is closed, and a second signal is the last.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::support::{KEY, Server, half_a_login, login_body, production, read_text};

#[test]
fn a_sign_in_that_is_under_way_is_finished_and_an_idle_connection_closed() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    server.register("ada@example.com");
    let mut idle = server.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert_eq!(read_text(&mut idle, 15), "HTTP/1.1 200 OK");
    let (mut untouched, body) = (server.connect(), login_body());
    let mut login = half_a_login(&server, &body);
    server.terminate();
    server.wait_for_log("stopping");
    // Both end while the sign-in still goes on.
    idle.read_to_end(&mut Vec::new()).unwrap();
    untouched.read_to_end(&mut Vec::new()).unwrap();
    login.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    login.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("access_token"), "{answer}");
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn whoever_is_told_to_reload_where_there_is_nothing_to_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::spawn(production(folder.path(), KEY));
    server.signal("HUP");
    assert_eq!(server.get("/healthz", "").0, 200);
    server.terminate();
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn one_whose_log_nobody_reads_any_more_serves_and_stops_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = production(folder.path(), KEY);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut banner = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(banner.any(|line| line.starts_with("listening on ")));
    drop(process.stderr.take());
    let id = process.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

// S-154
#[test]
fn until_a_load_balancer_has_seen_it_requests_are_still_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(folder.path(), &[("WARDGATE_SERVER__SHUTDOWN_DELAY", "60s")]);
    server.register("ada@example.com");
    let mut kept = server.connect();
    let ask = |connection: &mut TcpStream| {
        connection.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        read_text(connection, 12)
    };
    assert_eq!(ask(&mut kept), "HTTP/1.1 200");
    server.terminate();
    server.wait_for_log("stopping");
    // What is left of the first answer, the second, and the end of the connection that it announces.
    kept.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut rest = String::new();
    kept.read_to_string(&mut rest).unwrap();
    let (first, second) = rest.split_once("HTTP/1.1 503").expect("it is not ready any more");
    assert!(second.contains("connection: close") && !first.contains("connection: close"), "{rest}");
    server.log_in("ada@example.com");
    server.terminate();
    assert_eq!(server.wait(), Some(1));
}

#[test]
fn after_the_delay_it_stops_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(folder.path(), &[("WARDGATE_SERVER__SHUTDOWN_DELAY", "50ms")]);
    server.terminate();
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let _never_finished = half_a_login(&server, &login_body());
    server.terminate();
    server.wait_for_log("stopping");
    server.terminate();
    assert_eq!(server.wait(), Some(1));
}

#[test]
fn whoever_does_not_finish_is_cut_off_after_the_grace() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(folder.path(), &[("WARDGATE_SERVER__SHUTDOWN_GRACE", "50ms")]);
    let mut never_finished = half_a_login(&server, &login_body());
    server.terminate();
    assert_eq!(server.wait(), Some(0));
    // Closed or reset, but over.
    let _ = never_finished.read_to_end(&mut Vec::new());
}
