//! What is around every page: where a form comes from, who may open the page, and a fresh proof where one is due.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_LENGTH, SET_COOKIE};
use http::request::Parts;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::form::{Form, encoded};
use super::frame::{Frame, Link, Single};
use super::sign_in::through;
use super::visit::Visit;
use crate::authn::{CurrentUser, Presented, check_access};
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::tenant::CurrentTenant;
use crate::web::body;
use crate::web::fields::form_pairs;
use crate::web::origin::Asked;
use crate::web::problem::Refusal;
use crate::web::routes::Access;

/// The field in which the password is asked for again.
const CONFIRMATION: &str = "confirm_password";

/// The middleware around each page.
pub(crate) async fn guard(
    State((gate, access)): State<(Wardgate, Access)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let tenant = match CurrentTenant::from_request_parts(&mut parts, &gate).await {
        Ok(tenant) => tenant,
        Err(refusal) => return refusal.into_response(),
    };
    let visit = Visit::new(&gate, tenant, &parts);
    match admitted(&gate, access, parts, body, visit.clone(), next).await {
        Ok(response) => in_words(response, &visit),
        Err(refusal) => visit.refuse(refusal),
    }
}

/// The middleware around what a browser comes to from another provider: a refusal is a page for whoever reads pages.
pub(crate) async fn retold(State(gate): State<Wardgate>, request: Request, next: Next) -> Response {
    if !reads_pages(&request) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let tenant = match CurrentTenant::from_request_parts(&mut parts, &gate).await {
        Ok(tenant) => tenant,
        Err(refusal) => return refusal.into_response(),
    };
    let visit = Visit::new(&gate, tenant, &parts);
    in_words(next.run(Request::from_parts(parts, body)).await, &visit)
}

/// The answer where no tenant is there to answer: whoever reads pages is told by one that it is suspended.
pub(crate) fn turn_away(gate: &Wardgate, request: Request, refusal: AuthError) -> Response {
    if !matches!(refusal, AuthError::TenantSuspended) || !reads_pages(&request) {
        return refusal.into_response();
    }
    let (parts, _) = request.into_parts();
    Visit::new(gate, gate.tenants().default_tenant(), &parts).turn_away(refusal)
}

fn reads_pages(request: &Request) -> bool {
    let accepted = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.into_iter().any(|types| types.contains("text/html"))
}

/// A refusal as a page, in the visitor's language; everything else as it is.
fn in_words(mut response: Response, visit: &Visit) -> Response {
    match Refusal::take(&mut response) {
        Some(error) => visit.refuse(error),
        None => response,
    }
}

async fn admitted(
    gate: &Wardgate,
    access: Access,
    mut parts: Parts,
    body: Body,
    visit: Visit,
    next: Next,
) -> Result<Response, AuthError> {
    // Without a cookie too: a stranger's page must not sign anybody in to the stranger's account (S-051, S-053).
    if !gate.origins().admit(&parts.method, &parts.headers, Asked::Directly) {
        return Err(AuthError::CrossSite);
    }
    let found = by_cookie(gate, &mut parts).await;
    if access == Access::Public {
        let visit = found.map_or(visit.clone(), |user| visit.by(user));
        return Ok(run(parts, body, visit, next).await);
    }
    let user = match found {
        Ok(user) => user,
        Err(refusal) if refusal.is_stale_credential() => return Ok(to_sign_in(&visit, &refusal)),
        Err(refusal) => return Err(refusal),
    };
    let visit = visit.by(user.clone());
    match check_access(access, &user, gate) {
        Ok(()) => Ok(run(parts, body, visit, next).await),
        Err(AuthError::StepUpRequired) => confirmed(parts, body, visit, next).await,
        Err(refusal) => Err(refusal),
    }
}

async fn run(mut parts: Parts, body: Body, visit: Visit, next: Next) -> Response {
    parts.extensions.insert(visit);
    next.run(Request::from_parts(parts, body)).await
}

/// Whoever is signed in by the browser's cookie. A page is no place for tokens and keys.
async fn by_cookie(gate: &Wardgate, parts: &mut Parts) -> Result<CurrentUser, AuthError> {
    let user = <CurrentUser as FromRequestParts<Wardgate>>::from_request_parts(parts, gate).await?;
    if user.presented() == Presented::Cookie { Ok(user) } else { Err(AuthError::MissingCredential) }
}

/// The page that has the form which is sent to `path`; of a page, itself.
fn page_of(path: &str) -> &str {
    match path.strip_prefix("/account/").and_then(|rest| rest.split('/').next()) {
        None | Some("name" | "email") => "/account",
        Some(section) => &path[.."/account/".len() + section.len()],
    }
}

/// To the sign-in page, and from there back. A form that was sent is not sent again: its page is opened anew.
fn to_sign_in(visit: &Visit, refusal: &AuthError) -> Response {
    let page = visit.at(page_of(visit.path()));
    let next = utf8_percent_encode(&page, NON_ALPHANUMERIC);
    let expired = if matches!(refusal, AuthError::MissingCredential) { "" } else { "&done=expired" };
    visit.to(&format!("/sign-in?next={next}{expired}"))
}

/// Asks for the password, and goes on with what was asked for once it is given: the form is carried along.
async fn confirmed(mut parts: Parts, body: Body, visit: Visit, next: Next) -> Result<Response, AuthError> {
    let sent = body::form(&parts.headers, body).await?;
    let (confirmation, rest): (Vec<_>, Vec<_>) =
        form_pairs(&sent).into_iter().partition(|(name, _)| name == CONFIRMATION);
    let ways = ways(&visit).await?;
    let typed = confirmation.into_iter().map(|(_, value)| value).find(|value| !value.is_empty());
    let Some(typed) = typed else {
        let page = question(&visit, form(&visit, rest), ways);
        return Ok(visit.show_refused(AuthError::StepUpRequired, &page));
    };
    let user = visit.me()?;
    let stepped_up =
        visit.gate.passwords().step_up(user.principal(), user.user(), &typed, true, &visit.source).await;
    let cookie = match stepped_up {
        Ok(cookie) => cookie,
        Err(refusal) => {
            let form = form(&visit, rest);
            return visit.again(refusal, form, |visit, form| question(visit, form, ways));
        }
    };
    parts.headers.remove(CONTENT_LENGTH);
    let set = cookie.map(|value| visit.gate.cookie().set(&visit.tenant.slug, &value));
    let mut response = run(parts, Body::from(encoded(&rest)), visit, next).await;
    // What signs out as well has the last word.
    if let Some(set) = set.filter(|_| !response.headers().contains_key(SET_COOKIE)) {
        response.headers_mut().insert(SET_COOKIE, set);
    }
    Ok(response)
}

fn form(visit: &Visit, carried: Vec<(String, String)>) -> Form {
    let email = visit.user().map(|user| user.user().email.as_str().to_owned()).unwrap_or_default();
    let password = visit.input(CONFIRMATION, "password", "current-password").focused();
    Form { carried, ..Form::new(visit, visit.path(), "confirm-button").field(password).account(&email) }
}

/// The providers through which the visitor signs in: whoever has no password does so anew, and opens the page again.
async fn ways(visit: &Visit) -> Result<Vec<Link>, AuthError> {
    let tenant = visit.tenant.id;
    let links = visit.gate.identities().list(tenant, visit.me()?.user().id).await?;
    let providers = visit.gate.federation().providers(tenant).await?;
    let linked = providers.iter().filter(|each| links.iter().any(|link| link.provider == each.name));
    let next = visit.at(page_of(visit.path()));
    let anew = |link: Link| Link { href: format!("{}&fresh=true", link.href), ..link };
    Ok(linked.map(|provider| anew(through(visit, provider, &next))).collect())
}

fn question(visit: &Visit, form: Form, ways: Vec<Link>) -> Single {
    let lead = vec![visit.words.get("confirm-lead")];
    let mut links = vec![visit.link("link-cancel", "/account")];
    // Also for whoever came through another provider, and has none.
    if visit.gate.recovery().can_mail() {
        links.push(visit.link("link-forgot", "/forgot-password"));
    }
    Single { p: Frame::new(visit, "confirm-title"), lead, form: Some(form), ways, links }
}
