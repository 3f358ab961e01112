//! Counts attempts before anything is looked at, and remembers failures.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use wardgate_crypto::{Digest, SubKey};
use wardgate_store::{StoreError, Tx};

use super::model::{
    Decision, FORGOTTEN_AFTER, Failures, KNOWN_FOR, MAX_FAILURES, RateLimits, decide, is_known,
};
use super::refusals::Refusals;
use super::store;
use crate::environment::Environment;
use crate::features::audit::{Action, Audit};
use crate::kernel::error::AuthError;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::principal::Principal;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::kernel::time::Timestamp;
use crate::ports::ephemeral::{Demand, Ephemeral, Limit, Memory, Refused};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// How many networks' worth an IPv6 site gets: it holds 65,536 of them, and must not count as that many sources.
const SITE: u32 = 10;

/// Guesses at the current password by whoever holds a token, a minute.
const PASSWORD_GUESSES: u32 = 10;
/// Guesses at the one-use link from one source, a minute.
const SETUPS: u32 = 10;
/// Mails asked for by one source, a minute.
const MAILS: u32 = 30;
/// Sign-ins through other providers that one source begins, a minute: each is a row, and may be a request of ours.
const UPSTREAM: u32 = 30;
/// Unknown or malformed tokens from one source, a minute. They cannot be guessed, but each costs a look.
const BAD_TOKENS: u32 = 300;

/// Rows removed in one transaction.
const PURGE_BATCH: i64 = 200;

/// What a stranger may ask for, besides signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Registering tells whether an address is taken, and costs a hash.
    Register,
    /// Exchanging a refresh token.
    Refresh,
    /// Asking for a mail.
    Mail,
    /// Beginning to sign in through another provider.
    Upstream,
}

/// The limits of all tenants.
pub(crate) struct Limits {
    env: Arc<Environment>,
    audit: Arc<Audit>,
    settings: RateLimits,
    shared: Arc<dyn Ephemeral>,
    /// For what must not cost a way over the network.
    local: Memory,
    key: SubKey,
    refusals: Refusals,
}

/// A guess that was let through, and where its outcome is to be remembered.
#[derive(Debug, Clone)]
pub(crate) struct Attempt(Option<Guard>);

/// The bucket of an account that an attempt belongs to.
#[derive(Debug, Clone, Copy)]
struct Guard {
    subject: Digest,
    bucket: Digest,
    /// What a success makes known; `None` where no peer is known, or nothing is to be.
    source: Option<Digest>,
    /// Whether it has been counted as a failure beforehand.
    claimed: bool,
}

/// What is known of an account before an attempt at it.
struct Standing {
    is_known: bool,
    decision: Decision,
}

/// Remembers that the attempt failed, in the transaction of its record. The same statement for known and unknown
/// identifiers (S-012).
pub(crate) async fn note_failure(tx: &mut Tx, attempt: &Attempt, now: Timestamp) -> Result<(), StoreError> {
    match attempt.0 {
        Some(Guard { subject, bucket, claimed: false, .. }) => {
            store::add_failure(tx, subject, bucket, now, now.minus(FORGOTTEN_AFTER)).await
        }
        _ => Ok(()),
    }
}

/// Remembers that the attempt succeeded: the failures of its own bucket are forgotten and of no other, so that
/// whoever owns one account cannot wipe the traces at another (S-114).
pub(crate) async fn note_success(tx: &mut Tx, attempt: &Attempt, now: Timestamp) -> Result<(), StoreError> {
    let Some(Guard { subject, bucket, source, .. }) = attempt.0 else { return Ok(()) };
    store::forget(tx, subject, bucket).await?;
    match source {
        Some(source) => store::note_success(tx, subject, source, now).await,
        None => Ok(()),
    }
}

/// Whether the attempt comes from where none succeeded lately, although others did elsewhere: worth a word to the
/// owner. The first sign-in of an account is none.
pub(crate) async fn is_from_new_source(tx: &mut Tx, attempt: &Attempt) -> Result<bool, StoreError> {
    match attempt.0 {
        Some(Guard { subject, bucket, source: Some(source), .. }) if bucket != source => {
            store::has_succeeded(tx, subject).await
        }
        _ => Ok(false),
    }
}

impl Attempt {
    /// Whether the attempt's source may be a new one; the rows tell more.
    pub(crate) fn may_be_new_source(&self) -> bool {
        self.0.is_some_and(|guard| guard.source.is_some_and(|source| source != guard.bucket))
    }
}

/// Removes some of what is the tenant's, as when it goes; how many rows.
pub(crate) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::forget_tenant(tx, limit).await
}

impl Limits {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        settings: RateLimits,
        shared: Arc<dyn Ephemeral>,
        nodes: u32,
        key: SubKey,
    ) -> Self {
        let local = Memory::new(Arc::clone(&env.clock), nodes);
        Self { env, audit, settings, shared, local, key, refusals: Refusals::default() }
    }

    /// Lets a sign-in through or refuses it, by the identifier as it is looked up, whether or not it exists.
    ///
    /// A source that signed in to the account before has a bucket of its own. Strangers share one, and only they
    /// fill it: they cannot keep the owner out (S-114).
    pub(crate) async fn admit_sign_in(
        &self,
        tenant: &CurrentTenant,
        normalized: &str,
        source: &Source,
    ) -> Result<Attempt, AuthError> {
        if !self.settings.enabled {
            return Ok(Attempt(None));
        }
        let (network, identifier) = (text(source.network()), normalized.as_bytes());
        let limits = self.settings.of_tenant(tenant.rate_limits);
        let tenant = tenant.id;
        let mut demands =
            self.of_source(tenant, source, "sign_in_site", "sign_in_source", limits.sign_in_source);
        let account = limit("sign_in_account", limits.sign_in_account, MINUTE);
        demands.push(self.demand(tenant, account, &[network.as_bytes(), identifier]));
        self.take_all(tenant, &demands, source).await?;

        let subject = self.of_identifier(normalized);
        let own = self.digest(&[b"source", network.as_bytes()]);
        let strangers = self.digest(&[b"strangers"]);
        // Without a peer everybody would be the one known source.
        let has_peer = source.network().is_some();
        let standing = self.standing(tenant, subject, own, has_peer.then_some(own), strangers).await?;
        if let Decision::Wait(rest) = standing.decision {
            return Err(self.delayed(tenant, rest, source));
        }
        if !standing.is_known {
            let hour = limit("sign_in_strangers", limits.sign_in_strangers, HOUR);
            let ceiling = limit("sign_in_tenant", limits.sign_in_tenant, MINUTE);
            let demands = [self.demand(tenant, hour, &[identifier]), self.demand(tenant, ceiling, &[])];
            self.take_all(tenant, &demands, source).await?;
        }
        let bucket = if standing.is_known { own } else { strangers };
        let guard = Guard { subject, bucket, source: has_peer.then_some(own), claimed: false };
        self.claim(tenant, guard, standing.decision, source).await
    }

    /// Lets a guess at the principal's current password through or refuses it. What counts is the session's: a thief of
    /// one token cannot keep the owner from changing the password with another.
    pub(crate) async fn admit_password_guess(
        &self,
        principal: &Principal,
        source: &Source,
    ) -> Result<Attempt, AuthError> {
        if !self.settings.enabled {
            return Ok(Attempt(None));
        }
        let tenant = principal.tenant;
        // Whoever comes with an API key has no session, and nothing to prove by a password.
        let session = principal.session().ok_or(AuthError::InsufficientPermissions)?.as_uuid();
        let minute = limit("password_guess", PASSWORD_GUESSES, MINUTE);
        self.take(tenant, minute, session.as_bytes(), source).await?;
        let subject = self.of_user(principal.subject.as_uuid());
        let bucket = self.digest(&[b"session", session.as_bytes()]);
        let standing = self.standing(tenant, subject, bucket, None, bucket).await?;
        let guard = Guard { subject, bucket, source: None, claimed: false };
        self.claim(tenant, guard, standing.decision, source).await
    }

    /// Forgets the failures of an account, those of strangers too: the next attempt is looked at. What is counted in
    /// windows runs out by itself, within an hour.
    pub(crate) async fn clear(&self, tx: &mut Tx, user: UserId, normalized: &str) -> Result<(), StoreError> {
        store::forget_subject(tx, self.of_identifier(normalized)).await?;
        store::forget_subject(tx, self.of_user(user.as_uuid())).await
    }

    /// Lets a request through or refuses it, by its source.
    pub(crate) async fn admit(
        &self,
        tenant: &CurrentTenant,
        route: Route,
        source: &Source,
    ) -> Result<(), AuthError> {
        let limits = self.settings.of_tenant(tenant.rate_limits);
        let (site, network, requests) = match route {
            Route::Register => ("register_site", "register_source", limits.register),
            Route::Refresh => ("refresh_site", "refresh_source", limits.refresh),
            Route::Mail => ("mail_site", "mail_source", MAILS),
            Route::Upstream => ("upstream_site", "upstream_source", UPSTREAM),
        };
        self.admit_source(tenant.id, (site, network, requests), source).await
    }

    /// Lets the one-use link for the first superadmin be tried or refuses it, by its source.
    pub(crate) async fn admit_setup(&self, source: &Source) -> Result<(), AuthError> {
        self.admit_source(TenantId::DEFAULT, ("setup_site", "setup_source", SETUPS), source).await
    }

    async fn admit_source(
        &self,
        tenant: TenantId,
        (site, network, requests): (&'static str, &'static str, u32),
        source: &Source,
    ) -> Result<(), AuthError> {
        if !self.settings.enabled {
            return Ok(());
        }
        let demands = self.of_source(tenant, source, site, network, requests);
        self.take_all(tenant, &demands, source).await
    }

    /// Counts one event of `key` under a rule of another feature, or refuses it: for requests of an API key, mails
    /// to an address, codes of one user. Counted before anything is looked at (S-111), on all nodes together where
    /// they share counters; the refusal is written down under the rule's name.
    ///
    /// The key may be an address or an identifier: only its keyed hash is kept.
    pub(crate) async fn take(
        &self,
        tenant: TenantId,
        rule: Limit,
        key: &[u8],
        source: &Source,
    ) -> Result<(), AuthError> {
        if !self.settings.enabled {
            return Ok(());
        }
        self.take_all(tenant, &[self.demand(tenant, rule, &[key])], source).await
    }

    /// Refuses a source that sent too many bad tokens or keys, before the next is looked at.
    pub(crate) fn admit_token(&self, tenant: TenantId, source: &Source) -> Result<(), AuthError> {
        if !self.settings.enabled {
            return Ok(());
        }
        let peeked = self.local.peek(&self.bad_tokens(tenant, source));
        peeked.map_err(|refused| self.refused(tenant, refused, source))
    }

    /// Counts a token that is unknown or none at all; `what` kind it should have been is written down.
    pub(crate) fn note_bad_token(&self, tenant: TenantId, what: &'static str, source: &Source) {
        if self.settings.enabled {
            // Whether there was room is asked before the next one.
            let _ = self.local.take_now(&[self.bad_tokens(tenant, source)]);
            self.refusals.note(tenant, Action::TokenRefused, what, source);
        }
    }

    /// Writes down what was refused since the last time.
    pub(crate) async fn flush(&self) -> Result<(), AuthError> {
        for tally in self.refusals.take() {
            let entry = self.audit.refused_several(&tally.source, tally.action, tally.target, tally.count);
            self.audit.record_alone(tally.tenant, entry).await?;
        }
        Ok(())
    }

    /// Removes what no longer counts, a few rows a transaction.
    pub(crate) async fn purge(&self) -> Result<(), AuthError> {
        let now = self.env.now();
        let ends = (now.minus(FORGOTTEN_AFTER), now.minus(KNOWN_FOR));
        loop {
            let removed = self.env.db.write_global(ends, |tx, (failures, sources)| {
                Box::pin(async move {
                    let failures = store::purge_failures(tx, *failures, PURGE_BATCH).await?;
                    Ok::<_, StoreError>(failures + store::purge_sources(tx, *sources, PURGE_BATCH).await?)
                })
            });
            if removed.await? == 0 {
                return Ok(());
            }
        }
    }

    fn of_identifier(&self, normalized: &str) -> Digest {
        self.digest(&[b"identifier", normalized.as_bytes()])
    }

    fn of_user(&self, user: Uuid) -> Digest {
        self.digest(&[b"user", user.as_bytes()])
    }

    fn of_source(
        &self,
        tenant: TenantId,
        source: &Source,
        site_name: &'static str,
        network_name: &'static str,
        requests: u32,
    ) -> Vec<Demand> {
        let mut demands = Vec::with_capacity(3);
        if let Some(site) = source.site() {
            let limit = limit(site_name, requests.saturating_mul(SITE), MINUTE);
            demands.push(self.demand(tenant, limit, &[site.to_string().as_bytes()]));
        }
        let limit = limit(network_name, requests, MINUTE);
        demands.push(self.demand(tenant, limit, &[text(source.network()).as_bytes()]));
        demands
    }

    fn bad_tokens(&self, tenant: TenantId, source: &Source) -> Demand {
        let network = text(source.network());
        self.demand(tenant, limit("bad_token", BAD_TOKENS, MINUTE), &[network.as_bytes()])
    }

    fn demand(&self, tenant: TenantId, limit: Limit, parts: &[&[u8]]) -> Demand {
        let tenant = tenant.as_uuid();
        // The window's length too: counts by slots of one length are worth nothing by another's.
        let window = limit.window.as_millis().to_be_bytes();
        let name = [b"limit", limit.name.as_bytes(), &window, tenant.as_bytes()];
        let hash = self.key.hmac(&[&name[..], parts].concat());
        let (half, _) = hash.split_at(16);
        Demand { key: half.iter().fold(0, |key, byte| key << 8 | u128::from(*byte)), limit }
    }

    fn digest(&self, parts: &[&[u8]]) -> Digest {
        self.key.hmac(parts).into()
    }

    async fn take_all(&self, tenant: TenantId, demands: &[Demand], source: &Source) -> Result<(), AuthError> {
        self.shared.take(demands).await.map_err(|refused| self.refused(tenant, refused, source))
    }

    /// How the account stands, towards `source` and in its bucket or else in that of the strangers: two reads,
    /// whatever is found.
    async fn standing(
        &self,
        tenant: TenantId,
        subject: Digest,
        own: Digest,
        source: Option<Digest>,
        strangers: Digest,
    ) -> Result<Standing, AuthError> {
        let input = (subject, own, source, strangers, self.env.now());
        self.env
            .db
            .lookup(tenant.into(), input, |tx, (subject, own, source, strangers, now)| {
                Box::pin(async move {
                    let last = store::last_success(tx, *subject, *own).await?;
                    let is_known = source.is_some() && is_known(last, *now);
                    let bucket = if is_known { *own } else { *strangers };
                    let failures = store::failures(tx, *subject, bucket).await?;
                    Ok(Standing { is_known, decision: decide(failures, *now) })
                })
            })
            .await
    }

    /// Where failures stand against the account, counts this attempt as one before it is looked at: attempts that
    /// run at once, on however many nodes, each find the others counted (S-111).
    async fn claim(
        &self,
        tenant: TenantId,
        guard: Guard,
        decision: Decision,
        source: &Source,
    ) -> Result<Attempt, AuthError> {
        if decision == Decision::Fresh {
            return Ok(Attempt(Some(guard)));
        }
        let input = (guard, self.env.now());
        let claimed =
            self.env.db.write(tenant.into(), input, |tx, (guard, now)| Box::pin(claim(tx, guard, *now)));
        match claimed.await? {
            Decision::Wait(rest) => Err(self.delayed(tenant, rest, source)),
            claimed => Ok(Attempt(Some(Guard { claimed: claimed == Decision::Claim, ..guard }))),
        }
    }

    fn delayed(&self, tenant: TenantId, rest: Duration, source: &Source) -> AuthError {
        let limit = limit("account_delay", MAX_FAILURES, FORGOTTEN_AFTER);
        self.refused(tenant, Refused { limit, retry_after: rest }, source)
    }

    /// The answer, and its place in what is written down later.
    fn refused(&self, tenant: TenantId, refused: Refused, source: &Source) -> AuthError {
        let Refused { limit, retry_after } = refused;
        self.refusals.note(tenant, Action::RateLimited, limit.name, source);
        let retry_after = Duration::from_secs(retry_after.as_millis().div_ceil(1000).try_into().unwrap_or(1));
        AuthError::RateLimited {
            policy: limit.name,
            quota: limit.requests,
            window: limit.window,
            retry_after: retry_after.max(Duration::from_secs(1)),
        }
    }
}

/// Reads, decides, counts; who loses the race for the `UPDATE` reads and decides again.
async fn claim(tx: &mut Tx, guard: &Guard, now: Timestamp) -> Result<Decision, StoreError> {
    loop {
        let seen: Option<Failures> = store::failures(tx, guard.subject, guard.bucket).await?;
        let decision = decide(seen, now);
        let (Decision::Claim, Some(seen)) = (decision, seen) else { return Ok(decision) };
        if store::claim(tx, guard.subject, guard.bucket, seen, now).await? {
            return Ok(Decision::Claim);
        }
    }
}

fn limit(name: &'static str, requests: u32, window: Duration) -> Limit {
    Limit { name, requests, window }
}

fn text(network: Option<IpAddr>) -> String {
    network.map(|address| address.to_string()).unwrap_or_default()
}
