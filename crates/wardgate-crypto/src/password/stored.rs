//! Telling the stored forms apart.

use super::scheme::Scheme;
use super::{Workspace, argon2, bcrypt, pbkdf2, scrypt};

/// The longest text that is read at all; no known form comes near it.
const MAX_STORED_BYTES: usize = 1024;

/// Why a stored hash cannot be checked. It is shown to operators and holds nothing of the hash.
pub(super) type Reason = &'static str;

pub(super) const MALFORMED: Reason = "malformed";
pub(super) const TOO_COSTLY: Reason = "its parameters would cost too much";
pub(super) const NO_MEMORY: Reason = "not enough memory";

/// A stored hash, read and within bounds.
pub(super) enum Stored {
    Argon2(argon2::Stored),
    Bcrypt(bcrypt::Stored),
    Pbkdf2(pbkdf2::Stored),
    Scrypt(scrypt::Stored),
}

impl Stored {
    /// Reads a stored hash and bounds what checking it may cost, before anything is computed (S-008).
    pub(super) fn parse(text: &str) -> Result<Self, Reason> {
        // No form has a space or a control character; a salt that is text, as Django's, must not bring one along.
        if text.len() > MAX_STORED_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(MALFORMED);
        }
        let (name, rest) = text.strip_prefix('$').unwrap_or(text).split_once('$').ok_or(MALFORMED)?;
        match (text.starts_with('$'), name) {
            (true, "argon2id" | "argon2i") => argon2::Stored::parse(name, rest).map(Self::Argon2),
            (true, "2a" | "2b" | "2y") => bcrypt::Stored::parse(rest, bcrypt::Form::Plain).map(Self::Bcrypt),
            (true, "bcrypt-sha256") => bcrypt::Stored::parse_passlib(rest).map(Self::Bcrypt),
            (true, "pbkdf2-sha256" | "pbkdf2-sha512") => {
                pbkdf2::Stored::parse_passlib(name, rest).map(Self::Pbkdf2)
            }
            (true, "scrypt") => scrypt::Stored::parse_passlib(rest).map(Self::Scrypt),
            (false, _) => Self::parse_django(name, rest),
            _ => Err("a scheme that is not known"),
        }
    }

    /// Django puts its own name before the hash, and for Argon2 and bcrypt the usual text after it.
    fn parse_django(name: &str, rest: &str) -> Result<Self, Reason> {
        match name {
            "argon2" => {
                let (name, rest) = rest.split_once('$').ok_or(MALFORMED)?;
                argon2::Stored::parse(name, rest).map(Self::Argon2)
            }
            "bcrypt" => bcrypt::Stored::parse_django(rest, bcrypt::Form::Plain).map(Self::Bcrypt),
            "bcrypt_sha256" => bcrypt::Stored::parse_django(rest, bcrypt::Form::HexSha256).map(Self::Bcrypt),
            "pbkdf2_sha256" => pbkdf2::Stored::parse_django(rest).map(Self::Pbkdf2),
            "scrypt" => scrypt::Stored::parse_django(rest).map(Self::Scrypt),
            _ => Err("a scheme that is not known"),
        }
    }

    pub(super) fn verify(&self, password: &[u8], workspace: &mut Workspace) -> Result<bool, Reason> {
        match self {
            Self::Argon2(stored) => stored.verify(password, workspace),
            Self::Bcrypt(stored) => Ok(stored.verify(password)),
            Self::Pbkdf2(stored) => Ok(stored.verify(password)),
            Self::Scrypt(stored) => stored.verify(password),
        }
    }

    pub(super) fn is_made_by(&self, scheme: &Scheme) -> bool {
        match (self, *scheme) {
            (Self::Argon2(stored), Scheme::Argon2id { memory_kib, iterations, parallelism }) => {
                stored.is_made_with((memory_kib, iterations, parallelism))
            }
            (Self::Bcrypt(stored), Scheme::Bcrypt { cost }) => stored.is_made_with(cost),
            _ => false,
        }
    }

    pub(super) fn label(&self) -> String {
        match self {
            Self::Argon2(stored) => stored.label(),
            Self::Bcrypt(stored) => stored.label(),
            Self::Pbkdf2(stored) => stored.label(),
            Self::Scrypt(stored) => stored.label(),
        }
    }
}

/// Reads `name=value` pairs that stand in exactly this order, as every writer of these forms puts them.
pub(super) fn parameters<'s, const N: usize>(text: &'s str, names: [&str; N]) -> Option<[&'s str; N]> {
    let mut values = [""; N];
    let mut pairs = text.split(',');
    for (value, name) in values.iter_mut().zip(names) {
        *value = pairs.next()?.strip_prefix(name)?.strip_prefix('=')?;
    }
    pairs.next().is_none().then_some(values)
}

/// Reads a decimal number without sign or leading zeros.
pub(super) fn decimal(text: &str) -> Option<u32> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_in_order_and_whole() {
        assert_eq!(parameters("m=1,t=2", ["m", "t"]), Some(["1", "2"]));
        for text in ["", "m=1", "t=2,m=1", "m=1,t=2,p=3", "m=1,t2", "m=1,,t=2"] {
            assert_eq!(parameters(text, ["m", "t"]), None, "{text}");
        }
    }

    #[test]
    fn decimals_have_one_spelling() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("4294967295"), Some(u32::MAX));
        for text in ["", "+1", "-1", "01", "1 ", "4294967296", "1e3", "0x1"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }
}
