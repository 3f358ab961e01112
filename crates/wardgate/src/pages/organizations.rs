//! `/account/organizations`: those one belongs to, and joining one.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::form::{Form, Kind, Sent};
use super::frame::{Frame, Single};
use super::mailed::read_pasted;
use super::visit::Visit;
use super::{sent, shown};
use crate::features::organizations::http::Acceptance;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::ids::OrgId;
use crate::kernel::page::PageRequest;
use crate::web::routes::{Access, Route};

/// Where the script keeps an invitation's token while its owner signs in: in this tab only.
const KEPT: &str = "wardgate-invitation";

struct Row {
    id: String,
    name: String,
    role: String,
    is_active: bool,
}

#[derive(Template)]
#[template(path = "pages/organizations.html")]
struct Page {
    p: Frame,
    rows: Vec<Row>,
    has_active: bool,
    alert: Option<String>,
}

async fn page(visit: &Visit, alert: Option<String>) -> Result<Page, AuthError> {
    let me = visit.me()?;
    let all = PageRequest { limit: PageRequest::MAX_LIMIT, after: None };
    let (memberships, _) = visit.gate.organizations().list(visit.tenant.id, me.user().id, all).await?;
    let active = me.org().map(|org| org.id);
    let row = |membership: crate::features::organizations::Membership| Row {
        id: membership.org.id.to_string(),
        is_active: Some(membership.org.id) == active,
        role: visit.words.get(&format!("role-{}", membership.role)),
        name: membership.org.name,
    };
    let p = Frame { section: "organizations", ..Frame::new(visit, "orgs-title") };
    Ok(Page { p, rows: memberships.into_iter().map(row).collect(), has_active: active.is_some(), alert })
}

async fn list(visit: Visit) -> Result<Response, AuthError> {
    let page = page(&visit, None).await?;
    Ok(visit.show(&page))
}

fn org_id(text: &str) -> Result<OrgId, AuthError> {
    text.parse().map_err(|_| AuthError::NotFound)
}

async fn act_in(visit: &Visit, org: Option<OrgId>) -> Result<Response, AuthError> {
    let me = visit.me()?;
    visit.gate.sessions().act_in(me.principal(), me.user().id, org, &visit.source).await?;
    Ok(visit.to("/account/organizations?done=switched"))
}

async fn switch(visit: Visit, Path(id): Path<String>) -> Result<Response, AuthError> {
    act_in(&visit, Some(org_id(&id)?)).await
}

async fn switch_to_none(visit: Visit) -> Result<Response, AuthError> {
    act_in(&visit, None).await
}

async fn leave(visit: Visit, Path(id): Path<String>) -> Result<Response, AuthError> {
    let (org, user) = (org_id(&id)?, visit.me()?.user().id);
    match visit.gate.organizations().remove(visit.tenant.id, user, org, user, &visit.source).await {
        Ok(()) => Ok(visit.to("/account/organizations?done=left")),
        Err(error @ AuthError::LastOwner) => {
            let page = page(&visit, Some(visit.words.error(&error))).await?;
            Ok(visit.show_refused(error, &page))
        }
        Err(error) => Err(error),
    }
}

fn invitation_form(visit: &Visit) -> Form {
    let token = visit.labelled("token", "label-invitation", Kind::Input("text"), "one-time-code");
    let form = Form::new(visit, "/account/invitation", "invitation-button");
    form.field(token.hint(visit.words.get("hint-invitation")))
}

fn invitation_page(visit: &Visit, form: Form) -> Single {
    let (p, links) = (Frame::new(visit, "invitation-title"), vec![visit.link("link-account", "/account")]);
    // What was refused need not come back.
    let p = Frame { is_linked: true, keep: (!visit.is_faulty()).then_some(KEPT), ..p };
    Single { p, lead: vec![visit.words.get("invitation-lead")], form: Some(form), ways: Vec::new(), links }
}

/// Whoever is not signed in learns what to do first: an invitation is for the account of its address.
async fn ask_invitation(visit: Visit) -> Response {
    if visit.user().is_some() {
        return visit.show(&invitation_page(&visit, invitation_form(&visit)));
    }
    let back = visit.at("/account/invitation");
    let next = utf8_percent_encode(&back, NON_ALPHANUMERIC).to_string();
    let to = |text: &str, path: &str| visit.link(text, &format!("{path}?next={next}"));
    let ways = vec![to("link-sign-in", "/sign-in"), to("link-register", "/register")];
    let p = Frame { is_linked: true, keep: Some(KEPT), ..Frame::new(&visit, "invitation-title") };
    let lead = vec![visit.words.get("invitation-first")];
    visit.show(&Single { p, lead, form: None, ways, links: Vec::new() })
}

/// Where mails lead.
async fn from_mail(visit: Visit) -> Response {
    visit.to("/account/invitation")
}

async fn accept(visit: Visit, form_sent: Sent) -> Result<Response, AuthError> {
    let joined = async {
        let Acceptance { token } = read_pasted(&form_sent)?;
        visit.gate.organizations().accept(visit.tenant.id, visit.me()?.user(), &token, &visit.source).await
    };
    match joined.await {
        Ok(_) => Ok(visit.to("/account/organizations?done=invitation_accepted")),
        Err(error) => visit.again(error, invitation_form(&visit).typed(&form_sent), invitation_page),
    }
}

pub(super) fn pages() -> Vec<Route<Wardgate>> {
    let write = Access::Permission("organizations:write");
    vec![
        shown("/account/organizations", Access::Permission("organizations:read"), list),
        sent("/account/organizations/none", write, switch_to_none),
        sent("/account/organizations/{id}/switch", write, switch),
        sent("/account/organizations/{id}/leave", write, leave),
        shown("/account/invitation", Access::Public, ask_invitation),
        sent("/account/invitation", write, accept),
        shown("/auth/invitations/accept", Access::Public, from_mail),
    ]
}
