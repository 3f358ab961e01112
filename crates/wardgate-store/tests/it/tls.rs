//! TLS to PostgreSQL: what is said before a certificate was looked at, and which certificates are good enough.
//!
//! The first half has a server of the test's own, which says one byte; the second one asks a real server, if there is
//! one and it has TLS and the file `root.crt`, as that of `.ci/postgres.sh` has.

use std::{env, fs, path::Path};

use futures_util::FutureExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_postgres::NoTls;
use wardgate_store::{Db, DbOptions, GlobalSql, StoreError, global_sql, params, testing::POSTGRES_VARIABLE};

/// The first eight bytes of a connection: the question for TLS, or what begins one without (protocol 3.0).
const SSL_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();
const STARTUP: [u8; 4] = 196_608_u32.to_be_bytes();

async fn open(url: &str) -> Result<Db, StoreError> {
    Db::open(DbOptions { pool: 1, ..DbOptions::new(url.parse().unwrap()) }).await
}

/// What a client with these parameters says: first, and after the answer; and how often it connects.
struct Said {
    first: [u8; 4],
    after: Vec<u8>,
    error: String,
    came_again: bool,
}

/// The code of a message that begins with its length.
async fn code(stream: &mut TcpStream) -> [u8; 4] {
    let mut head = [0; 8];
    stream.read_exact(&mut head).await.unwrap();
    [head[4], head[5], head[6], head[7]]
}

/// Answers with one byte, takes what comes until the client is done or eight bytes are there, and hangs up.
async fn said(parameters: &str, answer: u8) -> Said {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let first = code(&mut stream).await;
        stream.write_all(&[answer]).await.unwrap();
        let mut after = Vec::new();
        (&mut stream).take(8).read_to_end(&mut after).await.unwrap();
        (first, after)
    };
    let url = format!("postgres://u:hunter2@127.0.0.1:{port}/d{parameters}");
    let ((first, after), opened) = tokio::join!(serving, open(&url));
    let Err(StoreError::Unavailable(error)) = opened else { panic!("{parameters}: no server, and no error") };
    Said { first, after, error, came_again: listener.accept().now_or_never().is_some() }
}

#[tokio::test]
async fn where_tls_is_demanded_nothing_is_said_without() {
    let root = tempfile::tempdir().unwrap();
    let file = write(root.path(), "root.pem", SOME_ROOT);
    for parameters in [
        "?sslmode=require".to_owned(),
        "?sslmode=verify-full".to_owned(),
        format!("?sslmode=require&sslrootcert={file}"),
        format!("?sslmode=verify-ca&sslrootcert={file}"),
        format!("?sslmode=verify-full&sslrootcert={file}"),
    ] {
        let said = said(&parameters, b'N').await;
        assert_eq!(said.first, SSL_REQUEST, "{parameters}");
        assert!(said.after.is_empty(), "{parameters}: {:?}", said.after);
        assert!(said.error.contains("does not support TLS"), "{parameters}: {}", said.error);
        assert!(!said.came_again, "{parameters}");
    }
}

#[tokio::test]
async fn where_tls_is_preferred_the_server_decides() {
    for parameters in ["", "?sslmode=prefer"] {
        let without = said(parameters, b'N').await;
        assert_eq!((without.first, &without.after[4..]), (SSL_REQUEST, &STARTUP[..]), "{parameters}");
        // The first bytes of a TLS handshake. The server hangs up on it, and does not see a password for that.
        let with = said(parameters, b'S').await;
        assert_eq!((with.first, &with.after[..2]), (SSL_REQUEST, &[22, 3][..]), "{parameters}");
        assert!(!with.came_again, "{parameters}");
    }
}

#[tokio::test]
async fn where_tls_is_disabled_nobody_asks_for_it() {
    assert_eq!(said("?sslmode=disable", b'E').await.first, STARTUP);
}

#[tokio::test]
async fn a_file_of_roots_that_cannot_be_used_is_told_before_anybody_connects() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let half = format!("{SOME_ROOT}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for file in [
        path("absent.pem"),
        write(folder.path(), "empty.pem", ""),
        write(folder.path(), "text.pem", "no certificate"),
        write(folder.path(), "cut.pem", &SOME_ROOT[..200]),
        write(folder.path(), "half.pem", &half),
    ] {
        let url = format!("postgres://u:hunter2@127.0.0.1:1/d?sslmode=verify-full&sslrootcert={file}");
        let Err(StoreError::Unavailable(error)) = open(&url).await else { panic!("{file}") };
        assert!(error.contains("sslrootcert") && error.contains(&file), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

const IS_ENCRYPTED: GlobalSql = global_sql!("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");

/// A real server, and the certificates that it lets its superuser read.
struct Server {
    url: String,
    folder: tempfile::TempDir,
}

impl Server {
    async fn find() -> Option<Self> {
        let url = env::var(POSTGRES_VARIABLE).ok()?;
        let plain = url.split('?').next().filter(|plain| plain.contains("@127.0.0.1:"))?.to_owned();
        let (client, connection) =
            tokio_postgres::connect(&format!("{plain}?sslmode=disable"), NoTls).await.unwrap();
        tokio::spawn(connection);
        let read = "SELECT pg_read_file($1, 0, 65536, true) WHERE current_setting('ssl') = 'on'";
        let folder = tempfile::tempdir().unwrap();
        for name in ["root.crt", "server.crt"] {
            let row = client.query_opt(read, &[&name]).await.unwrap()?;
            fs::write(folder.path().join(name), row.get::<_, Option<String>>(0)?).unwrap();
        }
        Some(Self { url: plain, folder })
    }

    fn file(&self, name: &str) -> String {
        format!("sslrootcert={}", self.folder.path().join(name).display())
    }

    /// Connects, and says whether that is encrypted.
    async fn is_encrypted(&self, host: &str, parameters: &str) -> Result<bool, StoreError> {
        let url = self.url.replace("@127.0.0.1:", &format!("@{host}:"));
        let db = open(&format!("{url}?{parameters}")).await?;
        db.write_global((), |tx, ()| {
            Box::pin(async move { tx.one::<(bool,)>(IS_ENCRYPTED, &params![]).await })
        })
        .await
        .map(|(is_encrypted,)| is_encrypted)
    }
}

#[tokio::test]
async fn each_mode_takes_the_certificates_that_it_should() {
    let Some(server) = Server::find().await else { return };
    let root = server.file("root.crt");
    for (host, parameters, is_encrypted) in [
        ("127.0.0.1", "sslmode=disable".to_owned(), false),
        ("127.0.0.1", String::new(), true),
        ("127.0.0.1", "sslmode=prefer".to_owned(), true),
        ("127.0.0.1", "sslmode=require".to_owned(), true),
        // The certificate is for localhost, which these do not look at.
        ("127.0.0.1", format!("sslmode=require&{root}"), true),
        ("127.0.0.1", format!("sslmode=verify-ca&{root}"), true),
        ("localhost", format!("sslmode=verify-full&{root}"), true),
    ] {
        let found = server.is_encrypted(host, &parameters).await;
        assert_eq!(found, Ok(is_encrypted), "{host} {parameters}");
    }
}

#[tokio::test]
async fn each_mode_refuses_the_certificates_that_it_should() {
    let Some(server) = Server::find().await else { return };
    let (root, other) = (server.file("root.crt"), server.file("server.crt"));
    for (host, parameters, why) in [
        ("127.0.0.1", format!("sslmode=verify-full&{root}"), "not valid for name"),
        ("localhost", "sslmode=verify-full".to_owned(), "UnknownIssuer"),
        ("localhost", format!("sslmode=verify-full&{other}"), "UnknownIssuer"),
        ("localhost", format!("sslmode=verify-ca&{other}"), "UnknownIssuer"),
        ("localhost", format!("sslmode=require&{other}"), "UnknownIssuer"),
    ] {
        let refused = server.is_encrypted(host, &parameters).await;
        let Err(StoreError::Unavailable(text)) = refused else { panic!("{host} {parameters}: {refused:?}") };
        assert!(text.contains(why), "{host} {parameters}: {text}");
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// An authority of nobody's, whose key is gone.
const SOME_ROOT: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBejCCAR+gAwIBAgIUKBZJE/PX+NZxY86GqVBCoCzi214wCgYIKoZIzj0EAwIw\n\
ETEPMA0GA1UEAwwGTm9ib2R5MCAXDTI2MTEyNjAxMjU0NVoYDzIxMjYxMTAyMDEy\n\
NTQ1WjARMQ8wDQYDVQQDDAZOb2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n\
AASjDj5XP58H3ATezFTUgrarIn1Sum1eyiF7UyIRHZ1vKrFw0+W4xz+8Yp5Gd+0s\n\
J6HFefnE6pA9Uky3VVc9qBNco1MwUTAdBgNVHQ4EFgQUjey0ahGxr1TvqI2LafdS\n\
EfpquIkwHwYDVR0jBBgwFoAUjey0ahGxr1TvqI2LafdSEfpquIkwDwYDVR0TAQH/\n\
BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAxEVM+pt9iO9ZLwOkRj3/Hmag3/QE\n\
4JMQ74kauWlCZ50CIQCIbP9f1iCNESNPVll5LgCszP4f1hifqHaskVrqevonfw==\n\
-----END CERTIFICATE-----\n\
";
