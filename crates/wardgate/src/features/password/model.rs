//! Which passwords are taken, and what it means to have proven one.

use std::collections::HashSet;
use std::io::BufRead;
use std::sync::Arc;

use wardgate_crypto::Digest;
use wardgate_crypto::password::Password;

use crate::kernel::email::Email;
use crate::kernel::error::FieldFault;
use crate::kernel::ids::UserId;

/// Another password, by whoever knows the present one.
pub(crate) struct PasswordChange {
    pub(crate) current_password: String,
    pub(crate) new_password: String,
}

/// The longest password, in characters (S-002). A longer one is refused before any hashing.
pub(super) const MAX_CHARS: usize = 256;

/// The shortest that may be configured, in characters (NIST SP 800-63B-4 §3.1.1.2).
pub(super) const MIN_CHARS: usize = 8;

/// Below this zxcvbn score (0 to 4) a password is guessable: fewer than a million guesses.
const MIN_SCORE: zxcvbn::Score = zxcvbn::Score::Two;

/// Passwords that people choose most, a line each, in lower case, the most frequent first. Among them are many that look
/// like chance and that an estimator lets pass: somebody's script made a million accounts with one of them.
const COMMON: &str = include_str!("../../../data/common-passwords.txt");

/// Words that everybody would try here.
const PRODUCT_WORDS: [&str; 1] = ["wardgate"];

/// Passwords that are refused because they are known to be in attackers' lists.
///
/// Kept as 8-byte digest prefixes: a list of a million takes some 16 MB, and a false match among them is a
/// matter of one in 10¹³.
#[derive(Debug, Default)]
pub struct DeniedPasswords(HashSet<[u8; 8]>);

impl DeniedPasswords {
    /// Reads one password a line, UTF-8; empty lines are passed over.
    ///
    /// # Errors
    /// What reading gives, also for a line that is not UTF-8.
    pub fn read(lines: impl BufRead) -> std::io::Result<Self> {
        let mut denied = HashSet::new();
        for line in lines.lines() {
            let line = line?;
            if !line.is_empty() {
                denied.insert(Self::key(&line));
            }
        }
        Ok(Self(denied))
    }

    fn contains(&self, password: &str) -> bool {
        self.0.contains(&Self::key(password)) || self.0.contains(&Self::key(&password.to_lowercase()))
    }

    fn key(password: &str) -> [u8; 8] {
        let digest = Digest::of(Password::new(password).as_str().as_bytes());
        let mut key = [0; 8];
        key.copy_from_slice(&digest.as_bytes()[..8]);
        key
    }
}

/// The rules for a new password. No composition rules and no forced expiry (S-005).
#[derive(Debug, Clone)]
pub struct PasswordPolicy {
    /// The fewest characters, 8 or more.
    pub min_chars: usize,
    /// A breach list, if one is loaded.
    pub denied: Option<Arc<DeniedPasswords>>,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_chars: MIN_CHARS, denied: None }
    }
}

/// The length rules alone: cheap, so they come before the queue for a hashing thread.
pub(super) fn check_length(policy: &PasswordPolicy, password: &Password) -> Result<(), FieldFault> {
    let (chars, min) = (password.chars(), policy.min_chars.max(MIN_CHARS));
    if chars < min {
        Err(fault("too_short", format!("must have at least {min} characters")))
    } else if chars > MAX_CHARS {
        Err(fault("too_long", format!("must have at most {MAX_CHARS} characters")))
    } else if password.as_str().chars().any(char::is_control) {
        Err(fault("control_character", "must not contain control characters".to_owned()))
    } else {
        Ok(())
    }
}

/// Refuses what is guessable (S-003, S-004). Takes up to some milliseconds: run it on a hashing thread.
pub(super) fn check_strength(
    policy: &PasswordPolicy,
    password: &Password,
    email: &Email,
) -> Result<(), FieldFault> {
    let folded = password.as_str().to_lowercase();
    let identity = [email.normalized().to_owned(), email.local_part().to_lowercase()];
    let own = || identity.iter().map(String::as_str).chain(PRODUCT_WORDS);
    if own().any(|word| says_little_beyond(&folded, word)) {
        return Err(fault(
            "contains_identity",
            "must not be made of the e-mail address or the product's name".to_owned(),
        ));
    }
    if policy.denied.as_ref().is_some_and(|denied| denied.contains(password.as_str())) {
        return Err(fault("breached", "is in a list of leaked passwords: choose another".to_owned()));
    }
    let words: Vec<&str> = own().collect();
    let estimate = zxcvbn::zxcvbn(password.as_str(), &words);
    let is_common = COMMON.lines().any(|common| common == folded);
    if estimate.score() >= MIN_SCORE && !is_common {
        return Ok(());
    }
    let warning = estimate.feedback().and_then(|feedback| feedback.warning());
    let hint = match (is_common, warning) {
        (true, _) => " (it is one of the most common passwords)".to_owned(),
        (false, Some(warning)) => format!(" ({warning})"),
        (false, None) => String::new(),
    };
    Err(fault("guessable", format!("is easy to guess{hint}: add another word or two")))
}

/// Whether the password is `word` with at most three characters around it.
fn says_little_beyond(password: &str, word: &str) -> bool {
    word.len() >= 3 && password.contains(word) && password.chars().count() <= word.chars().count() + 3
}

/// Faults are told of a field called `password`; routes that call it otherwise rename it.
fn fault(code: &'static str, detail: String) -> FieldFault {
    FieldFault::new("password", code, detail)
}

/// A hash that another program made and that a sign-in can check. Not `Debug`: nothing may print it.
pub(crate) struct ForeignHash {
    text: String,
    scheme: String,
}

impl ForeignHash {
    /// Takes a hash of a form that is known and whose check costs no more than a configured scheme may (S-009).
    ///
    /// # Errors
    /// Why not, without anything of the hash.
    pub(crate) fn read(text: String) -> Result<Self, &'static str> {
        let scheme = wardgate_crypto::password::inspect(&text)?;
        Ok(Self { text, scheme })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn scheme(&self) -> &str {
        &self.scheme
    }
}

/// That a subject was proven by its password just now. Made by the password strategy only.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    subject: UserId,
    password_version: i64,
}

impl Proof {
    pub(super) fn new(subject: UserId, password_version: i64) -> Self {
        Self { subject, password_version }
    }

    pub(crate) fn subject(&self) -> UserId {
        self.subject
    }

    pub(super) fn password_version(&self) -> i64 {
        self.password_version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(policy: &PasswordPolicy, password: &str) -> Option<&'static str> {
        let email: Email = "marguerite@example.com".parse().unwrap();
        let password = Password::new(password);
        check_length(policy, &password)
            .and_then(|()| check_strength(policy, &password, &email))
            .err()
            .map(|fault| fault.code)
    }

    #[test]
    fn the_most_common_passwords_are_refused() {
        // S-004
        let policy = PasswordPolicy::default();
        for common in COMMON.lines().take(3000) {
            assert!(matches!(code(&policy, common), Some("guessable" | "contains_identity")), "{common}");
        }
    }

    #[test]
    fn what_people_would_try_first_is_refused() {
        // S-004: of another spelling than in the list, or in none.
        for common in [
            "Password1",
            "P@ssw0rd",
            "passw0rd!",
            "baseball1",
            "dragon12",
            "20031987",
            "secret123",
            "admin123",
            "1G2W3E4R",
        ] {
            assert_eq!(code(&PasswordPolicy::default(), common), Some("guessable"), "{common}");
        }
    }

    #[test]
    fn the_address_and_the_product_are_refused() {
        for own in ["marguerite", "Marguerite1", "marguerite@example.com", "wardgate!!", "WardGate123"] {
            assert_eq!(code(&PasswordPolicy::default(), own), Some("contains_identity"), "{own}");
        }
    }

    #[test]
    fn long_plain_and_foreign_passwords_are_taken() {
        // S-005
        for good in [
            "vkqzjhrtxwmplbdcfgny",
            "correct horse battery staple",
            "🐢🐇🍵🚲🌋🧭🪁🎻",
            "дом на берегу озера",
            "池の蛙が飛び込む水の音",
        ] {
            assert_eq!(code(&PasswordPolicy::default(), good), None, "{good}");
        }
    }

    #[test]
    fn length_is_counted_in_characters_and_bounded_on_both_sides() {
        // S-002, S-003
        let policy = PasswordPolicy::default();
        assert_eq!(code(&policy, "x7!kQ2z"), Some("too_short"));
        assert_eq!(code(&policy, &"x7!kQ2z ".repeat(33)), Some("too_long"));
        let longest: String = ('a'..='z')
            .cycle()
            .enumerate()
            .map(|(i, c)| if i % 3 == 0 { '§' } else { c })
            .take(256)
            .collect();
        assert_eq!(code(&policy, &longest), None);
        let strict = PasswordPolicy { min_chars: 15, denied: None };
        assert_eq!(code(&strict, "vkqzjhrtxwmplb"), Some("too_short"));
        let lax = PasswordPolicy { min_chars: 1, denied: None };
        assert_eq!(code(&lax, "x7!kQ2z"), Some("too_short"), "never below eight");
    }

    #[test]
    fn a_loaded_breach_list_counts_in_any_case() {
        let denied = DeniedPasswords::read("vkqzjhrtxwmplbdcfgny\n\nother one\n".as_bytes()).unwrap();
        let policy = PasswordPolicy { min_chars: 8, denied: Some(Arc::new(denied)) };
        assert_eq!(code(&policy, "vkqzjhrtxwmplbdcfgny"), Some("breached"));
        assert_eq!(code(&policy, "VKQZJHRTXWMPLBDCFGNY"), Some("breached"));
        assert_eq!(code(&policy, "vkqzjhrtxwmplbdcfgnz"), None);
    }
}
