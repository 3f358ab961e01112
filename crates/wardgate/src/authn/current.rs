//! The extractors for whoever makes a request.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::Method;
use http::request::Parts;

use super::credential::{Credential, credential};
use super::tenant::{ActsOn, tenant_of};
use crate::features::organizations::{ActiveOrg, OrgRole};
use crate::features::principals::{Authenticated, Holder};
use crate::features::roles::{Authority, Caller, Limit, Rights, Roles, Scope};
use crate::features::users::User;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::principal::Principal;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::web::origin::Asked;

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
pub struct CurrentPrincipal(Arc<Known>);

#[derive(Debug)]
struct Known {
    authenticated: Authenticated,
    presented: Presented,
    /// Another tenant than their own, for a superadmin.
    acts_on: Option<CurrentTenant>,
}

/// The kind of a presented credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presented {
    Bearer,
    ApiKey,
    Cookie,
}

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
        &self.0.authenticated.principal
    }

    /// The user or service account.
    pub fn holder(&self) -> &Holder {
        &self.0.authenticated.holder
    }

    /// What they may do by this credential now.
    pub fn rights(&self) -> &Rights {
        &self.0.authenticated.rights
    }

    /// Their roles now.
    pub fn roles(&self) -> &Roles {
        &self.rights().roles
    }

    /// The scope this credential is limited to, if it is.
    pub fn scope(&self) -> Option<&Scope> {
        match &self.rights().limit {
            Limit::Scope(scope) => Some(scope),
            Limit::Nothing | Limit::Application => None,
        }
    }

    /// Everything they may do by this credential; see [`Roles::permissions`].
    pub fn permissions(&self) -> Vec<&str> {
        self.rights().permissions()
    }

    /// The organization that this session acts in, with the user's place there now.
    pub fn org(&self) -> Option<&ActiveOrg> {
        self.0.authenticated.org.as_ref()
    }

    /// Refuses unless this session acts in an organization, and the user has `role` there or one above it.
    /// A credential that is limited must leave `organizations:read`.
    pub fn require_org_role(&self, role: OrgRole) -> Result<&ActiveOrg, AuthError> {
        self.require_permission("organizations:read")?;
        self.org().filter(|org| org.role >= role).ok_or(AuthError::InsufficientPermissions)
    }

    /// Refuses unless the roles allow `permission` and the credential leaves it.
    pub fn require_permission(&self, permission: &str) -> Result<(), AuthError> {
        self.rights().require(permission)
    }

    /// Refuses unless they have the role `role`, built in or the tenant's own, or one above it. A role is the
    /// bundle of its permissions, so a credential's scope must leave none of them out.
    pub fn require_role(&self, role: &str) -> Result<(), AuthError> {
        self.rights().require_role(role)
    }

    pub(crate) fn authenticated(&self) -> &Authenticated {
        &self.0.authenticated
    }

    /// Who they are to those services that change something for others.
    pub fn caller(&self, source: Source) -> Caller {
        let (actor, authority) = (self.principal().subject.into(), Authority::Holder(self.rights().clone()));
        Caller { actor, authority, api_key: self.principal().via.api_key(), source }
    }

    /// The tenant that what they ask for is about: their own, or the one that a superadmin acts on.
    pub fn tenant(&self) -> TenantId {
        self.acts_on().map_or(self.principal().tenant, |tenant| tenant.id)
    }

    /// The other tenant that a superadmin acts on.
    pub(crate) fn acts_on(&self) -> Option<&CurrentTenant> {
        self.0.acts_on.as_ref()
    }

    /// Which kind of credential was presented.
    pub(crate) fn presented(&self) -> Presented {
        self.0.presented
    }

    pub(crate) async fn from_parts(parts: &mut Parts, gate: &Wardgate) -> Result<Self, AuthError> {
        Self::asked(parts, gate, Asked::Directly).await
    }

    /// As [`from_parts`](Self::from_parts), for a request that a proxy asks about.
    pub(crate) async fn asked(parts: &mut Parts, gate: &Wardgate, asked: Asked) -> Result<Self, AuthError> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let source = gate.source_of(parts);
        let tenant = tenant_of(parts, gate).await?;
        let found =
            credential(parts, &gate.cookie().name(&tenant.slug))?.ok_or(AuthError::MissingCredential)?;
        let (presented, authenticated) = match found {
            Credential::Bearer(token) => {
                (Presented::Bearer, gate.tokens().authenticate(&tenant, token, &source).await?)
            }
            Credential::ApiKey(text) => {
                let authenticated = gate.api_keys().authenticate(tenant.id, text, &source).await?;
                (Presented::ApiKey, authenticated)
            }
            Credential::Cookie(text) => {
                if !gate.origins().admit(&method(parts, asked), &parts.headers, asked) {
                    return Err(AuthError::CrossSite);
                }
                let authenticated = gate.sessions().authenticate(tenant.id, text, &source).await?;
                (Presented::Cookie, authenticated)
            }
        };
        let acts_on = match parts.extensions.get::<ActsOn>() {
            Some(ActsOn(id)) => Some(other_tenant(gate, *id, &authenticated).await?),
            None => None,
        };
        let current = Self(Arc::new(Known { authenticated, presented, acts_on }));
        // A second extractor of the same request asks nobody again.
        parts.extensions.insert(current.clone());
        Ok(current)
    }
}

/// The tenant that somebody acts on from above. Whether there is such a tenant is told to those only who may know
/// (S-102).
async fn other_tenant(
    gate: &Wardgate,
    id: TenantId,
    authenticated: &Authenticated,
) -> Result<CurrentTenant, AuthError> {
    if authenticated.principal.tenant != TenantId::DEFAULT {
        return Err(AuthError::InsufficientPermissions);
    }
    authenticated.rights.require("tenants:write")?;
    gate.tenants().by_id(id).await
}

/// What the request does; for a proxy's question, what the request does that it is about (S-051). Proxies tell it in one
/// header and let a client's through in the other: the one that changes something counts.
fn method(parts: &Parts, asked: Asked) -> Method {
    if asked == Asked::Directly {
        return parts.method.clone();
    }
    let named = ["x-forwarded-method", "x-original-method"];
    let values = named.iter().flat_map(|name| parts.headers.get_all(*name));
    // One that cannot be read is no harmless one.
    let mut methods = values.map(|value| Method::from_bytes(value.as_bytes()).unwrap_or(Method::POST));
    let first = methods.next().unwrap_or_else(|| parts.method.clone());
    methods.fold(first, |chosen, method| if chosen.is_safe() { method } else { chosen })
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
