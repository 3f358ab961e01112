//! One request for a page: for whom it is, and how it is answered.

use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::response::{Html, IntoResponse, Response};
use http::header::{CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, SET_COOKIE, X_FRAME_OPTIONS};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::form::{Field, Form, Kind};
use super::frame::{Frame, Link, Single};
use super::words::Words;
use crate::authn::{CurrentUser, cookie};
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::web::fields::form_pairs;
use crate::web::next::destination;

/// What a page says was done just now; other words in the address say nothing.
const DONE: &[&str] = &[
    "address_confirmed",
    "address_mailed",
    "deleted",
    "expired",
    "invitation_accepted",
    "key_revoked",
    "left",
    "link_mailed",
    "name_saved",
    "password_changed",
    "password_set",
    "provider_linked",
    "provider_unlinked",
    "registered",
    "session_ended",
    "signed_out",
    "switched",
];

/// One request for a page.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) gate: Wardgate,
    pub(super) tenant: CurrentTenant,
    pub(super) source: Source,
    pub(super) words: &'static Words,
    /// Whoever is signed in by the browser's cookie.
    user: Option<CurrentUser>,
    path: Arc<str>,
    query: Arc<[(String, String)]>,
    cookies: HeaderMap,
    /// Whether the page is the answer to something that was wrong.
    is_faulty: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AuthError> {
        let visit = parts.extensions.get::<Self>().cloned();
        visit.ok_or_else(|| AuthError::internal("open a page", "the guard is not around it"))
    }
}

impl Visit {
    /// A visit by nobody so far.
    pub(super) fn new(gate: &Wardgate, tenant: CurrentTenant, parts: &Parts) -> Self {
        let source = gate.source_of(parts);
        let mut cookies = HeaderMap::new();
        for value in parts.headers.get_all(http::header::COOKIE) {
            cookies.append(http::header::COOKIE, value.clone());
        }
        Self {
            words: Words::of(source.language),
            gate: gate.clone(),
            tenant,
            source,
            user: None,
            path: parts.uri.path().into(),
            query: form_pairs(parts.uri.query().unwrap_or_default().as_bytes()).into(),
            cookies,
            is_faulty: false,
        }
    }

    pub(super) fn by(mut self, user: CurrentUser) -> Self {
        self.user = Some(user);
        self
    }

    /// Whoever is signed in.
    pub(super) fn user(&self) -> Option<&CurrentUser> {
        self.user.as_ref()
    }

    /// Whoever is signed in, on a page that the guard lets nobody else to.
    pub(super) fn me(&self) -> Result<&CurrentUser, AuthError> {
        self.user.as_ref().ok_or(AuthError::MissingCredential)
    }

    /// The address of one of the pages, as a browser asks for it.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.tenant.base)
    }

    /// The path of this page, below the tenant's.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What the address says of `name`.
    pub(super) fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Where to go after signing in, if that is somewhere we would send anybody (S-054).
    pub(super) fn next(&self) -> Option<&str> {
        destination(self.asked("next")?, self.gate.page_origins())
    }

    /// The path with what this page was asked to go on to.
    pub(super) fn with_next(&self, path: &str) -> String {
        match self.next() {
            Some(next) => format!("{path}?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC)),
            None => path.to_owned(),
        }
    }

    /// What the page says was done just now.
    pub(super) fn notice(&self) -> Option<String> {
        let done = self.asked("done").filter(|done| DONE.contains(done) && !self.is_faulty)?;
        Some(self.words.get(&format!("done-{done}")))
    }

    pub(super) fn is_faulty(&self) -> bool {
        self.is_faulty
    }

    pub(super) fn min_chars(&self) -> usize {
        self.gate.passwords().min_chars(&self.tenant)
    }

    /// What a `Cookie` header holds of this name; of two nobody can say which is meant.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        cookie(&self.cookies, name).ok().flatten()
    }

    /// The source for the tenant's picture in a content security policy; `None` if there is no picture to show.
    pub(super) fn logo(&self) -> Option<String> {
        source_of_image(self.tenant.branding.logo_url.as_deref()?)
    }

    /// Goes on to one of the pages, which a reload does not send again.
    pub(super) fn to(&self, path: &str) -> Response {
        see_other(&self.at(path))
    }

    /// Goes on to where the browser was about to go, or to the account.
    pub(super) fn on(&self) -> Response {
        match self.next() {
            Some(next) => see_other(next),
            None => self.to("/account"),
        }
    }

    /// Goes on, with the session's new cookie.
    pub(super) fn signed_in(&self, cookie: &str) -> Response {
        self.with_cookie(self.on(), self.gate.cookie().set(&self.tenant.slug, cookie))
    }

    pub(super) fn with_cookie(&self, mut response: Response, cookie: HeaderValue) -> Response {
        response.headers_mut().append(SET_COOKIE, cookie);
        response
    }

    /// A field of this name with the label `label-…`.
    pub(super) fn input(&self, name: &'static str, kind: &'static str, autocomplete: &'static str) -> Field {
        self.labelled(name, &format!("label-{name}"), Kind::Input(kind), autocomplete)
    }

    pub(super) fn labelled(
        &self,
        name: &'static str,
        label: &str,
        kind: Kind,
        autocomplete: &'static str,
    ) -> Field {
        Field {
            name,
            label: self.words.get(label),
            kind,
            autocomplete,
            value: String::new(),
            hint: None,
            fault: None,
            required: true,
            focus: false,
        }
    }

    /// A field for a new password.
    pub(super) fn new_password(&self, name: &'static str) -> Field {
        let hint = self.words.count("hint-new_password", self.min_chars() as u64);
        self.input(name, "password", "new-password").hint(hint)
    }

    pub(super) fn link(&self, text: &str, path: &str) -> Link {
        Link { text: self.words.get(text), href: self.at(path) }
    }

    /// A template as an answer.
    pub(super) fn show(&self, template: &impl Template) -> Response {
        match template.render() {
            Ok(html) => self.protect(Html(html).into_response()),
            Err(error) => AuthError::internal("write a page", error).into_response(),
        }
    }

    /// A template as the answer to what was refused.
    pub(super) fn show_refused(&self, error: AuthError, template: &impl Template) -> Response {
        match template.render() {
            Ok(html) => self.protect(error.into_page(html)),
            Err(error) => AuthError::internal("write a page", error).into_response(),
        }
    }

    /// The page with its form again, and what is wrong with it.
    pub(super) fn again<T: Template>(
        &self,
        error: AuthError,
        mut form: Form,
        page: impl FnOnce(&Self, Form) -> T,
    ) -> Result<Response, AuthError> {
        if form.refuse(self, &error).is_err() {
            return Err(error);
        }
        let faulty = Self { is_faulty: true, ..self.clone() };
        Ok(self.show_refused(error, &page(&faulty, form)))
    }

    /// A refusal that is no matter of a form.
    pub(super) fn refuse(&self, error: AuthError) -> Response {
        self.refuse_with(
            error,
            vec![self.link("link-account", "/account"), self.link("link-sign-in", "/sign-in")],
        )
    }

    /// A refusal behind which there is nothing to go to.
    pub(super) fn turn_away(&self, error: AuthError) -> Response {
        self.refuse_with(error, Vec::new())
    }

    fn refuse_with(&self, error: AuthError, links: Vec<Link>) -> Response {
        let mut p = Frame::new(self, "refused-title");
        p.notice = None;
        let lead = vec![self.words.error(&error)];
        let page = Single { p, lead, form: None, ways: Vec::new(), links };
        self.show_refused(error, &page)
    }

    /// Scripts and styles are files of ours, the tenant's picture is the only thing from elsewhere, and nobody frames it.
    fn protect(&self, mut response: Response) -> Response {
        let image = self.logo().map(|source| format!("; img-src {source}")).unwrap_or_default();
        // A browser holds the redirect behind a form to this too, so a page to go on to has to be in it.
        let targets = self.gate.page_origins().iter().filter(|origin| is_plain_source(origin));
        let targets: String = targets.map(|origin| format!(" {origin}")).collect();
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'{image}; form-action 'self'{targets}; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        let headers = response.headers_mut();
        if let Ok(policy) = HeaderValue::try_from(policy) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        // Not `no-referrer`: under that a browser sends our own forms with `Origin: null`, as if from nowhere.
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        response
    }
}

/// A redirect that a browser follows by reading, whatever it did before (RFC 9110 §15.4.4).
pub(super) fn see_other(location: &str) -> Response {
    match HeaderValue::try_from(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        Err(error) => AuthError::internal("redirect", error).into_response(),
    }
}

/// What ends a source in a policy, or a policy, is not in one.
fn is_plain_source(source: &str) -> bool {
    source.bytes().all(|byte| byte.is_ascii_graphic() && !b";,'\"*".contains(&byte))
}

/// The one picture as a source of a content security policy: its address without the query, which a source has not.
fn source_of_image(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://")?;
    let path = url.split(['?', '#']).next()?;
    let host = rest.split(['/', '?', '#']).next()?;
    let is_host =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
    let source = path.replace(';', "%3B").replace(',', "%2C");
    (is_host && is_plain_source(&source)).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_can_add_nothing_to_the_policy() {
        for (url, source) in [
            ("https://cdn.example.com/logo.png", Some("https://cdn.example.com/logo.png")),
            ("https://cdn.example.com:8443/logo.svg?v=2", Some("https://cdn.example.com:8443/logo.svg")),
            ("https://cdn.example.com/a;script-src,b", Some("https://cdn.example.com/a%3Bscript-src%2Cb")),
            ("https://*/logo.png", None),
            ("https://a;b/logo.png", None),
            ("https://user@a/logo.png", None),
            ("https:///logo.png", None),
            ("http://cdn.example.com/logo.png", None),
            ("https://cdn.example.com/'self'", None),
        ] {
            assert_eq!(source_of_image(url).as_deref(), source, "{url}");
        }
    }
}
