//! Holds every route to what the table says of it, before its body is read.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::current::{CurrentPrincipal, Presented};
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::web::origin::Asked;
use crate::web::routes::Access;

/// The middleware around each route that is not public.
pub(crate) async fn admit(
    State((gate, access)): State<(Wardgate, Access)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let asked = if access == Access::ForwardAuth { Asked::ByProxy } else { Asked::Directly };
    let admitted = match CurrentPrincipal::asked(&mut parts, &gate, asked).await {
        Ok(current) => check(access, &current, &gate),
        Err(refusal) => Err(translate(access, refusal)),
    };
    match admitted {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Whether `access` lets whoever this is through.
pub(crate) fn check(access: Access, current: &CurrentPrincipal, gate: &Wardgate) -> Result<(), AuthError> {
    match access {
        Access::Public | Access::TokenHolder | Access::SignedIn | Access::ForwardAuth => Ok(()),
        // A token that a key was exchanged for must not renew itself.
        Access::ApiKeyHolder if current.presented() != Presented::ApiKey => Err(AuthError::MissingApiKey),
        Access::ApiKeyHolder => Ok(()),
        Access::Permission(permission) => require(current, permission),
        Access::SteppedUp(permission) => {
            require(current, permission)?;
            current.authenticated().require_fresh(gate.now())
        }
    }
}

/// What a proxy understands: 401 or 403. It takes anything else for a failure of this server.
fn translate(access: Access, refusal: AuthError) -> AuthError {
    match (access, refusal) {
        (Access::ForwardAuth, AuthError::InactiveUser) => AuthError::InsufficientPermissions,
        (Access::ForwardAuth, AuthError::AmbiguousCredential(_)) => AuthError::InvalidCredential,
        (Access::ApiKeyHolder, AuthError::MissingCredential) => AuthError::MissingApiKey,
        (_, refusal) => refusal,
    }
}

/// A permission over tenants is one over all of them, so it counts in `default` only.
fn require(current: &CurrentPrincipal, permission: &str) -> Result<(), AuthError> {
    if permission.starts_with("tenants:") && current.principal().tenant != TenantId::DEFAULT {
        return Err(AuthError::InsufficientPermissions);
    }
    current.require_permission(permission)
}
