//! What the pages say, in each language: one file a language, all with the same keys.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};

use crate::kernel::error::{AuthError, FieldFault};
use crate::kernel::language::Language;
use crate::kernel::time::Timestamp;

/// The words of one language.
pub(super) struct Words {
    pub(super) language: Language,
    bundle: FluentBundle<FluentResource>,
}

static ENGLISH: LazyLock<Words> =
    LazyLock::new(|| Words::new(Language::English, include_str!("words/en.ftl")));
static GERMAN: LazyLock<Words> = LazyLock::new(|| Words::new(Language::German, include_str!("words/de.ftl")));

impl Words {
    /// The words of `language`.
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::German => &GERMAN,
        }
    }

    fn new(language: Language, text: &str) -> Self {
        let tag = language.tag().parse().expect("our tags are language tags");
        let mut bundle = FluentBundle::new_concurrent(vec![tag]);
        // Templates put a name into an element of its own, which keeps its direction to itself.
        bundle.set_use_isolating(false);
        // A test reads both files without a fault; a word that could not be read is missing, and its key is shown.
        let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(partly, _)| partly);
        bundle.add_resource_overriding(resource);
        Self { language, bundle }
    }

    /// The text of this key; the key itself if there is none.
    pub(super) fn get(&self, key: &str) -> String {
        self.find(key, None).unwrap_or_else(|| key.to_owned())
    }

    /// The text with `name` put into its place.
    pub(super) fn with(&self, key: &str, name: &str, value: &str) -> String {
        let mut args = FluentArgs::new();
        args.set(name, value);
        self.find(key, Some(&args)).unwrap_or_else(|| key.to_owned())
    }

    /// The text for so many.
    pub(super) fn count(&self, key: &str, count: u64) -> String {
        let mut args = FluentArgs::new();
        args.set("count", count);
        self.find(key, Some(&args)).unwrap_or_else(|| key.to_owned())
    }

    fn find(&self, key: &str, args: Option<&FluentArgs<'_>>) -> Option<String> {
        let pattern = self.bundle.get_message(key)?.value()?;
        Some(self.bundle.format_pattern(pattern, args, &mut Vec::new()).into_owned())
    }

    /// What is wrong with a field, for whoever filled it in.
    pub(super) fn fault(&self, fault: &FieldFault, min_chars: usize) -> String {
        let mut args = FluentArgs::new();
        args.set("count", min_chars);
        let key = format!("fault-{}", fault.code);
        let own = format!("{key}-{}", fault.field);
        let found = self.find(&own, Some(&args)).or_else(|| self.find(&key, Some(&args)));
        found.unwrap_or_else(|| self.get("fault-other"))
    }

    /// Why something was refused, for whoever asked for it.
    pub(super) fn error(&self, error: &AuthError) -> String {
        let own = format!("error-{}", error.code());
        match error {
            AuthError::RateLimited { retry_after, .. } => {
                let seconds = retry_after.as_secs().max(1);
                match seconds {
                    0..=90 => self.count("error-rate_limited-seconds", seconds),
                    _ => self.count("error-rate_limited-minutes", seconds.div_ceil(60)),
                }
            }
            _ => self.find(&own, None).unwrap_or_else(|| self.get("error-other")),
        }
    }

    /// A time as people write it, in UTC.
    pub(super) fn time(&self, at: Timestamp) -> String {
        at.strftime(match self.language {
            Language::English => "%-d %B %Y, %H:%M UTC",
            Language::German => "%d.%m.%Y, %H:%M UTC",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const FILES: [&str; 2] = [include_str!("words/en.ftl"), include_str!("words/de.ftl")];

    fn keys(text: &str) -> BTreeSet<&str> {
        text.lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))
            .filter_map(|line| line.split_once(" =").map(|(key, _)| key))
            .collect()
    }

    fn sources() -> Vec<String> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = [root.join("src/pages"), root.join("templates/pages")]
            .into_iter()
            .flat_map(|folder| std::fs::read_dir(folder).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file());
        files.map(|file| std::fs::read_to_string(file).unwrap()).collect()
    }

    /// What stands between quotation marks in code and templates.
    fn quoted(sources: &[String]) -> BTreeSet<&str> {
        sources.iter().flat_map(|text| text.split('"')).collect()
    }

    #[test]
    fn both_languages_have_the_same_words_and_no_faults() {
        for text in FILES {
            assert!(FluentResource::try_new(text.to_owned()).is_ok());
        }
        let [english, german] = FILES.map(keys);
        assert!(english.len() > 100, "{}", english.len());
        assert_eq!(english, german);
    }

    #[test]
    fn every_word_is_used_and_none_is_missing() {
        let sources = sources();
        let quoted = quoted(&sources);
        let keys = keys(FILES[0]);
        // These are put together from a code or a place.
        let composed = ["label-", "fault-", "error-", "done-", "lead-", "role-", "provider-"];
        let is_composed = |key: &str| composed.iter().any(|prefix| key.starts_with(prefix));
        let unused: Vec<_> = keys.iter().filter(|key| !quoted.contains(**key) && !is_composed(key)).collect();
        assert!(unused.is_empty(), "{unused:?}");
        let prefixes: BTreeSet<&str> = keys.iter().filter_map(|key| key.split('-').next()).collect();
        let is_key = |text: &str| {
            let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_');
            plain
                && text.split_once('-').is_some_and(|(first, rest)| {
                    prefixes.contains(first) && !rest.is_empty() && !text.ends_with("-heading")
                })
        };
        let not_words = ["sign-in", "sign-out", "new-password", "current-password", "verify-email"];
        let missing: Vec<_> = quoted
            .iter()
            .filter(|text| is_key(text) && !keys.contains(**text) && !not_words.contains(text))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_refusal_that_a_form_may_meet_has_words_of_its_own() {
        for row in crate::web::problem::PROBLEMS {
            let key = format!("error-{}", row.code);
            let of_machines =
                row.code.contains("refresh") || row.code.contains("api_key") || row.code.contains("scope");
            let known = Words::of(Language::English).find(&key, None).is_some();
            assert!(known || of_machines || ROUTES_ONLY.contains(&row.code), "{key}");
        }
    }

    /// Refusals of routes that no page has, and what pages never show as such.
    const ROUTES_ONLY: &[&str] = &[
        "ambiguous_credential",
        "default_tenant",
        "headers_too_large",
        "host_taken",
        "inactive_user",
        "internal_error",
        "invalid_credential",
        "invalid_cursor",
        "invalid_fields",
        "invalid_setup_token",
        "malformed_body",
        "method_not_allowed",
        "name_taken",
        "provider_exists",
        "rate_limited",
        "role_exists",
        "role_in_use",
        "slug_taken",
        "step_up_required",
        "too_many_invitations",
        "too_many_organizations",
        "too_many_providers",
        "unsupported_media_type",
        "untrusted_host",
        "body_too_large",
    ];
}
