//! What a resource server demands of claims whose signature is right.

use crate::claims::AccessClaims;
use crate::error::VerifyError;

/// The most that clocks may differ, in seconds.
const MAX_LEEWAY_SECONDS: i64 = 60;

/// The demands of one resource server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The only issuer accepted, compared byte for byte.
    pub issuer: String,
    /// This server's name, which `aud` has to contain exactly.
    pub audience: String,
    /// How far clocks may differ, in seconds; values outside 0 to 60 count as the nearer end.
    pub leeway_seconds: i64,
}

impl Policy {
    /// A policy with the default leeway of 60 seconds.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), leeway_seconds: MAX_LEEWAY_SECONDS }
    }

    /// Judges claims at `now_seconds` since 1970 (RFC 9068 section 4).
    ///
    /// # Errors
    /// [`VerifyError::Issuer`], [`VerifyError::Audience`], [`VerifyError::Expired`] from `exp` plus the leeway on,
    /// [`VerifyError::NotYet`] while `nbf` or `iat` is further ahead than the leeway.
    pub fn check(&self, claims: &AccessClaims, now_seconds: i64) -> Result<(), VerifyError> {
        if claims.iss != self.issuer {
            return Err(VerifyError::Issuer);
        }
        if !claims.aud.contains(&self.audience) {
            return Err(VerifyError::Audience);
        }
        self.check_times(claims, now_seconds)
    }

    fn check_times(&self, claims: &AccessClaims, now: i64) -> Result<(), VerifyError> {
        let leeway = self.leeway_seconds.clamp(0, MAX_LEEWAY_SECONDS);
        // Saturating: a token with exp near i64::MAX must not wrap into the past or the future.
        if now >= claims.exp.saturating_add(leeway) {
            return Err(VerifyError::Expired);
        }
        let latest_start = now.saturating_add(leeway);
        if claims.iat > latest_start || claims.nbf.is_some_and(|nbf| nbf > latest_start) {
            return Err(VerifyError::NotYet);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{AUDIENCE, ISSUER, NOW, claims};

    fn judged(leeway_seconds: i64, exp: i64) -> Result<(), VerifyError> {
        let mut claims = AccessClaims::from_json(claims().to_string().as_bytes()).unwrap();
        claims.exp = exp;
        Policy { leeway_seconds, ..Policy::new(ISSUER, AUDIENCE) }.check(&claims, NOW)
    }

    // S-027
    #[test]
    fn no_leeway_beyond_a_minute_can_be_configured() {
        for leeway in [60, 61, 3600, i64::MAX] {
            assert_eq!(judged(leeway, NOW - 59), Ok(()), "{leeway}");
            assert_eq!(judged(leeway, NOW - 60), Err(VerifyError::Expired), "{leeway}");
        }
        for leeway in [0, -1, i64::MIN] {
            assert_eq!(judged(leeway, NOW + 1), Ok(()), "{leeway}");
            assert_eq!(judged(leeway, NOW), Err(VerifyError::Expired), "{leeway}");
        }
    }
}
