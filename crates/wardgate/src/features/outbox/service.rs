//! Writes mails down in a transaction, and sends them after it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use wardgate_crypto::Keyring;
use wardgate_store::{BoxFuture, GlobalSql, StoreError, Tx};
use zeroize::Zeroizing;

use super::letter::{self, Texts};
use super::model::{GIVEN_UP_AFTER, LEASE, LONGEST_SEND, LetterKind, delay};
use super::store::{self, NewMail, Waiting};
use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit};
use crate::features::instance::{Resealing, SealedRows};
use crate::kernel::email::Email;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{MailId, RequestId, TenantId};
use crate::kernel::language::Language;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::kernel::time::Timestamp;
use crate::ports::ephemeral::Limit;
use crate::ports::{Mail, MailError, Mailer};

const PURPOSE: &str = "wardgate outbox";

/// Mails sent side by side: one that hangs must not hold the others up.
const BATCH: i64 = 20;

/// Batches of one run, so that a run ends although mails keep coming.
const BATCHES: usize = 50;

/// Mails that one transaction seals anew; they are long.
const RESEALED_AT_ONCE: i64 = 100;

/// Mails sent to one address for one reason, an hour: whoever asks for more fills a stranger's mailbox.
pub(crate) const MAILS_PER_RECIPIENT: Limit =
    Limit { name: "mail_recipient", requests: 5, window: Duration::from_secs(60 * 60) };

/// The mails of all tenants.
pub(crate) struct Outbox {
    env: Arc<Environment>,
    audit: Arc<Audit>,
    master: Arc<Keyring>,
    mailer: Option<Arc<dyn Mailer>>,
    /// What readers know the tenant `default` by.
    service: String,
}

/// A mail that is written, and lacks only somebody to go to.
pub(crate) struct Letter {
    outbox: Arc<Outbox>,
    id: MailId,
    kind: LetterKind,
    texts: Texts,
    /// What the audit log will say whom it was about.
    target: String,
    now: Timestamp,
    keep_until: Timestamp,
}

/// What lies sealed in the row.
#[derive(Serialize, Deserialize)]
struct Sealed {
    /// Nobody, where there is no account: the row is written all the same, so that time tells nothing (S-124).
    to: Option<String>,
    subject: String,
    text: String,
    html: String,
}

/// What became of an attempt.
enum Sent {
    /// There was nobody to send it to.
    ToNobody,
    Yes,
    No,
    /// It was not tried in time.
    GivenUp,
}

/// Removes some of what is the tenant's, as when it goes; how many rows.
pub(crate) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::forget(tx, limit).await
}

/// The host of a URL.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// Writes the letter down in the transaction of the change that it tells of; `None` costs the same and goes nowhere.
pub(crate) async fn post(tx: &mut Tx, letter: &Letter, to: Option<&Email>) -> Result<(), AuthError> {
    let Letter { outbox, id, kind, texts, target, now, keep_until } = letter;
    let sealed = outbox.seal(*id, texts, to)?;
    let new =
        NewMail { id: *id, kind: kind.as_str(), target, sealed: &sealed, now: *now, keep_until: *keep_until };
    Ok(store::insert(tx, &new).await?)
}

impl Outbox {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        master: Arc<Keyring>,
        mailer: Option<Arc<dyn Mailer>>,
        service: String,
    ) -> Self {
        Self { env, audit, master, mailer, service }
    }

    /// Whether mail can be sent at all.
    pub(crate) fn is_on(&self) -> bool {
        self.mailer.is_some()
    }

    /// Refuses what is of no use without mail, for known and unknown addresses alike.
    pub(crate) fn require(&self) -> Result<(), AuthError> {
        if self.is_on() { Ok(()) } else { Err(AuthError::MailNotConfigured) }
    }

    /// Writes a mail about `target`: an id, or the keyed digest of an address. `link` is good for `life`, after which
    /// there is no use in sending it.
    pub(crate) fn letter(
        self: &Arc<Self>,
        tenant: &CurrentTenant,
        kind: LetterKind,
        target: impl std::fmt::Display,
        link: Option<(&str, Duration)>,
        language: Language,
    ) -> Result<Letter, AuthError> {
        let now = self.env.now();
        let life = link.map_or(GIVEN_UP_AFTER, |(_, life)| life);
        let service = if tenant.is_default() { &self.service } else { host(&tenant.issuer) };
        let texts = letter::render(&kind, service, link.map(|(url, _)| url), life, language)?;
        Ok(Letter {
            outbox: Arc::clone(self),
            id: MailId::new(now, self.env.random()),
            kind,
            texts,
            target: target.to_string(),
            now,
            keep_until: now.plus(life.min(GIVEN_UP_AFTER)),
        })
    }

    /// Sends what is due, once each, however many nodes do so at a time; how many were sent.
    ///
    /// A node that dies between sending a mail and writing that down leaves it to be sent again: at least once.
    pub(crate) async fn send_due(&self) -> Result<u64, AuthError> {
        let Some(mailer) = &self.mailer else { return Ok(0) };
        let mut sent = 0;
        let tenants = self.env.db.lookup_global(self.env.now(), |tx, now| {
            Box::pin(async move { Ok::<_, AuthError>(store::tenants(tx, *now).await?) })
        });
        for tenant in tenants.await? {
            sent += self.send_due_of(tenant, mailer.as_ref()).await?;
        }
        Ok(sent)
    }

    async fn send_due_of(&self, tenant: TenantId, mailer: &dyn Mailer) -> Result<u64, AuthError> {
        let mut sent = 0;
        for _ in 0..BATCHES {
            let due = self.env.db.lookup(tenant.into(), self.env.now(), |tx, now| {
                Box::pin(async move { Ok::<_, AuthError>(store::due(tx, *now, BATCH).await?) })
            });
            let due = due.await?;
            if due.is_empty() {
                break;
            }
            let attempts = due.into_iter().map(|waiting| self.attempt(tenant, mailer, waiting));
            for attempt in futures_util::future::join_all(attempts).await {
                sent += u64::from(attempt?);
            }
        }
        Ok(sent)
    }

    /// Says whether this call sent it.
    async fn attempt(
        &self,
        tenant: TenantId,
        mailer: &dyn Mailer,
        mut waiting: Waiting,
    ) -> Result<bool, AuthError> {
        if self.env.now() >= waiting.keep_until {
            self.settle(tenant, &waiting, &Sent::GivenUp).await?;
            return Ok(false);
        }
        let until = self.env.now().plus(LEASE);
        let claim = (waiting.id, waiting.due_at, until);
        let claimed = self.env.db.write(tenant.into(), claim, |tx, (id, seen, until)| {
            Box::pin(async move { Ok::<_, AuthError>(store::claim(tx, *id, *seen, *until).await?) })
        });
        // Somebody else's.
        if !claimed.await? {
            return Ok(false);
        }
        (waiting.due_at, waiting.attempts) = (until, waiting.attempts + 1);
        let sent = self.send(mailer, &waiting).await.unwrap_or_else(|error| {
            tracing::warn!(mail = %waiting.id, kind = waiting.kind, attempts = waiting.attempts, %error, "a mail could not be sent; it is tried again");
            Sent::No
        });
        self.settle(tenant, &waiting, &sent).await?;
        Ok(matches!(sent, Sent::Yes))
    }

    async fn send(&self, mailer: &dyn Mailer, waiting: &Waiting) -> Result<Sent, MailError> {
        let Sealed { to, subject, text, html } = self.open(waiting).map_err(MailError)?;
        let Some(to) = to else { return Ok(Sent::ToNobody) };
        let to = to.parse().map_err(|_| MailError("the recipient is no address".to_owned()))?;
        let mail = Mail { id: waiting.id.to_string(), to, subject, text, html };
        let span = tracing::trace_span!("send mail", otel.kind = "client");
        match tokio::time::timeout(LONGEST_SEND, mailer.send(&mail)).instrument(span).await {
            Ok(sent) => sent.map(|()| Sent::Yes),
            Err(_) => Err(MailError("the mail server took longer than a minute".to_owned())),
        }
    }

    /// Writes down what became of a mail, unless it is another's by now.
    async fn settle(&self, tenant: TenantId, waiting: &Waiting, sent: &Sent) -> Result<(), AuthError> {
        let now = self.env.now();
        let source = Source {
            address: None,
            user_agent: None,
            language: Language::default(),
            request_id: RequestId::new(now, self.env.random()),
        };
        let target = format!("{} {}", waiting.kind, waiting.target);
        let entry = match sent {
            Sent::Yes => Some(self.audit.done(&source, Actor::System, Action::MailSent, target)),
            Sent::GivenUp => Some(self.audit.refused(&source, Actor::System, Action::MailGivenUp, target)),
            Sent::No | Sent::ToNobody => None,
        };
        let retry_at = now.plus(delay(waiting.attempts)).min(waiting.keep_until);
        let retry_at = matches!(sent, Sent::No).then_some(retry_at);
        let input = (waiting.id, waiting.due_at, retry_at, entry);
        self.env
            .db
            .write(tenant.into(), input, |tx, (id, seen, retry_at, entry)| {
                Box::pin(async move {
                    let is_ours = match retry_at {
                        Some(retry_at) => store::postpone(tx, *id, *seen, *retry_at).await?,
                        None => store::remove(tx, *id, *seen).await?,
                    };
                    match entry {
                        Some(entry) if is_ours => Ok(audit::record(tx, entry).await?),
                        _ => Ok(()),
                    }
                })
            })
            .await
    }

    fn seal(&self, id: MailId, texts: &Texts, to: Option<&Email>) -> Result<Vec<u8>, AuthError> {
        let sealed = Sealed {
            to: to.map(|to| to.as_str().to_owned()),
            subject: texts.subject.clone(),
            text: texts.text.clone(),
            html: texts.html.clone(),
        };
        let plain = serde_json::to_vec(&sealed).map(Zeroizing::new);
        let plain = plain.map_err(|error| AuthError::internal("write a mail down", error))?;
        let sealed = self.master.seal(PURPOSE, id.as_uuid().as_bytes(), &plain, self.env.rng.as_ref());
        sealed.map_err(|error| AuthError::internal("seal a mail", error))
    }

    fn open(&self, waiting: &Waiting) -> Result<Sealed, String> {
        let plain = self.master.open(PURPOSE, waiting.id.as_uuid().as_bytes(), &waiting.sealed);
        let plain = plain.map_err(|error| error.to_string())?;
        serde_json::from_slice(&plain).map_err(|error| error.to_string())
    }
}

impl SealedRows for Outbox {
    const NAME: &str = "mails";
    const COUNT_BEHIND: GlobalSql = store::COUNT_BEHIND;
    const TENANTS_BEHIND: GlobalSql = store::TENANTS_BEHIND;

    fn reseal<'t>(tx: &'t mut Tx, under: &'t Resealing) -> BoxFuture<'t, Result<u64, AuthError>> {
        Box::pin(reseal(tx, under))
    }
}

async fn reseal(tx: &mut Tx, under: &Resealing) -> Result<u64, AuthError> {
    let mut resealed = 0;
    for (id, sealed) in store::list_behind(tx, &under.mark, RESEALED_AT_ONCE).await? {
        let anew = under.seal(PURPOSE, id.as_uuid().as_bytes(), &sealed)?;
        resealed += u64::from(store::reseal(tx, id, &sealed, &anew).await?);
    }
    Ok(resealed)
}
