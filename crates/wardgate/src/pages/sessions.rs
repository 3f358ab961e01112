//! `/account/sessions`: where one is signed in.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;

use super::device::described;
use super::frame::Frame;
use super::visit::Visit;
use super::{sent, shown};
use crate::features::sessions::Session;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::page::PageRequest;
use crate::web::routes::{Access, Route};

/// One sign-in, as its owner knows it.
struct Row {
    id: String,
    device: String,
    address: Option<String>,
    seen: String,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "pages/sessions.html")]
struct Page {
    p: Frame,
    rows: Vec<Row>,
}

fn row(visit: &Visit, session: Session, is_current: bool) -> Row {
    let agent = session.user_agent.unwrap_or_default();
    let device = described(&agent).unwrap_or_else(|| match agent.chars().take(60).collect::<String>() {
        text if text.is_empty() => visit.words.get("sessions-unknown"),
        text => text,
    });
    let seen = visit.words.with("sessions-seen", "time", &visit.words.time(session.last_seen_at));
    Row { id: session.id.to_string(), device, address: session.address, seen, is_current }
}

async fn list(visit: Visit) -> Result<Response, AuthError> {
    let me = visit.me()?;
    let all = PageRequest { limit: PageRequest::MAX_LIMIT, after: None };
    let (sessions, _) = visit.gate.sessions().list(visit.tenant.id, me.user().id, all).await?;
    let current = me.principal().session();
    let mut rows: Vec<_> = sessions
        .into_iter()
        .map(|session| {
            let is_current = Some(session.id) == current;
            row(&visit, session, is_current)
        })
        .collect();
    rows.sort_by_key(|row| !row.is_current);
    let p = Frame { section: "sessions", ..Frame::new(&visit, "sessions-title") };
    Ok(visit.show(&Page { p, rows }))
}

async fn end(visit: Visit, Path(id): Path<String>) -> Result<Response, AuthError> {
    let id = id.parse().map_err(|_| AuthError::NotFound)?;
    visit.gate.sessions().end_own(visit.tenant.id, visit.me()?.user().id, id, &visit.source).await?;
    Ok(visit.to("/account/sessions?done=session_ended"))
}

pub(super) fn pages() -> Vec<Route<Wardgate>> {
    vec![
        shown("/account/sessions", Access::Permission("sessions:read"), list),
        sent("/account/sessions/{id}/end", Access::SteppedUp("sessions:write"), end),
    ]
}
