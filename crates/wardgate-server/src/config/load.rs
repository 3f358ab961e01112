//! Puts the layers on top of each other: defaults, files, environment, flags.

use std::collections::BTreeMap;

use super::environment;
use super::fault::{Fault, Place};
use super::file::ConfigFile;
use super::layer::{Entry, Layer};
use super::shape::{Setting, shape};

/// A setting given on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    /// As it is written, `--listen`.
    pub(crate) name: &'static str,
    /// The setting it gives, `server.listen`.
    pub(crate) setting: &'static str,
    pub(crate) value: String,
}

/// Settings of the right kind from all layers, each with its place, and the faults met on the way. What the values
/// mean is judged by `Config::check`, which reports these faults together with its own.
#[derive(Clone)]
pub(crate) struct RawConfig {
    pub(super) entries: BTreeMap<&'static str, Entry>,
    pub(super) faults: Vec<Fault>,
}

/// Reads all layers; a later one replaces single settings of an earlier one.
///
/// Reads no file but those named by settings (`…_FILE`, `master_key_file`) and nothing of the process. A setting
/// with a fault keeps the value of the layer below, so that whoever ignores the fault has a value to go on with.
pub(crate) fn load(
    files: &[ConfigFile],
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[Flag],
) -> RawConfig {
    let defaults = shape().settings.iter().filter_map(|s| Some((s.path.as_str(), Entry::default_of(s)?)));
    let mut raw = RawConfig { entries: defaults.collect(), faults: Vec::new() };
    for file in files {
        raw.overlay(file.layer());
    }
    raw.overlay(environment::layer(environment));
    raw.overlay(flag_layer(flags));
    raw.complete_providers();
    raw
}

fn flag_layer(flags: &[Flag]) -> Layer {
    let mut layer = Layer::default();
    for flag in flags {
        match shape().find(flag.setting) {
            Some(setting) => layer.put_text(setting, &flag.value, Place::Flag(flag.name)),
            None => layer.unknown(flag.setting, Place::Flag(flag.name)),
        }
    }
    layer
}

impl RawConfig {
    /// The sections of providers in which anything was given, `providers.google`.
    pub(super) fn providers(&self) -> Vec<&'static str> {
        let given = self.entries.iter().filter(|(_, entry)| entry.place != Place::Default);
        let settings = given.filter_map(|(path, _)| shape().find(path));
        let mut sections: Vec<_> =
            settings.map(|setting| setting.section).filter(|section| section.contains('.')).collect();
        sections.sort_unstable();
        sections.dedup();
        sections
    }

    /// Gives each provider the defaults of what was not given.
    fn complete_providers(&mut self) {
        for setting in self.providers().into_iter().flat_map(|section| shape().of_section(section)) {
            if let Some(default) = Entry::default_of(setting) {
                self.entries.entry(&setting.path).or_insert(default);
            }
        }
    }

    fn overlay(&mut self, layer: Layer) {
        self.entries.extend(layer.entries);
        self.faults.extend(layer.faults);
    }

    /// Whether a fault was met in this setting, so that the value at hand is not the one that was meant.
    pub(super) fn is_spoiled(&self, path: &str) -> bool {
        self.faults.iter().any(|fault| fault.key.as_deref() == Some(path))
    }

    /// Puts the defaults of the faulty settings back. A fault in a default comes from a value beside it, so then the
    /// whole section goes. Says whether anything changed.
    pub(super) fn forget_faulty(&mut self, faults: &[Fault]) -> bool {
        let mut changed = false;
        for setting in faults.iter().filter_map(|fault| shape().find(fault.key.as_deref()?)) {
            changed |= self.forget(setting) || self.forget_section(setting.section);
        }
        changed
    }

    fn forget_section(&mut self, section: &str) -> bool {
        let mut changed = false;
        for setting in shape().of_section(section) {
            changed |= self.forget(setting);
        }
        changed
    }

    fn forget(&mut self, setting: &'static Setting) -> bool {
        let path = setting.path.as_str();
        let given = self.entries.get(path).is_some_and(|entry| entry.place != Place::Default);
        if given {
            self.entries.remove(path);
            self.entries.extend(Entry::default_of(setting).map(|entry| (path, entry)));
        }
        given
    }
}
