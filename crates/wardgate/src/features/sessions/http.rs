//! `/auth/sessions`.

use axum::Extension;
use axum::extract::{Path, State};
use http::{Method, StatusCode};
use serde::Serialize;

use super::model::Session;
use crate::authn::CurrentUser;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::ids::SessionId;
use crate::kernel::page::Page;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;
use crate::web::cursor::PageQuery;
use crate::web::openapi::{operation, page_of, schema};
use crate::web::routes::{Access, Route, route};

/// A session as its owner sees it.
#[derive(Serialize)]
pub(crate) struct SessionView {
    id: SessionId,
    /// Whether this request came through it.
    current: bool,
    created_at: Timestamp,
    last_seen_at: Timestamp,
    expires_at: Timestamp,
    address: Option<String>,
    user_agent: Option<String>,
}

impl SessionView {
    pub(crate) fn new(session: Session, current: Option<SessionId>) -> Self {
        Self {
            id: session.id,
            current: Some(session.id) == current,
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
            address: session.address,
            user_agent: session.user_agent,
        }
    }
}

async fn list(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    query: PageQuery,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let (principal, user) = (current.principal(), current.user().id);
    let list = format!("sessions/{}/{user}", principal.tenant);
    let page = query.request(gate.cursors(), &list)?;
    let (sessions, next) = gate.sessions().list(principal.tenant, user, page).await?;
    let items = sessions.into_iter().map(|session| SessionView::new(session, principal.session())).collect();
    Ok(axum::Json(Page { items, next_cursor: next.map(|next| gate.cursors().write(&list, next)) }))
}

async fn end(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<StatusCode, AuthError> {
    let id = id.parse().map_err(|_| AuthError::NotFound)?;
    gate.sessions().end_own(current.principal().tenant, current.user().id, id, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    vec![
        route(
            &Method::GET,
            "/auth/sessions",
            Access::Permission("sessions:read"),
            list,
            operation("account", "The own sessions and devices, newest first").paged().answers(
                200,
                "A page of sessions",
                &page_of(&schema("Session")),
            ),
        ),
        route(
            &Method::DELETE,
            "/auth/sessions/{id}",
            Access::SteppedUp("sessions:write"),
            end,
            operation("account", "End one of the own sessions")
                .path_parameter("id")
                .answers_empty(204, "Its tokens are dead")
                .refuses(&["not_found"]),
        ),
    ]
}
