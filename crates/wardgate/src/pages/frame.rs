//! What is around every page, and the templates.

use askama::Template;

use super::files::{LINK, ONCE, STYLE, accent_name};
use super::form::Form;
use super::visit::Visit;
use super::words::Words;

/// What is around every page.
pub(super) struct Frame {
    pub(super) words: &'static Words,
    /// What the paths of links begin with.
    pub(super) base: String,
    pub(super) brand: String,
    pub(super) logo: Option<String>,
    pub(super) accent: Option<String>,
    pub(super) title: String,
    /// What was done just now.
    pub(super) notice: Option<String>,
    pub(super) is_faulty: bool,
    /// Where the account's pages are, for whoever is signed in.
    pub(super) section: &'static str,
    /// Whether the page takes a token out of its address.
    pub(super) is_linked: bool,
    /// Where the script keeps the token while its owner signs in.
    pub(super) keep: Option<&'static str>,
}

impl Frame {
    pub(super) fn new(visit: &Visit, title: &str) -> Self {
        let branding = &visit.tenant.branding;
        Self {
            words: visit.words,
            base: visit.tenant.base.to_string(),
            brand: branding.name.clone(),
            logo: visit.logo().map(|_| branding.logo_url.clone().unwrap_or_default()),
            accent: branding.accent.map(accent_name),
            title: visit.words.get(title),
            notice: visit.notice(),
            is_faulty: visit.is_faulty(),
            section: "",
            is_linked: false,
            keep: None,
        }
    }

    pub(super) fn t(&self, key: &str) -> String {
        self.words.get(key)
    }

    pub(super) fn language(&self) -> &'static str {
        self.words.language.tag()
    }

    pub(super) fn style(&self) -> &'static str {
        &STYLE.name
    }

    pub(super) fn once(&self) -> &'static str {
        &ONCE.name
    }

    pub(super) fn link(&self) -> &'static str {
        &LINK.name
    }

    /// `page` while one of the account's pages is shown, for the link to it.
    pub(super) fn is_at(&self, section: &str) -> bool {
        self.section == section
    }
}

/// A link with its text.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) text: String,
    pub(super) href: String,
}

/// A page of its own: words, perhaps a form, and where else to go.
#[derive(Template)]
#[template(path = "pages/single.html")]
pub(super) struct Single {
    pub(super) p: Frame,
    pub(super) lead: Vec<String>,
    pub(super) form: Option<Form>,
    /// Other ways to do the same, as buttons.
    pub(super) ways: Vec<Link>,
    pub(super) links: Vec<Link>,
}

/// A page of the account that is one form.
#[derive(Template)]
#[template(path = "pages/account_form.html")]
pub(super) struct AccountForm {
    pub(super) p: Frame,
    pub(super) lead: Vec<String>,
    pub(super) form: Form,
}
