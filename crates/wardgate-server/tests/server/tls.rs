//! TLS of the server's own (S-135, S-136, S-140).

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use tempfile::TempDir;

use crate::support::{KEY, Server, production_at, stderr};

pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// The files that the server is told of; what is in them changes.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.renew();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts another certificate in place of the one that is there.
    fn renew(&self) {
        self.put(self.folder.path(), &["chain.pem", "key.pem"], &["localhost"]);
    }

    /// Puts a certificate for these names where a folder of many is looked for.
    fn add(&self, folder: &str, names: &[&str]) -> CertificateDer<'static> {
        let folder = self.path("many").join(folder);
        fs::create_dir_all(&folder).unwrap();
        self.put(&folder, &["fullchain.pem", "privkey.pem"], names);
        CertificateDer::from_pem_file(folder.join("fullchain.pem")).unwrap()
    }

    fn put(&self, folder: &Path, files: &[&str; 2], names: &[&str]) {
        let (certificate, key) = self_signed(names);
        fs::write(self.path("new.pem"), certificate).unwrap();
        fs::write(self.path("new.key"), key).unwrap();
        fs::set_permissions(self.path("new.key"), Permissions::from_mode(0o600)).unwrap();
        fs::rename(self.path("new.pem"), folder.join(files[0])).unwrap();
        fs::rename(self.path("new.key"), folder.join(files[1])).unwrap();
    }

    fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.path("chain.pem")).unwrap()
    }

    /// A server that is told of the folder of many too.
    fn command_of_many(&self) -> Command {
        let mut command = self.command("127.0.0.1:0");
        command.env("WARDGATE_SERVER__TLS_FOLDER", self.path("many"));
        command
    }

    fn command(&self, listen: &str) -> Command {
        let mut command = production_at(&self.path("data"), KEY, listen);
        command.env("WARDGATE_SERVER__TLS_CERT_FILE", self.path("chain.pem"));
        command.env("WARDGATE_SERVER__TLS_KEY_FILE", self.path("key.pem"));
        command
    }

    fn serve(&self) -> Server {
        Server::spawn(self.command("127.0.0.1:0"))
    }
}

/// A certificate that nobody else vouches for, and its key, in PEM.
pub(crate) fn self_signed(names: &[&str]) -> (String, String) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

fn open(server: &Server) -> TcpStream {
    let address = server.base.strip_prefix("https://").expect("it says that it speaks TLS");
    TcpStream::connect(address.replace("0.0.0.0", "127.0.0.1")).unwrap()
}

fn connect(
    server: &Server,
    certificate: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
) -> std::io::Result<Stream> {
    connect_to(server, "localhost", certificate, versions, alpn)
}

/// A connection to `name` that trusts `certificate` alone.
pub(crate) fn connect_to(
    server: &Server,
    name: &str,
    certificate: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
) -> std::io::Result<Stream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = open(server);
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(connection, socket))
}

pub(crate) fn health(stream: &mut Stream) -> String {
    stream.write_all(HEALTH.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer
}

#[test]
fn https_with_versions_1_2_and_1_3_and_http_1_and_2() {
    let files = Files::new();
    let server = files.serve();
    for version in BOTH {
        let mut stream = connect(&server, &files.certificate(), &[version], &[]).unwrap();
        let answer = health(&mut stream);
        assert!(
            answer.contains("\r\nstrict-transport-security: max-age=31536000; includeSubDomains\r\n"),
            "{answer}"
        );
    }
    for (offered, chosen) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1")] {
        let stream = connect(&server, &files.certificate(), BOTH, offered).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(chosen.as_bytes()));
    }
    let mut stream = connect(&server, &files.certificate(), BOTH, &["h2"]).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut settings = [0; 9];
    stream.read_exact(&mut settings).unwrap();
    assert_eq!(settings[3], 4, "its settings: it speaks HTTP/2");
}

#[test]
fn nothing_older_and_nothing_in_clear() {
    let files = Files::new();
    let server = files.serve();
    let address = server.base.strip_prefix("https://").unwrap();
    for (version, agreed) in [("-tls1", false), ("-tls1_1", false), ("-tls1_2", true)] {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-connect", address, version, "-cipher", "DEFAULT:@SECLEVEL=0"]);
        let asked = openssl.stdin(std::process::Stdio::null()).output().unwrap();
        assert_eq!(asked.status.success(), agreed, "{version} {asked:?}");
    }
    let mut clear = open(&server);
    clear.write_all(HEALTH.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
}

#[test]
fn with_tls_it_may_listen_to_the_network() {
    let files = Files::new();
    let server = Server::spawn(files.command("0.0.0.0:0"));
    assert!(server.base.starts_with("https://0.0.0.0:"), "{}", server.base);
    health(&mut connect(&server, &files.certificate(), BOTH, &[]).unwrap());
}

#[test]
fn a_new_certificate_is_taken_while_it_runs_and_a_broken_one_is_not() {
    let files = Files::new();
    let server = files.serve();
    let (first, good) = (files.certificate(), fs::read(files.path("key.pem")).unwrap());
    let mut old = connect(&server, &first, BOTH, &[]).unwrap();
    files.renew();
    server.wait_for_log("the certificates were read again");
    health(&mut connect(&server, &files.certificate(), BOTH, &[]).unwrap());
    connect(&server, &first, BOTH, &[]).unwrap_err();
    // Who was connected before stays so.
    health(&mut old);

    let (second, key) = (files.certificate(), fs::read(files.path("key.pem")).unwrap());
    for broken in [&b"no key at all"[..], &good] {
        fs::write(files.path("key.pem"), broken).unwrap();
        server.wait_for_log("the old one stays");
        health(&mut connect(&server, &second, BOTH, &[]).unwrap());
    }
    // Right again, but everybody on the machine could have read it.
    fs::set_permissions(files.path("key.pem"), Permissions::from_mode(0o644)).unwrap();
    fs::write(files.path("key.pem"), key).unwrap();
    server.wait_for_log("everybody on this machine");
    fs::set_permissions(files.path("key.pem"), Permissions::from_mode(0o600)).unwrap();
    server.signal("HUP");
    server.wait_for_log("the certificates were read again");
    health(&mut connect(&server, &second, BOTH, &[]).unwrap());
}

/// What is shown to whoever asks for this name; for none, who asks for an address.
fn shown(server: &Server, name: Option<&str>) -> CertificateDer<'static> {
    let address = server.base.strip_prefix("https://").unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-connect", address]);
    match name {
        Some(name) => openssl.args(["-servername", name]),
        None => openssl.arg("-noservername"),
    };
    let asked = openssl.stdin(std::process::Stdio::null()).output().unwrap();
    CertificateDer::from_pem_slice(&asked.stdout).unwrap()
}

#[test]
fn each_name_gets_its_own_certificate_and_others_come_and_go() {
    let files = Files::new();
    let wide = files.add("a", &["*.example.com"]);
    let own = files.add("b", &["shop.example.com", "shop.example.org"]);
    // What certbot lays beside them is no certificate.
    fs::write(files.path("many").join("README"), "read me").unwrap();
    fs::create_dir(files.path("many").join("none")).unwrap();
    let server = Server::spawn(files.command_of_many());
    health(&mut connect_to(&server, "shop.example.org", &own, BOTH, &[]).unwrap());
    for (name, expected) in [
        (Some("shop.example.com"), &own),
        (Some("SHOP.example.org"), &own),
        (Some("other.example.com"), &wide),
        (Some("a.b.example.com"), &files.certificate()),
        (Some("example.com"), &files.certificate()),
        (Some("stranger.example"), &files.certificate()),
        (Some("localhost"), &files.certificate()),
        (None, &files.certificate()),
    ] {
        assert_eq!(shown(&server, name), *expected, "{name:?}");
    }

    let late = files.add("late", &["late.example.net"]);
    server.wait_for_log("the certificates were read again");
    // Its key came after it: until then there was half a one.
    while shown(&server, Some("late.example.net")) != late {
        server.wait_for_log("the certificates were read again");
    }
    fs::remove_dir_all(files.path("many").join("a")).unwrap();
    server.wait_for_log("the certificates were read again");
    assert_eq!(shown(&server, Some("other.example.com")), files.certificate());
    assert_eq!(shown(&server, Some("shop.example.com")), own);
    // One that is broken is not served, and takes no other with it.
    fs::create_dir(files.path("many").join("half")).unwrap();
    fs::write(files.path("many").join("half/privkey.pem"), "none").unwrap();
    server.wait_for_log("there is none yet");
    // Nor is one that leads nowhere at all passed over without a word.
    fs::create_dir(files.path("many").join("loop")).unwrap();
    for file in ["fullchain.pem", "privkey.pem"] {
        std::os::unix::fs::symlink(file, files.path("many").join("loop").join(file)).unwrap();
    }
    server.wait_for_log("there is none yet");
    fs::rename(files.path("many"), files.path("gone")).unwrap();
    server.wait_for_log("what was served stays");
    for (name, expected) in [("shop.example.com", own), ("late.example.net", late)] {
        assert_eq!(shown(&server, Some(name)), expected);
    }
}

#[test]
fn a_folder_without_a_whole_certificate_is_refused_at_the_start() {
    let files = Files::new();
    let refused = || {
        let mut command = files.command_of_many();
        command.env_remove("WARDGATE_SERVER__TLS_CERT_FILE").env_remove("WARDGATE_SERVER__TLS_KEY_FILE");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let text = stderr(&output);
        assert!(text.contains("server.tls_folder"), "{text}");
        text
    };
    assert!(refused().contains("the folder cannot be read"));
    fs::create_dir_all(files.path("many").join("a")).unwrap();
    assert!(refused().contains("no folder in it with fullchain.pem and privkey.pem"));
    files.add("a", &["localhost"]);
    let key = files.path("many").join("a/privkey.pem");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    assert!(refused().contains("chmod 600"));
    fs::remove_file(&key).unwrap();
    let text = refused();
    assert!(text.contains(key.to_str().unwrap()) && text.contains("cannot be read"), "{text}");
}

#[test]
fn a_handshake_that_does_not_come_makes_room() {
    let files = Files::new();
    let mut command = files.command("127.0.0.1:0");
    let server = Server::spawn({
        command.env("WARDGATE_SERVER__MAX_CONNECTIONS", "1").env("WARDGATE_METRICS__LISTEN", "127.0.0.1:0");
        command
    });
    let mut silent = open(&server);
    // The first bytes of a hello that is never finished.
    silent.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).unwrap();
    // Only who was let in before can be in another's way.
    while !server.metrics().contains("wardgate_connections_accepted_total 1\n") {}
    health(&mut connect(&server, &files.certificate(), BOTH, &[]).unwrap());
    let mut rest = Vec::new();
    assert!(silent.read_to_end(&mut rest).is_err() || rest.is_empty(), "{rest:?}");
}

#[test]
fn a_key_for_all_to_read_and_files_that_do_not_fit_are_refused_at_the_start() {
    let files = Files::new();
    let refused = |files: &Files| {
        let mut command = files.command("127.0.0.1:0");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        stderr(&output)
    };
    let key = files.path("key.pem");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let text = refused(&files);
    assert!(text.contains("tls_key_file") && text.contains("chmod 600"), "{text}");
    fs::remove_file(&key).unwrap();
    assert!(refused(&files).contains("cannot be read"));
    let another = Files::new();
    fs::copy(another.path("key.pem"), &key).unwrap();
    assert!(refused(&files).contains("not that of the certificate"));
    assert!(!Path::new(&files.path("data")).exists(), "it made nothing");
}
