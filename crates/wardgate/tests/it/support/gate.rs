//! A gate with a clock that tests set, chance that repeats, and a database of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use wardgate::{
    AuthError, BuildError, Builder, Clock, DbOptions, Durability, HashPoolSettings, LinkUrls, MIGRATIONS,
    ManualClock, MasterKey, RateLimits, RecordingMailer, SeededRng, TenantId, Timestamp, UserChange, UserId,
    Wardgate,
};
use wardgate_store::testing::Scratch;

use super::personas::Registering;
use super::request::Request;

/// Everybody's password, unless a test says otherwise.
pub const PASSWORD: &str = "correct horse battery staple";

/// When every test begins: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

pub const ISSUER: &str = "https://auth.example.com";

pub struct TestGate {
    pub gate: Wardgate,
    pub clock: Arc<ManualClock>,
    pub app: Router,
    scratch: Arc<Scratch>,
    /// How many nodes there are: each draws other ids.
    nodes: Arc<AtomicU64>,
}

impl TestGate {
    pub async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// A gate with other settings.
    pub async fn with(settings: impl FnOnce(Builder) -> Builder) -> Self {
        Self::with_clock(Arc::new(ManualClock::at(START)), settings).await
    }

    /// As [`with`](Self::with), at the time of a clock that others share.
    pub async fn with_clock(clock: Arc<ManualClock>, settings: impl FnOnce(Builder) -> Builder) -> Self {
        let scratch = Arc::new(Scratch::from_env(MIGRATIONS).await.unwrap());
        Self::on(scratch, clock, Arc::default(), settings).await
    }

    /// Another node, or a restart, on the same database and at the same time.
    pub async fn beside(&self, settings: impl FnOnce(Builder) -> Builder) -> Self {
        Self::on(Arc::clone(&self.scratch), Arc::clone(&self.clock), Arc::clone(&self.nodes), settings).await
    }

    /// As [`beside`](Self::beside), where it may fail.
    pub async fn try_beside(
        &self,
        settings: impl FnOnce(Builder) -> Builder,
    ) -> Result<Wardgate, BuildError> {
        settings(builder(&self.scratch, &self.clock, 1000)).build().await
    }

    /// A gate for one command, on the same database.
    pub async fn tool_beside(&self, settings: impl FnOnce(Builder) -> Builder) -> Wardgate {
        let seed = self.nodes.fetch_add(1, Ordering::Relaxed) + 1;
        settings(builder(&self.scratch, &self.clock, seed)).build_tool().await.unwrap()
    }

    /// A gate of its own that may fail.
    pub async fn try_settings(settings: impl FnOnce(Builder) -> Builder) -> Result<Wardgate, BuildError> {
        let scratch = Scratch::from_env(MIGRATIONS).await.unwrap();
        settings(builder(&scratch, &Arc::new(ManualClock::at(START)), 3)).build().await
    }

    /// A gate whose mails are kept for the test to read.
    pub async fn with_mail(settings: impl FnOnce(Builder) -> Builder) -> (Self, Arc<RecordingMailer>) {
        let mailer = Arc::new(RecordingMailer::default());
        let given = Arc::clone(&mailer);
        (Self::with(|builder| settings(builder.mailer(given).link_urls(urls()))).await, mailer)
    }

    async fn on(
        scratch: Arc<Scratch>,
        clock: Arc<ManualClock>,
        nodes: Arc<AtomicU64>,
        settings: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let seed = nodes.fetch_add(1, Ordering::Relaxed) + 1;
        let gate = settings(builder(&scratch, &clock, seed)).build().await.unwrap();
        Self { app: gate.into_app(), gate, clock, scratch, nodes }
    }

    pub fn master_key() -> MasterKey {
        MasterKey::generate(&SeededRng::new(7))
    }

    /// Changes a user as an operator.
    pub async fn change(&self, user: UserId, to: UserChange) -> Result<(), AuthError> {
        let (tenant, operator) = (TenantId::DEFAULT, self.gate.operator());
        self.gate.lifecycle().update(tenant, user, to, &operator).await.map(drop)
    }

    pub async fn disable(&self, user: UserId) {
        self.change(user, UserChange { is_active: Some(false), ..UserChange::default() }).await.unwrap();
    }

    pub async fn enable(&self, user: UserId) {
        self.change(user, UserChange { is_active: Some(true), ..UserChange::default() }).await.unwrap();
    }

    pub async fn set_roles(&self, user: UserId, roles: &[&str]) -> Result<(), AuthError> {
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        self.change(user, UserChange { roles: Some(roles), ..UserChange::default() }).await
    }

    pub async fn delete(&self, user: UserId) -> Result<(), AuthError> {
        self.gate.lifecycle().delete(TenantId::DEFAULT, user, &self.gate.operator()).await
    }

    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Lets a moment pass, so that what follows is younger than what was.
    pub fn tick(&self) {
        self.advance(Duration::from_millis(5));
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn get(&self, path: &str) -> Request {
        Request::new(&self.app, "GET", path)
    }

    pub fn post(&self, path: &str) -> Request {
        Request::new(&self.app, "POST", path)
    }

    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(&self.app, method, path)
    }

    /// A persona that does not exist yet.
    pub fn user(&self, name: &str) -> Registering<'_> {
        Registering::new(self, name)
    }
}

/// Where the pages would lie, which most tests of mail do without.
pub fn urls() -> LinkUrls {
    let at = |path: &str| Some(format!("{ISSUER}{path}"));
    LinkUrls {
        base: None,
        verify: at("/auth/email/verify"),
        reset: at("/auth/password/reset"),
        magic_link: at("/auth/magic-link/redeem"),
        invitation: at("/auth/password/reset"),
        organization: at("/auth/invitations/accept"),
    }
}

fn builder(scratch: &Scratch, clock: &Arc<ManualClock>, seed: u64) -> Builder {
    let mut database = DbOptions::new(scratch.url().parse().unwrap());
    database.durability = Durability::Off;
    database.pool = 8;
    Wardgate::builder()
        .issuer(ISSUER)
        .database(database)
        .master_key(TestGate::master_key())
        .background(false)
        .hashing(HashPoolSettings { threads: 2, queue: 64, deadline: Duration::from_secs(3600) })
        // The clock stands still, so a limit once reached would stay: tests of limits switch them on.
        .rate_limits(RateLimits::off())
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
        .rng(Arc::new(SeededRng::new(seed)))
}
