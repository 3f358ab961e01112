//! When somebody proved to a provider who they are, and what that is worth here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wardgate::{Preset, ProviderView};

use super::{Friend, gate, recorded};
use crate::support::upstream::{Trip, Upstream, cookie_of, federated, query_of};
use crate::support::{Reply, TestGate};

const FRESH: &str = "/auth/login/op?fresh=true";

/// A request that asks for a fresh proof.
async fn needs_fresh(t: &TestGate, signed_in: &Reply) -> Reply {
    let access = signed_in.str("access_token");
    t.post("/auth/api-keys").bearer(&access).json(&json!({ "name": "k" })).send().await
}

async fn is_fresh(t: &TestGate, signed_in: &Reply) -> bool {
    let reply = needs_fresh(t, signed_in).await;
    if reply.status == 201 {
        return true;
    }
    reply.refused(403, "step_up_required");
    false
}

/// There and back by `path`; `told` is the ID token's `auth_time`.
async fn come_back(t: &TestGate, upstream: &Upstream, path: &str, told: Value) -> Reply {
    upstream.is().claims["auth_time"] = told;
    let trip = Trip::begin(t, path).await;
    trip.back(&upstream.authorize(&trip.location)).await
}

#[tokio::test]
async fn a_sign_in_is_as_fresh_as_the_provider_says() {
    // S-123
    let (t, upstream) = gate(false).await;
    let now = t.now().as_seconds();
    for (told, fresh) in [
        (json!(now), true),
        (json!(now - 899), true),
        (json!(now - 900), false),
        (json!(now - 30 * 24 * 60 * 60), false),
        (json!(0), false),
        (json!(null), false),
    ] {
        let signed_in = come_back(&t, &upstream, "/auth/login/op", told.clone()).await.expect(200);
        assert_eq!(is_fresh(&t, &signed_in).await, fresh, "{told}");
        // Whatever it is worth, they are in.
        t.get("/auth/me").bearer(&signed_in.str("access_token")).send().await.expect(200);
    }
    // A clock that is ahead makes nothing last longer.
    let ahead = come_back(&t, &upstream, "/auth/login/op", json!(now + 60)).await.expect(200);
    t.advance(Duration::from_secs(15 * 60));
    let later = json!({ "refresh_token": ahead.str("refresh_token") });
    let later = t.post("/auth/refresh").json(&later).send().await.expect(200);
    assert!(!is_fresh(&t, &later).await);
    // And what is yet to come is nothing that anybody did.
    let now = t.now().as_seconds();
    let refused = come_back(&t, &upstream, "/auth/login/op", json!(now + 61)).await;
    refused.refused(502, "upstream_failed");
}

#[tokio::test]
async fn whoever_asks_for_a_fresh_proof_gets_one_or_a_refusal() {
    // S-120, S-123
    let (t, upstream) = gate(false).await;
    // OpenID Connect Core section 3.1.2.1; nobody is bothered with it who does not ask.
    let asked = query_of(&Trip::begin(&t, FRESH).await.location);
    assert_eq!((asked["max_age"].as_str(), asked["prompt"].as_str()), ("300", "login"));
    for path in ["/auth/login/op", "/auth/login/op?fresh=false"] {
        let asked = query_of(&Trip::begin(&t, path).await.location);
        assert!(!asked.contains_key("max_age") && !asked.contains_key("prompt"), "{asked:?}");
    }
    t.get("/auth/login/op?fresh=yes").send().await.refused(422, "invalid_fields");

    let now = t.now().as_seconds();
    for (told, status, code) in [
        (json!(now - 361), 403, "upstream_stale"),
        (json!(0), 403, "upstream_stale"),
        (json!(null), 403, "upstream_stale"),
        (json!(now + 61), 502, "upstream_failed"),
    ] {
        let refused = come_back(&t, &upstream, FRESH, told).await.refused(status, code);
        assert!(cookie_of(&refused, "wardgate_session").is_empty());
    }
    let refused = ("session.signed_in".to_owned(), "refused".to_owned());
    assert_eq!(recorded(&t).await.iter().filter(|event| **event == refused).count(), 4);

    let signed_in = come_back(&t, &upstream, FRESH, json!(now - 360)).await.expect(200);
    assert!(is_fresh(&t, &signed_in).await);
    // It counts from when they proved it, and not from when they came back.
    t.advance(Duration::from_secs(9 * 60));
    assert!(!is_fresh(&t, &signed_in).await);
    // As often as it is due.
    let anew = come_back(&t, &upstream, FRESH, json!(t.now().as_seconds())).await.expect(200);
    assert!(is_fresh(&t, &anew).await);
}

#[tokio::test]
async fn what_was_asked_for_is_remembered_here_and_not_in_the_browser() {
    // S-123
    let (t, upstream) = gate(false).await;
    upstream.is().claims["auth_time"] = json!(t.now().as_seconds() - 24 * 60 * 60);
    let trip = Trip::begin(&t, FRESH).await;
    // Somebody takes the question out on the way, and the provider answers out of its old session.
    let kept = trip.location.split('&').filter(|pair| !["max_age=300", "prompt=login"].contains(pair));
    let quiet = kept.collect::<Vec<_>>().join("&");
    assert!(!query_of(&quiet).contains_key("max_age"));
    trip.back(&upstream.authorize(&quiet)).await.refused(403, "upstream_stale");
    // The way is used up.
    upstream.is().claims["auth_time"] = json!(t.now().as_seconds());
    trip.back(&upstream.authorize(&trip.location)).await.refused(400, "invalid_state");
}

#[tokio::test]
async fn a_browser_gets_a_fresh_session_in_place_of_its_old_one() {
    // S-049, S-123
    let (t, upstream) = gate(false).await;
    let first = come_back(&t, &upstream, "/auth/login/op?next=/a", json!(null)).await.expect(303);
    let old = cookie_of(&first, "wardgate_session");
    let make_key = async |cookie: &str| {
        let request = t.post("/auth/api-keys").header("cookie", cookie);
        request.header("origin", "https://auth.example.com").json(&json!({ "name": "k" })).send().await
    };
    make_key(&old).await.refused(403, "step_up_required");
    upstream.is().claims["auth_time"] = json!(t.now().as_seconds());
    let trip = Trip::begin(&t, "/auth/login/op?next=/a&fresh=true").await;
    let path =
        format!("/auth/callback/op?{}", crate::support::upstream::query(&upstream.authorize(&trip.location)));
    let both = format!("{}; {old}", trip.cookie);
    let arrived = t.get(&path).header("cookie", &both).send().await.expect(303);
    assert_eq!(arrived.header("location"), "/a");
    make_key(&cookie_of(&arrived, "wardgate_session")).await.expect(201);
    t.get("/auth/session").header("cookie", &old).send().await.expect(401);
}

#[tokio::test]
async fn providers_that_cannot_tell_are_made_to_ask_somebody() {
    // S-123: and without being asked to they prove nothing.
    for (preset, prompt) in
        [(Preset::GitHub, "select_account"), (Preset::Discord, "consent"), (Preset::Google, "select_account")]
    {
        let (t, upstream) =
            federated(|builder, upstream| builder.provider(upstream.settings("op", preset))).await;
        upstream.is().user = if preset == Preset::GitHub {
            json!({ "id": 583231, "login": "ada" })
        } else {
            json!({ "id": "80351110224678912", "username": "ada", "email": "ada@example.com", "verified": true })
        };
        upstream.is().emails = json!([{ "email": "ada@example.com", "primary": true, "verified": true }]);
        let silent = come_back(&t, &upstream, "/auth/login/op", json!(null)).await.expect(200);
        assert!(!is_fresh(&t, &silent).await, "{preset}");
        assert!(!query_of(&Trip::begin(&t, "/auth/login/op").await.location).contains_key("prompt"));
        let asked = query_of(&Trip::begin(&t, FRESH).await.location);
        assert_eq!(asked["prompt"], prompt, "{preset}");
        let shown = come_back(&t, &upstream, FRESH, json!(null)).await.expect(200);
        assert!(is_fresh(&t, &shown).await, "{preset}");
        t.advance(Duration::from_secs(15 * 60 - 1));
        let old = json!({ "refresh_token": shown.str("refresh_token") });
        let shown = t.post("/auth/refresh").json(&old).send().await.expect(200);
        assert!(is_fresh(&t, &shown).await, "{preset}");
        t.advance(Duration::from_secs(1));
        assert!(!is_fresh(&t, &shown).await, "{preset}");
    }
    // What one of them tells all the same is believed.
    let (t, upstream) =
        federated(|builder, upstream| builder.provider(upstream.settings("op", Preset::Google))).await;
    let now = t.now().as_seconds();
    come_back(&t, &upstream, FRESH, json!(now - 361)).await.refused(403, "upstream_stale");
    let told = come_back(&t, &upstream, FRESH, json!(now - 360)).await.expect(200);
    t.advance(Duration::from_secs(9 * 60));
    assert!(!is_fresh(&t, &told).await);
}

#[tokio::test]
async fn openid_providers_are_held_to_what_they_are_asked() {
    // S-123
    for preset in [Preset::Oidc, Preset::Microsoft, Preset::GitLab, Preset::Keycloak] {
        let (t, upstream) =
            federated(|builder, upstream| builder.provider(upstream.settings("op", preset))).await;
        assert_eq!(query_of(&Trip::begin(&t, FRESH).await.location)["prompt"], "login", "{preset}");
        come_back(&t, &upstream, FRESH, json!(null)).await.refused(403, "upstream_stale");
    }
    // One of one's own as well, unless it says that it cannot.
    let shown = ProviderView { name: "friend".to_owned(), label: "A friend".to_owned() };
    let t = TestGate::with(|builder| builder.custom_provider(shown, Arc::new(Friend))).await;
    for (path, status) in [("/auth/login/friend", 200), ("/auth/login/friend?fresh=true", 403)] {
        let trip = Trip::begin(&t, path).await;
        let state = query_of(&trip.location)["state"].clone();
        let callback = BTreeMap::from([("state".to_owned(), state), ("code".to_owned(), "7".to_owned())]);
        trip.back(&callback).await.expect(status);
    }
}

#[tokio::test]
async fn a_link_that_is_made_on_the_way_is_no_proof() {
    // S-120: whoever began it had to be fresh; what the provider says of then is nothing to the session.
    let (t, upstream) = gate(false).await;
    let ada = t.user("ada").signed_in().await;
    let begun = ada.post("/auth/identities").json(&json!({ "provider": "op" })).send().await.expect(200);
    let trip = Trip::begun(&t, "/auth/login/op", &begun, begun.str("location"));
    assert!(!query_of(&trip.location).contains_key("max_age"));
    t.advance(Duration::from_secs(9 * 60));
    let callback = upstream.authorize(&trip.location);
    trip.back(&callback).await.expect(200);
    t.advance(Duration::from_secs(5 * 60));
    ada.post("/auth/api-keys").json(&json!({ "name": "k" })).send().await.expect(201);
    t.advance(Duration::from_secs(60));
    let access = ada.present(&ada.refresh).await.expect(200).str("access_token");
    let keys = t.post("/auth/api-keys").bearer(&access).json(&json!({ "name": "k" }));
    keys.send().await.refused(403, "step_up_required");
}
