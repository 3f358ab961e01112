//! What a mailed link is for, and how long it is good.

use std::time::Duration;

use crate::kernel::email::Email;
use crate::kernel::ids::UserId;
use crate::kernel::tenant::MailUrls;

const MINUTE: Duration = Duration::from_secs(60);

/// What a mailed link is for. One for another purpose is worth nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Proving the address of an account.
    VerifyEmail,
    /// Proving the address that an account is to have.
    ChangeEmail,
    /// Setting another password.
    ResetPassword,
    /// Signing in.
    MagicLink,
    /// Setting the first password of an account that an administrator made.
    Invitation,
}

impl Purpose {
    /// The word for it in the table.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ChangeEmail => "change_email",
            Self::ResetPassword => "reset_password",
            Self::MagicLink => "magic_link",
            Self::Invitation => "invitation",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        let all =
            [Self::VerifyEmail, Self::ChangeEmail, Self::ResetPassword, Self::MagicLink, Self::Invitation];
        all.into_iter().find(|purpose| purpose.as_str() == word)
    }

    /// How long a link is good (S-126). An invitation waits for somebody who did not ask for it.
    pub(crate) fn life(self) -> Duration {
        match self {
            Self::MagicLink => 15 * MINUTE,
            Self::Invitation => 72 * 60 * MINUTE,
            Self::VerifyEmail | Self::ChangeEmail | Self::ResetPassword => 60 * MINUTE,
        }
    }

    /// Whether a link of it dies with the password that the account had when it was made. Proving an address gives no
    /// access, so it need not.
    pub(super) fn dies_with_password(self) -> bool {
        self != Self::VerifyEmail
    }
}

/// Where the links in mails lead; the token follows as `#token=…`, a fragment, which no access log has.
///
/// For the tenant `default`; another has [`MailUrls`] of its own. What is `None`
/// leads to the page that Wardgate brings along, below `base`. Never taken from a request (S-125).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkUrls {
    /// What the built-in pages lie below; the issuer if it is not set.
    pub base: Option<String>,
    /// The page that sends the token to `POST /auth/email/verify`.
    pub verify: Option<String>,
    /// The page that asks for a password and sends both to `POST /auth/password/reset`.
    pub reset: Option<String>,
    /// The page that sends the token to `POST /auth/magic-link/redeem`.
    pub magic_link: Option<String>,
    /// As `reset`, for invitations.
    pub invitation: Option<String>,
    /// The page that sends the token to `POST /auth/invitations/accept`, as whoever is signed in.
    pub organization: Option<String>,
}

/// Of a tenant other than `default`.
impl From<&MailUrls> for LinkUrls {
    fn from(own: &MailUrls) -> Self {
        let MailUrls { verify_url, reset_url, magic_link_url, invitation_url, organization_url } =
            own.clone();
        Self {
            base: None,
            verify: verify_url,
            reset: reset_url,
            magic_link: magic_link_url,
            invitation: invitation_url,
            organization: organization_url,
        }
    }
}

impl LinkUrls {
    /// The link with its token.
    pub(super) fn link(&self, purpose: Purpose, issuer: &str, token: &str) -> String {
        let (own, path) = match purpose {
            Purpose::VerifyEmail | Purpose::ChangeEmail => (&self.verify, "/auth/email/verify"),
            Purpose::ResetPassword => (&self.reset, "/auth/password/reset"),
            Purpose::MagicLink => (&self.magic_link, "/auth/magic-link/redeem"),
            Purpose::Invitation => (&self.invitation, "/auth/password/reset"),
        };
        self.page(own.as_deref(), issuer, path, token)
    }

    /// The link that accepts an invitation to an organization.
    pub(super) fn organization_link(&self, issuer: &str, token: &str) -> String {
        self.page(self.organization.as_deref(), issuer, "/auth/invitations/accept", token)
    }

    fn page(&self, own: Option<&str>, issuer: &str, path: &str, token: &str) -> String {
        match own {
            Some(url) => format!("{url}#token={token}"),
            None => {
                let base = self.base.as_deref().unwrap_or(issuer).trim_end_matches('/');
                format!("{base}{path}#token={token}")
            }
        }
    }

    /// What readers know the service by: the host that the links lead to.
    pub(crate) fn service(&self, issuer: &str) -> String {
        let url = self.base.as_deref().unwrap_or(issuer);
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned()
    }

    /// What is not said of them: without built-in pages, here or below `base`, a link leads nowhere.
    pub(crate) fn missing(&self) -> Vec<String> {
        let urls = [
            ("verify", &self.verify),
            ("reset", &self.reset),
            ("magic_link", &self.magic_link),
            ("invitation", &self.invitation),
            ("organization", &self.organization),
        ];
        let missing = urls.into_iter().filter(|(_, url)| url.is_none() && self.base.is_none());
        missing
            .map(|(name, _)| {
                format!("link_urls.{name}: mails need a page to lead to; give one, or switch the pages on")
            })
            .collect()
    }

    /// What is wrong with them.
    pub(crate) fn faults(&self) -> Vec<String> {
        let urls = [
            ("base", &self.base),
            ("verify", &self.verify),
            ("reset", &self.reset),
            ("magic_link", &self.magic_link),
            ("invitation", &self.invitation),
            ("organization", &self.organization),
        ];
        let wrong = urls.into_iter().filter(|(_, url)| url.as_deref().is_some_and(|url| !is_page(url)));
        wrong
            .map(|(name, _)| format!("link_urls.{name}: must be an http or https URL without a fragment"))
            .collect()
    }
}

fn is_page(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '#' | '"' | '<' | '>' | '\\');
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(is_plain))
}

/// Whether a page can be given a mailed token: nobody reads along on the way to it.
pub(crate) fn is_safe_page(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    // Whoever reads `https://app.example.com@evil.example` sees another host than the one that is asked.
    let is_host = !authority.is_empty() && !authority.contains('@');
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let is_loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_page(url) && is_host && (scheme == "https" || is_loopback)
}

/// A link as the table has it; who presents its token has read the mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) purpose: Purpose,
    pub(super) slot: wardgate_crypto::Digest,
    pub(crate) user: UserId,
    pub(super) password_version: i64,
    /// The digest of what the one browser that may use it holds.
    pub(crate) browser: Option<wardgate_crypto::Digest>,
    /// The address that is proven, where it is not the account's.
    pub(crate) new_email: Option<Email>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_where_they_are_told_and_carry_the_token_in_the_fragment() {
        // S-125
        let issuer = "https://auth.example.com/base/";
        let own = LinkUrls::default();
        assert_eq!(
            own.link(Purpose::VerifyEmail, issuer, "t"),
            "https://auth.example.com/base/auth/email/verify#token=t"
        );
        assert_eq!(
            own.organization_link(issuer, "t"),
            "https://auth.example.com/base/auth/invitations/accept#token=t"
        );
        assert_eq!(own.service(issuer), "auth.example.com");
        let urls = LinkUrls {
            base: Some("https://app.example.com".to_owned()),
            reset: Some("https://app.example.com/reset?lang=de".to_owned()),
            ..LinkUrls::default()
        };
        assert_eq!(
            urls.link(Purpose::ResetPassword, issuer, "t"),
            "https://app.example.com/reset?lang=de#token=t"
        );
        assert_eq!(
            urls.link(Purpose::Invitation, issuer, "t"),
            "https://app.example.com/auth/password/reset#token=t"
        );
        assert_eq!(urls.service(issuer), "app.example.com");
    }

    #[test]
    fn a_token_goes_nowhere_where_somebody_reads_along() {
        for good in [
            "https://app.example.com/verify",
            "https://app.example.com:8443/verify?lang=de",
            "http://localhost:3000/verify",
            "http://127.0.0.1/verify",
            "http://[::1]:3000/verify",
        ] {
            assert!(is_safe_page(good), "{good}");
        }
        for wrong in [
            "",
            "app.example.com",
            "http://app.example.com/verify",
            "http://localhost.example.com/verify",
            "http://127.0.0.1.example.com/verify",
            "http://localhost@example.com/verify",
            "https://app.example.com@evil.example/verify",
            "https://app.example.com/verify#x",
            "https:///verify",
            "https://",
            "https://app.example.com/a b",
            "javascript:alert(1)",
            "ftp://localhost/",
        ] {
            assert!(!is_safe_page(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for wrong in
            ["", "app.example.com", "ftp://x", "javascript:alert(1)", "https://", "https:///x", "https://x#y"]
        {
            let urls = LinkUrls { verify: Some(wrong.to_owned()), ..LinkUrls::default() };
            assert_eq!(urls.faults().len(), 1, "{wrong}");
        }
        let urls = LinkUrls { verify: Some("http://localhost:3000/x?y=z".to_owned()), ..LinkUrls::default() };
        assert!(urls.faults().is_empty());
    }
}
