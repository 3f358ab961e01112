//! Mail from the real binary: to a mail server on loopback, and into the inbox of a development server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{KEY, PASSWORD, Server, production, run, stderr, stdout};

/// One mail as it came in.
pub(crate) struct Received {
    credentials: String,
    from: String,
    pub(crate) to: Vec<String>,
    pub(crate) data: String,
}

/// The least that is a mail server (RFC 5321), for clients that authenticate by PLAIN (RFC 4616).
pub(crate) struct MailServer {
    pub(crate) address: String,
    mails: Receiver<Received>,
}

impl MailServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, mails) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let sender = sender.clone();
                std::thread::spawn(move || converse(&stream.unwrap(), &sender));
            }
        });
        Self { address, mails }
    }

    pub(crate) fn next(&self) -> Received {
        self.mails.recv_timeout(Duration::from_secs(30)).expect("a mail comes")
    }
}

fn converse(stream: &TcpStream, mails: &Sender<Received>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let say = |text: &str| (&mut &*stream).write_all(format!("{text}\r\n").as_bytes()).unwrap();
    say("220 mail.test ESMTP");
    let (mut credentials, mut from, mut to) = (String::new(), String::new(), Vec::new());
    while let Some(line) = lines.next() {
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => say("250-mail.test\r\n250 AUTH PLAIN"),
            "AUTH" => {
                rest.clone_into(&mut credentials);
                say("235 2.7.0 welcome");
            }
            "MAIL" => {
                rest.clone_into(&mut from);
                say("250 2.1.0 ok");
            }
            "RCPT" => {
                to.push(rest.to_owned());
                say("250 2.1.5 ok");
            }
            "DATA" => {
                say("354 go on");
                let data: Vec<String> = lines.by_ref().take_while(|line| line != ".").collect();
                let (credentials, from) = (credentials.clone(), from.clone());
                let to = std::mem::take(&mut to);
                // Quoted-printable (RFC 2045 section 6.7) of what is ASCII otherwise.
                let data = data.join("\n").replace("=\n", "").replace("=3D", "=");
                mails.send(Received { credentials, from, to, data }).unwrap();
                say("250 2.0.0 taken");
            }
            "QUIT" => {
                say("221 2.0.0 bye");
                return;
            }
            _ => say("502 5.5.1 unknown"),
        }
    }
}

/// The token of the link in a text.
pub(crate) fn token(text: &str) -> String {
    let (_, rest) = text.split_once("#token=").unwrap_or_else(|| panic!("no link in {text}"));
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect()
}

#[test]
fn a_production_server_mails_links_that_work() {
    let (folder, mail) = (tempfile::tempdir().unwrap(), MailServer::start());
    let password_file = folder.path().join("smtp.password");
    std::fs::write(&password_file, "kR8sPq2x\n").unwrap();
    std::fs::set_permissions(&password_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = production(folder.path(), KEY);
    command
        .env("WARDGATE_REGISTRATION__MODE", "verified")
        .env("WARDGATE_MAIL__SMTP", format!("smtp://{}", mail.address))
        .env("WARDGATE_MAIL__TLS", "none")
        .env("WARDGATE_MAIL__FROM", "Example <no-reply@example.com>")
        .env("WARDGATE_MAIL__USER", "wardgate")
        .env("WARDGATE_MAIL__PASSWORD_FILE", &password_file)
        .env("WARDGATE_MAIL__RESET_URL", "https://app.example.com/reset");
    let mut server = Server::spawn(command);
    let credentials = json!({ "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(server.post("/auth/register", &credentials).0, 202);
    let received = mail.next();
    assert_eq!(received.credentials, "PLAIN AHdhcmRnYXRlAGtSOHNQcTJ4", "wardgate, kR8sPq2x");
    assert!(received.from.contains("<no-reply@example.com>"), "{}", received.from);
    assert_eq!(received.to.len(), 1);
    assert!(received.to[0].contains("<ada@example.com>"), "{:?}", received.to);
    let head = received.data.split_once("\n\n").unwrap().0;
    assert!(head.contains("From: Example <no-reply@example.com>") && head.contains("Date: "), "{head}");
    assert!(head.contains("Subject: Confirm your e-mail address for auth.example.com"), "{head}");
    assert!(received.data.contains("https://auth.example.com/auth/email/verify#token="), "{}", received.data);
    assert_eq!(server.post("/auth/login", &credentials).0, 401, "not before the address is proven");
    assert_eq!(server.post("/auth/email/verify", &json!({ "token": token(&received.data) })).0, 204);
    assert_eq!(server.post("/auth/login", &credentials).0, 200);

    assert_eq!(server.post("/auth/password/forgot", &json!({ "email": "nobody@example.com" })).0, 202);
    assert_eq!(server.post("/auth/password/forgot", &json!({ "email": "ada@example.com" })).0, 202);
    let received = mail.next();
    assert!(received.to[0].contains("<ada@example.com>"), "{:?}", received.to);
    assert!(received.data.contains("https://app.example.com/reset#token="), "{}", received.data);
    let reset = json!({ "token": token(&received.data), "new_password": "an entirely new sentence" });
    assert_eq!(server.post("/auth/password/reset", &reset).0, 204);
    assert_eq!(server.post("/auth/login", &credentials).0, 401);
    let notice = mail.next();
    assert!(notice.data.contains("was set anew"), "{}", notice.data);
    server.terminate();
    server.wait();
    assert!(mail.mails.try_recv().is_err(), "each mail comes once");
}

#[test]
fn mail_that_cannot_work_keeps_production_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = production(folder.path(), KEY);
    command.env("WARDGATE_MAIL__SMTP", "smtp://mail.example.com").env("WARDGATE_MAIL__TLS", "none");
    let refused = stderr(&command.output().unwrap());
    assert!(refused.contains("mail.tls") && refused.contains("mail.from"), "{refused}");
}

#[test]
fn a_development_server_shows_its_mails() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    server.register("ada@example.com");
    assert_eq!(server.post("/auth/magic-link", &json!({ "email": "ada@example.com" })).0, 202);
    let inbox = format!("{}/dev/inbox", server.base);
    let both = |page: &String| page.contains("Sign in to") && page.contains("Confirm your e-mail address");
    let pages = (0..300).map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        ureq::get(&inbox).call().unwrap().body_mut().read_to_string().unwrap()
    });
    let page = pages.into_iter().find(both).expect("both mails are shown");
    let link = format!("{}/auth/email/verify#token=", server.base);
    let (_, verify) = page.split_once(&link).expect("links lead to the address really listened on");
    let verify = token(&format!("#token={verify}"));
    assert_eq!(server.post("/auth/email/verify", &json!({ "token": verify })).0, 204);
    server.wait_for_log("a mail:");
    server.terminate();
    server.wait();
    let log: Value =
        serde_json::from_str(&stdout(&run(folder.path(), &["audit", "tail", "--json"]))).unwrap();
    let actions: Vec<_> =
        log.as_array().unwrap().iter().filter_map(|event| event["action"].as_str()).collect();
    for action in ["mail.sent", "magic_link.requested", "email.verified"] {
        assert!(actions.contains(&action), "{actions:?}");
    }
}
