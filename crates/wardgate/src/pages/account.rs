//! `/account`: the profile, the password, and leaving.

use askama::Template;
use axum::response::Response;

use super::form::{Field, Form, Kind, Sent};
use super::frame::{AccountForm, Frame};
use super::visit::Visit;
use super::{sent, shown};
use crate::features::audit::Actor;
use crate::features::password::http::PasswordChange;
use crate::features::principals::http::ProfileChange;
use crate::features::recovery::http::Address;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::web::fields::{Fields, FromFields};
use crate::web::routes::{Access, Route};

/// The page of the profile.
#[derive(Template)]
#[template(path = "pages/profile.html")]
struct Profile {
    p: Frame,
    email: String,
    is_proven: bool,
    since: String,
    can_mail: bool,
    name_form: Form,
    email_form: Option<Form>,
}

fn account_frame(visit: &Visit, title: &str, section: &'static str) -> Frame {
    Frame { section, ..Frame::new(visit, title) }
}

fn name_field(visit: &Visit, name: Option<&str>) -> Field {
    visit.input("name", "text", "name").optional().value(name.unwrap_or_default())
}

fn name_form(visit: &Visit) -> Form {
    let name = visit.user().and_then(|user| user.user().name.clone());
    Form::new(visit, "/account/name", "name-button").field(name_field(visit, name.as_deref()))
}

fn email_form(visit: &Visit) -> Form {
    let new = visit.labelled("email", "label-new_email", Kind::Input("email"), "email");
    Form::new(visit, "/account/email", "email-button").field(new.hint(visit.words.get("hint-new_email")))
}

fn profile(visit: &Visit, name_form: Form, email_form: Form) -> Profile {
    let user = visit.user().map(|current| current.user().clone());
    let can_mail = visit.gate.recovery().can_mail();
    Profile {
        p: account_frame(visit, "account-title", "profile"),
        email: user.as_ref().map(|user| user.email.as_str().to_owned()).unwrap_or_default(),
        is_proven: user.as_ref().is_some_and(|user| user.email_verified_at.is_some()),
        since: user.map(|user| visit.words.time(user.created_at)).unwrap_or_default(),
        can_mail,
        name_form,
        email_form: can_mail.then_some(email_form),
    }
}

async fn show_profile(visit: Visit) -> Response {
    visit.show(&profile(&visit, name_form(&visit), email_form(&visit)))
}

async fn rename(visit: Visit, form_sent: Sent) -> Result<Response, AuthError> {
    let done = async {
        let ProfileChange { name } = form_sent.read()?;
        let (tenant, id) = (visit.tenant.id, visit.me()?.user().id);
        visit.gate.users().rename(tenant, id, name.flatten(), Actor::User(id), &visit.source).await
    };
    match done.await {
        Ok(_) => Ok(visit.to("/account?done=name_saved")),
        Err(error) => visit.again(error, name_form(&visit).typed(&form_sent), |visit, form| {
            profile(visit, form, email_form(visit))
        }),
    }
}

async fn change_email(visit: Visit, form_sent: Sent) -> Result<Response, AuthError> {
    let done = async {
        let email = form_sent.read::<Address>()?.email()?;
        visit.gate.recovery().change_email(&visit.tenant, visit.me()?.user(), &email, &visit.source).await
    };
    match done.await {
        Ok(()) => Ok(visit.to("/account?done=address_mailed")),
        Err(error) => visit.again(error, email_form(&visit).typed(&form_sent), |visit, form| {
            profile(visit, name_form(visit), form)
        }),
    }
}

async fn resend(visit: Visit) -> Result<Response, AuthError> {
    let email = visit.me()?.user().email.clone();
    visit.gate.recovery().resend_verification(&visit.tenant, &email, &visit.source).await?;
    Ok(visit.to("/account?done=link_mailed"))
}

fn password_form(visit: &Visit) -> Form {
    let email = visit.user().map(|user| user.user().email.as_str().to_owned()).unwrap_or_default();
    Form::new(visit, "/account/password", "password-button")
        .field(visit.input("current_password", "password", "current-password"))
        .field(visit.new_password("new_password"))
        .account(&email)
}

fn password_page(visit: &Visit, form: Form) -> AccountForm {
    let lead = vec![visit.words.get("password-lead")];
    AccountForm { p: account_frame(visit, "password-title", "password"), lead, form }
}

async fn show_password(visit: Visit) -> Response {
    visit.show(&password_page(&visit, password_form(&visit)))
}

async fn change_password(visit: Visit, form_sent: Sent) -> Result<Response, AuthError> {
    let done = async {
        let PasswordChange { current_password, new_password } = form_sent.read()?;
        let me = visit.me()?;
        let (principal, user) = (me.principal(), me.user());
        let passwords = visit.gate.passwords();
        passwords
            .change(&visit.tenant, principal, user, &current_password, &new_password, &visit.source)
            .await
    };
    match done.await {
        Ok(()) => Ok(visit.to("/account/password?done=password_changed")),
        Err(error) => visit.again(error, password_form(&visit), password_page),
    }
}

/// The own address once more: nobody leaves by one click too many.
struct Leaving {
    typed: String,
}

impl FromFields for Leaving {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { typed: fields.text("email") }
    }
}

fn delete_form(visit: &Visit) -> Form {
    let address = visit.labelled("email", "label-delete", Kind::Input("email"), "off");
    Form::new(visit, "/account/delete", "delete-button").field(address).danger()
}

fn delete_page(visit: &Visit, form: Form) -> AccountForm {
    let lead = vec![visit.words.get("delete-lead"), visit.words.get("delete-export")];
    AccountForm { p: account_frame(visit, "delete-title", "delete"), lead, form }
}

async fn show_delete(visit: Visit) -> Response {
    visit.show(&delete_page(&visit, delete_form(&visit)))
}

async fn delete(visit: Visit, form_sent: Sent) -> Result<Response, AuthError> {
    let done = async {
        let (Leaving { typed }, me) = (form_sent.read()?, visit.me()?);
        let is_own = typed.parse().is_ok_and(|typed: crate::kernel::email::Email| {
            typed.normalized() == me.user().email.normalized()
        });
        if !is_own {
            return Err(AuthError::field("email", "not_own", "is not the address of this account"));
        }
        let (id, caller) = (me.user().id, me.caller(visit.source.clone()));
        visit.gate.lifecycle().delete(visit.tenant.id, id, &caller).await
    };
    match done.await {
        Ok(()) => {
            let gone = visit.to("/sign-in?done=deleted");
            Ok(visit.with_cookie(gone, visit.gate.cookie().clear(&visit.tenant.slug)))
        }
        Err(error) => visit.again(error, delete_form(&visit).typed(&form_sent), delete_page),
    }
}

pub(super) fn pages() -> Vec<Route<Wardgate>> {
    vec![
        shown("/account", Access::SignedIn, show_profile),
        sent("/account/name", Access::Permission("profile:write"), rename),
        sent("/account/email", Access::SteppedUp("email:write"), change_email),
        sent("/account/email/resend", Access::SignedIn, resend),
        shown("/account/password", Access::SignedIn, show_password),
        sent("/account/password", Access::Permission("password:write"), change_password),
        shown("/account/delete", Access::SignedIn, show_delete),
        sent("/account/delete", Access::SteppedUp("profile:write"), delete),
    ]
}
