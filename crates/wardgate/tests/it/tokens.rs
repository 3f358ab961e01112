//! Access tokens: what is in them, and every forgery that must not pass.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::{Value, json};
use wardgate::{Algorithm, SeededRng, TenantId};
use wardgate_crypto::{SigningKey, jwt};
use wardgate_store::{Sql, params, sql};
use wardgate_verify::{KeySet, Policy, Verifier};

use crate::support::{ISSUER, Persona, TestGate};

impl TestGate {
    /// The payload of a token, unverified.
    pub fn claims(&self, token: &str) -> Value {
        serde_json::from_slice(&B64.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
    }

    /// The server's own signing key: what an attacker never has, and forgeries of claims need.
    pub async fn signing_key(&self) -> SigningKey {
        const FIND: Sql = sql!(
            "SELECT tenant_id, kid, algorithm, sealed_secret FROM signing_keys WHERE tenant_id = $1 ORDER BY activates_at DESC LIMIT 1"
        );
        let find = self.gate.database().lookup(TenantId::DEFAULT.into(), (), |tx, ()| {
            Box::pin(async move { tx.one::<(String, String, Vec<u8>)>(FIND, &params![]).await })
        });
        let (kid, algorithm, sealed) = find.await.unwrap();
        let context = format!("{}/{kid}", TenantId::DEFAULT);
        let secret = Self::master_key().open("wardgate signing key", context.as_bytes(), &sealed).unwrap();
        match algorithm.parse().unwrap() {
            Algorithm::Hs256 => SigningKey::hs256(kid, &secret).unwrap(),
            algorithm => SigningKey::from_secret_bytes(algorithm, &secret).unwrap(),
        }
    }
}

fn encode(header: &Value, payload: &Value) -> String {
    format!("{}.{}", B64.encode(header.to_string()), B64.encode(payload.to_string()))
}

fn signed(key: &SigningKey, header: &Value, payload: &str) -> String {
    let input = format!("{}.{}", B64.encode(header.to_string()), B64.encode(payload));
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", B64.encode(signature))
}

async fn refused(t: &TestGate, what: &str, token: &str) {
    let reply = t.get("/auth/me").bearer(token).send().await;
    assert_eq!(
        (reply.status.as_u16(), reply.body["code"].as_str()),
        (401, Some("invalid_credential")),
        "{what}: {reply:?}"
    );
    assert_eq!(reply.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{what}");
}

async fn parts(t: &TestGate, alice: &Persona<'_>) -> (SigningKey, Value, Value) {
    let key = t.signing_key().await;
    let header = json!({ "alg": key.algorithm().as_str(), "typ": "at+jwt", "kid": key.kid() });
    (key, header, t.claims(&alice.access))
}

#[tokio::test]
async fn an_access_token_says_what_rfc_9068_asks_for() {
    // S-034, S-025
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let header: Value =
        serde_json::from_slice(&B64.decode(alice.access.split('.').next().unwrap()).unwrap()).unwrap();
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
    let claims = t.claims(&alice.access);
    assert_eq!(claims["iss"], "https://auth.example.com");
    assert_eq!(claims["aud"], "https://auth.example.com");
    assert_eq!(claims["sub"], alice.id.to_string());
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    assert_eq!(
        (&claims["client_id"], &claims["roles"], &claims["tenant"]),
        (&json!("first-party"), &json!(["user"]), &json!("default"))
    );
    assert!(
        claims["jti"].as_str().unwrap().starts_with("jti_")
            && claims["sid"].as_str().unwrap().starts_with("ses_")
    );
    assert_eq!(claims.get("scope"), None);
    // S-156
    assert!(!claims.to_string().contains("alice"));
}

#[tokio::test]
async fn no_token_without_our_signature_passes() {
    // S-021, S-022, S-023, S-029
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let (key, header, payload) = parts(&t, &alice).await;
    for alg in ["none", "None", "nOnE", "NONE", ""] {
        let mut header = header.clone();
        header["alg"] = json!(alg);
        refused(&t, alg, &format!("{}.", encode(&header, &payload))).await;
    }
    refused(&t, "empty signature", &format!("{}.", encode(&header, &payload))).await;
    let jwk = serde_json::to_string(&key.public_jwk().unwrap()).unwrap();
    let raw = B64.decode(serde_json::from_str::<Value>(&jwk).unwrap()["x"].as_str().unwrap()).unwrap();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        base64::engine::general_purpose::STANDARD.encode(&raw)
    );
    for secret in [
        jwk.clone().into_bytes(),
        raw.clone(),
        pem.clone().into_bytes(),
        pem.trim_end().to_owned().into_bytes(),
    ] {
        let hmac = SigningKey::hs256(key.kid(), &secret).unwrap();
        let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": key.kid() });
        refused(&t, "HS256 with the public key", &signed(&hmac, &header, &payload.to_string())).await;
    }
    let stranger = SigningKey::generate(Algorithm::EdDsa, &SeededRng::new(99)).unwrap();
    refused(&t, "another key under our kid", &signed(&stranger, &header, &payload.to_string())).await;
    let own = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": stranger.kid(), "jwk": stranger.public_jwk().unwrap() });
    refused(&t, "a key in the header", &signed(&stranger, &own, &payload.to_string())).await;

    let good = signed(&key, &header, &payload.to_string());
    t.get("/auth/me").bearer(&good).send().await.expect(200);
    refused(&t, "padding", &format!("{good}=")).await;
    refused(&t, "five segments", &format!("{good}.x.y")).await;
    refused(&t, "two segments", good.rsplit_once('.').unwrap().0).await;
    refused(&t, "9 KiB", &format!("{good}{}", "A".repeat(9 * 1024))).await;
    refused(&t, "a million dots", &".".repeat(10_000)).await;
    for index in (0..good.len()).step_by(7) {
        let mut flipped = good.clone().into_bytes();
        flipped[index] = if flipped[index] == b'A' { b'B' } else { b'A' };
        refused(&t, "a flip", std::str::from_utf8(&flipped).unwrap()).await;
    }
}

#[tokio::test]
async fn headers_that_ask_for_more_are_refused() {
    // S-024, S-029, S-033, S-037
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let (key, header, payload) = parts(&t, &alice).await;
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("x5u", json!("http://127.0.0.1:1/keys")),
        ("x5c", json!(["AAAA"])),
        ("zip", json!("DEF")),
        ("typ", json!("JWT")),
        ("typ", json!("id+jwt")),
        ("alg", json!("ES256")),
        ("kid", json!("../../etc/passwd")),
        ("kid", json!("' OR 1=1 --")),
        ("kid", json!("\u{0}")),
        ("kid", json!("k".repeat(5000))),
        ("kid", json!("A".repeat(43))),
        ("kid", json!(5)),
    ] {
        let mut header = header.clone();
        header[name] = value.clone();
        refused(&t, &format!("{name}: {value}"), &signed(&key, &header, &payload.to_string())).await;
    }
    let mut without = header.clone();
    without.as_object_mut().unwrap().remove("kid");
    refused(&t, "no kid", &signed(&key, &without, &payload.to_string())).await;
}

#[tokio::test]
async fn claims_that_are_missing_wrong_or_anothers_are_refused() {
    // S-025 to S-028
    let t = TestGate::new().await;
    let (alice, bob) = (t.user("alice").signed_in().await, t.user("bob").signed_in().await);
    let (key, header, payload) = parts(&t, &alice).await;
    for name in ["iss", "aud", "exp", "sub", "iat", "jti", "sid"] {
        let mut payload = payload.clone();
        payload.as_object_mut().unwrap().remove(name);
        refused(&t, &format!("no {name}"), &signed(&key, &header, &payload.to_string())).await;
    }
    let now = t.now().as_seconds();
    for (name, value) in [
        ("exp", json!("9999999999")),
        ("exp", json!(9_999_999_999.5)),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("exp", json!(now - 61)),
        ("nbf", json!("0")),
        ("nbf", json!(now + 61)),
        ("iat", json!(now + 61)),
        ("aud", json!(5)),
        ("aud", json!("https://auth.example.com/")),
        ("aud", json!("https://auth.example.co")),
        ("iss", json!("https://auth.example.com.evil.org")),
        ("iss", json!("HTTPS://auth.example.com")),
        ("sub", json!(bob.id.to_string())),
        ("sub", json!("usr_00000000000070008000000000000000")),
        ("sub", json!("alice@example.com")),
        ("sid", json!("ses_00000000000070008000000000000000")),
        ("sid", json!("nonsense")),
    ] {
        let mut payload = payload.clone();
        payload[name] = value.clone();
        refused(&t, &format!("{name}: {value}"), &signed(&key, &header, &payload.to_string())).await;
    }
    let huge = payload.to_string().replacen(&format!("\"exp\":{}", payload["exp"]), "\"exp\":1e400", 1);
    assert!(huge.contains("1e400"));
    refused(&t, "exp: 1e400", &signed(&key, &header, &huge)).await;
    let doubled = format!("{{\"sub\":\"{}\",{}", bob.id, &payload.to_string()[1..]);
    refused(&t, "sub twice", &signed(&key, &header, &doubled)).await;
    // From a token only its subject and session are believed: roles and tenant are the store's.
    let mut boastful = payload.clone();
    boastful["roles"] = json!(["superadmin"]);
    boastful["tenant"] = json!("other");
    let me = t.get("/auth/me").bearer(&signed(&key, &header, &boastful.to_string())).send().await.expect(200);
    assert_eq!((&me.body["roles"], &me.body["tenant"]), (&json!(["user"]), &json!("default")));
}

#[tokio::test]
async fn a_token_ends_on_time_with_a_minute_of_skew() {
    // S-027
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    t.advance(Duration::from_secs(900 + 59));
    alice.me().await.expect(200);
    t.advance(Duration::from_secs(2));
    alice.me().await.refused(401, "invalid_credential");
}

#[tokio::test]
async fn another_gates_token_is_refused() {
    // S-028
    let (t, other) =
        (TestGate::new().await, TestGate::with(|b| b.rng(std::sync::Arc::new(SeededRng::new(50)))).await);
    let stranger = other.user("alice").signed_in().await;
    t.user("alice").signed_in().await;
    refused(&t, "another database's key", &stranger.access).await;
    let elsewhere = t.beside(|b| b.issuer("https://other.example.com")).await;
    let alice = t.user("bob").signed_in().await;
    refused(&elsewhere, "another issuer on the same keys", &alice.access).await;
}

#[tokio::test]
async fn a_credential_stands_in_one_place() {
    // S-035, S-036
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let path = format!("/auth/me?access_token={}", alice.access);
    t.get(&path).send().await.refused(400, "ambiguous_credential");
    alice.get(&path).send().await.refused(400, "ambiguous_credential");
    alice.get("/auth/me").bearer(&alice.access).send().await.refused(400, "ambiguous_credential");
    let bare = t.get("/auth/me").send().await.refused(401, "missing_credential");
    assert_eq!(
        (bare.header("www-authenticate"), &bare.body["detail"]),
        ("Bearer", &json!("Invalid credentials"))
    );
    t.get("/auth/me").header("authorization", "Basic Og==").send().await.refused(401, "missing_credential");
    t.get("/auth/me").header("authorization", format!("bearer {}", alice.access)).send().await.expect(200);
    t.get("/auth/me").header("authorization", "Bearer").send().await.refused(401, "invalid_credential");
    t.get("/auth/me")
        .header("authorization", b"Bearer \xff\xfe".as_slice())
        .send()
        .await
        .refused(401, "invalid_credential");
    t.get("/auth/me").bearer(&alice.refresh).send().await.refused(401, "invalid_credential");
}

#[tokio::test]
async fn every_algorithm_signs_and_verifies() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let t = TestGate::with(|b| b.algorithm(algorithm)).await;
        let alice = t.user("alice").signed_in().await;
        alice.me().await.expect(200);
        let jwks = t.get("/.well-known/jwks.json").send().await.expect(200);
        assert_eq!(jwks.body["keys"][0]["alg"], algorithm.as_str());
    }
    let secret = zeroize::Zeroizing::new(vec![0x5a; 32]);
    let t = TestGate::with(|b| b.hs256_secret(secret)).await;
    let alice = t.user("alice").signed_in().await;
    alice.me().await.expect(200);
    assert_eq!(t.get("/.well-known/jwks.json").send().await.expect(200).body, json!({ "keys": [] }));
    let mine = SigningKey::hs256(t.signing_key().await.kid(), &[0x5a; 32]).unwrap();
    // Whoever holds the secret can mint, but not a session that is not there.
    let mut claims = t.claims(&alice.access);
    claims["sid"] = json!("ses_00000000000070008000000000000000");
    refused(&t, "a minted session", &jwt::encode(&mine, &claims).unwrap()).await;
}

#[tokio::test]
async fn a_revocation_is_seen_at_once_by_us_and_at_the_tokens_end_by_whoever_checks_offline() {
    // S-038
    let t = TestGate::new().await;
    let jwks = t.get("/.well-known/jwks.json").send().await.expect(200).text;
    let keys = KeySet::from_jwks(&serde_json::from_str(&jwks).unwrap()).unwrap();
    let offline = Verifier::new(Policy::new(ISSUER, ISSUER), keys);
    let alice = t.user("alice").signed_in().await;
    for path in ["/auth/me", "/auth/verify"] {
        alice.get(path).send().await.expect(200);
    }
    alice.post("/auth/logout").send().await.expect(204);
    for path in ["/auth/me", "/auth/verify"] {
        alice.get(path).send().await.refused(401, "invalid_credential");
    }
    // The life of an access token and the minute by which clocks may differ, and no longer.
    t.advance(Duration::from_secs(15 * 60 + 59));
    assert!(offline.verify(&alice.access, t.now().as_seconds()).is_ok());
    t.advance(Duration::from_secs(1));
    assert!(offline.verify(&alice.access, t.now().as_seconds()).is_err());
}
