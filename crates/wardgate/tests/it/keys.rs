//! Signing keys: published ahead, rotated, retired, sealed.

use std::time::Duration;

use serde_json::json;
use wardgate::{Actor, Algorithm, KeyState, MasterKey, SeededRng, TenantId, Wardgate};

use crate::support::TestGate;

const HOUR: Duration = Duration::from_secs(60 * 60);
const TENANT: TenantId = TenantId::DEFAULT;

async fn kids(t: &TestGate) -> Vec<String> {
    let jwks = t.get("/.well-known/jwks.json").send().await.expect(200);
    assert_eq!(jwks.header("cache-control"), "public, max-age=300");
    for key in jwks.body["keys"].as_array().unwrap() {
        // S-032
        for secret in ["d", "p", "q", "k", "dp", "dq", "qi"] {
            assert_eq!(key.get(secret), None);
        }
    }
    jwks.body["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid_of(token: &str) -> String {
    use base64::Engine as _;
    let header =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_rotation_never_gives_a_false_401() {
    // S-141
    let t = TestGate::new().await;
    let mut alice = t.user("alice").signed_in().await;
    let old = kid_of(&alice.access);
    let source = t.gate.own_source();
    let new = t.gate.keys().rotate(TENANT, Actor::CommandLine, &source).await.unwrap();
    assert_eq!(kids(&t).await.len(), 2, "published before it signs");
    alice.sign_in().await;
    assert_eq!(kid_of(&alice.access), old);
    t.advance(HOUR);
    alice.me().await.refused(401, "invalid_credential");
    alice.sign_in().await;
    assert_eq!(kid_of(&alice.access), new);
    let last_of_old = {
        t.gate.maintain().await.unwrap();
        kids(&t).await
    };
    assert_eq!(last_of_old.len(), 2, "kept until its last token has ended");
    t.advance(Duration::from_secs(15 * 60 + 60));
    t.gate.maintain().await.unwrap();
    assert_eq!(kids(&t).await, [new]);
}

#[tokio::test]
async fn the_server_rotates_by_itself() {
    let t = TestGate::new().await;
    let first = kids(&t).await;
    t.advance(90 * 24 * HOUR - HOUR);
    t.gate.maintain().await.unwrap();
    assert_eq!(kids(&t).await.len(), 2);
    t.gate.maintain().await.unwrap();
    assert_eq!(kids(&t).await.len(), 2, "once is enough");
    t.advance(2 * HOUR);
    t.gate.maintain().await.unwrap();
    let now = kids(&t).await;
    assert!(now.len() == 1 && now != first);
}

#[tokio::test]
async fn a_retired_key_is_refused_at_the_next_request_also_on_another_node() {
    // S-142
    let t = TestGate::new().await;
    let other = t.beside(|b| b).await;
    let mut alice = t.user("alice").signed_in().await;
    let kid = kid_of(&alice.access);
    let source = t.gate.own_source();
    t.tick();
    t.gate.keys().retire_now(TENANT, &kid, Actor::CommandLine, &source).await.unwrap();
    alice.me().await.refused(401, "invalid_credential");
    other.get("/auth/me").bearer(&alice.access).send().await.refused(401, "invalid_credential");
    // A new key took its place in the same breath, and every node signs and verifies with it.
    alice.sign_in().await;
    assert_ne!(kid_of(&alice.access), kid);
    other.get("/auth/me").bearer(&alice.access).send().await.expect(200);
    let login = json!({ "email": alice.email, "password": crate::support::PASSWORD });
    let elsewhere = other.post("/auth/login").json(&login).send().await.expect(200);
    alice.keep(&elsewhere);
    alice.me().await.expect(200);
    let missing = t.gate.keys().retire_now(TENANT, &kid, Actor::CommandLine, &source).await;
    assert!(matches!(missing, Err(wardgate::AuthError::NotFound)));
    let states: Vec<_> = t.gate.keys().list(TENANT).await.unwrap().into_iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Signing, KeyState::Retired]);
}

#[tokio::test]
async fn nodes_that_start_at_once_make_one_key_set() {
    // S-142
    let t = TestGate::new().await;
    let starts = (0..6).map(|_| t.beside(|b| b));
    let nodes = futures_util::future::join_all(starts).await;
    assert_eq!(kids(&nodes[0]).await.len(), 1);
    let source = t.gate.own_source();
    let kid = kids(&t).await.remove(0);
    t.gate.keys().retire_now(TENANT, &kid, Actor::CommandLine, &source).await.unwrap();
    futures_util::future::join_all(nodes.iter().map(|node| node.gate.maintain())).await;
    assert_eq!(kids(&t).await.len(), 1);
}

#[tokio::test]
async fn another_algorithm_takes_over_after_an_hour_and_old_tokens_stay_good() {
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let es256 = t.beside(|b| b.algorithm(Algorithm::Es256)).await;
    es256.get("/auth/me").bearer(&alice.access).send().await.expect(200);
    assert_eq!(kids(&es256).await.len(), 2);
    t.advance(HOUR);
    let bob = es256.user("bob").signed_in().await;
    let key = es256.gate.keys().list(TENANT).await.unwrap().remove(0);
    assert_eq!((key.algorithm, kid_of(&bob.access)), (Algorithm::Es256, key.kid));
}

#[tokio::test]
async fn a_changed_shared_secret_signs_at_once() {
    let secret = |byte| zeroize::Zeroizing::new(vec![byte; 32]);
    let t = TestGate::with(|b| b.hs256_secret(secret(1))).await;
    let alice = t.user("alice").signed_in().await;
    let same = t.beside(|b| b.hs256_secret(secret(1))).await;
    assert_eq!(same.gate.keys().list(TENANT).await.unwrap().len(), 1);
    t.advance(Duration::from_secs(1));
    let changed = t.beside(|b| b.hs256_secret(secret(2))).await;
    let bob = changed.user("bob").signed_in().await;
    assert_ne!(kid_of(&alice.access), kid_of(&bob.access));
    alice.me().await.expect(200);
    let source = t.gate.own_source();
    assert!(
        t.gate.keys().rotate(TENANT, Actor::CommandLine, &source).await.is_err(),
        "only the operator has it"
    );
    let short = TestGate::try_settings(|b| b.hs256_secret(zeroize::Zeroizing::new(vec![1; 31]))).await;
    assert!(short.unwrap_err().to_string().contains("32 bytes"));
}

#[tokio::test]
async fn another_master_key_does_not_start() {
    // S-139
    let t = TestGate::new().await;
    let other = MasterKey::generate(&SeededRng::new(8));
    let refused = t.try_beside(|b| b.master_key(other)).await;
    assert!(refused.unwrap_err().to_string().contains("master key"));
    assert!(t.try_beside(|b| b.stage(Some(wardgate::Stage::Development))).await.is_err());
    t.try_beside(|b| b.stage(None)).await.unwrap();
}

#[tokio::test]
async fn all_faulty_settings_are_told_at_once() {
    let built = Wardgate::builder().access_ttl(Duration::from_secs(3601)).refresh_grace(HOUR).build().await;
    let text = built.unwrap_err().to_string();
    for name in ["issuer", "database", "master_key", "access_ttl", "refresh_grace"] {
        assert!(text.contains(name), "{text}");
    }
}

#[tokio::test]
async fn an_admin_lists_rotates_and_retires_the_keys_over_http() {
    let t = TestGate::new().await;
    let boss = t.user("boss").role(wardgate::BuiltinRole::Admin).signed_in().await;
    let old = kid_of(&boss.access);
    let made = boss.post("/admin/keys/rotate").send().await.expect(201);
    assert_eq!(made.body["state"], "published");
    let listed = boss.get("/admin/keys").send().await.expect(200);
    let states: Vec<_> =
        listed.body["items"].as_array().unwrap().iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, [json!("published"), json!("signing")]);
    assert!(!listed.text.contains("secret") && !listed.text.contains("\"d\""));
    boss.post("/admin/keys/nothing/retire").send().await.refused(404, "not_found");
    boss.post(&format!("/admin/keys/{old}/retire")).send().await.expect(204);
    // The key that signed this very token is gone.
    boss.me().await.refused(401, "invalid_credential");
    boss.log_in(crate::support::PASSWORD).await.expect(200);
}
