//! Browser sessions: the cookie, where it may come from, when it ends; and what proxies are told.

use std::time::Duration;

use serde_json::{Value, json};
use wardgate::{BrowserSessions, BuiltinRole, WebSettings};

use crate::support::{ISSUER, PASSWORD, Persona, Reply, Request, TestGate};

const COOKIE: &str = "__Host-wardgate_session";

/// A browser that is signed in.
struct Browser<'t> {
    t: &'t TestGate,
    cookie: String,
}

fn cookie_of(reply: &Reply) -> String {
    let set = reply.header("set-cookie");
    let value = set.strip_prefix(COOKIE).and_then(|rest| rest.strip_prefix('='));
    value.and_then(|rest| rest.split(';').next()).unwrap_or_else(|| panic!("{set:?}")).to_owned()
}

fn log_in(t: &TestGate, person: &Persona<'_>) -> Request {
    t.post("/auth/session").json(&json!({ "email": person.email, "password": PASSWORD }))
}

impl<'t> Browser<'t> {
    async fn new(t: &'t TestGate, person: &Persona<'_>) -> Self {
        let reply = log_in(t, person).header("origin", ISSUER).send().await.expect(200);
        assert_eq!(reply.body, json!({ "message": "Logged in" }));
        Self { t, cookie: cookie_of(&reply) }
    }

    fn request(&self, method: &str, path: &str) -> Request {
        self.t.request(method, path).header("cookie", format!("theme=dark; {COOKIE}={}", self.cookie))
    }

    fn own(&self, method: &str, path: &str) -> Request {
        self.request(method, path).header("origin", ISSUER)
    }

    async fn me(&self) -> Reply {
        self.request("GET", "/auth/me").send().await
    }
}

#[tokio::test]
async fn the_cookie_has_its_form_and_only_a_digest_is_stored() {
    // S-048, S-049
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    let reply = log_in(&t, &alice).send().await.expect(200);
    let value = cookie_of(&reply);
    let expected = format!("{COOKIE}={value}; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax");
    assert_eq!(reply.header("set-cookie"), expected);
    assert!(value.len() >= 43 && reply.header("cache-control") == "no-store");
    assert!(!reply.text.contains(&value) && !reply.text.contains("token"));
    let dev = TestGate::with(|b| b.issuer("http://127.0.0.1:8080")).await;
    let alice = dev.user("alice").registered().await;
    let reply = log_in(&dev, &alice).send().await.expect(200);
    assert!(reply.header("set-cookie").starts_with("wardgate_session=wgc_"));
    assert!(!reply.header("set-cookie").contains("Secure"));
}

#[tokio::test]
async fn one_signs_in_sees_who_one_is_and_signs_out() {
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    let wrong = json!({ "email": alice.email, "password": "wrong" });
    let refused = t.post("/auth/session").json(&wrong).send().await.refused(401, "incorrect_credentials");
    assert_eq!(refused.header("set-cookie"), "");
    let browser = Browser::new(&t, &alice).await;
    assert_eq!(browser.me().await.expect(200).body["id"], json!(alice.id.to_string()));
    assert_eq!(
        browser.request("GET", "/auth/session").send().await.expect(200).body["email"],
        json!(alice.email)
    );
    let listed = browser.request("GET", "/auth/sessions").send().await.expect(200);
    assert_eq!(listed.body["items"][0]["current"], true);
    let out = browser.own("DELETE", "/auth/session").send().await.expect(204);
    assert!(out.header("set-cookie").starts_with(&format!("{COOKIE}=; Path=/; Max-Age=0;")));
    // S-050
    browser.me().await.refused(401, "invalid_credential");
    browser.own("DELETE", "/auth/session").send().await.refused(401, "invalid_credential");
}

#[tokio::test]
async fn a_new_sign_in_takes_the_place_of_the_old_and_no_planted_id_is_adopted() {
    // S-049
    let t = TestGate::new().await;
    let (alice, mallory) = (t.user("alice").registered().await, t.user("mallory").registered().await);
    let planted = Browser::new(&t, &mallory).await;
    let login = log_in(&t, &alice).header("cookie", format!("{COOKIE}={}", planted.cookie));
    let reply = login.send().await.expect(200);
    assert_ne!(cookie_of(&reply), planted.cookie);
    planted.me().await.refused(401, "invalid_credential");
    let invented = log_in(&t, &alice).header("cookie", format!("{COOKIE}=invented")).send().await.expect(200);
    assert_ne!(cookie_of(&invented), "invented");
    let twice = format!("{COOKIE}={}; {COOKIE}=x", cookie_of(&reply));
    t.get("/auth/me").header("cookie", &twice).send().await.refused(400, "ambiguous_credential");
    log_in(&t, &alice).header("cookie", &twice).send().await.expect(200);
}

#[tokio::test]
async fn writing_from_another_sites_page_is_refused_everywhere() {
    // S-051, S-053
    let settings =
        WebSettings { session_origins: vec!["https://app.example.org".to_owned()], ..Default::default() };
    let t = TestGate::with(|b| b.web(settings)).await;
    let alice = t.user("alice").registered().await;
    let browser = Browser::new(&t, &alice).await;
    let patch = |headers: &[(&str, &str)]| {
        let request = browser.request("PATCH", "/auth/me").json(&json!({ "name": "Mallory" }));
        headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    };
    for foreign in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("origin", "https://auth.example.com.evil.example")],
        &[("origin", "http://auth.example.com")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", ISSUER), ("sec-fetch-site", "cross-site")],
    ] {
        patch(foreign).send().await.refused(403, "cross_site");
        let login = foreign.iter().fold(log_in(&t, &alice), |r, (name, value)| r.header(name, value));
        let refused = login.send().await.refused(403, "cross_site");
        assert_eq!(refused.header("set-cookie"), "");
        let logout = browser.request("DELETE", "/auth/session");
        foreign
            .iter()
            .fold(logout, |r, (name, value)| r.header(name, value))
            .send()
            .await
            .refused(403, "cross_site");
    }
    assert_eq!(browser.me().await.expect(200).body["name"], Value::Null);
    for (index, own) in [
        &[][..],
        &[("origin", ISSUER)],
        &[("origin", "https://app.example.org")],
        &[("sec-fetch-site", "same-origin")],
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({ "name": format!("Alice {index}") });
        let request = browser.request("PATCH", "/auth/me").json(&body);
        own.iter().fold(request, |r, (name, value)| r.header(name, value)).send().await.expect(200);
    }
    // Reading passes: it changes nothing, and the answer is kept from the page by its browser.
    browser.request("GET", "/auth/me").header("sec-fetch-site", "cross-site").send().await.expect(200);
    // JSON in disguise needs no preflight.
    let disguised = t
        .post("/auth/session")
        .body("text/plain", json!({ "email": alice.email, "password": PASSWORD }).to_string());
    disguised.send().await.refused(415, "unsupported_media_type");
    let form = format!("email={}&password=x", alice.email);
    t.post("/auth/session").form(&form).send().await.refused(415, "unsupported_media_type");
    // A token is attached by nobody unasked.
    let tokens = alice.log_in(PASSWORD).await.expect(200).str("access_token");
    let by_token = t.request("PATCH", "/auth/me").bearer(&tokens).header("origin", "https://evil.example");
    by_token.json(&json!({ "name": "x" })).send().await.expect(200);
}

#[tokio::test]
async fn a_cookie_beside_an_authorization_header_is_ignored() {
    let t = TestGate::new().await;
    let (alice, bob) = (t.user("alice").registered().await, t.user("bob").signed_in().await);
    let browser = Browser::new(&t, &alice).await;
    let both = browser.request("GET", "/auth/me").bearer(&bob.access).send().await.expect(200);
    assert_eq!(both.body["id"], json!(bob.id.to_string()));
    browser.request("GET", "/auth/me").bearer("stale").send().await.refused(401, "invalid_credential");
    browser
        .request("GET", "/auth/me")
        .header("authorization", "Basic eDp5")
        .send()
        .await
        .refused(401, "missing_credential");
}

#[tokio::test]
async fn idle_and_absolute_ends_hold() {
    // S-056
    let hour = Duration::from_secs(60 * 60);
    let settings = BrowserSessions { idle_ttl: hour, max_ttl: 3 * hour, ..Default::default() };
    let t = TestGate::with(|b| b.browser_sessions(settings)).await;
    let alice = t.user("alice").registered().await;
    let (idle, busy) = (Browser::new(&t, &alice).await, Browser::new(&t, &alice).await);
    for _ in 0..5 {
        t.advance(Duration::from_secs(35 * 60));
        busy.me().await.expect(200);
        t.gate.tend().await.unwrap();
    }
    idle.me().await.refused(401, "invalid_credential");
    t.advance(Duration::from_secs(5 * 60) - Duration::from_millis(1));
    busy.me().await.expect(200);
    t.gate.tend().await.unwrap();
    t.advance(Duration::from_millis(1));
    busy.me().await.refused(401, "invalid_credential");
}

#[tokio::test]
async fn an_idle_end_comes_when_nothing_was_asked_for_so_long_and_no_earlier() {
    // S-056: also after a use that is not written down yet when it happens.
    let (hour, minute) = (Duration::from_secs(60 * 60), Duration::from_secs(60));
    let settings = BrowserSessions { idle_ttl: hour, max_ttl: 24 * hour, ..Default::default() };
    let t = TestGate::with(|b| b.browser_sessions(settings.clone())).await;
    let alice = t.user("alice").registered().await;
    let (one, two) = (Browser::new(&t, &alice).await, Browser::new(&t, &alice).await);
    t.advance(minute - Duration::from_millis(1));
    let three = Browser::new(&t, &alice).await;
    for browser in [&one, &two] {
        browser.me().await.expect(200);
    }
    t.gate.tend().await.unwrap();
    t.advance(Duration::from_millis(1));
    t.gate.tend().await.unwrap();
    // A node that stops leaves what it saw.
    three.me().await.expect(200);
    t.gate.close().await;
    let t = t.beside(|b| b.browser_sessions(settings)).await;
    let still = async |browser: &Browser<'_>| {
        let cookie = format!("{COOKIE}={}", browser.cookie);
        t.get("/auth/me").header("cookie", cookie).send().await.status.as_u16()
    };
    t.advance(hour - Duration::from_millis(2));
    assert_eq!(still(&one).await, 200, "a moment before");
    t.advance(Duration::from_millis(1));
    assert_eq!(still(&two).await, 401, "exactly then");
    assert_eq!(still(&three).await, 200, "a moment before");
}

#[tokio::test]
async fn sessions_tell_where_they_were_last_seen() {
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    let browser = Browser::new(&t, &alice).await;
    t.advance(Duration::from_secs(90));
    browser
        .request("GET", "/auth/me")
        .from("10.0.0.9")
        .header("user-agent", "Firefox")
        .send()
        .await
        .expect(200);
    t.gate.tend().await.unwrap();
    let listed = browser.request("GET", "/auth/sessions").send().await.expect(200);
    let session = &listed.body["items"][0];
    assert_eq!(
        (&session["address"], &session["user_agent"], &session["last_seen_at"]),
        (&json!("10.0.0.9"), &json!("Firefox"), &json!(t.now().to_string()))
    );
}

#[tokio::test]
async fn whatever_ends_a_session_ends_the_cookie() {
    // S-050, S-058
    let t = TestGate::new().await;
    let other = t.beside(|b| b).await;
    let boss = t.user("boss").role(BuiltinRole::Admin).signed_in().await;
    let alice = t.user("alice").registered().await;
    let dead = async |browser: &Browser<'_>| {
        browser.me().await.refused(401, "invalid_credential");
        let there = other.get("/auth/me").header("cookie", format!("{COOKIE}={}", browser.cookie));
        there.send().await.refused(401, "invalid_credential");
    };
    let (one, two) = (Browser::new(&t, &alice).await, Browser::new(&t, &alice).await);
    let listed = one.request("GET", "/auth/sessions").send().await.expect(200);
    let items = listed.body["items"].as_array().unwrap();
    let foreign = items.iter().find(|item| item["current"] == false).unwrap()["id"].as_str().unwrap();
    one.own("DELETE", &format!("/auth/sessions/{foreign}")).send().await.expect(204);
    dead(&two).await;
    let change = json!({ "current_password": PASSWORD, "new_password": "an entirely new sentence" });
    let two = Browser::new(&t, &alice).await;
    let changed = one.own("POST", "/auth/password").json(&change).send().await.expect(204);
    dead(&two).await;
    // Also the copy of a thief, who may be why.
    dead(&one).await;
    let one = Browser { t: &t, cookie: cookie_of(&changed) };
    one.me().await.expect(200);
    boss.request("DELETE", &format!("/admin/users/{}/sessions", alice.id)).send().await.expect(204);
    dead(&one).await;
    let bob = t.user("bob").registered().await;
    let browser = Browser::new(&t, &bob).await;
    t.disable(bob.id).await;
    browser.me().await.refused(400, "inactive_user");
    t.enable(bob.id).await;
    dead(&browser).await;
}

#[tokio::test]
async fn a_rise_in_rights_asks_for_a_new_sign_in() {
    // S-049
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let browser = Browser::new(&t, &alice).await;
    t.set_roles(alice.id, &["user"]).await.unwrap();
    browser.me().await.expect(200);
    t.set_roles(alice.id, &["user", "admin"]).await.unwrap();
    browser.me().await.refused(401, "invalid_credential");
    alice.me().await.expect(200);
    let browser = Browser::new(&t, &alice).await;
    t.set_roles(alice.id, &["user"]).await.unwrap();
    browser.me().await.expect(200);
}

#[tokio::test]
async fn a_step_up_gives_another_cookie() {
    // S-049, S-058
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    let old = Browser::new(&t, &alice).await;
    t.advance(Duration::from_secs(15 * 60));
    let end =
        |browser: &Browser<'_>| browser.own("DELETE", "/auth/sessions/ses_00000000000070008000000000000000");
    end(&old).send().await.refused(403, "step_up_required");
    let step_up = |password: &str| old.own("POST", "/auth/step-up").json(&json!({ "password": password }));
    let wrong = step_up("wrong").send().await.refused(403, "wrong_password");
    assert_eq!(wrong.header("set-cookie"), "");
    let reply = step_up(PASSWORD).send().await.expect(204);
    let new = Browser { t: &t, cookie: cookie_of(&reply) };
    old.me().await.refused(401, "invalid_credential");
    new.me().await.expect(200);
    end(&new).send().await.refused(404, "not_found");
}

#[tokio::test]
async fn parallel_sessions_are_limited() {
    // S-058
    let settings = BrowserSessions { max_per_user: 3, ..Default::default() };
    let t = TestGate::with(|b| b.browser_sessions(settings)).await;
    let alice = t.user("alice").registered().await;
    let mut browsers = Vec::new();
    for _ in 0..3 {
        browsers.push(Browser::new(&t, &alice).await);
        t.advance(Duration::from_secs(61));
    }
    // The first was seen last, so the second goes.
    browsers[0].me().await.expect(200);
    t.gate.tend().await.unwrap();
    t.tick();
    let tokens = alice.log_in(PASSWORD).await.expect(200);
    browsers[1].me().await.refused(401, "invalid_credential");
    browsers[0].me().await.expect(200);
    browsers[2].me().await.expect(200);
    t.get("/auth/me").bearer(&tokens.str("access_token")).send().await.expect(200);
}

#[tokio::test]
async fn a_proxy_is_told_who_makes_a_request() {
    // S-051
    let t = TestGate::new().await;
    let mut alice = t.user("alice").signed_in().await;
    let browser = Browser::new(&t, &alice).await;
    for request in [alice.get("/auth/verify"), browser.request("GET", "/auth/verify")] {
        let reply = request.send().await.expect(200);
        assert_eq!(reply.header("x-auth-subject"), alice.id.to_string());
        assert_eq!(
            (reply.header("x-auth-email"), reply.header("x-auth-roles")),
            ("alice@example.com", "user")
        );
        assert_eq!((reply.header("x-auth-tenant"), reply.header("x-auth-scope")), ("default", ""));
        assert!(reply.headers.get("x-auth-scope").is_none() && reply.text.is_empty());
    }
    t.get("/auth/verify").send().await.refused(401, "missing_credential");
    t.get("/auth/verify").bearer("x").send().await.refused(401, "invalid_credential");
    t.get("/auth/verify").header("x-api-key", "x").send().await.refused(403, "invalid_api_key");
    // nginx takes anything but 401 and 403 for a failure of its own.
    alice.get("/auth/verify").header("x-api-key", "x").send().await.refused(401, "invalid_credential");
    // What the request that is asked about does is what counts.
    let asked = |method: &str, value: &str| browser.request("GET", "/auth/verify").header(method, value);
    for name in ["x-forwarded-method", "x-original-method"] {
        asked(name, "GET").header("origin", "https://evil.example").send().await.expect(200);
        for method in ["POST", "DELETE", "patch", "not a method"] {
            let foreign = asked(name, method).header("origin", "https://evil.example");
            foreign.send().await.refused(403, "cross_site");
        }
        // The proxy tells one, and lets a client's other through.
        let other = if name == "x-forwarded-method" { "x-original-method" } else { "x-forwarded-method" };
        for (method, said) in [("POST", "GET"), ("GET", "DELETE")] {
            let foreign = asked(name, method).header(other, said).header("origin", "https://evil.example");
            foreign.send().await.refused(403, "cross_site");
        }
        let own = asked(name, "POST")
            .header("origin", "https://shop.example")
            .header("x-forwarded-host", "shop.example");
        own.send().await.expect(200);
    }
    let scoped =
        format!("username={}&password=correct+horse+battery+staple&scope=profile%3Aread", alice.email);
    let scoped = t.post("/auth/login").form(&scoped).send().await.expect(200);
    let reply = t.get("/auth/verify").bearer(&scoped.str("access_token")).send().await.expect(200);
    assert_eq!(reply.header("x-auth-scope"), "profile:read");
    t.disable(alice.id).await;
    alice.get("/auth/verify").send().await.refused(403, "insufficient_permissions");
    t.enable(alice.id).await;
    alice.sign_in().await;
    alice.get("/auth/verify").send().await.expect(200);
}
