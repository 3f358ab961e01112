//! The outbox: what waits, what is sent, once, and what is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use wardgate::{
    BoxFuture, BuildError, LinkUrls, Mail, MailError, Mailer, RateLimits, RegistrationMode, TenantId,
};
use wardgate_store::{Sql, params, sql};

use crate::support::{ISSUER, PASSWORD, TestGate, urls};

const WAITING: Sql =
    sql!("SELECT tenant_id, kind, target, sealed, attempts FROM outbox WHERE tenant_id = $1");
const LINKS: Sql = sql!("SELECT tenant_id, purpose, digest FROM mailed_links WHERE tenant_id = $1");

/// What lies in the outbox: kind, whom it is about, the sealed bytes, attempts.
pub async fn waiting(t: &TestGate) -> Vec<(String, String, Vec<u8>, i64)> {
    let tenant = TenantId::DEFAULT;
    let rows = t
        .gate
        .database()
        .read(tenant.into(), (), |tx, ()| Box::pin(async move { tx.all(WAITING, &params![]).await }));
    rows.await.unwrap_or_else(|error: wardgate::StoreError| panic!("{error}"))
}

pub async fn links(t: &TestGate) -> Vec<(String, Vec<u8>)> {
    let tenant = TenantId::DEFAULT;
    let rows = t
        .gate
        .database()
        .read(tenant.into(), (), |tx, ()| Box::pin(async move { tx.all(LINKS, &params![]).await }));
    rows.await.unwrap_or_else(|error: wardgate::StoreError| panic!("{error}"))
}

/// The token of the link in a mail.
#[track_caller]
pub fn token(mail: &Mail) -> String {
    let line = mail.text.lines().find(|line| line.contains("#token="));
    line.unwrap_or_else(|| panic!("no link in {}", mail.text)).split_once("#token=").unwrap().1.to_owned()
}

pub async fn forgot(t: &TestGate, email: &str) {
    t.post("/auth/password/forgot").json(&json!({ "email": email })).send().await.expect(202);
}

async fn records(t: &TestGate, action: &str) -> Vec<String> {
    let events = t.gate.audit().newest(200).await.unwrap();
    let found = events.into_iter().filter(|event| event.action == action);
    found.map(|event| event.target.unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_mail_waits_for_the_commit_and_is_sent_once() {
    let (t, mailer) = TestGate::with_mail(|b| b).await;
    let alice = t.user("alice").registered().await;
    forgot(&t, &alice.email).await;
    assert!(mailer.take().is_empty(), "nothing is sent by the request itself");
    assert_eq!(waiting(&t).await.len(), 1);
    t.gate.tend().await.unwrap();
    let mails = mailer.take();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to.as_str(), alice.email);
    assert!(mails[0].text.contains(&format!("{ISSUER}/auth/password/reset#token=wgm_")));
    assert!(mails[0].html.contains(&token(&mails[0])));
    t.gate.tend().await.unwrap();
    t.advance(Duration::from_secs(3600));
    t.gate.tend().await.unwrap();
    assert!(mailer.take().is_empty() && waiting(&t).await.is_empty());
    assert_eq!(records(&t, "mail.sent").await.len(), 1);
}

#[tokio::test]
async fn what_is_not_committed_is_not_mailed() {
    let (t, mailer) = TestGate::with_mail(|b| b).await;
    let alice = t.user("alice").registered().await;
    let again = json!({ "email": alice.email, "password": PASSWORD });
    t.post("/auth/register").json(&again).send().await.refused(409, "email_taken");
    t.gate.tend().await.unwrap();
    assert!(mailer.take().is_empty() && waiting(&t).await.is_empty() && links(&t).await.is_empty());
}

#[tokio::test]
async fn no_table_and_no_record_has_the_token() {
    // S-126, S-139
    let (t, mailer) = TestGate::with_mail(|b| b).await;
    let alice = t.user("alice").registered().await;
    forgot(&t, &alice.email).await;
    let (queued, stored) = (waiting(&t).await, links(&t).await);
    t.gate.tend().await.unwrap();
    let token = token(&mailer.take()[0]);
    let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!has(&queued[0].2, &token) && !has(&queued[0].2, &alice.email) && !has(&queued[0].2, "token="));
    assert!(!stored.iter().any(|(_, digest)| has(digest, &token)) && stored[0].1.len() == 32);
    assert!(waiting(&t).await.is_empty(), "nothing is left of a mail that was sent");
    let log = format!("{:?}", t.gate.audit().newest(200).await.unwrap());
    assert!(!log.contains(&token) && !log.contains(&alice.email), "{log}");
    assert!(!token.is_empty() && log.contains("mail.sent"));
}

#[tokio::test]
async fn a_mail_that_fails_is_tried_again_later_and_later() {
    let (t, mailer) = TestGate::with_mail(|b| b).await;
    let alice = t.user("alice").registered().await;
    mailer.set_down(true);
    forgot(&t, &alice.email).await;
    for (attempts, seconds) in [(1, 10), (2, 20), (3, 40)] {
        t.gate.tend().await.unwrap();
        assert_eq!(waiting(&t).await[0].3, attempts);
        t.advance(Duration::from_secs(seconds) - Duration::from_millis(1));
        t.gate.tend().await.unwrap();
        assert_eq!(waiting(&t).await[0].3, attempts, "not before its time");
        t.advance(Duration::from_millis(1));
    }
    mailer.set_down(false);
    t.gate.tend().await.unwrap();
    assert_eq!(mailer.take().len(), 1);
    assert!(waiting(&t).await.is_empty());
}

#[tokio::test]
async fn a_mail_is_given_up_when_its_link_is_over_and_after_a_day() {
    let (t, mailer) = TestGate::with_mail(|b| b.rate_limits(RateLimits::default())).await;
    let alice = t.user("alice").registered().await;
    mailer.set_down(true);
    forgot(&t, &alice.email).await;
    t.gate.tend().await.unwrap();
    t.advance(Duration::from_secs(3600) - Duration::from_millis(1));
    t.gate.tend().await.unwrap();
    assert!(records(&t, "mail.given_up").await.is_empty());
    t.advance(Duration::from_millis(1));
    // The server is back, but the link is of no use any more.
    mailer.set_down(false);
    t.gate.tend().await.unwrap();
    assert!(waiting(&t).await.is_empty() && mailer.take().is_empty());
    let given_up = records(&t, "mail.given_up").await;
    assert!(given_up.len() == 1 && given_up[0].starts_with("reset_password "), "{given_up:?}");

    // An invitation is good for longer, and has a day.
    mailer.set_down(true);
    let operator = t.gate.operator();
    let new =
        wardgate::NewUser { email: "bob@example.com".parse().unwrap(), name: None, email_verified: false };
    t.gate
        .accounts()
        .invite(&t.gate.tenants().default_tenant(), new, vec!["user".to_owned()], &operator)
        .await
        .unwrap();
    t.advance(Duration::from_secs(24 * 3600) - Duration::from_millis(1));
    t.gate.tend().await.unwrap();
    assert_eq!(waiting(&t).await.len(), 1);
    t.advance(Duration::from_millis(1));
    t.gate.tend().await.unwrap();
    assert!(waiting(&t).await.is_empty());
    assert_eq!(records(&t, "mail.given_up").await.len(), 2);
}

/// Sends nothing in any time; tells how often it was asked.
#[derive(Default)]
struct Stuck(AtomicU32);

impl Mailer for Stuck {
    fn send<'a>(&'a self, _: &'a Mail) -> BoxFuture<'a, Result<(), MailError>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn many_nodes_send_one_mail_once() {
    let (t, mailer) = TestGate::with_mail(|b| b).await;
    let alice = t.user("alice").registered().await;
    let mut nodes = Vec::new();
    for _ in 0..4 {
        let mailer = Arc::clone(&mailer);
        nodes.push(t.beside(|builder| builder.mailer(mailer).link_urls(urls())).await);
    }
    for round in 1..=5 {
        forgot(&t, &alice.email).await;
        let sends: Vec<_> = nodes
            .iter()
            .map(|node| node.gate.clone())
            .map(|gate| tokio::spawn(async move { gate.tend().await }))
            .collect();
        for send in sends {
            send.await.unwrap().unwrap();
        }
        assert_eq!(mailer.take().len(), 1, "round {round}");
    }
}

#[tokio::test]
async fn a_node_that_dies_while_sending_leaves_the_mail_to_another() {
    let (t, mailer) = TestGate::with_mail(|b| b).await;
    let alice = t.user("alice").registered().await;
    let stuck = Arc::new(Stuck::default());
    let given = Arc::clone(&stuck);
    let dying = t.beside(|builder| builder.mailer(given).link_urls(urls())).await;
    forgot(&t, &alice.email).await;
    let gate = dying.gate.clone();
    let sending = tokio::spawn(async move { gate.tend().await });
    let asked = async {
        while stuck.0.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asked).await.unwrap();
    sending.abort();
    // Nobody else may know yet that it is gone.
    t.advance(Duration::from_secs(5 * 60) - Duration::from_millis(1));
    t.gate.tend().await.unwrap();
    assert!(mailer.take().is_empty());
    t.advance(Duration::from_millis(1));
    t.gate.tend().await.unwrap();
    assert_eq!(mailer.take().len(), 1);
}

#[tokio::test]
async fn a_mail_speaks_the_language_of_the_request_and_leads_where_it_is_told() {
    // S-125
    let urls = LinkUrls {
        base: Some("https://app.example.com/".to_owned()),
        magic_link: Some("https://app.example.com/in".to_owned()),
        ..LinkUrls::default()
    };
    let (t, mailer) = TestGate::with_mail(|b| b.link_urls(urls)).await;
    let alice = t.user("alice").registered().await;
    let ask = async |path: &str, language: &str| {
        let request = t.post(path).json(&json!({ "email": alice.email })).header("accept-language", language);
        request.header("x-forwarded-host", "evil.example").send().await.expect(202);
        t.gate.tend().await.unwrap();
        mailer.take().remove(0)
    };
    let german = ask("/auth/password/forgot", "de-AT,de;q=0.9,en;q=0.5").await;
    assert_eq!(german.subject, "Neues Passwort für app.example.com");
    assert!(german.html.contains("<html lang=\"de\">") && german.text.contains("Der Link gilt einmal"));
    assert!(german.text.contains("https://app.example.com/auth/password/reset#token="));
    let english = ask("/auth/magic-link", "fr").await;
    assert_eq!(english.subject, "Sign in to app.example.com");
    assert!(english.text.contains("https://app.example.com/in#token="));
    assert!(!format!("{}{}", english.text, english.html).contains("evil"));
}

#[tokio::test]
async fn without_mail_what_needs_it_says_so_to_everybody_alike() {
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    for path in ["/auth/password/forgot", "/auth/email/resend", "/auth/magic-link"] {
        for email in [alice.email.as_str(), "nobody@example.com"] {
            let reply = t.post(path).json(&json!({ "email": email })).send().await;
            reply.refused(501, "mail_not_configured");
        }
    }
    let change = alice.post("/auth/email").json(&json!({ "email": "new@example.com" }));
    change.send().await.refused(501, "mail_not_configured");
    assert!(waiting(&t).await.is_empty() && links(&t).await.is_empty());
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let urls = LinkUrls { verify: Some("javascript:alert(1)".to_owned()), ..LinkUrls::default() };
    let built = TestGate::try_settings(|b| b.registration(RegistrationMode::Verified).link_urls(urls)).await;
    let Err(BuildError::Settings(faults)) = built else { panic!("{built:?}") };
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[tokio::test]
async fn the_inbox_is_there_in_development_only_and_shows_strangers_words_as_text() {
    let (t, _) = TestGate::with_mail(|b| b).await;
    t.get("/dev/inbox").send().await.refused(404, "not_found");
    let t = TestGate::with(|builder| builder.dev_inbox().link_urls(urls())).await;
    let reply = t.get("/dev/inbox").send().await.expect(200);
    assert!(reply.text.contains("No mail yet"));
    let register = json!({ "email": "a&b@example.com", "password": PASSWORD });
    t.post("/auth/register").json(&register).send().await.expect(201);
    t.gate.tend().await.unwrap();
    let page = t.get("/dev/inbox").send().await.expect(200);
    assert!(page.text.contains("to a&amp;b@example.com"), "{}", page.text);
    let link = format!("<a href=\"{ISSUER}/auth/email/verify#token=wgm_");
    assert!(page.text.contains(&link), "{}", page.text);
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
}
