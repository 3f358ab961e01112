//! A certificate from an authority: Pebble, with which Let's Encrypt tests clients. Where `WARDGATE_TEST_PEBBLE` is not
//! set there is none, and nothing is tried; what needs two servers needs `WARDGATE_TEST_POSTGRES` too.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::FromSql;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{KEY, Server, production_at};
use crate::tls::{BOTH, connect_to, health, self_signed};

const NAMES: [&str; 2] = ["auth.example.test", "tenant.example.test"];

/// A block of PEM, in SQL, that holds nothing.
const BROKEN: &str =
    "('-----BEGIN CERTIFICATE-----' || char(10) || '*' || char(10) || '-----END CERTIFICATE-----')";

/// An authority and the DNS that it asks, in which each name is this machine's.
struct Pebble {
    folder: TempDir,
    directory: String,
    /// Where it looks whether a name is ours.
    port: u16,
    processes: Vec<Child>,
}

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Pebble {
    /// One that looks at each name for each order.
    fn start() -> Option<Self> {
        Self::start_with("0")
    }

    /// `remembered`: of a hundred names that it has looked at before, how many it believes without another look.
    fn start_with(remembered: &str) -> Option<Self> {
        let program = PathBuf::from(std::env::var_os("WARDGATE_TEST_PEBBLE")?);
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (certificate, key) = self_signed(&["127.0.0.1"]);
        fs::write(path("authority.pem"), certificate).unwrap();
        fs::write(path("authority.key"), key).unwrap();
        let (listen, manage, dns, port) = (free_port(), free_port(), free_port(), free_port());
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{listen}"),
            "managementListenAddress": format!("127.0.0.1:{manage}"),
            "certificate": path("authority.pem"),
            "privateKey": path("authority.key"),
            "httpPort": 1,
            "tlsPort": port,
            "externalAccountBindingRequired": false,
            "certificateValidityPeriod": 90 * 24 * 60 * 60,
        }});
        fs::write(path("pebble.json"), config.to_string()).unwrap();
        let log = |name| Stdio::from(File::create(path(name)).unwrap());
        let mut names = Command::new(program.with_file_name("pebble-challtestsrv"));
        names.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", ""]);
        names.args(["-tlsalpn01", "", "-dns01", &format!("127.0.0.1:{dns}")]);
        names.args(["-management", &format!("127.0.0.1:{}", free_port())]);
        let names = names.stdout(log("names.log")).stderr(log("names.err")).spawn().unwrap();
        let mut pebble = Command::new(program);
        pebble.arg("-strict").args(["-dnsserver", &format!("127.0.0.1:{dns}")]).arg("-config");
        // Its looking is real; only the pauses are left out that are there to find impatient clients.
        pebble.arg(path("pebble.json")).env("PEBBLE_VA_NOSLEEP", "1");
        pebble.env("PEBBLE_AUTHZREUSE", remembered);
        let pebble = pebble.stdout(log("pebble.log")).stderr(log("pebble.err")).spawn().unwrap();
        let directory = format!("https://127.0.0.1:{listen}/dir");
        while TcpStream::connect(("127.0.0.1", listen)).is_err() {
            std::thread::yield_now();
        }
        Some(Self { folder, directory, port, processes: vec![names, pebble] })
    }

    /// A server that asks it.
    fn command(&self, listen: u16) -> Command {
        let listen = format!("127.0.0.1:{listen}");
        let mut command = production_at(&self.folder.path().join("data"), KEY, &listen);
        command
            .env("WARDGATE_SERVER__INTERNAL_HOSTS", "127.0.0.1")
            .env("WARDGATE_ACME__DOMAINS", NAMES.join(","))
            .env("WARDGATE_ACME__CONTACT", "ops@example.com")
            .env("WARDGATE_ACME__DIRECTORY", &self.directory)
            .env("WARDGATE_ACME__ACCEPT_TERMS", "true")
            .env("WARDGATE_ACME__ROOT_FILE", self.folder.path().join("authority.pem"));
        command
    }

    /// What is kept of it, where it is SQLite. Times are in milliseconds.
    fn sql(&self, text: &str) {
        self.database().execute_batch(text).unwrap();
    }

    fn one<T: FromSql>(&self, text: &str) -> T {
        self.database().query_row(text, [], |row| row.get(0)).unwrap()
    }

    fn database(&self) -> Connection {
        let database = Connection::open(self.folder.path().join("data/wardgate.db")).unwrap();
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        database
    }

    fn logged(&self, text: &str) -> usize {
        let log = fs::read_to_string(self.folder.path().join("pebble.log")).unwrap();
        log.lines().filter(|line| line.contains(text)).count()
    }

    fn certificates(&self) -> usize {
        self.logged("Issued certificate")
    }

    fn orders(&self) -> usize {
        self.logged("Added order")
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// What a server shows: its own certificate, and the one that vouches for it.
fn shown(server: &Server, name: &str) -> Vec<CertificateDer<'static>> {
    let address = server.base.strip_prefix("https://").unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-connect", address, "-servername", name, "-showcerts"]);
    let asked = openssl.stdin(Stdio::null()).output().unwrap();
    CertificateDer::pem_slice_iter(&asked.stdout).map(Result::unwrap).collect()
}

fn serves(server: &Server, name: &str) -> CertificateDer<'static> {
    let chain = shown(server, name);
    let [own, vouches] = &chain[..] else { panic!("{chain:?}") };
    health(&mut connect_to(server, name, vouches, BOTH, &[]).unwrap());
    own.clone()
}

fn wait_until_served(server: &Server) {
    server.wait_for_log_without("no certificate was got", "a certificate of the authority is served");
}

#[test]
fn a_certificate_is_got_kept_and_renewed() {
    let Some(pebble) = Pebble::start_with("100") else { return };
    let server = Server::spawn(pebble.command(pebble.port));
    server.wait_for_log("there is no certificate yet");
    assert!(shown(&server, NAMES[0]).is_empty(), "nothing is served yet");
    wait_until_served(&server);
    let first = serves(&server, NAMES[0]);
    assert_eq!(serves(&server, NAMES[1]), first, "one certificate for both");
    drop(server);

    // The stored one at once, and no order for it; and no question that cannot be answered keeps it back.
    pebble.sql("INSERT INTO acme_challenges VALUES ('other.example.test', x'00', 9000000000000000)");
    let server = Server::spawn(pebble.command(pebble.port));
    assert_eq!(serves(&server, NAMES[0]), first);
    assert_eq!(pebble.certificates(), 1);
    pebble.sql("DELETE FROM acme_challenges");
    server.signal("HUP");
    server.wait_for_log_without("ordering a certificate", "there is nothing to hurry");
    // When it is time there is the next, and whoever asks meanwhile gets the old one.
    pebble.sql("UPDATE acme_certificates SET due_at = 0");
    server.wait_for_log("ordering a certificate");
    serves(&server, NAMES[0]);
    server.wait_for_log("there is a new certificate");
    wait_until_served(&server);
    assert_ne!(serves(&server, NAMES[0]), first);
}

#[test]
fn what_cannot_be_served_is_no_end_and_another_is_ordered() {
    let Some(pebble) = Pebble::start() else { return };
    let server = Server::spawn(pebble.command(pebble.port));
    wait_until_served(&server);
    let first = serves(&server, NAMES[0]);
    drop(server);
    // The first block is whole: it is what comes after it that nobody reads.
    pebble.sql(&format!("UPDATE acme_certificates SET chain = chain || {BROKEN}"));
    // One that has just come is not ordered anew: what comes next might be no better.
    let server = Server::spawn(pebble.command(pebble.port));
    server.wait_for_log("the certificate cannot be served");
    server.wait_for_log("there is no certificate yet");
    server.wait_for_log_without("ordering a certificate", "it cannot be seen whether there is another");
    drop(server);
    assert_eq!(pebble.certificates(), 1);
    pebble.sql("UPDATE acme_certificates SET issued_at = issued_at - 3600000");
    let server = Server::spawn(pebble.command(pebble.port));
    server.wait_for_log("the certificate in the database is of no use: another is ordered");
    wait_until_served(&server);
    assert_ne!(serves(&server, NAMES[0]), first);
    assert_eq!(pebble.certificates(), 2);
}

#[test]
fn a_name_more_takes_no_other_off_the_air() {
    let Some(pebble) = Pebble::start() else { return };
    let server = Server::spawn(pebble.command(pebble.port));
    wait_until_served(&server);
    let first = serves(&server, NAMES[1]);
    drop(server);
    let command = |port| {
        let mut command = pebble.command(port);
        command.env("WARDGATE_ACME__DOMAINS", format!("new.example.test,{}", NAMES[1]));
        command
    };
    // The authority cannot look, and gives nothing.
    let server = Server::spawn(command(free_port()));
    server.wait_for_log("another certificate is served until there is one for all names");
    assert_eq!(serves(&server, NAMES[1]), first);
    server.wait_for_log("no certificate was got; until then there is none for all of these names");
    assert_eq!(serves(&server, NAMES[1]), first);
    drop(server);
    // One that only stands in is not ordered anew, whatever is wrong with it.
    pebble.sql(&format!(
        "UPDATE acme_certificates SET issued_at = issued_at - 3600000, chain = chain || {BROKEN}"
    ));
    let server = Server::spawn(command(free_port()));
    server.wait_for_log("the certificate cannot be served");
    drop(server);
    let due = "SELECT due_at - CAST(strftime('%s') AS INTEGER) * 1000 FROM acme_certificates WHERE names LIKE 'auth%'";
    assert!(pebble.one::<i64>(due) > 24 * 60 * 60 * 1000);
    pebble.sql(&format!("UPDATE acme_certificates SET chain = replace(chain, {BROKEN}, '')"));
    // As if each try had ended with its server: the next takes as long as after as many that failed.
    pebble.sql("UPDATE acme_certificates SET due_at = 0, attempts = 3 WHERE names LIKE 'new%'");
    let mut server = Server::spawn(command(pebble.port));
    server.wait_for_log("ordering a certificate");
    server.kill();
    let wait =
        "SELECT due_at - CAST(strftime('%s') AS INTEGER) * 1000 FROM acme_certificates WHERE attempts = 4";
    assert!(pebble.one::<i64>(wait) > 60 * 60 * 1000);
    // Whoever is asked to hurry waits for no server that is gone.
    pebble.sql("UPDATE acme_certificates SET claimed_until = 1 WHERE names LIKE 'new%'");
    let server = Server::spawn(command(pebble.port));
    server.wait_for_log("another certificate is served until");
    server.signal("HUP");
    server.wait_for_log("the order that failed is tried again now");
    wait_until_served(&server);
    assert_eq!(serves(&server, "new.example.test"), serves(&server, NAMES[1]));
    assert_ne!(serves(&server, NAMES[1]), first);
}

#[test]
fn an_order_that_was_overtaken_takes_nothing_from_the_other() {
    let Some(pebble) = Pebble::start() else { return };
    let server = Server::spawn(pebble.command(pebble.port));
    wait_until_served(&server);
    let first = serves(&server, NAMES[0]);
    // Another server takes the order while this one waits, and has an answer of its own put down for one of the names.
    pebble.sql(
        "CREATE TRIGGER taken AFTER INSERT ON acme_challenges WHEN new.name = 'tenant.example.test' BEGIN
             UPDATE acme_challenges SET digest = zeroblob(32) WHERE name = new.name;
             UPDATE acme_certificates SET due_at = due_at + 1;
         END;
         UPDATE acme_certificates SET due_at = 0",
    );
    server.wait_for_log("another server has taken the order over");
    let left = "SELECT count(*) FROM acme_challenges";
    while pebble.one::<i64>(left) > 1 {}
    assert_eq!(pebble.one::<i64>("SELECT count(*) FROM acme_challenges WHERE digest = zeroblob(32)"), 1);
    assert_eq!(serves(&server, NAMES[0]), first);
    assert_eq!(pebble.certificates(), 1);
}

#[test]
fn a_second_server_takes_what_the_first_has_got() {
    let Some(pebble) = Pebble::start() else { return };
    let Some(database) = crate::relocate::empty() else { return };
    let spawn = |port| {
        let mut command = pebble.command(port);
        command.env("WARDGATE_DATABASE__URL", database.url());
        Server::spawn(command)
    };
    let first = spawn(pebble.port);
    let second = spawn(free_port());
    wait_until_served(&first);
    wait_until_served(&second);
    assert_eq!(serves(&first, NAMES[0]), serves(&second, NAMES[0]));
    assert_eq!(pebble.certificates(), 1);
}

#[test]
fn who_is_not_believed_waits_and_another_server_may_answer() {
    let Some(pebble) = Pebble::start() else { return };
    let Some(database) = crate::relocate::empty() else { return };
    let command = |port| {
        let mut command = pebble.command(port);
        command.env("WARDGATE_DATABASE__URL", database.url()).env("WARDGATE_METRICS__LISTEN", "127.0.0.1:0");
        command
    };
    // Nobody is where the authority looks.
    let elsewhere = Server::spawn(command(free_port()));
    elsewhere.wait_for_log("no certificate was got");
    assert!(shown(&elsewhere, NAMES[0]).is_empty());
    assert!(!elsewhere.metrics().contains("tls_certificate_end"));
    // A restart is no reason to ask an authority again that counts failures.
    drop(elsewhere);
    let elsewhere = Server::spawn(command(free_port()));
    elsewhere.wait_for_log("there is no certificate yet");
    // Whoever is there by now answers for both, whoever ordered.
    let there = Server::spawn(command(pebble.port));
    assert_eq!(pebble.orders(), 1);
    elsewhere.signal("HUP");
    elsewhere.wait_for_log_without("ordering a certificate", "the order that failed is tried again now");
    wait_until_served(&elsewhere);
    wait_until_served(&there);
    assert_eq!((pebble.orders(), pebble.certificates()), (2, 1));
    assert_eq!(serves(&there, NAMES[0]), serves(&elsewhere, NAMES[1]));
    let end = elsewhere.metrics();
    let end = end.lines().find_map(|line| {
        line.strip_prefix("wardgate_tls_certificate_end_seconds{certificate=\"auth.example.test\"} ")
    });
    let seconds = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let left = end.unwrap().parse::<u64>().unwrap() - seconds;
    assert!((89 * 24 * 60 * 60..=90 * 24 * 60 * 60).contains(&left), "{left}");
}
