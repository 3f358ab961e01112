//! One source of settings (a file, the environment, the flags): what it gives, and what is wrong with it.
//!
//! Each setting is judged alone, so that one mistake hides no other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use zeroize::Zeroize;

use super::database;
use super::fault::{Fault, Place};
use super::nearest::nearest;
use super::secret::{self, MASK};
use super::shape::{Setting, shape};
use super::{mail, redis, telemetry};

/// A value, where it was given, and the file that it was read from if it was named by one.
///
/// Its text is overwritten when it is dropped, for it may be the master key.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) place: Place,
    pub(crate) file: Option<PathBuf>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Value::String(text) = &mut self.value {
            text.zeroize();
        }
    }
}

impl Entry {
    /// The default of a setting, if it has one.
    pub(crate) fn default_of(setting: &Setting) -> Option<Self> {
        let value = setting.has_default.then(|| setting.sample.clone())?;
        Some(Self { value, place: Place::Default, file: None })
    }

    /// The value as it may be shown: a secret is its mask, and of a URL the password is.
    pub(crate) fn masked(&self, setting: &Setting) -> Value {
        match &self.value {
            Value::String(url) if setting.path == database::URL => database::masked(url).into(),
            Value::String(url) if setting.path == redis::URL => redis::masked(url).into(),
            // One with a user name in it is refused; until then it may be a secret.
            Value::String(url)
                if [mail::SMTP, telemetry::ENDPOINT].contains(&setting.path.as_str())
                    && !url.contains('@') =>
            {
                self.value.clone()
            }
            _ if setting.is_secret() => MASK.into(),
            value => value.clone(),
        }
    }

    /// The file whose reader learns the value: the one it was read from, or the configuration file.
    pub(crate) fn written_in(&self) -> Option<&Path> {
        match (&self.file, &self.place) {
            (Some(path), _) | (None, Place::File { path, .. }) => Some(path),
            _ => None,
        }
    }
}

/// Settings by their full name, and the faults met while reading them.
#[derive(Default)]
pub(crate) struct Layer {
    pub(crate) entries: BTreeMap<&'static str, Entry>,
    pub(crate) faults: Vec<Fault>,
}

impl Layer {
    /// Takes a value that its source has parsed. `None` stands for one that is of no setting's kind.
    pub(super) fn put(&mut self, setting: &'static Setting, value: Option<Value>, place: Place) {
        match (value, setting.read_from_file()) {
            (Some(Value::String(path)), Some(target)) => self.put_file(target, &path, place),
            (Some(value), _) if setting.kind.takes(&value) => {
                self.insert(setting, Entry { value, place, file: None });
            }
            (value, _) => self.wrong_kind(setting, value.as_ref(), place),
        }
    }

    /// Takes a value that came as text and is read by the setting's kind.
    pub(super) fn put_text(&mut self, setting: &'static Setting, text: &str, place: Place) {
        match setting.kind.read(text) {
            Some(value) => self.put(setting, Some(value), place),
            None => self.wrong_kind(setting, Some(&Value::from(text)), place),
        }
    }

    /// Takes the content of a file as the setting's value.
    pub(super) fn put_file(&mut self, setting: &'static Setting, path: &str, place: Place) {
        let file = place.resolve(path);
        let text = match secret::read_file(&file) {
            Ok(text) => text,
            Err(error) => return self.unreadable(setting, &file, place, &error),
        };
        match setting.kind.read(&text) {
            Some(value) => self.insert(setting, Entry { value, place, file: Some(file) }),
            None => self.wrong_kind(setting, Some(&Value::from(text.as_str())), place),
        }
    }

    /// Notes a name that no setting has. The value is not shown: it may be a secret under a misspelt name.
    pub(super) fn unknown(&mut self, given: &str, place: Place) {
        let remedy = advice(given, &place);
        let problem = "there is no such setting".into();
        self.faults.push(Fault { place, key: Some(given.into()), value: None, problem, remedy });
    }

    /// Notes a section that does not exist, once for all that is in it.
    pub(super) fn unknown_section(&mut self, name: &str, place: Place) {
        let sections = shape().sections.iter().map(|section| section.name);
        let remedy = match nearest(name, sections) {
            _ if name.starts_with("providers.") => "a name of 1 to 32 of a-z, 0-9 and hyphen".into(),
            Some(near) => format!("[{near}], if that is meant"),
            None => format!("nothing; {}", all_sections()),
        };
        let problem = "there is no such section".into();
        self.faults.push(Fault { place, key: Some(name.into()), value: None, problem, remedy });
    }

    fn insert(&mut self, setting: &'static Setting, entry: Entry) {
        if let Some(first) = self.entries.get(setting.path.as_str()) {
            let problem = format!("given twice: {} and {}", first.place, entry.place);
            self.faults.push(Fault {
                place: entry.place.clone(),
                key: Some(setting.path.clone()),
                value: None,
                problem,
                remedy: "one of the two: the value, or the name of a file that holds it".into(),
            });
            return;
        }
        self.entries.insert(&setting.path, entry);
    }

    fn wrong_kind(&mut self, setting: &Setting, value: Option<&Value>, place: Place) {
        let value = value.map(|value| if setting.is_secret() { MASK.into() } else { value.to_string() });
        let problem = format!("is not {}", setting.kind.noun());
        let remedy = place.spelling(setting);
        self.faults.push(Fault { place, key: Some(setting.path.clone()), value, problem, remedy });
    }

    fn unreadable(&mut self, setting: &Setting, file: &Path, place: Place, error: &std::io::Error) {
        let value = Some(format!("\"{}\"", file.display()));
        let problem = format!("the file cannot be read: {error}");
        let remedy = "the path of a file that this user may read".into();
        self.faults.push(Fault { place, key: Some(setting.path.clone()), value, problem, remedy });
    }
}

impl Place {
    /// The file that a path given here means: one in a configuration file is relative to that file's folder, any
    /// other to the working directory.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        match self {
            Self::File { path: configuration, .. } => {
                configuration.parent().unwrap_or(Path::new("")).join(path)
            }
            _ => path.into(),
        }
    }

    /// How a setting is written here, by the example of its default.
    pub(super) fn spelling(&self, setting: &Setting) -> String {
        let sample = plain(&setting.sample);
        match self {
            Self::Variable(_) => format!("{}={sample}", setting.variable()),
            Self::Flag(flag) => format!("{flag} {sample}"),
            _ => format!("{} = {}", setting.name, setting.sample),
        }
    }
}

/// A value as it stands in a variable or behind a flag: no quotes, commas between the items of a list.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// What to write instead of a name that nobody knows.
fn advice(given: &str, place: &Place) -> String {
    match (meant(given), place) {
        (Some(setting), Place::Variable(_)) => format!("{}, if that is meant", setting.variable()),
        (Some(setting), _) => format!("{} in section [{}], if that is meant", setting.name, setting.section),
        (None, _) => format!("nothing; {}", all_sections()),
    }
}

fn all_sections() -> String {
    let names: Vec<_> =
        shape().sections.iter().chain(&shape().each_provider).map(|section| section.name).collect();
    format!("the sections are {}, and `wardgate config schema` lists their settings", names.join(", "))
}

/// The setting that a wrong name probably means: the nearest one, else the same name in another section.
fn meant(given: &str) -> Option<&'static Setting> {
    if let Some((provider, name)) = given.strip_prefix("providers.").and_then(|rest| rest.split_once('.')) {
        let names = shape().of_each_provider.iter().map(|each| each.name);
        return shape().find(&format!("providers.{provider}.{}", nearest(name, names)?));
    }
    let paths = shape().settings.iter().map(|setting| setting.path.as_str());
    if let Some(path) = nearest(given, paths) {
        return shape().find(path);
    }
    let name = given.rsplit('.').next().unwrap_or(given);
    let known_section =
        shape().sections.iter().any(|section| given.starts_with(&format!("{}.", section.name)));
    let top_level = !given.contains('.');
    (known_section || top_level).then(|| shape().settings.iter().find(|setting| setting.name == name))?
}
