//! Proves, sets and changes passwords.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use uuid::Uuid;
use wardgate_crypto::password::{self, Password, Scheme, Verdict, Workspace};
use wardgate_store::{StoreError, Tx};
use zeroize::Zeroizing;

use super::model::{MAX_CHARS, PasswordChange, PasswordPolicy, Proof, check_length, check_strength};
use super::store::{self, NewHash};
use super::timing::Costs;
use crate::environment::Environment;
use crate::features::api_keys;
use crate::features::audit::{self, Action, Actor, Audit, Entry};
use crate::features::identities;
use crate::features::limits::{self, Attempt, Limits};
use crate::features::outbox::{self, LetterKind, Outbox};
use crate::features::sessions::{self, EndReason, NewCookie};
use crate::features::users::{self, User};
use crate::hashing::HashPool;
use crate::kernel::email::{Email, normalize_identifier};
use crate::kernel::error::{AuthError, FieldFault};
use crate::kernel::ids::{SessionId, TenantId, UserId};
use crate::kernel::principal::Principal;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::kernel::time::Timestamp;

/// How passwords are hashed and which are taken.
#[derive(Debug, Clone)]
pub(crate) struct PasswordSettings {
    pub(crate) scheme: Scheme,
    pub(crate) policy: PasswordPolicy,
    /// Whether only accounts whose address is proven can be signed in to.
    pub(crate) verified_only: bool,
}

/// The passwords of all tenants.
pub struct Passwords {
    pub(super) env: Arc<Environment>,
    audit: Arc<Audit>,
    limits: Arc<Limits>,
    outbox: Arc<Outbox>,
    pool: Arc<HashPool>,
    pub(super) settings: PasswordSettings,
    /// A hash that no password matches, of the configured scheme: unknown users cost what known ones do.
    decoy: Arc<str>,
    pub(super) costs: Mutex<Costs>,
}

/// A hash of the configured scheme to replace the one just proven.
#[derive(Debug, Clone)]
pub(crate) struct Rehash {
    old: String,
    new: NewHash,
}

/// Whether what was proven still holds in this transaction: the user active, the password unchanged. A sign-in
/// in flight must not outlive a password change or a deactivation.
pub(crate) async fn still_proven(tx: &mut Tx, proof: &Proof) -> Result<Option<User>, StoreError> {
    users::lock(tx, proof.subject()).await?;
    let user = users::find(tx, proof.subject()).await?.filter(User::is_active);
    let stored = store::by_user(tx, proof.subject()).await?;
    Ok(user.filter(|_| stored.is_some_and(|stored| stored.version == proof.password_version())))
}

/// Replaces the proven hash, unless it changed meanwhile; says whether this call did it.
pub(crate) async fn write_rehash(tx: &mut Tx, user: UserId, rehash: &Rehash) -> Result<bool, StoreError> {
    store::rehash(tx, user, &rehash.old, &rehash.new).await
}

pub(super) async fn set(tx: &mut Tx, user: UserId, new: &NewHash, now: Timestamp) -> Result<(), StoreError> {
    store::set(tx, user, new, now).await
}

/// A checked and hashed password, for [`replace`].
pub(crate) struct PreparedPassword(NewHash);

/// The version of the user's password, 0 if there is none: it rises with every change.
pub(crate) async fn version_of(tx: &mut Tx, user: UserId) -> Result<i64, StoreError> {
    Ok(store::by_user(tx, user).await?.map_or(0, |stored| stored.version))
}

/// Gives the user this password, whatever they had before; every session of theirs ends.
pub(crate) async fn replace(
    tx: &mut Tx,
    user: UserId,
    password: &PreparedPassword,
    now: Timestamp,
) -> Result<(), StoreError> {
    store::set(tx, user, &password.0, now).await?;
    end_others(tx, user, now, None).await
}

/// Ends what whoever made the account, with an address that was not proven to be theirs, could go on with: sessions,
/// API keys and links to other providers. The caller replaces or removes the password (S-128).
pub(crate) async fn clear_unproven(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<(), StoreError> {
    sessions::end_all_of(tx, user, now, EndReason::AddressProven, None).await?;
    identities::end_all_of(tx, user).await?;
    api_keys::end_all_of(tx, user.into()).await.map(drop)
}

/// Gives the account to whoever has proven just now that its address is theirs. If nobody had before, whoever made it
/// may be somebody else, and keeps nothing of it, the password included (S-128).
pub(crate) async fn take_over_unproven(
    tx: &mut Tx,
    user: UserId,
    now: Timestamp,
    audit: &Audit,
    source: &Source,
) -> Result<(), AuthError> {
    if users::verify_email(tx, user, now).await? {
        clear_unproven(tx, user, now).await?;
        store::remove(tx, user).await?;
        let actor = Actor::User(user);
        audit::record(tx, &audit.done(source, actor, Action::EmailVerified, user)).await?;
        audit::record(tx, &audit.done(source, actor, Action::UnprovenAccountCleared, user)).await?;
    }
    Ok(())
}

/// The user's stored hash, to be exported.
pub(crate) async fn hash_of(tx: &mut Tx, user: UserId) -> Result<Option<String>, StoreError> {
    Ok(store::by_user(tx, user).await?.map(|stored| stored.hash))
}

/// What was read before the hash was checked.
struct Candidate {
    user: Option<User>,
    hash: Option<String>,
    version: i64,
}

impl Passwords {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        limits: Arc<Limits>,
        outbox: Arc<Outbox>,
        pool: Arc<HashPool>,
        settings: PasswordSettings,
    ) -> Self {
        let decoy = password::decoy(&settings.scheme).into();
        Self { env, audit, limits, outbox, pool, settings, decoy, costs: Mutex::default() }
    }

    /// The fewest characters that a new password has in this tenant.
    #[cfg(feature = "pages")]
    pub(crate) fn min_chars(&self, tenant: &CurrentTenant) -> usize {
        self.settings.policy.min_chars.max(super::model::MIN_CHARS).max(tenant.min_password_length)
    }

    /// Proves `identifier` by `typed`; every refusal is [`AuthError::IncorrectCredentials`], costs the same
    /// statements and one hash, and leaves one record.
    pub(crate) async fn prove(
        &self,
        tenant: TenantId,
        identifier: &str,
        typed: &str,
        attempt: &Attempt,
        source: &Source,
    ) -> Result<(Proof, Option<Rehash>), AuthError> {
        // S-002: before any hashing, for known and unknown alike.
        if typed.chars().nth(MAX_CHARS).is_some() {
            return Err(AuthError::IncorrectCredentials);
        }
        let normalized = normalize_identifier(identifier);
        let candidate = self.find_candidate(tenant, normalized.clone()).await?;
        let stored: Arc<str> = candidate.hash.as_deref().map_or_else(|| Arc::clone(&self.decoy), Arc::from);
        let checked = self.check(Password::new(typed), Arc::clone(&stored), source).await?;
        let proven = checked.verdict == Verdict::Match && candidate.hash.is_some();
        let may_sign_in = |user: &User| {
            user.is_active() && (user.email_verified_at.is_some() || !self.settings.verified_only)
        };
        match candidate.user.filter(|user| proven && may_sign_in(user)) {
            Some(user) => {
                let rehash = checked.rehash.map(|new| Rehash { old: stored.to_string(), new });
                Ok((Proof::new(user.id, candidate.version), rehash))
            }
            None => {
                self.settle(tenant, &stored, checked.took).await;
                self.refuse(tenant, &normalized, &checked.verdict, attempt, source).await
            }
        }
    }

    /// The same two statements for known and unknown identifiers (S-012).
    async fn find_candidate(&self, tenant: TenantId, normalized: String) -> Result<Candidate, AuthError> {
        self.env
            .db
            .lookup(tenant.into(), normalized, |tx, normalized| {
                Box::pin(async move {
                    let user = users::find_for_sign_in(tx, normalized).await?;
                    let id = user.as_ref().map_or(UserId::from_uuid(Uuid::nil()), |user| user.id);
                    let stored = store::by_user(tx, id).await?;
                    let version = stored.as_ref().map_or(0, |stored| stored.version);
                    Ok(Candidate { user, hash: stored.map(|stored| stored.hash), version })
                })
            })
            .await
    }

    pub(super) async fn check(
        &self,
        password: Password,
        stored: Arc<str>,
        source: &Source,
    ) -> Result<Checked, AuthError> {
        let (scheme, env) = (self.settings.scheme, Arc::clone(&self.env));
        let work = move |workspace: &mut Workspace| {
            let started = env.clock.monotonic();
            let verdict = password::verify(&password, &stored, workspace);
            let took = env.clock.monotonic().saturating_sub(started);
            let renew = verdict == Verdict::Match && password::needs_rehash(&stored, &scheme);
            let rehash = renew.then(|| hash(&password, &scheme, &env, workspace)).and_then(Result::ok);
            Checked { verdict, took, rehash }
        };
        self.pool.run(source.fairness_key(), work).await
    }

    async fn refuse<T>(
        &self,
        tenant: TenantId,
        normalized: &str,
        verdict: &Verdict,
        attempt: &Attempt,
        source: &Source,
    ) -> Result<T, AuthError> {
        let target = self.audit.identifier(normalized);
        let action = match verdict {
            Verdict::Unusable(reason) => {
                tracing::error!(%target, reason, "a stored password hash is unusable: set that user's password anew");
                Action::PasswordUnusable
            }
            _ => Action::SignIn,
        };
        let entry = self.audit.refused(source, Actor::Anonymous, action, target);
        self.record_failure(tenant, entry, attempt).await?;
        Err(AuthError::IncorrectCredentials)
    }

    /// The record of a wrong guess and what is remembered of it, in one transaction.
    async fn record_failure(
        &self,
        tenant: TenantId,
        entry: Entry,
        attempt: &Attempt,
    ) -> Result<(), AuthError> {
        let input = (entry, attempt.clone(), self.env.now());
        self.env
            .db
            .write(tenant.into(), input, |tx, (entry, attempt, now)| {
                Box::pin(async move {
                    limits::note_failure(tx, attempt, *now).await?;
                    Ok(audit::record(tx, entry).await?)
                })
            })
            .await
    }

    /// Checks a new password against the policy and hashes it, on a hashing thread. Faults name the field
    /// `password`.
    pub(super) async fn hash_new(
        &self,
        typed: &str,
        email: &Email,
        source: &Source,
    ) -> Result<NewHash, AuthError> {
        let password = Password::new(typed);
        check_length(&self.settings.policy, &password)
            .map_err(|fault| AuthError::InvalidFields(vec![fault]))?;
        let (settings, env, email) = (self.settings.clone(), Arc::clone(&self.env), email.clone());
        let work = move |workspace: &mut Workspace| {
            check_strength(&settings.policy, &password, &email)
                .map_err(|fault| AuthError::InvalidFields(vec![fault]))?;
            hash(&password, &settings.scheme, &env, workspace)
        };
        self.pool.run(source.fairness_key(), work).await?
    }

    /// As [`hash_new`](Self::hash_new), for a route that calls the field `new_password`.
    pub(crate) async fn prepare(
        &self,
        typed: &str,
        email: &Email,
        source: &Source,
    ) -> Result<PreparedPassword, AuthError> {
        let hash = self.hash_new(typed, email, source).await;
        hash.map(PreparedPassword).map_err(|error| rename(error, "new_password"))
    }

    /// Changes the principal's password: the current one must be right; every other session ends (S-006), and the owner
    /// is told by mail. An address that was not proven may be a stranger's, who need not hear of it. A browser gets
    /// another cookie, whose value is given: the thief of the old one is why many change their password (S-049).
    pub(crate) async fn change(
        &self,
        of: &CurrentTenant,
        principal: &Principal,
        user: &User,
        typed: &PasswordChange,
        has_cookie: bool,
        source: &Source,
    ) -> Result<Option<Zeroizing<String>>, AuthError> {
        let PasswordChange { current_password, new_password } = typed;
        check_length_of(of, new_password, "new_password")?;
        let (tenant, id) = (principal.tenant, user.id);
        let (version, attempt) =
            self.prove_current(principal, user, current_password, Action::PasswordChanged, source).await?;
        let new = self
            .hash_new(new_password, &user.email, source)
            .await
            .map_err(|error| rename(error, "new_password"))?;
        let entry = self.audit.done(source, Actor::User(id), Action::PasswordChanged, id);
        let notice = match self.outbox.is_on() && user.email_verified_at.is_some() {
            true => Some(self.outbox.letter(of, LetterKind::PasswordChanged, id, None, source.language)?),
            false => None,
        };
        let cookie = has_cookie.then(|| NewCookie::generate(self.env.rng.as_ref()));
        let session = (principal.session(), cookie.as_ref().map(NewCookie::digest));
        let change = (id, version, new, self.env.now(), session, entry, (attempt, notice));
        self.env
            .db
            .write(tenant.into(), change, |tx, (id, version, new, now, session, entry, (attempt, notice))| {
                let (session, digest) = session;
                Box::pin(async move {
                    users::lock(tx, *id).await?;
                    if !store::change(tx, *id, *version, new, *now).await? {
                        return Err(AuthError::WrongPassword);
                    }
                    end_others(tx, *id, *now, *session).await?;
                    if let (Some(session), Some(digest)) = (session, digest)
                        && !sessions::prove(tx, *session, *now, Some(*digest)).await?
                    {
                        return Err(AuthError::InvalidCredential);
                    }
                    limits::note_success(tx, attempt, *now).await?;
                    if let Some(notice) = notice {
                        // To the address as it is now: it may have changed since the request came.
                        let owner = users::find(tx, *id).await?.ok_or(AuthError::WrongPassword)?;
                        outbox::post(tx, notice, Some(&owner.email)).await?;
                    }
                    Ok(audit::record(tx, entry).await?)
                })
            })
            .await?;
        Ok(cookie.map(|cookie| cookie.reveal()))
    }

    /// Confirms the password of whoever is signed in; the session counts as fresh from now on. A browser gets another
    /// cookie, whose value is given.
    ///
    /// # Errors
    /// [`AuthError::WrongPassword`]; [`AuthError::InsufficientPermissions`] for an API key, which is no sign-in.
    pub(crate) async fn step_up(
        &self,
        principal: &Principal,
        user: &User,
        password: &str,
        has_cookie: bool,
        source: &Source,
    ) -> Result<Option<Zeroizing<String>>, AuthError> {
        let session = principal.session().ok_or(AuthError::InsufficientPermissions)?;
        let (version, attempt) =
            self.prove_current(principal, user, password, Action::SteppedUp, source).await?;
        let entry = self.audit.done(source, Actor::User(user.id), Action::SteppedUp, session);
        let cookie = has_cookie.then(|| NewCookie::generate(self.env.rng.as_ref()));
        let digest = cookie.as_ref().map(NewCookie::digest);
        let input = (user.id, version, session, digest, self.env.now(), entry, attempt);
        let stepped_up = self.env.db.write(
            principal.tenant.into(),
            input,
            |tx, (id, version, session, digest, now, entry, attempt)| {
                Box::pin(async move {
                    users::lock(tx, *id).await?;
                    let stored = store::by_user(tx, *id).await?;
                    let unchanged = stored.is_some_and(|stored| stored.version == *version);
                    if !unchanged || !sessions::prove(tx, *session, *now, *digest).await? {
                        return Err(AuthError::InvalidCredential);
                    }
                    limits::note_success(tx, attempt, *now).await?;
                    Ok(audit::record(tx, entry).await?)
                })
            },
        );
        stepped_up.await?;
        Ok(cookie.map(|cookie| cookie.reveal()))
    }

    /// Checks the current password of whoever is signed in; gives the version that was proven, and the attempt to note
    /// as a success with whatever it was for.
    async fn prove_current(
        &self,
        principal: &Principal,
        user: &User,
        current: &str,
        action: Action,
        source: &Source,
    ) -> Result<(i64, Attempt), AuthError> {
        let attempt = self.limits.admit_password_guess(principal, source).await?;
        let stored = self.env.db.lookup(principal.tenant.into(), user.id, |tx, id| {
            Box::pin(async move { Ok::<_, AuthError>(store::by_user(tx, *id).await?) })
        });
        let stored = stored.await?;
        let too_long = current.chars().nth(MAX_CHARS).is_some();
        if let Some(stored) = stored.filter(|_| !too_long) {
            let checked = self.check(Password::new(current), stored.hash.into(), source).await?;
            if checked.verdict == Verdict::Match {
                return Ok((stored.version, attempt));
            }
        }
        let entry = self.audit.refused(source, Actor::User(user.id), action, user.id);
        self.record_failure(principal.tenant, entry, &attempt).await?;
        Err(AuthError::WrongPassword)
    }

    /// Sets a user's password as an operator: every session of theirs ends.
    pub async fn set(
        &self,
        tenant: TenantId,
        user: &User,
        typed: &str,
        actor: Actor,
        source: &Source,
    ) -> Result<(), AuthError> {
        let new = self.hash_new(typed, &user.email, source).await?;
        let entry = self.audit.done(source, actor, Action::PasswordChanged, user.id);
        self.env
            .db
            .write(tenant.into(), (user.id, new, self.env.now(), entry), |tx, (id, new, now, entry)| {
                Box::pin(async move {
                    users::lock(tx, *id).await?;
                    if users::find(tx, *id).await?.is_none() {
                        return Err(AuthError::NotFound);
                    }
                    store::set(tx, *id, new, *now).await?;
                    end_others(tx, *id, *now, None).await?;
                    Ok(audit::record(tx, entry).await?)
                })
            })
            .await
    }
}

/// Refuses a password that is shorter than the tenant asks for; what the configuration asks for is looked at later.
pub(crate) fn check_length_of(
    tenant: &CurrentTenant,
    password: &str,
    field: &'static str,
) -> Result<(), AuthError> {
    let wanted = tenant.min_password_length;
    if password.chars().nth(wanted.saturating_sub(1)).is_some() || wanted == 0 {
        Ok(())
    } else {
        Err(AuthError::field(field, "too_short", format!("must have at least {wanted} characters")))
    }
}

/// What one check gave.
pub(super) struct Checked {
    verdict: Verdict,
    pub(super) took: Duration,
    rehash: Option<NewHash>,
}

fn hash(
    password: &Password,
    scheme: &Scheme,
    env: &Environment,
    workspace: &mut Workspace,
) -> Result<NewHash, AuthError> {
    let hash = password::hash(password, scheme, env.rng.as_ref(), workspace)
        .map_err(|error| AuthError::internal("hash a password", error))?;
    Ok(NewHash { hash, scheme: scheme.label() })
}

/// Tells a fault of `password` as one of `field`.
fn rename(error: AuthError, field: &'static str) -> AuthError {
    match error {
        AuthError::InvalidFields(faults) => {
            let rename = |fault: FieldFault| FieldFault { field: field.into(), ..fault };
            AuthError::InvalidFields(faults.into_iter().map(rename).collect())
        }
        other => other,
    }
}

async fn end_others(
    tx: &mut Tx,
    user: UserId,
    now: Timestamp,
    keep: Option<SessionId>,
) -> Result<(), StoreError> {
    sessions::end_all_of(tx, user, now, EndReason::PasswordChanged, keep).await.map(drop)
}
