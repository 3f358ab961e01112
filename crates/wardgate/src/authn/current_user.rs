//! The extractor for whoever is signed in.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::credential::bearer;
use crate::features::roles::{BuiltinRole, Roles};
use crate::features::tokens::{Authenticated, Scope};
use crate::features::users::User;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::principal::Principal;

/// Whoever a request is made as. As a handler's argument it demands a good credential; `Option<CurrentUser>`
/// takes a request without one, and ignores a stale one.
///
/// Activity, roles and session are read from the store at each request, so a revocation counts at once.
///
/// ```
/// # use wardgate::CurrentUser;
/// async fn hello(user: CurrentUser) -> String {
///     format!("Hello, {}", user.user().email)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct CurrentUser(Arc<Authenticated>);

impl CurrentUser {
    /// Who, in which tenant, through which session.
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// The user's profile.
    pub fn user(&self) -> &User {
        &self.0.user
    }

    /// The user's roles now.
    pub fn roles(&self) -> &Roles {
        &self.0.roles
    }

    /// The scope this sign-in was limited to, if it was.
    pub fn scope(&self) -> Option<&Scope> {
        self.0.scope.as_ref()
    }

    /// Everything the user may do in this session: what the roles allow, within the scope.
    pub fn permissions(&self) -> Vec<&'static str> {
        let within = |permission: &&str| self.scope().is_none_or(|scope| scope.contains(permission));
        self.roles().permissions().into_iter().filter(within).collect()
    }

    /// Refuses unless the roles allow `permission` and the scope, if there is one, names it.
    pub fn require_permission(&self, permission: &'static str) -> Result<(), AuthError> {
        if !self.roles().allow(permission) {
            return Err(AuthError::InsufficientPermissions);
        }
        match self.scope() {
            Some(scope) if !scope.contains(permission) => Err(AuthError::InsufficientScope(permission)),
            _ => Ok(()),
        }
    }

    /// Refuses unless the user has `role` or one above it. A role is the bundle of its permissions, so a
    /// scope must leave none of them out.
    pub fn require_role(&self, role: BuiltinRole) -> Result<(), AuthError> {
        if !self.roles().satisfy(role) {
            return Err(AuthError::InsufficientPermissions);
        }
        role.permissions().iter().try_for_each(|permission| self.require_permission(permission))
    }

    async fn from_parts(parts: &mut Parts, gate: &Wardgate) -> Result<Self, AuthError> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let token = bearer(parts)?.ok_or(AuthError::MissingCredential)?;
        let user = Self(Arc::new(gate.tokens().authenticate(token).await?));
        // A second extractor of the same request asks nobody again.
        parts.extensions.insert(user.clone());
        Ok(user)
    }
}

impl<S> FromRequestParts<S> for CurrentUser
where
    Wardgate: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AuthError> {
        Self::from_parts(parts, &Wardgate::from_ref(state)).await
    }
}

impl<S> OptionalFromRequestParts<S> for CurrentUser
where
    Wardgate: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, AuthError> {
        match Self::from_parts(parts, &Wardgate::from_ref(state)).await {
            Ok(user) => Ok(Some(user)),
            Err(AuthError::MissingCredential | AuthError::InvalidCredential | AuthError::InactiveUser) => {
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }
}
