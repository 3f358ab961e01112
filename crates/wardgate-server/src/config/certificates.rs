//! `server.tls_*`: the certificates of the server's own TLS, where they come from files.

use std::path::Path;

use wardgate::CertificateFault;

use super::Mode;
use super::check::Checker;
use crate::tls::{CertificateFiles, CertificatePlaces};

const CHAIN: &str = "server.tls_cert_file";
const KEY: &str = "server.tls_key_file";
const FOLDER: &str = "server.tls_folder";

/// The paths as they are written.
pub(super) struct Given {
    pub(super) chain: Option<String>,
    pub(super) key: Option<String>,
    pub(super) folder: Option<String>,
}

/// Whether any of them is given.
pub(super) fn are_given(checker: &Checker<'_>) -> bool {
    [CHAIN, KEY, FOLDER].into_iter().any(|path| checker.is_given(path))
}

/// `None` where no file is given, or they are not needed.
pub(super) fn check(checker: &mut Checker<'_>, given: Given) -> Option<CertificatePlaces> {
    let first = match (given.chain, given.key) {
        (Some(chain), Some(key)) => {
            Some(CertificateFiles { chain: checker.path(CHAIN, &chain), key: checker.path(KEY, &key) })
        }
        (Some(_), None) => {
            checker.missing(KEY, "is needed: it is the key of the certificate in tls_cert_file");
            None
        }
        (None, Some(_)) => {
            checker.missing(CHAIN, "is needed: it is the certificate of the key in tls_key_file");
            None
        }
        (None, None) => None,
    };
    let folder = given.folder.map(|folder| checker.path(FOLDER, &folder));
    // A command speaks no TLS, and its user need not be able to read the keys.
    if checker.mode == Mode::Tool || (first.is_none() && folder.is_none()) {
        return None;
    }
    let places = CertificatePlaces { first, folder };
    match places.list() {
        Ok(all) => {
            for files in &all {
                let of_folder = places.first.as_ref() != Some(files);
                check_files(checker, files, if of_folder { [FOLDER; 2] } else { [CHAIN, KEY] });
            }
        }
        Err(problem) => checker.fault(
            FOLDER,
            problem,
            "a folder with a folder for each certificate, in it fullchain.pem and privkey.pem",
        ),
    }
    Some(places)
}

/// `settings`: by which its two files were found.
fn check_files(checker: &mut Checker<'_>, files: &CertificateFiles, settings: [&str; 2]) {
    let [chain, key] = settings;
    checker.private_file(key, &files.key);
    let named = |setting: &str, file: &Path, problem: String| match setting {
        FOLDER => format!("has {}, and {problem}", file.display()),
        _ => problem,
    };
    match files.load() {
        Ok(_) => {}
        Err(CertificateFault::Chain(problem)) => checker.fault(
            chain,
            named(chain, &files.chain, problem),
            "a PEM file: this server's certificate, then those that lead to a root",
        ),
        Err(CertificateFault::Key(problem)) => checker.fault(
            key,
            named(key, &files.key, problem),
            "a PEM file: the private key of the certificate that lies with it",
        ),
    }
}
