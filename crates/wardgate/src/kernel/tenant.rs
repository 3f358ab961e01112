//! The tenant of one request.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::color::Rgb;
use super::ids::TenantId;

/// The tenant of one request: which one, and what it is called from outside.
#[derive(Debug, Clone)]
pub struct CurrentTenant {
    /// Its id.
    pub id: TenantId,
    /// Its name in tokens.
    pub slug: Arc<str>,
    /// The URL that its tokens name as their issuer, whichever way it was reached.
    pub issuer: Arc<str>,
    /// What the paths of its pages begin with, as a browser sees them: nothing, or such as `/t/acme`.
    pub base: Arc<str>,
    /// How its pages look.
    pub branding: Arc<Branding>,
    /// Whether strangers may register; `None` as the configuration says.
    pub(crate) registration_open: Option<bool>,
    /// Fewest characters of a new password, if more than the configuration asks for.
    pub(crate) min_password_length: usize,
    pub(crate) rate_limits: OwnLimits,
    /// Where links in its mails lead; for the tenant `default` the configuration says so.
    pub(crate) mail_urls: Arc<MailUrls>,
}

/// Pages of a tenant's own that its mails link to, each as the setting of its name in `[mail]`; what is `None` is the page
/// that Wardgate brings along, at the tenant's address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MailUrls {
    /// Sends the token to `POST /auth/email/verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_url: Option<String>,
    /// Asks for a password and sends both to `POST /auth/password/reset`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset_url: Option<String>,
    /// Sends the token to `POST /auth/magic-link/redeem`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub magic_link_url: Option<String>,
    /// As `reset_url`, for invitations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invitation_url: Option<String>,
    /// Sends the token to `POST /auth/invitations/accept`, as whoever is signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_url: Option<String>,
}

impl MailUrls {
    /// Those that are given, with their names.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("verify_url", &self.verify_url),
            ("reset_url", &self.reset_url),
            ("magic_link_url", &self.magic_link_url),
            ("invitation_url", &self.invitation_url),
            ("organization_url", &self.organization_url),
        ];
        all.into_iter().filter_map(|(name, url)| Some((name, url.as_deref()?)))
    }
}

/// As `verify_url=https://app.example.com/verify,…`.
impl fmt::Display for MailUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given().map(|(name, url)| format!("{name}={url}")).collect::<Vec<_>>().join(","))
    }
}

/// Limits of a tenant's own, as [`crate::RateLimits`] has them; what is `None` is as the configuration says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnLimits {
    /// Sign-ins to one account from one source, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in_account: Option<u32>,
    /// Sign-ins from one source, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in_source: Option<u32>,
    /// Sign-ins to one account from all sources together that it never signed in from, an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in_strangers: Option<u32>,
    /// Sign-ins from all sources together that their account never signed in from, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in_tenant: Option<u32>,
    /// Registrations from one source, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register: Option<u32>,
    /// Refreshes from one source, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh: Option<u32>,
}

/// How a tenant's pages look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Branding {
    /// What people know it by.
    pub name: String,
    /// Its picture, an `https` URL.
    pub logo_url: Option<String>,
    /// The colour of buttons and links. It is made darker or lighter where it could not be read.
    pub accent: Option<Rgb>,
}

/// As `sign_in_source=60,refresh=100`.
impl fmt::Display for OwnLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            ("sign_in_account", self.sign_in_account),
            ("sign_in_source", self.sign_in_source),
            ("sign_in_strangers", self.sign_in_strangers),
            ("sign_in_tenant", self.sign_in_tenant),
            ("register", self.register),
            ("refresh", self.refresh),
        ];
        let own =
            all.into_iter().filter_map(|(name, number)| number.map(|number| format!("{name}={number}")));
        f.write_str(&own.collect::<Vec<_>>().join(","))
    }
}

impl CurrentTenant {
    /// Whether it is the one that answers at the root.
    pub fn is_default(&self) -> bool {
        self.id == TenantId::DEFAULT
    }
}
