//! The flow of signing in. Proving who one is belongs to the strategies, so far the password's.

use std::sync::Arc;
use std::time::Duration;

use wardgate_crypto::Digest;
use wardgate_store::Tx;
use zeroize::Zeroizing;

use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit};
use crate::features::federation::{self, Resolved, UpstreamProof};
use crate::features::limits::{self, Attempt, Limits};
use crate::features::links::{self, Links, MailedToken, Purpose};
use crate::features::outbox::{self, Letter, LetterKind};
use crate::features::password::{
    Passwords, Proof, Rehash, still_proven, take_over_unproven, version_of, write_rehash,
};
use crate::features::roles::{self, Scope};
use crate::features::sessions::{self, BrowserSessions, EndReason, NewCookie, NewSession, Sessions};
use crate::features::tokens::{self, FIRST_PARTY, FirstToken, Grant, TokenPair, Tokens};
use crate::features::users::{self, User};
use crate::kernel::email::normalize_identifier;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{SessionId, TenantId};
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::kernel::time::Timestamp;
use crate::ports::ephemeral::Limit;
use crate::ports::meter::{Means, SignInOutcome};

/// Notices of new places to one owner, an hour.
const NOTICES_PER_RECIPIENT: Limit =
    Limit { name: "notice_recipient", requests: 5, window: Duration::from_secs(60 * 60) };

/// The sign-in flow.
pub struct SignIn {
    env: Arc<Environment>,
    audit: Arc<Audit>,
    limits: Arc<Limits>,
    passwords: Arc<Passwords>,
    tokens: Arc<Tokens>,
    links: Arc<Links>,
    browsers: BrowserSessions,
}

/// How somebody proved, or is about to prove, who they are.
enum Proven {
    /// By a password that was looked at.
    Password(Box<ByPassword>),
    /// By a link from a mail, which the transaction uses up.
    Link(ByLink),
    /// By another provider, which said who it is.
    Upstream(Box<UpstreamProof>),
}

/// What came of looking at the password.
struct ByPassword {
    proof: Proof,
    attempt: Attempt,
    rehash: Option<Rehash>,
    /// Told to the owner if nobody signed in from here before.
    notice: Option<Letter>,
}

/// A magic link's token, and what the browser holds that presents it.
struct ByLink {
    token: MailedToken,
    browser: Option<String>,
    links: Arc<Links>,
}

/// What the one transaction of a sign-in needs.
struct Opening {
    proven: Proven,
    session: SessionId,
    scope: Option<String>,
    now: Timestamp,
    expires_at: Timestamp,
    carrier: Carrier,
    max_per_user: u32,
    source: Source,
    audit: Arc<Audit>,
}

/// What the client holds the session by.
enum Carrier {
    /// An access and a refresh token.
    Tokens(FirstToken),
    /// A browser's cookie, and the one it takes the place of.
    Cookie(NewCookie, Option<Digest>),
}

/// What became of a sign-in.
enum Opened {
    Tokens(Box<Grant>),
    Browser,
}

impl SignIn {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        limits: Arc<Limits>,
        passwords: Arc<Passwords>,
        tokens: Arc<Tokens>,
        links: Arc<Links>,
        browsers: BrowserSessions,
    ) -> Self {
        Self { env, audit, limits, passwords, tokens, links, browsers }
    }

    /// Signs in with a password: [`AuthError::IncorrectCredentials`] for every cause that has to do with the
    /// account, [`AuthError::InvalidScope`] if more was asked than the roles allow, [`AuthError::RateLimited`]
    /// before any password is looked at.
    pub async fn with_password(
        &self,
        tenant: &CurrentTenant,
        identifier: &str,
        password: &str,
        scope: Option<&str>,
        source: &Source,
    ) -> Result<TokenPair, AuthError> {
        let signed_in = async {
            let proven = self.prove(tenant, identifier, password, source).await?;
            self.tokens_for(tenant, proven, scope, source).await
        };
        self.counted(Means::Password, signed_in.await)
    }

    /// Signs in by the token of a magic link; [`AuthError::InvalidToken`] for every cause. `browser` is what the browser
    /// holds since it asked for the link: another's cannot use it (S-115), nor use it up.
    pub(crate) async fn with_magic_link(
        &self,
        tenant: &CurrentTenant,
        token: &str,
        browser: Option<&str>,
        source: &Source,
    ) -> Result<TokenPair, AuthError> {
        let signed_in = match self.link(tenant.id, token, browser, source) {
            Ok(proven) => self.tokens_for(tenant, proven, None, source).await,
            Err(refusal) => Err(refusal),
        };
        self.settle_link(tenant.id, signed_in, source)
    }

    /// As [`with_magic_link`](Self::with_magic_link), for a browser: gives its cookie's value. `replaces` is as for
    /// [`browser_with_password`](Self::browser_with_password).
    #[cfg(feature = "pages")]
    pub(crate) async fn browser_with_magic_link(
        &self,
        tenant: &CurrentTenant,
        token: &str,
        browser: Option<&str>,
        replaces: Option<&str>,
        source: &Source,
    ) -> Result<Zeroizing<String>, AuthError> {
        let signed_in = match self.link(tenant.id, token, browser, source) {
            Ok(proven) => self.cookie_for(tenant, proven, replaces, source).await,
            Err(refusal) => Err(refusal),
        };
        self.settle_link(tenant.id, signed_in, source)
    }

    fn link(
        &self,
        tenant: TenantId,
        token: &str,
        browser: Option<&str>,
        source: &Source,
    ) -> Result<Proven, AuthError> {
        self.limits.admit_token(tenant, source)?;
        let token = Links::read(token).ok_or(AuthError::InvalidToken)?;
        let (browser, links) = (browser.map(str::to_owned), Arc::clone(&self.links));
        Ok(Proven::Link(ByLink { token, browser, links }))
    }

    /// Counts a refused link against its source.
    fn settle_link<T>(
        &self,
        tenant: TenantId,
        signed_in: Result<T, AuthError>,
        source: &Source,
    ) -> Result<T, AuthError> {
        if matches!(signed_in, Err(AuthError::InvalidToken)) {
            self.limits.note_bad_token(tenant, "magic_link", source);
        }
        self.counted(Means::MagicLink, signed_in)
    }

    fn counted<T>(&self, by: Means, signed_in: Result<T, AuthError>) -> Result<T, AuthError> {
        self.env.meter.signed_in(by, outcome(signed_in.as_ref().err()));
        signed_in
    }

    async fn tokens_for(
        &self,
        tenant: &CurrentTenant,
        proven: Proven,
        scope: Option<&str>,
        source: &Source,
    ) -> Result<TokenPair, AuthError> {
        let first = self.tokens.first_token();
        let refresh_token = first.reveal();
        let ends_at = self.tokens.first_end(self.env.now());
        let opening = self.opening(proven, scope, Carrier::Tokens(first), ends_at, source);
        match self.open(tenant.id, opening, source).await? {
            Opened::Tokens(grant) => self.tokens.pair(tenant, &grant, &refresh_token).await,
            Opened::Browser => Err(AuthError::internal("sign in", "a browser session for tokens")),
        }
    }

    /// Signs a browser in with a password, as [`with_password`](Self::with_password); gives its cookie's value.
    ///
    /// `replaces` is the value of the cookie that the browser holds so far: its session ends.
    pub async fn browser_with_password(
        &self,
        tenant: &CurrentTenant,
        identifier: &str,
        password: &str,
        replaces: Option<&str>,
        source: &Source,
    ) -> Result<Zeroizing<String>, AuthError> {
        let signed_in = async {
            let proven = self.prove(tenant, identifier, password, source).await?;
            self.cookie_for(tenant, proven, replaces, source).await
        };
        self.counted(Means::Password, signed_in.await)
    }

    /// Signs in whom a provider knows; gives tokens.
    ///
    /// # Errors
    /// As [`federation::resolve`].
    pub(crate) async fn with_upstream(
        &self,
        tenant: &CurrentTenant,
        proof: Box<UpstreamProof>,
        source: &Source,
    ) -> Result<TokenPair, AuthError> {
        let signed_in = self.tokens_for(tenant, Proven::Upstream(proof), None, source).await;
        self.counted(Means::Upstream, signed_in)
    }

    /// As [`with_upstream`](Self::with_upstream), for a browser, as [`browser_with_password`](Self::browser_with_password).
    pub(crate) async fn browser_with_upstream(
        &self,
        tenant: &CurrentTenant,
        proof: Box<UpstreamProof>,
        replaces: Option<&str>,
        source: &Source,
    ) -> Result<Zeroizing<String>, AuthError> {
        let signed_in = self.cookie_for(tenant, Proven::Upstream(proof), replaces, source).await;
        self.counted(Means::Upstream, signed_in)
    }

    async fn cookie_for(
        &self,
        tenant: &CurrentTenant,
        proven: Proven,
        replaces: Option<&str>,
        source: &Source,
    ) -> Result<Zeroizing<String>, AuthError> {
        let cookie = NewCookie::generate(self.env.rng.as_ref());
        let value = cookie.reveal();
        let carrier = Carrier::Cookie(cookie, replaces.and_then(Sessions::digest_of));
        let now = self.env.now();
        let opening = self.opening(proven, None, carrier, self.browsers.end_of(now, now), source);
        self.open(tenant.id, opening, source).await.map(|_| value)
    }

    async fn prove(
        &self,
        tenant: &CurrentTenant,
        identifier: &str,
        password: &str,
        source: &Source,
    ) -> Result<Proven, AuthError> {
        let normalized = normalize_identifier(identifier);
        let attempt = self.limits.admit_sign_in(tenant, &normalized, source).await?;
        let (proof, rehash) = self.passwords.prove(tenant.id, identifier, password, &attempt, source).await?;
        let notice = match self.links.outbox().is_on() && attempt.may_be_new_source() {
            true => self.notice(tenant, &proof, &normalized, source).await?,
            false => None,
        };
        Ok(Proven::Password(Box::new(ByPassword { proof, attempt, rehash, notice })))
    }

    /// What the owner is told of a sign-in from a new place, unless they were told often enough.
    async fn notice(
        &self,
        tenant: &CurrentTenant,
        proof: &Proof,
        normalized: &str,
        source: &Source,
    ) -> Result<Option<Letter>, AuthError> {
        if self.limits.take(tenant.id, NOTICES_PER_RECIPIENT, normalized.as_bytes(), source).await.is_err() {
            return Ok(None);
        }
        let kind = LetterKind::NewDevice {
            address: source.address_text().unwrap_or_default(),
            device: source.user_agent.clone().unwrap_or_default(),
            at: self.env.now(),
        };
        self.links.outbox().letter(tenant, kind, proof.subject(), None, source.language).map(Some)
    }

    async fn open(&self, tenant: TenantId, opening: Opening, source: &Source) -> Result<Opened, AuthError> {
        // Who was proven but may not come in: somebody who tries stolen credentials this way must leave a trace.
        let target = match &opening.proven {
            Proven::Password(proven) => Some(proven.proof.subject().to_string()),
            Proven::Link(_) => None,
            Proven::Upstream(proof) => Some(proof.target()),
        };
        let opened =
            self.env.db.write(tenant.into(), opening, |tx, opening| Box::pin(open(tx, opening))).await;
        match (opened, target) {
            (Err(refusal), Some(target)) if is_refusal(&refusal) => {
                let entry = self.audit.refused(source, Actor::Anonymous, Action::SignIn, target);
                self.audit.record_alone(tenant, entry).await?;
                Err(refusal)
            }
            (opened, _) => opened,
        }
    }

    fn opening(
        &self,
        proven: Proven,
        scope: Option<&str>,
        carrier: Carrier,
        expires_at: Timestamp,
        source: &Source,
    ) -> Opening {
        let now = self.env.now();
        Opening {
            proven,
            session: SessionId::new(now, self.env.random()),
            scope: scope.map(str::to_owned),
            now,
            expires_at,
            carrier,
            max_per_user: self.browsers.max_per_user,
            source: source.clone(),
            audit: Arc::clone(&self.audit),
        }
    }
}

fn outcome(refusal: Option<&AuthError>) -> SignInOutcome {
    match refusal {
        None => SignInOutcome::Success,
        Some(AuthError::RateLimited { .. }) => SignInOutcome::Limited,
        Some(AuthError::Busy { .. }) => SignInOutcome::Busy,
        Some(AuthError::Unavailable(_) | AuthError::Internal { .. }) => SignInOutcome::Failed,
        Some(_) => SignInOutcome::Refused,
    }
}

fn is_refusal(error: &AuthError) -> bool {
    matches!(
        error,
        AuthError::IncorrectCredentials
            | AuthError::InvalidScope(_)
            | AuthError::LinkingRefused
            | AuthError::RegistrationClosed
    )
}

async fn open(tx: &mut Tx, opening: &Opening) -> Result<Opened, AuthError> {
    let Opening { source, audit, now, .. } = opening;
    let (user, by_address, proven_at) = match &opening.proven {
        Proven::Password(proven) => (by_password(tx, opening, proven).await?, false, Some(*now)),
        Proven::Link(proven) => (by_link(tx, opening, proven).await?, false, Some(*now)),
        Proven::Upstream(proof) => {
            let Resolved { user, by_address } = federation::resolve(tx, proof).await?;
            (user, by_address, proof.proven_at())
        }
    };
    let new = NewSession {
        id: opening.session,
        user: user.id,
        client_id: FIRST_PARTY.to_owned(),
        scope: opening.scope.clone(),
        now: *now,
        expires_at: opening.expires_at,
        proven_at,
        by_address,
        cookie: match &opening.carrier {
            Carrier::Tokens(_) => None,
            Carrier::Cookie(cookie, _) => Some(cookie.digest()),
        },
        max_per_user: opening.max_per_user,
    };
    let session = sessions::open(tx, &new, source).await?;
    audit::record(tx, &audit.done(source, Actor::User(user.id), Action::SignIn, session.id)).await?;
    match &opening.carrier {
        Carrier::Tokens(first) => Ok(Opened::Tokens(Box::new(tokens::issue(tx, session, first).await?))),
        Carrier::Cookie(_, replaces) => {
            if let Some(replaces) = replaces
                && let Some(old) = sessions::find_by_cookie(tx, *replaces).await?
            {
                sessions::end(tx, old.id, *now, EndReason::SignedOut).await?;
            }
            Ok(Opened::Browser)
        }
    }
}

async fn by_password(tx: &mut Tx, opening: &Opening, proven: &ByPassword) -> Result<User, AuthError> {
    let (ByPassword { proof, attempt, rehash, notice }, Opening { source, audit, now, .. }) =
        (proven, opening);
    let user = still_proven(tx, proof).await?.ok_or(AuthError::IncorrectCredentials)?;
    if let Some(asked) = &opening.scope {
        let roles = roles::of(tx, user.id.into()).await?;
        Scope::granted(asked, |permission| roles.allow(permission)).map_err(AuthError::InvalidScope)?;
    }
    // An address that was not proven may be a stranger's, who need not hear of it.
    if let Some(notice) = notice
        && user.email_verified_at.is_some()
        && limits::is_from_new_source(tx, attempt).await?
    {
        outbox::post(tx, notice, Some(&user.email)).await?;
    }
    limits::note_success(tx, attempt, *now).await?;
    if let Some(rehash) = rehash
        && write_rehash(tx, user.id, rehash).await?
    {
        audit::record(tx, &audit.done(source, Actor::System, Action::PasswordRehashed, user.id)).await?;
    }
    Ok(user)
}

/// Uses the link up. Whoever reads the mail of an address that nobody had proven is its owner, and whoever made the
/// account may be somebody else: what they left is gone (S-128).
async fn by_link(tx: &mut Tx, opening: &Opening, proven: &ByLink) -> Result<User, AuthError> {
    let (ByLink { token, browser, links }, Opening { source, audit, now, .. }) = (proven, opening);
    let found = links::find(tx, *token, *now).await?.ok_or(AuthError::InvalidToken)?;
    users::lock(tx, found.user).await?;
    let link = links::take(tx, *token, *now).await?.ok_or(AuthError::InvalidToken)?;
    let user = users::find(tx, link.user).await?.filter(User::is_active).ok_or(AuthError::InvalidToken)?;
    let version = version_of(tx, user.id).await?;
    let is_good = link.purpose == Purpose::MagicLink
        && Links::is_same_browser(&link, browser.as_deref())
        && links.fits(&link, user.id, &user.email, version);
    if !is_good {
        return Err(AuthError::InvalidToken);
    }
    take_over_unproven(tx, user.id, *now, audit, source).await?;
    Ok(user)
}
