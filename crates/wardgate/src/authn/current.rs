//! The extractors for whoever makes a request.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::credential::bearer;
use crate::features::principals::{Authenticated, Holder};
use crate::features::roles::{Authority, Caller, Limit, Rights, Roles, Scope};
use crate::features::users::User;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::principal::Principal;
use crate::kernel::source::Source;

/// Whoever a request is made as: a human or a machine. As a handler's argument it demands a good credential;
/// `Option<CurrentPrincipal>` takes a request without one, and ignores a stale one.
///
/// Activity, roles and the credential itself are read from the store at each request, so a revocation counts at
/// once.
///
/// ```
/// # use wardgate::CurrentPrincipal;
/// async fn hello(current: CurrentPrincipal) -> String {
///     format!("Hello, {}", current.principal().subject)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct CurrentPrincipal(Arc<Authenticated>);

/// As [`CurrentPrincipal`], for humans only: a service account is refused with 403.
///
/// ```
/// # use wardgate::CurrentUser;
/// async fn hello(current: CurrentUser) -> String {
///     format!("Hello, {}", current.user().email)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct CurrentUser {
    principal: CurrentPrincipal,
    user: Arc<User>,
}

impl CurrentPrincipal {
    /// Who, in which tenant, by what.
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// The user or service account.
    pub fn holder(&self) -> &Holder {
        &self.0.holder
    }

    /// What they may do by this credential now.
    pub fn rights(&self) -> &Rights {
        &self.0.rights
    }

    /// Their roles now.
    pub fn roles(&self) -> &Roles {
        &self.0.rights.roles
    }

    /// The scope this credential is limited to, if it is.
    pub fn scope(&self) -> Option<&Scope> {
        match &self.0.rights.limit {
            Limit::Scope(scope) => Some(scope),
            Limit::Nothing | Limit::Application => None,
        }
    }

    /// Everything they may do by this credential; see [`Roles::permissions`].
    pub fn permissions(&self) -> Vec<&str> {
        self.0.rights.permissions()
    }

    /// Refuses unless the roles allow `permission` and the credential leaves it.
    pub fn require_permission(&self, permission: &str) -> Result<(), AuthError> {
        self.0.rights.require(permission)
    }

    /// Refuses unless they have the role `role`, built in or the tenant's own, or one above it. A role is the
    /// bundle of its permissions, so a credential's scope must leave none of them out.
    pub fn require_role(&self, role: &str) -> Result<(), AuthError> {
        self.0.rights.require_role(role)
    }

    pub(crate) fn authenticated(&self) -> &Authenticated {
        &self.0
    }

    /// Who they are to those services that change something for others.
    pub fn caller(&self, source: Source) -> Caller {
        let (actor, authority) = (self.principal().subject.into(), Authority::Holder(self.0.rights.clone()));
        Caller { actor, authority, source }
    }

    pub(crate) async fn from_parts(parts: &mut Parts, gate: &Wardgate) -> Result<Self, AuthError> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let token = bearer(parts)?.ok_or(AuthError::MissingCredential)?;
        let current = Self(Arc::new(gate.tokens().authenticate(token).await?));
        // A second extractor of the same request asks nobody again.
        parts.extensions.insert(current.clone());
        Ok(current)
    }
}

impl CurrentUser {
    /// The user's profile.
    pub fn user(&self) -> &User {
        &self.user
    }

    async fn from_parts(parts: &mut Parts, gate: &Wardgate) -> Result<Self, AuthError> {
        let principal = CurrentPrincipal::from_parts(parts, gate).await?;
        match principal.holder() {
            Holder::User(user) => Ok(Self { user: Arc::clone(user), principal }),
            Holder::ServiceAccount(_) => Err(AuthError::InsufficientPermissions),
        }
    }
}

impl Deref for CurrentUser {
    type Target = CurrentPrincipal;

    fn deref(&self) -> &CurrentPrincipal {
        &self.principal
    }
}

macro_rules! extractor {
    ($($name:ident),+) => {$(
        impl<S> FromRequestParts<S> for $name
        where
            Wardgate: FromRef<S>,
            S: Send + Sync,
        {
            type Rejection = AuthError;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AuthError> {
                Self::from_parts(parts, &Wardgate::from_ref(state)).await
            }
        }

        impl<S> OptionalFromRequestParts<S> for $name
        where
            Wardgate: FromRef<S>,
            S: Send + Sync,
        {
            type Rejection = AuthError;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, AuthError> {
                match Self::from_parts(parts, &Wardgate::from_ref(state)).await {
                    Ok(current) => Ok(Some(current)),
                    Err(error) if error.is_stale_credential() => Ok(None),
                    Err(other) => Err(other),
                }
            }
        }
    )+};
}

extractor!(CurrentPrincipal, CurrentUser);
