//! Limits on guessing, and the memory of failures.

use std::time::Duration;

use serde_json::{Value, json};
use wardgate::{
    Actor, AuditEvent, Builder, BuiltinRole, CorsOrigins, HashPoolSettings, Network, RateLimits, TenantId,
    WebSettings,
};
use wardgate_store::{Sql, params, sql};

use crate::support::{PASSWORD, Persona, Reply, Request, TestGate};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WRONG: &str = "wrong password";

/// The default limits, and room for all the hashes that a test asks for at once.
fn limited(builder: Builder) -> Builder {
    let hashing = HashPoolSettings { threads: 2, queue: 1100, deadline: Duration::from_secs(3600) };
    builder.rate_limits(RateLimits::default()).hashing(hashing)
}

/// Limits as `change` makes them.
fn with(change: impl FnOnce(&mut RateLimits)) -> impl FnOnce(Builder) -> Builder {
    let mut limits = RateLimits::default();
    change(&mut limits);
    |builder| limited(builder).rate_limits(limits)
}

fn login(t: &TestGate, email: &str, password: &str, from: &str) -> Request {
    t.post("/auth/login").json(&json!({ "email": email, "password": password })).from(from)
}

/// The `n`th stranger's address.
fn stranger(n: u32) -> String {
    format!("198.18.{}.{}", n / 250, n % 250 + 1)
}

/// What may differ between two answers: nothing but the request's id.
fn face(reply: &Reply) -> (u16, Vec<(String, String)>, String) {
    let headers = reply.headers.iter().filter(|(name, _)| *name != "x-request-id");
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    (
        reply.status.as_u16(),
        headers.map(|(name, value)| (name.to_string(), text(value))).collect(),
        reply.text.clone(),
    )
}

async fn records(t: &TestGate, action: &str) -> Vec<AuditEvent> {
    let mut events = t.gate.audit().newest(200).await.unwrap();
    events.retain(|event| event.action == action && event.outcome == "refused");
    events
}

/// How many wrong passwords were looked at: each leaves a record.
async fn evaluated(t: &TestGate) -> usize {
    records(t, "session.signed_in").await.len()
}

/// Sends all at once; how many were answered with each of 401 and 429.
async fn storm(requests: impl Iterator<Item = Request>) -> (usize, usize) {
    let running: Vec<_> = requests.map(|request| tokio::spawn(request.send())).collect();
    let (mut refused, mut limited) = (0, 0);
    for request in running {
        let reply = request.await.unwrap();
        match reply.status.as_u16() {
            401 => refused += 1,
            429 => limited += 1,
            other => panic!("{other}: {reply:?}"),
        }
    }
    (refused, limited)
}

/// Lets `alice` sign in from `home`, which is then a source that her account knows.
async fn at_home(t: &TestGate, alice: &Persona<'_>, home: &str) {
    login(t, &alice.email, PASSWORD, home).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_guesses_at_once_are_no_more_than_the_limit() {
    // S-111
    let t = TestGate::with(limited).await;
    let alice = t.user("alice").registered().await;
    let guesses = (0..1000).map(|_| login(&t, &alice.email, WRONG, "203.0.113.1"));
    assert_eq!(storm(guesses).await, (10, 990));
    assert_eq!(evaluated(&t).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_strangers_at_once_are_no_more_than_the_limit() {
    // S-111
    let t = TestGate::with(limited).await;
    let alice = t.user("alice").registered().await;
    let guesses = (0..1000).map(|n| login(&t, &alice.email, WRONG, &stranger(n)));
    assert_eq!(storm(guesses).await, (100, 900));
    assert_eq!(evaluated(&t).await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_nodes_that_share_no_counters_take_their_share_of_the_limit() {
    // S-111
    let t = TestGate::with(|b| limited(b).nodes(3)).await;
    let (second, third) = (t.beside(|b| limited(b).nodes(3)).await, t.beside(|b| limited(b).nodes(3)).await);
    let alice = t.user("alice").registered().await;
    let nodes = [&t, &second, &third];
    let guesses = (0..999).map(|n| login(nodes[n % 3], &alice.email, WRONG, "203.0.113.1"));
    assert_eq!(storm(guesses).await, (9, 990));
    assert_eq!(evaluated(&t).await, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_hold_nodes_that_know_nothing_of_each_other() {
    // S-111: once one failure is known, each further guess is counted in its row before it is looked at.
    let t = TestGate::with(limited).await;
    let (second, third) = (t.beside(limited).await, t.beside(limited).await);
    let alice = t.user("alice").registered().await;
    login(&t, &alice.email, WRONG, "203.0.113.1").send().await.expect(401);
    let nodes = [&t, &second, &third];
    let guesses = (0..300).map(|n| login(nodes[n as usize % 3], &alice.email, WRONG, &stranger(n)));
    assert_eq!(storm(guesses).await, (9, 291));
    assert_eq!(evaluated(&t).await, 10);
}

#[tokio::test]
async fn what_a_client_writes_into_headers_makes_it_no_other_source() {
    // S-112
    let t = TestGate::with(with(|limits| limits.sign_in_account = 3)).await;
    let alice = t.user("alice").registered().await;
    let forged = |n: u32| {
        login(&t, &alice.email, WRONG, "203.0.113.1")
            .header("x-forwarded-for", stranger(n))
            .header("x-real-ip", stranger(n))
            .header("forwarded", format!("for={}", stranger(n)))
    };
    for n in 0..3 {
        forged(n).send().await.expect(401);
    }
    forged(3).send().await.refused(429, "rate_limited");
    // The same address in another spelling.
    login(&t, &alice.email, WRONG, "::ffff:203.0.113.1").send().await.refused(429, "rate_limited");
    login(&t, &alice.email, WRONG, "203.0.113.2").send().await.expect(401);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_a_source() {
    // S-112
    let proxies = vec![Network::new("10.0.0.0".parse().unwrap(), 8)];
    let web = WebSettings { trusted_proxies: proxies, ..WebSettings::default() };
    let t = TestGate::with(|b| with(|limits| limits.sign_in_account = 3)(b).web(web)).await;
    let alice = t.user("alice").registered().await;
    let through = |client: &str| {
        let forwarded = format!("192.0.2.66, {client}");
        login(&t, &alice.email, WRONG, "10.0.0.1").header("x-forwarded-for", forwarded)
    };
    for _ in 0..3 {
        through("203.0.113.1").send().await.expect(401);
    }
    through("203.0.113.1").send().await.refused(429, "rate_limited");
    through("203.0.113.2").send().await.expect(401);
}

#[tokio::test]
async fn a_tenant_has_limits_of_its_own() {
    // S-113
    let t = TestGate::with(with(|limits| limits.sign_in_source = 3)).await;
    let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    let made = root.post("/admin/tenants").json(&json!({ "slug": "acme", "name": "Acme" })).send().await;
    let path = format!("/admin/tenants/{}", made.expect(201).str("id"));
    let set = |limits: Value| root.request("PATCH", &path).json(&json!({ "rate_limits": limits }));
    let sign_in = |base: &str, from: &str| {
        let body = json!({ "email": "nobody@example.com", "password": WRONG });
        t.post(&format!("{base}/auth/login")).json(&body).from(from)
    };
    let own = json!({ "sign_in_source": 1, "refresh": 1 });
    assert_eq!(set(own.clone()).send().await.expect(200).body["rate_limits"], own);
    assert_eq!(root.get(&path).send().await.expect(200).body["rate_limits"], own);
    sign_in("/t/acme", "203.0.113.1").send().await.expect(401);
    let refused = sign_in("/t/acme", "203.0.113.1").send().await.refused(429, "rate_limited");
    assert!(refused.header("ratelimit-policy").contains("\"sign_in_source\";q=1;"), "{refused:?}");
    sign_in("", "203.0.113.1").send().await.expect(401);
    sign_in("", "203.0.113.1").send().await.expect(401);
    let refresh =
        || t.post("/t/acme/auth/refresh").json(&json!({ "refresh_token": "wgr_x" })).from("203.0.113.1");
    refresh().send().await.expect(401);
    refresh().send().await.refused(429, "rate_limited");
    for wrong in [
        json!({ "sign_in_source": 0 }),
        json!({ "sign_in_account": 101 }),
        json!({ "sign_in_strangers": 101 }),
        json!({ "refresh": 1_000_001 }),
        json!({ "refresh": "many" }),
        json!({ "enabled": false }),
        json!(5),
    ] {
        let refused = set(wrong).send().await.refused(422, "invalid_fields");
        assert_eq!(refused.body["errors"][0]["pointer"], "#/rate_limits", "{refused:?}");
    }
    assert_eq!(root.get(&path).send().await.expect(200).body["rate_limits"], own);
    set(Value::Null).send().await.expect(200);
    for _ in 0..3 {
        sign_in("/t/acme", "203.0.113.2").send().await.expect(401);
    }
    sign_in("/t/acme", "203.0.113.2").send().await.refused(429, "rate_limited");
}

#[tokio::test]
async fn an_ipv6_link_is_one_source_and_a_site_is_no_more_than_ten() {
    // S-112
    let t = TestGate::with(with(|limits| limits.sign_in_source = 1)).await;
    let unknown = |n: u32, from: &str| login(&t, &format!("nobody{n}@example.com"), WRONG, from);
    unknown(0, "2001:db8:1:0::1").send().await.expect(401);
    let refused = unknown(1, "2001:db8:1:0:ffff::2").send().await.refused(429, "rate_limited");
    assert!(refused.header("ratelimit").starts_with("\"sign_in_source\";r=0;"), "{refused:?}");
    for n in 1..10 {
        unknown(n, &format!("2001:db8:1:{n}::1")).send().await.expect(401);
    }
    let refused = unknown(10, "2001:db8:1:a::1").send().await.refused(429, "rate_limited");
    assert!(refused.header("ratelimit").starts_with("\"sign_in_site\";r=0;"), "{refused:?}");
    unknown(11, "2001:db8:2:a::1").send().await.expect(401);
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back_and_that_is_true() {
    // S-113
    let t = TestGate::with(with(|limits| limits.sign_in_source = 2)).await;
    let unknown = |n: u32| login(&t, &format!("nobody{n}@example.com"), WRONG, "203.0.113.1");
    unknown(1).send().await.expect(401);
    unknown(2).send().await.expect(401);
    let refused = unknown(3).send().await.refused(429, "rate_limited");
    assert_eq!(refused.body["detail"], "Too many requests");
    assert_eq!(refused.header("ratelimit-policy"), "\"sign_in_source\";q=2;w=60");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert_eq!(refused.header("ratelimit"), format!("\"sign_in_source\";r=0;t={wait}"));
    assert!((60..=70).contains(&wait), "{wait}");
    t.advance(Duration::from_secs(wait - 1));
    unknown(4).send().await.refused(429, "rate_limited");
    t.advance(Duration::from_secs(1));
    unknown(5).send().await.expect(401);
}

#[tokio::test]
async fn pages_of_other_origins_may_read_when_to_come_back() {
    let cors = CorsOrigins { exact: vec!["https://app.example.com".to_owned()], any_loopback: false };
    let t = TestGate::with(|b| b.web(WebSettings { cors, ..WebSettings::default() })).await;
    let reply = t.get("/healthz").header("origin", "https://app.example.com").send().await.expect(200);
    let exposed = reply.header("access-control-expose-headers");
    for name in ["retry-after", "ratelimit", "ratelimit-policy"] {
        assert!(exposed.split(',').any(|exposed| exposed.trim() == name), "{name} in {exposed}");
    }
}

#[tokio::test]
async fn a_tenant_has_a_ceiling_under_which_known_sources_pass() {
    // S-113, S-114
    let t = TestGate::with(with(|limits| limits.sign_in_tenant = 3)).await;
    let alice = t.user("alice").registered().await;
    at_home(&t, &alice, "192.0.2.1").await;
    for n in 0..2 {
        login(&t, &format!("nobody{n}@example.com"), WRONG, &stranger(n)).send().await.expect(401);
    }
    let refused = login(&t, "nobody9@example.com", WRONG, &stranger(9)).send().await;
    let refused = refused.refused(429, "rate_limited");
    assert!(refused.header("ratelimit").starts_with("\"sign_in_tenant\""), "{refused:?}");
    at_home(&t, &alice, "192.0.2.1").await;
}

#[tokio::test]
async fn a_hundred_failures_in_a_row_are_the_last_that_are_looked_at() {
    // S-113
    let t = TestGate::with(limited).await;
    let alice = t.user("alice").registered().await;
    for n in 0..100 {
        login(&t, &alice.email, WRONG, &stranger(n)).send().await.expect(401);
        // Longer than any delay, shorter than what is forgotten.
        t.advance(Duration::from_secs(3601));
    }
    let last = login(&t, &alice.email, PASSWORD, &stranger(101)).send().await.refused(429, "rate_limited");
    assert_eq!(last.header("retry-after"), (23 * 60 * 60 - 1).to_string());
    assert_eq!(evaluated(&t).await, 100);
    t.advance(DAY);
    login(&t, &alice.email, PASSWORD, &stranger(102)).send().await.expect(200);
}

#[tokio::test]
async fn a_right_a_wrong_and_an_unknown_one_get_the_same_refusal() {
    // S-114, S-011
    let t = TestGate::with(limited).await;
    let alice = t.user("alice").registered().await;
    let mut replies = Vec::new();
    for (n, email) in [alice.email.as_str(), "nobody@example.com"].into_iter().enumerate() {
        let from = stranger(n as u32);
        for _ in 0..10 {
            login(&t, email, WRONG, &from).send().await.expect(401);
        }
        for password in [WRONG, PASSWORD] {
            replies.push(login(&t, email, password, &from).send().await.refused(429, "rate_limited"));
        }
        // And by the rows, from where no window is full.
        for password in [WRONG, PASSWORD] {
            replies.push(login(&t, email, password, &stranger(50)).send().await.refused(429, "rate_limited"));
        }
    }
    let faces: Vec<_> = replies.iter().map(face).collect();
    assert_eq!(faces[..4], faces[4..], "known and unknown");
    assert_eq!((&faces[0], &faces[2]), (&faces[1], &faces[3]), "wrong and right");
}

#[tokio::test]
async fn spellings_of_one_address_are_counted_as_one() {
    // S-014, S-111
    let t = TestGate::with(limited).await;
    let alice = t.user("alice").registered().await;
    for spelling in ["alice@example.com", " ALICE@example.com", "alice@Example.com.", "ａlice@example.com"] {
        for _ in 0..3 {
            login(&t, spelling, WRONG, "203.0.113.1").send().await;
        }
    }
    assert_eq!(evaluated(&t).await, 10, "{}", alice.email);
}

#[tokio::test]
async fn strangers_cannot_keep_the_owner_out() {
    // S-114
    let t = TestGate::with(limited).await;
    let alice = t.user("alice").registered().await;
    at_home(&t, &alice, "192.0.2.1").await;
    for n in 0..10 {
        login(&t, &alice.email, WRONG, &stranger(n)).send().await.expect(401);
    }
    login(&t, &alice.email, PASSWORD, &stranger(20)).send().await.refused(429, "rate_limited");
    // Where she was before she gets in, with a mistake of her own, and again after three weeks of siege.
    login(&t, &alice.email, WRONG, "192.0.2.1").send().await.expect(401);
    at_home(&t, &alice, "192.0.2.1").await;
    for day in 0..21 {
        t.advance(DAY - Duration::from_secs(1));
        login(&t, &alice.email, WRONG, &stranger(day)).send().await.expect(401);
    }
    at_home(&t, &alice, "192.0.2.1").await;
    // A stranger once more after thirty days away.
    t.advance(30 * DAY);
    for n in 0..10 {
        login(&t, &alice.email, WRONG, &stranger(n)).send().await.expect(401);
    }
    login(&t, &alice.email, PASSWORD, "192.0.2.1").send().await.refused(429, "rate_limited");
}

#[tokio::test]
async fn a_known_source_answers_for_its_own_failures_only() {
    // S-113, S-114
    let t = TestGate::with(with(|limits| limits.sign_in_account = 100)).await;
    let alice = t.user("alice").registered().await;
    at_home(&t, &alice, "192.0.2.1").await;
    for _ in 0..10 {
        login(&t, &alice.email, WRONG, "192.0.2.1").send().await.expect(401);
    }
    let refused = login(&t, &alice.email, PASSWORD, "192.0.2.1").send().await.refused(429, "rate_limited");
    assert!(refused.header("ratelimit").starts_with("\"account_delay\""), "{refused:?}");
    // Strangers have a count of their own, which a success at home does not forgive.
    for n in 0..10 {
        login(&t, &alice.email, WRONG, &stranger(n)).send().await.expect(401);
    }
    t.advance(Duration::from_secs(1));
    login(&t, &alice.email, WRONG, &stranger(10)).send().await.expect(401);
    at_home(&t, &alice, "192.0.2.1").await;
    login(&t, &alice.email, PASSWORD, &stranger(11)).send().await.refused(429, "rate_limited");
}

#[tokio::test]
async fn whoever_has_no_address_is_a_stranger() {
    // S-114: behind a listener that tells no addresses everybody would else be the one known source.
    let t = TestGate::with(with(|limits| limits.sign_in_tenant = 3)).await;
    let alice = t.user("alice").registered().await;
    let unseen = |password: &str| {
        t.post("/auth/login").json(&json!({ "email": alice.email, "password": password })).send()
    };
    for _ in 0..3 {
        unseen(PASSWORD).await.expect(200);
    }
    unseen(PASSWORD).await.refused(429, "rate_limited");
}

#[tokio::test]
async fn attempts_during_a_delay_use_up_nothing_else() {
    // S-114: else strangers could close the hour for everybody from somewhere new with attempts that cost nothing.
    let t = TestGate::with(with(|limits| limits.sign_in_strangers = 12)).await;
    let alice = t.user("alice").registered().await;
    for n in 0..10 {
        login(&t, &alice.email, WRONG, &stranger(n)).send().await.expect(401);
    }
    for n in 10..40 {
        login(&t, &alice.email, WRONG, &stranger(n)).send().await.refused(429, "rate_limited");
    }
    t.advance(Duration::from_secs(1));
    login(&t, &alice.email, PASSWORD, &stranger(50)).send().await.expect(200);
}

#[tokio::test]
async fn a_success_forgives_its_own_account_only() {
    // S-114
    let t = TestGate::with(limited).await;
    let (alice, mallory) = (t.user("alice").registered().await, t.user("mallory").registered().await);
    for n in 0..10 {
        login(&t, &alice.email, WRONG, &stranger(n)).send().await.expect(401);
        login(&t, &mallory.email, PASSWORD, &stranger(n)).send().await.expect(200);
    }
    login(&t, &alice.email, WRONG, &stranger(20)).send().await.refused(429, "rate_limited");
    // Mallory's own failures are forgiven by a success: nine and nine without a delay.
    for round in 0..2 {
        for n in 0..9 {
            login(&t, &mallory.email, WRONG, &stranger(30 + n)).send().await.expect(401);
        }
        login(&t, &mallory.email, PASSWORD, &stranger(40 + round)).send().await.expect(200);
    }
}

#[tokio::test]
async fn the_delay_of_an_account_grows_and_is_forgotten() {
    // S-114
    let t = TestGate::with(limited).await;
    let alice = t.user("alice").registered().await;
    for n in 0..10 {
        login(&t, &alice.email, WRONG, &stranger(n)).send().await.expect(401);
    }
    for (step, wait) in [1, 2, 4, 8, 16].into_iter().enumerate() {
        let from = stranger(20 + step as u32);
        let refused = login(&t, &alice.email, WRONG, &from).send().await.refused(429, "rate_limited");
        assert_eq!(refused.header("retry-after"), wait.to_string());
        assert!(refused.header("ratelimit").starts_with("\"account_delay\""), "{refused:?}");
        t.advance(Duration::from_secs(wait));
        login(&t, &alice.email, WRONG, &from).send().await.expect(401);
    }
    t.advance(DAY);
    for n in 0..10 {
        login(&t, &alice.email, WRONG, &stranger(n)).send().await.expect(401);
    }
}

#[tokio::test]
async fn every_other_guessable_input_is_limited() {
    // S-115, S-065
    let t = TestGate::with(with(|limits| (limits.register, limits.refresh) = (2, 310))).await;
    let register = |n: u32, from: &str| {
        let body = json!({ "email": format!("new{n}@example.com"), "password": PASSWORD });
        t.post("/auth/register").json(&body).from(from)
    };
    register(1, "203.0.113.1").send().await.expect(201);
    register(1, "203.0.113.1").send().await.expect(409);
    register(1, "203.0.113.1").send().await.refused(429, "rate_limited");
    register(2, "203.0.113.2").send().await.expect(201);

    let setup = |from: &str| {
        let body = json!({ "token": "wgs_no", "email": "root@example.com", "password": PASSWORD });
        t.post("/auth/setup").json(&body).from(from)
    };
    for _ in 0..10 {
        setup("203.0.113.1").send().await.refused(401, "invalid_setup_token");
    }
    setup("203.0.113.1").send().await.refused(429, "rate_limited");
    setup("203.0.113.2").send().await.refused(401, "invalid_setup_token");

    let alice = t.user("alice").signed_in().await;
    let refresh =
        |token: &str, from: &str| t.post("/auth/refresh").json(&json!({ "refresh_token": token })).from(from);
    for _ in 0..150 {
        refresh("wgr_no", "203.0.113.1").send().await.refused(401, "invalid_refresh_token");
        let logout = t.post("/auth/logout").json(&json!({ "refresh_token": "wgr_no" })).from("203.0.113.1");
        logout.send().await.expect(401);
    }
    let refused = refresh(&alice.refresh, "203.0.113.1").send().await.refused(429, "rate_limited");
    assert!(refused.header("ratelimit").starts_with("\"bad_token\""), "{refused:?}");
    let mut token = refresh(&alice.refresh, "203.0.113.2").send().await.expect(200).str("refresh_token");
    t.advance(Duration::from_secs(71));
    // Good ones have a limit too.
    for _ in 0..310 {
        token = refresh(&token, "203.0.113.1").send().await.expect(200).str("refresh_token");
    }
    let refused = refresh(&token, "203.0.113.1").send().await.refused(429, "rate_limited");
    assert!(refused.header("ratelimit").starts_with("\"refresh_source\""), "{refused:?}");
}

#[tokio::test]
async fn guesses_at_the_current_password_are_limited_and_a_thief_does_not_delay_the_owner() {
    // S-115, S-114
    let t = TestGate::with(limited).await;
    let (mut thief, mut owner) = (t.user("alice").registered().await, None);
    for keep in [false, true] {
        let reply = login(&t, &thief.email, PASSWORD, "192.0.2.1").send().await.expect(200);
        if keep {
            owner = Some(reply.str("access_token"));
        } else {
            thief.keep(&reply);
        }
    }
    let change = |access: &str, current: &str| {
        let body = json!({ "current_password": current, "new_password": "an entirely new sentence" });
        t.post("/auth/password").bearer(access).json(&body)
    };
    let step_up =
        |access: &str| t.post("/auth/step-up").bearer(access).json(&json!({ "password": PASSWORD }));
    for _ in 0..10 {
        change(&thief.access, WRONG).send().await.refused(403, "wrong_password");
    }
    let refused = change(&thief.access, PASSWORD).send().await.refused(429, "rate_limited");
    assert!(refused.header("ratelimit").starts_with("\"password_guess\""), "{refused:?}");
    step_up(&thief.access).send().await.refused(429, "rate_limited");
    let owner = owner.unwrap();
    step_up(&owner).send().await.expect(204);
    t.advance(Duration::from_secs(71));
    for wait in [0, 2, 4, 8] {
        t.advance(Duration::from_secs(wait));
        change(&thief.access, WRONG).send().await.refused(403, "wrong_password");
        change(&thief.access, PASSWORD).send().await.refused(429, "rate_limited");
    }
    t.advance(Duration::from_secs(8));
    change(&owner, PASSWORD).send().await.expect(204);
}

#[tokio::test]
async fn an_account_remembers_its_failures_across_a_restart() {
    // S-116
    let t = TestGate::with(limited).await;
    let alice = t.user("alice").registered().await;
    at_home(&t, &alice, "192.0.2.1").await;
    for n in 0..10 {
        login(&t, &alice.email, WRONG, &stranger(n)).send().await.expect(401);
    }
    t.gate.close().await;
    let restarted = t.beside(limited).await;
    login(&restarted, &alice.email, PASSWORD, &stranger(20)).send().await.refused(429, "rate_limited");
    login(&restarted, &alice.email, PASSWORD, "192.0.2.1").send().await.expect(200);
}

#[tokio::test]
async fn after_an_attack_an_administrator_lets_the_account_be_tried_again() {
    let t = TestGate::with(limited).await;
    let alice = t.user("alice").registered().await;
    let bob = t.user("bob").registered().await;
    let boss = t.user("boss").role(BuiltinRole::Admin).registered().await;
    let root = t.user("root").role(BuiltinRole::Superadmin).registered().await;
    for n in 0..10 {
        for victim in [&alice, &bob] {
            login(&t, &victim.email, WRONG, &stranger(n)).send().await.expect(401);
        }
    }
    login(&t, &alice.email, PASSWORD, "192.0.2.1").send().await.refused(429, "rate_limited");
    let boss_in = login(&t, &boss.email, PASSWORD, "192.0.2.9").send().await.expect(200);
    let access = boss_in.str("access_token");
    let clear = |id: String| t.request("DELETE", &format!("/admin/users/{id}/limits")).bearer(&access);
    clear(alice.id.to_string()).send().await.expect(204);
    login(&t, &alice.email, PASSWORD, "192.0.2.1").send().await.expect(200);
    login(&t, &bob.email, PASSWORD, "192.0.2.2").send().await.refused(429, "rate_limited");
    let events = t.gate.audit().newest(200).await.unwrap();
    let cleared: Vec<_> = events.iter().filter(|event| event.action == "user.limits_cleared").collect();
    assert_eq!(cleared.len(), 1);
    assert_eq!(cleared[0].target, Some(alice.id.to_string()));
    assert_eq!(cleared[0].actor, boss.id.to_string());
    // S-105, S-102
    clear(root.id.to_string()).send().await.refused(403, "insufficient_permissions");
    clear("usr_00000000000070008000000000000000".to_owned()).send().await.refused(404, "not_found");
    // It opens the way to more guesses: an old sign-in does not do.
    t.advance(Duration::from_secs(16 * 60));
    let refresh = json!({ "refresh_token": boss_in.str("refresh_token") });
    let access = t.post("/auth/refresh").json(&refresh).send().await.expect(200).str("access_token");
    let clear = t.request("DELETE", &format!("/admin/users/{}/limits", bob.id)).bearer(&access);
    clear.send().await.refused(403, "step_up_required");
}

#[tokio::test]
async fn what_no_longer_counts_is_removed() {
    // S-156
    const FAILURES: Sql = sql!("SELECT tenant_id, failures FROM guess_failures WHERE tenant_id = $1");
    const SOURCES: Sql = sql!("SELECT tenant_id, last_success_at FROM known_sources WHERE tenant_id = $1");
    let t = TestGate::with(limited).await;
    let alice = t.user("alice").registered().await;
    at_home(&t, &alice, "192.0.2.1").await;
    login(&t, &alice.email, WRONG, &stranger(1)).send().await.expect(401);
    let rows = async || {
        t.gate.maintain().await.unwrap();
        let read = t.gate.database().read(TenantId::DEFAULT.into(), (), |tx, ()| {
            Box::pin(async move {
                let failures: Vec<(i64,)> = tx.all(FAILURES, &params![]).await?;
                let sources: Vec<(i64,)> = tx.all(SOURCES, &params![]).await?;
                Ok::<_, wardgate::StoreError>((failures.len(), sources.len()))
            })
        });
        read.await.unwrap()
    };
    assert_eq!(rows().await, (1, 1));
    t.advance(DAY + Duration::from_secs(1));
    assert_eq!(rows().await, (0, 1));
    t.advance(29 * DAY);
    assert_eq!(rows().await, (0, 0));
}

#[tokio::test]
async fn refusals_are_one_record_for_each_source_and_minute() {
    // S-130
    let t = TestGate::with(with(|limits| limits.sign_in_source = 1)).await;
    for n in 0..21 {
        login(&t, &format!("nobody{n}@example.com"), WRONG, "203.0.113.1").send().await;
    }
    for n in 0..6 {
        login(&t, &format!("nobody{n}@example.com"), WRONG, "2001:db8::7").send().await;
    }
    let written = async || {
        let mut written: Vec<_> = records(&t, "rate_limit.reached").await;
        written.sort_by_key(|event| event.count);
        let known = |event: AuditEvent| (event.target.unwrap(), event.source.unwrap(), event.count.unwrap());
        written.into_iter().map(known).collect::<Vec<_>>()
    };
    assert_eq!(written().await, []);
    t.gate.maintain().await.unwrap();
    let name = || "sign_in_source".to_owned();
    let first = [(name(), "2001:db8::".to_owned(), 5), (name(), "203.0.113.1".to_owned(), 20)];
    assert_eq!(written().await, first);
    t.gate.maintain().await.unwrap();
    assert_eq!(written().await, first, "nothing new, no record");
    // What a source was refused is in the log when the server has stopped.
    login(&t, "nobody@example.com", WRONG, "203.0.113.1").send().await.refused(429, "rate_limited");
    t.gate.close().await;
    let after = t.beside(limited).await;
    let counts: Vec<_> = records(&after, "rate_limit.reached").await.iter().map(|e| e.count).collect();
    assert_eq!(counts.iter().flatten().sum::<i64>(), 26);
}

#[tokio::test]
async fn bad_tokens_are_one_record_for_each_source_and_minute() {
    // S-130
    let t = TestGate::with(limited).await;
    for _ in 0..7 {
        let body = json!({ "refresh_token": "wgr_no" });
        t.post("/auth/refresh").json(&body).from("203.0.113.1").send().await.expect(401);
    }
    t.gate.maintain().await.unwrap();
    let written = records(&t, "token.refused").await;
    assert_eq!((written.len(), written[0].count), (1, Some(7)));
}

#[tokio::test]
async fn an_operators_own_accounts_are_not_counted() {
    let t = TestGate::with(with(|limits| limits.register = 1)).await;
    for name in ["a", "b", "c"] {
        t.user(name).role(BuiltinRole::Admin).registered().await;
    }
    let source = t.gate.own_source();
    let user = t.user("d").registered().await;
    let user = t.gate.users().get(TenantId::DEFAULT, user.id).await.unwrap();
    for _ in 0..12 {
        let set = t.gate.passwords().set(TenantId::DEFAULT, &user, PASSWORD, Actor::CommandLine, &source);
        set.await.unwrap();
    }
}

#[tokio::test]
async fn numbers_that_guard_nothing_are_refused() {
    let wrong = TestGate::try_settings(with(|limits| {
        limits.sign_in_account = 101;
        limits.sign_in_tenant = 0;
    }));
    let faults = wrong.await.unwrap_err().to_string();
    assert!(faults.contains("sign_in_account") && faults.contains("sign_in_tenant"), "{faults}");
}

#[cfg(feature = "redis")]
mod redis {
    use super::*;
    use wardgate::{MasterKey, SystemRng};

    /// The Redis for tests, if one is given.
    fn server() -> Option<String> {
        std::env::var("WARDGATE_TEST_REDIS").ok()
    }

    fn sharing(key: &MasterKey, url: &str) -> impl Fn(Builder) -> Builder + use<> {
        let (key, url) = (key.clone(), url.to_owned());
        move |builder| limited(builder).nodes(3).redis(&url).master_key(key.clone())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn three_nodes_that_share_counters_have_one_limit() {
        // S-111
        let Some(url) = server() else { return };
        // A key of its own, so that no other run has counted under it.
        let settings = sharing(&MasterKey::generate(&SystemRng), &url);
        let t = TestGate::with(&settings).await;
        let (second, third) = (t.beside(&settings).await, t.beside(&settings).await);
        let alice = t.user("alice").registered().await;
        let nodes = [&t, &second, &third];
        let guesses = (0..1000).map(|n| login(nodes[n % 3], &alice.email, WRONG, "203.0.113.1"));
        let (passed, limited) = storm(guesses).await;
        // On a machine so busy that Redis does not answer in time, each node adds the three of its own part.
        assert!((10..=19).contains(&passed) && passed + limited == 1000, "{passed}");
        assert_eq!(evaluated(&t).await, passed);
        // The same windows as in memory: when there is room again is true there too.
        let refused =
            login(&second, &alice.email, WRONG, "203.0.113.1").send().await.refused(429, "rate_limited");
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        t.advance(Duration::from_secs(wait - 1));
        login(&third, &alice.email, WRONG, "203.0.113.1").send().await.refused(429, "rate_limited");
        t.advance(Duration::from_secs(1));
        login(&third, &alice.email, PASSWORD, "203.0.113.1").send().await.expect(200);
    }

    #[tokio::test]
    async fn without_its_redis_a_node_is_stricter_and_stays_ready() {
        // S-116: nobody listens at the discard port.
        let t = TestGate::with(|b| limited(b).redis("redis://127.0.0.1:9")).await;
        let alice = t.user("alice").registered().await;
        for _ in 0..5 {
            login(&t, &alice.email, WRONG, "203.0.113.1").send().await.expect(401);
        }
        login(&t, &alice.email, WRONG, "203.0.113.1").send().await.refused(429, "rate_limited");
        t.get("/readyz").send().await.expect(200);
    }

    #[tokio::test]
    async fn a_url_that_is_none_is_refused_without_being_shown() {
        let wrong = TestGate::try_settings(|b| limited(b).redis("http://user:hunter2@cache")).await;
        let faults = wrong.unwrap_err().to_string();
        assert!(faults.contains("redis: ") && !faults.contains("hunter2"), "{faults}");
    }
}
