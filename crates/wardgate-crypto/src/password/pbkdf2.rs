//! PBKDF2, for imports: `$pbkdf2-sha256$29000$salt$digest` (passlib) and `pbkdf2_sha256$870000$salt$digest` (Django).

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA512};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::stored::{MALFORMED, Reason, TOO_COSTLY, decimal};

/// More rounds than this are refused; ten million take some seconds.
const MAX_ROUNDS: u32 = 10_000_000;

/// A stored PBKDF2 hash.
pub(super) struct Stored {
    function: Function,
    rounds: NonZeroU32,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Function {
    Sha256,
    Sha512,
}

impl Stored {
    /// Reads what follows `$pbkdf2-sha256$` or `$pbkdf2-sha512$`.
    pub(super) fn parse_passlib(name: &str, rest: &str) -> Result<Self, Reason> {
        let function = if name == "pbkdf2-sha512" { Function::Sha512 } else { Function::Sha256 };
        let (rounds, salt, digest) = split(rest).ok_or(MALFORMED)?;
        let salt = decode_adapted(salt).ok_or(MALFORMED)?;
        Self::new(function, rounds, salt, decode_adapted(digest).ok_or(MALFORMED)?)
    }

    /// Reads what follows `pbkdf2_sha256$`; the salt is text and used as it stands.
    pub(super) fn parse_django(rest: &str) -> Result<Self, Reason> {
        let (rounds, salt, digest) = split(rest).ok_or(MALFORMED)?;
        let digest = STANDARD.decode(digest).map_err(|_| MALFORMED)?;
        Self::new(Function::Sha256, rounds, salt.as_bytes().to_vec(), digest)
    }

    fn new(function: Function, rounds: &str, salt: Vec<u8>, digest: Vec<u8>) -> Result<Self, Reason> {
        let rounds = decimal(rounds).and_then(NonZeroU32::new).ok_or(MALFORMED)?;
        if rounds.get() > MAX_ROUNDS {
            return Err(TOO_COSTLY);
        }
        // A cut digest is a prefix of the right one and would still match: its length has to be whole.
        if digest.len() != function.digest_bytes() {
            return Err(MALFORMED);
        }
        Ok(Self { function, rounds, salt, digest })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let algorithm = match self.function {
            Function::Sha256 => PBKDF2_HMAC_SHA256,
            Function::Sha512 => PBKDF2_HMAC_SHA512,
        };
        pbkdf2::verify(algorithm, self.rounds, &self.salt, password, &self.digest).is_ok()
    }

    pub(super) fn label(&self) -> String {
        match self.function {
            Function::Sha256 => format!("pbkdf2-sha256:{}", self.rounds),
            Function::Sha512 => format!("pbkdf2-sha512:{}", self.rounds),
        }
    }
}

impl Function {
    fn digest_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

fn split(rest: &str) -> Option<(&str, &str, &str)> {
    let (rounds, rest) = rest.split_once('$')?;
    let (salt, digest) = rest.split_once('$')?;
    Some((rounds, salt, digest))
}

/// passlib writes `.` where base64 has `+`, and no padding.
fn decode_adapted(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text.replace('.', "+")).ok()
}
