//! The words of each mail, in English and German, and how they become text and HTML.

use std::time::Duration;

use askama::Template;

use super::model::LetterKind;
use crate::kernel::error::AuthError;
use crate::kernel::language::Language;

/// A mail's subject and texts.
pub(super) struct Texts {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// What is said, before it has a form.
struct Words {
    subject: String,
    paragraphs: Vec<String>,
    /// What is written on the link.
    label: &'static str,
    /// What to do if the reader did not ask for it.
    closing: Vec<String>,
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
    let words = match language {
        Language::English => english(kind, service, &span_in_english(life)),
        Language::German => german(kind, service, &span_in_german(life)),
    };
    let Words { subject, paragraphs, label, closing } = &words;
    let button = link.map(|link| (*label, link));
    let html = Html { language: language.tag(), subject, paragraphs, button, closing };
    let text = Text { paragraphs, button, closing };
    let failed = |error: askama::Error| AuthError::internal("write a mail", error);
    let (html, text) = (html.render().map_err(failed)?, text.render().map_err(failed)?);
    Ok(Texts { subject: words.subject, text, html })
}

fn english(kind: &LetterKind, service: &str, life: &str) -> Words {
    let once = format!("The link works once, within {life}.");
    let ignore = "If you did not ask for this, ignore this mail: nothing changes.".to_owned();
    let act = format!("If this was not you, set another password at {service} at once.");
    let (subject, paragraphs, label, closing) = match kind {
        LetterKind::VerifyEmail => (
            format!("Confirm your e-mail address for {service}"),
            vec![format!("Please confirm that this address belongs to your account at {service}."), once],
            "Confirm address",
            vec![format!(
                "If you did not make an account at {service}, do not use the link: whoever made the account \
                         could use it under your address."
            )],
        ),
        LetterKind::ChangeEmail => (
            format!("Confirm your new e-mail address for {service}"),
            vec![
                format!(
                    "Please confirm that your account at {service} is to have this address. You have to be signed in \
                     to that account."
                ),
                once,
            ],
            "Confirm address",
            vec![ignore],
        ),
        LetterKind::ResetPassword => (
            format!("Set another password for {service}"),
            vec![
                format!(
                    "With this link you set another password for your account at {service}. It signs you out \
                         everywhere."
                ),
                once,
            ],
            "Set password",
            vec![ignore],
        ),
        LetterKind::MagicLink => (
            format!("Sign in to {service}"),
            vec![
                format!(
                    "With this link you sign in to {service}. Open it in the browser in which you asked for it."
                ),
                once,
            ],
            "Sign in",
            vec![ignore],
        ),
        LetterKind::Invitation => (
            format!("You are invited to {service}"),
            vec![format!("An account at {service} was made for you. Choose a password to use it."), once],
            "Choose password",
            vec!["If you expect no invitation, ignore this mail.".to_owned()],
        ),
        LetterKind::OrgInvitation => (
            format!("You are invited to an organization at {service}"),
            vec![
                format!(
                    "Somebody at {service} invites you to their organization. Sign in with the account of this \
                         address, or make one, and accept."
                ),
                once,
            ],
            "See the invitation",
            vec!["If you expect no invitation, ignore this mail.".to_owned()],
        ),
        LetterKind::RegisteredAlready => (
            format!("You have an account at {service} already"),
            vec![
                format!(
                    "Somebody, perhaps you, tried to register at {service} with this address, which has an \
                         account already. If you forgot your password, set another one."
                ),
                once,
            ],
            "Set password",
            vec![ignore],
        ),
        LetterKind::AddressTaken => (
            format!("Somebody asked for your address at {service}"),
            vec![format!(
                "Somebody wanted to give their account at {service} this address. It is the address of your account, \
                 so nothing was changed."
            )],
            "",
            vec![],
        ),
        LetterKind::EmailChanging(to) => (
            format!("Your address at {service} is about to change"),
            vec![format!(
                "Somebody who is signed in to your account at {service} asked to change its address to {to}. It \
                 changes once that address is confirmed."
            )],
            "",
            vec![act],
        ),
        LetterKind::EmailChanged(to) => (
            format!("Your address at {service} was changed"),
            vec![format!("The address of your account at {service} is {to} now. Mail no longer comes here.")],
            "",
            vec![format!("If this was not you, turn to whoever runs {service}.")],
        ),
        LetterKind::PasswordReset => (
            format!("Your password for {service} was set anew"),
            vec![
                format!(
                    "The password of your account at {service} was set by a link from a mail. All sessions have \
                         ended."
                ),
                "API keys of the account and links to other providers still work: look through them if somebody else may \
                 have made one."
                    .to_owned(),
            ],
            "",
            vec![act],
        ),
        LetterKind::PasswordChanged => (
            format!("Your password for {service} was changed"),
            vec![
                format!(
                    "Somebody who is signed in to your account at {service}, and knew its password, changed it. All \
                         other sessions have ended."
                ),
                "API keys of the account and links to other providers still work: look through them if somebody else may \
                 have made one."
                    .to_owned(),
            ],
            "",
            vec![act],
        ),
        LetterKind::IdentityLinked(provider) => (
            format!("{provider} was linked to your account at {service}"),
            vec![format!(
                "Whoever is signed in at {provider} as the user who was linked can sign in to your account at {service} \
                 from now on."
            )],
            "",
            vec![format!(
                "If this was not you, remove the link at {service}, and set another password there."
            )],
        ),
        LetterKind::IdentityUnlinked => (
            format!("A link was removed from your account at {service}"),
            vec![format!(
                "Your account at {service} was linked to another provider, through which you could sign in. Somebody \
                 who is signed in to your account removed the link."
            )],
            "",
            vec![act],
        ),
        LetterKind::NewDevice { address, device, at } => (
            format!("New sign-in to {service}"),
            vec![
                format!(
                    "Somebody signed in to your account at {service} from an address that it was not used from \
                         before."
                ),
                format!("Time: {at}"),
                format!("Address: {address}"),
                format!("Program: {device}"),
            ],
            "",
            vec![act],
        ),
    };
    Words { subject, paragraphs, label, closing }
}

fn german(kind: &LetterKind, service: &str, life: &str) -> Words {
    let once = format!("Der Link gilt einmal und {life} lang.");
    let ignore = "Wenn Sie das nicht angefordert haben, ist nichts zu tun: Es ändert sich nichts.".to_owned();
    let act = format!("Wenn Sie das nicht waren, setzen Sie bei {service} sofort ein anderes Passwort.");
    let (subject, paragraphs, label, closing) = match kind {
        LetterKind::VerifyEmail => (
            format!("Bestätigen Sie Ihre E-Mail-Adresse für {service}"),
            vec![format!("Bitte bestätigen Sie, dass diese Adresse zu Ihrem Konto bei {service} gehört."), once],
            "Adresse bestätigen",
            vec![format!(
                "Wenn Sie bei {service} kein Konto angelegt haben, benutzen Sie den Link nicht: Sonst könnte, wer das \
                 Konto angelegt hat, es unter Ihrer Adresse benutzen."
            )],
        ),
        LetterKind::ChangeEmail => (
            format!("Bestätigen Sie Ihre neue E-Mail-Adresse für {service}"),
            vec![
                format!(
                    "Bitte bestätigen Sie, dass Ihr Konto bei {service} diese Adresse haben soll. Dazu müssen Sie mit \
                     diesem Konto angemeldet sein."
                ),
                once,
            ],
            "Adresse bestätigen",
            vec![ignore],
        ),
        LetterKind::ResetPassword => (
            format!("Neues Passwort für {service}"),
            vec![
                format!("Mit diesem Link setzen Sie ein neues Passwort für Ihr Konto bei {service}. Alle Sitzungen \
                         enden damit."),
                once,
            ],
            "Passwort setzen",
            vec![ignore],
        ),
        LetterKind::MagicLink => (
            format!("Anmelden bei {service}"),
            vec![
                format!("Mit diesem Link melden Sie sich bei {service} an. Öffnen Sie ihn in dem Browser, in dem Sie \
                         ihn angefordert haben."),
                once,
            ],
            "Anmelden",
            vec![ignore],
        ),
        LetterKind::Invitation => (
            format!("Einladung zu {service}"),
            vec![
                format!("Für Sie wurde ein Konto bei {service} angelegt. Wählen Sie ein Passwort, um es zu benutzen."),
                once,
            ],
            "Passwort wählen",
            vec!["Wenn Sie keine Einladung erwarten, ist nichts zu tun.".to_owned()],
        ),
        LetterKind::OrgInvitation => (
            format!("Einladung in eine Organisation bei {service}"),
            vec![
                format!(
                    "Jemand bei {service} lädt Sie in eine Organisation ein. Melden Sie sich mit dem Konto dieser Adresse \
                         an oder legen Sie eines an, und nehmen Sie an."
                ),
                once,
            ],
            "Einladung ansehen",
            vec!["Wenn Sie keine Einladung erwarten, ist nichts zu tun.".to_owned()],
        ),
        LetterKind::RegisteredAlready => (
            format!("Sie haben schon ein Konto bei {service}"),
            vec![
                format!("Jemand, vielleicht Sie, wollte sich bei {service} mit dieser Adresse registrieren, zu der es \
                         schon ein Konto gibt. Wenn Sie Ihr Passwort vergessen haben, setzen Sie ein neues."),
                once,
            ],
            "Passwort setzen",
            vec![ignore],
        ),
        LetterKind::AddressTaken => (
            format!("Jemand wollte Ihre Adresse bei {service} benutzen"),
            vec![format!(
                "Jemand wollte einem Konto bei {service} diese Adresse geben. Sie gehört zu Ihrem Konto, deshalb \
                 wurde nichts geändert."
            )],
            "",
            vec![],
        ),
        LetterKind::EmailChanging(to) => (
            format!("Ihre Adresse bei {service} soll geändert werden"),
            vec![format!(
                "Jemand, der bei Ihrem Konto bei {service} angemeldet ist, möchte dessen Adresse in {to} ändern. Sie \
                 ändert sich, sobald die neue Adresse bestätigt ist."
            )],
            "",
            vec![act],
        ),
        LetterKind::EmailChanged(to) => (
            format!("Ihre Adresse bei {service} wurde geändert"),
            vec![format!("Die Adresse Ihres Kontos bei {service} ist jetzt {to}. Hierher kommt keine Mail mehr.")],
            "",
            vec![format!("Wenn Sie das nicht waren, wenden Sie sich an die Betreiber von {service}.")],
        ),
        LetterKind::PasswordReset => (
            format!("Ihr Passwort für {service} wurde neu gesetzt"),
            vec![
                format!("Das Passwort Ihres Kontos bei {service} wurde mit einem Link aus einer Mail gesetzt. Alle \
                         Sitzungen sind beendet."),
                "API-Schlüssel des Kontos und Verbindungen mit anderen Anbietern gelten weiter: Sehen Sie sie durch, falls \
                 jemand anderes sie angelegt haben könnte."
                    .to_owned(),
            ],
            "",
            vec![act],
        ),
        LetterKind::PasswordChanged => (
            format!("Ihr Passwort für {service} wurde geändert"),
            vec![
                format!("Jemand, der bei Ihrem Konto bei {service} angemeldet ist und dessen Passwort kannte, hat es \
                         geändert. Alle anderen Sitzungen sind beendet."),
                "API-Schlüssel des Kontos und Verbindungen mit anderen Anbietern gelten weiter: Sehen Sie sie durch, falls \
                 jemand anderes sie angelegt haben könnte."
                    .to_owned(),
            ],
            "",
            vec![act],
        ),
        LetterKind::IdentityLinked(provider) => (
            format!("{provider} ist jetzt mit Ihrem Konto bei {service} verbunden"),
            vec![format!(
                "Wer bei {provider} als der verbundene Benutzer angemeldet ist, kann sich von jetzt an bei Ihrem Konto \
                 bei {service} anmelden."
            )],
            "",
            vec![format!("Wenn Sie das nicht waren, entfernen Sie die Verbindung bei {service} und setzen dort ein \
                 anderes Passwort.")],
        ),
        LetterKind::IdentityUnlinked => (
            format!("Eine Verbindung Ihres Kontos bei {service} wurde entfernt"),
            vec![format!(
                "Ihr Konto bei {service} war mit einem anderen Anbieter verbunden, über den Sie sich anmelden konnten. \
                 Jemand, der bei Ihrem Konto angemeldet ist, hat die Verbindung entfernt."
            )],
            "",
            vec![act],
        ),
        LetterKind::NewDevice { address, device, at } => (
            format!("Neue Anmeldung bei {service}"),
            vec![
                format!("Jemand hat sich bei Ihrem Konto bei {service} von einer Adresse aus angemeldet, von der aus \
                         es bisher nicht benutzt wurde."),
                format!("Zeit: {at}"),
                format!("Adresse: {address}"),
                format!("Programm: {device}"),
            ],
            "",
            vec![act],
        ),
    };
    Words { subject, paragraphs, label, closing }
}

fn span_in_english(life: Duration) -> String {
    match (days(life), hours(life)) {
        (Some(days), _) => format!("{days} days"),
        (None, Some(hours)) => format!("{hours} hours"),
        (None, None) => format!("{} minutes", life.as_secs() / 60),
    }
}

fn span_in_german(life: Duration) -> String {
    match (days(life), hours(life)) {
        (Some(days), _) => format!("{days} Tage"),
        (None, Some(hours)) => format!("{hours} Stunden"),
        (None, None) => format!("{} Minuten", life.as_secs() / 60),
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
