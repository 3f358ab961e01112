//! Certificates from files, read again whenever the files are others.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;
use wardgate::{CertificateFault, ServedCertificate};

use super::Certificates;
use crate::config::{open_to_all, read_secret_file};

/// How often the files are looked at: two calls for each certificate and one that lists the folder, none of which reads
/// what is in a file.
const LOOK: Duration = Duration::from_secs(1);

/// What the two files of a certificate are called in a folder of such folders, as the usual tools for authorities lay
/// them down.
const CHAIN: &str = "fullchain.pem";
const KEY: &str = "privkey.pem";

/// Where the certificates lie.
#[derive(Clone, Debug)]
pub(crate) struct CertificatePlaces {
    /// That of whoever names nobody, or somebody unknown.
    pub(crate) first: Option<CertificateFiles>,
    /// Others: a folder with a folder for each.
    pub(crate) folder: Option<PathBuf>,
}

impl CertificatePlaces {
    /// The files of all that there are by now, those of the folder by the names of its folders. Never none.
    ///
    /// # Errors
    /// Why the folder cannot be listed, or that there is nothing.
    pub(crate) fn list(&self) -> Result<Vec<CertificateFiles>, String> {
        let mut all: Vec<_> = self.first.iter().cloned().collect();
        if let Some(folder) = &self.folder {
            let folders =
                folders_in(folder).map_err(|error| format!("the folder cannot be read: {error}"))?;
            let files =
                |folder: PathBuf| CertificateFiles { chain: folder.join(CHAIN), key: folder.join(KEY) };
            all.extend(folders.into_iter().map(files).filter(CertificateFiles::may_be_there));
        }
        if all.is_empty() {
            return Err(format!("there is no folder in it with {CHAIN} and {KEY}"));
        }
        Ok(all)
    }
}

fn folders_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.is_dir());
    paths.sort_unstable();
    Ok(paths)
}

/// The files of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFiles {
    /// PEM: the server's own certificate, then those that lead to a root.
    pub(crate) chain: PathBuf,
    /// PEM, not encrypted.
    pub(crate) key: PathBuf,
}

impl CertificateFiles {
    /// Whether either is there; what cannot be looked at is taken for one that cannot be read.
    fn may_be_there(&self) -> bool {
        [&self.chain, &self.key].iter().any(|path| path.try_exists().unwrap_or(true))
    }

    /// Reads them.
    ///
    /// # Errors
    /// Files that cannot be read, hold something else, or do not belong together.
    pub(crate) fn load(&self) -> Result<ServedCertificate, CertificateFault> {
        let chain = read_secret_file(&self.chain)
            .map_err(|error| CertificateFault::Chain(format!("the file cannot be read: {error}")))?;
        let key = read_secret_file(&self.key)
            .map_err(|error| CertificateFault::Key(format!("the file cannot be read: {error}")))?;
        // What the parser met could be a part of the key: it is not told.
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| {
            CertificateFault::Key("the file holds no private key in PEM without a passphrase".into())
        })?;
        ServedCertificate::new(&chain, key)
    }

    /// As [`Self::load`], for a server that runs: what would be refused at its start is refused now (S-140).
    fn load_again(&self, production: bool) -> Result<ServedCertificate, CertificateFault> {
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

/// The files of one certificate, and what was read from them last.
struct Watched {
    files: CertificateFiles,
    /// `None`: nothing was read yet.
    seen: Option<[Option<Stamp>; 2]>,
    /// `None`: they came later than the server's start, and were of no use so far.
    served: Option<ServedCertificate>,
}

/// Keeps the certificates to what the files say.
pub(crate) struct Watch {
    places: CertificatePlaces,
    all: Vec<Watched>,
    live: Arc<Certificates>,
    /// Whether the rules of production hold.
    production: bool,
    /// Why the folder was of no use at the last look, which is told once.
    unlisted: Option<String>,
    hangup: Signal,
}

impl Watch {
    /// Reads the files for the first time; from now on SIGHUP no longer ends the process.
    ///
    /// # Errors
    /// What [`CertificatePlaces::list`] and [`CertificateFiles::load`] give, of any of them.
    pub(crate) fn new(
        places: CertificatePlaces,
        live: Arc<Certificates>,
        production: bool,
    ) -> io::Result<Self> {
        let watched = |files: CertificateFiles| {
            let seen = files.stamp();
            let served = files.load_again(production);
            let served = served
                .map_err(|fault| io::Error::other(format!("{}: {fault}", files.named(&fault).display())))?;
            Ok(Watched { files, seen: Some(seen), served: Some(served) })
        };
        let all = places.list().map_err(io::Error::other)?;
        let all = all.into_iter().map(watched).collect::<io::Result<_>>()?;
        let hangup = signal(SignalKind::hangup())?;
        let watch = Self { places, all, live, production, unlisted: None, hangup };
        watch.publish();
        Ok(watch)
    }

    fn publish(&self) {
        self.live.replace(&self.all.iter().filter_map(|watched| watched.served.clone()).collect::<Vec<_>>());
    }

    /// Reads files again on SIGHUP, and whenever they are others. Never ends.
    pub(crate) async fn keep(mut self) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = self.hangup.recv() => true,
                _ = ticks.tick() => false,
            };
            // A folder of thousands takes a while.
            tokio::task::block_in_place(|| self.look(asked));
        }
    }

    fn look(&mut self, asked: bool) {
        let mut is_new = self.follow_folder();
        for watched in &mut self.all {
            is_new |= watched.read(asked, self.production);
        }
        if is_new {
            self.publish();
            let served = self.all.iter().filter(|watched| watched.served.is_some()).count();
            tracing::info!(served, "the certificates were read again");
        }
    }

    /// Takes up what was put into the folder and lets go of what is gone; says whether anything is.
    fn follow_folder(&mut self) -> bool {
        let listed = match self.places.list() {
            Ok(listed) => listed,
            Err(fault) => {
                if self.unlisted.as_ref() != Some(&fault) {
                    tracing::error!(folder = ?self.places.folder, %fault, "what was served stays");
                }
                self.unlisted = Some(fault);
                return false;
            }
        };
        self.unlisted = None;
        if listed.iter().eq(self.all.iter().map(|watched| &watched.files)) {
            return false;
        }
        let mut before: HashMap<_, _> =
            self.all.drain(..).map(|watched| (watched.files.chain.clone(), watched)).collect();
        self.all = listed
            .into_iter()
            .map(|files| before.remove(&files.chain).unwrap_or_else(|| Watched::new(files)))
            .collect();
        !before.is_empty()
    }
}

impl Watched {
    /// One that has not been read yet.
    fn new(files: CertificateFiles) -> Self {
        Self { files, seen: None, served: None }
    }

    /// Says whether there is something to serve that was read just now; what is broken stays as it was.
    fn read(&mut self, asked: bool, production: bool) -> bool {
        // Looked at before they are read: a change in between is seen at the next look.
        let stamp = Some(self.files.stamp());
        if !asked && stamp == self.seen {
            return false;
        }
        self.seen = stamp;
        match self.files.load_again(production) {
            Ok(served) => self.served = Some(served),
            // Also while a tool has replaced one file and not yet the other.
            Err(fault) => {
                let file = self.files.named(&fault).display();
                let instead = if self.served.is_some() { "the old one stays" } else { "there is none yet" };
                tracing::error!(%file, %fault, "the certificate was not read, {instead}");
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::CertificateFiles;

    /// A certificate that nobody else vouches for, for `localhost`, with its key.
    pub(crate) fn certificate(folder: &Path, name: &str) -> CertificateFiles {
        let files = CertificateFiles {
            chain: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&files.chain, made.cert.pem()).unwrap();
        fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
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
