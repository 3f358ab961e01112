//! What goes by mail: asking for a link, and the pages that links open.
//!
//! Opening a page uses no link up (S-126): programs that scan mail open every one.

use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::form::{Form, Kind, Sent};
use super::frame::{Frame, Single};
use super::visit::Visit;
use super::{sent, shown};
use crate::features::links::Purpose;
use crate::features::recovery::http::{Address, Reset, Token, confirms_for};
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::web::fields::FromFields;
use crate::web::routes::{Access, Route};

/// Under which name the browser keeps the token while somebody signs in.
const KEPT: &str = "wardgate-address";

fn address_form(visit: &Visit, path: &str, button: &str) -> Form {
    Form::new(visit, path, button).field(visit.input("email", "email", "username").focused())
}

/// The form of a page that a link opens; `link.js` fills the token in.
fn token_form(visit: &Visit, path: &str, button: &str) -> Form {
    let token = visit.labelled("token", "label-token", Kind::Input("text"), "one-time-code");
    Form::new(visit, path, button).field(token.hint(visit.words.get("hint-token")))
}

fn token_page(visit: &Visit, form: Form, title: &str, lead: &str) -> Single {
    let p = Frame { is_linked: true, ..Frame::new(visit, title) };
    let links = vec![visit.link("link-sign-in", "/sign-in")];
    Single { p, lead: vec![visit.words.get(lead)], form: Some(form), ways: Vec::new(), links }
}

/// Reads a form with a token, which somebody without script pasted as the whole link.
pub(super) fn read_pasted<T: FromFields>(form_sent: &Sent) -> Result<T, AuthError> {
    form_sent.with("token", |typed| match typed.split_once("#token=") {
        Some((_, token)) => token.trim().to_owned(),
        None => typed.trim().to_owned(),
    })
}

async fn check_mail(visit: Visit) -> Response {
    let lead = match visit.asked("sent") {
        Some("registration") => "lead-mail-registration",
        Some("link") => "lead-mail-link",
        Some("reset") => "lead-mail-reset",
        _ => "lead-mail",
    };
    let mut links = vec![visit.link("link-sign-in", "/sign-in")];
    if visit.gate.shows_mails() {
        links.push(super::frame::Link { text: visit.words.get("link-inbox"), href: "/dev/inbox".to_owned() });
    }
    let lead = vec![visit.words.get(lead), visit.words.get("lead-mail-nothing")];
    let p = Frame::new(&visit, "mail-title");
    visit.show(&Single { p, lead, form: None, ways: Vec::new(), links })
}

fn forgot_form(visit: &Visit) -> Form {
    address_form(visit, "/forgot-password", "forgot-button")
}

fn forgot_page(visit: &Visit, form: Form) -> Single {
    let links = vec![visit.link("link-sign-in", "/sign-in")];
    let lead = vec![visit.words.get("forgot-lead")];
    Single { p: Frame::new(visit, "forgot-title"), lead, form: Some(form), ways: Vec::new(), links }
}

async fn ask_forgot(visit: Visit) -> Response {
    visit.show(&forgot_page(&visit, forgot_form(&visit)))
}

async fn forgot(visit: Visit, form_sent: Sent) -> Result<Response, AuthError> {
    let asked = async {
        let email = form_sent.read::<Address>()?.email()?;
        visit.gate.recovery().forgot_password(&visit.tenant, &email, &visit.source).await
    };
    match asked.await {
        Ok(()) => Ok(visit.to("/check-mail?sent=reset")),
        Err(error) => visit.again(error, forgot_form(&visit).typed(&form_sent), forgot_page),
    }
}

fn reset_form(visit: &Visit) -> Form {
    token_form(visit, "/reset-password", "reset-button").field(visit.new_password("new_password"))
}

fn reset_page(visit: &Visit, form: Form) -> Single {
    token_page(visit, form, "reset-title", "reset-lead")
}

async fn ask_reset(visit: Visit) -> Response {
    visit.show(&reset_page(&visit, reset_form(&visit)))
}

async fn reset(visit: Visit, form_sent: Sent) -> Result<Response, AuthError> {
    let done = async {
        let Reset { token, new_password } = read_pasted(&form_sent)?;
        visit.gate.recovery().reset_password(&visit.tenant, &token, &new_password, &visit.source).await
    };
    match done.await {
        Ok(()) => Ok(visit.to("/sign-in?done=password_set")),
        Err(error) => visit.again(error, reset_form(&visit).typed(&form_sent), reset_page),
    }
}

fn verify_form(visit: &Visit) -> Form {
    token_form(visit, "/verify-email", "verify-button")
}

fn verify_page(visit: &Visit, form: Form) -> Single {
    let page = token_page(visit, form, "verify-title", "verify-lead");
    Single { p: Frame { keep: (!visit.is_faulty()).then_some(KEPT), ..page.p }, ..page }
}

/// For whoever has to sign in first, and comes back with the link.
fn verify_later(visit: &Visit, form: Form) -> Single {
    let next = utf8_percent_encode(&visit.at("/verify-email"), NON_ALPHANUMERIC).to_string();
    let page = token_page(visit, form, "verify-title", "verify-first");
    let ways = vec![visit.link("link-sign-in", &format!("/sign-in?next={next}"))];
    Single { p: Frame { keep: Some(KEPT), ..page.p }, ways, links: Vec::new(), ..page }
}

async fn ask_verify(visit: Visit) -> Response {
    visit.show(&verify_page(&visit, verify_form(&visit)))
}

async fn verify(visit: Visit, form_sent: Sent) -> Result<Response, AuthError> {
    let done = async {
        let Token(token) = read_pasted(&form_sent)?;
        let by = visit.user().and_then(|user| confirms_for(user));
        visit.gate.recovery().verify_email(&visit.tenant, &token, by, &visit.source).await
    };
    match done.await {
        Ok(()) if visit.user().is_some() => Ok(visit.to("/account?done=address_confirmed")),
        Ok(()) => Ok(visit.to("/sign-in?done=address_confirmed")),
        Err(error @ AuthError::MissingCredential) => {
            visit.again(error, verify_form(&visit).typed(&form_sent), verify_later)
        }
        Err(error) => visit.again(error, verify_form(&visit).typed(&form_sent), verify_page),
    }
}

fn link_form(visit: &Visit) -> Form {
    address_form(visit, "/magic-link", "magic-link-button")
}

fn link_page(visit: &Visit, form: Form) -> Single {
    let links = vec![visit.link("link-password", &visit.with_next("/sign-in"))];
    let lead = vec![visit.words.get("magic-link-lead")];
    Single { p: Frame::new(visit, "magic-link-title"), lead, form: Some(form), ways: Vec::new(), links }
}

async fn ask_for_link(visit: Visit) -> Response {
    visit.show(&link_page(&visit, link_form(&visit)))
}

/// The browser gets a cookie, without which the link is worth nothing (S-115).
async fn send_link(visit: Visit, form_sent: Sent) -> Result<Response, AuthError> {
    let asked = async {
        let email = form_sent.read::<Address>()?.email()?;
        visit.gate.recovery().magic_link(&visit.tenant, &email, &visit.source).await
    };
    match asked.await {
        Ok(browser) => {
            let set = visit.gate.link_cookie().set(&visit.tenant.slug, &browser, Purpose::MagicLink.life());
            Ok(visit.with_cookie(visit.to("/check-mail?sent=link"), set))
        }
        Err(error) => visit.again(error, link_form(&visit).typed(&form_sent), link_page),
    }
}

fn open_form(visit: &Visit) -> Form {
    token_form(visit, "/magic-link/open", "open-link-button")
}

fn open_page(visit: &Visit, form: Form) -> Single {
    token_page(visit, form, "open-link-title", "open-link-lead")
}

async fn ask_to_open(visit: Visit) -> Response {
    visit.show(&open_page(&visit, open_form(&visit)))
}

async fn open_link(visit: Visit, form_sent: Sent) -> Result<Response, AuthError> {
    let (cookies, slug) = (visit.gate.link_cookie(), &visit.tenant.slug);
    let done = async {
        let Token(token) = read_pasted(&form_sent)?;
        let (browser, held) =
            (visit.cookie(&cookies.name(slug)), visit.cookie(&visit.gate.cookie().name(slug)));
        let signin = visit.gate.signin();
        signin.browser_with_magic_link(&visit.tenant, &token, browser, held, &visit.source).await
    };
    match done.await {
        Ok(cookie) => Ok(visit.with_cookie(visit.signed_in(&cookie), cookies.clear(slug))),
        Err(error) => visit.again(error, open_form(&visit).typed(&form_sent), open_page),
    }
}

/// Where mails lead. The browser takes the fragment with the token along (RFC 9110 §10.2.2).
async fn from_mail_to_verify(visit: Visit) -> Response {
    visit.to("/verify-email")
}

async fn from_mail_to_reset(visit: Visit) -> Response {
    visit.to("/reset-password")
}

async fn from_mail_to_link(visit: Visit) -> Response {
    visit.to("/magic-link/open")
}

pub(super) fn pages() -> Vec<Route<Wardgate>> {
    vec![
        shown("/check-mail", Access::Public, check_mail),
        shown("/forgot-password", Access::Public, ask_forgot),
        sent("/forgot-password", Access::Public, forgot),
        shown("/reset-password", Access::Public, ask_reset),
        sent("/reset-password", Access::Public, reset),
        shown("/verify-email", Access::Public, ask_verify),
        sent("/verify-email", Access::Public, verify),
        shown("/magic-link", Access::Public, ask_for_link),
        sent("/magic-link", Access::Public, send_link),
        shown("/magic-link/open", Access::Public, ask_to_open),
        sent("/magic-link/open", Access::Public, open_link),
        shown("/auth/email/verify", Access::Public, from_mail_to_verify),
        shown("/auth/password/reset", Access::Public, from_mail_to_reset),
        shown("/auth/magic-link/redeem", Access::Public, from_mail_to_link),
    ]
}
