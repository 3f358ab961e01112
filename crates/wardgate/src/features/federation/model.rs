//! Which providers there may be, and what a sign-in through one means for the accounts here.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};
use wardgate_verify::id_token::LEEWAY_SECONDS;

use crate::kernel::error::FieldFault;
use crate::kernel::ids::{SessionId, UserId};
use crate::kernel::time::Timestamp;

/// What kind of provider one is, and what is known of it beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Any OpenID provider, by its issuer.
    Oidc,
    /// Google.
    Google,
    /// One directory of Microsoft Entra ID, by its issuer.
    Microsoft,
    /// GitHub, or a GitHub Enterprise Server by its address. It knows OAuth, no OpenID Connect.
    GitHub,
    /// gitlab.com, or a GitLab of one's own by its address.
    GitLab,
    /// Apple.
    Apple,
    /// Discord.
    Discord,
    /// One realm of a Keycloak, by its issuer.
    Keycloak,
}

/// How a provider is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// OpenID Connect, with discovery.
    Oidc,
    /// OAuth, and GitHub's own addresses for user and e-mails.
    GitHub,
    /// OAuth, and Discord's own address for the user.
    Discord,
}

impl Preset {
    /// Every one there is.
    pub const ALL: [Self; 8] = [
        Self::Oidc,
        Self::Google,
        Self::Microsoft,
        Self::GitHub,
        Self::GitLab,
        Self::Apple,
        Self::Discord,
        Self::Keycloak,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::Google => "google",
            Self::Microsoft => "microsoft",
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Apple => "apple",
            Self::Discord => "discord",
            Self::Keycloak => "keycloak",
        }
    }

    /// What people call it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Oidc => "OpenID Connect",
            Self::Google => "Google",
            Self::Microsoft => "Microsoft",
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Apple => "Apple",
            Self::Discord => "Discord",
            Self::Keycloak => "Keycloak",
        }
    }

    /// Where it is, if it is at one place only, or at one unless somebody says otherwise.
    pub(crate) fn issuer(self) -> Option<&'static str> {
        match self {
            Self::Google => Some("https://accounts.google.com"),
            Self::GitHub => Some("https://github.com"),
            Self::GitLab => Some("https://gitlab.com"),
            Self::Apple => Some("https://appleid.apple.com"),
            Self::Discord => Some("https://discord.com"),
            Self::Oidc | Self::Microsoft | Self::Keycloak => None,
        }
    }

    /// What is asked for unless somebody says otherwise: who it is, and the address.
    pub fn scopes(self) -> &'static str {
        match self {
            Self::Oidc | Self::Google | Self::Microsoft | Self::GitLab | Self::Keycloak => {
                "openid email profile"
            }
            Self::Apple => "openid email name",
            Self::GitHub => "read:user user:email",
            Self::Discord => "identify email",
        }
    }

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::GitHub => Protocol::GitHub,
            Self::Discord => Protocol::Discord,
            _ => Protocol::Oidc,
        }
    }

    /// Whether it says when somebody proved who they are, once it is asked for a fresh proof: `max_age` obliges OpenID
    /// providers to (OpenID Connect Core section 2). Google and Apple do not know the parameter, the two others no ID
    /// token.
    #[cfg(feature = "federation")]
    pub(crate) fn tells_when(self) -> bool {
        match self {
            Self::Oidc | Self::Microsoft | Self::GitLab | Self::Keycloak => true,
            Self::Google | Self::Apple | Self::GitHub | Self::Discord => false,
        }
    }

    /// What makes it ask for a password again, or show a page on which somebody has to do something where it knows no
    /// such word. Apple always shows one.
    #[cfg(feature = "federation")]
    pub(crate) fn prompt(self) -> Option<&'static str> {
        match self {
            Self::Oidc | Self::Microsoft | Self::GitLab | Self::Keycloak => Some("login"),
            Self::Google | Self::GitHub => Some("select_account"),
            Self::Discord => Some("consent"),
            Self::Apple => None,
        }
    }

    /// Whether a client without a secret can be registered there.
    fn takes_public_clients(self) -> bool {
        matches!(self, Self::Oidc | Self::Keycloak | Self::GitLab)
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No preset has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown preset {0:?}")]
pub struct UnknownPreset(pub String);

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(text: &str) -> Result<Self, UnknownPreset> {
        let found = Self::ALL.into_iter().find(|preset| preset.as_str() == text);
        found.ok_or_else(|| UnknownPreset(text.to_owned()))
    }
}

impl Serialize for Preset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A provider, as somebody sets it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// Its name in paths, `[a-z0-9-]{1,32}`.
    pub name: String,
    /// What people see.
    pub label: String,
    /// What kind it is.
    pub preset: Preset,
    /// Its issuer, or its address where the preset has another: exactly as its discovery document names it.
    pub issuer: Option<String>,
    /// What the client that was registered there is called.
    pub client_id: String,
    /// That client's secret; for Apple the private key, the text of the `.p8` file.
    pub client_secret: Option<ClientSecret>,
    /// Apple only: the developer team.
    pub team_id: Option<String>,
    /// Apple only: what Apple calls the key.
    pub key_id: Option<String>,
    /// What is asked for; empty is what the preset asks for.
    pub scopes: Vec<String>,
    /// Whether this provider's word counts that an address is somebody's: who comes for the first time then gets the
    /// account with their address, if Wardgate has seen that as well, and a new account has a proven address. Whoever
    /// runs the provider can then sign in as every such user, the administrators excepted.
    pub links_verified_email: bool,
}

impl ProviderSettings {
    /// A provider of this preset, with what the preset brings along.
    pub fn new(name: impl Into<String>, preset: Preset, client_id: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            label: preset.label().to_owned(),
            preset,
            issuer: None,
            client_id: client_id.into(),
            client_secret: None,
            team_id: None,
            key_id: None,
            scopes: Vec::new(),
            links_verified_email: false,
        }
    }

    /// With the client's secret.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.client_secret = Some(ClientSecret::new(secret));
        self
    }

    /// At this issuer.
    #[must_use]
    pub fn at(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Its issuer; empty where none was given and none is known, which [`check`](Self::check) refuses.
    pub(crate) fn issuer(&self) -> &str {
        self.issuer.as_deref().or(self.preset.issuer()).unwrap_or_default()
    }

    /// What is asked for, as it stands in the request.
    pub fn scope(&self) -> String {
        if self.scopes.is_empty() { self.preset.scopes().to_owned() } else { self.scopes.join(" ") }
    }

    /// All that is wrong with it, by field.
    pub fn check(&self) -> Vec<FieldFault> {
        let mut faults = Vec::new();
        let mut fault = |found: bool, field: &'static str, code: &'static str, detail: &str| {
            if found {
                faults.push(FieldFault::new(field, code, detail));
            }
        };
        fault(!is_name(&self.name), "name", "invalid_name", "must have 1 to 32 of a-z, 0-9 and hyphen");
        fault(
            !is_label(&self.label),
            "label",
            "invalid_label",
            "must have 1 to 60 characters, none of them a control character",
        );
        match &self.issuer {
            None if self.preset.issuer().is_none() => {
                fault(true, "issuer", "missing_field", "is needed for this preset");
            }
            Some(issuer) if !is_issuer(issuer) => {
                let detail = "must be a URL without query and fragment, such as https://id.example.com";
                fault(true, "issuer", "invalid_url", detail);
            }
            Some(issuer) if self.preset == Preset::Microsoft && is_many_directories(issuer) => {
                let detail = "must name one directory: https://login.microsoftonline.com/<directory id>/v2.0";
                fault(true, "issuer", "several_directories", detail);
            }
            _ => {}
        }
        fault(
            !is_word(&self.client_id, 255),
            "client_id",
            "invalid_client_id",
            "must be what the provider gave",
        );
        let secret = self.client_secret.as_ref().map(ClientSecret::expose);
        fault(
            secret.is_none() && !self.preset.takes_public_clients(),
            "client_secret",
            "missing_field",
            "is needed for this preset",
        );
        fault(
            secret.is_some_and(|secret| !(1..=4096).contains(&secret.len())),
            "client_secret",
            "invalid_secret",
            "must be what the provider gave",
        );
        let for_apple = self.preset == Preset::Apple;
        for (field, value) in [("team_id", &self.team_id), ("key_id", &self.key_id)] {
            let fits = match value {
                Some(value) => for_apple && is_word(value, 64),
                None => !for_apple,
            };
            fault(!fits, field, "invalid_id", "is needed for the preset apple, and for no other");
        }
        let scopes_fit = self.scopes.len() <= 20 && self.scopes.iter().all(|scope| is_scope(scope));
        fault(!scopes_fit, "scopes", "invalid_scope", "must be at most 20 words without spaces and quotes");
        let asks_for_id = self.scopes.is_empty() || self.scopes.iter().any(|scope| scope == "openid");
        fault(
            self.preset.protocol() == Protocol::Oidc && !asks_for_id,
            "scopes",
            "missing_openid",
            "must have openid among them",
        );
        faults
    }
}

/// The secret by which a provider knows its client; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(zeroize::Zeroizing<String>);

impl ClientSecret {
    /// Takes the secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(zeroize::Zeroizing::new(secret.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}

/// Whether a provider can have this name.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-')
}

fn is_label(label: &str) -> bool {
    let length = label.chars().count();
    !label.trim().is_empty() && length <= 60 && !label.contains(char::is_control)
}

fn is_word(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// RFC 6749 section 3.3.
fn is_scope(text: &str) -> bool {
    is_word(text, 100) && !text.contains(['"', '\\'])
}

/// An issuer has neither query nor fragment (RFC 8414 section 2). Whether it is to be reached is seen by whoever sends.
fn is_issuer(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\?#@".contains(&byte);
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && text.len() <= 500
        && text.bytes().all(plain)
}

/// Under these names Microsoft answers for every directory there is, with an issuer that is a template: any of their
/// administrators could say who somebody is.
fn is_many_directories(issuer: &str) -> bool {
    issuer.split('/').any(|part| ["common", "organizations", "consumers"].contains(&part))
}

/// A provider as sign-in pages show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderView {
    /// Its name in paths.
    pub name: String,
    /// What people see.
    pub label: String,
}

/// A provider that administrators set up.
#[derive(Debug, Clone)]
pub struct StoredProvider {
    /// What they set; the secret stays sealed, and is `None`.
    pub settings: ProviderSettings,
    /// Whether a secret is there.
    pub has_secret: bool,
    /// Since when nobody can sign in through it.
    pub disabled_at: Option<Timestamp>,
    /// When it was set up.
    pub created_at: Timestamp,
}

/// A sign-in that was sent to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flow {
    /// Where the browser goes afterwards, with a session; `None` for tokens.
    pub(crate) next: Option<String>,
    /// Who linked the provider to their account, in which session; `None` for a sign-in.
    pub(crate) linking: Option<(UserId, SessionId)>,
    /// Whether it is to count as fresh, for what asks for that.
    pub(crate) fresh: bool,
}

/// How long ago somebody may have proven to a provider who they are, where a fresh proof is wanted. It counts here from
/// that moment on, so what is left of its time must be enough to do something.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(5 * 60);

/// What a sign-in through a provider says about when its user proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// At that moment.
    Proven(Timestamp),
    /// Nobody knows when: the provider may have answered out of an old session. They are signed in, and nothing more.
    Unknown,
    /// Not as lately as it was asked for.
    Stale,
}

/// Decides since when a sign-in counts as proven (OpenID Connect Core section 3.1.3.7, item 13; S-123). `fresh` is
/// whether that was asked for, `tells` whether the provider can tell, `told` what it told.
///
/// A provider that cannot tell is taken at its page: it was asked to make its user do something there. Whoever holds a
/// copied token or cookie of ours has no session of theirs, and users with no other way in are not kept from what asks
/// for a fresh proof. Without being asked it may have sent the browser back unseen, which proves nothing.
pub(crate) fn freshness(fresh: bool, tells: bool, told: Option<Timestamp>, now: Timestamp) -> Freshness {
    let oldest = now.minus(MAX_AGE).minus(Duration::from_secs(LEEWAY_SECONDS.unsigned_abs()));
    match told {
        Some(at) if fresh && at < oldest => Freshness::Stale,
        // Its clock may be a little ahead of ours, which must make nothing last longer.
        Some(at) => Freshness::Proven(at.min(now)),
        None if !fresh => Freshness::Unknown,
        None if tells => Freshness::Stale,
        None => Freshness::Proven(now),
    }
}

/// What is known when somebody comes for whom there is no link yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Newcomer {
    /// Whether the provider named an address that can be one.
    pub(crate) has_email: bool,
    /// Whether a provider that is trusted with addresses has seen that it is theirs. Another's word proves nothing:
    /// whoever set it up, or may write any address there, would own the addresses of others.
    pub(crate) email_verified: bool,
    /// Whether an account has this address, and is it proven.
    pub(crate) owner: Option<Owner>,
    /// Whether strangers may make accounts.
    pub(crate) is_open: bool,
    /// Whether nobody signs in whose address is not proven.
    pub(crate) verified_only: bool,
}

/// Of an account that has the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Whether its owner has proven the address here.
    pub(crate) email_verified: bool,
    /// Whether it stands over the tenant: whoever sets up a provider may be less than that, and must not become it.
    pub(crate) rules: bool,
}

/// Whether a link opens its account. One by an address alone does not where the account stands over the tenant: whoever
/// runs the provider may be less than that, and must not come to it by having been there before (S-068, S-105).
pub(crate) fn opens(by_address: bool, rules: bool) -> bool {
    !(by_address && rules)
}

/// What becomes of a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// They get an account.
    Create,
    /// They get the account of their address.
    Link,
    /// They get the account of their address; whoever made it had not proven that it is theirs, and keeps nothing of
    /// it (S-128).
    TakeOver,
    /// Nothing is known that would make them somebody here.
    Refuse,
    /// Nobody may make an account.
    Closed,
}

/// Decides about somebody for whom there is no link (S-068). An address that is not proven to be theirs never leads to an account that is there, and where registering tells nobody who has one, neither does this.
pub(crate) fn decide(who: Newcomer) -> Decision {
    let owner = who.owner.filter(|_| who.email_verified && who.has_email);
    match owner {
        Some(owner) if !owner.rules => {
            if owner.email_verified {
                Decision::Link
            } else {
                Decision::TakeOver
            }
        }
        Some(_) => Decision::Refuse,
        None if !who.is_open => Decision::Closed,
        None if !who.has_email || (who.verified_only && !who.email_verified) => Decision::Refuse,
        None if who.owner.is_some() => Decision::Refuse,
        None => Decision::Create,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_is_as_fresh_as_its_provider_says() {
        // S-123
        let now = Timestamp::from_millis(1_800_000_000_000);
        let ago = |seconds| Some(now.minus(Duration::from_secs(seconds)));
        let proven = |at: Option<Timestamp>| Freshness::Proven(at.unwrap());
        for tells in [true, false] {
            for (fresh, told, expected) in [
                (false, None, Freshness::Unknown),
                (false, ago(0), proven(ago(0))),
                (false, ago(30 * 24 * 60 * 60), proven(ago(30 * 24 * 60 * 60))),
                (false, Some(now.plus(Duration::from_secs(60))), proven(ago(0))),
                (true, ago(360), proven(ago(360))),
                (true, ago(361), Freshness::Stale),
                (true, Some(now.plus(Duration::from_secs(60))), proven(ago(0))),
                (true, None, if tells { Freshness::Stale } else { proven(ago(0)) }),
            ] {
                assert_eq!(freshness(fresh, tells, told, now), expected, "{fresh} {tells} {told:?}");
            }
        }
    }

    #[test]
    fn who_gets_which_account() {
        // S-068, S-128
        let bits = [false, true];
        let owners = [
            None,
            Some(Owner { email_verified: false, rules: false }),
            Some(Owner { email_verified: true, rules: false }),
            Some(Owner { email_verified: true, rules: true }),
            Some(Owner { email_verified: false, rules: true }),
        ];
        let mut seen = 0;
        for has_email in bits {
            for email_verified in bits {
                for owner in owners {
                    for is_open in bits {
                        for verified_only in bits {
                            let who = Newcomer { has_email, email_verified, owner, is_open, verified_only };
                            let decision = decide(who);
                            let proven = has_email && email_verified;
                            let reaches = matches!(decision, Decision::Link | Decision::TakeOver);
                            let may = proven && owner.is_some_and(|owner| !owner.rules);
                            assert_eq!(reaches, may, "{who:?}");
                            let takes = owner.is_some_and(|owner| !owner.email_verified);
                            assert_eq!(decision == Decision::TakeOver, reaches && takes, "{who:?}");
                            let makes = owner.is_none() && is_open && has_email;
                            let makes = makes && (email_verified || !verified_only);
                            assert_eq!(decision == Decision::Create, makes, "{who:?}");
                            // Where nobody may register, or only by mail, an address that is not theirs tells
                            // nothing about accounts.
                            if !proven && (!is_open || verified_only) {
                                let nobody = Newcomer { owner: None, ..who };
                                assert_eq!(decision, decide(nobody), "{who:?}");
                            }
                            seen += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(seen, 80);
    }

    fn faults(settings: &ProviderSettings) -> Vec<String> {
        settings.check().into_iter().map(|fault| fault.field.into_owned()).collect()
    }

    #[test]
    fn every_preset_is_complete_with_what_its_provider_gives() {
        for preset in Preset::ALL {
            assert_eq!(preset.as_str().parse(), Ok(preset));
            let mut settings = ProviderSettings::new("one", preset, "client").secret("secret");
            if preset.issuer().is_none() {
                assert_eq!(faults(&settings), ["issuer"], "{preset}");
                settings = settings.at("https://id.example.com/realms/one");
            }
            if preset == Preset::Apple {
                assert_eq!(faults(&settings), ["team_id", "key_id"]);
                (settings.team_id, settings.key_id) = (Some("TEAM".to_owned()), Some("KEY".to_owned()));
            }
            assert!(faults(&settings).is_empty(), "{preset}: {:?}", settings.check());
        }
        assert!("Google".parse::<Preset>().is_err());
    }

    #[test]
    fn what_no_provider_can_be_is_refused() {
        let good = || ProviderSettings::new("one", Preset::Oidc, "client").at("https://id.example.com");
        assert!(faults(&good()).is_empty());
        for issuer in [
            "",
            "id.example.com",
            "https://",
            "https:///x",
            "ftp://id.example.com",
            "https://id.example.com?x",
            "https://id.example.com#x",
            "https://user@id.example.com",
            "https://id.example.com/\\x",
            "https://id.example.com/ x",
        ] {
            assert_eq!(faults(&good().at(issuer)), ["issuer"], "{issuer:?}");
        }
        for name in ["", "One", "a_b", "-a", "a/b", "é", &"a".repeat(33)] {
            assert_eq!(faults(&ProviderSettings { name: name.to_owned(), ..good() }), ["name"], "{name:?}");
        }
        for label in ["", "  ", "a\nb", &"a".repeat(61)] {
            assert_eq!(
                faults(&ProviderSettings { label: label.to_owned(), ..good() }),
                ["label"],
                "{label:?}"
            );
        }
        let scopes = |scopes: &[&str]| ProviderSettings {
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            ..good()
        };
        for wrong in [&["openid", "a b"][..], &["openid", "\""], &["email"], &["openid", ""]] {
            assert_eq!(faults(&scopes(wrong)), ["scopes"], "{wrong:?}");
        }
        let public = ProviderSettings::new("one", Preset::Google, "client");
        assert_eq!(faults(&public), ["client_secret"]);
        for many in ["common", "organizations", "consumers"] {
            let issuer = format!("https://login.microsoftonline.com/{many}/v2.0");
            let settings = ProviderSettings::new("ms", Preset::Microsoft, "c").secret("s").at(issuer);
            assert_eq!(faults(&settings), ["issuer"]);
        }
        assert_eq!(faults(&ProviderSettings { team_id: Some("T".to_owned()), ..good() }), ["team_id"]);
        assert!(!format!("{:?}", good().secret("hunter22")).contains("hunter22"));
    }
}
