//! `/sign-in`, `/register` and `/sign-out`.

use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::form::{Form, Sent};
use super::frame::{Frame, Link, Single};
use super::visit::Visit;
use super::{sent, shown};
use crate::features::federation::ProviderView;
use crate::features::password::Registered;
use crate::features::password::http::Registration;
use crate::features::signin::http::BrowserLogin;
use crate::features::users::NewUser;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::web::routes::{Access, Route};

fn form(visit: &Visit) -> Form {
    Form::new(visit, &visit.with_next("/sign-in"), "sign-in-button")
        .field(visit.input("email", "email", "username").focused())
        .field(visit.input("password", "password", "current-password"))
}

/// Other providers through which one may sign in, and go on to where one was about to.
async fn providers(visit: &Visit) -> Result<Vec<Link>, AuthError> {
    let next = visit.next().map_or_else(|| visit.at("/account"), str::to_owned);
    let all = visit.gate.federation().providers(visit.tenant.id).await?;
    Ok(all.iter().map(|provider| through(visit, provider, &next)).collect())
}

/// To a provider, and on to `next`.
pub(super) fn through(visit: &Visit, provider: &ProviderView, next: &str) -> Link {
    let next = utf8_percent_encode(next, NON_ALPHANUMERIC);
    Link {
        text: visit.words.with("link-provider", "provider", &provider.label),
        href: visit.at(&format!("/auth/login/{}?next={next}", provider.name)),
    }
}

fn page(visit: &Visit, form: Form, mut ways: Vec<Link>) -> Single {
    let mut links = Vec::new();
    let can_mail = visit.gate.recovery().can_mail();
    if can_mail {
        ways.push(visit.link("link-magic-link", &visit.with_next("/magic-link")));
        links.push(visit.link("link-forgot", "/forgot-password"));
    }
    if visit.gate.accounts().are_open(&visit.tenant) {
        links.push(visit.link("link-register", &visit.with_next("/register")));
    }
    let lead = vec![visit.words.with("sign-in-lead", "brand", &visit.tenant.branding.name)];
    Single { p: Frame::new(visit, "sign-in-title"), lead, form: Some(form), ways, links }
}

async fn ask(visit: Visit) -> Result<Response, AuthError> {
    if visit.user().is_some() {
        return Ok(visit.on());
    }
    let ways = providers(&visit).await?;
    Ok(visit.show(&page(&visit, form(&visit), ways)))
}

async fn sign_in(visit: Visit, form_sent: Sent) -> Result<Response, AuthError> {
    match proven(&visit, form_sent.read()).await {
        Ok(cookie) => Ok(visit.signed_in(&cookie)),
        Err(error) => {
            let ways = providers(&visit).await?;
            visit.again(error, form(&visit).typed(&form_sent), |visit, form| page(visit, form, ways))
        }
    }
}

async fn proven(visit: &Visit, login: Result<BrowserLogin, AuthError>) -> Result<String, AuthError> {
    let BrowserLogin { email, password } = login?;
    let held = visit.cookie(&visit.gate.cookie().name(&visit.tenant.slug));
    let (signin, tenant) = (visit.gate.signin(), &visit.tenant);
    let cookie = signin.browser_with_password(tenant, &email, &password, held, &visit.source).await?;
    Ok(cookie.as_str().to_owned())
}

fn registration_form(visit: &Visit) -> Form {
    Form::new(visit, &visit.with_next("/register"), "register-button")
        .field(visit.input("name", "text", "name").optional())
        .field(visit.input("email", "email", "username").focused())
        .field(visit.new_password("password"))
}

fn registration_page(visit: &Visit, form: Form) -> Single {
    let lead = vec![visit.words.with("register-lead", "brand", &visit.tenant.branding.name)];
    let links = vec![visit.link("link-have-account", &visit.with_next("/sign-in"))];
    Single { p: Frame::new(visit, "register-title"), lead, form: Some(form), ways: Vec::new(), links }
}

async fn ask_to_register(visit: Visit) -> Response {
    if visit.user().is_some() {
        return visit.on();
    }
    if visit.gate.accounts().are_open(&visit.tenant) {
        return visit.show(&registration_page(&visit, registration_form(&visit)));
    }
    let closed = Single {
        p: Frame::new(&visit, "register-title"),
        lead: vec![visit.words.error(&AuthError::RegistrationClosed)],
        form: None,
        ways: Vec::new(),
        links: vec![visit.link("link-have-account", &visit.with_next("/sign-in"))],
    };
    visit.show(&closed)
}

async fn register(visit: Visit, form_sent: Sent) -> Result<Response, AuthError> {
    match registered(&visit, &form_sent).await {
        Ok(response) => Ok(response),
        Err(error) => visit.again(error, registration_form(&visit).typed(&form_sent), registration_page),
    }
}

async fn registered(visit: &Visit, form_sent: &Sent) -> Result<Response, AuthError> {
    let Registration { email, password, name } = form_sent.read()?;
    let email = email.ok_or(AuthError::InvalidFields(Vec::new()))?;
    let typed = email.as_str().to_owned();
    let new = NewUser { email, name, email_verified: false };
    match visit.gate.accounts().register(&visit.tenant, new, &password, &visit.source).await? {
        Registered::Mailed => Ok(visit.to("/check-mail?sent=registration")),
        Registered::Account(_) => match proven(visit, Ok(BrowserLogin { email: typed, password })).await {
            Ok(cookie) => Ok(visit.signed_in(&cookie)),
            // The account is there all the same.
            Err(_) => Ok(visit.to("/sign-in?done=registered")),
        },
    }
}

async fn sign_out(visit: Visit) -> Result<Response, AuthError> {
    let (tenant, user) = (&visit.tenant, visit.me()?);
    let session = user.principal().session().ok_or(AuthError::InsufficientPermissions)?;
    visit.gate.sessions().end_own(tenant.id, user.user().id, session, &visit.source).await?;
    Ok(visit.with_cookie(visit.to("/sign-in?done=signed_out"), visit.gate.cookie().clear(&tenant.slug)))
}

pub(super) fn pages() -> Vec<Route<Wardgate>> {
    vec![
        shown("/sign-in", Access::Public, ask),
        sent("/sign-in", Access::Public, sign_in),
        shown("/register", Access::Public, ask_to_register),
        sent("/register", Access::Public, register),
        sent("/sign-out", Access::SignedIn, sign_out),
    ]
}
