//! What a route demands, as a type in its signature or as a layer over a subtree.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::{FromRef, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use tower::{Layer, Service};

use super::current::CurrentPrincipal;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;

/// A demand on whoever makes a request, as a type.
///
/// ```
/// use wardgate::{AuthError, CurrentPrincipal, Requirement};
///
/// struct ReadAudit;
/// impl Requirement for ReadAudit {
///     fn check(current: &CurrentPrincipal) -> Result<(), AuthError> {
///         current.require_permission("audit:read")
///     }
/// }
/// ```
pub trait Requirement {
    /// `Err` refuses the request; [`AuthError::InsufficientPermissions`] is the usual one.
    fn check(current: &CurrentPrincipal) -> Result<(), AuthError>;
}

/// Demands the role `admin` or one above it.
#[derive(Debug)]
pub struct Admin;

/// Demands the role `superadmin`.
#[derive(Debug)]
pub struct Superadmin;

impl Requirement for Admin {
    fn check(current: &CurrentPrincipal) -> Result<(), AuthError> {
        current.require_role("admin")
    }
}

impl Requirement for Superadmin {
    fn check(current: &CurrentPrincipal) -> Result<(), AuthError> {
        current.require_role("superadmin")
    }
}

/// An extractor that passes only those who meet `R`: `async fn wipe(_: Require<Admin>)`.
#[derive(Debug, Clone)]
pub struct Require<R>(pub CurrentPrincipal, PhantomData<fn() -> R>);

impl<S, R> FromRequestParts<S> for Require<R>
where
    R: Requirement,
    Wardgate: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AuthError> {
        let current = <CurrentPrincipal as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        R::check(&current)?;
        Ok(Self(current, PhantomData))
    }
}

/// A layer that lets only those with a role through; made by [`Wardgate::require_role`].
#[derive(Clone)]
pub struct RequireRole {
    gate: Wardgate,
    role: Arc<str>,
}

impl RequireRole {
    pub(crate) fn new(gate: Wardgate, role: &str) -> Self {
        Self { gate, role: role.into() }
    }
}

impl<S> Layer<S> for RequireRole {
    type Service = RoleGuarded<S>;

    fn layer(&self, inner: S) -> RoleGuarded<S> {
        RoleGuarded { inner, guard: self.clone() }
    }
}

/// A service behind [`RequireRole`].
#[derive(Clone)]
pub struct RoleGuarded<S> {
    inner: S,
    guard: RequireRole,
}

impl<S> Service<Request> for RoleGuarded<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The clone was not polled ready; the one that was must be the one that is called.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let guard = self.guard.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let current = CurrentPrincipal::from_parts(&mut parts, &guard.gate).await;
            match current.and_then(|current| current.require_role(&guard.role)) {
                Ok(()) => inner.call(Request::from_parts(parts, body)).await,
                Err(refusal) => Ok(refusal.into_response()),
            }
        })
    }
}
