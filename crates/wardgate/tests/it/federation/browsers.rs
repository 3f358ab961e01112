//! Browsers: a session and on to a page, forms that are posted back, cookies.

use serde_json::json;
use wardgate::{Preset, WebSettings};

use super::gate;
use crate::support::upstream::{Trip, cookie_of, federated, query, query_of};

#[tokio::test]
async fn who_asks_for_a_page_gets_a_session_and_goes_there() {
    // S-048, S-049
    let (t, upstream) = gate(false).await;
    let begun = t.get("/auth/login/op?next=%2Faccount%3Ftab%3D1").send().await.expect(303);
    assert_eq!(
        begun.header("set-cookie").split_once("; ").unwrap().1,
        "Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax"
    );
    let trip = Trip::begun(&t, "/auth/login/op", &begun, begun.header("location").to_owned());
    assert!(trip.cookie.starts_with("__Host-wardgate_upstream=wgu_"));
    let arrived = trip.back(&upstream.authorize(&trip.location)).await.expect(303);
    assert_eq!(arrived.header("location"), "/account?tab=1");
    assert!(arrived.text.is_empty());
    let session = cookie_of(&arrived, "wardgate_session");
    let who = t.get("/auth/session").header("cookie", &session).send().await.expect(200);
    assert_eq!(who.body["email"], "ada@example.com");
    let cleared: Vec<_> = arrived.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect();
    assert!(
        cleared.contains(&"__Host-wardgate_upstream=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
    );

    // Another sign-in in the same browser takes the place of the first.
    let trip = Trip::begin(&t, "/auth/login/op?next=/").await;
    let path = format!("/auth/callback/op?{}", query(&upstream.authorize(&trip.location)));
    let both = format!("{}; {session}", trip.cookie);
    let again = t.get(&path).header("cookie", &both).send().await.expect(303);
    t.get("/auth/session").header("cookie", &session).send().await.refused(401, "invalid_credential");
    let newer = cookie_of(&again, "wardgate_session");
    assert_ne!(newer, session);
    t.get("/auth/session").header("cookie", &newer).send().await.expect(200);
}

#[tokio::test]
async fn a_planted_cookie_is_never_adopted() {
    // S-049
    let (t, upstream) = gate(false).await;
    let planted = Trip::begin(&t, "/auth/login/op").await;
    let begun = t.get("/auth/login/op").header("cookie", &planted.cookie).send().await.expect(303);
    let trip = Trip::begun(&t, "/auth/login/op", &begun, begun.header("location").to_owned());
    assert_ne!(trip.cookie, planted.cookie);
    let callback = upstream.authorize(&trip.location);
    trip.back_to("op", &callback, &planted.cookie).await.refused(400, "invalid_state");
    trip.back(&callback).await.expect(200);
}

#[tokio::test]
async fn nobody_is_sent_where_nobody_may_be_sent() {
    // S-054
    let (t, upstream) = federated(|builder, upstream| {
        builder.provider(upstream.settings("op", Preset::Oidc)).web(WebSettings {
            session_origins: vec!["https://app.example.org".to_owned()],
            ..WebSettings::default()
        })
    })
    .await;
    for (next, goes) in [
        ("%2Fhome", "/home"),
        ("https%3A%2F%2Fapp.example.org%2Fhome", "https://app.example.org/home"),
        ("%2F%2Fevil.example", "/"),
        ("%2F%5Cevil.example", "/"),
        ("https%3Aevil.example", "/"),
        ("https%3A%2F%2Fevil.example", "/"),
        ("%2F%09%2Fevil.example", "/"),
        ("%09%2Fevil.example", "/"),
        ("https%3A%2F%2Fapp.example.org%40evil.example", "/"),
        ("javascript%3Aalert(1)", "/"),
        ("%2Fa%0D%0ASet-Cookie%3A%20x%3Dy", "/"),
    ] {
        let trip = Trip::begin(&t, &format!("/auth/login/op?next={next}")).await;
        let arrived = trip.back(&upstream.authorize(&trip.location)).await.expect(303);
        assert_eq!(arrived.header("location"), goes, "{next}");
    }
    t.get("/auth/login/op?next=/a&next=//b").send().await.refused(422, "invalid_fields");
    t.get("/auth/login/op?nxt=/a").send().await.refused(422, "invalid_fields");
}

#[tokio::test]
async fn a_form_that_is_posted_back_comes_again_as_a_query() {
    let (t, upstream) = gate(false).await;
    let trip = Trip::begin(&t, "/auth/login/op?next=/home").await;
    let mut form = upstream.authorize(&trip.location);
    form.insert("user".to_owned(), "{\"name\":{\"firstName\":\"Ada\"}}".to_owned());
    // A page of another site posts it, so without cookies, which is no reason to refuse it.
    let posted = t.post("/auth/callback/op").header("origin", "https://appleid.apple.com");
    let posted = posted.header("sec-fetch-site", "cross-site").form(&query(&form)).send().await.expect(303);
    let location = posted.header("location").to_owned();
    let address = location.strip_prefix("https://auth.example.com").unwrap();
    form.remove("user");
    assert_eq!(query_of(address), form);
    assert!(posted.headers.get("set-cookie").is_none());
    t.get(address).send().await.refused(400, "invalid_state");
    let arrived = t.get(address).header("cookie", &trip.cookie).send().await.expect(303);
    assert_eq!(arrived.header("location"), "/home");

    let strange = "state=%0d%0ax%26code%3D1&error=%3Cscript%3E";
    let posted = t.post("/auth/callback/op").form(strange).send().await.expect(303);
    let expected = "https://auth.example.com/auth/callback/op?state=%0D%0Ax%26code%3D1&error=%3Cscript%3E";
    assert_eq!(posted.header("location"), expected);
    for elsewhere in ["..%2F..%2Fadmin", "op%3Fcode=x", "OP", "%0d%0a"] {
        t.post(&format!("/auth/callback/{elsewhere}")).form("state=a").send().await.refused(404, "not_found");
    }
    t.post("/auth/callback/op").form("state=a&state=b").send().await.refused(422, "invalid_fields");
    t.post("/auth/callback/op").form("state=%ff").send().await.refused(400, "malformed_body");
    t.post("/auth/callback/op")
        .json(&json!({ "state": "a" }))
        .send()
        .await
        .refused(415, "unsupported_media_type");
    t.post("/auth/callback/op").send().await.refused(415, "unsupported_media_type");
}

#[tokio::test]
async fn without_https_the_cookie_has_no_prefix() {
    let (t, upstream) = federated(|builder, upstream| {
        builder.issuer("http://auth.example.com").provider(upstream.settings("op", Preset::Oidc))
    })
    .await;
    let begun = t.get("/auth/login/op").send().await.expect(303);
    let (pair, rest) = begun.header("set-cookie").split_once("; ").unwrap();
    assert!(pair.starts_with("wardgate_upstream=wgu_"));
    assert_eq!(rest, "Path=/; Max-Age=600; HttpOnly; SameSite=Lax");
    let trip = Trip::begun(&t, "/auth/login/op", &begun, begun.header("location").to_owned());
    trip.back(&upstream.authorize(&trip.location)).await.expect(200);
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_404() {
    let (t, _) = gate(false).await;
    let boss = t.user("boss").role(wardgate::BuiltinRole::Admin).signed_in().await;
    for name in ["nothing", "OP", "op%20", "%2e%2e", "op%00"] {
        t.get(&format!("/auth/login/{name}")).send().await.refused(404, "not_found");
        t.get(&format!("/auth/callback/{name}?state=a")).send().await.refused(404, "not_found");
        boss.get(&format!("/admin/providers/{name}")).send().await.refused(404, "not_found");
        boss.request("DELETE", &format!("/admin/providers/{name}")).send().await.refused(404, "not_found");
    }
}
