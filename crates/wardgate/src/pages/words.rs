//! What pages say beyond the words themselves: texts with names in them, faults and refusals.

use fluent_bundle::FluentArgs;

use crate::kernel::error::{AuthError, FieldFault};
pub(super) use crate::kernel::words::Words;

impl Words {
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
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kernel::language::Language;
    use crate::kernel::words::keys;

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
    fn every_word_is_used_and_none_is_missing() {
        let sources = sources();
        let quoted = quoted(&sources);
        // What mails say has a test beside them.
        let [mut keys, _] = keys();
        keys.retain(|key| !key.starts_with("letter-") && !key.starts_with("life-"));
        // These are put together from a code or a place.
        let composed = ["label-", "fault-", "error-", "done-", "lead-", "role-", "provider-"];
        let is_composed = |key: &str| composed.iter().any(|prefix| key.starts_with(prefix));
        let unused: Vec<_> =
            keys.iter().filter(|key| !quoted.contains(key.as_str()) && !is_composed(key)).collect();
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
