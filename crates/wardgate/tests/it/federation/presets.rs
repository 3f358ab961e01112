//! Providers that do it their own way.

use serde_json::json;
use wardgate::{Algorithm, Preset, ProviderSettings, SeededRng};
use wardgate_crypto::SigningKey;

use super::me;
use crate::support::upstream::{Trip, federated, query_of};

#[tokio::test]
async fn github_tells_user_and_address_at_addresses_of_its_own() {
    let (t, upstream) = federated(|builder, upstream| {
        let settings = upstream.settings("github", Preset::GitHub);
        builder.provider(ProviderSettings { links_verified_email: true, ..settings })
    })
    .await;
    upstream.is().user =
        json!({ "id": 583231, "login": "octocat", "name": null, "email": "public@example.com" });
    upstream.is().emails = json!([
        { "email": "old@example.com", "primary": false, "verified": true, "visibility": null },
        { "email": "octocat@example.com", "primary": true, "verified": true, "visibility": "public" },
    ]);
    let trip = Trip::begin(&t, "/auth/login/github").await;
    let asked = query_of(&trip.location);
    assert!(trip.location.starts_with(&format!("{}/login/oauth/authorize?", upstream.issuer())));
    assert_eq!(asked["scope"], "read:user user:email");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert!(!asked.contains_key("nonce"));
    let signed_in = trip.back(&upstream.authorize(&trip.location)).await.expect(200);
    let octocat = me(&t, &signed_in).await;
    assert_eq!(
        (&octocat["email"], &octocat["email_verified"], &octocat["name"]),
        (&json!("octocat@example.com"), &json!(true), &json!("octocat"))
    );
    let again = async || {
        let trip = Trip::begin(&t, "/auth/login/github").await;
        trip.back(&upstream.authorize(&trip.location)).await
    };
    // The name may be anybody's tomorrow; the number is not.
    upstream.is().user = json!({ "id": 583231, "login": "renamed" });
    assert_eq!(me(&t, &again().await.expect(200)).await["id"], octocat["id"]);
    // It says so with 200 when a code is no good.
    upstream.is().token_answer = Some((200, json!({ "error": "bad_verification_code" }).to_string()));
    again().await.refused(502, "upstream_failed");
    upstream.is().token_answer = None;
    upstream.is().user = json!({ "login": "no number" });
    again().await.refused(502, "upstream_failed");
    upstream.is().user = json!({ "id": 7, "login": "unproven" });
    upstream.is().emails = json!([{ "email": "octocat@example.com", "primary": true, "verified": false }]);
    again().await.refused(403, "linking_refused");
    upstream.is().emails = json!([]);
    again().await.refused(403, "linking_refused");
    upstream.is().emails = json!({ "message": "Not Found" });
    again().await.refused(502, "upstream_failed");
}

#[tokio::test]
async fn discord_tells_the_user_at_an_address_of_its_own() {
    let (t, upstream) =
        federated(|builder, upstream| builder.provider(upstream.settings("discord", Preset::Discord))).await;
    upstream.is().user = json!({
        "id": "80351110224678912", "username": "nelly", "global_name": "Nelly", "email": "nelly@example.com",
        "verified": true,
    });
    let trip = Trip::begin(&t, "/auth/login/discord").await;
    assert!(trip.location.starts_with(&format!("{}/oauth2/authorize?", upstream.issuer())));
    assert_eq!(query_of(&trip.location)["scope"], "identify email");
    let mut callback = upstream.authorize(&trip.location);
    callback.insert("iss".to_owned(), upstream.issuer());
    let nelly = me(&t, &trip.back(&callback).await.expect(200)).await;
    assert_eq!((&nelly["email"], &nelly["name"]), (&json!("nelly@example.com"), &json!("Nelly")));
    for id in ["", "not a number", "1; DROP"] {
        upstream.is().user = json!({ "id": id, "username": "x" });
        let trip = Trip::begin(&t, "/auth/login/discord").await;
        trip.back(&upstream.authorize(&trip.location)).await.refused(502, "upstream_failed");
    }
}

/// A private key as Apple hands it out: PKCS#8 (RFC 5958) around a scalar (RFC 5915), in PEM.
fn p8() -> String {
    const HEAD: &[u8] = &[
        0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
        0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04,
        0x20,
    ];
    let key = SigningKey::generate(Algorithm::Es256, &SeededRng::new(5)).unwrap();
    let der = [HEAD, key.to_secret_bytes().unwrap().as_slice()].concat();
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    let (word, end) = ("PRIVATE KEY", "-----");
    format!("{end}BEGIN {word}{end}\n{}\n{}\n{end}END {word}{end}\n", &text[..64], &text[64..])
}

#[tokio::test]
async fn apple_takes_a_secret_that_is_signed_for_each_use_and_posts_a_form() {
    let key = p8();
    let (t, upstream) = federated(|builder, upstream| {
        let mut settings = upstream.settings("apple", Preset::Apple).secret(&key);
        (settings.team_id, settings.key_id) = (Some("TEAM".to_owned()), Some("KEY".to_owned()));
        builder.provider(settings)
    })
    .await;
    upstream.is().claims = json!({ "email": "x@privaterelay.appleid.com", "email_verified": "true" });
    let trip = Trip::begin(&t, "/auth/login/apple?next=/").await;
    let asked = query_of(&trip.location);
    assert_eq!(
        (asked["response_mode"].as_str(), asked["scope"].as_str()),
        ("form_post", "openid email name")
    );
    let form = crate::support::upstream::query(&upstream.authorize(&trip.location));
    let posted = t.post("/auth/callback/apple").form(&form).send().await.expect(303);
    let address = posted.header("location").strip_prefix("https://auth.example.com").unwrap().to_owned();
    t.get(&address).header("cookie", &trip.cookie).send().await.expect(303);
    let secret = upstream.is().form["client_secret"].clone();
    let claims = secret.split('.').nth(1).unwrap();
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    let now = t.now().as_seconds();
    let expected = json!({
        "iss": "TEAM", "sub": "wardgate-client", "aud": upstream.issuer(), "iat": now, "exp": now + 300,
    });
    assert_eq!(claims, expected);
    assert!(!upstream.is().form.values().any(|value| value.contains("PRIVATE")));
}

#[tokio::test]
async fn microsoft_vouches_for_an_address_by_a_claim_of_its_own() {
    for (claims, verified) in [
        (json!({ "email": "ada@example.com" }), false),
        (json!({ "email": "ada@example.com", "xms_edov": "0" }), false),
        (json!({ "email": "ada@example.com", "xms_edov": true }), true),
        (json!({ "email": "ada@example.com", "xms_edov": "1" }), true),
    ] {
        for (preset, counts) in [(Preset::Microsoft, verified), (Preset::Oidc, false)] {
            let (t, upstream) = federated(|builder, upstream| {
                let settings = upstream.settings("ms", preset);
                builder.provider(ProviderSettings { links_verified_email: true, ..settings })
            })
            .await;
            upstream.is().claims = claims.clone();
            let trip = Trip::begin(&t, "/auth/login/ms").await;
            let signed_in = trip.back(&upstream.authorize(&trip.location)).await.expect(200);
            assert_eq!(me(&t, &signed_in).await["email_verified"], counts, "{preset} {claims}");
        }
    }
}

#[tokio::test]
async fn a_public_client_has_no_secret() {
    let (t, upstream) = federated(|builder, upstream| {
        builder
            .provider(ProviderSettings { client_secret: None, ..upstream.settings("kc", Preset::Keycloak) })
    })
    .await;
    let trip = Trip::begin(&t, "/auth/login/kc").await;
    // The double takes it without a secret.
    let location = format!("{}&public=1", trip.location);
    trip.back(&upstream.authorize(&location)).await.expect(200);
    let is = upstream.is();
    assert_eq!((is.form["client_id"].as_str(), is.authorization.as_str()), ("wardgate-client", ""));
    assert!(!is.form.contains_key("client_secret"));
}
