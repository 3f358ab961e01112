//! A provider on loopback that does as it is told, right or wrong, and a browser that goes there and back.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use wardgate::{Algorithm, Builder, Preset, ProviderSettings, SeededRng};
use wardgate_crypto::{Digest, SigningKey};

pub use super::gate::START;
use super::gate::TestGate;
use super::request::Reply;

pub const CLIENT: &str = "wardgate-client";
pub const SECRET: &str = "s3cret:of/the client";

/// What signs its ID tokens, and what it says does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    Properly,
    /// `alg: none` and no signature.
    ByNobody,
    /// HS256 keyed with the public key.
    WithThePublicKey,
    /// Another key, under the id of the published one.
    ByAnother,
    /// A key that is published by nobody.
    ByUnknown,
}

/// What it does.
pub struct Behaviour {
    pub algorithm: Algorithm,
    pub signed: Signed,
    pub subject: String,
    /// Members of the claims; `null` takes one away.
    pub claims: Value,
    /// Members of the discovery document.
    pub metadata: Value,
    /// In place of what the token endpoint would answer.
    pub token_answer: Option<(u16, String)>,
    /// The token endpoint never answers.
    pub hangs: bool,
    /// What the userinfo endpoint says.
    pub userinfo: Value,
    /// What GitHub's and Discord's addresses say.
    pub user: Value,
    pub emails: Value,
    /// Whether the published keys are all withdrawn.
    pub no_keys: bool,
    /// Added to the access token as it is hashed.
    pub at_hash_of: Option<String>,
    /// How often each address was asked.
    pub asked: HashMap<String, usize>,
    /// What came in the last form of the token endpoint, and its `Authorization`.
    pub form: BTreeMap<String, String>,
    pub authorization: String,
    codes: HashMap<String, BTreeMap<String, String>>,
    next_code: u32,
}

#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    behaviour: Arc<Mutex<Behaviour>>,
    clock: Arc<dyn wardgate::Clock>,
}

impl Upstream {
    /// One whose time is that of the test.
    pub async fn new(clock: Arc<dyn wardgate::Clock>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let behaviour = Behaviour {
            algorithm: Algorithm::Es256,
            signed: Signed::Properly,
            subject: "248289761001".to_owned(),
            claims: json!({ "email": "ada@example.com", "email_verified": true, "name": "Ada" }),
            metadata: json!({}),
            token_answer: None,
            hangs: false,
            userinfo: Value::Null,
            user: Value::Null,
            emails: Value::Null,
            no_keys: false,
            at_hash_of: None,
            asked: HashMap::new(),
            form: BTreeMap::new(),
            authorization: String::new(),
            codes: HashMap::new(),
            next_code: 0,
        };
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            behaviour: Arc::new(Mutex::new(behaviour)),
            clock,
        };
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/login/oauth/access_token", post(token))
            .route("/api/oauth2/token", post(token))
            .route("/api/v3/user", get(user))
            .route("/api/users/@me", get(user))
            .route("/api/v3/user/emails", get(emails))
            .route("/moved", get(async || (StatusCode::FOUND, [("location", "/jwks")])))
            .with_state(upstream.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        upstream
    }

    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn is(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap()
    }

    pub fn settings(&self, name: &str, preset: Preset) -> ProviderSettings {
        ProviderSettings::new(name, preset, CLIENT).secret(SECRET).at(self.issuer())
    }

    /// How often an address was asked.
    pub fn asked(&self, path: &str) -> usize {
        self.is().asked.get(path).copied().unwrap_or_default()
    }

    fn note(&self, path: &str) {
        *self.is().asked.entry(path.to_owned()).or_default() += 1;
    }

    fn key(&self, seed: u64) -> SigningKey {
        SigningKey::generate(self.is().algorithm, &SeededRng::new(seed)).unwrap()
    }

    /// What somebody who signs in there comes back with: a code for the request that the address holds.
    pub fn authorize(&self, location: &str) -> BTreeMap<String, String> {
        let asked = query_of(location);
        let mut is = self.is();
        is.next_code += 1;
        let code = format!("code-{}", is.next_code);
        is.codes.insert(code.clone(), asked.clone());
        BTreeMap::from([("state".to_owned(), asked["state"].clone()), ("code".to_owned(), code)])
    }

    fn id_token(&self, asked: &BTreeMap<String, String>, access_token: &str) -> String {
        let (good, other) = (self.key(1), self.key(2));
        let is = self.is();
        let now = self.clock.now().as_seconds();
        let mut claims = json!({
            "iss": self.issuer(), "sub": is.subject, "aud": CLIENT, "exp": now + 300, "iat": now, "auth_time": now,
        });
        if let Some(nonce) = asked.get("nonce") {
            claims["nonce"] = json!(nonce);
        }
        let hashed = is.at_hash_of.as_deref().unwrap_or(access_token);
        let hash = Digest::of(hashed.as_bytes());
        claims["at_hash"] = json!(URL_SAFE_NO_PAD.encode(&hash.as_bytes()[..16]));
        if is.algorithm == Algorithm::EdDsa {
            // Of SHA-512, which is nothing this double has.
            claims.as_object_mut().unwrap().remove("at_hash");
        }
        patch(&mut claims, &is.claims);
        let mut header = json!({ "alg": is.algorithm.as_str(), "kid": good.kid(), "typ": "JWT" });
        match is.signed {
            Signed::ByNobody => header["alg"] = json!("none"),
            Signed::WithThePublicKey => header["alg"] = json!("HS256"),
            Signed::ByUnknown => header["kid"] = json!(other.kid()),
            Signed::Properly | Signed::ByAnother => {}
        }
        let input = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = match is.signed {
            Signed::ByNobody => Vec::new(),
            Signed::WithThePublicKey => {
                let public = serde_json::to_vec(&good.public_jwk().unwrap()).unwrap();
                SigningKey::hs256(good.kid(), &public).unwrap().sign(input.as_bytes()).unwrap()
            }
            Signed::Properly => good.sign(input.as_bytes()).unwrap(),
            Signed::ByAnother | Signed::ByUnknown => other.sign(input.as_bytes()).unwrap(),
        };
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn patch(value: &mut Value, with: &Value) {
    for (name, member) in with.as_object().unwrap() {
        match member {
            Value::Null => drop(value.as_object_mut().unwrap().remove(name)),
            member => value[name] = member.clone(),
        }
    }
}

async fn metadata(State(upstream): State<Upstream>) -> axum::Json<Value> {
    upstream.note("metadata");
    let base = upstream.issuer();
    let mut document = json!({
        "issuer": base, "authorization_endpoint": format!("{base}/authorize?tenant=1"),
        "token_endpoint": format!("{base}/token"), "jwks_uri": format!("{base}/jwks"),
        "userinfo_endpoint": format!("{base}/userinfo"),
    });
    patch(&mut document, &upstream.is().metadata);
    axum::Json(document)
}

async fn jwks(State(upstream): State<Upstream>) -> axum::Json<Value> {
    upstream.note("jwks");
    let key = upstream.key(1).public_jwk().unwrap();
    // Beside it one for what is no concern of ours.
    let other = json!({ "kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "n": "x", "e": "AQAB" });
    let keys = if upstream.is().no_keys { json!([other]) } else { json!([other, key]) };
    axum::Json(json!({ "keys": keys }))
}

async fn token(State(upstream): State<Upstream>, headers: HeaderMap, body: String) -> Response {
    upstream.note("token");
    if upstream.is().hangs {
        std::future::pending::<()>().await;
    }
    let form = pairs_of(&body);
    let asked = {
        let mut is = upstream.is();
        is.form.clone_from(&form);
        is.authorization =
            headers.get("authorization").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        if let Some((status, body)) = is.token_answer.clone() {
            let content = [("content-type", "application/json")];
            return (StatusCode::from_u16(status).unwrap(), content, body).into_response();
        }
        form.get("code").and_then(|code| is.codes.remove(code))
    };
    let refuse =
        |error: &str| (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": error }))).into_response();
    let Some(asked) = asked else { return refuse("invalid_grant") };
    let challenge = URL_SAFE_NO_PAD.encode(Digest::of(form["code_verifier"].as_bytes()).as_bytes());
    let basic = format!("Basic {}", STANDARD.encode("wardgate-client:s3cret%3Aof%2Fthe%20client"));
    let knows = upstream.is().authorization == basic
        || form.get("client_secret").is_some_and(|secret| secret == SECRET)
        || asked.contains_key("public");
    if form["grant_type"] != "authorization_code" || form["redirect_uri"] != asked["redirect_uri"] {
        return refuse("invalid_grant");
    }
    if asked["code_challenge_method"] != "S256" || challenge != asked["code_challenge"] {
        return refuse("invalid_grant");
    }
    // Apple's secret is another each time; its test looks at it.
    if !knows && !form.get("client_secret").is_some_and(|secret| secret.starts_with("eyJ")) {
        return refuse("invalid_client");
    }
    let access_token = "access-token-of-the-provider";
    let id_token = upstream.id_token(&asked, access_token);
    axum::Json(json!({ "access_token": access_token, "token_type": "Bearer", "id_token": id_token }))
        .into_response()
}

fn has_token(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value == "Bearer access-token-of-the-provider")
}

async fn userinfo(State(upstream): State<Upstream>, headers: HeaderMap) -> Response {
    upstream.note("userinfo");
    if !has_token(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    axum::Json(upstream.is().userinfo.clone()).into_response()
}

async fn user(State(upstream): State<Upstream>, headers: HeaderMap) -> Response {
    if !has_token(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    axum::Json(upstream.is().user.clone()).into_response()
}

async fn emails(State(upstream): State<Upstream>, headers: HeaderMap) -> Response {
    if !has_token(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    axum::Json(upstream.is().emails.clone()).into_response()
}

/// The parameters of an address.
pub fn query_of(url: &str) -> BTreeMap<String, String> {
    pairs_of(url.split_once('?').map_or("", |(_, query)| query))
}

fn pairs_of(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

pub fn query(pairs: &BTreeMap<String, String>) -> String {
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

/// A gate that knows the provider as `op`, and the provider.
pub async fn federated(settings: impl FnOnce(Builder, &Upstream) -> Builder) -> (TestGate, Upstream) {
    let clock = Arc::new(wardgate::ManualClock::at(START));
    let upstream = Upstream::new(Arc::clone(&clock) as Arc<dyn wardgate::Clock>).await;
    let t = TestGate::with_clock(Arc::clone(&clock), |builder| {
        let builder = builder.internal_hosts(vec!["127.0.0.1".to_owned()]);
        settings(builder, &upstream)
    })
    .await;
    (t, upstream)
}

/// One way to a provider, in one browser.
pub struct Trip<'t> {
    t: &'t TestGate,
    pub base: String,
    pub provider: String,
    /// Where it was sent.
    pub location: String,
    /// What it keeps.
    pub cookie: String,
}

impl<'t> Trip<'t> {
    /// Begins at `path`, such as `/auth/login/op?next=/x`.
    pub async fn begin(t: &'t TestGate, path: &str) -> Self {
        let reply = t.get(path).send().await.expect(303);
        let location = reply.header("location").to_owned();
        Self::begun(t, path, &reply, location)
    }

    pub fn begun(t: &'t TestGate, path: &str, reply: &Reply, location: String) -> Self {
        let (base, rest) = path.split_once("/auth/").unwrap();
        let provider = rest.split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
        Self { t, base: base.to_owned(), provider, location, cookie: cookie_of(reply, "wardgate_upstream") }
    }

    pub async fn back(&self, with: &BTreeMap<String, String>) -> Reply {
        self.back_to(&self.provider, with, &self.cookie).await
    }

    pub async fn back_to(&self, provider: &str, with: &BTreeMap<String, String>, cookie: &str) -> Reply {
        let path = format!("{}/auth/callback/{provider}?{}", self.base, query(with));
        self.t.get(&path).header("cookie", cookie).send().await
    }
}

/// The cookie that an answer sets, as a browser sends it back; empty if it sets none.
pub fn cookie_of(reply: &Reply, name: &str) -> String {
    let all = reply.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let found = all.map(|text| text.split(';').next().unwrap()).find(|pair| pair.contains(name));
    found.unwrap_or_default().to_owned()
}
