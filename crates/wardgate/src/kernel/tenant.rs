//! The tenant of one request.

use std::sync::Arc;

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

impl CurrentTenant {
    /// Whether it is the one that answers at the root.
    pub fn is_default(&self) -> bool {
        self.id == TenantId::DEFAULT
    }
}
