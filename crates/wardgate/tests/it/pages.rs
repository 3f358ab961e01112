//! The pages for people: the same decisions as the routes', in words.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::json;
use wardgate::{Access, Branding, BuiltinRole, RecordingMailer, Wardgate, WebSettings};

use crate::support::{ISSUER, PASSWORD, Reply, Request, TestGate};

const COOKIE: &str = "__Host-wardgate_session";
const NEW: &str = "an entirely new sentence";

/// Pages, and a mailbox.
async fn site() -> (TestGate, Arc<RecordingMailer>) {
    TestGate::with_mail(|builder| builder.pages(Branding::default())).await
}

fn form(pairs: &[(&str, &str)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

/// A form as a browser sends it from our own page.
fn send(t: &TestGate, path: &str, pairs: &[(&str, &str)]) -> Request {
    t.post(path).header("origin", ISSUER).header("sec-fetch-site", "same-origin").form(&form(pairs))
}

/// What the browser holds after this answer, under the name `name`.
fn cookie(reply: &Reply, name: &str) -> String {
    let mut all = reply.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let found = all.rfind(|text| text.starts_with(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("no cookie {name} in {reply:#?}")).split(';').next().unwrap().to_owned()
}

async fn sign_in(t: &TestGate, email: &str, password: &str) -> String {
    let reply = send(t, "/sign-in", &[("email", email), ("password", password)]).send().await.expect(303);
    cookie(&reply, COOKIE)
}

/// The newest mail's token.
async fn token(t: &TestGate, mails: &RecordingMailer) -> String {
    t.gate.tend().await.unwrap();
    let newest = mails.take().into_iter().rfind(|mail| mail.text.contains("#token="));
    let text = newest.expect("a mail with a link").text;
    text.split("#token=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
}

/// A path of the table with ids of nothing.
fn concrete(path: &str) -> String {
    let id = match path {
        path if path.starts_with("/account/organizations") => "org_00000000000070008000000000000000",
        path if path.starts_with("/account/api-keys") => "key_00000000000070008000000000000000",
        _ => "ses_00000000000070008000000000000000",
    };
    path.replace("{id}", id)
}

/// Which route of the API does the same, so that what admits to the one admits to the other.
const SAME_AS: &[(&str, &str)] = &[
    ("GET /account", "GET /auth/me"),
    ("GET /account/api-keys", "GET /auth/api-keys"),
    ("GET /account/organizations", "GET /auth/orgs"),
    ("GET /account/providers", "GET /auth/identities"),
    ("GET /account/sessions", "GET /auth/sessions"),
    ("POST /account/api-keys", "POST /auth/api-keys"),
    ("POST /account/api-keys/{id}/revoke", "DELETE /auth/api-keys/{id}"),
    ("POST /account/delete", "DELETE /auth/me"),
    ("POST /account/email", "POST /auth/email"),
    ("POST /account/invitation", "POST /auth/invitations/accept"),
    ("POST /account/name", "PATCH /auth/me"),
    ("POST /account/organizations/none", "DELETE /auth/orgs/active"),
    ("POST /account/organizations/{id}/leave", "POST /auth/orgs/{id}/leave"),
    ("POST /account/organizations/{id}/switch", "POST /auth/orgs/{id}/activate"),
    ("POST /account/password", "POST /auth/password"),
    ("POST /account/providers/{id}/unlink", "DELETE /auth/identities/{id}"),
    ("POST /account/providers/{name}/link", "POST /auth/identities"),
    ("POST /account/sessions/{id}/end", "DELETE /auth/sessions/{id}"),
    ("POST /forgot-password", "POST /auth/password/forgot"),
    ("POST /magic-link", "POST /auth/magic-link"),
    ("POST /magic-link/open", "POST /auth/magic-link/redeem"),
    ("POST /register", "POST /auth/register"),
    ("POST /reset-password", "POST /auth/password/reset"),
    ("POST /sign-in", "POST /auth/session"),
    ("POST /sign-out", "DELETE /auth/session"),
    ("POST /verify-email", "POST /auth/email/verify"),
];

/// Pages that do nothing by themselves, and one that is narrower than its route.
const OF_THEIR_OWN: &[&str] = &[
    "GET /account/delete",
    "GET /account/invitation",
    "GET /account/password",
    "GET /auth/email/verify",
    "GET /auth/invitations/accept",
    "GET /auth/magic-link/redeem",
    "GET /auth/password/reset",
    "GET /check-mail",
    "GET /forgot-password",
    "GET /magic-link",
    "GET /magic-link/open",
    "GET /register",
    "GET /reset-password",
    "GET /sign-in",
    "GET /verify-email",
    "POST /account/email/resend",
];

#[tokio::test]
async fn a_page_admits_whom_its_route_admits() {
    // S-016, S-101
    let access = |endpoints: Vec<wardgate::Endpoint>| -> BTreeMap<String, Access> {
        endpoints.into_iter().map(|e| (format!("{} {}", e.method, e.path), e.access)).collect()
    };
    let (pages, routes) = (access(Wardgate::page_endpoints()), access(Wardgate::endpoints()));
    let mut listed: Vec<_> =
        SAME_AS.iter().map(|(page, _)| *page).chain(OF_THEIR_OWN.iter().copied()).collect();
    listed.sort_unstable();
    assert_eq!(pages.keys().collect::<Vec<_>>(), listed);
    for (page, route) in SAME_AS {
        assert_eq!(pages[*page], routes[*route], "{page} and {route}");
    }
    assert_eq!(pages["POST /account/email/resend"], Access::SignedIn);
}

#[tokio::test]
async fn whoever_is_not_signed_in_goes_to_sign_in_and_comes_back() {
    // S-016, S-054
    let (t, _) = site().await;
    let alice = t.user("alice").registered().await;
    let signed_in = sign_in(&t, &alice.email, PASSWORD).await;
    for page in Wardgate::page_endpoints() {
        let path = concrete(page.path);
        let request = t.request(page.method.as_str(), &path).header("origin", ISSUER);
        let reply = request.send().await;
        if page.access == Access::Public {
            assert!(
                reply.header("location").is_empty() || page.path.starts_with("/auth/"),
                "{path}: {reply:?}"
            );
            continue;
        }
        let reply = reply.expect(303);
        let back = reply.header("location").strip_prefix("/sign-in?next=").expect("to sign in").to_owned();
        let back = percent_decode_str(&back).decode_utf8().unwrap().into_owned();
        assert!(path.starts_with(&back) || path == "/sign-out", "{path}: {back}");
        t.get(&back).header("cookie", &signed_in).send().await.expect(200);
        // A token or a key is nobody's browser.
        for (name, value) in [("authorization", "Bearer x"), ("x-api-key", "wgk_x")] {
            let reply = t
                .request(page.method.as_str(), &path)
                .header("origin", ISSUER)
                .header(name, value)
                .send()
                .await;
            assert!(reply.expect(303).header("location").starts_with("/sign-in?"), "{path}");
        }
    }
    let pairs = [("email", alice.email.as_str()), ("password", PASSWORD)];
    for (next, lands) in [
        ("/account/sessions", "/account/sessions"),
        ("/dashboard?a=b", "/dashboard?a=b"),
        ("//evil.example", "/account"),
        ("/\\evil.example", "/account"),
        ("https://evil.example/", "/account"),
        ("javascript:alert(1)", "/account"),
        ("/\t/evil.example", "/account"),
    ] {
        let next = utf8_percent_encode(next, NON_ALPHANUMERIC).to_string();
        let reply = send(&t, &format!("/sign-in?next={next}"), &pairs).send().await.expect(303);
        assert_eq!(reply.header("location"), lands, "{next}");
    }
    t.get("/sign-in").header("cookie", &signed_in).send().await.expect(303);
    // A bearer token opens no page, not even a good one.
    let alice = t.user("bob").signed_in().await;
    alice.get("/account").send().await.expect(303);
}

#[tokio::test]
async fn a_session_that_is_over_says_so_kindly() {
    let (t, _) = site().await;
    let alice = t.user("alice").registered().await;
    let cookie = sign_in(&t, &alice.email, PASSWORD).await;
    t.get("/account").header("cookie", &cookie).send().await.expect(200);
    t.advance(Duration::from_secs(25 * 60 * 60));
    let reply = t.get("/account/password").header("cookie", &cookie).send().await.expect(303);
    assert_eq!(reply.header("location"), "/sign-in?next=%2Faccount%2Fpassword&done=expired");
    let page = t.get("/sign-in?next=%2Faccount%2Fpassword&done=expired").send().await.expect(200);
    assert!(page.text.contains("You were signed out, because you had been away for a while"));
    // Nobody else's words are shown.
    let page = t.get("/sign-in?done=%3Cb%3Ehello").send().await.expect(200);
    assert!(!page.text.contains("hello") && !page.text.contains("role=\"status\""));
}

#[tokio::test]
async fn every_page_is_held_to_its_headers() {
    // S-135
    let (t, _) = site().await;
    let alice = t.user("alice").registered().await;
    let cookie = sign_in(&t, &alice.email, PASSWORD).await;
    for page in Wardgate::page_endpoints() {
        let request = t.request(page.method.as_str(), &concrete(page.path)).header("origin", ISSUER);
        let reply = request.header("cookie", &cookie).send().await;
        if reply.status == 303 {
            continue;
        }
        assert_eq!(reply.header("content-type"), "text/html; charset=utf-8", "{}", page.path);
        assert_eq!(
            reply.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            "{}",
            page.path
        );
        assert_eq!(reply.header("x-frame-options"), "DENY");
        assert_eq!(reply.header("referrer-policy"), "same-origin");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        for inline in ["<style", " style=", "<script>", " onclick", "javascript:", "http://", "https://"] {
            assert!(!reply.text.contains(inline), "{}: {inline}", page.path);
        }
    }
    let page = t.get("/sign-in").send().await.expect(200);
    let style = page.text.split("/account/files/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let file = t.get(&format!("/account/files/{style}")).send().await.expect(200);
    assert_eq!(file.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(file.header("content-type"), "text/css; charset=utf-8");
    for name in
        ["style.css", "style-0000000000000000.css", "accent-red.css", "accent-1d4fc4;}.css", "..%2fstyle.css"]
    {
        t.get(&format!("/account/files/{name}")).send().await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn no_form_is_taken_from_another_sites_page() {
    // S-051, S-053: without a cookie too.
    let (t, _) = site().await;
    let alice = t.user("alice").registered().await;
    let cookie = sign_in(&t, &alice.email, PASSWORD).await;
    let before = t.gate.audit().newest(200).await.unwrap().len();
    for page in Wardgate::page_endpoints().into_iter().filter(|page| page.method == "POST") {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let body = form(&[("email", &alice.email), ("password", PASSWORD), ("new_password", NEW)]);
            let request = t.post(&concrete(page.path)).header(name, value).form(&body);
            let reply = request.header("cookie", &cookie).send().await.expect(403);
            assert!(reply.text.contains("another site’s page"), "{}: {}", page.path, reply.text);
            let reply = t.post(&concrete(page.path)).header(name, value).form(&body).send().await.expect(403);
            assert!(reply.headers.get("set-cookie").is_none(), "{}", page.path);
        }
    }
    assert_eq!(t.gate.audit().newest(200).await.unwrap().len(), before);
    // What is no form is none of a browser's.
    let json = json!({ "email": alice.email, "password": PASSWORD });
    t.post("/sign-in").header("origin", ISSUER).json(&json).send().await.expect(415);
}

#[tokio::test]
async fn wrong_input_keeps_what_was_typed_but_for_passwords() {
    let (t, _) = site().await;
    let hostile = "<script>alert(1)</script>\"'&";
    let pairs = [("name", hostile), ("email", "no\"><b>address"), ("password", "hunter2")];
    let reply = send(&t, "/register", &pairs).send().await.expect(422);
    assert!(!reply.text.contains("<script>alert") && !reply.text.contains("<b>"), "{}", reply.text);
    assert!(!reply.text.contains("hunter2"));
    assert!(
        reply.text.contains("value=\"&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#38;\""),
        "{}",
        reply.text
    );
    assert!(reply.text.contains("value=\"no&#34;&#62;&#60;b&#62;address\""));
    assert!(reply.text.contains("aria-invalid=\"true\" aria-describedby=\"email-fault\""), "{}", reply.text);
    assert!(reply.text.contains("<p class=\"fault\" id=\"email-fault\">This is not an e-mail address."));
    assert!(reply.text.contains("<title>Please check: Create your account"));
    let reply =
        send(&t, "/register", &[("email", "x@example.com"), ("password", "short")]).send().await.expect(422);
    assert!(reply.text.contains("aria-describedby=\"password-fault password-hint\""), "{}", reply.text);
    assert!(reply.text.contains("use at least 8 characters"));
    let reply = send(&t, "/sign-in", &[("email", "x@example.com"), ("password", "wrong-one")])
        .send()
        .await
        .expect(401);
    assert!(reply.text.contains("value=\"x@example.com\"") && !reply.text.contains("wrong-one"));
    assert!(reply.text.contains("role=\"alert\""));
    // What no form of ours sends is not taken.
    let extra = [("email", "x@example.com"), ("password", PASSWORD), ("roles", "superadmin")];
    send(&t, "/register", &extra).send().await.expect(422);
    assert!(
        t.gate.users().find_by_email(wardgate::TenantId::DEFAULT, "x@example.com").await.unwrap().is_none()
    );
}

#[tokio::test]
async fn every_form_answers_nonsense_in_words_and_changes_nothing() {
    // S-145, S-146
    let (t, _) = site().await;
    let alice = t.user("alice").registered().await;
    let cookie = sign_in(&t, &alice.email, PASSWORD).await;
    let before = t.gate.audit().newest(200).await.unwrap().len();
    let forms = ["/sign-out", "/account/organizations/none", "/account/email/resend"];
    for page in Wardgate::page_endpoints().into_iter().filter(|page| page.method == "POST") {
        if forms.contains(&page.path) || page.path.contains("{id}") {
            continue;
        }
        for body in [
            "",
            "%ff=%ff",
            "a=b",
            "email=%00",
            "token=&email=&name=%00",
            "email=a&email=b",
            &"a=b&".repeat(40),
            &"x".repeat(70_000),
        ] {
            let reply =
                t.post(page.path).header("origin", ISSUER).header("cookie", &cookie).form(body).send().await;
            // An empty name is no name.
            let is_fine = page.path == "/account/name" && body.is_empty();
            assert!(is_fine || reply.status.is_client_error(), "{} {body:.20}: {reply:?}", page.path);
            assert!(
                is_fine || reply.text.starts_with("<!doctype html>"),
                "{} {body:.20}: {reply:?}",
                page.path
            );
        }
    }
    assert!(t.gate.audit().newest(200).await.unwrap().len() <= before + 1, "a name, at most");
}

#[tokio::test]
async fn both_languages_are_spoken() {
    let (t, _) = site().await;
    for (accept, lang, title) in
        [("de-AT,de;q=0.9,en;q=0.5", "de", "Anmelden"), ("en-GB", "en", "Sign in"), ("fr", "en", "Sign in")]
    {
        let page = t.get("/sign-in").header("accept-language", accept).send().await.expect(200);
        assert!(
            page.text.contains(&format!("<html lang=\"{lang}\">"))
                && page.text.contains(&format!("<h1>{title}</h1>"))
        );
    }
    let request = send(&t, "/sign-in", &[("email", "a@b.de"), ("password", "x")]);
    let reply = request.header("accept-language", "de").send().await.expect(401);
    assert!(reply.text.contains("Die Adresse oder das Passwort ist falsch."), "{}", reply.text);
}

#[tokio::test]
async fn hostile_names_are_text_wherever_they_are_shown() {
    // S-132
    let (t, _) = site().await;
    let alice = t.user("alice").signed_in().await;
    let name = "</code><script>alert(1)</script>";
    alice.request("PATCH", "/auth/me").json(&json!({ "name": name })).send().await.expect(200);
    alice.post("/auth/api-keys").json(&json!({ "name": name })).send().await.expect(201);
    alice.post("/auth/orgs").json(&json!({ "slug": "x1", "name": name })).send().await.expect(201);
    let login = [("email", alice.email.as_str()), ("password", PASSWORD)];
    let agent = "<img src=x onerror=alert(1)>";
    let reply = send(&t, "/sign-in", &login).header("user-agent", agent).send().await.expect(303);
    let cookie = cookie(&reply, COOKIE);
    for path in ["/account", "/account/api-keys", "/account/organizations", "/account/sessions"] {
        let page = t.get(path).header("cookie", &cookie).send().await.expect(200);
        assert!(!page.text.contains("<script>") && !page.text.contains("<img"), "{path}: {}", page.text);
        assert!(page.text.contains("alert(1)"), "{path}");
    }
    // The form of a new password knows whose it is, and nothing of it.
    let password = t.get("/account/password").header("cookie", &cookie).send().await.expect(200);
    assert!(password.text.contains(&format!("autocomplete=\"username\" value=\"{}\" hidden", alice.email)));
}

#[tokio::test]
async fn what_asks_for_a_fresh_proof_asks_and_then_goes_on() {
    let (t, _) = site().await;
    let alice = t.user("alice").registered().await;
    let stale = sign_in(&t, &alice.email, PASSWORD).await;
    t.advance(Duration::from_secs(15 * 60));
    let keys = "/account/api-keys";
    let asked = send(&t, keys, &[("name", "a & b"), ("days", "30")])
        .header("cookie", &stale)
        .send()
        .await
        .expect(403);
    assert!(
        asked.text.contains("name=\"confirm_password\"")
            && asked.text.contains("name=\"name\" value=\"a &#38; b\"")
    );
    assert!(asked.text.contains(&format!("<form method=\"post\" action=\"{keys}\"")), "{}", asked.text);
    assert!(asked.text.contains("href=\"/forgot-password\""));
    // Whatever is carried along is text (S-132).
    let hostile = [("\"><script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>")];
    let carried = send(&t, keys, &hostile).header("cookie", &stale).send().await.expect(403);
    assert!(carried.text.contains("alert(1)") && !carried.text.contains("<script>alert"));
    assert!(!carried.text.contains("<img"), "{}", carried.text);
    let confirmed = |password: &'static str| {
        let pairs = [("name", "a & b"), ("days", "30"), ("confirm_password", password)];
        send(&t, keys, &pairs).header("cookie", &stale).send()
    };
    let wrong = confirmed("wrong-one").await.expect(403);
    assert!(wrong.text.contains("id=\"confirm_password-fault\"") && !wrong.text.contains("wrong-one"));
    assert!(wrong.text.contains("name=\"name\" value=\"a &#38; b\""), "what is asked for is kept");
    let made = confirmed(PASSWORD).await.expect(200);
    assert!(made.text.contains("wgk_") && made.text.contains("a &#38; b"));
    // A cookie that somebody copied before is worth nothing afterwards (S-049).
    let fresh = cookie(&made, COOKIE);
    assert_ne!(fresh, stale);
    t.get("/account").header("cookie", &stale).send().await.expect(303);
    send(&t, keys, &[("name", "next")]).header("cookie", &fresh).send().await.expect(200);
    // Each page that asks, asks.
    t.advance(Duration::from_secs(15 * 60));
    for page in
        Wardgate::page_endpoints().into_iter().filter(|page| matches!(page.access, Access::SteppedUp(_)))
    {
        let reply = send(&t, &concrete(page.path), &[]).header("cookie", &fresh).send().await.expect(403);
        assert!(reply.text.contains("name=\"confirm_password\""), "{}", page.path);
    }
}

#[tokio::test]
async fn a_page_needs_the_permission_of_its_route() {
    // S-101
    let (t, _) = site().await;
    let nobody = t.user("nobody").registered().await;
    t.set_roles(nobody.id, &[]).await.unwrap();
    let cookie = sign_in(&t, &nobody.email, PASSWORD).await;
    for page in Wardgate::page_endpoints() {
        let needs = matches!(page.access, Access::Permission(_) | Access::SteppedUp(_));
        let request = t.request(page.method.as_str(), &concrete(page.path)).header("origin", ISSUER);
        if needs {
            let reply = request.header("cookie", &cookie).send().await.expect(403);
            assert!(reply.text.contains("You may not do this"), "{}: {}", page.path, reply.text);
        }
    }
    t.get("/account").header("cookie", &cookie).send().await.expect(200);
}

#[tokio::test]
async fn a_key_is_shown_once() {
    // S-060
    let (t, _) = site().await;
    let alice = t.user("alice").registered().await;
    let cookie = sign_in(&t, &alice.email, PASSWORD).await;
    let made = send(&t, "/account/api-keys", &[("name", "ci"), ("days", "30")])
        .header("cookie", &cookie)
        .send()
        .await
        .expect(200);
    let key = made.text.split("<code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let me = t.get("/auth/me").header("x-api-key", &key).send().await.expect(200);
    assert_eq!(me.body["email"], alice.email);
    let list = t.get("/account/api-keys").header("cookie", &cookie).send().await.expect(200);
    assert!(
        !list.text.contains(&key) && list.text.contains(key.split('.').next().unwrap().get(..20).unwrap())
    );
    for days in ["0", "366", "-1", "x", "1e9"] {
        send(&t, "/account/api-keys", &[("name", "ci"), ("days", days)])
            .header("cookie", &cookie)
            .send()
            .await
            .expect(422);
    }
    t.advance(Duration::from_secs(30 * 24 * 60 * 60));
    t.get("/auth/me").header("x-api-key", &key).send().await.expect(403);
}

#[tokio::test]
async fn another_users_things_are_not_there() {
    // S-102
    let (t, _) = site().await;
    let alice = t.user("alice").signed_in().await;
    let key = alice.post("/auth/api-keys").json(&json!({ "name": "ci" })).send().await.expect(201).str("id");
    let org = alice
        .post("/auth/orgs")
        .json(&json!({ "slug": "x1", "name": "X" }))
        .send()
        .await
        .expect(201)
        .str("id");
    let session = alice.get("/auth/sessions").send().await.expect(200).body["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let bob = t.user("bob").registered().await;
    let cookie = sign_in(&t, &bob.email, PASSWORD).await;
    for path in [
        format!("/account/api-keys/{key}/revoke"),
        format!("/account/sessions/{session}/end"),
        format!("/account/organizations/{org}/switch"),
        format!("/account/organizations/{org}/leave"),
        "/account/api-keys/nonsense/revoke".to_owned(),
    ] {
        let reply = send(&t, &path, &[]).header("cookie", &cookie).send().await.expect(404);
        assert!(reply.text.contains("This is not there, or no longer."), "{path}");
    }
    alice.me().await.expect(200);
}

#[tokio::test]
async fn the_links_in_mails_land_on_the_pages() {
    // S-126, S-115, S-127
    let (t, mails) = site().await;
    let alice = t.user("alice").registered().await;
    for (from, to) in [
        ("/auth/email/verify", "/verify-email"),
        ("/auth/password/reset", "/reset-password"),
        ("/auth/magic-link/redeem", "/magic-link/open"),
    ] {
        assert_eq!(t.get(from).send().await.expect(303).header("location"), to);
        let page = t.get(to).send().await.expect(200);
        assert!(page.text.contains("id=\"token\"") && page.text.contains("autocomplete=\"one-time-code\""));
        assert!(page.text.contains("<script src=\"/account/files/link-"));
    }
    let reply = send(&t, "/forgot-password", &[("email", &alice.email)]).send().await.expect(303);
    assert_eq!(reply.header("location"), "/check-mail?sent=reset");
    let stranger = send(&t, "/forgot-password", &[("email", "nobody@example.com")]).send().await.expect(303);
    assert_eq!(stranger.header("location"), reply.header("location"), "known and unknown alike");
    let reset = token(&t, &mails).await;
    let refused = send(&t, "/reset-password", &[("token", &reset), ("new_password", "12345678")])
        .send()
        .await
        .expect(422);
    assert!(
        refused.text.contains("easy to guess") && refused.text.contains(&reset),
        "the link is good still"
    );
    // Without a script somebody pastes all of it.
    let pasted = format!(" {ISSUER}/auth/password/reset#token={reset} ");
    let reply =
        send(&t, "/reset-password", &[("token", &pasted), ("new_password", NEW)]).send().await.expect(303);
    assert_eq!(reply.header("location"), "/sign-in?done=password_set");
    assert!(reply.headers.get("set-cookie").is_none(), "nobody is signed in");
    let reply = send(&t, "/reset-password", &[("token", &reset), ("new_password", PASSWORD)])
        .send()
        .await
        .expect(400);
    assert!(reply.text.contains("This link does not work any more"));

    let reply = send(&t, "/magic-link", &[("email", &alice.email)]).send().await.expect(303);
    let browser = cookie(&reply, "__Host-wardgate_magic_link");
    let link = token(&t, &mails).await;
    send(&t, "/magic-link/open", &[("token", &link)]).send().await.expect(400);
    let reply =
        send(&t, "/magic-link/open", &[("token", &link)]).header("cookie", &browser).send().await.expect(303);
    let session = cookie(&reply, COOKIE);
    assert_eq!(cookie(&reply, "__Host-wardgate_magic_link"), "__Host-wardgate_magic_link=");
    t.get("/account").header("cookie", &session).send().await.expect(200);
}

#[tokio::test]
async fn whoever_confirms_another_address_signs_in_first_and_comes_back_to_the_link() {
    // S-129
    let (t, mails) = site().await;
    let (alice, bob) = (t.user("alice").registered().await, t.user("bob").registered().await);
    let browser = sign_in(&t, &alice.email, PASSWORD).await;
    let change = send(&t, "/account/email", &[("email", "alice@example.org")]);
    change.header("cookie", &browser).send().await.expect(303);
    let link = token(&t, &mails).await;
    let confirm = || send(&t, "/verify-email", &[("token", &link)]);
    let first = confirm().send().await.expect(401);
    assert!(first.text.contains("Please sign in first; the link stays as it is."));
    assert!(first.text.contains("href=\"/sign-in?next=%2Fverify%2Demail\""), "{}", first.text);
    // What the script keeps, and without one what is typed, is the link still.
    assert!(first.text.contains("data-keep=\"wardgate-address\"") && first.text.contains(&link));
    assert!(t.get("/verify-email").send().await.expect(200).text.contains("data-keep=\"wardgate-address\""));
    let other = sign_in(&t, &bob.email, PASSWORD).await;
    let wrong = confirm().header("cookie", &other).send().await.expect(403);
    assert!(wrong.text.contains("This link is for another account"));
    let done = confirm().header("cookie", &browser).send().await.expect(303);
    assert_eq!(done.header("location"), "/account?done=address_confirmed");
    // What is over is kept no longer.
    let over = confirm().send().await.expect(400);
    assert!(!over.text.contains("data-keep"));
}

#[tokio::test]
async fn registration_goes_where_the_mode_says() {
    let verified = |builder: wardgate::Builder| {
        builder.pages(Branding::default()).registration(wardgate::RegistrationMode::Verified)
    };
    let (t, mails) = TestGate::with_mail(verified).await;
    let pairs = [("email", "ada@example.com"), ("password", PASSWORD)];
    for _ in 0..2 {
        // S-013: the same whether or not the address is taken.
        let reply = send(&t, "/register", &pairs).send().await.expect(303);
        assert_eq!(reply.header("location"), "/check-mail?sent=registration");
        assert!(reply.headers.get("set-cookie").is_none());
    }
    send(&t, "/sign-in", &pairs).send().await.expect(401);
    t.gate.tend().await.unwrap();
    let first = mails.take().into_iter().next().unwrap().text;
    let verify = first.split("#token=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let reply = send(&t, "/verify-email", &[("token", &verify)]).send().await.expect(303);
    assert_eq!(reply.header("location"), "/sign-in?done=address_confirmed");
    sign_in(&t, "ada@example.com", PASSWORD).await;

    let t = TestGate::with(|builder| builder.pages(Branding::default())).await;
    let reply = send(&t, "/register", &pairs).send().await.expect(303);
    let cookie = cookie(&reply, COOKIE);
    t.get("/account").header("cookie", &cookie).send().await.expect(200);
    let taken = send(&t, "/register", &pairs).send().await.expect(409);
    assert!(taken.text.contains("id=\"email-fault\""));
    let page = t.get("/sign-in").send().await.expect(200);
    assert!(
        !page.text.contains("/magic-link") && !page.text.contains("/forgot-password"),
        "there is no mail"
    );

    let closed = |builder: wardgate::Builder| {
        builder.pages(Branding::default()).registration(wardgate::RegistrationMode::Closed)
    };
    let t = TestGate::with(closed).await;
    let page = t.get("/register").send().await.expect(200);
    assert!(page.text.contains("by invitation only") && !page.text.contains("<form"));
    assert!(!t.get("/sign-in").send().await.expect(200).text.contains("href=\"/register"));
    send(&t, "/register", &pairs).send().await.expect(403);
}

#[tokio::test]
async fn signing_out_and_leaving_are_the_end() {
    let (t, _) = site().await;
    let alice = t.user("alice").registered().await;
    let first = sign_in(&t, &alice.email, PASSWORD).await;
    let reply = send(&t, "/sign-out", &[]).header("cookie", &first).send().await.expect(303);
    assert_eq!(cookie(&reply, COOKIE), format!("{COOKIE}="));
    t.get("/account").header("cookie", &first).send().await.expect(303);
    let second = sign_in(&t, &alice.email, PASSWORD).await;
    t.advance(Duration::from_secs(15 * 60));
    let wrong = [("email", "bob@example.com"), ("confirm_password", PASSWORD)];
    let reply = send(&t, "/account/delete", &wrong).header("cookie", &second).send().await.expect(422);
    let third = cookie(&reply, COOKIE);
    let right = [("email", "ALICE@example.com ")];
    let reply = send(&t, "/account/delete", &right).header("cookie", &third).send().await.expect(303);
    assert_eq!(cookie(&reply, COOKIE), format!("{COOKIE}="));
    assert!(t.gate.users().find_by_email(wardgate::TenantId::DEFAULT, &alice.email).await.unwrap().is_none());
    let root = t.user("root").role(BuiltinRole::Superadmin).registered().await;
    let cookie = sign_in(&t, &root.email, PASSWORD).await;
    let reply = send(&t, "/account/delete", &[("email", &root.email)])
        .header("cookie", &cookie)
        .send()
        .await
        .expect(409);
    assert!(reply.text.contains("You are the last superadmin."));
}

#[tokio::test]
async fn an_invitation_is_accepted_and_an_organization_left() {
    let (t, mails) = site().await;
    let owner = t.user("owner").signed_in().await;
    let org = owner
        .post("/auth/orgs")
        .json(&json!({ "slug": "x1", "name": "Engines" }))
        .send()
        .await
        .expect(201)
        .str("id");
    let alice = t.user("alice").registered().await;
    let invite = json!({ "email": alice.email, "role": "member" });
    let invitations = format!("/auth/orgs/{org}/invitations");
    owner.post(&invitations).json(&invite).send().await.expect(201);
    let token = token(&t, &mails).await;
    let mailed = t.get("/auth/invitations/accept").send().await.expect(303);
    assert_eq!(mailed.header("location"), "/account/invitation");
    // Whoever has to sign in first comes back, and the script keeps the token for as long.
    let page = t.get("/account/invitation").send().await.expect(200);
    assert!(page.text.contains("/sign-in?next=%2Faccount%2Finvitation") && !page.text.contains("<form"));
    assert!(page.text.contains("data-keep=") && page.text.contains("<script src=\"/account/files/link-"));
    let cookie = sign_in(&t, &alice.email, PASSWORD).await;
    let post = |path: &str, pairs: &[(&str, &str)]| send(&t, path, pairs).header("cookie", &cookie).send();
    post("/account/invitation", &[("token", "wgi_x")]).await.expect(400);
    post("/account/invitation", &[("token", &token)]).await.expect(303);
    post(&format!("/account/organizations/{org}/switch"), &[]).await.expect(303);
    let page = t.get("/account/organizations").header("cookie", &cookie).send().await.expect(200);
    assert!(page.text.contains("Engines") && page.text.contains("/account/organizations/none"));
    let session = t.get("/auth/session").header("cookie", &cookie).send().await.expect(200);
    assert_eq!(session.body["org"]["id"], org);
    post("/account/organizations/none", &[]).await.expect(303);
    post(&format!("/account/organizations/{org}/leave"), &[]).await.expect(303);
    let cookie = sign_in(&t, &owner.email, PASSWORD).await;
    let leave = send(&t, &format!("/account/organizations/{org}/leave"), &[]).header("cookie", &cookie);
    assert!(leave.send().await.expect(409).text.contains("You are the only owner."));
}

#[tokio::test]
async fn each_tenant_has_its_own_pages_and_looks() {
    // S-102, S-103
    let branding = Branding {
        name: "Example & Co".to_owned(),
        logo_url: Some("https://cdn.example.com/logo;x.png?v=1".to_owned()),
        accent: Some("#ffee00".parse().unwrap()),
    };
    let (t, mails) = TestGate::with_mail(|builder| builder.pages(branding)).await;
    let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    let acme = root
        .post("/admin/tenants")
        .json(&json!({ "slug": "acme", "name": "Acme <b>" }))
        .send()
        .await
        .expect(201)
        .str("id");
    let looks = json!({ "accent_color": "#1D4FC4" });
    root.request("PATCH", &format!("/admin/tenants/{acme}")).json(&looks).send().await.expect(200);
    let page = t.get("/sign-in").send().await.expect(200);
    assert!(
        page.text.contains("alt=\"Example &#38; Co\"") && page.text.contains("accent-ffee00.css"),
        "{}",
        page.text
    );
    assert!(
        page.header("content-security-policy").contains("; img-src https://cdn.example.com/logo%3Bx.png;")
    );
    let sheet = t.get("/account/files/accent-ffee00.css").send().await.expect(200);
    assert!(sheet.text.starts_with(":root{--accent:#"), "{}", sheet.text);
    let theirs = t.get("/t/acme/sign-in").send().await.expect(200);
    assert!(theirs.text.contains("<bdi>Acme &#60;b&#62;</bdi>") && theirs.text.contains("accent-1d4fc4.css"));
    assert!(
        !theirs.text.contains("Example") && !theirs.header("content-security-policy").contains("img-src")
    );
    assert!(theirs.text.contains("action=\"/t/acme/sign-in\""));
    for page in Wardgate::page_endpoints() {
        let reply = t
            .request(page.method.as_str(), &format!("/t/acme{}", concrete(page.path)))
            .header("origin", ISSUER)
            .send()
            .await;
        let location = reply.header("location");
        assert!(location.is_empty() || location.starts_with("/t/acme/"), "{}: {location}", page.path);
        let links = reply.text.split("href=\"").skip(1).chain(reply.text.split("action=\"").skip(1));
        for link in links {
            assert!(link.starts_with("/t/acme/"), "{}: {}", page.path, &link[..30]);
        }
    }
    // Their people are not ours, nor is their cookie.
    let pairs = [("email", "ada@example.com"), ("password", PASSWORD)];
    let reply = send(&t, "/t/acme/register", &pairs).send().await.expect(303);
    assert_eq!(reply.header("location"), "/t/acme/account");
    let cookie = cookie(&reply, "__Host-wardgate_session_acme");
    t.get("/t/acme/account").header("cookie", &cookie).send().await.expect(200);
    let renamed = cookie.replace("_acme=", "=");
    t.get("/account").header("cookie", &renamed).send().await.expect(303);
    send(&t, "/sign-in", &pairs).send().await.expect(401);
    let link = token(&t, &mails).await;
    send(&t, "/verify-email", &[("token", &link)]).send().await.expect(400);
    let reply = send(&t, "/t/acme/verify-email", &[("token", &link)]).send().await.expect(303);
    assert_eq!(reply.header("location"), "/t/acme/sign-in?done=address_confirmed");
    root.post(&format!("/admin/tenants/{acme}/suspend")).send().await.expect(204);
    t.get("/t/acme/sign-in").send().await.refused(403, "tenant_suspended");
    let ask = |path: &str| t.get(path).header("accept", "text/html,*/*;q=0.8").send();
    let page = ask("/t/acme/sign-in").await.expect(403);
    assert!(
        page.text.contains("This service is suspended.") && !page.text.contains("/sign-in"),
        "{}",
        page.text
    );
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
    ask("/t/nobody/sign-in").await.refused(404, "not_found");
}

#[tokio::test]
async fn a_browser_goes_on_to_allowed_origins_only() {
    // S-054
    let web =
        WebSettings { session_origins: vec!["https://app.example.org".to_owned()], ..WebSettings::default() };
    let t = TestGate::with(|builder| builder.pages(Branding::default()).web(web)).await;
    let alice = t.user("alice").registered().await;
    let page = t.get("/sign-in").send().await.expect(200);
    assert!(page.header("content-security-policy").contains("form-action 'self' https://app.example.org;"));
    let pairs = [("email", alice.email.as_str()), ("password", PASSWORD)];
    let reply = send(&t, "/sign-in?next=https%3A%2F%2Fapp.example.org%2Fx", &pairs).send().await.expect(303);
    assert_eq!(reply.header("location"), "https://app.example.org/x");
}

#[tokio::test]
async fn without_the_switch_there_are_no_pages() {
    let t = TestGate::new().await;
    for page in Wardgate::page_endpoints() {
        let reply = t.request(page.method.as_str(), &concrete(page.path)).send().await;
        assert!([404, 405].contains(&reply.status.as_u16()), "{}", page.path);
    }
    t.get("/account/files/accent-1d4fc4.css").send().await.refused(404, "not_found");
    let nowhere =
        TestGate::try_settings(|builder| builder.mailer(Arc::new(RecordingMailer::default()))).await;
    let faults = nowhere.unwrap_err().to_string();
    for url in ["verify", "reset", "magic_link", "invitation", "organization"] {
        assert!(faults.contains(&format!("link_urls.{url}: mails need a page to lead to")), "{faults}");
    }
}

#[tokio::test]
async fn limits_are_told_in_words() {
    // S-113
    let t = TestGate::with(|builder| {
        builder.pages(Branding::default()).rate_limits(wardgate::RateLimits::default())
    })
    .await;
    let pairs = [("email", "ada@example.com"), ("password", "wrong")];
    for _ in 0..10 {
        send(&t, "/sign-in", &pairs).from("203.0.113.7").send().await.expect(401);
    }
    let reply = send(&t, "/sign-in", &pairs).from("203.0.113.7").send().await.expect(429);
    assert!(
        reply.text.contains("That was a little often.") && !reply.header("retry-after").is_empty(),
        "{}",
        reply.text
    );
    assert!(reply.text.contains("value=\"ada@example.com\""));
}

#[cfg(feature = "federation")]
#[tokio::test]
async fn other_providers_are_offered_and_their_refusals_are_told_in_words() {
    // S-132: a label is an administrator's words.
    use crate::support::upstream::{Trip, federated};
    let label = "<b>Corp</b> & \"Sons\"";
    let (t, upstream) = federated(|builder, upstream| {
        let settings = upstream.settings("corp", wardgate::Preset::Oidc);
        builder
            .pages(Branding::default())
            .provider(wardgate::ProviderSettings { label: label.to_owned(), ..settings })
    })
    .await;
    for (page, way) in [
        ("/sign-in", "/auth/login/corp?next=%2Faccount"),
        ("/sign-in?next=%2Faccount%2Fsessions", "/auth/login/corp?next=%2Faccount%2Fsessions"),
        ("/sign-in?next=%2F%2Fevil.example", "/auth/login/corp?next=%2Faccount"),
    ] {
        let reply = t.get(page).send().await.expect(200);
        assert!(reply.text.contains(&format!("href=\"{way}\"")), "{page}: {}", reply.text);
        assert!(reply.text.contains("Corp") && !reply.text.contains("<b>"), "{}", reply.text);
    }
    let wrong =
        send(&t, "/sign-in", &[("email", "a@example.com"), ("password", "x")]).send().await.expect(401);
    assert!(wrong.text.contains("/auth/login/corp?next="));

    let trip = Trip::begin(&t, "/auth/login/corp?next=%2Faccount").await;
    let arrived = trip.back(&upstream.authorize(&trip.location)).await.expect(303);
    assert_eq!(arrived.header("location"), "/account");
    let signed_in = cookie(&arrived, COOKIE);
    t.get("/account").header("cookie", &signed_in).send().await.expect(200);

    // What was used already is told in words to people, and to programs as before.
    let again = "/auth/callback/corp?state=x&code=y";
    let reply = t.get(again).header("accept", "text/html,*/*;q=0.8").send().await.expect(400);
    assert!(
        reply.text.contains("This sign-in is over") && reply.text.contains("href=\"/sign-in\""),
        "{}",
        reply.text
    );
    assert_eq!(reply.header("x-frame-options"), "DENY");
    assert_eq!(reply.header("cache-control"), "no-store");
    t.get(again).send().await.refused(400, "invalid_state");
    t.get("/auth/me").header("accept", "text/html").send().await.refused(401, "missing_credential");
    let unknown =
        t.get("/auth/login/nobody?next=%2F").header("accept", "text/html").header("accept-language", "de");
    assert!(unknown.send().await.expect(404).text.contains("Das gibt es nicht"));
}

#[cfg(feature = "federation")]
#[tokio::test]
async fn a_service_is_linked_and_removed_on_its_page() {
    // S-069, S-102, S-120
    use crate::support::upstream::{Trip, federated};
    let (t, upstream) = federated(|builder, upstream| {
        let settings = upstream.settings("corp", wardgate::Preset::Oidc);
        builder
            .pages(Branding::default())
            .provider(wardgate::ProviderSettings { label: "Corp & \"Sons\"".to_owned(), ..settings })
    })
    .await;
    let ada = t.user("ada").registered().await;
    let cookie = sign_in(&t, &ada.email, PASSWORD).await;
    let page = async || t.get("/account/providers").header("cookie", &cookie).send().await.expect(200).text;
    let nothing_linked = "You have linked no other service.";
    assert!(page().await.contains(nothing_linked));
    assert!(page().await.contains("action=\"/account/providers/corp/link\""));
    send(&t, "/account/providers/nobody/link", &[]).header("cookie", &cookie).send().await.expect(404);

    let going =
        send(&t, "/account/providers/corp/link", &[]).header("cookie", &cookie).send().await.expect(200);
    let location = going.header("refresh").strip_prefix("0;url=").unwrap().to_owned();
    assert!(location.starts_with(&format!("{}/authorize?", upstream.issuer())), "{location}");
    // Without a refresh there is a link, escaped.
    assert!(going.text.contains(&format!("href=\"{}\"", location.replace('&', "&#38;"))), "{}", going.text);
    let trip = Trip::begun(&t, "/auth/login/corp", &going, location.clone());
    let back = trip.back(&upstream.authorize(&location)).await.expect(303);
    assert_eq!(back.header("location"), "/account/providers?done=provider_linked");
    let listed = page().await;
    assert!(listed.contains("Corp &#38; &#34;Sons&#34;") && !listed.contains(nothing_linked), "{listed}");
    let id = listed.split("/account/providers/idn_").nth(1);
    let id = id.and_then(|rest| rest.split('/').next()).map(|id| format!("idn_{id}"));
    let unlink = format!("/account/providers/{}/unlink", id.unwrap_or_else(|| panic!("{listed}")));

    // Another's is not there.
    let bob = t.user("bob").registered().await;
    let other = sign_in(&t, &bob.email, PASSWORD).await;
    send(&t, &unlink, &[]).header("cookie", &other).send().await.expect(404);
    let gone = send(&t, &unlink, &[]).header("cookie", &cookie).send().await.expect(303);
    assert_eq!(gone.header("location"), "/account/providers?done=provider_unlinked");
    assert!(page().await.contains(nothing_linked));
}

#[cfg(feature = "federation")]
#[tokio::test]
async fn whoever_has_no_password_shows_through_their_provider_that_it_is_them() {
    // S-120, S-123
    use crate::support::upstream::{Trip, federated};
    let (t, upstream) = federated(|builder, upstream| {
        builder
            .pages(Branding::default())
            .provider(upstream.settings("corp", wardgate::Preset::Oidc))
            .provider(upstream.settings("other", wardgate::Preset::GitHub))
    })
    .await;
    upstream.is().claims["auth_time"] = serde_json::json!(t.now().as_seconds() - 24 * 60 * 60);
    let trip = Trip::begin(&t, "/auth/login/corp?next=%2Faccount").await;
    let arrived = trip.back(&upstream.authorize(&trip.location)).await.expect(303);
    let signed_in = cookie(&arrived, COOKIE);
    let make = async |cookie: &str| {
        send(&t, "/account/api-keys", &[("name", "ci"), ("days", "30")]).header("cookie", cookie).send().await
    };
    let asked = make(&signed_in).await.expect(403);
    let way = "/auth/login/corp?next=%2Faccount%2Fapi%2Dkeys&#38;fresh=true";
    assert!(asked.text.contains(&format!("href=\"{way}\"")), "{}", asked.text);
    assert!(!asked.text.contains("/auth/login/other"), "only what is linked leads back: {}", asked.text);
    let wrong = [("name", "ci"), ("days", "30"), ("confirm_password", "wrong")];
    let wrong = send(&t, "/account/api-keys", &wrong).header("cookie", &signed_in).send().await.expect(403);
    assert!(wrong.text.contains(way), "{}", wrong.text);

    let trip = Trip::begin(&t, &way.replace("&#38;", "&")).await;
    let html = async |trip: &Trip<'_>| {
        let query = crate::support::upstream::query(&upstream.authorize(&trip.location));
        let request = t.get(&format!("/auth/callback/corp?{query}")).header("accept", "text/html");
        request.header("cookie", format!("{}; {signed_in}", trip.cookie)).send().await
    };
    let stale = html(&trip).await.expect(403);
    assert!(stale.text.contains("did not ask you anew"), "{}", stale.text);
    upstream.is().claims["auth_time"] = serde_json::json!(t.now().as_seconds());
    let trip = Trip::begin(&t, &way.replace("&#38;", "&")).await;
    let arrived = html(&trip).await.expect(303);
    assert_eq!(arrived.header("location"), "/account/api-keys");
    make(&cookie(&arrived, COOKIE)).await.expect(200);
}
