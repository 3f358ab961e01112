//! Makes, finds and uses up mailed links.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use uuid::Uuid;
use wardgate_crypto::{Digest, OpaqueToken, SubKey};
use wardgate_store::{StoreError, Tx};
use zeroize::Zeroizing;

use super::model::{Link, LinkUrls, Purpose};
use super::store;
use crate::environment::Environment;
use crate::features::outbox::{self, Letter, LetterKind, Outbox};
use crate::kernel::email::Email;
use crate::kernel::error::AuthError;
use crate::kernel::ids::UserId;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::kernel::time::Timestamp;

const TOKEN_PREFIX: &str = "wgm";
const BROWSER_PREFIX: &str = "wgb";

/// Rows removed in one transaction.
const PURGE_BATCH: i64 = 200;

/// The mailed links of all tenants.
pub(crate) struct Links {
    env: Arc<Environment>,
    outbox: Arc<Outbox>,
    key: SubKey,
    /// Of the tenant `default`.
    urls: LinkUrls,
}

/// A link about to be mailed: its token stands in the letter and nowhere else.
pub(crate) struct NewLink {
    purpose: Purpose,
    digest: Digest,
    slot: Digest,
    browser: Option<Digest>,
    new_email: Option<Email>,
    expires_at: Timestamp,
    letter: Letter,
}

/// Whose link it becomes, and where the mail goes.
#[derive(Clone, Copy)]
pub(crate) struct Receiver<'a> {
    pub(crate) user: UserId,
    /// The version of their password, 0 if there is none.
    pub(crate) password_version: i64,
    pub(crate) to: &'a Email,
}

/// A presented token that is well formed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MailedToken(Digest);

/// Writes the link and its mail in the transaction of the request. One for the same is gone from now on (S-126).
/// Without a receiver the same is written, for nobody.
pub(crate) async fn issue(
    tx: &mut Tx,
    new: &NewLink,
    receiver: Option<Receiver<'_>>,
) -> Result<(), AuthError> {
    let nobody = UserId::from_uuid(Uuid::nil());
    let link = Link {
        purpose: new.purpose,
        slot: new.slot,
        user: receiver.map_or(nobody, |receiver| receiver.user),
        password_version: receiver.map_or(0, |receiver| receiver.password_version),
        browser: new.browser,
        new_email: new.new_email.clone(),
    };
    store::put(tx, new.digest, &link, new.expires_at).await?;
    outbox::post(tx, &new.letter, receiver.map(|receiver| receiver.to)).await
}

/// Removes some of what is the tenant's, as when it goes; how many rows.
pub(crate) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::forget(tx, limit).await
}

/// The link of this token, if it is not over; it stays as it is.
pub(crate) async fn find(
    tx: &mut Tx,
    token: MailedToken,
    now: Timestamp,
) -> Result<Option<Link>, StoreError> {
    store::find(tx, token.0, now).await
}

/// Uses the link up: of many calls at once one gets it. A transaction that fails afterwards leaves it as it was.
pub(crate) async fn take(
    tx: &mut Tx,
    token: MailedToken,
    now: Timestamp,
) -> Result<Option<Link>, StoreError> {
    store::take(tx, token.0, now).await
}

impl Links {
    pub(crate) fn new(env: Arc<Environment>, outbox: Arc<Outbox>, key: SubKey, urls: LinkUrls) -> Self {
        Self { env, outbox, key, urls }
    }

    /// What its mails wait in.
    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// A link for the account of `email`, whether or not there is one. `target` is what the audit log will say.
    pub(crate) fn for_address(
        &self,
        tenant: &CurrentTenant,
        purpose: Purpose,
        kind: LetterKind,
        email: &Email,
        target: impl Display,
        source: &Source,
    ) -> Result<NewLink, AuthError> {
        self.new_link(tenant, purpose, kind, self.slot(purpose, email.normalized()), target, source)
    }

    /// A link by which the account of `user` gets the address `to`.
    pub(crate) fn for_change(
        &self,
        tenant: &CurrentTenant,
        user: UserId,
        to: &Email,
        source: &Source,
    ) -> Result<NewLink, AuthError> {
        let purpose = Purpose::ChangeEmail;
        let slot = self.slot(purpose, &user.to_string());
        let new = self.new_link(tenant, purpose, LetterKind::ChangeEmail, slot, user, source)?;
        Ok(NewLink { new_email: Some(to.clone()), ..new })
    }

    fn new_link(
        &self,
        tenant: &CurrentTenant,
        purpose: Purpose,
        kind: LetterKind,
        slot: Digest,
        target: impl Display,
        source: &Source,
    ) -> Result<NewLink, AuthError> {
        let token = OpaqueToken::generate(TOKEN_PREFIX, self.env.rng.as_ref());
        let url = Zeroizing::new(self.urls_of(tenant).link(purpose, &tenant.issuer, &token.reveal()));
        let letter =
            self.outbox.letter(tenant, kind, target, Some((&url, purpose.life())), source.language)?;
        Ok(NewLink {
            purpose,
            digest: token.digest(),
            slot,
            browser: None,
            new_email: None,
            expires_at: self.env.now().plus(purpose.life()),
            letter,
        })
    }

    /// The link that accepts an invitation to an organization, whose table has the token's digest.
    pub(crate) fn to_organization(&self, tenant: &CurrentTenant, token: &str) -> Zeroizing<String> {
        Zeroizing::new(self.urls_of(tenant).organization_link(&tenant.issuer, token))
    }

    /// The configured pages are the tenant `default`'s, each other has its own.
    fn urls_of(&self, tenant: &CurrentTenant) -> Cow<'_, LinkUrls> {
        if tenant.is_default() {
            Cow::Borrowed(&self.urls)
        } else {
            Cow::Owned(tenant.mail_urls.as_ref().into())
        }
    }

    /// Binds the link to one browser; gives what that is to hold.
    pub(crate) fn bind_to_browser(&self, link: &mut NewLink) -> Zeroizing<String> {
        let value = OpaqueToken::generate(BROWSER_PREFIX, self.env.rng.as_ref());
        link.browser = Some(value.digest());
        value.reveal()
    }

    /// Reads a presented token; garbage never reaches the database.
    pub(crate) fn read(text: &str) -> Option<MailedToken> {
        OpaqueToken::parse(TOKEN_PREFIX, text).map(|token| MailedToken(token.digest()))
    }

    /// Whether `held` is what the browser that asked for the link was given.
    pub(crate) fn is_same_browser(link: &Link, held: Option<&str>) -> bool {
        let held = held.and_then(|held| OpaqueToken::parse(BROWSER_PREFIX, held));
        link.browser.is_none_or(|browser| held.is_some_and(|held| held.digest() == browser))
    }

    /// Whether the link is still good for the account as it is now: by its address, and by its password where the
    /// purpose asks for it (S-126, S-129).
    pub(crate) fn fits(&self, link: &Link, user: UserId, email: &Email, password_version: i64) -> bool {
        let slot = match link.purpose {
            Purpose::ChangeEmail => self.slot(link.purpose, &user.to_string()),
            purpose => self.slot(purpose, email.normalized()),
        };
        link.user == user
            && link.slot == slot
            && (!link.purpose.dies_with_password() || link.password_version == password_version)
    }

    /// Removes links that are over, a few a transaction.
    pub(crate) async fn purge(&self) -> Result<(), StoreError> {
        let now = self.env.now();
        while self
            .env
            .db
            .write_global(now, |tx, now| Box::pin(async move { store::purge(tx, *now, PURGE_BATCH).await }))
            .await?
            > 0
        {}
        Ok(())
    }

    fn slot(&self, purpose: Purpose, text: &str) -> Digest {
        self.key.hmac(&[purpose.as_str().as_bytes(), text.as_bytes()]).into()
    }
}
