//! Mails over SMTP.

use std::net::IpAddr;
use std::time::Duration;

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use zeroize::Zeroizing;

use super::{BoxFuture, Mail, MailError, Mailer};

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SmtpTls {
    /// TLS after `STARTTLS`, never without it (RFC 3207); the port is usually 587.
    #[default]
    StartTls,
    /// TLS from the first byte (RFC 8314); the port is usually 465.
    Implicit,
    /// None: for a relay on this machine, and refused for any other.
    None,
}

/// How a mail server is reached, and as whom.
#[derive(Clone)]
pub struct SmtpSettings {
    /// The server's name or address; its certificate must be for it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// User and password, where the server asks for them.
    pub credentials: Option<(String, Zeroizing<String>)>,
    /// Whom mails come from: `no-reply@example.com` or `Example <no-reply@example.com>`.
    pub from: String,
    /// How long one step of the conversation may take.
    pub timeout: Duration,
}

/// Sends mail over SMTP, one connection a mail.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMailer {
    /// Looks at the settings; connects only to send.
    ///
    /// # Errors
    /// What is wrong with them, and what to write instead.
    pub fn new(settings: SmtpSettings) -> Result<Self, String> {
        let SmtpSettings { host, port, tls, credentials, from, timeout } = settings;
        let from = from.parse().map_err(|_| {
            "from: must be an address, such as no-reply@example.com or Example <no-reply@example.com>"
                .to_owned()
        })?;
        let tls = match tls {
            SmtpTls::None if !is_loopback(&host) => {
                return Err("tls: only a mail server on this machine is spoken to without TLS".to_owned());
            }
            SmtpTls::None => Tls::None,
            SmtpTls::StartTls => Tls::Required(parameters(&host)?),
            SmtpTls::Implicit => Tls::Wrapper(parameters(&host)?),
        };
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port).tls(tls);
        let transport = transport.timeout(Some(timeout));
        let transport = match credentials {
            Some((user, password)) => {
                transport.credentials(Credentials::new(user, password.as_str().to_owned()))
            }
            None => transport,
        };
        Ok(Self { transport: transport.build(), from })
    }

    fn message(&self, mail: &Mail) -> Result<Message, String> {
        let to: Address = mail.to.as_str().parse().map_err(|error| format!("recipient: {error}"))?;
        let domain = self.from.email.domain();
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject.as_str())
            .message_id(Some(format!("<{}@{domain}>", mail.id)))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .map_err(|error| error.to_string())
    }
}

fn parameters(host: &str) -> Result<TlsParameters, String> {
    TlsParameters::new(host.to_owned()).map_err(|error| format!("tls: {error}"))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let message = self.message(mail).map_err(MailError)?;
            self.transport.send(message).await.map(drop).map_err(|error| MailError(error.to_string()))
        })
    }
}

/// Tells machines that no person wrote it, so that no vacation notice comes back (RFC 3834 section 5).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(host: &str, tls: SmtpTls) -> SmtpSettings {
        SmtpSettings {
            host: host.to_owned(),
            port: 25,
            tls,
            credentials: None,
            from: "Example <no-reply@example.com>".to_owned(),
            timeout: Duration::from_secs(10),
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        for host in ["localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["mail.example.com", "localhost.example.com", "127.0.0.1.nip.io", "10.0.0.1", ""] {
            assert!(SmtpMailer::new(settings(host, SmtpTls::None)).is_err(), "{host}");
        }
        assert!(SmtpMailer::new(settings("mail.example.com", SmtpTls::StartTls)).is_ok());
        assert!(SmtpMailer::new(settings("mail.example.com", SmtpTls::Implicit)).is_ok());
    }

    #[test]
    fn the_message_has_one_recipient_both_texts_and_its_own_id() {
        let mailer = SmtpMailer::new(settings("localhost", SmtpTls::None)).unwrap();
        let mail = Mail {
            id: "mail_1".to_owned(),
            to: "ada@example.com".parse().unwrap(),
            subject: "Bestätigen\r\nBcc: eve@example.com".to_owned(),
            text: "Grüße".to_owned(),
            html: "<p>Grüße</p>".to_owned(),
        };
        let wire = String::from_utf8(mailer.message(&mail).unwrap().formatted()).unwrap();
        let (head, body) = wire.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Message-ID: <mail_1@example.com>"), "{head}");
        assert!(head.contains("Auto-Submitted: auto-generated"));
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(body.contains("text/plain") && body.contains("text/html"));
        assert!(!format!("{mail:?}").contains("ada@") && !format!("{mail:?}").contains("Grüße"));
    }
}
