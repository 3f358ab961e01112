//! Asks for mails, and does what their links are for.
//!
//! Whatever takes an address does the same work whether or not there is an account: a link is written and a mail
//! waits, for nobody where there is none (S-124).

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use wardgate_store::Tx;
use zeroize::Zeroizing;

use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit, Entry};
use crate::features::limits::{Limits, Route};
use crate::features::links::{self, Link, Links, MailedToken, NewLink, Purpose, Receiver};
use crate::features::outbox::{self, Letter, LetterKind, MAILS_PER_RECIPIENT, Outbox};
use crate::features::password::{
    Passwords, PreparedPassword, check_length_of, clear_unproven, replace, version_of,
};
use crate::features::users::{self, User};
use crate::kernel::email::Email;
use crate::kernel::error::AuthError;
use crate::kernel::ids::UserId;
use crate::kernel::language::Language;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::kernel::time::Timestamp;
use crate::ports::ephemeral::Limit;

/// Changes of address that an account asks for, an hour: each is told to the old address, wherever the new ones lie.
const CHANGES_PER_USER: Limit =
    Limit { name: "email_change", requests: 5, window: Duration::from_secs(60 * 60) };

/// Proving and changing addresses, and getting back in.
pub struct Recovery {
    env: Arc<Environment>,
    audit: Arc<Audit>,
    limits: Arc<Limits>,
    outbox: Arc<Outbox>,
    links: Arc<Links>,
    passwords: Arc<Passwords>,
}

/// A mail that somebody asks for by an address.
struct Request {
    email: Email,
    link: NewLink,
    /// Only those whose address is not proven yet.
    unproven_only: bool,
    asked: Entry,
}

/// A request for another address.
struct Change {
    user: UserId,
    to: Email,
    link: NewLink,
    /// To the address so far.
    notice: Letter,
    /// To whoever has the new one already.
    taken: Letter,
    asked: Entry,
}

/// A presented token, and all that using it needs.
struct Redemption {
    token: MailedToken,
    links: Arc<Links>,
    audit: Arc<Audit>,
    outbox: Arc<Outbox>,
    tenant: CurrentTenant,
    source: Source,
    now: Timestamp,
}

impl Redemption {
    async fn record(&self, tx: &mut Tx, action: Action, user: UserId) -> Result<(), AuthError> {
        let entry = self.audit.done(&self.source, Actor::User(user), action, user);
        Ok(audit::record(tx, &entry).await?)
    }

    async fn tell(&self, tx: &mut Tx, kind: LetterKind, user: &User) -> Result<(), AuthError> {
        let letter = self.outbox.letter(&self.tenant, kind, user.id, None, self.source.language)?;
        outbox::post(tx, &letter, Some(&user.email)).await
    }
}

impl Recovery {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        limits: Arc<Limits>,
        outbox: Arc<Outbox>,
        links: Arc<Links>,
        passwords: Arc<Passwords>,
    ) -> Self {
        Self { env, audit, limits, outbox, links, passwords }
    }

    /// Whether mail can be sent at all.
    #[cfg(feature = "pages")]
    pub(crate) fn can_mail(&self) -> bool {
        self.outbox.is_on()
    }

    /// Mails another link that proves the address, if an account has it and nobody proved it yet.
    pub async fn resend_verification(
        &self,
        tenant: &CurrentTenant,
        email: &Email,
        source: &Source,
    ) -> Result<(), AuthError> {
        self.admit(tenant, email, source).await?;
        let (purpose, kind) = (Purpose::VerifyEmail, LetterKind::VerifyEmail);
        let link = self.link(tenant, purpose, kind, email, source)?;
        self.ask(tenant, email, link, Action::EmailVerificationRequested, source).await
    }

    /// Mails a link that sets another password, to the stored address of the account.
    pub async fn forgot_password(
        &self,
        tenant: &CurrentTenant,
        email: &Email,
        source: &Source,
    ) -> Result<(), AuthError> {
        self.admit(tenant, email, source).await?;
        let (purpose, kind) = (Purpose::ResetPassword, LetterKind::ResetPassword);
        let link = self.link(tenant, purpose, kind, email, source)?;
        self.ask(tenant, email, link, Action::PasswordResetRequested, source).await
    }

    /// Mails a link that signs in; gives what the browser that asked is to hold, which alone can use it.
    pub async fn magic_link(
        &self,
        tenant: &CurrentTenant,
        email: &Email,
        source: &Source,
    ) -> Result<Zeroizing<String>, AuthError> {
        self.admit(tenant, email, source).await?;
        let mut link = self.link(tenant, Purpose::MagicLink, LetterKind::MagicLink, email, source)?;
        let browser = self.links.bind_to_browser(&mut link);
        self.ask(tenant, email, link, Action::MagicLinkRequested, source).await?;
        Ok(browser)
    }

    /// Counts before anything is looked at: by the source, and by the address that would get the mail (S-115).
    async fn admit(&self, tenant: &CurrentTenant, email: &Email, source: &Source) -> Result<(), AuthError> {
        self.outbox.require()?;
        self.limits.admit(tenant, Route::Mail, source).await?;
        self.limits.take(tenant.id, MAILS_PER_RECIPIENT, email.normalized().as_bytes(), source).await
    }

    fn link(
        &self,
        tenant: &CurrentTenant,
        purpose: Purpose,
        kind: LetterKind,
        email: &Email,
        source: &Source,
    ) -> Result<NewLink, AuthError> {
        self.links.for_address(
            tenant,
            purpose,
            kind,
            email,
            self.audit.identifier(email.normalized()),
            source,
        )
    }

    async fn ask(
        &self,
        tenant: &CurrentTenant,
        email: &Email,
        link: NewLink,
        action: Action,
        source: &Source,
    ) -> Result<(), AuthError> {
        let target = self.audit.identifier(email.normalized());
        let request = Request {
            email: email.clone(),
            link,
            unproven_only: action == Action::EmailVerificationRequested,
            asked: self.audit.done(source, Actor::Anonymous, action, target),
        };
        self.env.db.write(tenant.id.into(), request, |tx, request| Box::pin(ask(tx, request))).await
    }

    /// Proves an address by the token of its mail: that of an account, or the one that it is to have. The latter is for
    /// whoever asked and nobody else: a stranger may read the mail of a mistyped address, and somebody whose address a
    /// stranger gave may follow the link (S-129). `by` is whoever is signed in.
    ///
    /// # Errors
    /// [`AuthError::InvalidToken`] for every cause that has to do with the token; [`AuthError::MissingCredential`] and
    /// [`AuthError::WrongAccount`] leave it as it is.
    pub async fn verify_email(
        &self,
        tenant: &CurrentTenant,
        token: &str,
        by: Option<UserId>,
        source: &Source,
    ) -> Result<(), AuthError> {
        let input = (self.redemption(tenant, token, source)?, by);
        let verified = self
            .env
            .db
            .write(tenant.id.into(), input, |tx, (redemption, by)| Box::pin(verify(tx, redemption, *by)));
        self.settle(tenant, verified.await, source)
    }

    /// Sets the password by the token of a mail. All sessions end, and nobody is signed in (S-127).
    ///
    /// # Errors
    /// [`AuthError::InvalidToken`] for every cause that has to do with the token; a password that is refused leaves
    /// the token as it is.
    pub async fn reset_password(
        &self,
        tenant: &CurrentTenant,
        token: &str,
        new_password: &str,
        source: &Source,
    ) -> Result<(), AuthError> {
        let redemption = Arc::new(self.redemption(tenant, token, source)?);
        let looked = Arc::clone(&redemption);
        let owner = self.env.db.lookup(tenant.id.into(), looked, |tx, redemption| {
            Box::pin(async move {
                let link = links::find(tx, redemption.token, redemption.now).await?;
                let link = link.ok_or(AuthError::InvalidToken)?;
                let owner = owner(tx, redemption, &link).await?;
                if is_for_passwords(&link) { Ok(owner) } else { Err(AuthError::InvalidToken) }
            })
        });
        let owner = self.settle(tenant, owner.await, source)?;
        check_length_of(tenant, new_password, "new_password")?;
        let password = self.passwords.prepare(new_password, &owner.email, source).await?;
        let input = (redemption, password);
        let reset = self.env.db.write(tenant.id.into(), input, |tx, (redemption, password)| {
            Box::pin(reset(tx, redemption, password))
        });
        self.settle(tenant, reset.await, source)
    }

    /// Asks for another address of the own account: a mail to it has to be answered first, and the one so far is told
    /// (S-129). The answer is the same when it is another's, who is told.
    pub async fn change_email(
        &self,
        tenant: &CurrentTenant,
        user: &User,
        to: &Email,
        source: &Source,
    ) -> Result<(), AuthError> {
        self.admit(tenant, to, source).await?;
        self.limits.take(tenant.id, CHANGES_PER_USER, user.id.as_uuid().as_bytes(), source).await?;
        let (id, language) = (user.id, source.language);
        let notice = LetterKind::EmailChanging(to.as_str().to_owned());
        let change = Change {
            user: id,
            to: to.clone(),
            link: self.links.for_change(tenant, id, to, source)?,
            notice: self.outbox.letter(tenant, notice, id, None, language)?,
            // Whoever has the address asked for nothing, so nobody knows their language.
            taken: self.outbox.letter(tenant, LetterKind::AddressTaken, id, None, Language::default())?,
            asked: self.audit.done(source, Actor::User(id), Action::EmailChangeRequested, id),
        };
        self.env.db.write(tenant.id.into(), change, |tx, change| Box::pin(ask_for_change(tx, change))).await
    }

    fn redemption(
        &self,
        tenant: &CurrentTenant,
        token: &str,
        source: &Source,
    ) -> Result<Redemption, AuthError> {
        self.limits.admit_token(tenant.id, source)?;
        let read = Links::read(token).ok_or(AuthError::InvalidToken);
        Ok(Redemption {
            token: self.settle(tenant, read, source)?,
            links: Arc::clone(&self.links),
            audit: Arc::clone(&self.audit),
            outbox: Arc::clone(&self.outbox),
            tenant: tenant.clone(),
            source: source.clone(),
            now: self.env.now(),
        })
    }

    /// Counts a refusal against its source, and has it written down.
    fn settle<T>(
        &self,
        tenant: &CurrentTenant,
        result: Result<T, AuthError>,
        source: &Source,
    ) -> Result<T, AuthError> {
        if matches!(result, Err(AuthError::InvalidToken)) {
            self.limits.note_bad_token(tenant.id, "mailed_link", source);
        }
        result
    }
}

/// The same statements, whatever is found.
async fn ask(tx: &mut Tx, request: &Request) -> Result<(), AuthError> {
    let found = users::find_for_sign_in(tx, request.email.normalized()).await?;
    let id = found.as_ref().map_or(UserId::from_uuid(Uuid::nil()), |user| user.id);
    let password_version = version_of(tx, id).await?;
    let user =
        found.filter(|user| user.is_active() && !(request.unproven_only && user.email_verified_at.is_some()));
    // To the address as it is stored, not as somebody spells it.
    let receiver = user.as_ref().map(|user| Receiver { user: user.id, password_version, to: &user.email });
    links::issue(tx, &request.link, receiver).await?;
    Ok(audit::record(tx, &request.asked).await?)
}

async fn ask_for_change(tx: &mut Tx, change: &Change) -> Result<(), AuthError> {
    users::lock(tx, change.user).await?;
    let user = users::find(tx, change.user).await?.ok_or(AuthError::NotFound)?;
    let password_version = version_of(tx, user.id).await?;
    let owner =
        users::find_for_sign_in(tx, change.to.normalized()).await?.filter(|owner| owner.id != user.id);
    let receiver = Receiver { user: user.id, password_version, to: &change.to };
    links::issue(tx, &change.link, owner.is_none().then_some(receiver)).await?;
    outbox::post(tx, &change.taken, owner.as_ref().map(|owner| &owner.email)).await?;
    // An address that was never proven may be a stranger's, whose mailbox nobody fills with words of their own.
    let owner_of_old = user.email_verified_at.is_some().then_some(&user.email);
    outbox::post(tx, &change.notice, owner_of_old).await?;
    Ok(audit::record(tx, &change.asked).await?)
}

/// The account that the link is good for, as it is now.
async fn owner(tx: &mut Tx, redemption: &Redemption, link: &Link) -> Result<User, AuthError> {
    let user = users::find(tx, link.user).await?.filter(User::is_active).ok_or(AuthError::InvalidToken)?;
    let version = version_of(tx, user.id).await?;
    if redemption.links.fits(link, user.id, &user.email, version) {
        Ok(user)
    } else {
        Err(AuthError::InvalidToken)
    }
}

/// Uses the link up, while nobody else decides about its account.
async fn take(tx: &mut Tx, redemption: &Redemption) -> Result<(Link, User), AuthError> {
    let found = links::find(tx, redemption.token, redemption.now).await?.ok_or(AuthError::InvalidToken)?;
    users::lock(tx, found.user).await?;
    let link = links::take(tx, redemption.token, redemption.now).await?.ok_or(AuthError::InvalidToken)?;
    let user = owner(tx, redemption, &link).await?;
    Ok((link, user))
}

async fn verify(tx: &mut Tx, redemption: &Redemption, by: Option<UserId>) -> Result<(), AuthError> {
    let (link, user) = take(tx, redemption).await?;
    match (link.purpose, &link.new_email) {
        (Purpose::VerifyEmail, _) => {
            users::verify_email(tx, user.id, redemption.now).await?;
            redemption.record(tx, Action::EmailVerified, user.id).await
        }
        (Purpose::ChangeEmail, Some(to)) => {
            match by {
                Some(by) if by == user.id => {}
                Some(_) => return Err(AuthError::WrongAccount),
                None => return Err(AuthError::MissingCredential),
            }
            users::change_email(tx, user.id, to, redemption.now).await.map_err(|error| match error {
                // Taken since the request; that it is must not be told.
                AuthError::EmailTaken => AuthError::InvalidToken,
                other => other,
            })?;
            redemption.record(tx, Action::EmailChanged, user.id).await?;
            match user.email_verified_at {
                Some(_) => redemption.tell(tx, LetterKind::EmailChanged(to.as_str().to_owned()), &user).await,
                None => Ok(()),
            }
        }
        _ => Err(AuthError::InvalidToken),
    }
}

async fn reset(tx: &mut Tx, redemption: &Redemption, password: &PreparedPassword) -> Result<(), AuthError> {
    let (link, user) = take(tx, redemption).await?;
    if !is_for_passwords(&link) {
        return Err(AuthError::InvalidToken);
    }
    // Whoever reads the mail of an address that nobody had proven is its owner; whoever made the account may be
    // somebody else, and keeps nothing of it (S-128).
    if users::verify_email(tx, user.id, redemption.now).await? {
        clear_unproven(tx, user.id, redemption.now).await?;
        redemption.record(tx, Action::EmailVerified, user.id).await?;
        redemption.record(tx, Action::UnprovenAccountCleared, user.id).await?;
    }
    replace(tx, user.id, password, redemption.now).await?;
    redemption.record(tx, Action::PasswordReset, user.id).await?;
    match link.purpose {
        // Who accepts an invitation need not be told of it.
        Purpose::Invitation => Ok(()),
        _ => redemption.tell(tx, LetterKind::PasswordReset, &user).await,
    }
}

fn is_for_passwords(link: &Link) -> bool {
    matches!(link.purpose, Purpose::ResetPassword | Purpose::Invitation)
}
