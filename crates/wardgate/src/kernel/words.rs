//! What pages and mails say, in each language: one file a language, all with the same keys.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};

use super::language::Language;
use super::time::Timestamp;

/// The words of one language.
pub(crate) struct Words {
    pub(crate) language: Language,
    bundle: FluentBundle<FluentResource>,
}

/// A message with its parts.
pub(crate) struct Message {
    pub(crate) text: String,
    /// Its attributes in the order of the file, with their names.
    pub(crate) parts: Vec<(&'static str, String)>,
}

static ENGLISH: LazyLock<Words> =
    LazyLock::new(|| Words::new(Language::English, include_str!("words/en.ftl")));
static GERMAN: LazyLock<Words> = LazyLock::new(|| Words::new(Language::German, include_str!("words/de.ftl")));

impl Words {
    /// The words of `language`.
    pub(crate) fn of(language: Language) -> &'static Self {
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

    /// The text of this key, if there is one.
    pub(crate) fn find(&self, key: &str, args: Option<&FluentArgs<'_>>) -> Option<String> {
        let pattern = self.bundle.get_message(key)?.value()?;
        Some(self.bundle.format_pattern(pattern, args, &mut Vec::new()).into_owned())
    }

    /// The text for so many; the key itself if there is none.
    pub(crate) fn count(&self, key: &str, count: u64) -> String {
        let mut args = FluentArgs::new();
        args.set("count", count);
        self.find(key, Some(&args)).unwrap_or_else(|| key.to_owned())
    }

    /// The text of this key with its attributes. `None` if there is none, or if it names what `values` has not: half a
    /// message is none.
    pub(crate) fn message(&'static self, key: &str, values: &[(&'static str, &str)]) -> Option<Message> {
        let args: FluentArgs<'_> = values.iter().copied().collect();
        let message = self.bundle.get_message(key)?;
        let mut faults = Vec::new();
        let mut say = |pattern| self.bundle.format_pattern(pattern, Some(&args), &mut faults).into_owned();
        let text = say(message.value()?);
        let parts = message.attributes().map(|part| (part.id(), say(part.value()))).collect();
        faults.is_empty().then_some(Message { text, parts })
    }

    /// A time as people write it, in UTC.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        at.strftime(match self.language {
            Language::English => "%-d %B %Y, %H:%M UTC",
            Language::German => "%d.%m.%Y, %H:%M UTC",
        })
    }
}

/// The keys of each language's file, those of attributes as `message.attribute`.
#[cfg(test)]
pub(crate) fn keys() -> [std::collections::BTreeSet<String>; 2] {
    [include_str!("words/en.ftl"), include_str!("words/de.ftl")].map(|text| {
        let mut message = "";
        let found = text.lines().filter_map(|line| {
            let (key, _) = line.split_once(" =")?;
            match key.strip_prefix("    .") {
                Some(attribute) => Some(format!("{message}.{attribute}")),
                None if key.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                    message = key;
                    Some(key.to_owned())
                }
                None => None,
            }
        });
        found.collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_words_and_no_faults() {
        for text in [include_str!("words/en.ftl"), include_str!("words/de.ftl")] {
            assert!(FluentResource::try_new(text.to_owned()).is_ok());
        }
        let [english, german] = keys();
        assert!(english.len() > 100, "{}", english.len());
        assert!(english.contains("letter-verify_email.button"));
        assert_eq!(english, german);
    }

    #[test]
    fn a_message_whose_values_are_missing_is_none() {
        let words = Words::of(Language::English);
        assert!(words.message("letter-magic_link", &[("service", "x")]).is_none());
        assert!(words.message("letter-nothing", &[]).is_none());
        let said = words.message("letter-magic_link", &[("service", "{ x }"), ("life", "a day")]).unwrap();
        assert_eq!(said.text, "Sign in to { x }");
    }
}
