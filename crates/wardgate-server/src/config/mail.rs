//! `[mail]`: how mail is sent, and where its links lead.

use serde::Deserialize;

use super::Mode;
use super::address::{self, Origin};
use super::check::Checker;
use super::limit::Limit;
use super::registration::Registration;
use super::secret::{self, Secret};

pub(crate) const LIMITS: &[(&str, Limit)] = &[("mail.tls", Limit::OneOf(&["starttls", "implicit", "none"]))];

const PASSWORD: &str = "mail.password";

/// Masked where somebody wrote a user and a password into it.
pub(crate) const SMTP: &str = "mail.smtp";
const FROM: &str = "mail.from";
const TLS: &str = "mail.tls";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMail {
    smtp: Option<String>,
    from: Option<String>,
    tls: String,
    user: Option<String>,
    password: Option<Secret<String>>,
    link_base: Option<String>,
    verify_url: Option<String>,
    reset_url: Option<String>,
    magic_link_url: Option<String>,
    invitation_url: Option<String>,
    organization_url: Option<String>,
}

/// The checked section.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// How mail is sent; `None` if it is not.
    pub(crate) smtp: Option<Smtp>,
    pub(crate) link_base: Option<String>,
    pub(crate) verify_url: Option<String>,
    pub(crate) reset_url: Option<String>,
    pub(crate) magic_link_url: Option<String>,
    pub(crate) invitation_url: Option<String>,
    pub(crate) organization_url: Option<String>,
}

/// A mail server.
#[derive(Clone, Debug)]
pub(crate) struct Smtp {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Tls,
    pub(crate) from: String,
    pub(crate) credentials: Option<(String, Secret<String>)>,
}

/// How the connection to it is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// By `STARTTLS`.
    Upgraded,
    /// From the first byte.
    Implicit,
    None,
}

pub(super) fn check(checker: &mut Checker<'_>) -> Option<Mail> {
    let raw: RawMail = checker.section("mail");
    let tls = checker.word(TLS, &raw.tls, |word| match word {
        "starttls" => Some(Tls::Upgraded),
        "implicit" => Some(Tls::Implicit),
        "none" => Some(Tls::None),
        _ => None,
    });
    let smtp = match &raw.smtp {
        Some(url) => Some(smtp(checker, url, tls?, &raw)?),
        None => {
            if raw.from.is_some() {
                checker.missing(SMTP, "is needed to send mail");
            }
            None
        }
    };
    Some(Mail {
        smtp,
        link_base: page(checker, "mail.link_base", raw.link_base, true)?,
        verify_url: page(checker, "mail.verify_url", raw.verify_url, false)?,
        reset_url: page(checker, "mail.reset_url", raw.reset_url, false)?,
        magic_link_url: page(checker, "mail.magic_link_url", raw.magic_link_url, false)?,
        invitation_url: page(checker, "mail.invitation_url", raw.invitation_url, false)?,
        organization_url: page(checker, "mail.organization_url", raw.organization_url, false)?,
    })
}

/// Registering by mail needs somebody to send it; a development server has its inbox.
pub(super) fn check_registration(
    checker: &mut Checker<'_>,
    registration: Option<Registration>,
    mail: Option<&Mail>,
) {
    let needs_mail = matches!(registration, Some(Registration::Verified | Registration::Invite));
    if needs_mail && checker.mode == Mode::Production && mail.is_some_and(|mail| mail.smtp.is_none()) {
        checker.missing(SMTP, "is needed: registration.mode asks for mail");
    }
}

fn smtp(checker: &mut Checker<'_>, url: &str, tls: Tls, raw: &RawMail) -> Option<Smtp> {
    let server = match parse(url, tls) {
        Ok(server) => Some(server),
        Err(problem) => {
            checker.fault(SMTP, problem, "\"smtp://mail.example.com:587\"");
            None
        }
    };
    if tls == Tls::None && server.is_some_and(|(host, _)| !is_loopback(host)) {
        let problem = "would send links that open accounts through the network for all to read";
        checker.fault(TLS, problem, "\"starttls\" or \"implicit\"; \"none\" is for a relay on this machine");
    }
    if raw.from.is_none() {
        checker.missing(FROM, "is needed: mails come from it");
    }
    let from = raw.from.clone().filter(|from| {
        let is_one = is_mailbox(from);
        if !is_one {
            let remedy = "\"no-reply@example.com\", or \"Example <no-reply@example.com>\"";
            checker.fault(FROM, "is no address", remedy);
        }
        is_one
    });
    let credentials = match (&raw.user, &raw.password) {
        (Some(user), Some(password)) => Some((user.clone(), password.clone())),
        (None, None) => None,
        (Some(_), None) => {
            checker.missing(PASSWORD, "is needed beside mail.user");
            None
        }
        (None, Some(_)) => {
            checker.missing("mail.user", "is needed beside mail.password");
            None
        }
    };
    if let Some((_, password)) = &credentials {
        if checker.mode == Mode::Production && secret::is_example(password.expose().as_bytes()) {
            checker.fault(PASSWORD, "is from an example", "the password that the mail server knows");
        }
        checker.private(PASSWORD);
    }
    let (host, port) = server?;
    Some(Smtp { host: host.to_owned(), port, tls, from: from?, credentials })
}

/// Host and port of a mail server's address.
fn parse(url: &str, tls: Tls) -> Result<(&str, u16), &'static str> {
    let rest = url.strip_prefix("smtp://").ok_or("does not begin with smtp://")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err("has something behind the address");
    }
    if rest.contains('@') {
        return Err("has a user in it, whose places are mail.user and mail.password");
    }
    let usual = match tls {
        Tls::Implicit => 465,
        Tls::Upgraded => 587,
        Tls::None => 25,
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            let port = port.parse().ok().filter(|port| *port > 0);
            (host, port.ok_or("has no port from 1 to 65535 behind the host")?)
        }
        _ => (rest, usual),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() { Err("names no host") } else { Ok((host, port)) }
}

fn is_loopback(host: &str) -> bool {
    Origin { https: true, host }.is_loopback() && !host.ends_with(".localhost")
}

/// What the mail library would take, roughly: it says so itself at the start.
fn is_mailbox(text: &str) -> bool {
    let address = match text.trim_end().strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((_, address)) => address,
        None => text,
    };
    let plain =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "<>,;\"".contains(c));
    !text.contains(['\r', '\n'])
        && address
            .split_once('@')
            .is_some_and(|(local, domain)| plain(local) && plain(domain) && !domain.contains('@'))
}

/// An address that links lead to: a base without a slash at its end, or a page.
fn page(
    checker: &mut Checker<'_>,
    path: &str,
    text: Option<String>,
    is_base: bool,
) -> Option<Option<String>> {
    let Some(text) = text else { return Some(None) };
    let parsed = address::parse(&text).and_then(|(origin, rest)| {
        if rest.contains('#') {
            return Err("has a fragment, whose place is the token's");
        }
        if rest.contains(|c: char| !c.is_ascii_graphic() || "\"<>\\".contains(c)) {
            return Err("has characters that no address has");
        }
        if is_base {
            address::check_issuer_path(rest)?;
        }
        match checker.mode {
            Mode::Production if !origin.https => Err("is plain HTTP, over which anybody could read the page"),
            _ => Ok(()),
        }
    });
    match parsed {
        Ok(()) => Some(Some(text)),
        Err(problem) => {
            let example =
                if is_base { "\"https://app.example.com\"" } else { "\"https://app.example.com/page\"" };
            checker.fault(path, problem, example);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_is_a_host_and_a_port() {
        for (url, tls, server) in [
            ("smtp://mail.example.com", Tls::Upgraded, ("mail.example.com", 587)),
            ("smtp://mail.example.com/", Tls::Implicit, ("mail.example.com", 465)),
            ("smtp://127.0.0.1:2525", Tls::None, ("127.0.0.1", 2525)),
            ("smtp://[::1]:2525", Tls::None, ("::1", 2525)),
            ("smtp://[::1]", Tls::None, ("::1", 25)),
        ] {
            assert_eq!(parse(url, tls), Ok(server), "{url}");
        }
        for wrong in [
            "mail.example.com",
            "smtps://m",
            "smtp://",
            "smtp://m:0",
            "smtp://m:x",
            "smtp://u:p@m",
            "smtp://m/x",
        ] {
            assert!(parse(wrong, Tls::Upgraded).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_sender_is_one_address_with_or_without_a_name() {
        for good in ["a@example.com", "Example <a@example.com>", "Ada, Inc. <a@example.com>"] {
            assert!(is_mailbox(good), "{good}");
        }
        for wrong in ["", "a", "@b", "a@", "a@b@c", "a b@c.d", "a@b, c@d", "X <a>", "X <a@b>\r\nBcc: c@d"] {
            assert!(!is_mailbox(wrong), "{wrong}");
        }
    }
}
