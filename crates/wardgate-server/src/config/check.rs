//! Turns raw values into typed ones, noting each fault and going on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use wardgate::{Outbound, OutboundError};

use super::Mode;
use super::duration;
use super::fault::{Fault, Place};
use super::layer::Entry;
use super::limit::{Limit, ends, limit};
use super::load::RawConfig;
use super::secret;
use super::shape::{Setting, shape};

/// Collects faults while the sections are checked.
pub(super) struct Checker<'a> {
    raw: &'a RawConfig,
    pub(super) mode: Mode,
    faults: Vec<Fault>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(raw: &'a RawConfig, mode: Mode) -> Self {
        Self { raw, mode, faults: Vec::new() }
    }

    /// All faults: those met while loading, then those noted here.
    pub(super) fn finish(self) -> Vec<Fault> {
        self.raw.faults.iter().cloned().chain(self.faults).collect()
    }

    /// One section's values as its struct.
    pub(super) fn section<T: DeserializeOwned>(&self, name: &str) -> T {
        let of_section = shape().of_section(name);
        let values = of_section
            .into_iter()
            .filter_map(|setting| Some((setting.name.to_owned(), self.entry(&setting.path)?.value.clone())));
        let table = Value::Object(values.collect::<Map<_, _>>());
        serde_json::from_value(table)
            .expect("each value is of its setting's kind, and the struct has each setting")
    }

    /// The sections of providers in which anything was given.
    pub(super) fn providers(&self) -> Vec<&'static str> {
        self.raw.providers()
    }

    /// Whether somebody gave the setting, rightly or wrongly.
    pub(super) fn is_given(&self, path: &str) -> bool {
        let given = self.entry(path).is_some_and(|entry| entry.place != Place::Default);
        given || self.raw.is_spoiled(path)
    }

    /// As `is_given`, where an empty list says nothing.
    pub(super) fn is_listed(&self, path: &str) -> bool {
        let empty = self.entry(path).is_some_and(|entry| entry.value == Value::Array(Vec::new()));
        self.is_given(path) && !empty
    }

    /// Notes a fault of a setting, unless loading found one in it: then its value is not the one meant.
    pub(super) fn fault(&mut self, path: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        if self.raw.is_spoiled(path) {
            return;
        }
        let entry = self.entry(path);
        let fault = Fault {
            place: entry.map_or(Place::Unset, |entry| entry.place.clone()),
            value: entry.map(|entry| entry.masked(setting(path)).to_string()),
            key: Some(path.into()),
            problem: problem.into(),
            remedy: remedy.into(),
        };
        self.faults.push(fault);
    }

    /// Notes a setting that has to be given and is not.
    pub(super) fn missing(&mut self, path: &str, why: &str) {
        let setting = setting(path);
        let line = Place::Unset.spelling(setting);
        let remedy = format!("{line} in section [{}], or {}", setting.section, setting.variable());
        self.fault(path, why, remedy);
    }

    /// A number within its limit.
    pub(super) fn integer<T: TryFrom<i64>>(&mut self, path: &str, value: i64) -> Option<T> {
        let Some(Limit::Integer(min, max)) = limit(path) else { return None };
        if value < min || value > max {
            let problem = if value < min { format!("is under {min}") } else { format!("is over {max}") };
            self.out_of_limit(path, problem);
            return None;
        }
        T::try_from(value).ok()
    }

    /// A number from 0 to 1.
    pub(super) fn share(&mut self, path: &str, value: f64) -> Option<f64> {
        if !(0.0..=1.0).contains(&value) {
            self.out_of_limit(path, if value < 0.0 { "is under 0" } else { "is over 1" });
            return None;
        }
        Some(value)
    }

    /// A duration within its limit.
    pub(super) fn duration(&mut self, path: &str, text: &str) -> Option<Duration> {
        let Some(Limit::Duration(min, max)) = limit(path) else { return None };
        let (shortest, longest) = ends(min, max);
        let problem = match duration::parse(text) {
            Some(value) if value < shortest => format!("is shorter than {min}"),
            Some(value) if value > longest => format!("is longer than {max}"),
            Some(value) => return Some(value),
            None => "is not a duration: numbers with ms, s, m, h or d, as in 1h30m".into(),
        };
        self.out_of_limit(path, problem);
        None
    }

    /// One of the setting's words, turned into a value by `named`.
    pub(super) fn word<T>(&mut self, path: &str, text: &str, named: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = named(text);
        if value.is_none() {
            self.out_of_limit(path, "is not one of the choices");
        }
        value
    }

    /// The items of a list, each through `parse`; all that fail are noted with the same remedy.
    pub(super) fn items<T, E: std::fmt::Display>(
        &mut self,
        path: &str,
        items: &[String],
        remedy: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let (mut good, mut complete) = (Vec::new(), true);
        for item in items {
            match parse(item) {
                Ok(value) => good.push(value),
                Err(problem) => {
                    self.fault(path, format!("\"{item}\" {problem}"), remedy);
                    complete = false;
                }
            }
        }
        complete.then_some(good)
    }

    /// The path that a setting names, relative to the place where it was given.
    pub(super) fn path(&self, path: &str, text: &str) -> PathBuf {
        self.entry(path).map_or(text.into(), |entry| entry.place.resolve(text))
    }

    /// Refuses, in production, that anybody on the machine reads or replaces the file a secret stands in: the
    /// configuration file, or the one the secret was read from. (S-140)
    pub(super) fn private(&mut self, path: &str) {
        if let Some(file) = self.entry(path).and_then(Entry::written_in).map(Path::to_owned) {
            self.private_file(path, &file);
        }
    }

    /// Whether this server may call an address: one at a public host, or at one of `internal_hosts`. (S-073)
    pub(super) fn may_call(
        &mut self,
        path: &str,
        address: &str,
        internal_hosts: &[String],
        sample: &str,
    ) -> bool {
        let Err(refusal) = Outbound::check_address(address, internal_hosts) else { return true };
        let remedy = match refusal {
            OutboundError::Address => sample,
            _ => {
                "an address at a public host with https, or its host in server.internal_hosts if it is meant"
            }
        };
        self.fault(path, refusal.to_string(), remedy);
        false
    }

    /// As `private`, for a file that is known.
    pub(super) fn private_file(&mut self, path: &str, file: &Path) {
        let production = self.mode == Mode::Production;
        if let Some(mode) = production.then(|| secret::open_to_all(file)).flatten() {
            let file = file.display();
            let problem = format!("everybody on this machine may read or change {file} (mode {mode})");
            self.fault(path, problem, format!("chmod 600 {file}, and make it this user's"));
        }
    }

    fn out_of_limit(&mut self, path: &str, problem: impl Into<String>) {
        let sample = &setting(path).sample;
        let remedy = match limit(path) {
            Some(words @ Limit::OneOf(_)) => words.to_string(),
            Some(limit) => format!("{limit}, such as {sample}"),
            None => sample.to_string(),
        };
        self.fault(path, problem, remedy);
    }

    fn entry(&self, path: &str) -> Option<&'a Entry> {
        self.raw.entries.get(path)
    }
}

fn setting(path: &str) -> &'static Setting {
    shape().find(path).expect("the sections name settings of the embedded file")
}
