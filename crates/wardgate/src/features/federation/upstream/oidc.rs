//! OpenID providers: discovery, keys, ID tokens and userinfo.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;
use wardgate_crypto::ClientSecretKey;
use wardgate_verify::id_token::{Expected, IdClaims};
use wardgate_verify::{JwkSet, KeySet, VerifyError, jws};
use zeroize::Zeroizing;

use super::super::model::{ClientSecret, Preset, ProviderSettings};
use super::client::{Client, with_query};
use super::token::{Authentication, redeem};
use crate::kernel::time::Timestamp;
use crate::ports::{
    BoxFuture, Clock, Redirection, Returned, UpstreamError, UpstreamIdentity, UpstreamProvider,
};

/// What was learnt of a provider is asked for again when it is as old as this.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// The least time between two requests for one document, whatever browsers bring: whoever invents key ids, or begins
/// without end while a provider is away, must not make this server a hammer on it (S-033).
const COOL_DOWN: Duration = Duration::from_secs(10);

/// An OpenID provider.
pub(super) struct Oidc {
    settings: ProviderSettings,
    /// Apple only.
    key: Option<ClientSecretKey>,
    client: Arc<Client>,
    clock: Arc<dyn Clock>,
    metadata: Mutex<Fetched<Arc<Metadata>>>,
    keys: Mutex<Fetched<Arc<KeySet>>>,
}

/// A document as it was last fetched.
struct Fetched<T> {
    value: Option<(T, Duration)>,
    tried_at: Option<Duration>,
}

impl<T> Default for Fetched<T> {
    fn default() -> Self {
        Self { value: None, tried_at: None }
    }
}

impl<T: Clone> Fetched<T> {
    /// The document, unless it is old.
    fn fresh(&self, now: Duration) -> Option<T> {
        let fresh = self.value.as_ref().filter(|(_, at)| now.saturating_sub(*at) < MAX_AGE);
        fresh.map(|(value, _)| value.clone())
    }

    /// Whether it may be asked for now; if so, it counts as asked for.
    fn try_now(&mut self, now: Duration) -> bool {
        let due = self.tried_at.is_none_or(|at| now.saturating_sub(at) >= COOL_DOWN);
        if due {
            self.tried_at = Some(now);
        }
        due
    }

    fn keep(&mut self, value: T, now: Duration) -> T {
        self.value = Some((value.clone(), now));
        value
    }
}

/// What a provider says of itself (OpenID Connect Discovery section 3), as far as it is used.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// What the userinfo endpoint says (OpenID Connect Core section 5.3.2).
#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    email: Option<String>,
    #[serde(default, deserialize_with = "wardgate_verify::id_token::truth")]
    email_verified: bool,
    name: Option<String>,
}

impl Oidc {
    pub(super) fn new(
        settings: ProviderSettings,
        client: Arc<Client>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, UpstreamError> {
        let secret = settings.client_secret.as_ref().map(ClientSecret::expose);
        let key =
            match (settings.preset, secret) {
                (Preset::Apple, Some(pem)) => Some(ClientSecretKey::from_pem(pem).map_err(|_| {
                    failed("client_secret is no P-256 private key in PEM, as a .p8 file holds")
                })?),
                _ => None,
            };
        Ok(Self { settings, key, client, clock, metadata: Mutex::default(), keys: Mutex::default() })
    }

    /// What the provider says of itself. Old knowledge is better than none while it cannot be asked.
    async fn metadata(&self) -> Result<Arc<Metadata>, UpstreamError> {
        let mut known = self.metadata.lock().await;
        let now = self.clock.monotonic();
        if let Some(fresh) = known.fresh(now) {
            return Ok(fresh);
        }
        let old = known.value.as_ref().map(|(value, _)| Arc::clone(value));
        if !known.try_now(now) {
            return old.ok_or_else(|| failed("it failed a moment ago and is not asked again yet"));
        }
        match (self.discover().await, old) {
            (Ok(metadata), _) => Ok(known.keep(Arc::new(metadata), now)),
            (Err(error), Some(old)) => {
                tracing::warn!(provider = self.settings.name, %error, "a provider's metadata is old and cannot be fetched");
                Ok(old)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn discover(&self) -> Result<Metadata, UpstreamError> {
        let issuer = self.settings.issuer();
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let metadata: Metadata = self.client.get("the discovery document", &url, None).await?;
        // Else whoever writes one document speaks for another's users (RFC 8414 section 3.3, S-074).
        if metadata.issuer != issuer {
            return Err(failed("the discovery document names another issuer"));
        }
        let endpoints = [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri];
        for url in endpoints.into_iter().chain(&metadata.userinfo_endpoint) {
            self.client.check_endpoint(issuer, url)?;
        }
        // What is appended to it must stay a part of the query.
        if metadata.authorization_endpoint.contains('#') {
            return Err(failed("its authorization endpoint has a fragment"));
        }
        Ok(metadata)
    }

    /// The keys, fetched anew if they are old, or if `kid` is not among them and it is time.
    async fn keys(&self, metadata: &Metadata, kid: &str) -> Result<Arc<KeySet>, UpstreamError> {
        let mut known = self.keys.lock().await;
        let now = self.clock.monotonic();
        let fresh = known.fresh(now).filter(|keys| keys.find(kid).is_some());
        if let Some(keys) = fresh {
            return Ok(keys);
        }
        if !known.try_now(now) {
            return known
                .fresh(now)
                .ok_or_else(|| failed("its keys failed a moment ago and are not asked for yet"));
        }
        let set: JwkSet = self.client.get("the key set", &metadata.jwks_uri, None).await?;
        let keys = KeySet::from_jwks(&set).map_err(|fault| failed(&format!("the key set: {fault}")))?;
        Ok(known.keep(Arc::new(keys), now))
    }

    fn authentication(&self, metadata: &Metadata) -> Result<Authentication<'_>, UpstreamError> {
        let ProviderSettings { client_id, client_secret, team_id, key_id, .. } = &self.settings;
        if let (Some(key), Some(team), Some(key_id)) = (&self.key, team_id, key_id) {
            let now = self.clock.now().as_seconds();
            let secret = key.sign(key_id, team, client_id, self.settings.issuer(), now);
            return secret.map(Authentication::Post).map_err(|error| failed(&error.to_string()));
        }
        let Some(secret) = client_secret.as_ref().map(ClientSecret::expose) else {
            return Ok(Authentication::Nothing);
        };
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
        let takes = |method: &str| methods.is_some_and(|methods| methods.iter().any(|known| known == method));
        // Where nothing is said the header is meant (OpenID Connect Discovery section 3).
        if takes("client_secret_post") && !takes("client_secret_basic") {
            Ok(Authentication::Post(Zeroizing::new(secret.to_owned())))
        } else {
            Ok(Authentication::Basic(secret))
        }
    }

    async fn claims(
        &self,
        metadata: &Metadata,
        token: &str,
        access_token: Option<&str>,
        nonce: &str,
    ) -> Result<IdClaims, UpstreamError> {
        let refused = |fault: VerifyError| failed(&format!("the ID token: {fault}"));
        let unverified = jws::parse_id_token(token).map_err(refused)?;
        let keys = self.keys(metadata, unverified.kid()).await?;
        let key = keys.find(unverified.kid()).ok_or_else(|| refused(VerifyError::UnknownKey))?;
        let expected = Expected {
            issuer: self.settings.issuer(),
            client_id: &self.settings.client_id,
            nonce,
            access_token,
        };
        expected.judge(&unverified, key, self.clock.now().as_seconds()).map_err(refused)
    }

    /// Who it is, with an address from where the provider keeps it.
    async fn complete(
        &self,
        metadata: &Metadata,
        claims: IdClaims,
        access_token: Option<&str>,
    ) -> Result<UpstreamIdentity, UpstreamError> {
        let vouched = self.settings.preset == Preset::Microsoft && claims.xms_edov;
        let mut identity = UpstreamIdentity {
            issuer: claims.iss,
            subject: claims.sub,
            email_verified: claims.email_verified || vouched,
            email: claims.email,
            name: claims.name,
            authenticated_at: claims.auth_time.map(|at| Timestamp::from_millis(at.saturating_mul(1000))),
        };
        let (None, Some(endpoint), Some(token)) =
            (&identity.email, &metadata.userinfo_endpoint, access_token)
        else {
            return Ok(identity);
        };
        let info: UserInfo = self.client.get("the userinfo endpoint", endpoint, Some(token)).await?;
        // The token could be another user's (OpenID Connect Core section 5.3.2, S-074).
        if info.sub != identity.subject {
            return Err(failed("the userinfo endpoint answered about another user"));
        }
        identity.email_verified = info.email_verified;
        identity.email = info.email;
        identity.name = identity.name.or(info.name);
        Ok(identity)
    }
}

impl UpstreamProvider for Oidc {
    fn tells_when(&self) -> bool {
        self.settings.preset.tells_when()
    }

    fn redirect<'a>(&'a self, with: Redirection<'a>) -> BoxFuture<'a, Result<String, UpstreamError>> {
        Box::pin(async move {
            let metadata = self.metadata().await?;
            let scope = self.settings.scope();
            let mut query = vec![
                ("response_type", "code"),
                ("client_id", &self.settings.client_id),
                ("redirect_uri", with.redirect_uri),
                ("scope", &scope),
                ("state", with.state),
                ("nonce", with.nonce),
                ("code_challenge", with.code_challenge),
                ("code_challenge_method", "S256"),
            ];
            let max_age = with.max_age.map(|age| age.as_secs().to_string());
            if let Some(max_age) = &max_age {
                query.push(("max_age", max_age));
                query.extend(self.settings.preset.prompt().map(|prompt| ("prompt", prompt)));
            }
            // Apple gives no address otherwise.
            if self.settings.preset == Preset::Apple {
                query.push(("response_mode", "form_post"));
            }
            Ok(with_query(&metadata.authorization_endpoint, &query))
        })
    }

    fn identify<'a>(
        &'a self,
        returned: Returned<'a>,
    ) -> BoxFuture<'a, Result<UpstreamIdentity, UpstreamError>> {
        Box::pin(async move {
            let metadata = self.metadata().await?;
            // RFC 9207 section 2.4.
            let is_from_here = match returned.issuer {
                Some(issuer) => issuer == self.settings.issuer(),
                None => !metadata.authorization_response_iss_parameter_supported,
            };
            if !is_from_here {
                return Err(UpstreamError::MixedUp);
            }
            let authentication = self.authentication(&metadata)?;
            let endpoint = &metadata.token_endpoint;
            let tokens =
                redeem(&self.client, endpoint, &self.settings.client_id, authentication, &returned).await?;
            let id_token = tokens.id_token.as_ref().ok_or_else(|| failed("it gave no ID token"))?;
            let access_token = tokens.access_token.as_ref().map(|token| token.as_str());
            let claims = self.claims(&metadata, id_token, access_token, returned.nonce).await?;
            self.complete(&metadata, claims, access_token).await
        })
    }
}

fn failed(text: &str) -> UpstreamError {
    UpstreamError::Failed(text.to_owned())
}
