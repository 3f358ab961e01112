//! Stopping: what is under way is finished, what is idle is closed, and a second signal is the last.

use std::io::{Read as _, Write as _};

use crate::support::{Server, half_a_login, login_body, read_text};

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
