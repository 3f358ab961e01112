//! `config show`: the values in force and where each comes from, without secrets.

use serde_json::{Map, Value, json};

use super::fault::Place;
use super::load::RawConfig;
use super::shape::{Setting, shape};

/// The configuration as a file would say it, each value with its origin behind it. Settings that nobody gave and
/// that have no default are left as comments.
pub(crate) fn show(raw: &RawConfig) -> String {
    let blocks = sections(raw).into_iter().map(|section| {
        let lines = shape().of_section(section).into_iter().filter_map(|setting| line(raw, setting));
        format!("[{section}]\n{}", lines.collect::<String>())
    });
    blocks.collect::<Vec<_>>().join("\n")
}

/// The same as JSON: section → name → `value`, `origin`. A secret's value is its mask.
pub(crate) fn show_json(raw: &RawConfig) -> Value {
    let mut shown = Map::new();
    let settings = sections(raw).into_iter().flat_map(|section| shape().of_section(section));
    for setting in settings.filter(|setting| setting.read_from_file().is_none()) {
        let section = shown.entry(setting.section).or_insert_with(|| json!({}));
        section[setting.name] = json!({ "value": value(raw, setting), "origin": origin(raw, setting) });
    }
    Value::Object(shown)
}

/// Those that are always there, and those of the providers that were given.
fn sections(raw: &RawConfig) -> Vec<&'static str> {
    let always = shape().sections.iter().map(|section| section.name);
    always.chain(raw.providers()).collect()
}

fn line(raw: &RawConfig, setting: &Setting) -> Option<String> {
    // What was read from a file is shown under the name of the value.
    setting.read_from_file().is_none().then(|| match value(raw, setting) {
        Value::Null => format!("# {} is not set\n", setting.name),
        value => format!("{:<40} # {}\n", format!("{} = {value}", setting.name), origin(raw, setting)),
    })
}

fn value(raw: &RawConfig, setting: &Setting) -> Value {
    raw.entries.get(setting.path.as_str()).map_or(Value::Null, |entry| entry.masked(setting))
}

fn origin(raw: &RawConfig, setting: &Setting) -> String {
    match raw.entries.get(setting.path.as_str()) {
        None => Place::Unset.to_string(),
        Some(entry) => match &entry.file {
            None => entry.place.to_string(),
            Some(file) => format!("{}, from {}", entry.place, file.display()),
        },
    }
}
