//! What a tenant is, and how a request knows it.

use serde::Serialize;

use crate::features::limits::RateLimits;
use crate::features::links::is_safe_page;
use crate::kernel::color::Rgb;
use crate::kernel::error::FieldFault;
use crate::kernel::ids::TenantId;
use crate::kernel::page::Position;
use crate::kernel::tenant::{MailUrls, OwnLimits};
use crate::kernel::time::Timestamp;

/// The most host names a tenant has.
pub(super) const MAX_HOSTS: usize = 20;
const MAX_NAME: usize = 100;
const MAX_URL: usize = 500;

/// A tenant as it lies in the table.
#[derive(Debug, Clone, Serialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name in paths and tokens; never changed, never used again.
    pub slug: String,
    /// What people see.
    pub name: String,
    /// Its picture, an `https` URL.
    pub logo_url: Option<String>,
    /// The colour of buttons and links on its pages, as `#rrggbb`.
    pub accent_color: Option<String>,
    /// Who may register: `open` or `closed`; `None` as the configuration says.
    pub registration: Option<String>,
    /// Fewest characters of a new password; `None` as the configuration says, which it never goes below.
    pub min_password_length: Option<i64>,
    /// Limits of its own; `None` as the configuration says.
    pub rate_limits: Option<OwnLimits>,
    /// Pages of its own that its mails link to; `None` for the built-in ones.
    pub mail_urls: Option<MailUrls>,
    /// Host names under which it is reached; the first makes its issuer.
    pub hosts: Vec<String>,
    /// When it was suspended.
    pub suspended_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    pub(super) issuer_host: Option<String>,
}

impl Tenant {
    pub(super) fn position(&self) -> Position {
        Position { at: self.created_at, id: self.id.as_uuid() }
    }

    /// Adds one of its hosts; the one that its issuer names comes first.
    pub(super) fn reached_at(&mut self, host: String) {
        let place = if self.issuer_host.as_ref() == Some(&host) { 0 } else { self.hosts.len() };
        self.hosts.insert(place, host);
    }
}

/// What is to become of a tenant; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantChange {
    /// What people see.
    pub name: Option<String>,
    /// Its picture; `Some(None)` takes it away.
    pub logo_url: Option<Option<String>>,
    /// The colour of buttons and links, as `#rrggbb`; `Some(None)` takes it away.
    pub accent_color: Option<Option<String>>,
    /// Who may register; `Some(None)` as the configuration says.
    pub registration: Option<Option<String>>,
    /// Fewest characters of a new password; `Some(None)` as the configuration says.
    pub min_password_length: Option<Option<i64>>,
    /// Exactly these limits of its own; `Some(None)` as the configuration says.
    pub rate_limits: Option<Option<OwnLimits>>,
    /// Exactly these pages of its own; `Some(None)` for the built-in ones.
    pub mail_urls: Option<Option<MailUrls>>,
    /// Exactly these host names.
    pub hosts: Option<Vec<String>>,
}

/// Checks the name in paths: `[a-z0-9-]{2,40}`, and not the one that the root has.
pub(crate) fn check_slug(slug: &str) -> Result<(), FieldFault> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if slug == TenantId::DEFAULT_SLUG {
        Err(FieldFault::new("slug", "reserved", "is the tenant that answers at the root"))
    } else if (2..=40).contains(&slug.len()) && slug.bytes().all(plain) {
        Ok(())
    } else {
        Err(FieldFault::new("slug", "invalid_slug", "must have 2 to 40 of a-z, 0-9 and hyphen"))
    }
}

/// What is wrong with a name that people see.
pub(crate) fn check_name(name: &str) -> Option<FieldFault> {
    let length = name.chars().count();
    let wrong = name.trim().is_empty() || length > MAX_NAME || name.chars().any(char::is_control);
    let detail = format!("must have 1 to {MAX_NAME} characters, none of them a control character");
    wrong.then(|| FieldFault::new("name", "invalid_name", detail))
}

pub(super) fn check_change(change: &TenantChange) -> Vec<FieldFault> {
    let mut faults: Vec<_> = change.name.as_deref().and_then(check_name).into_iter().collect();
    if let Some(Some(url)) = &change.logo_url {
        let plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\".contains(&byte));
        if !url.starts_with("https://") || url.len() > MAX_URL || !plain {
            let detail = format!("must be an https URL of at most {MAX_URL} characters");
            faults.push(FieldFault::new("logo_url", "invalid_url", detail));
        }
    }
    if let Some(Some(color)) = &change.accent_color
        && let Err(wrong) = color.parse::<Rgb>()
    {
        faults.push(FieldFault::new("accent_color", "invalid_color", wrong.to_string()));
    }
    if let Some(Some(mode)) = &change.registration
        && !["open", "closed"].contains(&mode.as_str())
    {
        faults.push(FieldFault::new("registration", "unknown_word", "must be open, closed or null"));
    }
    if let Some(Some(length)) = change.min_password_length
        && !(8..=64).contains(&length)
    {
        faults.push(FieldFault::new("min_password_length", "out_of_range", "must be from 8 to 64"));
    }
    if let Some(Some(own)) = change.rate_limits {
        let faults_of_limits = RateLimits::default().of_tenant(own).faults();
        faults.extend(
            faults_of_limits.into_iter().map(|detail| FieldFault::new("rate_limits", "out_of_range", detail)),
        );
    }
    for (name, url) in change.mail_urls.iter().flatten().flat_map(MailUrls::given) {
        if url.len() > MAX_URL || !is_safe_page(url) {
            let detail = format!(
                "{name} must be an https URL of at most {MAX_URL} characters, without a fragment; http only on this machine"
            );
            faults.push(FieldFault::new("mail_urls", "invalid_url", detail));
        }
    }
    for (index, host) in change.hosts.iter().flatten().enumerate() {
        let twice = change.hosts.iter().flatten().take(index).any(|other| other == host);
        if !is_host(host) || twice || index >= MAX_HOSTS {
            let detail = format!(
                "must be at most {MAX_HOSTS} different host names such as login.example.com, in lower case, without a port"
            );
            faults.push(FieldFault::new("hosts", "invalid_host", detail));
            break;
        }
    }
    faults
}

/// A host name as browsers send it (RFC 1123 §2.1): labels of letters, digits and hyphens, two or more, no address.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_a_word =
        host.rsplit('.').next().is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()));
    host.len() <= 253 && host.contains('.') && last_is_a_word && host.split('.').all(label)
}

/// The host of a `Host` header without its port, in lower case.
pub(crate) fn host_of(header: &str) -> String {
    let name = header.rsplit_once(':').map_or(header, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { header }
    });
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_plain_and_the_roots_own_is_taken() {
        for good in ["ab", "acme-2", &"a".repeat(40)] {
            assert!(check_slug(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "default", "Acme", "a_b", "a/b", "a.b", "é-", &"a".repeat(41)] {
            assert!(check_slug(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn hosts_are_names_as_browsers_send_them() {
        for good in ["login.example.com", "a.b", "xn--bcher-kva.example"] {
            assert!(is_host(good), "{good}");
        }
        for bad in
            ["", "localhost", "Login.example.com", "a.b:80", "10.0.0.1", "-a.b", "a..b", "a b.c", "a.b/"]
        {
            assert!(!is_host(bad), "{bad:?}");
        }
        assert_eq!(host_of("Login.Example.com:8443"), "login.example.com");
        assert_eq!(host_of("login.example.com."), "login.example.com");
        assert_eq!(host_of("[::1]:80"), "[::1]");
    }
}
