//! The layer of a configuration file. Every fault carries the line it is in.

use std::borrow::Cow;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};
use zeroize::Zeroizing;

use super::fault::{Fault, Place};
use super::layer::Layer;
use super::secret;
use super::shape::{Setting, is_provider_name, shape, value_of};

/// A configuration file that was read but not understood yet.
pub(crate) struct ConfigFile {
    path: PathBuf,
    text: Zeroizing<String>,
}

impl ConfigFile {
    /// The file that `--config` names, else `wardgate.toml` in `folder`, else none.
    ///
    /// # Errors
    /// As `read`: also for a `wardgate.toml` that is there and cannot be read, for starting without it would
    /// start with other settings than somebody wrote down.
    pub(crate) fn find(given: Option<&Path>, folder: &Path) -> Result<Vec<Self>, Vec<Fault>> {
        let usual = folder.join("wardgate.toml");
        let path = given.unwrap_or(&usual);
        let absent = fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        if given.is_none() && absent { Ok(Vec::new()) } else { Self::read(path).map(|file| vec![file]) }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// One fault that names the file, if it cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Self, Vec<Fault>> {
        let fault = |error| Fault {
            place: Place::File { path: path.into(), line: 1 },
            key: None,
            value: None,
            problem: format!("the configuration file cannot be read: {error}"),
            remedy: "--config and the path of a file that this user may read".into(),
        };
        let text = secret::read_file(path).map_err(|error| vec![fault(error)])?;
        Ok(Self { path: path.into(), text })
    }

    /// The settings of this file.
    pub(super) fn layer(&self) -> Layer {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        let mut reader = Reader { file: self, errors, layer: Layer::default() };
        for (name, value) in in_order(table.get_ref()) {
            reader.section(name, value);
        }
        reader.finish()
    }

    fn place(&self, offset: usize) -> Place {
        Place::File { path: self.path.clone(), line: self.line(offset) }
    }

    /// The line that a byte is in, counted from one.
    fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }
}

/// Walks through a parsed file. The parser recovers from errors, so one line that is not TOML costs that line's
/// setting only.
struct Reader<'a> {
    file: &'a ConfigFile,
    /// What the parser found wrong and no setting was made responsible for yet.
    errors: Vec<Error>,
    layer: Layer,
}

impl Reader<'_> {
    fn section(&mut self, name: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let place = self.file.place(name.span().start);
        let known = shape().sections.iter().any(|section| section.name == name.get_ref());
        match value.get_ref() {
            DeValue::Table(settings) if known => {
                for (key, value) in in_order(settings) {
                    self.setting(&format!("{}.{}", name.get_ref(), key.get_ref()), key, value);
                }
            }
            DeValue::Table(providers) if name.get_ref() == "providers" => {
                for (provider, value) in in_order(providers) {
                    self.provider(provider, value);
                }
            }
            DeValue::Table(_) => self.layer.unknown_section(name.get_ref(), place),
            _ => self.layer.unknown(name.get_ref(), place),
        }
    }

    fn provider(&mut self, name: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let place = self.file.place(name.span().start);
        let path = format!("providers.{}", name.get_ref());
        match value.get_ref() {
            DeValue::Table(settings) if is_provider_name(name.get_ref()) => {
                for (key, value) in in_order(settings) {
                    self.setting(&format!("{path}.{}", key.get_ref()), key, value);
                }
            }
            DeValue::Table(_) => self.layer.unknown_section(&path, place),
            _ => self.layer.unknown(&path, place),
        }
    }

    fn setting(&mut self, path: &str, key: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let place = self.file.place(key.span().start);
        let broken = self.errors_between(key.span().start, value.span().end);
        let Some(setting) = shape().find(path) else { return self.layer.unknown(path, place) };
        match broken {
            Some(error) => self.broken(Some(setting), &error),
            None => self.layer.put(setting, value_of(value.get_ref()), place),
        }
    }

    /// Takes the errors from the line of one byte to the line of another, and returns the first: those after it
    /// in one value are its echoes.
    fn errors_between(&mut self, start: usize, end: usize) -> Option<Error> {
        let lines = self.file.line(start)..=self.file.line(end);
        let inside = |error: &mut Error| lines.contains(&self.file.line(offset(error)));
        self.errors.extract_if(.., inside).min_by_key(offset)
    }

    fn finish(mut self) -> Layer {
        for error in std::mem::take(&mut self.errors) {
            self.broken(None, &error);
        }
        self.layer.faults.sort_by_key(|fault| match fault.place {
            Place::File { line, .. } => line,
            _ => 0,
        });
        self.layer
    }

    /// Notes the parser's words, but not the line: it may hold a secret that lost its quotes.
    fn broken(&mut self, setting: Option<&Setting>, error: &Error) {
        let place = self.file.place(offset(error));
        let remedy = setting.map(|setting| place.spelling(setting));
        self.layer.faults.push(Fault {
            place,
            key: setting.map(|setting| setting.path.clone()),
            value: None,
            problem: format!("is not TOML: {}", error.message()),
            remedy: remedy.unwrap_or("[section], and below it name = value, with text in quotes".into()),
        });
    }
}

fn offset(error: &Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

/// The entries of a table in the order of the file, which the parser's map does not keep.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t Spanned<Cow<'i, str>>, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(text: &str) -> Layer {
        ConfigFile { path: "w.toml".into(), text: Zeroizing::new(text.into()) }.layer()
    }

    fn faults(text: &str) -> Vec<(String, String)> {
        let seen = |fault: &Fault| (fault.place.to_string(), fault.key.clone().unwrap_or_default());
        layer(text).faults.iter().map(seen).collect()
    }

    #[test]
    fn a_setting_knows_its_line() {
        let layer = layer("# x\n[tokens]\n\naccess_ttl = \"10m\"\n[database]\npool_size = 0x10\n");
        assert!(layer.faults.is_empty());
        assert_eq!(layer.entries["tokens.access_ttl"].place.to_string(), "w.toml:4");
        assert_eq!(layer.entries["database.pool_size"].value, 16);
    }

    #[test]
    fn one_mistake_hides_no_other() {
        let text = "[tokens]\naccess_ttl = 15m\nrefresh_grace = 10\n[servr]\n[server]\ndocs = \"no\"\nissuer = 1.5\n\
                    cors_origins = [1]\nlisten = \"127.0.0.1:1\"\n";
        let expected = [
            ("w.toml:2", "tokens.access_ttl"),
            ("w.toml:3", "tokens.refresh_grace"),
            ("w.toml:4", "servr"),
            ("w.toml:6", "server.docs"),
            ("w.toml:7", "server.issuer"),
            ("w.toml:8", "server.cors_origins"),
        ];
        assert_eq!(faults(text), expected.map(|(place, key)| (place.into(), key.into())));
        assert_eq!(layer(text).entries.len(), 1);
    }

    #[test]
    fn a_broken_line_belongs_to_its_setting_and_a_broken_head_to_none() {
        let text = "[server]\ncors_origins = [\n 1 = 2\n]\ndocs = true\n[tokens\naccess_ttl = \"1m\"\n";
        let found = faults(text);
        assert_eq!(found[0].1, "server.cors_origins");
        assert_eq!(found[1], ("w.toml:6".into(), String::new()));
        assert!(layer(text).entries.contains_key("server.docs"));
    }

    #[test]
    fn a_secret_without_quotes_is_not_repeated() {
        let layer = layer("[server]\nmaster_key = c2VjcmV0\n[database]\nurl = [\"pg\", \"s3cret\"]\n");
        assert_eq!(layer.faults.len(), 2);
        let text = super::super::fault::report(&layer.faults);
        assert!(!text.contains("c2VjcmV0") && !text.contains("s3cret"), "{text}");
    }

    #[test]
    fn the_key_and_the_file_of_the_key_exclude_each_other() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "from the file\n").unwrap();
        let path = folder.path().join("w.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            ConfigFile::read(&path).unwrap().layer()
        };
        let alone = read("[server]\nmaster_key_file = \"key\"\n");
        assert_eq!(alone.entries["server.master_key"].value, "from the file");
        let both = read("[server]\nmaster_key = \"a\"\nmaster_key_file = \"key\"\n");
        assert!(both.faults[0].problem.starts_with("given twice"), "{:?}", both.faults);
    }
}
