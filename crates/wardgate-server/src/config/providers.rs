//! `[providers.<name>]`: other providers through which users of the tenant `default` sign in.

use serde::Deserialize;
use wardgate::{ClientSecret, Preset, ProviderSettings};

use super::Mode;
use super::check::Checker;
use super::limit::Limit;
use super::secret::{self, Secret};
use super::server::Server;

pub(crate) const LIMITS: &[(&str, Limit)] = &[(
    "providers.name.preset",
    Limit::OneOf(&["oidc", "google", "microsoft", "github", "gitlab", "apple", "discord", "keycloak"]),
)];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProvider {
    preset: String,
    label: Option<String>,
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret<String>>,
    team_id: Option<String>,
    key_id: Option<String>,
    scopes: Vec<String>,
    links_verified_email: bool,
}

/// `server` says which hosts may be called.
pub(super) fn check(checker: &mut Checker<'_>, server: Option<&Server>) -> Option<Vec<ProviderSettings>> {
    // Each is checked before the first that is missing, so that a fault in one hides none in another.
    let all: Vec<_> =
        checker.providers().into_iter().map(|section| provider(checker, section, server)).collect();
    all.into_iter().collect()
}

fn provider(checker: &mut Checker<'_>, section: &str, server: Option<&Server>) -> Option<ProviderSettings> {
    let raw: RawProvider = checker.section(section);
    let path = |name: &str| format!("{section}.{name}");
    let preset = checker.word(&path("preset"), &raw.preset, |word| word.parse::<Preset>().ok());
    let Some(client_id) = raw.client_id else {
        checker.missing(&path("client_id"), "is needed: the provider knows this server by it");
        return None;
    };
    let secret = raw.client_secret.as_ref().map(Secret::expose);
    if checker.mode == Mode::Production && secret.is_some_and(|text| secret::is_example(text.as_bytes())) {
        checker.fault(&path("client_secret"), "is a placeholder", "the secret that the provider gave");
    }
    checker.private(&path("client_secret"));
    let name = section.split_once('.').map_or(section, |(_, name)| name);
    let given = ProviderSettings::new(name, preset?, client_id);
    let settings = ProviderSettings {
        label: raw.label.unwrap_or(given.label),
        issuer: raw.issuer,
        client_secret: secret.map(|text| ClientSecret::new(text.as_str())),
        team_id: raw.team_id,
        key_id: raw.key_id,
        scopes: raw.scopes,
        links_verified_email: raw.links_verified_email,
        ..given
    };
    let faults = settings.check();
    for fault in &faults {
        checker.fault(&path(&fault.field), fault.detail.clone(), remedy(&fault.field));
    }
    // Where that list has a fault nobody knows what it allows.
    let (allowed, issuer) = (&server?.internal_hosts, settings.issuer.as_deref());
    if let (true, Some(issuer)) = (faults.is_empty(), issuer)
        && !checker.may_call(
            &path("issuer"),
            issuer,
            allowed,
            "a web address, such as \"https://id.example.com\"",
        )
    {
        return None;
    }
    faults.is_empty().then_some(settings)
}

fn remedy(field: &str) -> &'static str {
    match field {
        "label" => "what the button is to say, such as \"Example Inc.\"",
        "issuer" => "the issuer as its discovery document has it, such as \"https://id.example.com\"",
        "client_id" => "what the provider calls this server",
        "client_secret" => {
            "the secret that the provider gave, or the path of a file with it in client_secret_file"
        }
        "team_id" | "key_id" => "what Apple shows beside team and key, with preset = \"apple\" only",
        _ => "words such as \"openid\" and \"email\", or [] for what the preset asks for",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_the_librarys() {
        let words = Preset::ALL.map(Preset::as_str);
        assert!(matches!(LIMITS, [(_, Limit::OneOf(known))] if *known == words));
    }
}
