//! `/admin/audit`.

use axum::extract::State;
use http::Method;
use serde::Serialize;
use serde_json::json;

use super::model::{Action, AuditFilter, Outcome};
use crate::authn::CurrentPrincipal;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::page::Page;
use crate::kernel::tenant::CurrentTenant;
use crate::kernel::time::Timestamp;
use crate::web::cursor::PageQuery;
use crate::web::fields::{Fields, FromFields, Query};
use crate::web::openapi::{operation, page_of, schema};
use crate::web::routes::{Access, Route, route};

/// The longest actor or target that is looked for: longer than any there is.
const MAX_NAME: usize = 256;

/// The query of the list: strict, because a filter that is misspelt and ignored shows what was not asked for.
struct AuditQuery {
    filter: AuditFilter,
    page: PageQuery,
}

impl FromFields for AuditQuery {
    fn from_fields(fields: &mut Fields) -> Self {
        let filter = AuditFilter {
            from: time(fields, "from"),
            to: time(fields, "to"),
            actor: name(fields, "actor"),
            target: name(fields, "target"),
            action: word(fields, "action", Action::from_word),
            outcome: word(fields, "outcome", Outcome::from_word),
        };
        Self { filter, page: PageQuery::from_fields(fields) }
    }
}

fn time(fields: &mut Fields, name: &'static str) -> Option<Timestamp> {
    let text = fields.optional_text(name)?;
    let at = text.parse().ok();
    if at.is_none() {
        let detail = "must be a time as of RFC 3339, such as 2026-01-31T09:30:00Z (a + is written %2B)";
        fields.fault(name, "not_a_time", detail);
    }
    at
}

fn name(fields: &mut Fields, name: &'static str) -> Option<String> {
    let text = fields.optional_text(name)?;
    if text.len() > MAX_NAME || text.chars().any(char::is_control) {
        fields.fault(name, "not_a_name", "must be as records show it");
    }
    Some(text)
}

fn word<T>(fields: &mut Fields, name: &'static str, named: impl Fn(&str) -> Option<T>) -> Option<T> {
    let value = named(&fields.optional_text(name)?);
    if value.is_none() {
        fields.fault(name, "unknown_word", "is not a word that records have there");
    }
    value
}

/// Names the list with all that narrows it, so that a cursor is good for nothing else (S-107).
fn list_name(filter: &AuditFilter, tenant: impl std::fmt::Display) -> String {
    let AuditFilter { from, to, actor, target, action, outcome } = filter;
    format!("audit/{tenant}/{from:?}/{to:?}/{actor:?}/{target:?}/{action:?}/{outcome:?}")
}

async fn list(
    State(gate): State<Wardgate>,
    of: CurrentTenant,
    current: CurrentPrincipal,
    Query(AuditQuery { filter, page }): Query<AuditQuery>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let tenant = current.tenant();
    let list = list_name(&filter, tenant);
    let page = page.request(gate.cursors(), &list)?;
    let (mut items, next) = gate.audit().list(tenant, filter, page).await?;
    let slug = current.acts_on().map_or(of.slug, |other| other.slug.clone());
    items.iter_mut().for_each(|event| event.tenant = slug.to_string());
    Ok(axum::Json(Page { items, next_cursor: next.map(|next| gate.cursors().write(&list, next)) }))
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let time = json!({ "type": "string", "format": "date-time" });
    let text = json!({ "type": "string" });
    vec![route(
        &Method::GET,
        "/admin/audit",
        Access::Permission("audit:read"),
        list,
        operation("audit log", "The audit log, newest first")
            .query_parameter("from", "Not before this", &time)
            .query_parameter("to", "Before this", &time)
            .query_parameter("actor", "By exactly this actor", &text)
            .query_parameter("target", "Done to exactly this", &text)
            .query_parameter("action", "Only this", &text)
            .query_parameter("outcome", "Only what ended so", &json!({ "enum": ["success", "refused"] }))
            .paged()
            .answers(200, "A page of records", &page_of(&schema("AuditRecord"))),
    )]
}
