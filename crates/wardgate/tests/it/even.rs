//! Refusals that are not to be told apart cost the same statements, in the same order, and the same hashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use wardgate::{
    Builder, BuiltinRole, Clock, ManualClock, NewUser, RateLimits, RecordingMailer, RegistrationMode,
    TenantId, Timestamp, UserId,
};
use wardgate_crypto::{ApiKeyText, SeededRng};
use wardgate_store::testing::statements;
use wardgate_store::{Sql, params, sql};

use crate::support::{PASSWORD, Request, START, TestGate, urls};

/// A clock that notices hashing: a thread of the pool asks for the time only around a job.
struct Hashes {
    clock: ManualClock,
    seen: AtomicUsize,
    /// How long a hash seems to take, in milliseconds.
    pace: AtomicU64,
}

impl Clock for Hashes {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        let thread = std::thread::current();
        if thread.name().is_some_and(|name| name.starts_with("wardgate-hash-")) {
            let seen = self.seen.fetch_add(1, Ordering::Relaxed);
            return self.clock.monotonic()
                + Duration::from_millis(self.pace.load(Ordering::Relaxed) * seen as u64);
        }
        self.clock.monotonic()
    }
}

/// What a request cost.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    statements: Vec<&'static str>,
    /// How often the hashing threads looked at the clock.
    hashing: usize,
}

struct Scales {
    t: TestGate,
    hashes: Arc<Hashes>,
}

impl Scales {
    /// A gate with mail and with limits, which have statements of their own.
    async fn with(settings: impl FnOnce(Builder) -> Builder) -> Self {
        let hashes = Arc::new(Hashes {
            clock: ManualClock::at(START),
            seen: AtomicUsize::new(0),
            pace: AtomicU64::new(0),
        });
        let clock = Arc::clone(&hashes);
        let t = TestGate::with(|builder| {
            let mailer = Arc::new(RecordingMailer::default());
            let builder = builder.clock(clock).mailer(mailer).link_urls(urls());
            settings(builder.rate_limits(RateLimits::default()))
        });
        Self { t: t.await, hashes }
    }

    async fn weigh(&self, request: Request, status: u16) -> Cost {
        let before = self.hashes.seen.load(Ordering::Relaxed);
        let (reply, statements) = statements(self.t.gate.database(), request.send()).await;
        reply.expect(status);
        Cost { statements, hashing: self.hashes.seen.load(Ordering::Relaxed) - before }
    }

    fn login(&self, email: &str, password: &str) -> Request {
        let body = json!({ "email": email, "password": password });
        self.t.post("/auth/login").json(&body).from("203.0.113.1")
    }
}

#[tokio::test]
async fn every_refused_sign_in_costs_the_same() {
    // S-012
    let scales = Scales::with(|builder| builder.registration(RegistrationMode::Verified)).await;
    let t = &scales.t;
    let alice = proven(t, "alice").await;
    let unproven = t.user("unproven").registered().await.email;
    let disabled = t.user("disabled").registered().await;
    t.disable(disabled.id).await;
    let passwordless = t.user("passwordless").registered().await;
    forget_password(t, passwordless.id).await;
    let refusals = [
        ("a wrong password", alice.as_str(), "wrong"),
        ("nobody", "nobody@example.com", PASSWORD),
        ("no address", "nobody", PASSWORD),
        ("a disabled account", &disabled.email, PASSWORD),
        ("no password", &passwordless.email, PASSWORD),
        ("an address that nobody proved", &unproven, PASSWORD),
    ];
    let mut costs = Vec::new();
    // The second failure of an account stands beside the first, which counts it beforehand.
    for _ in 0..2 {
        let (_, email, password) = refusals[0];
        let cost = scales.weigh(scales.login(email, password), 401).await;
        for (who, email, password) in &refusals[1..] {
            assert_eq!(scales.weigh(scales.login(email, password), 401).await, cost, "{who}");
        }
        costs.push(cost);
    }
    let hashed_once = scales.weigh(scales.login(&alice, PASSWORD), 200).await.hashing;
    assert!(hashed_once > 0 && costs.iter().all(|cost| cost.hashing == hashed_once), "{costs:#?}");
    assert_ne!(costs[0].statements, costs[1].statements);
}

#[tokio::test]
async fn a_refusal_takes_as_long_as_the_slowest_scheme_of_its_own_tenant() {
    // S-012: the schemes of each tenant are measured, not those of `default` alone.
    const SLOW: Duration = Duration::from_millis(500);
    let scales = Scales::with(|builder| builder.rate_limits(RateLimits::off())).await;
    let t = &scales.t;
    let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    let acme = json!({ "slug": "acme", "name": "Acme" });
    root.post("/admin/tenants").json(&acme).send().await.expect(201);
    for name in ["alice", "bob"] {
        let body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        t.post("/t/acme/auth/register").json(&body).send().await.expect(201);
    }
    let tenant = t.gate.tenants().find_by_slug("acme").await.unwrap().unwrap().id;
    import_hash(t, tenant, "bob@example.com").await;
    scales.hashes.pace.store(SLOW.as_millis() as u64, Ordering::Relaxed);
    t.gate.maintain().await.unwrap();
    scales.hashes.pace.store(0, Ordering::Relaxed);
    for email in ["alice@example.com", "bob@example.com", "nobody@example.com"] {
        let begun = tokio::time::Instant::now();
        let body = json!({ "email": email, "password": "wrong" });
        t.post("/t/acme/auth/login").json(&body).send().await.expect(401);
        assert!(begun.elapsed() >= SLOW, "{email}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn asking_for_a_mail_costs_the_same() {
    // S-124
    let scales = Scales::with(|builder| builder).await;
    let t = &scales.t;
    let (unproven, proven) = (t.user("alice").registered().await.email, proven(t, "bob").await);
    let disabled = t.user("disabled").registered().await;
    t.disable(disabled.id).await;
    for path in ["/auth/password/forgot", "/auth/email/resend", "/auth/magic-link"] {
        let ask = |email: &str| t.post(path).json(&json!({ "email": email }));
        // An address gets five mails an hour.
        scales.hashes.clock.advance(Duration::from_secs(60 * 60));
        for time in ["first", "second"] {
            let cost = scales.weigh(ask(&unproven), 202).await;
            assert!(cost.statements.len() > 3, "{cost:?}");
            for email in [&proven, &disabled.email, "nobody@example.com"] {
                assert_eq!(scales.weigh(ask(email), 202).await, cost, "{path}, {time} time: {email}");
            }
        }
    }
}

#[tokio::test]
async fn registering_a_taken_address_costs_as_many_statements_as_a_free_one() {
    // S-013
    let scales = Scales::with(|builder| builder.registration(RegistrationMode::Verified)).await;
    let (unproven, proven) =
        (scales.t.user("alice").registered().await.email, proven(&scales.t, "bob").await);
    let register = |email: &str| {
        let body = json!({ "email": email, "password": "violet anchor canyon drum" });
        scales.t.post("/auth/register").json(&body)
    };
    let free = scales.weigh(register("free@example.com"), 202).await;
    for taken in [&unproven, &proven] {
        let taken = scales.weigh(register(taken), 202).await;
        assert_eq!(taken.statements.len(), free.statements.len(), "{taken:#?} {free:#?}");
        assert_eq!(taken.hashing, free.hashing);
    }
}

#[tokio::test]
async fn a_wrong_key_costs_the_same_whether_or_not_its_prefix_is_known() {
    // S-065
    let scales = Scales::with(|builder| builder).await;
    let t = &scales.t;
    let alice = t.user("alice").signed_in().await;
    let made = alice.post("/auth/api-keys").json(&json!({ "name": "ci" })).send().await.expect(201);
    let ended = alice.post("/auth/api-keys").json(&json!({ "name": "ended" })).send().await.expect(201);
    alice.request("DELETE", &format!("/auth/api-keys/{}", ended.str("id"))).send().await.expect(204);
    let with_key = |key: &str| t.get("/auth/me").header("x-api-key", key);
    let guess = |id: u128| ApiKeyText::generate(&id.to_be_bytes(), &SeededRng::new(5)).reveal();
    let known: uuid::Uuid = made.str("id").strip_prefix("key_").unwrap().parse().unwrap();
    let cost = scales.weigh(with_key(&guess(known.as_u128())), 403).await;
    assert!(!cost.statements.is_empty());
    assert_eq!(scales.weigh(with_key(&guess(1)), 403).await, cost, "a prefix that is nobody's");
    assert_eq!(scales.weigh(with_key(&ended.str("key")), 403).await, cost, "a key that was");
    assert_eq!(scales.weigh(with_key(&made.str("key")), 200).await, cost, "one that is right");
}

/// The address of an account that proved it.
async fn proven(t: &TestGate, name: &str) -> String {
    let email = format!("{name}@example.com");
    let new = NewUser { email: email.parse().unwrap(), name: None, email_verified: true };
    let (roles, operator) = (vec!["user".to_owned()], t.gate.operator());
    t.gate.accounts().create(TenantId::DEFAULT, new, Some(PASSWORD), roles, &operator).await.unwrap();
    email
}

/// As if the account had come from a program that hashed otherwise.
async fn import_hash(t: &TestGate, tenant: TenantId, email: &str) {
    const IMPORT: Sql = sql!(
        "UPDATE passwords SET hash = $3, scheme = $4 WHERE tenant_id = $1 AND user_id = \
         (SELECT id FROM users WHERE tenant_id = $1 AND email_normalized = $2)"
    );
    let hash = "pbkdf2_sha256$1500$zK3mQ9$RtpV3Hd8biD/r+4mM1RzKKpdt+iP+tVXm6gMZuuFXgI=";
    let import = t.gate.database().write(tenant.into(), email.to_owned(), move |tx, email| {
        Box::pin(async move { tx.exec(IMPORT, &params![email, hash, "pbkdf2-sha256"]).await })
    });
    assert_eq!(import.await.unwrap(), 1);
}

async fn forget_password(t: &TestGate, user: UserId) {
    const FORGET: Sql = sql!("DELETE FROM passwords WHERE tenant_id = $1 AND user_id = $2");
    let id: uuid::Uuid = user.to_string().strip_prefix("usr_").unwrap().parse().unwrap();
    let forget = t.gate.database().write(TenantId::DEFAULT.into(), id, |tx, id| {
        Box::pin(async move { tx.exec(FORGET, &params![*id]).await })
    });
    assert_eq!(forget.await.unwrap(), 1);
}
