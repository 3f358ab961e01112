//! `[pages]`: the pages for people, and how those of the tenant `default` look.

use serde::Deserialize;
use wardgate::{Branding, Rgb};

use super::Mode;
use super::address;
use super::check::Checker;
use super::mail::Mail;

const LOGO_URL: &str = "pages.logo_url";
const ACCENT_COLOR: &str = "pages.accent_color";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPages {
    enabled: bool,
    name: Option<String>,
    logo_url: Option<String>,
    accent_color: Option<String>,
}

/// The checked section.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    pub(crate) enabled: bool,
    pub(crate) branding: Branding,
}

pub(super) fn check(checker: &mut Checker<'_>) -> Option<Pages> {
    let raw: RawPages = checker.section("pages");
    let logo_url = match raw.logo_url {
        None => Some(None),
        Some(url) => logo(checker, url).map(Some),
    };
    let accent = match raw.accent_color.map(|text| text.parse::<Rgb>()) {
        None => Some(None),
        Some(Ok(color)) => Some(Some(color)),
        Some(Err(wrong)) => {
            checker.fault(ACCENT_COLOR, wrong.to_string(), "\"#1d4fc4\"");
            None
        }
    };
    let branding = Branding { name: raw.name.unwrap_or_default(), logo_url: logo_url?, accent: accent? };
    Some(Pages { enabled: raw.enabled, branding })
}

fn logo(checker: &mut Checker<'_>, url: String) -> Option<String> {
    let problem = match address::parse(&url) {
        Ok((origin, _)) if !origin.https => "is plain HTTP, which browsers block on a page with HTTPS",
        Ok((_, rest)) if rest.contains(|c: char| !c.is_ascii_graphic() || "\"'<>\\".contains(c)) => {
            "has characters that no address has"
        }
        Ok(_) => return Some(url),
        Err(problem) => problem,
    };
    checker.fault(LOGO_URL, problem, "\"https://www.example.com/logo.svg\"");
    None
}

/// Without pages the links in mails need others to lead to.
pub(super) fn check_mail(checker: &mut Checker<'_>, pages: Option<&Pages>, mail: Option<&Mail>) {
    let (Some(pages), Some(mail)) = (pages, mail) else { return };
    let mails = mail.smtp.is_some() || checker.mode == Mode::Dev;
    if pages.enabled || mail.link_base.is_some() || !mails || checker.mode == Mode::Tool {
        return;
    }
    let urls = [
        ("mail.verify_url", &mail.verify_url),
        ("mail.reset_url", &mail.reset_url),
        ("mail.magic_link_url", &mail.magic_link_url),
        ("mail.invitation_url", &mail.invitation_url),
        ("mail.organization_url", &mail.organization_url),
    ];
    for (path, _) in urls.into_iter().filter(|(_, url)| url.is_none()) {
        checker.missing(path, "is needed: pages.enabled is false, so the link leads nowhere");
    }
}
