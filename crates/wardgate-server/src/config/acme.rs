//! `[acme]`: the certificate of the server's own TLS, got from an authority.

use std::net::IpAddr;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use wardgate::Email;

use super::Mode;
use super::address;
use super::certificates;
use super::check::Checker;
use super::secret;
use super::server::Server;

pub(super) const DOMAINS: &str = "acme.domains";
const CONTACT: &str = "acme.contact";
const DIRECTORY: &str = "acme.directory";
const TERMS: &str = "acme.accept_terms";
const ROOTS: &str = "acme.root_file";

/// What one certificate has at most at the authorities that people use.
const MOST_DOMAINS: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAcme {
    domains: Vec<String>,
    contact: Option<String>,
    directory: String,
    accept_terms: bool,
    root_file: Option<String>,
}

/// The checked section, where there are domains.
#[derive(Clone, Debug)]
pub(crate) struct Acme {
    pub(crate) domains: Vec<String>,
    pub(crate) contact: Option<String>,
    pub(crate) directory: String,
    /// PEM: what the authority's own certificate is checked by; the system's roots if it is not given.
    pub(crate) roots: Option<String>,
    /// The authority's host, if it may lie in our own network.
    pub(crate) internal_host: Option<String>,
}

/// `server` says which hosts may be called, and whether there are files.
pub(super) fn check(checker: &mut Checker<'_>, server: Option<&Server>) -> Option<Acme> {
    let raw: RawAcme = checker.section("acme");
    // A command speaks no TLS.
    if checker.mode == Mode::Tool {
        return None;
    }
    if raw.domains.is_empty() {
        let given = [CONTACT, DIRECTORY, TERMS, ROOTS].into_iter().any(|path| checker.is_given(path));
        if given {
            checker.missing(DOMAINS, "is needed: the names that the certificate is to be for");
        }
        return None;
    }
    let domains = domains(checker, &raw.domains);
    if certificates::are_given(checker) {
        checker.fault(
            DOMAINS,
            "would get a certificate, and server.tls_cert_file or server.tls_folder gives one already",
            "one of the two: certificates from files, or from an authority",
        );
    }
    if !raw.accept_terms {
        checker.fault(
            TERMS,
            "is not true, and the authority gives certificates only to who agrees to its terms",
            "true, once you have read them; the directory has their address",
        );
    }
    if raw.contact.as_ref().is_some_and(|contact| contact.parse::<Email>().is_err()) {
        checker.fault(CONTACT, "is no mail address", "an address such as \"ops@example.com\"");
    }
    let roots = raw.root_file.as_deref().map(|path| roots(checker, path));
    // Where that list has a fault nobody knows what it allows.
    let internal_hosts = &server?.internal_hosts;
    if !checker.may_call(DIRECTORY, &raw.directory, internal_hosts, "a web address, such as the default") {
        return None;
    }
    let host = address::parse(&raw.directory).map(|(origin, _)| origin.host);
    // Of the hosts inside only its own: what a directory says must not lead to another of them. (S-073)
    let internal_host = internal_hosts.iter().find(|internal| host == Ok(internal.as_str())).cloned();
    let roots = match roots {
        None => None,
        Some(roots) => Some(roots?),
    };
    Some(Acme { domains: domains?, contact: raw.contact, directory: raw.directory, roots, internal_host })
}

fn domains(checker: &mut Checker<'_>, texts: &[String]) -> Option<Vec<String>> {
    let remedy = "names such as \"auth.example.com\", each once, at most 100";
    let mut domains = checker.items(DOMAINS, texts, remedy, |name| {
        if name.starts_with('*') {
            return Err("has an asterisk, for which the authority asks for a proof in the DNS");
        }
        if name.parse::<IpAddr>().is_ok() || name.starts_with('[') {
            return Err("is an address and no name");
        }
        address::check_host(name).map(|()| name.to_owned())
    })?;
    domains.sort_unstable();
    domains.dedup();
    if domains.len() < texts.len() || domains.len() > MOST_DOMAINS {
        checker.fault(DOMAINS, "has a name twice, or more than 100", remedy);
        return None;
    }
    Some(domains)
}

fn roots(checker: &mut Checker<'_>, path: &str) -> Option<String> {
    let path = checker.path(ROOTS, path);
    let text = read_roots(&path);
    if let Err(problem) = &text {
        checker.fault(
            ROOTS,
            problem.clone(),
            "a PEM file with the certificates of the authority's own authority",
        );
    }
    text.ok()
}

fn read_roots(path: &Path) -> Result<String, String> {
    let text = secret::read_file(path).map_err(|error| format!("the file cannot be read: {error}"))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(text.to_string()),
        _ => Err("the file holds no certificate in PEM".to_owned()),
    }
}
