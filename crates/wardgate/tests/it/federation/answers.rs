//! What a provider, or somebody between, could send: refused, and nobody is signed in or made.

use serde_json::json;
use wardgate::{Algorithm, Preset, TenantId};
use wardgate_store::testing::count_rows;
use wardgate_store::{Sql, StoreError, params, sql};

use super::{gate, recorded, sign_in, with, without};
use crate::support::upstream::{Signed, Trip, federated, query_of};
use crate::support::{TestGate, upstream::Upstream};

async fn nobody_was_made(t: &TestGate) {
    assert!(t.gate.users().find_by_email(TenantId::DEFAULT, "ada@example.com").await.unwrap().is_none());
}

async fn flows(t: &TestGate) -> i64 {
    count_rows(t.scratch().db(), "upstream_flows", TenantId::DEFAULT.into()).await.unwrap()
}

/// As many as that many strangers would have begun.
async fn fill(t: &TestGate, count: u64) {
    const FLOW: Sql = sql!(
        "INSERT INTO upstream_flows (tenant_id, digest, browser, provider, expires_at) VALUES ($1, $2, $2, 'op', $3)"
    );
    let ends_at = t.now().plus(std::time::Duration::from_secs(600)).as_millis();
    for batch in (0..count).collect::<Vec<_>>().chunks(500) {
        let written = t.scratch().db().write(TenantId::DEFAULT.into(), batch.to_vec(), move |tx, batch| {
            Box::pin(async move {
                for number in batch {
                    let digest = [&[0; 24][..], &number.to_be_bytes()].concat();
                    tx.exec(FLOW, &params![digest, ends_at]).await?;
                }
                Ok::<_, StoreError>(())
            })
        });
        written.await.unwrap();
    }
}

#[tokio::test]
async fn state_is_this_browsers_and_good_once() {
    // S-067
    let (t, upstream) = gate(false).await;
    let trip = Trip::begin(&t, "/auth/login/op").await;
    let stranger = Trip::begin(&t, "/auth/login/op").await;
    let callback = upstream.authorize(&trip.location);
    let refused = async |with, cookie: &str| {
        trip.back_to("op", &with, cookie).await.refused(400, "invalid_state");
    };
    // Another browser, none, one that holds something else, and one that holds the value under another name.
    refused(callback.clone(), &stranger.cookie).await;
    refused(callback.clone(), "").await;
    refused(callback.clone(), "__Host-wardgate_upstream=wgu_x").await;
    refused(callback.clone(), &trip.cookie.replace("__Host-", "")).await;
    refused(callback.clone(), &format!("{}; {}", trip.cookie, trip.cookie)).await;
    // Another state, a broken one, none.
    refused(with(&callback, "state", &query_of(&stranger.location)["state"]), &trip.cookie).await;
    refused(with(&callback, "state", "wgf_x"), &trip.cookie).await;
    refused(with(&callback, "state", "' OR 1=1 --"), &trip.cookie).await;
    refused(without(&callback, "state"), &trip.cookie).await;
    let doubled = format!("{0}&{0}", crate::support::upstream::query(&callback));
    let path = format!("/auth/callback/op?{doubled}");
    t.get(&path).header("cookie", &trip.cookie).send().await.refused(400, "invalid_state");
    t.get("/auth/callback/op").header("cookie", &trip.cookie).send().await.refused(400, "invalid_state");
    nobody_was_made(&t).await;
    // None of that has used it up; coming back does, and once.
    assert_eq!(upstream.asked("token"), 0);
    trip.back(&callback).await.expect(200);
    trip.back(&callback).await.refused(400, "invalid_state");
    trip.back(&with(&callback, "code", "code-2")).await.refused(400, "invalid_state");
    assert_eq!(upstream.asked("token"), 1);
}

#[tokio::test]
async fn a_sign_in_under_way_ends_after_ten_minutes() {
    let (t, upstream) = gate(false).await;
    let (late, punctual) = (Trip::begin(&t, "/auth/login/op").await, Trip::begin(&t, "/auth/login/op").await);
    t.advance(std::time::Duration::from_secs(10 * 60 - 1));
    punctual.back(&upstream.authorize(&punctual.location)).await.expect(200);
    t.advance(std::time::Duration::from_secs(1));
    late.back(&upstream.authorize(&late.location)).await.refused(400, "invalid_state");
    t.gate.maintain().await.unwrap();
    assert_eq!(flows(&t).await, 0);
}

#[tokio::test]
async fn two_providers_cannot_be_mixed_up() {
    // S-071
    let (t, upstream) = federated(|builder, upstream| {
        builder
            .provider(upstream.settings("op", Preset::Oidc))
            .provider(upstream.settings("other", Preset::Oidc))
            .provider(upstream.settings("hub", Preset::GitHub))
    })
    .await;
    let trip = Trip::begin(&t, "/auth/login/op").await;
    let callback = upstream.authorize(&trip.location);
    trip.back_to("other", &callback, &trip.cookie).await.refused(400, "invalid_state");
    assert_eq!(upstream.asked("token"), 0);
    trip.back(&with(&callback, "iss", "https://evil.example")).await.refused(400, "invalid_state");
    assert_eq!(upstream.asked("token"), 0);

    let trip = Trip::begin(&t, "/auth/login/op").await;
    let callback = with(&upstream.authorize(&trip.location), "iss", &upstream.issuer());
    trip.back(&callback).await.expect(200);

    let trip = Trip::begin(&t, "/auth/login/hub").await;
    let callback = upstream.authorize(&trip.location);
    trip.back(&with(&callback, "iss", &upstream.issuer())).await.refused(400, "invalid_state");
    assert_ne!(
        query_of(&Trip::begin(&t, "/auth/login/op").await.location)["redirect_uri"],
        query_of(&Trip::begin(&t, "/auth/login/other").await.location)["redirect_uri"]
    );
}

#[tokio::test]
async fn who_says_that_it_names_itself_has_to() {
    // S-071: RFC 9207 section 2.4
    let (t, upstream) = gate(false).await;
    upstream.is().metadata = json!({ "authorization_response_iss_parameter_supported": true });
    sign_in(&t, &upstream).await.refused(400, "invalid_state");
    let trip = Trip::begin(&t, "/auth/login/op").await;
    trip.back(&with(&upstream.authorize(&trip.location), "iss", &upstream.issuer())).await.expect(200);
}

#[tokio::test]
async fn an_id_token_that_is_not_for_this_sign_in_is_refused() {
    // S-069
    let (t, upstream) = gate(false).await;
    let now = t.now().as_seconds();
    for claims in [
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "aud": "another-client" }),
        json!({ "aud": ["wardgate-client", "another-client"] }),
        json!({ "azp": "another-client" }),
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": format!("{}/", upstream.issuer()) }),
        json!({ "exp": now - 60 }),
        json!({ "exp": null }),
        json!({ "exp": "soon" }),
        json!({ "iat": now + 61 }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": 7 }),
        json!({ "at_hash": "77QmUPtjPfzWtF2AnpK9RQ" }),
    ] {
        upstream.is().claims = claims.clone();
        let refused = sign_in(&t, &upstream).await;
        assert_eq!(refused.body["code"], "upstream_failed", "{claims}: {refused:?}");
        assert_eq!(refused.status, 502);
        assert!(refused.headers.get("set-cookie").is_none(), "{claims}");
    }
    nobody_was_made(&t).await;
    let log = recorded(&t).await;
    let refused = ("session.signed_in".to_owned(), "refused".to_owned());
    assert_eq!(log.iter().filter(|record| **record == refused).count(), 15);
}

#[tokio::test]
async fn an_id_token_that_its_provider_did_not_sign_is_refused() {
    // S-069, S-021, S-022, S-023
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let (t, upstream) = gate(false).await;
        upstream.is().algorithm = algorithm;
        for signed in [Signed::ByNobody, Signed::WithThePublicKey, Signed::ByAnother, Signed::ByUnknown] {
            upstream.is().signed = signed;
            let refused = sign_in(&t, &upstream).await;
            assert_eq!(refused.body["code"], "upstream_failed", "{algorithm:?} {signed:?}: {refused:?}");
        }
        nobody_was_made(&t).await;
        upstream.is().signed = Signed::Properly;
        sign_in(&t, &upstream).await.expect(200);
    }
}

#[tokio::test]
async fn an_access_token_is_no_id_token() {
    // S-025, S-069: one of our own, and one of the provider's for somebody else.
    let (t, upstream) = gate(false).await;
    let alice = t.user("alice").signed_in().await;
    upstream.is().token_answer =
        Some((200, json!({ "access_token": "a", "id_token": alice.access }).to_string()));
    sign_in(&t, &upstream).await.refused(502, "upstream_failed");
}

#[tokio::test]
async fn unknown_keys_are_asked_for_once_in_a_while() {
    // S-033
    let (t, upstream) = gate(false).await;
    sign_in(&t, &upstream).await.expect(200);
    assert_eq!(upstream.asked("jwks"), 1);
    upstream.is().signed = Signed::ByUnknown;
    t.advance(std::time::Duration::from_secs(10));
    for _ in 0..5 {
        sign_in(&t, &upstream).await.refused(502, "upstream_failed");
    }
    assert_eq!(upstream.asked("jwks"), 2);
    // What is withdrawn is good for an hour at most.
    upstream.is().signed = Signed::Properly;
    sign_in(&t, &upstream).await.expect(200);
    upstream.is().no_keys = true;
    t.advance(std::time::Duration::from_secs(60 * 60));
    sign_in(&t, &upstream).await.refused(502, "upstream_failed");
}

#[tokio::test]
async fn a_provider_that_is_broken_makes_no_user() {
    // S-075
    let (t, upstream) = gate(false).await;
    let mebibyte = format!("\"{}\"", "x".repeat(1024 * 1024));
    for (status, body) in [
        (400, json!({ "error": "invalid_grant" }).to_string()),
        (500, String::new()),
        (503, "<html>".to_owned()),
        (302, String::new()),
        (200, String::new()),
        (200, "{".to_owned()),
        (200, "[]".to_owned()),
        (200, "{}".to_owned()),
        (200, json!({ "access_token": "a" }).to_string()),
        (200, json!({ "access_token": "a", "id_token": "" }).to_string()),
        (200, json!({ "access_token": "a", "id_token": "a.b.c" }).to_string()),
        (200, json!({ "access_token": "a", "id_token": 5 }).to_string()),
        (200, json!({ "error": "bad_verification_code" }).to_string()),
        (200, mebibyte),
    ] {
        upstream.is().token_answer = Some((status, body.clone()));
        let refused = sign_in(&t, &upstream).await;
        let start = &body[..body.len().min(60)];
        assert_eq!(refused.status, 502, "{status} {start}");
        assert_eq!(refused.body["code"], "upstream_failed");
        assert!(
            !refused.text.contains("invalid_grant") && !refused.text.contains("127.0.0.1"),
            "{}",
            refused.text
        );
    }
    nobody_was_made(&t).await;
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_given_up() {
    // S-075
    let (t, upstream) = gate(false).await;
    upstream.is().hangs = true;
    sign_in(&t, &upstream).await.refused(502, "upstream_failed");
    assert_eq!(upstream.asked("token"), 1);
    nobody_was_made(&t).await;
}

#[tokio::test]
async fn a_discovery_document_of_another_is_refused() {
    // S-074
    let (t, upstream) = gate(false).await;
    let refused = async |metadata: serde_json::Value| {
        upstream.is().metadata = metadata.clone();
        // What fails is not asked again at once.
        t.advance(std::time::Duration::from_secs(10));
        let reply = t.get("/auth/login/op").send().await;
        assert_eq!(reply.body["code"], "upstream_failed", "{metadata}: {reply:?}");
    };
    refused(json!({ "issuer": format!("{}/", upstream.issuer()) })).await;
    refused(json!({ "issuer": upstream.issuer().replace("http", "https") })).await;
    refused(json!({ "issuer": "https://evil.example" })).await;
    refused(json!({ "issuer": null })).await;
    // S-073: addresses that nothing is sent to, and nobody.
    for endpoint in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"] {
        for address in [
            "http://op.example.com/x",
            "https://10.0.0.1/x",
            "https://[::1]/x",
            "https://169.254.169.254/latest",
            "https://0xa000001/x",
            "https://user@op.example.com/x",
            "javascript:alert(1)",
            "",
        ] {
            refused(json!({ endpoint: address })).await;
        }
    }
    refused(json!({ "authorization_endpoint": format!("{}/a#b", upstream.issuer()) })).await;
    let asked = upstream.asked("metadata");
    t.get("/auth/login/op").send().await.refused(502, "upstream_failed");
    assert_eq!(upstream.asked("metadata"), asked);
    assert_eq!(flows(&t).await, 0);
}

#[tokio::test]
async fn a_discovery_document_leads_to_no_other_host_inside() {
    // S-073
    let (t, upstream) = federated(|builder, upstream| {
        let inside = ["127.0.0.1", "LOCALHOST"].map(str::to_owned);
        builder.internal_hosts(inside.to_vec()).provider(upstream.settings("op", Preset::Oidc))
    })
    .await;
    let elsewhere = upstream.issuer().replace("127.0.0.1", "localhost");
    for endpoint in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"] {
        for address in
            [format!("{elsewhere}/x"), "https://localhost/x".to_owned(), "http://127.0.0.1:9/x".to_owned()]
        {
            upstream.is().metadata = json!({ endpoint: address });
            t.advance(std::time::Duration::from_secs(10));
            t.get("/auth/login/op").send().await.refused(502, "upstream_failed");
        }
    }
    upstream.is().metadata = json!({});
    t.advance(std::time::Duration::from_secs(10));
    sign_in(&t, &upstream).await.expect(200);
}

#[tokio::test]
async fn nobody_inside_is_asked_unless_the_operator_says_so() {
    // S-073
    let clock = std::sync::Arc::new(wardgate::ManualClock::at(crate::support::upstream::START));
    let upstream = Upstream::new(clock).await;
    let settings = upstream.settings("op", Preset::Oidc);
    let t = TestGate::with(|builder| builder.provider(settings)).await;
    t.get("/auth/login/op").send().await.refused(502, "upstream_failed");
    assert_eq!(upstream.asked("metadata"), 0);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    // S-073
    let (t, upstream) = gate(false).await;
    upstream.is().metadata = json!({ "jwks_uri": format!("{}/moved", upstream.issuer()) });
    sign_in(&t, &upstream).await.refused(502, "upstream_failed");
    assert_eq!(upstream.asked("jwks"), 0);
}

#[tokio::test]
async fn userinfo_is_asked_for_an_address_and_about_the_same_user() {
    // S-074
    let (t, upstream) = gate(true).await;
    upstream.is().claims = json!({});
    upstream.is().userinfo = json!({ "sub": "another", "email": "ada@example.com", "email_verified": true });
    sign_in(&t, &upstream).await.refused(502, "upstream_failed");
    upstream.is().userinfo = json!({ "email": "ada@example.com", "email_verified": true });
    sign_in(&t, &upstream).await.refused(502, "upstream_failed");
    nobody_was_made(&t).await;
    upstream.is().userinfo =
        json!({ "sub": "248289761001", "email": "ada@example.com", "email_verified": "true", "name": "Ada" });
    let signed_in = sign_in(&t, &upstream).await.expect(200);
    let ada = super::me(&t, &signed_in).await;
    assert_eq!((&ada["email_verified"], &ada["name"]), (&json!(true), &json!("Ada")));
    assert_eq!(upstream.asked("userinfo"), 3);
}

#[tokio::test]
async fn an_error_of_the_provider_ends_the_sign_in() {
    let (t, upstream) = gate(false).await;
    for (error, status, code) in [
        ("access_denied", 403, "upstream_denied"),
        ("login_required", 403, "upstream_denied"),
        ("server_error", 502, "upstream_failed"),
        ("<script>", 502, "upstream_failed"),
    ] {
        let trip = Trip::begin(&t, "/auth/login/op").await;
        let mut callback = without(&upstream.authorize(&trip.location), "code");
        callback.insert("error".to_owned(), error.to_owned());
        let refused = trip.back(&callback).await.refused(status, code);
        assert!(!refused.text.contains("script"));
        // It is over.
        trip.back(&upstream.authorize(&trip.location)).await.refused(400, "invalid_state");
    }
    // Without a state it is nobody's error.
    t.get("/auth/callback/op?error=access_denied").send().await.refused(400, "invalid_state");
    assert_eq!(upstream.asked("token"), 0);
}

#[tokio::test]
async fn a_client_proves_itself_as_the_provider_wants_it() {
    let (t, upstream) = gate(false).await;
    sign_in(&t, &upstream).await.expect(200);
    assert!(upstream.is().authorization.starts_with("Basic "));
    assert!(!upstream.is().form.contains_key("client_secret"));
    upstream.is().metadata = json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] });
    t.advance(std::time::Duration::from_secs(60 * 60));
    sign_in(&t, &upstream).await.expect(200);
    assert_eq!(upstream.is().authorization, "");
    assert_eq!(upstream.is().form["client_id"], "wardgate-client");
}

#[tokio::test]
async fn what_is_known_of_a_provider_outlives_its_absence() {
    let (t, upstream) = gate(false).await;
    sign_in(&t, &upstream).await.expect(200);
    upstream.is().metadata = json!({ "issuer": null });
    t.advance(std::time::Duration::from_secs(60 * 60));
    let trip = Trip::begin(&t, "/auth/login/op").await;
    trip.back(&upstream.authorize(&trip.location)).await.expect(200);
}

#[tokio::test]
async fn how_many_are_under_way_is_bounded() {
    let (t, upstream) = gate(false).await;
    let first = Trip::begin(&t, "/auth/login/op").await;
    t.tick();
    let last = Trip::begin(&t, "/auth/login/op").await;
    t.tick();
    // Ten thousand more.
    fill(&t, 9_999).await;
    t.tick();
    Trip::begin(&t, "/auth/login/op").await;
    assert_eq!(flows(&t).await, 10_000);
    first.back(&upstream.authorize(&first.location)).await.refused(400, "invalid_state");
    last.back(&upstream.authorize(&last.location)).await.refused(400, "invalid_state");
}

#[tokio::test]
async fn beginning_and_guessing_are_limited() {
    // S-115
    let (t, upstream) = federated(|builder, upstream| {
        builder.provider(upstream.settings("op", Preset::Oidc)).rate_limits(wardgate::RateLimits::default())
    })
    .await;
    for _ in 0..30 {
        t.get("/auth/login/op").from("192.0.2.1").send().await.expect(303);
    }
    t.get("/auth/login/op").from("192.0.2.1").send().await.refused(429, "rate_limited");
    t.get("/auth/login/op").from("192.0.2.2").send().await.expect(303);
    for _ in 0..300 {
        t.get("/auth/callback/op?state=x&code=y")
            .from("192.0.2.3")
            .send()
            .await
            .refused(400, "invalid_state");
    }
    t.get("/auth/callback/op?state=x&code=y").from("192.0.2.3").send().await.refused(429, "rate_limited");
    assert_eq!(upstream.asked("token"), 0);
}
