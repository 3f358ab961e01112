//! E-mail addresses, and the one form under which an account is found.

use std::fmt;
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use serde::{Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

/// The text is not an e-mail address that Wardgate accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an e-mail address")]
pub struct InvalidEmail;

/// An address as its owner wrote it, with the form under which it is looked up.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    written: String,
    normalized: String,
}

/// The longest address accepted, in bytes (RFC 5321 §4.5.3.1.3: a path of 256 with its brackets).
const MAX_BYTES: usize = 254;

impl Email {
    /// The address as its owner wrote it, without surrounding white space.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The form that is unique within a tenant.
    pub fn normalized(&self) -> &str {
        &self.normalized
    }

    /// The part before the `@`.
    pub fn local_part(&self) -> &str {
        self.written.rsplit_once('@').map_or("", |(local, _)| local)
    }

    pub(crate) fn from_columns(written: String, normalized: String) -> Self {
        Self { written, normalized }
    }
}

/// The form under which any typed identifier is looked up and counted, address or not.
///
/// NFKC, lower case, no surrounding white space, no dot at the end: two spellings of one address must
/// not become two accounts or two failure counters (S-014; Authelia's CVE-2025-24806).
pub(crate) fn normalize_identifier(typed: &str) -> String {
    let folded: String = typed.nfkc().flat_map(char::to_lowercase).nfkc().collect();
    folded.trim().trim_end_matches('.').to_owned()
}

impl FromStr for Email {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        let written = text.trim();
        let normalized = normalize_identifier(written);
        let options = Options::default().without_display_text().without_domain_literal();
        // A comma, a quote or a line end could turn one recipient into two in a mail header
        // (next-auth's CVE-2022-35924), so quoted local parts are refused as well.
        let plain =
            |s: &str| !s.contains(|c: char| c.is_control() || c.is_whitespace() || "\",;<>()\\".contains(c));
        let acceptable = written.len() <= MAX_BYTES
            && normalized.len() <= MAX_BYTES
            && plain(written)
            && plain(&normalized)
            && EmailAddress::parse_with_options(&normalized, options).is_ok();
        if acceptable { Ok(Self { written: written.to_owned(), normalized }) } else { Err(InvalidEmail) }
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl Serialize for Email {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_one_account() {
        // S-014
        for spelling in [
            "Alice@Example.COM",
            " alice@example.com ",
            "alice@example.com.",
            "ａlice@example.com",
            "alice@EXAMPLE.com.",
        ] {
            let email: Email = spelling.parse().unwrap();
            assert_eq!(email.normalized(), "alice@example.com", "{spelling}");
        }
    }

    #[test]
    fn what_is_not_one_plain_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        for wrong in [
            "",
            "@",
            "a",
            "a@",
            "@b.c",
            "a@b@c.d",
            "a@x.de,b@y.de",
            "\"a b\"@x.de",
            "a@x.de\r\nBcc: b@y.de",
            "a b@x.de",
            "a@[127.0.0.1]",
            "Alice <a@x.de>",
            "a\u{0}@x.de",
            "a@x..de",
            &long,
        ] {
            assert_eq!(wrong.parse::<Email>(), Err(InvalidEmail), "{wrong:?}");
        }
    }
}
