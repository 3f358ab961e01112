//! Holds every route to what the table says of it, before its body is read.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::current::CurrentPrincipal;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::web::routes::Access;

/// The middleware around each route that is not public.
pub(crate) async fn admit(
    State((gate, access)): State<(Wardgate, Access)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let admitted = match CurrentPrincipal::from_parts(&mut parts, &gate).await {
        Ok(current) => check(access, &current, &gate),
        Err(refusal) => Err(refusal),
    };
    match admitted {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(access: Access, current: &CurrentPrincipal, gate: &Wardgate) -> Result<(), AuthError> {
    match access {
        Access::Public | Access::TokenHolder | Access::SignedIn => Ok(()),
        Access::Permission(permission) => current.require_permission(permission),
        Access::SteppedUp(permission) => {
            current.require_permission(permission)?;
            current.authenticated().require_fresh(gate.now())
        }
    }
}
