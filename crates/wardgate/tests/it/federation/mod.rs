//! Signing in through other providers, against one that does as it is told.

mod admin;
mod answers;
mod browsers;
mod fresh;
mod linking;
mod presets;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wardgate::{
    BoxFuture, Preset, ProviderSettings, ProviderView, Redirection, Returned, UpstreamError,
    UpstreamIdentity, UpstreamProvider,
};

use crate::support::upstream::{Trip, Upstream, federated};
use crate::support::{Reply, TestGate};

/// A gate with the provider `op`, which is trusted with the accounts of its users' addresses, or is not.
async fn gate(trusted: bool) -> (TestGate, Upstream) {
    federated(|builder, upstream| {
        builder.provider(ProviderSettings {
            label: "Our own".to_owned(),
            links_verified_email: trusted,
            ..upstream.settings("op", Preset::Oidc)
        })
    })
    .await
}

/// There and back, for tokens.
async fn sign_in(t: &TestGate, upstream: &Upstream) -> Reply {
    let trip = Trip::begin(t, "/auth/login/op").await;
    trip.back(&upstream.authorize(&trip.location)).await
}

async fn me(t: &TestGate, signed_in: &Reply) -> Value {
    t.get("/auth/me").bearer(&signed_in.str("access_token")).send().await.expect(200).body
}

/// The actions in the audit log, oldest first, with how each ended.
async fn recorded(t: &TestGate) -> Vec<(String, String)> {
    let events = t.gate.audit().newest(50).await.unwrap();
    events.into_iter().map(|event| (event.action, event.outcome)).collect()
}

fn with(callback: &BTreeMap<String, String>, name: &str, value: &str) -> BTreeMap<String, String> {
    let mut changed = callback.clone();
    changed.insert(name.to_owned(), value.to_owned());
    changed
}

fn without(callback: &BTreeMap<String, String>, name: &str) -> BTreeMap<String, String> {
    let mut changed = callback.clone();
    changed.remove(name);
    changed
}

#[tokio::test]
async fn a_stranger_gets_an_account_and_comes_back_to_it() {
    // S-070
    let (t, upstream) = gate(false).await;
    let listed = t.get("/auth/providers").send().await.expect(200);
    assert_eq!(listed.body, json!({ "items": [{ "name": "op", "label": "Our own" }], "next_cursor": null }));

    let trip = Trip::begin(&t, "/auth/login/op").await;
    let asked = crate::support::upstream::query_of(&trip.location);
    assert!(
        trip.location.starts_with(&format!("{}/authorize?tenant=1&", upstream.issuer())),
        "{}",
        trip.location
    );
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["redirect_uri"], "https://auth.example.com/auth/callback/op");
    assert_eq!(asked["scope"], "openid email profile");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert!(asked["state"].len() > 43 && asked["nonce"].len() == 43 && asked["code_challenge"].len() == 43);
    // Each is drawn anew.
    let other = crate::support::upstream::query_of(&Trip::begin(&t, "/auth/login/op").await.location);
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(asked[name], other[name]);
    }

    let tokens = trip.back(&upstream.authorize(&trip.location)).await.expect(200);
    assert_eq!(tokens.header("cache-control"), "no-store");
    let ada = me(&t, &tokens).await;
    assert_eq!(
        (&ada["email"], &ada["email_verified"], &ada["name"]),
        (&json!("ada@example.com"), &json!(false), &json!("Ada"))
    );
    assert_eq!(ada["roles"], json!(["user"]));
    // Whatever the provider calls her now, she is who she was.
    upstream.is().claims = json!({ "email": "other@example.com", "email_verified": true, "name": "Other" });
    t.tick();
    let again = me(&t, &sign_in(&t, &upstream).await.expect(200)).await;
    assert_eq!(ada, again);
    let log = recorded(&t).await;
    let times = |action: &str| log.iter().filter(|(known, _)| known == action).count();
    let actions = ["user.registered", "identity.linked", "session.signed_in"];
    assert_eq!(actions.map(times), [1, 1, 2], "{log:?}");
    // It is asked for its document and its keys once.
    assert_eq!((upstream.asked("metadata"), upstream.asked("jwks"), upstream.asked("token")), (1, 1, 2));
    // No token of the provider's is kept, and no secret of ours.
    let dump = format!("{:?}", t.gate.audit().newest(50).await.unwrap());
    assert!(!dump.contains("access-token-of-the-provider") && !dump.contains("s3cret"));
}

#[tokio::test]
async fn what_a_provider_may_be_asked_by_is_checked_when_a_gate_is_built() {
    let built = async |settings: ProviderSettings| {
        TestGate::try_settings(|builder| builder.provider(settings))
            .await
            .map(drop)
            .map_err(|e| e.to_string())
    };
    let good = || ProviderSettings::new("google", Preset::Google, "client").secret("secret");
    assert_eq!(built(good()).await, Ok(()));
    let refused = built(ProviderSettings { client_secret: None, ..good() }).await.unwrap_err();
    assert_eq!(refused, "provider google: client_secret is needed for this preset");
    let twice = TestGate::try_settings(|builder| builder.provider(good()).provider(good())).await;
    assert!(twice.unwrap_err().to_string().contains("there are two of this name"));
    let mut apple = ProviderSettings::new("apple", Preset::Apple, "client").secret("no key");
    (apple.team_id, apple.key_id) = (Some("T".to_owned()), Some("K".to_owned()));
    assert!(built(apple).await.unwrap_err().contains("no P-256 private key"));
}

/// A provider that knows one person.
struct Friend;

impl UpstreamProvider for Friend {
    fn redirect<'a>(&'a self, with: Redirection<'a>) -> BoxFuture<'a, Result<String, UpstreamError>> {
        Box::pin(async move { Ok(format!("https://friend.example/?state={}", with.state)) })
    }

    fn identify<'a>(&'a self, back: Returned<'a>) -> BoxFuture<'a, Result<UpstreamIdentity, UpstreamError>> {
        Box::pin(async move {
            assert_eq!(back.redirect_uri, "https://auth.example.com/auth/callback/friend");
            Ok(UpstreamIdentity {
                issuer: "https://friend.example".to_owned(),
                subject: back.code.to_owned(),
                email: Some("ada@example.com".to_owned()),
                email_verified: true,
                name: None,
                authenticated_at: None,
            })
        })
    }
}

#[tokio::test]
async fn a_provider_of_ones_own_is_asked_like_the_others() {
    let shown = ProviderView { name: "friend".to_owned(), label: "A friend".to_owned() };
    let t = TestGate::with(|builder| builder.custom_provider(shown, std::sync::Arc::new(Friend))).await;
    let trip = Trip::begin(&t, "/auth/login/friend").await;
    let state = crate::support::upstream::query_of(&trip.location)["state"].clone();
    let callback = BTreeMap::from([("state".to_owned(), state), ("code".to_owned(), "7".to_owned())]);
    let signed_in = trip.back(&callback).await.expect(200);
    let listed = t.get("/auth/identities").bearer(&signed_in.str("access_token")).send().await.expect(200);
    let link = &listed.body["items"][0];
    assert_eq!((&link["issuer"], &link["subject"]), (&json!("https://friend.example"), &json!("7")));
}
