//! Which settings exist: read once from the embedded `wardgate.default.toml`.
//!
//! The file is the only list of names, defaults and descriptions; the loader, the JSON Schema, the page of
//! documentation and the advice in faults all take them from here.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// The embedded file: every setting, commented, with its default.
pub(crate) const DEFAULTS: &str = include_str!("../../wardgate.default.toml");

/// Settings whose value is masked wherever it is shown.
const SECRETS: &[&str] = &[
    "server.master_key",
    "database.url",
    "redis.url",
    "mail.smtp",
    "mail.password",
    "audit.webhook_secret",
    "telemetry.otlp_endpoint",
    "telemetry.otlp_headers",
    "providers.name.client_secret",
];

/// What the sections of providers begin with, and how the embedded file calls the one that stands for all.
const PROVIDERS: &str = "providers.";
const ANY_PROVIDER: &str = "providers.name";

/// What a setting's value is made of; the same five in a file, a variable and a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    List,
}

/// One setting, as the embedded file describes it.
#[derive(Debug)]
pub(crate) struct Setting {
    /// `tokens.access_ttl`
    pub(crate) path: String,
    /// `tokens`
    pub(crate) section: &'static str,
    /// `access_ttl`
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The default, or an example where there is none.
    pub(crate) sample: Value,
    pub(crate) has_default: bool,
    /// The comment above it, one string a line.
    pub(crate) doc: Vec<&'static str>,
}

/// A section's name and the comment above it.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) doc: Vec<&'static str>,
}

/// Every section and setting, in the order of the embedded file.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) sections: Vec<Section>,
    pub(crate) settings: Vec<Setting>,
    /// The section that is there once for each provider, and its settings.
    pub(crate) each_provider: Option<Section>,
    pub(crate) of_each_provider: Vec<Setting>,
}

/// The shape of the configuration.
pub(crate) fn shape() -> &'static Shape {
    static SHAPE: LazyLock<Shape> = LazyLock::new(Shape::parse);
    &SHAPE
}

impl Shape {
    /// Finds a setting by its full name, `tokens.access_ttl`.
    pub(crate) fn find(&'static self, path: &str) -> Option<&'static Setting> {
        let found = self.settings.iter().find(|setting| setting.path == path);
        found.or_else(|| self.of_provider(path))
    }

    /// The settings of a section, `tokens` or `providers.google`.
    pub(crate) fn of_section(&'static self, section: &str) -> Vec<&'static Setting> {
        if section.starts_with(PROVIDERS) {
            let paths = self.of_each_provider.iter().map(|each| format!("{section}.{}", each.name));
            return paths.filter_map(|path| self.find(&path)).collect();
        }
        self.settings.iter().filter(|setting| setting.section == section).collect()
    }

    /// The setting that a variable gives, if it is one.
    pub(crate) fn of_variable(&'static self, name: &str) -> Option<&'static Setting> {
        let found = self.settings.iter().find(|setting| setting.variable() == name);
        found.or_else(|| {
            let (provider, key) = name.strip_prefix("WARDGATE_PROVIDERS__")?.split_once("__")?;
            let path = format!("{PROVIDERS}{}.{}", provider.replace('_', "-"), key);
            self.find(&path.to_ascii_lowercase()).filter(|setting| setting.variable() == name)
        })
    }

    /// The setting of one provider. It is made when it is first asked for and stays for the life of the process, as
    /// those of the embedded file do: there are as many as the configuration has names.
    fn of_provider(&self, path: &str) -> Option<&'static Setting> {
        static KNOWN: Mutex<BTreeMap<String, &'static Setting>> = Mutex::new(BTreeMap::new());
        let (provider, name) = path.strip_prefix(PROVIDERS)?.split_once('.')?;
        let each = self.of_each_provider.iter().find(|each| each.name == name)?;
        if !is_provider_name(provider) {
            return None;
        }
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(setting) = known.get(path) {
            return Some(setting);
        }
        let section: &'static str = Box::leak(format!("{PROVIDERS}{provider}").into_boxed_str());
        let (sample, doc) = (each.sample.clone(), each.doc.clone());
        let (kind, has_default) = (each.kind, each.has_default);
        let setting =
            Setting { path: path.to_owned(), section, name: each.name, kind, sample, has_default, doc };
        let setting: &'static Setting = Box::leak(Box::new(setting));
        known.insert(path.to_owned(), setting);
        Some(setting)
    }

    fn parse() -> Self {
        let (mut shape, mut comment) = (Self::default(), Vec::new());
        for line in DEFAULTS.lines() {
            if line.is_empty() {
                comment.clear();
            } else if let Some(text) = line.strip_prefix("# ") {
                comment.push(text);
            } else {
                shape.add(line, std::mem::take(&mut comment));
            }
        }
        let is_each = |section: &str| section == ANY_PROVIDER;
        shape.each_provider = shape.sections.extract_if(.., |section| is_each(section.name)).next();
        shape.of_each_provider = shape.settings.extract_if(.., |setting| is_each(setting.section)).collect();
        shape
    }

    fn add(&mut self, line: &'static str, doc: Vec<&'static str>) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            self.sections.push(Section { name, doc });
            return;
        }
        let section = self.sections.last().expect("the embedded file begins with a section").name;
        self.settings.push(Setting::parse(section, line, doc));
    }
}

impl Setting {
    fn parse(section: &'static str, line: &'static str, doc: Vec<&'static str>) -> Self {
        let written = line.trim_start_matches('#');
        let (name, sample) =
            written.split_once(" = ").expect("a line of the embedded file is `name = value`");
        let sample = sample_value(sample);
        Self {
            path: format!("{section}.{name}"),
            section,
            name,
            kind: Kind::of(&sample).expect("the embedded file holds values of the five kinds"),
            sample,
            has_default: !line.starts_with('#'),
            doc,
        }
    }

    /// Whether the value must never be shown.
    pub(crate) fn is_secret(&self) -> bool {
        SECRETS.contains(&common_path(&self.path).as_str())
    }

    /// The setting that this one gives by naming a file: `server.master_key` for `server.master_key_file`.
    pub(crate) fn read_from_file(&self) -> Option<&'static Setting> {
        shape().find(self.path.strip_suffix("_file")?)
    }

    /// `WARDGATE_TOKENS__ACCESS_TTL`
    pub(crate) fn variable(&self) -> String {
        let section = self.section.replace('.', "__").replace('-', "_");
        format!("WARDGATE_{section}__{}", self.name).to_ascii_uppercase()
    }
}

/// The path by which the tables know a setting: that of any provider's is that of the embedded file.
pub(crate) fn common_path(path: &str) -> String {
    match path.strip_prefix(PROVIDERS).and_then(|rest| rest.split_once('.')) {
        Some((_, name)) => format!("{ANY_PROVIDER}.{name}"),
        None => path.to_owned(),
    }
}

/// As the library takes it.
pub(crate) fn is_provider_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-')
}

impl Kind {
    /// The kind of a value; `None` for those that no setting has (a date, a table, a list of anything but texts).
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(_) => Some(Self::Text),
            Value::Number(number) => Some(if number.is_f64() { Self::Number } else { Self::Integer }),
            Value::Bool(_) => Some(Self::Boolean),
            Value::Array(items) if items.iter().all(Value::is_string) => Some(Self::List),
            _ => None,
        }
    }

    /// Whether a setting of this kind takes the value: `1` is a number too.
    pub(crate) fn takes(self, value: &Value) -> bool {
        Self::of(value).is_some_and(|kind| kind == self || (kind, self) == (Self::Integer, Self::Number))
    }

    /// What a person calls it.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::List => "a list of texts",
        }
    }

    /// Reads a value from a variable or a flag, where everything is text and a list is separated by commas.
    /// `None` if the text does not spell a value of this kind.
    pub(crate) fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Text => Some(Value::from(text)),
            Self::Integer => text.trim().parse::<i64>().ok().map(Value::from),
            // No value is what is not finite: `NaN` and `inf` parse too.
            Self::Number => text.trim().parse::<f64>().ok().and_then(finite),
            Self::Boolean => text.trim().parse::<bool>().ok().map(Value::from),
            Self::List => Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
        }
    }
}

fn finite(number: f64) -> Option<Value> {
    serde_json::Number::from_f64(number).map(Value::Number)
}

/// Turns a parsed TOML value into one of the five kinds; `None` for any other.
pub(crate) fn value_of(toml: &DeValue<'_>) -> Option<Value> {
    match toml {
        DeValue::String(text) => Some(Value::from(text.as_ref())),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::from)
        }
        DeValue::Boolean(truth) => Some(Value::from(*truth)),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| item.get_ref().as_str().map(Value::from));
            items.collect::<Option<Vec<_>>>().map(Value::from)
        }
        DeValue::Float(number) => number.as_str().parse().ok().and_then(finite),
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

fn sample_value(text: &str) -> Value {
    let line = format!("sample = {text}");
    let table = DeTable::parse(&line).expect("the embedded file is TOML");
    let sample = table.get_ref().get("sample").expect("the one key of the line above");
    value_of(sample.get_ref()).expect("the embedded file holds values of the four kinds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_described_and_none_twice() {
        for setting in shape().settings.iter().chain(&shape().of_each_provider) {
            assert!(!setting.doc.is_empty(), "{} has no comment", setting.path);
            let all = || shape().settings.iter().chain(&shape().of_each_provider);
            assert_eq!(all().filter(|other| other.path == setting.path).count(), 1);
        }
        assert!(shape().sections.iter().all(|section| !section.doc.is_empty()));
    }

    #[test]
    fn a_commented_line_is_an_example_and_any_other_a_default() {
        let find = |path| shape().find(path).unwrap();
        assert!(!find("server.issuer").has_default);
        assert!(find("tokens.access_ttl").has_default);
        assert_eq!(find("tokens.access_ttl").sample, Value::from("15m"));
        assert_eq!(find("server.master_key_file").read_from_file().unwrap().path, "server.master_key");
        assert!(find("tokens.hs256_secret_file").read_from_file().is_none());
    }

    #[test]
    fn each_provider_has_the_settings_of_any() {
        let find = |path| shape().find(path);
        let secret = find("providers.my-corp.client_secret").unwrap();
        assert_eq!((secret.section, secret.name), ("providers.my-corp", "client_secret"));
        assert_eq!(secret.variable(), "WARDGATE_PROVIDERS__MY_CORP__CLIENT_SECRET");
        assert!(secret.is_secret() && !find("providers.my-corp.client_id").unwrap().is_secret());
        assert!(std::ptr::eq(secret, find("providers.my-corp.client_secret").unwrap()));
        assert!(std::ptr::eq(
            secret,
            shape().of_variable("WARDGATE_PROVIDERS__MY_CORP__CLIENT_SECRET").unwrap()
        ));
        let file = find("providers.my-corp.client_secret_file").unwrap();
        assert!(std::ptr::eq(file.read_from_file().unwrap(), secret));
        assert_eq!(shape().of_section("providers.x").len(), shape().of_each_provider.len());
        for path in [
            "providers.X.client_id",
            "providers..client_id",
            "providers.x.nothing",
            "providers.x",
            "providers.a.b.c",
        ] {
            assert!(find(path).is_none(), "{path}");
        }
        assert!(shape().of_variable("WARDGATE_PROVIDERS__x__CLIENT_ID").is_none());
    }

    #[test]
    fn text_is_read_by_the_kind_of_its_setting() {
        assert_eq!(Kind::List.read("a, b ,"), Some(serde_json::json!(["a", "b"])));
        assert_eq!(Kind::List.read(""), Some(serde_json::json!([])));
        assert_eq!(Kind::Boolean.read("yes"), None);
        assert_eq!(Kind::Integer.read("1e3"), None);
        assert_eq!(Kind::Integer.read(" 12"), Some(Value::from(12)));
        assert_eq!(Kind::Number.read(" 0.25"), Some(Value::from(0.25)));
        assert!(Kind::Number.takes(&Value::from(1)) && !Kind::Integer.takes(&Value::from(1.0)));
        for text in ["NaN", "inf", "1,5", ""] {
            assert_eq!(Kind::Number.read(text), None, "{text}");
        }
    }
}
