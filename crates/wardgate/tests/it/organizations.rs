//! Organizations: made, joined by invitation, acted in, left.

use std::time::Duration;

use serde_json::{Value, json};

use wardgate::RateLimits;

use crate::mail::token;
use crate::support::{ISSUER, Persona, Reply, Request, TestGate};

async fn make(owner: &Persona<'_>, slug: &str) -> String {
    let made = owner.post("/auth/orgs").json(&json!({ "slug": slug, "name": slug })).send().await.expect(201);
    assert_eq!(made.body["role"], "owner");
    made.str("id")
}

fn invite(by: &Persona<'_>, org: &str, email: &str, role: &str) -> Request {
    by.post(&format!("/auth/orgs/{org}/invitations")).json(&json!({ "email": email, "role": role }))
}

async fn accept(who: &Persona<'_>, token: &str) -> Reply {
    who.post("/auth/invitations/accept").json(&json!({ "token": token })).send().await
}

async fn join(by: &Persona<'_>, org: &str, who: &Persona<'_>, role: &str) {
    let token = invite(by, org, &who.email, role).send().await.expect(201).str("token");
    assert_eq!(accept(who, &token).await.expect(200).body["role"], role);
}

fn member(org: &str, who: &Persona<'_>) -> String {
    format!("/auth/orgs/{org}/members/{}", who.id)
}

#[tokio::test]
async fn an_organization_is_made_joined_changed_and_left() {
    let t = TestGate::new().await;
    let (ann, bob, cat) =
        (t.user("ann").signed_in().await, t.user("bob").signed_in().await, t.user("cat").signed_in().await);
    let org = make(&ann, "acme").await;
    let again = bob.post("/auth/orgs").json(&json!({ "slug": "acme", "name": "x" })).send().await;
    again.refused(409, "slug_taken");
    for wrong in [json!({ "slug": "A", "name": "x" }), json!({ "slug": "ab", "name": "" })] {
        ann.post("/auth/orgs").json(&wrong).send().await.refused(422, "invalid_fields");
    }
    t.tick();
    join(&ann, &org, &bob, "admin").await;
    t.tick();
    join(&bob, &org, &cat, "member").await;
    let members = cat.get(&format!("/auth/orgs/{org}/members?limit=2")).send().await.expect(200);
    let emails = |reply: &Reply| -> Vec<Value> {
        reply.body["items"].as_array().unwrap().iter().map(|member| member["email"].clone()).collect()
    };
    assert_eq!(emails(&members), ["cat@example.com", "bob@example.com"]);
    let next = format!("/auth/orgs/{org}/members?limit=2&cursor={}", members.str("next_cursor"));
    assert_eq!(emails(&cat.get(&next).send().await.expect(200)), ["ann@example.com"]);
    let path = format!("/auth/orgs/{org}");
    let rename = |by: &Persona<'_>| by.request("PATCH", &path).json(&json!({ "name": "Acme Inc." }));
    rename(&cat).send().await.refused(403, "insufficient_permissions");
    assert_eq!(rename(&bob).send().await.expect(200).body["name"], "Acme Inc.");
    assert_eq!(cat.get("/auth/orgs").send().await.expect(200).body["items"][0]["role"], "member");
    cat.post(&format!("{path}/leave")).send().await.expect(204);
    assert_eq!(cat.get("/auth/orgs").send().await.expect(200).body["items"], json!([]));
    cat.get(&path).send().await.refused(404, "not_found");
    ann.post(&format!("{path}/leave")).send().await.refused(409, "last_owner");
    bob.request("DELETE", &path).send().await.refused(403, "insufficient_permissions");
    ann.request("DELETE", &path).send().await.expect(204);
    for who in [&ann, &bob] {
        who.get(&path).send().await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn nobody_gives_more_than_they_have_or_acts_on_those_above() {
    // S-105
    let t = TestGate::new().await;
    let (ann, bob, cat) =
        (t.user("ann").signed_in().await, t.user("bob").signed_in().await, t.user("cat").signed_in().await);
    let org = make(&ann, "acme").await;
    join(&ann, &org, &bob, "admin").await;
    join(&ann, &org, &cat, "member").await;
    let give = |by: &Persona<'_>, to: &Persona<'_>, role: &str| {
        by.request("PATCH", &member(&org, to)).json(&json!({ "role": role }))
    };
    let denied = |reply: Reply| drop(reply.refused(403, "insufficient_permissions"));
    denied(give(&bob, &bob, "owner").send().await);
    denied(give(&bob, &cat, "owner").send().await);
    denied(give(&bob, &ann, "member").send().await);
    denied(give(&cat, &cat, "admin").send().await);
    denied(invite(&bob, &org, "x@example.com", "owner").send().await);
    denied(invite(&cat, &org, "x@example.com", "member").send().await);
    denied(cat.get(&format!("/auth/orgs/{org}/invitations")).send().await);
    denied(bob.request("DELETE", &member(&org, &ann)).send().await);
    denied(cat.request("DELETE", &member(&org, &bob)).send().await);
    give(&bob, &cat, "admin").send().await.expect(204);
    give(&ann, &bob, "owner").send().await.expect(204);
    // Two owners who remove each other at once leave one.
    let (ours, theirs) = (member(&org, &bob), member(&org, &ann));
    let (a, b) = tokio::join!(ann.request("DELETE", &ours).send(), bob.request("DELETE", &theirs).send());
    assert!((a.status == 204) != (b.status == 204), "{a:?} {b:?}");
    let left = if a.status == 204 { &ann } else { &bob };
    give(left, left, "member").send().await.refused(409, "last_owner");
}

#[tokio::test]
async fn for_whoever_does_not_belong_there_is_no_such_organization() {
    // S-102
    let t = TestGate::new().await;
    let (ann, eve) = (t.user("ann").signed_in().await, t.user("eve").signed_in().await);
    let org = make(&ann, "acme").await;
    let random = "org_00000000000070008000000000000000";
    let invitation = invite(&ann, &org, "x@example.com", "member").send().await.expect(201).str("id");
    for (method, tail, body) in [
        ("GET", String::new(), None),
        ("PATCH", String::new(), Some(json!({ "name": "x" }))),
        ("DELETE", String::new(), None),
        ("GET", "/members".to_owned(), None),
        ("PATCH", format!("/members/{}", ann.id), Some(json!({ "role": "member" }))),
        ("DELETE", format!("/members/{}", ann.id), None),
        ("POST", "/leave".to_owned(), None),
        ("POST", "/activate".to_owned(), None),
        ("GET", "/invitations".to_owned(), None),
        ("POST", "/invitations".to_owned(), Some(json!({ "email": "y@example.com", "role": "member" }))),
        ("DELETE", format!("/invitations/{invitation}"), None),
    ] {
        let send = async |org: &str| {
            let request = eve.request(method, &format!("/auth/orgs/{org}{tail}"));
            match &body {
                Some(body) => request.json(body).send().await,
                None => request.send().await,
            }
        };
        let (theirs, nobodys) = (send(&org).await, send(random).await);
        assert_eq!((theirs.status.as_u16(), &theirs.text), (404, &nobodys.text), "{method} {tail}");
    }
}

#[tokio::test]
async fn an_invitation_is_for_one_address_once_and_for_a_week() {
    // S-110
    let t = TestGate::new().await;
    let (ann, bob, eve) =
        (t.user("ann").signed_in().await, t.user("bob").signed_in().await, t.user("eve").signed_in().await);
    let org = make(&ann, "acme").await;
    let first = invite(&ann, &org, "BOB@example.com", "member").send().await.expect(201);
    let second = invite(&ann, &org, &bob.email, "admin").send().await.expect(201);
    let refused = |reply: Reply| {
        let reply = reply.refused(400, "invalid_token");
        assert_eq!(reply.body["detail"], "Invalid or expired token");
    };
    refused(accept(&bob, &first.str("token")).await);
    refused(accept(&eve, &second.str("token")).await);
    for wrong in ["", "wgi_x", "nonsense"] {
        refused(accept(&bob, wrong).await);
    }
    let path = format!("/auth/orgs/{org}/invitations");
    let listed = ann.get(&path).send().await.expect(200);
    assert_eq!(
        (listed.body["items"].as_array().unwrap().len(), &listed.body["items"][0]["token"]),
        (1, &Value::Null)
    );
    assert!(!listed.text.contains(&second.str("token")[4..]));
    assert_eq!(accept(&bob, &second.str("token")).await.expect(200).body["role"], "admin");
    refused(accept(&bob, &second.str("token")).await);
    // Taken back, and ended.
    let third = invite(&ann, &org, &eve.email, "member").send().await.expect(201);
    ann.request("DELETE", &format!("{path}/{}", third.str("id"))).send().await.expect(204);
    ann.request("DELETE", &format!("{path}/{}", third.str("id"))).send().await.refused(404, "not_found");
    refused(accept(&eve, &third.str("token")).await);
    let week = Duration::from_secs(7 * 24 * 60 * 60);
    let (kept, ended) = (
        invite(&ann, &org, &eve.email, "member").send().await.expect(201),
        invite(&ann, &org, "late@example.com", "member").send().await.expect(201),
    );
    t.advance(week - Duration::from_millis(1));
    let mut late = t.user("late").registered().await;
    let mut eve = eve;
    late.sign_in().await;
    eve.sign_in().await;
    accept(&eve, &kept.str("token")).await.expect(200);
    t.advance(Duration::from_millis(1));
    refused(accept(&late, &ended.str("token")).await);
}

#[tokio::test]
async fn a_session_acts_in_an_organization_until_its_user_is_removed() {
    // S-106
    let t = TestGate::new().await;
    let (ann, mut bob) = (t.user("ann").signed_in().await, t.user("bob").signed_in().await);
    let org = make(&ann, "acme").await;
    join(&ann, &org, &bob, "member").await;
    assert_eq!(bob.me().await.body["org"], Value::Null);
    bob.post(&format!("/auth/orgs/{org}/activate")).send().await.expect(204);
    assert_eq!(bob.me().await.body["org"], json!({ "id": org, "slug": "acme", "role": "member" }));
    assert_eq!(bob.get("/auth/verify").send().await.header("x-auth-org"), org);
    let claims = |token: &str| -> Value {
        use base64::Engine as _;
        let payload = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap())
            .unwrap()
    };
    assert_eq!(claims(&bob.access).get("org"), None);
    let refreshed = bob.present(&bob.refresh).await.expect(200);
    bob.keep(&refreshed);
    assert_eq!(claims(&bob.access)["org"], json!(org));
    // An API key is no session.
    let key = bob
        .post("/auth/api-keys")
        .json(&json!({ "name": "k", "scopes": ["organizations:read", "organizations:write"] }));
    let key = key.send().await.expect(201).str("key");
    let by_key = |method: &str, path: &str| t.request(method, path).header("x-api-key", &key);
    by_key("POST", &format!("/auth/orgs/{org}/activate"))
        .send()
        .await
        .refused(403, "insufficient_permissions");
    assert_eq!(by_key("GET", "/auth/orgs").send().await.expect(200).body["items"][0]["id"], json!(org));
    ann.request("DELETE", &member(&org, &bob)).send().await.expect(204);
    assert_eq!(bob.me().await.body["org"], Value::Null);
    assert!(bob.get("/auth/verify").send().await.headers.get("x-auth-org").is_none());
    let refreshed = bob.present(&bob.refresh).await.expect(200);
    assert_eq!(claims(&refreshed.str("access_token")).get("org"), None);
    ann.post(&format!("/auth/orgs/{org}/activate")).send().await.expect(204);
    ann.request("DELETE", "/auth/orgs/active").send().await.expect(204);
    assert_eq!(ann.me().await.body["org"], Value::Null);
}

#[tokio::test]
async fn a_user_makes_a_hundred_organizations_also_by_requests_at_once() {
    let t = TestGate::new().await;
    let ann = t.user("ann").signed_in().await;
    for n in 0..98 {
        make(&ann, &format!("org-{n}")).await;
    }
    let more =
        |slug: &'static str| ann.post("/auth/orgs").json(&json!({ "slug": slug, "name": slug })).send();
    let (a, b, c) = tokio::join!(more("x1"), more("x2"), more("x3"));
    assert_eq!([&a, &b, &c].iter().filter(|reply| reply.status == 201).count(), 2);
    more("x4").await.refused(409, "too_many_organizations");
}

#[tokio::test]
async fn an_invitation_is_worth_no_more_than_its_sender() {
    // S-106
    let t = TestGate::new().await;
    let (ann, bob, eve) =
        (t.user("ann").signed_in().await, t.user("bob").signed_in().await, t.user("eve").signed_in().await);
    let org = make(&ann, "acme").await;
    join(&ann, &org, &bob, "admin").await;
    let token = invite(&bob, &org, &eve.email, "admin").send().await.expect(201).str("token");
    ann.request("PATCH", &member(&org, &bob)).json(&json!({ "role": "member" })).send().await.expect(204);
    accept(&eve, &token).await.refused(400, "invalid_token");
    ann.request("PATCH", &member(&org, &bob)).json(&json!({ "role": "admin" })).send().await.expect(204);
    // An owner's invitation is not an admin's to take back or to replace.
    let owners = invite(&ann, &org, &eve.email, "owner").send().await.expect(201);
    invite(&bob, &org, &eve.email, "member").send().await.refused(403, "insufficient_permissions");
    let path = format!("/auth/orgs/{org}/invitations/{}", owners.str("id"));
    bob.request("DELETE", &path).send().await.refused(403, "insufficient_permissions");
    accept(&eve, &owners.str("token")).await.expect(200);
}

#[tokio::test]
async fn an_organization_never_loses_its_owner_with_an_account() {
    let t = TestGate::new().await;
    let (ann, bob, cat) =
        (t.user("ann").signed_in().await, t.user("bob").signed_in().await, t.user("cat").signed_in().await);
    let org = make(&ann, "acme").await;
    let alone = make(&ann, "alone").await;
    t.tick();
    join(&ann, &org, &cat, "member").await;
    t.tick();
    join(&ann, &org, &bob, "admin").await;
    ann.request("DELETE", "/auth/me").send().await.expect(204);
    assert_eq!(bob.get(&format!("/auth/orgs/{org}")).send().await.expect(200).body["role"], "owner");
    t.delete(bob.id).await.unwrap();
    assert_eq!(cat.get(&format!("/auth/orgs/{org}")).send().await.expect(200).body["role"], "owner");
    // What nobody belonged to any more is gone, and its name is free.
    assert_ne!(make(&cat, "alone").await, alone);
}

#[tokio::test]
async fn a_credential_that_leaves_organizations_out_is_no_owner() {
    let t = TestGate::new().await;
    let ann = t.user("ann").signed_in().await;
    make(&ann, "acme").await;
    let form = format!("username={}&password=correct+horse+battery+staple&scope=profile%3Aread", ann.email);
    let narrow = t.post("/auth/login").form(&form).send().await.expect(200).str("access_token");
    t.get("/auth/orgs").bearer(&narrow).send().await.refused(403, "insufficient_scope");
}

#[tokio::test]
async fn where_there_is_mail_the_invited_read_it_and_join() {
    let (t, mailer) = TestGate::with_mail(|b| b).await;
    let mail = async || {
        t.gate.tend().await.unwrap();
        let mut mails = mailer.take();
        assert_eq!(mails.len(), 1, "{mails:?}");
        mails.remove(0)
    };
    let (ann, bob) = (t.user("ann").signed_in().await, t.user("bob").signed_in().await);
    let org = make(&ann, "acme").await;
    let made = invite(&ann, &org, "Bob@example.com", "member").send().await.expect(201);
    assert_eq!(made.body.get("token"), None, "whoever invites does not read the mail");
    let first = mail().await;
    assert_eq!(first.to.as_str(), "Bob@example.com");
    assert_eq!(first.subject, "You are invited to an organization at auth.example.com");
    assert!(first.text.contains("within 7 days") && !first.text.contains("acme"), "{}", first.text);
    assert!(first.text.contains(&format!("{ISSUER}/auth/invitations/accept#token=wgi_")), "{}", first.text);

    let again = invite(&ann, &org, &bob.email, "admin").header("accept-language", "de");
    again.send().await.expect(201);
    let second = mail().await;
    assert_eq!(second.subject, "Einladung in eine Organisation bei auth.example.com");
    assert!(second.text.contains("7 Tage"), "{}", second.text);
    accept(&bob, &token(&first)).await.refused(400, "invalid_token");
    accept(&ann, &token(&second)).await.refused(400, "invalid_token");
    assert_eq!(accept(&bob, &token(&second)).await.expect(200).body["role"], "admin");
    let events = t.gate.audit().newest(200).await.unwrap();
    let sent = events.iter().find(|event| event.action == "mail.sent").unwrap();
    assert!(sent.target.as_ref().unwrap().starts_with("org_invitation inv_"), "{sent:?}");
}

#[tokio::test]
async fn an_invitation_that_is_refused_mails_nobody_and_a_mailbox_is_not_filled() {
    // S-115
    let (t, mailer) = TestGate::with_mail(|b| b.rate_limits(RateLimits::default())).await;
    let (ann, bob) = (t.user("ann").signed_in().await, t.user("bob").signed_in().await);
    let org = make(&ann, "acme").await;
    invite(&bob, &org, "x@example.com", "member").send().await.refused(404, "not_found");
    t.gate.tend().await.unwrap();
    assert_eq!(mailer.take().len(), 0);
    for _ in 0..5 {
        invite(&ann, &org, "eve@example.com", "member").send().await.expect(201);
    }
    invite(&ann, &org, "Eve@Example.com", "member").send().await.refused(429, "rate_limited");
}

#[tokio::test]
async fn in_which_organization_a_session_acts_is_written_down() {
    // S-130
    let t = TestGate::new().await;
    let (ann, eve) = (t.user("ann").signed_in().await, t.user("eve").signed_in().await);
    let org = make(&ann, "acme").await;
    let activate = format!("/auth/orgs/{org}/activate");
    ann.post(&activate).send().await.expect(204);
    t.tick();
    ann.request("DELETE", "/auth/orgs/active").send().await.expect(204);
    eve.post(&activate).send().await.refused(404, "not_found");
    let events = t.gate.audit().newest(200).await.unwrap();
    let acted: Vec<_> = events
        .iter()
        .filter(|event| event.action.ends_with("activated"))
        .map(|event| (event.action.as_str(), event.actor.clone(), event.target.clone().unwrap()))
        .collect();
    let session = t.claims(&ann.access)["sid"].as_str().unwrap().to_owned();
    let by = ann.id.to_string();
    assert_eq!(
        acted,
        [("organization.activated", by.clone(), org.clone()), ("organization.deactivated", by, session)]
    );
}
