//! TLS of the server's own: a certificate from files, and the next one without a restart.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, ServerConfig};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::config::{open_to_all, read_secret_file};

/// How often the files are looked at: two calls that read no data.
const LOOK: Duration = Duration::from_secs(1);

/// Where the certificate lies.
#[derive(Clone, Debug)]
pub(crate) struct CertificateFiles {
    /// PEM: the server's own certificate, then those that lead to a root.
    pub(crate) chain: PathBuf,
    /// PEM, not encrypted.
    pub(crate) key: PathBuf,
}

/// Which of the files is wrong, and how.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CertificateFault {
    #[error("{0}")]
    Chain(String),
    #[error("{0}")]
    Key(String),
}

impl CertificateFiles {
    /// What TLS is spoken with: versions 1.2 and 1.3 with the suites that rustls has, none of them weak.
    ///
    /// # Errors
    /// Files that cannot be read, hold something else, or do not belong together.
    pub(crate) fn load(&self) -> Result<Arc<ServerConfig>, CertificateFault> {
        let text = read_secret_file(&self.chain)
            .map_err(|error| CertificateFault::Chain(format!("the file cannot be read: {error}")))?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| CertificateFault::Chain(format!("the file is no PEM: {error}")))?;
        if chain.is_empty() {
            return Err(CertificateFault::Chain("the file holds no certificate in PEM".into()));
        }
        let text = read_secret_file(&self.key)
            .map_err(|error| CertificateFault::Key(format!("the file cannot be read: {error}")))?;
        // What the parser met could be a part of the key: it is not told.
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
            CertificateFault::Key("the file holds no private key in PEM without a passphrase".into())
        })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("the provider has suites for both versions");
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(fault)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// As [`Self::load`], for a server that runs: what would be refused at its start is refused now (S-140).
    fn load_again(&self, production: bool) -> Result<Arc<ServerConfig>, CertificateFault> {
        if let Some(mode) = production.then(|| open_to_all(&self.key)).flatten() {
            return Err(CertificateFault::Key(format!(
                "everybody on this machine may read or change the file (mode {mode})"
            )));
        }
        self.load()
    }

    fn stamp(&self) -> [Option<Stamp>; 2] {
        [Stamp::of(&self.chain), Stamp::of(&self.key)]
    }

    fn named(&self, fault: &CertificateFault) -> &Path {
        match fault {
            CertificateFault::Chain(_) => &self.chain,
            CertificateFault::Key(_) => &self.key,
        }
    }
}

fn fault(error: rustls::Error) -> CertificateFault {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            CertificateFault::Key("the key is not that of the certificate".into())
        }
        rustls::Error::InvalidCertificate(error) => {
            CertificateFault::Chain(format!("the first certificate is invalid: {error}"))
        }
        error => CertificateFault::Key(format!("the key is of no use: {error}")),
    }
}

/// What tells a file from the one that stood there before. Followed through links, since some tools swap those.
#[derive(PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let of = |data: Metadata| Self {
            place: (data.dev(), data.ino()),
            length: data.len(),
            modified: (data.mtime(), data.mtime_nsec()),
        };
        fs::metadata(path).ok().map(of)
    }
}

/// Keeps what TLS is spoken with to what the files say.
pub(crate) struct Watch {
    files: CertificateFiles,
    seen: [Option<Stamp>; 2],
    live: RustlsConfig,
    /// Whether the rules of production hold.
    production: bool,
    hangup: Signal,
}

impl Watch {
    /// Reads the files for the first time; from now on SIGHUP no longer ends the process.
    ///
    /// # Errors
    /// What [`CertificateFiles::load`] gives.
    pub(crate) fn new(files: CertificateFiles, production: bool) -> io::Result<Self> {
        let seen = files.stamp();
        let config = files.load_again(production);
        let config = config
            .map_err(|fault| io::Error::other(format!("{}: {fault}", files.named(&fault).display())))?;
        let hangup = signal(SignalKind::hangup())?;
        Ok(Self { files, seen, live: RustlsConfig::from_config(config), production, hangup })
    }

    /// What connections are made with: the newest at each handshake.
    pub(crate) fn live(&self) -> RustlsConfig {
        self.live.clone()
    }

    /// Reads the files again on SIGHUP, and whenever they are others. Never ends.
    pub(crate) async fn keep(mut self) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = self.hangup.recv() => true,
                _ = ticks.tick() => false,
            };
            // Looked at before they are read: a change in between is seen at the next look.
            let stamp = self.files.stamp();
            if asked || stamp != self.seen {
                self.seen = stamp;
                self.read();
            }
        }
    }

    fn read(&self) {
        let file = |fault| self.files.named(fault).display();
        match self.files.load_again(self.production) {
            Ok(config) => {
                self.live.reload_from_config(config);
                tracing::info!("the certificate was read again");
            }
            // Also while a tool has replaced one file and not yet the other.
            Err(fault) => {
                tracing::error!(file = %file(&fault), %fault, "the certificate was not read again, the old one stays");
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::path::Path;
    use std::process::Command;

    use super::CertificateFiles;

    /// A certificate that signs itself, for `localhost` and a week, with its key.
    pub(crate) fn certificate(folder: &Path, name: &str) -> CertificateFiles {
        let files = CertificateFiles {
            chain: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "7",
        ]);
        openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        let made = openssl.arg("-out").arg(&files.chain).arg("-keyout").arg(&files.key).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        files
    }
}

#[cfg(test)]
mod tests {
    use super::testing::certificate;
    use super::*;

    #[test]
    fn files_that_are_no_certificate_with_its_key_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (certificate(folder.path(), "a"), certificate(folder.path(), "b"));
        a.load().unwrap();
        let with = |chain: &Path, key: &Path| {
            let files = CertificateFiles { chain: chain.to_owned(), key: key.to_owned() };
            files.load().unwrap_err().to_string()
        };
        let (empty, none) = (folder.path().join("empty"), folder.path().join("none"));
        fs::write(&empty, "").unwrap();
        assert!(with(&a.chain, &b.key).contains("not that of the certificate"));
        assert!(with(&a.key, &a.key).contains("no certificate"));
        assert!(with(&a.chain, &a.chain).contains("no private key"));
        assert!(with(&empty, &a.key).contains("no certificate"));
        assert!(with(&a.chain, &none).contains("cannot be read"));
        assert!(with(&none, &a.key).contains("cannot be read"));
        fs::write(&empty, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(with(&empty, &a.key).contains("certificate"));
    }
}
