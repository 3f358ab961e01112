//! The extractor.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::bearer::bearer;
use super::refusal::Refusal;
use crate::claims::AccessClaims;
use crate::token_verifier::TokenVerifier;

/// The claims of a token that was found good. As a handler's argument it demands one; `Option<VerifiedToken>` takes a
/// request without one, and ignores a bad one.
///
/// The claims are as of the token's issue: a sign-out, a disabled user or a role that was taken away since is seen
/// when the token ends, 15 minutes later by default. Where that is too late, ask the issuer.
#[derive(Clone, Debug)]
pub struct VerifiedToken(Arc<AccessClaims>);

impl VerifiedToken {
    /// Refuses unless the token names one of `roles`, letter by letter.
    ///
    /// Nothing is known here of one role's being above another: name each that may pass, as in `&["admin",
    /// "superadmin"]`.
    ///
    /// # Errors
    /// [`Refusal::Role`], a 403; also where `roles` is empty.
    pub fn require_role(&self, roles: &[&str]) -> Result<(), Refusal> {
        if roles.iter().any(|role| self.roles.iter().any(|held| held == role)) {
            return Ok(());
        }
        Err(Refusal::Role)
    }

    /// Refuses unless the token's scope names `scope`.
    ///
    /// Wardgate writes a scope into a token only where the sign-in asked for one, and never more than the roles allow.
    /// A token without is refused here: that nothing was asked for does not say that everything is allowed.
    ///
    /// # Errors
    /// [`Refusal::Scope`], a 403 whose challenge names the scope; also where `scope` is empty.
    pub fn require_scope(&self, scope: &str) -> Result<(), Refusal> {
        let granted = self.scope.as_deref().unwrap_or_default();
        if !scope.is_empty() && granted.split(' ').any(|one| one == scope) {
            return Ok(());
        }
        Err(Refusal::Scope(scope.to_owned()))
    }

    async fn from_parts(parts: &mut Parts, verifier: &TokenVerifier) -> Result<Self, Refusal> {
        let token = bearer(parts)?.ok_or(Refusal::Missing)?;
        verifier.verify(token).await.map(|claims| Self(Arc::new(claims))).map_err(Refusal::Invalid)
    }
}

impl Deref for VerifiedToken {
    type Target = AccessClaims;

    fn deref(&self) -> &AccessClaims {
        &self.0
    }
}

impl<S> FromRequestParts<S> for VerifiedToken
where
    TokenVerifier: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        Self::from_parts(parts, &TokenVerifier::from_ref(state)).await
    }
}

impl<S> OptionalFromRequestParts<S> for VerifiedToken
where
    TokenVerifier: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refusal> {
        match Self::from_parts(parts, &TokenVerifier::from_ref(state)).await {
            Ok(token) => Ok(Some(token)),
            Err(Refusal::Missing | Refusal::Invalid(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }
}
