//! The JSON Schema of `wardgate.toml` and the page of documentation, both made from the embedded file and the
//! tables of limits.

#[cfg(test)]
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::limit::{Limit, limit};
use super::shape::{Kind, Section, Setting, shape};

/// ECMA 262 pattern of what `duration::parse` reads.
const DURATION: &str = "^(0|(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$";

#[cfg(test)]
const INTRODUCTION: &str = "\
# Configuration

This page is made from `wardgate.default.toml`; `cargo test -p wardgate-server` compares the two.

Settings are read from four places, each over the one before: the defaults, the file (`--config FILE`, else
`wardgate.toml` in the working directory if there is one), the environment, the flags. A name that is not known is
refused, and all faults are shown at once with their line or variable and what to write instead:
`wardgate config check`. `wardgate config show` prints what is in force and where it comes from,
`wardgate config schema` a JSON Schema for editors.

In the environment a setting is `WARDGATE_<SECTION>__<KEY>`; other names that begin with `WARDGATE_` but have no double
underscore are left alone. Lists are separated by commas. `_FILE` behind the name reads the value from the file it
names, without the newline at its end: `WARDGATE_SERVER__MASTER_KEY_FILE=/run/secrets/master_key`.

A duration is numbers with units: `250ms`, `30s`, `15m`, `1h30m`, `7d`. A path in the file is relative to the file's
folder, any other to the working directory.

Only `serve` and `config check` ask for everything. Other commands need the database and the master key, and mind no
fault of any other setting.
";

/// The JSON Schema (draft 2020-12) of the configuration file.
pub(crate) fn schema() -> Value {
    let sections = shape()
        .sections
        .iter()
        .map(|section| (section.name.to_owned(), section_schema(section, &shape().of_section(section.name))));
    let each = shape().each_provider.iter().map(|section| {
        let settings: Vec<_> = shape().of_each_provider.iter().collect();
        let names = json!({ "pattern": "^[a-z0-9][a-z0-9-]{0,31}$" });
        let sections = json!({
            "type": "object", "propertyNames": names, "additionalProperties": section_schema(section, &settings),
        });
        ("providers".to_owned(), sections)
    });
    let sections = sections.chain(each);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "wardgate.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": sections.collect::<Map<_, _>>(),
    })
}

fn section_schema(section: &Section, settings: &[&Setting]) -> Value {
    let settings = settings.iter().map(|setting| (setting.name.to_owned(), setting_schema(setting)));
    json!({
        "type": "object",
        "description": section.doc.join(" "),
        "additionalProperties": false,
        "properties": settings.collect::<Map<_, _>>(),
    })
}

fn setting_schema(setting: &Setting) -> Value {
    let mut schema = json!({ "description": setting.doc.join(" ") });
    let sample = if setting.has_default { "default" } else { "examples" };
    schema[sample] = if setting.has_default { setting.sample.clone() } else { json!([setting.sample]) };
    match setting.kind {
        Kind::Text => schema["type"] = json!("string"),
        Kind::Integer => schema["type"] = json!("integer"),
        Kind::Number => schema["type"] = json!("number"),
        Kind::Boolean => schema["type"] = json!("boolean"),
        Kind::List => (schema["type"], schema["items"]) = (json!("array"), json!({ "type": "string" })),
    }
    match limit(&setting.path) {
        Some(Limit::Integer(min, max)) => (schema["minimum"], schema["maximum"]) = (json!(min), json!(max)),
        Some(Limit::Share) => (schema["minimum"], schema["maximum"]) = (json!(0), json!(1)),
        Some(Limit::OneOf(words)) => schema["enum"] = json!(words),
        Some(Limit::Duration(..)) => schema["pattern"] = json!(DURATION),
        None => {}
    }
    schema
}

/// `docs/config.md`.
#[cfg(test)]
pub(crate) fn docs_page() -> String {
    let mut page = String::from(INTRODUCTION);
    for section in shape().sections.iter().chain(&shape().each_provider) {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## `[{}]`\n\n{}\n", section.name, section.doc.join("\n"));
        let all = shape().settings.iter().chain(&shape().of_each_provider);
        for setting in all.filter(|setting| setting.section == section.name) {
            let _ = write!(
                page,
                "\n### `{}`\n\n{}\n\n{}\n",
                setting.path,
                setting.doc.join("\n"),
                facts(setting)
            );
        }
    }
    page
}

/// The line under a setting's description.
#[cfg(test)]
fn facts(setting: &Setting) -> String {
    let default = match setting.has_default {
        true => format!("Default: `{}`", setting.sample),
        false => format!("No default; example: `{}`", setting.sample),
    };
    let limit = match limit(&setting.path) {
        Some(Limit::OneOf(words)) => format!(" One of `{}`.", words.join("`, `")),
        Some(Limit::Integer(min, max)) => format!(" From {min} to {max}."),
        Some(Limit::Duration(min, max)) => format!(" From {min} to {max}."),
        Some(Limit::Share) => " From 0 to 1.".into(),
        None => String::new(),
    };
    format!("{default}.{limit} Environment: `{}`.", setting.variable())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_schema_knows_each_setting_and_refuses_others() {
        let schema = schema();
        let mut known = BTreeSet::new();
        let mut sections = schema["properties"].as_object().unwrap().clone();
        let each = sections.remove("providers").unwrap()["additionalProperties"].clone();
        sections.insert("providers.name".to_owned(), each);
        for (section, of_section) in &sections {
            assert_eq!(of_section["additionalProperties"], false);
            known.extend(
                of_section["properties"].as_object().unwrap().keys().map(|name| format!("{section}.{name}")),
            );
        }
        assert_eq!(
            known,
            shape()
                .settings
                .iter()
                .chain(&shape().of_each_provider)
                .map(|setting| setting.path.clone())
                .collect::<BTreeSet<_>>()
        );
        insta::assert_json_snapshot!(schema["properties"]["tokens"]["properties"]);
    }

    /// `WARDGATE_UPDATE_DOCS=1 cargo test -p wardgate-server` writes the page anew.
    #[test]
    fn the_page_of_documentation_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
        if std::env::var_os("WARDGATE_UPDATE_DOCS").is_some() {
            fs::write(&path, docs_page()).unwrap();
        }
        let page = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            page == docs_page(),
            "docs/config.md is not what wardgate.default.toml says: WARDGATE_UPDATE_DOCS=1"
        );
    }
}
