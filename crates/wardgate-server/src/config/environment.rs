//! The layer of environment variables, `WARDGATE_<SECTION>__<KEY>`.

use super::fault::Place;
use super::layer::Layer;
use super::shape::{Setting, shape};

/// The variables of this process, for `load`. Bytes that are not UTF-8 become the replacement character, so that
/// the setting is refused by its own rules; the standard library's `vars` would panic over any variable.
pub(crate) fn of_process() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, text)| Some((name.into_string().ok()?, text.to_string_lossy().into_owned())))
}

/// The settings among `variables`.
///
/// Only names that begin with `WARDGATE_` and have a double underscore behind it are settings; all others are left
/// alone. `…_FILE` behind a setting's name reads the value from the file it names.
pub(super) fn layer(variables: impl IntoIterator<Item = (String, String)>) -> Layer {
    let mut layer = Layer::default();
    let mut settings: Vec<_> = variables.into_iter().filter(|(name, _)| is_setting(name)).collect();
    settings.sort();
    for (name, text) in settings {
        let place = Place::Variable(name.clone());
        match (find(&name), name.strip_suffix("_FILE").and_then(find)) {
            (Some(setting), _) => layer.put_text(setting, &text, place),
            (None, Some(setting)) => layer.put_file(setting, &text, place),
            (None, None) => layer.unknown(&path_of(&name), place),
        }
    }
    layer
}

fn is_setting(name: &str) -> bool {
    name.strip_prefix("WARDGATE_").is_some_and(|rest| rest.contains("__"))
}

fn find(name: &str) -> Option<&'static Setting> {
    shape().of_variable(name)
}

/// `WARDGATE_TOKENS__ACES_TTL` → `tokens.aces_ttl`
fn path_of(name: &str) -> String {
    let name = name.trim_start_matches("WARDGATE_");
    // A provider's name stands between two.
    let dots = if name.starts_with("PROVIDERS__") { 2 } else { 1 };
    name.replacen("__", ".", dots).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<const N: usize>(variables: [(&str, &str); N]) -> Layer {
        layer(variables.map(|(name, text)| (name.into(), text.into())))
    }

    #[test]
    fn a_name_is_a_setting_only_with_a_double_underscore() {
        let layer = read([
            ("WARDGATE_TOKENS__ACCESS_TTL", "10m"),
            ("WARDGATE_SERVER__CORS_ORIGINS", "https://a.example, https://b.example"),
            ("WARDGATE_TEST_POSTGRES", "postgres://"),
            ("WARDGATE_", "x"),
            ("OTHER__NAME", "x"),
        ]);
        assert!(layer.faults.is_empty(), "{:?}", layer.faults);
        assert_eq!(layer.entries.len(), 2);
        assert_eq!(layer.entries["tokens.access_ttl"].value, "10m");
        assert_eq!(
            layer.entries["server.cors_origins"].value,
            serde_json::json!(["https://a.example", "https://b.example"])
        );
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_one_that_was_meant() {
        let layer = read([("WARDGATE_TOKENS__ACCES_TTL", "10m"), ("WARDGATE_tokens__access_ttl", "10m")]);
        assert_eq!(layer.faults.len(), 2);
        for fault in &layer.faults {
            assert_eq!(fault.remedy, "WARDGATE_TOKENS__ACCESS_TTL, if that is meant");
        }
    }

    #[test]
    fn a_section_of_another_version_is_not_taken_for_a_slip() {
        let layer = read([("WARDGATE_SMTP__HOST", "mail")]);
        assert!(layer.faults[0].remedy.starts_with("nothing; the sections are"), "{}", layer.faults[0]);
    }

    #[test]
    fn a_file_gives_any_setting_and_excludes_the_plain_variable() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "https://auth.example.com\n").unwrap();
        let path = file.path().to_str().unwrap();
        let alone = read([("WARDGATE_SERVER__ISSUER_FILE", path)]);
        assert_eq!(alone.entries["server.issuer"].value, "https://auth.example.com");
        let both =
            read([("WARDGATE_SERVER__ISSUER_FILE", path), ("WARDGATE_SERVER__ISSUER", "https://x.example")]);
        assert_eq!(both.faults[0].key.as_deref(), Some("server.issuer"));
        let absent = read([("WARDGATE_SERVER__MASTER_KEY_FILE", "/nonexistent/key")]);
        assert!(absent.faults[0].problem.contains("cannot be read"), "{:?}", absent.faults);
    }

    #[test]
    fn a_setting_whose_own_name_ends_in_file_holds_a_path() {
        let layer = read([("WARDGATE_TOKENS__HS256_SECRET_FILE", "/a/b")]);
        assert_eq!(layer.entries["tokens.hs256_secret_file"].value, "/a/b");
    }
}
