//! Passwords: hashing them, and checking them against hashes of our own and of other programs.
//!
//! New hashes are Argon2id or bcrypt ([`Scheme`]). [`verify`] also understands what an import brings along: Argon2i,
//! bcrypt in its spellings, and the PBKDF2, scrypt and bcrypt-SHA-256 forms of passlib and Django. Everything here
//! is slow on purpose and blocks; call it from a thread that may.

mod argon2;
mod bcrypt;
#[cfg(test)]
mod foreign;
mod pbkdf2;
mod scheme;
mod scrypt;
mod secret;
mod stored;
#[cfg(test)]
mod tests;

pub use argon2::Workspace;
pub use scheme::{Scheme, WeakScheme};
pub use secret::Password;

use stored::Stored;

use crate::rng::Rng;

/// What checking a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It is the password.
    Match,
    /// It is not.
    Mismatch,
    /// The stored hash cannot be checked, for the reason given; it holds nothing of the hash. Treat it as a
    /// mismatch towards the client, and tell the operator.
    Unusable(&'static str),
}

/// Why a password could not be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// The scheme's parameters are outside what the algorithm allows.
    #[error("the password scheme's parameters are not allowed")]
    Parameters,
    /// The memory the scheme asks for could not be had.
    #[error("not enough memory to hash a password")]
    Memory,
}

/// Hashes a password with a fresh salt, into the text to store.
///
/// Argon2id gives a PHC string. bcrypt gives `$2b$…`, or passlib's `$bcrypt-sha256$v=2,…` for a password that bcrypt
/// would cut: one over 72 bytes or with a NUL in it.
///
/// # Errors
/// [`HashError::Parameters`] for a scheme no algorithm can run; call [`Scheme::check`] at start, it is stricter.
/// [`HashError::Memory`] when the memory is not there.
pub fn hash(
    password: &Password,
    scheme: &Scheme,
    rng: &dyn Rng,
    workspace: &mut Workspace,
) -> Result<String, HashError> {
    match *scheme {
        Scheme::Argon2id { memory_kib, iterations, parallelism } => {
            argon2::hash(password.as_bytes(), (memory_kib, iterations, parallelism), rng, workspace)
        }
        Scheme::Bcrypt { cost } => bcrypt::hash(password.as_bytes(), cost, rng),
    }
}

/// Checks a password against a stored hash, in constant time where bytes are compared.
///
/// Malformed, truncated or overly expensive hashes are [`Verdict::Unusable`]; nothing makes this panic.
pub fn verify(password: &Password, stored: &str, workspace: &mut Workspace) -> Verdict {
    match Stored::parse(stored).and_then(|stored| stored.verify(password.as_bytes(), workspace)) {
        Ok(true) => Verdict::Match,
        Ok(false) => Verdict::Mismatch,
        Err(reason) => Verdict::Unusable(reason),
    }
}

/// Says whether a stored hash should be replaced at the next sign-in, because it is not what `scheme` makes now.
pub fn needs_rehash(stored: &str, scheme: &Scheme) -> bool {
    !Stored::parse(stored).is_ok_and(|stored| stored.is_made_by(scheme))
}

/// Names the scheme and cost of a stored hash, such as `argon2id:m=19456,t=2,p=1`; `unknown` if it is unreadable.
///
/// For a hash that [`hash`] made it equals [`Scheme::label`], but for the long passwords of bcrypt.
pub fn scheme_label(stored: &str) -> String {
    Stored::parse(stored).map_or_else(|_| "unknown".to_owned(), |stored| stored.label())
}

/// Reads a hash that another program made, before it is stored: names its scheme and cost as [`scheme_label`] does.
///
/// # Errors
/// Why [`verify`] would find it [`Verdict::Unusable`]: malformed, of a scheme that is not known, or so costly that one
/// sign-in would stall the server. The reason holds nothing of the hash.
pub fn inspect(foreign: &str) -> Result<String, &'static str> {
    Stored::parse(foreign).map(|stored| stored.label())
}

/// A stored hash that costs what `scheme` costs and that no password matches.
///
/// Checked when there is no such user, so that the answer takes as long as for one who exists (S-012).
pub fn decoy(scheme: &Scheme) -> String {
    match *scheme {
        Scheme::Argon2id { memory_kib, iterations, parallelism } => {
            argon2::decoy((memory_kib, iterations, parallelism))
        }
        Scheme::Bcrypt { cost } => bcrypt::decoy(cost),
    }
}
