//! How the words of a mail become text and HTML.

use std::time::Duration;

use askama::Template;

use super::model::LetterKind;
use crate::kernel::error::AuthError;
use crate::kernel::language::Language;
use crate::kernel::words::{Message, Words};

/// A mail's subject and texts.
pub(super) struct Texts {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    language: &'a str,
    subject: &'a str,
    paragraphs: &'a [String],
    button: Option<(&'a str, &'a str)>,
    closing: &'a [String],
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct Text<'a> {
    paragraphs: &'a [String],
    button: Option<(&'a str, &'a str)>,
    closing: &'a [String],
}

/// Writes the mail. `service` is what readers know the service by, `link` with its token stands under the words, and
/// is good for `life`.
///
/// Nothing that a stranger chose is in it, the names of users among them: a mail of ours must not carry their words.
/// The client's own description of itself in the notice of a new device is the one exception, and is escaped.
pub(super) fn render(
    kind: &LetterKind,
    service: &str,
    link: Option<&str>,
    life: Duration,
    language: Language,
) -> Result<Texts, AuthError> {
    let words = Words::of(language);
    let life = span(words, life);
    let own = values(kind, words);
    let given = [("service", service), ("life", &life)].into_iter();
    let values: Vec<_> = given.chain(own.iter().map(|(name, value)| (*name, value.as_str()))).collect();
    let said = words.message(&format!("letter-{}", kind.as_str()), &values);
    let Message { text: subject, parts } =
        said.ok_or_else(|| AuthError::internal("write a mail", format!("no words for {}", kind.as_str())))?;
    let (mut paragraphs, mut closing, mut label) = (Vec::new(), Vec::new(), String::new());
    for (name, text) in parts {
        match name {
            "button" => label = text,
            "closing" => closing.push(text),
            _ => paragraphs.push(text),
        }
    }
    let button = link.map(|link| (label.as_str(), link));
    let html = Html {
        language: language.tag(),
        subject: &subject,
        paragraphs: &paragraphs,
        button,
        closing: &closing,
    };
    let text = Text { paragraphs: &paragraphs, button, closing: &closing };
    let failed = |error: askama::Error| AuthError::internal("write a mail", error);
    let (html, text) = (html.render().map_err(failed)?, text.render().map_err(failed)?);
    Ok(Texts { subject, text, html })
}

/// What stands in this mail and in no other.
fn values(kind: &LetterKind, words: &Words) -> Vec<(&'static str, String)> {
    match kind {
        LetterKind::EmailChanging(to) | LetterKind::EmailChanged(to) => vec![("to", to.clone())],
        LetterKind::IdentityLinked(provider) => vec![("provider", provider.clone())],
        LetterKind::NewDevice { address, device, at } => {
            vec![("address", address.clone()), ("device", device.clone()), ("time", words.time(*at))]
        }
        _ => Vec::new(),
    }
}

/// As people say how long a link is good.
fn span(words: &Words, life: Duration) -> String {
    match (days(life), hours(life)) {
        (Some(days), _) => words.count("life-days", days),
        (None, Some(hours)) => words.count("life-hours", hours),
        (None, None) => words.count("life-minutes", life.as_secs() / 60),
    }
}

/// Whole days, where hours would have to be counted.
fn days(life: Duration) -> Option<u64> {
    let days = life.as_secs() / (24 * 3600);
    (days > 3).then_some(days)
}

/// Whole hours, where they are more than one.
fn hours(life: Duration) -> Option<u64> {
    let hours = life.as_secs() / 3600;
    (hours > 1).then_some(hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_kind() -> Vec<LetterKind> {
        let to = || "new&<b>@example.com".to_owned();
        vec![
            LetterKind::VerifyEmail,
            LetterKind::ChangeEmail,
            LetterKind::ResetPassword,
            LetterKind::MagicLink,
            LetterKind::Invitation,
            LetterKind::OrgInvitation,
            LetterKind::RegisteredAlready,
            LetterKind::AddressTaken,
            LetterKind::EmailChanging(to()),
            LetterKind::EmailChanged(to()),
            LetterKind::PasswordReset,
            LetterKind::PasswordChanged,
            LetterKind::IdentityLinked("<b>Corp</b>".to_owned()),
            LetterKind::IdentityUnlinked,
            LetterKind::NewDevice {
                address: "203.0.113.7".to_owned(),
                device: "<script>alert(1)</script>\"'".to_owned(),
                at: crate::kernel::time::Timestamp::from_millis(0),
            },
        ]
    }

    fn texts(kind: &LetterKind, link: Option<&str>, language: Language) -> Texts {
        render(kind, "auth.example.com", link, Duration::from_secs(3600), language).unwrap()
    }

    #[test]
    fn every_mail_as_it_reads() {
        let mut pages = String::new();
        for language in [Language::English, Language::German] {
            for kind in every_kind() {
                let word = kind.as_str();
                let is_notice = matches!(word, "address_taken" | "new_device")
                    || ["email_", "password_", "identity_"].iter().any(|start| word.starts_with(start));
                let link = (!is_notice).then_some("https://auth.example.com/x#token=t");
                let Texts { subject, text, .. } = texts(&kind, link, language);
                pages.push_str(&format!("== {} {subject}\n{text}", kind.as_str()));
            }
        }
        insta::assert_snapshot!(pages);
    }

    #[test]
    fn every_mail_has_its_words_and_no_word_is_left_over() {
        let [english, _] = crate::kernel::words::keys();
        let mut left: std::collections::BTreeSet<_> =
            english.iter().filter_map(|key| key.strip_prefix("letter-")).collect();
        for kind in every_kind() {
            let own = format!("{}.", kind.as_str());
            assert!(left.remove(kind.as_str()), "{own}");
            left.retain(|key| !key.starts_with(&own));
        }
        // What several of them say.
        assert_eq!(left.into_iter().collect::<Vec<_>>(), ["act", "ignore", "keys", "once", "unexpected"]);
    }

    #[test]
    fn what_is_not_ours_is_escaped_in_html() {
        for language in [Language::English, Language::German] {
            for kind in every_kind() {
                let html = texts(&kind, Some("https://a.example/x?a=1&b=\"<i>\"#token=t"), language).html;
                for raw in ["<script>", "<b>", "<i>", "\"<", "a=1&b"] {
                    assert!(!html.contains(raw), "{raw} in {html}");
                }
                assert!(html.contains(&format!("lang=\"{}\"", language.tag())));
            }
        }
    }

    #[test]
    fn the_html_page_as_it_is() {
        insta::assert_snapshot!(
            texts(&LetterKind::ResetPassword, Some("https://auth.example.com/x#token=t"), Language::English)
                .html
        );
    }
}
