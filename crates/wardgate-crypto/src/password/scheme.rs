//! The scheme an operator configures for new hashes.

use super::{argon2, bcrypt};

/// How new hashes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Argon2id (RFC 9106).
    Argon2id {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes over the memory.
        iterations: u32,
        /// Lanes; they are computed one after the other here.
        parallelism: u32,
    },
    /// bcrypt.
    Bcrypt {
        /// Base-two logarithm of the rounds.
        cost: u32,
    },
}

/// A scheme is too weak to protect a leaked table, or so heavy that one sign-in would stall the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{parameter} is {given}; set it to {remedy}")]
pub struct WeakScheme {
    /// The parameter at fault.
    pub parameter: &'static str,
    /// What it is set to.
    pub given: u32,
    /// What would be accepted, in words.
    pub remedy: &'static str,
}

impl Default for Scheme {
    /// OWASP's Argon2id: 19 MiB, two passes, one lane.
    fn default() -> Self {
        Self::Argon2id { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 }
    }
}

impl Scheme {
    /// Refuses a scheme below OWASP's minimum (S-001), or beyond what a sign-in can bear.
    ///
    /// # Errors
    /// [`WeakScheme`] names the first parameter out of bounds and what to set it to.
    pub fn check(&self) -> Result<(), WeakScheme> {
        match *self {
            Self::Argon2id { memory_kib, iterations, parallelism } => {
                let memory = "19456 (19 MiB) or more, up to 1048576 (1 GiB)";
                within("memory_kib", memory_kib, 19 * 1024..=argon2::MAX_MEMORY_KIB, memory)?;
                within("iterations", iterations, 2..=64, "2 or more, up to 64")?;
                within("parallelism", parallelism, 1..=argon2::MAX_LANES, "1 or more, up to 64")?;
                let passes = argon2::MAX_WORK_KIB / u64::from(memory_kib);
                within(
                    "iterations",
                    iterations,
                    2..=saturate(passes),
                    "fewer, or memory_kib to less: together over 4 GiB of passes",
                )
            }
            Self::Bcrypt { cost } => within("cost", cost, 12..=bcrypt::MAX_COST, "12 or more, up to 17"),
        }
    }

    /// Names the scheme and its cost: `argon2id:m=19456,t=2,p=1`, `bcrypt:12`.
    pub fn label(&self) -> String {
        match self {
            Self::Argon2id { memory_kib, iterations, parallelism } => {
                format!("argon2id:m={memory_kib},t={iterations},p={parallelism}")
            }
            Self::Bcrypt { cost } => format!("bcrypt:{cost}"),
        }
    }
}

fn saturate(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn within(
    parameter: &'static str,
    given: u32,
    allowed: std::ops::RangeInclusive<u32>,
    remedy: &'static str,
) -> Result<(), WeakScheme> {
    if allowed.contains(&given) { Ok(()) } else { Err(WeakScheme { parameter, given, remedy }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argon2id(memory_kib: u32, iterations: u32, parallelism: u32) -> Scheme {
        Scheme::Argon2id { memory_kib, iterations, parallelism }
    }

    // S-001
    #[test]
    fn the_default_and_stronger_schemes_pass() {
        let fine = [
            Scheme::default(),
            argon2id(19456, 2, 4),
            argon2id(65536, 3, 4),
            argon2id(1 << 20, 4, 64),
            Scheme::Bcrypt { cost: 12 },
            Scheme::Bcrypt { cost: 17 },
        ];
        for scheme in fine {
            assert_eq!(scheme.check(), Ok(()), "{scheme:?}");
        }
    }

    // S-001
    #[test]
    fn weaker_and_absurd_schemes_are_refused_by_name() {
        let table = [
            (argon2id(19455, 2, 1), "memory_kib"),
            (argon2id((1 << 20) + 1, 2, 1), "memory_kib"),
            (argon2id(u32::MAX, 2, 1), "memory_kib"),
            (argon2id(0, 2, 1), "memory_kib"),
            (argon2id(19456, 1, 1), "iterations"),
            (argon2id(19456, 65, 1), "iterations"),
            (argon2id(1 << 20, 5, 1), "iterations"),
            (argon2id(19456, 2, 0), "parallelism"),
            (argon2id(19456, 2, 65), "parallelism"),
            (Scheme::Bcrypt { cost: 11 }, "cost"),
            (Scheme::Bcrypt { cost: 18 }, "cost"),
        ];
        for (scheme, parameter) in table {
            let fault = scheme.check().unwrap_err();
            assert_eq!(fault.parameter, parameter, "{scheme:?}");
            assert!(fault.to_string().contains("set it to"), "{fault}");
        }
    }

    #[test]
    fn labels_name_scheme_and_cost() {
        assert_eq!(Scheme::default().label(), "argon2id:m=19456,t=2,p=1");
        assert_eq!(Scheme::Bcrypt { cost: 12 }.label(), "bcrypt:12");
    }
}
