//! The cookies: the session's, and those that bind something to the browser that asked for it.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderValue;

use crate::kernel::ids::TenantId;

/// How the session's cookie is called and marked (S-048).
#[derive(Debug, Clone)]
pub(crate) struct SessionCookie {
    secure: bool,
    /// How long a browser keeps it; the server decides how long it opens anything.
    max_age: Duration,
}

impl SessionCookie {
    /// Without HTTPS, as in development, no browser would keep a cookie of the `__Host-` kind.
    pub(crate) fn new(secure: bool, max_age: Duration) -> Self {
        Self { secure, max_age }
    }

    /// `__Host-` binds it to this host and to HTTPS: no other host or insecure page can plant one.
    ///
    /// Tenants by path share an origin, and so their cookies: each has a name of its own.
    pub(crate) fn name(&self, slug: &str) -> Cow<'static, str> {
        of_tenant(if self.secure { "__Host-wardgate_session" } else { "wardgate_session" }, slug)
    }

    /// A `Set-Cookie` that gives it.
    pub(crate) fn set(&self, slug: &str, value: &str) -> HeaderValue {
        self.header(slug, value, self.max_age)
    }

    /// A `Set-Cookie` that takes it away.
    pub(crate) fn clear(&self, slug: &str) -> HeaderValue {
        self.header(slug, "", Duration::ZERO)
    }

    fn header(&self, slug: &str, value: &str, max_age: Duration) -> HeaderValue {
        header(&self.name(slug), value, max_age, self.secure)
    }
}

/// What binds something to the browser that asked for it, while that is under way.
#[derive(Debug, Clone)]
pub(crate) struct BindingCookie {
    name: &'static str,
    secure: bool,
}

impl BindingCookie {
    /// For a magic link. `secure` as for [`SessionCookie::new`].
    pub(crate) fn magic_link(secure: bool) -> Self {
        Self { name: if secure { "__Host-wardgate_magic_link" } else { "wardgate_magic_link" }, secure }
    }

    /// For a sign-in through another provider.
    ///
    /// `SameSite=Lax` like the rest, although some providers send the browser back with a form: what is posted is sent
    /// on to the same address as a query, and to that the browser goes with its cookie.
    pub(crate) fn upstream(secure: bool) -> Self {
        Self { name: if secure { "__Host-wardgate_upstream" } else { "wardgate_upstream" }, secure }
    }

    /// As [`SessionCookie::name`].
    pub(crate) fn name(&self, slug: &str) -> Cow<'static, str> {
        of_tenant(self.name, slug)
    }

    /// A `Set-Cookie` that gives it for as long as it is under way.
    pub(crate) fn set(&self, slug: &str, value: &str, max_age: Duration) -> HeaderValue {
        header(&self.name(slug), value, max_age, self.secure)
    }

    /// A `Set-Cookie` that takes it away.
    pub(crate) fn clear(&self, slug: &str) -> HeaderValue {
        header(&self.name(slug), "", Duration::ZERO, self.secure)
    }
}

fn of_tenant(name: &'static str, slug: &str) -> Cow<'static, str> {
    if slug == TenantId::DEFAULT_SLUG { name.into() } else { format!("{name}_{slug}").into() }
}

fn header(name: &str, value: &str, max_age: Duration, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let seconds = max_age.as_secs();
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}{secure}; HttpOnly; SameSite=Lax");
    let mut header = HeaderValue::try_from(text).expect("a token's text and our own words are visible ASCII");
    header.set_sensitive(true);
    header
}
