//! Proving an address, changing it, setting another password, signing in by a mail.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wardgate::{
    Builder, BuiltinRole, HashPoolSettings, Mail, NewUser, RateLimits, RecordingMailer, RegistrationMode,
    TenantId,
};
use wardgate_store::testing::count_rows;

use crate::mail::{forgot, token, waiting};
use crate::support::{PASSWORD, Persona, Reply, Request, TestGate};

const NEW: &str = "an entirely new sentence";
const MINUTE: Duration = Duration::from_secs(60);

/// A gate, its mails, and what it takes to read them.
struct Post {
    t: TestGate,
    mailer: Arc<RecordingMailer>,
}

impl Post {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(settings: impl FnOnce(Builder) -> Builder) -> Self {
        let (t, mailer) = TestGate::with_mail(settings).await;
        Self { t, mailer }
    }

    /// Everything that was sent since the last time.
    async fn mails(&self) -> Vec<Mail> {
        self.t.gate.tend().await.unwrap();
        self.mailer.take()
    }

    /// The one mail that was sent since the last time.
    async fn mail(&self) -> Mail {
        let mut mails = self.mails().await;
        assert_eq!(mails.len(), 1, "{:?}", mails.iter().map(|mail| &mail.subject).collect::<Vec<_>>());
        mails.remove(0)
    }

    async fn ask(&self, path: &str, email: &str) -> Reply {
        self.t.post(path).json(&json!({ "email": email })).send().await.expect(202)
    }

    fn reset(&self, token: &str, password: &str) -> Request {
        self.t.post("/auth/password/reset").json(&json!({ "token": token, "new_password": password }))
    }

    fn verify(&self, token: &str) -> Request {
        self.t.post("/auth/email/verify").json(&json!({ "token": token }))
    }

    /// As whoever has this access token.
    fn verify_as(&self, access: &str, token: &str) -> Request {
        self.verify(token).bearer(access)
    }

    /// Asks for a magic link; gives the cookie of the browser and the token of the mail.
    async fn magic(&self, email: &str) -> (String, String) {
        let reply = self.ask("/auth/magic-link", email).await;
        (cookie(&reply), token(&self.mail().await))
    }

    fn redeem(&self, token: &str, cookie: &str) -> Request {
        let request = self.t.post("/auth/magic-link/redeem").json(&json!({ "token": token }));
        if cookie.is_empty() { request } else { request.header("cookie", cookie) }
    }

    async fn records(&self, action: &str) -> usize {
        let events = self.t.gate.audit().newest(200).await.unwrap();
        events.iter().filter(|event| event.action == action).count()
    }

    async fn is_verified(&self, person: &Persona<'_>) -> bool {
        let user = self.t.gate.users().get(TenantId::DEFAULT, person.id).await.unwrap();
        user.email_verified_at.is_some()
    }

    /// As if the address had been proven long ago.
    async fn proven(&self, person: &Persona<'_>) {
        self.ask("/auth/email/resend", &person.email).await;
        self.verify(&token(&self.mail().await)).send().await.expect(204);
    }
}

fn cookie(reply: &Reply) -> String {
    reply.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

/// What may differ between two answers: the request's id, and a cookie's value.
fn face(reply: &Reply) -> String {
    let headers = reply.headers.iter().filter(|(name, _)| *name != "x-request-id");
    let text = headers.map(|(name, value)| match name.as_str() {
        "set-cookie" => {
            let text = value.to_str().unwrap();
            let (pair, rest) = text.split_once(';').unwrap();
            format!("{name}: {} {}; {rest}\n", pair.len(), pair.split('=').next().unwrap())
        }
        _ => format!("{name}: {}\n", value.to_str().unwrap()),
    });
    format!("{} {}{}", reply.status, text.collect::<String>(), reply.text)
}

#[tokio::test]
async fn a_reset_sets_the_password_once_ends_every_session_and_signs_nobody_in() {
    // S-126, S-127
    let p = Post::new().await;
    let mut alice = p.t.user("alice").signed_in().await;
    p.proven(&alice).await;
    let key = alice.post("/auth/api-keys").json(&json!({ "name": "ci" })).send().await.expect(201).str("key");
    forgot(&p.t, "  ALICE@example.com ").await;
    let mail = p.mail().await;
    assert_eq!(mail.to.as_str(), "alice@example.com", "the stored address, not as it was typed");
    let token = token(&mail);
    p.reset(&token, "short").send().await.refused(422, "invalid_fields");
    let weak = p.reset(&token, "alice@example.com").send().await.refused(422, "invalid_fields");
    assert_eq!(weak.body["errors"][0]["pointer"], "#/new_password");
    let reply = p.reset(&token, NEW).send().await.expect(204);
    assert!(reply.text.is_empty() && reply.header("set-cookie").is_empty());
    p.reset(&token, NEW).send().await.refused(400, "invalid_token");
    alice.me().await.refused(401, "invalid_credential");
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");
    alice.log_in(PASSWORD).await.refused(401, "incorrect_credentials");
    let reply = alice.log_in(NEW).await.expect(200);
    alice.keep(&reply);
    // The address was proven before, so the keys are the owner's, who is told of them.
    p.t.get("/auth/me").header("x-api-key", &key).send().await.expect(200);
    let notice = p.mail().await;
    assert!(notice.text.contains("API keys of the account and links") && !notice.text.contains("#token="));
    assert_eq!((p.records("password.reset_requested").await, p.records("password.reset").await), (1, 1));
}

#[tokio::test]
async fn of_many_uses_at_once_one_counts() {
    // S-126
    let p = Post::new().await;
    let alice = p.t.user("alice").registered().await;
    forgot(&p.t, &alice.email).await;
    let token = token(&p.mail().await);
    let uses: Vec<_> = (0..20)
        .map(|i| p.reset(&token, &format!("an entirely new sentence {i}")))
        .map(|request| tokio::spawn(request.send()))
        .collect();
    let mut done = 0;
    for attempt in uses {
        let reply = attempt.await.unwrap();
        match reply.status.as_u16() {
            204 => done += 1,
            _ => drop(reply.refused(400, "invalid_token")),
        }
    }
    assert_eq!(done, 1);
}

#[tokio::test]
async fn a_link_ends_exactly_and_dies_with_a_newer_one_a_password_or_another_address() {
    // S-126
    let p = Post::new().await;
    let alice = p.t.user("alice").signed_in().await;
    let link = async || {
        forgot(&p.t, &alice.email).await;
        token(&p.mail().await)
    };
    let dead = async |token: &str| {
        let reply = p.reset(token, NEW).send().await.refused(400, "invalid_token");
        assert_eq!(reply.body["detail"], "Invalid or expired token");
    };
    let late = link().await;
    p.t.advance(60 * MINUTE);
    dead(&late).await;
    let old = link().await;
    let newer = link().await;
    dead(&old).await;
    let changed = json!({ "current_password": PASSWORD, "new_password": "another sentence entirely" });
    let alice_again = alice.log_in(PASSWORD).await.expect(200).str("access_token");
    p.t.post("/auth/password").bearer(&alice_again).json(&changed).send().await.expect(204);
    dead(&newer).await;

    let before_change = link().await;
    let step_up = json!({ "password": "another sentence entirely" });
    p.t.post("/auth/step-up").bearer(&alice_again).json(&step_up).send().await.expect(204);
    let to = json!({ "email": "alice@example.org" });
    p.t.post("/auth/email").bearer(&alice_again).json(&to).send().await.expect(202);
    let mails = p.mails().await;
    let proof = mails.iter().find(|mail| mail.to.as_str() == "alice@example.org").unwrap();
    p.verify_as(&alice_again, &token(proof)).send().await.expect(204);
    dead(&before_change).await;

    p.mails().await;
    forgot(&p.t, "alice@example.org").await;
    let just_in_time = token(&p.mail().await);
    p.t.advance(60 * MINUTE - Duration::from_millis(1));
    p.reset(&just_in_time, NEW).send().await.expect(204);
}

#[tokio::test]
async fn a_link_is_good_for_its_purpose_and_an_active_user_only() {
    let p = Post::new().await;
    let alice = p.t.user("alice").registered().await;
    p.ask("/auth/email/resend", &alice.email).await;
    let verify = token(&p.mail().await);
    forgot(&p.t, &alice.email).await;
    let reset = token(&p.mail().await);
    let (browser, magic) = p.magic(&alice.email).await;
    p.reset(&verify, NEW).send().await.refused(400, "invalid_token");
    p.reset(&magic, NEW).send().await.refused(400, "invalid_token");
    p.verify(&reset).send().await.refused(400, "invalid_token");
    p.verify(&magic).send().await.refused(400, "invalid_token");
    p.redeem(&verify, &browser).send().await.refused(400, "invalid_token");
    p.redeem(&reset, &browser).send().await.refused(400, "invalid_token");
    p.t.disable(alice.id).await;
    p.reset(&reset, NEW).send().await.refused(400, "invalid_token");
    p.verify(&verify).send().await.refused(400, "invalid_token");
    p.redeem(&magic, &browser).send().await.refused(400, "invalid_token");
    // Refused is not used up.
    p.t.enable(alice.id).await;
    p.verify(&verify).send().await.expect(204);
    p.t.delete(alice.id).await.unwrap();
    p.reset(&reset, NEW).send().await.refused(400, "invalid_token");
    for garbage in ["", "wgm_", "wgm_x", "wgr_x", &reset[1..], &format!("{reset}x"), &"x".repeat(5000)] {
        p.reset(garbage, NEW).send().await.refused(400, "invalid_token");
        p.verify(garbage).send().await.refused(400, "invalid_token");
        p.redeem(garbage, &browser).send().await.refused(400, "invalid_token");
    }
}

#[tokio::test]
async fn who_has_an_account_cannot_be_told() {
    // S-124
    let p = Post::new().await;
    let alice = p.t.user("alice").registered().await;
    let gone = p.t.user("gone").registered().await;
    p.t.disable(gone.id).await;
    for path in ["/auth/password/forgot", "/auth/email/resend", "/auth/magic-link"] {
        let known = p.ask(path, &alice.email).await;
        let of_known = waiting(&p.t).await;
        p.mails().await;
        for other in ["nobody@example.com", &gone.email] {
            let unknown = p.ask(path, other).await;
            assert_eq!(face(&known), face(&unknown));
            // The same rows are written, so the same work is done.
            let of_unknown = waiting(&p.t).await;
            assert_eq!(of_known.len(), of_unknown.len());
            assert_eq!(of_known[0].0, of_unknown[0].0);
            let difference = of_known[0].2.len().abs_diff(of_unknown[0].2.len());
            assert!(difference <= alice.email.len() + 4, "{difference}");
            assert!(p.mails().await.is_empty(), "{path}: nobody gets a mail");
        }
    }
    let events = p.t.gate.audit().newest(200).await.unwrap();
    let requested = events.iter().filter(|event| event.action.ends_with("requested")).count();
    assert_eq!(requested, 9);
}

#[tokio::test]
async fn a_magic_link_signs_in_once_in_the_browser_that_asked() {
    // S-115
    let p = Post::new().await;
    let alice = p.t.user("alice").registered().await;
    p.proven(&alice).await;
    let reply = p.ask("/auth/magic-link", &alice.email).await;
    let attributes = reply.header("set-cookie").to_owned();
    assert!(attributes.starts_with("__Host-wardgate_magic_link=wgb_"), "{attributes}");
    for attribute in ["Path=/", "Max-Age=900", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(attributes.contains(attribute), "{attributes}");
    }
    let (browser, link) = (cookie(&reply), token(&p.mail().await));
    let another = cookie(&p.ask("/auth/magic-link", "nobody@example.com").await);
    for stranger in ["", &another, "__Host-wardgate_magic_link=", "__Host-wardgate_magic_link=wgb_x"] {
        p.redeem(&link, stranger).send().await.refused(400, "invalid_token");
    }
    let crossed = p.redeem(&link, &browser).header("origin", "https://evil.example");
    crossed.send().await.refused(403, "cross_site");
    let signed_in = p.redeem(&link, &browser).send().await.expect(200);
    assert_eq!(signed_in.body["token_type"], "bearer");
    assert!(signed_in.header("set-cookie").contains("Max-Age=0"));
    let me = p.t.get("/auth/me").bearer(&signed_in.str("access_token")).send().await.expect(200);
    assert_eq!(me.body["email"], json!(alice.email));
    p.redeem(&link, &browser).send().await.refused(400, "invalid_token");
    alice.log_in(PASSWORD).await.expect(200);

    let (browser, late) = p.magic(&alice.email).await;
    p.t.advance(15 * MINUTE);
    p.redeem(&late, &browser).send().await.refused(400, "invalid_token");
    let (old_browser, old) = p.magic(&alice.email).await;
    let (browser, newer) = p.magic(&alice.email).await;
    p.redeem(&old, &old_browser).send().await.refused(400, "invalid_token");
    p.redeem(&newer, &old_browser).send().await.refused(400, "invalid_token");
    p.redeem(&newer, &browser).send().await.expect(200);
}

#[tokio::test]
async fn whoever_proves_an_address_owns_the_account_and_a_squatter_keeps_nothing() {
    // S-128
    for by_reset in [false, true] {
        let p = Post::new().await;
        let squatter = p.t.user("victim").signed_in().await;
        let key = squatter.post("/auth/api-keys").json(&json!({ "name": "ci" })).send().await.expect(201);
        if by_reset {
            forgot(&p.t, &squatter.email).await;
            p.reset(&token(&p.mail().await), NEW).send().await.expect(204);
        } else {
            let (browser, link) = p.magic(&squatter.email).await;
            let tokens = p.redeem(&link, &browser).send().await.expect(200);
            p.t.get("/auth/me").bearer(&tokens.str("access_token")).send().await.expect(200);
        }
        assert!(p.is_verified(&squatter).await);
        squatter.me().await.refused(401, "invalid_credential");
        squatter.log_in(PASSWORD).await.refused(401, "incorrect_credentials");
        let by_key = p.t.get("/auth/me").header("x-api-key", key.str("key")).send().await;
        by_key.refused(403, "invalid_api_key");
        assert_eq!(p.records("user.unproven_cleared").await, 1);
    }
}

#[tokio::test]
async fn an_address_is_proven_by_its_own_link() {
    // S-129
    let p = Post::with(|builder| builder.registration(RegistrationMode::Open)).await;
    let new = json!({ "email": "alice@example.com", "password": PASSWORD });
    let made = p.t.post("/auth/register").json(&new).send().await.expect(201);
    assert_eq!(made.body["email_verified"], json!(false));
    let mail = p.mail().await;
    assert_eq!(mail.subject, "Confirm your e-mail address for auth.example.com");
    let first = token(&mail);
    p.ask("/auth/email/resend", "alice@example.com").await;
    let second = token(&p.mail().await);
    p.verify(&first).send().await.refused(400, "invalid_token");
    p.verify(&second).send().await.expect(204);
    p.verify(&second).send().await.refused(400, "invalid_token");
    let login = json!({ "email": "alice@example.com", "password": PASSWORD });
    let access = p.t.post("/auth/login").json(&login).send().await.expect(200).str("access_token");
    let me = p.t.get("/auth/me").bearer(&access).send().await.expect(200);
    assert_eq!(me.body["email_verified"], json!(true));
    // Nothing more to prove.
    p.ask("/auth/email/resend", "alice@example.com").await;
    assert!(p.mails().await.is_empty());
    assert_eq!(p.records("email.verified").await, 1);
}

#[tokio::test]
async fn an_address_changes_once_the_new_one_is_proven_and_the_old_one_is_told() {
    // S-129
    let p = Post::new().await;
    let alice = p.t.user("alice").signed_in().await;
    p.proven(&alice).await;
    let change = |to: &str| alice.post("/auth/email").json(&json!({ "email": to }));
    change("alice@example.org").send().await.expect(202);
    let mails = p.mails().await;
    let to = |address: &str| mails.iter().find(|mail| mail.to.as_str() == address).unwrap();
    assert_eq!(mails.len(), 2);
    assert!(to("alice@example.com").text.contains("alice@example.org"));
    assert!(!to("alice@example.com").text.contains("#token="));
    alice.log_in(PASSWORD).await.expect(200);
    assert_eq!(alice.me().await.body["email"], "alice@example.com", "not before it is proven");
    // The link for the old address proves the old one only.
    let proof = token(to("alice@example.org"));
    p.verify_as(&alice.access, &proof).send().await.expect(204);
    let me = alice.me().await.expect(200);
    assert_eq!((&me.body["email"], &me.body["email_verified"]), (&json!("alice@example.org"), &json!(true)));
    alice.log_in(PASSWORD).await.refused(401, "incorrect_credentials");
    let told = p.mail().await;
    assert_eq!(told.to.as_str(), "alice@example.com");
    p.verify_as(&alice.access, &proof).send().await.refused(400, "invalid_token");

    // Only the newest request counts.
    change("one@example.org").send().await.expect(202);
    let one = p.mails().await.into_iter().find(|mail| mail.to.as_str() == "one@example.org").unwrap();
    change("two@example.org").send().await.expect(202);
    p.mails().await;
    p.verify_as(&alice.access, &token(&one)).send().await.refused(400, "invalid_token");
    // A sign-in of long ago does not do.
    p.t.advance(16 * MINUTE);
    let fresh = alice.present(&alice.refresh).await.expect(200).str("access_token");
    let stale = p.t.post("/auth/email").bearer(&fresh).json(&json!({ "email": "x@example.org" }));
    stale.send().await.refused(403, "step_up_required");
}

#[tokio::test]
async fn another_address_is_confirmed_by_whoever_asked_for_it_and_nobody_else() {
    // S-128, S-129
    let p = Post::new().await;
    let alice = p.t.user("alice").signed_in().await;
    p.proven(&alice).await;
    let eve = p.t.user("eve").signed_in().await;
    let key = alice.post("/auth/api-keys").json(&json!({ "name": "ci", "scopes": ["email:write"] }));
    let key = key.send().await.expect(201).str("key");
    let form = format!("username={}&password={}&scope=profile:read", alice.email, PASSWORD.replace(' ', "+"));
    let narrow = p.t.post("/auth/login").form(&form).send().await.expect(200).str("access_token");
    let ask = json!({ "email": "stranger@example.org" });
    alice.post("/auth/email").json(&ask).send().await.expect(202);
    let mails = p.mails().await;
    let link = token(mails.iter().find(|mail| mail.to.as_str() == "stranger@example.org").unwrap());
    // Whoever reads the mail of a mistyped address has no session of hers.
    p.verify(&link).send().await.refused(401, "missing_credential");
    p.verify_as("no.token.atall", &link).send().await.refused(401, "missing_credential");
    p.verify_as(&eve.access, &link).send().await.refused(403, "wrong_account");
    p.verify(&link).header("x-api-key", &key).send().await.refused(401, "missing_credential");
    p.verify_as(&narrow, &link).send().await.refused(401, "missing_credential");
    assert_eq!(alice.me().await.body["email"], "alice@example.com");
    assert!(p.mails().await.is_empty(), "nobody is told of what did not happen");
    // By a cookie, from a page of our own.
    let login = json!({ "email": alice.email, "password": PASSWORD });
    let opened = p.t.post("/auth/session").json(&login).send().await.expect(200);
    let browser = cookie(&opened);
    let crossed = p.verify(&link).header("cookie", &browser).header("origin", "https://evil.example");
    crossed.send().await.refused(403, "cross_site");
    // None of that has used it up.
    p.verify(&link).header("cookie", &browser).send().await.expect(204);
    assert_eq!(alice.me().await.body["email"], "stranger@example.org");
    assert_eq!(p.records("email.changed").await, 1);
}

#[tokio::test]
async fn a_mailbox_is_not_filled_by_changes_of_address() {
    // S-115
    let p = Post::with(|builder| builder.rate_limits(RateLimits::default())).await;
    let squatter = p.t.user("victim").signed_in().await;
    p.mails().await;
    let change = |who: &Persona<'_>, n: u32| {
        who.post("/auth/email").json(&json!({ "email": format!("www.evil.example{n}@example.org") }))
    };
    change(&squatter, 0).send().await.expect(202);
    let mails = p.mails().await;
    assert_eq!(
        mails.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(),
        ["www.evil.example0@example.org"]
    );
    p.verify_as(&squatter.access, &token(&mails[0])).send().await.expect(204);
    assert_eq!(p.mails().await.len(), 0, "nobody proved the old one");
    for n in 1..5 {
        change(&squatter, n).send().await.expect(202);
    }
    change(&squatter, 5).send().await.refused(429, "rate_limited");
}

#[tokio::test]
async fn an_address_of_another_is_not_given_and_not_told() {
    let p = Post::new().await;
    let alice = p.t.user("alice").signed_in().await;
    p.proven(&alice).await;
    let bob = p.t.user("bob").registered().await;
    let change = |to: &str| alice.post("/auth/email").json(&json!({ "email": to }));
    let free = change("free@example.com").send().await.expect(202);
    let free_mails = p.mails().await;
    let taken = change(&bob.email).send().await.expect(202);
    assert_eq!(face(&free), face(&taken));
    let taken_mails = p.mails().await;
    assert_eq!((free_mails.len(), taken_mails.len()), (2, 2));
    let to_bob = taken_mails.iter().find(|mail| mail.to.as_str() == bob.email).unwrap();
    assert!(to_bob.subject.contains("Somebody asked for your address") && !to_bob.text.contains("#token="));
    // Taken between the request and the proof.
    change("free@example.com").send().await.expect(202);
    let mails = p.mails().await;
    let proof = mails.iter().find(|mail| mail.to.as_str() == "free@example.com").unwrap();
    p.t.user("free").registered().await;
    p.verify_as(&alice.access, &token(proof)).send().await.refused(400, "invalid_token");
    assert_eq!(alice.me().await.body["email"], json!(alice.email));
}

#[tokio::test]
async fn an_administrator_invites_and_the_invited_choose_the_password() {
    let p = Post::new().await;
    let admin = p.t.user("admin").role(BuiltinRole::Admin).signed_in().await;
    let invite = |email: &str| admin.post("/admin/users").json(&json!({ "email": email }));
    let made = invite("new@example.com").send().await.expect(201);
    assert_eq!(made.body["email_verified"], json!(false));
    let mail = p.mail().await;
    assert_eq!(mail.subject, "You are invited to auth.example.com");
    assert!(mail.text.contains("within 72 hours"));
    let link = token(&mail);
    let log_in = |password: &str| {
        p.t.post("/auth/login").json(&json!({ "email": "new@example.com", "password": password }))
    };
    log_in(NEW).send().await.refused(401, "incorrect_credentials");
    p.t.advance(72 * 60 * MINUTE - Duration::from_millis(1));
    p.reset(&link, NEW).send().await.expect(204);
    p.reset(&link, NEW).send().await.refused(400, "invalid_token");
    assert!(p.mails().await.is_empty());
    let tokens = log_in(NEW).send().await.expect(200);
    let me = p.t.get("/auth/me").bearer(&tokens.str("access_token")).send().await.expect(200);
    assert_eq!(me.body["email_verified"], json!(true));

    // An invitation that was forgotten: the account's owner asks for a link themselves.
    let admin_again = admin.log_in(PASSWORD).await.expect(200).str("access_token");
    let again = p.t.post("/admin/users").bearer(&admin_again).json(&json!({ "email": "late@example.com" }));
    again.send().await.expect(201);
    let link = token(&p.mail().await);
    p.t.advance(72 * 60 * MINUTE);
    p.reset(&link, NEW).send().await.refused(400, "invalid_token");
    forgot(&p.t, "late@example.com").await;
    p.reset(&token(&p.mail().await), NEW).send().await.expect(204);
}

#[tokio::test]
async fn registering_by_mail_tells_nobody_who_has_an_account() {
    // S-013
    let p = Post::with(|builder| builder.registration(RegistrationMode::Verified)).await;
    let register = |email: &str, password: &str| {
        p.t.post("/auth/register").json(&json!({ "email": email, "password": password }))
    };
    let log_in = |password: &str| {
        p.t.post("/auth/login").json(&json!({ "email": "alice@example.com", "password": password }))
    };
    let fresh = register("alice@example.com", PASSWORD).send().await.expect(202);
    assert!(fresh.text.is_empty());
    let first = p.mail().await;
    assert_eq!(first.subject, "Confirm your e-mail address for auth.example.com");
    // A right password would tell that the address was free.
    log_in(PASSWORD).send().await.refused(401, "incorrect_credentials");
    let taken = register("Alice@example.com", NEW).send().await.expect(202);
    assert_eq!(face(&fresh), face(&taken));
    let second = p.mail().await;
    assert_eq!(second.to.as_str(), "alice@example.com");
    assert_eq!(second.subject, "You have an account at auth.example.com already");
    p.verify(&token(&first)).send().await.expect(204);
    log_in(PASSWORD).send().await.expect(200);
    log_in(NEW).send().await.refused(401, "incorrect_credentials");
    // The owner who forgot that they had an account gets in by the same mail.
    p.reset(&token(&second), NEW).send().await.expect(204);
    log_in(NEW).send().await.expect(200);
    assert_eq!(p.records("user.registration_repeated").await, 1);
    // Who is deactivated stays so, and gets no mail.
    let alice =
        p.t.gate.users().find_by_email(TenantId::DEFAULT, "alice@example.com").await.unwrap().unwrap();
    p.mails().await;
    p.t.disable(alice.id).await;
    let disabled = register("alice@example.com", PASSWORD).send().await.expect(202);
    assert_eq!(face(&fresh), face(&disabled));
    assert!(p.mails().await.is_empty());
    register("weak@example.com", "short").send().await.refused(422, "invalid_fields");
}

#[tokio::test]
async fn of_many_registrations_at_once_for_one_address_all_get_the_same_answer() {
    // All their hashes are ready at about one time.
    let hashing = HashPoolSettings { threads: 8, queue: 64, deadline: Duration::from_secs(3600) };
    let verified = |builder: Builder| builder.registration(RegistrationMode::Verified).hashing(hashing);
    let p = Post::with(verified).await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let tries: Vec<_> = (0..8).map(|_| tokio::spawn(p.t.post("/auth/register").json(&body).send())).collect();
    for attempt in tries {
        attempt.await.unwrap().expect(202);
    }
    let mails = p.mails().await;
    let confirm = mails.iter().filter(|mail| mail.subject.starts_with("Confirm")).count();
    assert_eq!((mails.len(), confirm), (8, 1));
}

#[tokio::test]
async fn mails_to_one_address_and_for_one_source_are_capped_for_known_and_unknown_alike() {
    // S-115
    let p = Post::with(|builder| builder.rate_limits(RateLimits::default())).await;
    let alice = p.t.user("alice").registered().await;
    let ask = |email: &str, from: &str| {
        p.t.post("/auth/password/forgot").json(&json!({ "email": email })).from(from)
    };
    for email in [alice.email.as_str(), "nobody@example.com"] {
        for _ in 0..5 {
            ask(email, "203.0.113.7").send().await.expect(202);
        }
        let refused = ask(email, "203.0.113.8").send().await.refused(429, "rate_limited");
        assert!(refused.header("ratelimit-policy").contains("mail_recipient"));
        p.t.post("/auth/magic-link")
            .json(&json!({ "email": email }))
            .send()
            .await
            .refused(429, "rate_limited");
    }
    assert_eq!(p.mails().await.len(), 5);
    p.t.advance(70 * MINUTE);
    for i in 0..30 {
        ask(&format!("nobody{i}@example.com"), "203.0.113.9").send().await.expect(202);
    }
    let refused = ask("nobody@example.com", "203.0.113.9").send().await.refused(429, "rate_limited");
    assert!(refused.header("ratelimit-policy").contains("mail_source"));
    ask(&alice.email, "203.0.113.10").send().await.expect(202);
}

#[tokio::test]
async fn guessing_tokens_is_limited() {
    // S-115
    let p = Post::with(|builder| builder.rate_limits(RateLimits::default())).await;
    let guess = |path: &str, body: Value| p.t.post(path).json(&body).from("203.0.113.7");
    for _ in 0..100 {
        guess("/auth/email/verify", json!({ "token": "x" })).send().await.refused(400, "invalid_token");
        let reset = json!({ "token": "x", "new_password": NEW });
        guess("/auth/password/reset", reset).send().await.refused(400, "invalid_token");
        guess("/auth/magic-link/redeem", json!({ "token": "x" })).send().await.refused(400, "invalid_token");
    }
    guess("/auth/email/verify", json!({ "token": "x" })).send().await.refused(429, "rate_limited");
    guess("/auth/magic-link/redeem", json!({ "token": "x" })).send().await.refused(429, "rate_limited");
}

#[tokio::test]
async fn a_sign_in_from_a_new_place_is_told_to_the_owner() {
    let p = Post::with(|builder| builder.rate_limits(RateLimits::default())).await;
    let alice = p.t.user("alice").registered().await;
    p.proven(&alice).await;
    let sign_in = async |from: &str| {
        let body = json!({ "email": alice.email, "password": PASSWORD });
        let request = p.t.post("/auth/login").json(&body).from(from);
        request.header("user-agent", "Browser/1 <b>bold</b>").send().await.expect(200);
    };
    sign_in("203.0.113.7").await;
    assert!(p.mails().await.is_empty(), "the first place is no news");
    sign_in("203.0.113.7").await;
    assert!(p.mails().await.is_empty());
    sign_in("198.51.100.9").await;
    let mail = p.mail().await;
    assert_eq!(mail.subject, "New sign-in to auth.example.com");
    assert!(mail.text.contains("198.51.100.9") && mail.text.contains("Browser/1 <b>bold</b>"));
    assert!(mail.html.contains("&#60;b&#62;bold") && !mail.html.contains("<b>bold"), "{}", mail.html);
    sign_in("198.51.100.9").await;
    assert!(p.mails().await.is_empty());
    // A wrong password is no sign-in.
    let wrong = json!({ "email": alice.email, "password": NEW });
    p.t.post("/auth/login").json(&wrong).from("192.0.2.1").send().await.refused(401, "incorrect_credentials");
    assert!(p.mails().await.is_empty());
    // An address that nobody proved may be a stranger's.
    let bob = p.t.user("bob").registered().await;
    for from in ["203.0.113.7", "192.0.2.55"] {
        let body = json!({ "email": bob.email, "password": PASSWORD });
        p.t.post("/auth/login").json(&body).from(from).send().await.expect(200);
    }
    assert!(p.mails().await.is_empty());
}

#[tokio::test]
async fn links_that_are_over_are_removed() {
    let p = Post::new().await;
    let new = NewUser { email: "bob@example.com".parse().unwrap(), name: None, email_verified: false };
    let operator = p.t.gate.operator();
    let accounts = p.t.gate.accounts();
    accounts
        .invite(&p.t.gate.tenants().default_tenant(), new, vec!["user".to_owned()], &operator)
        .await
        .unwrap();
    let invitation = token(&p.mail().await);
    forgot(&p.t, "nobody@example.com").await;
    assert_eq!(crate::mail::links(&p.t).await.len(), 2);
    p.t.advance(60 * MINUTE);
    p.t.gate.maintain().await.unwrap();
    assert_eq!(crate::mail::links(&p.t).await.len(), 1);
    p.reset(&invitation, NEW).send().await.expect(204);
}

#[tokio::test]
async fn each_tenant_mails_links_to_its_own_address_which_are_good_there_only() {
    let p = Post::new().await;
    let root = p.t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    let new = json!({ "slug": "acme", "name": "Acme" });
    let acme = root.post("/admin/tenants").json(&new).send().await.expect(201).str("id");
    let made = json!({ "email": "root@example.com", "password": PASSWORD });
    p.t.post("/t/acme/auth/register").json(&made).send().await.expect(201);
    let mail = p.mail().await;
    let verify = token(&mail);
    assert!(mail.text.contains("https://auth.example.com/t/acme/auth/email/verify#token="), "{}", mail.text);
    p.verify(&verify).send().await.refused(400, "invalid_token");
    let body = json!({ "token": verify });
    p.t.post("/t/acme/auth/email/verify").json(&body).send().await.expect(204);
    assert!(!p.is_verified(&root).await, "one address, two accounts");

    // Tenants by path share a browser's cookies, so each has a name of its own for them.
    let ask = json!({ "email": "root@example.com" });
    let reply = p.t.post("/t/acme/auth/magic-link").json(&ask).send().await.expect(202);
    let (browser, link) = (cookie(&reply), token(&p.mail().await));
    assert!(browser.starts_with("__Host-wardgate_magic_link_acme="), "{browser}");
    p.redeem(&link, &browser).send().await.refused(400, "invalid_token");
    let redeem = p.t.post("/t/acme/auth/magic-link/redeem").json(&json!({ "token": link }));
    redeem.header("cookie", &browser).send().await.expect(200);

    // Whom the superadmin invites there belongs there.
    let invite = json!({ "email": "new@example.com" });
    root.post(&format!("/admin/tenants/{acme}/users")).json(&invite).send().await.expect(201);
    let mail = p.mail().await;
    assert!(mail.text.contains("/t/acme/auth/password/reset#token="), "{}", mail.text);
    let link = token(&mail);
    p.reset(&link, NEW).send().await.refused(400, "invalid_token");
    let body = json!({ "token": link, "new_password": NEW });
    p.t.post("/t/acme/auth/password/reset").json(&body).send().await.expect(204);

    // A tenant that goes leaves no mail and no link behind.
    p.t.post("/t/acme/auth/password/forgot").json(&ask).send().await.expect(202);
    root.request("DELETE", &format!("/admin/tenants/{acme}")).send().await.expect(204);
    for table in ["outbox", "mailed_links"] {
        let tenant: TenantId = acme.parse().unwrap();
        assert_eq!(count_rows(p.t.gate.database(), table, tenant.into()).await.unwrap(), 0, "{table}");
    }
    assert!(p.mails().await.is_empty());
}

#[tokio::test]
async fn each_tenant_has_pages_of_its_own_for_its_mails() {
    // S-125
    let p = Post::new().await;
    let root = p.t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    let new = json!({ "slug": "acme", "name": "Acme" });
    let acme = root.post("/admin/tenants").json(&new).send().await.expect(201).str("id");
    let path = format!("/admin/tenants/{acme}");
    let set = |urls: Value| root.request("PATCH", &path).json(&json!({ "mail_urls": urls }));
    for wrong in [
        json!({ "reset_url": "http://app.acme.com/reset" }),
        json!({ "reset_url": "https://app.acme.com/reset#x" }),
        json!({ "reset_url": "https://app.acme.com@evil.example/reset" }),
        json!({ "magic_link_url": "javascript:alert(1)" }),
        json!({ "verify_url": "" }),
        json!({ "verify_url": format!("https://a.com/{}", "x".repeat(500)) }),
        json!({ "nothing_url": "https://app.acme.com" }),
        json!({ "reset_url": null }),
        json!("https://app.acme.com"),
    ] {
        let refused = set(wrong.clone()).send().await.refused(422, "invalid_fields");
        assert_eq!(refused.body["errors"][0]["pointer"], "#/mail_urls", "{wrong}");
    }
    let own = json!({ "reset_url": "https://app.acme.com/reset?lang=de", "magic_link_url": "http://localhost:3000/in" });
    assert_eq!(set(own.clone()).send().await.expect(200).body["mail_urls"], own);
    assert_eq!(root.get(&path).send().await.expect(200).body["mail_urls"], own);

    let made = json!({ "email": "ada@acme.com", "password": PASSWORD });
    p.t.post("/t/acme/auth/register").json(&made).send().await.expect(201);
    let text = async || p.mail().await.text;
    let own_page = "https://auth.example.com/t/acme/auth/email/verify#token=";
    assert!(text().await.contains(own_page), "what is not named is the built-in page");
    let ask = json!({ "email": "ada@acme.com" });
    p.t.post("/t/acme/auth/password/forgot").json(&ask).send().await.expect(202);
    assert!(text().await.contains("https://app.acme.com/reset?lang=de#token="));
    p.t.post("/t/acme/auth/magic-link").json(&ask).send().await.expect(202);
    assert!(text().await.contains("http://localhost:3000/in#token="));
    // Another tenant's stay its own.
    forgot(&p.t, "root@example.com").await;
    assert!(text().await.contains("https://auth.example.com/auth/password/reset#token="));

    assert_eq!(set(Value::Null).send().await.expect(200).body["mail_urls"], Value::Null);
    p.t.post("/t/acme/auth/password/forgot").json(&ask).send().await.expect(202);
    assert!(text().await.contains("https://auth.example.com/t/acme/auth/password/reset#token="));
}

#[tokio::test]
async fn a_changed_password_is_told_to_whoever_proved_the_address() {
    let p = Post::new().await;
    let (alice, unproven) = (p.t.user("alice").signed_in().await, p.t.user("unproven").signed_in().await);
    p.proven(&alice).await;
    let change = |who: &Persona<'_>, current: &str| {
        who.post("/auth/password").json(&json!({ "current_password": current, "new_password": NEW }))
    };
    change(&alice, "wrong").send().await.refused(403, "wrong_password");
    change(&unproven, PASSWORD).send().await.expect(204);
    assert!(p.mails().await.is_empty());
    change(&alice, PASSWORD).header("accept-language", "de").send().await.expect(204);
    let notice = p.mail().await;
    assert_eq!(notice.to.as_str(), alice.email);
    assert_eq!(notice.subject, "Ihr Passwort für auth.example.com wurde geändert");
    assert!(!notice.text.contains("#token="));
}
