//! Providers that know OAuth and no OpenID Connect: an access token, and an address that tells whose it is.

use std::sync::Arc;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::model::{ClientSecret, ProviderSettings};
use super::client::{Client, with_query};
use super::token::{Authentication, redeem};
use crate::ports::{BoxFuture, Redirection, Returned, UpstreamError, UpstreamIdentity, UpstreamProvider};

/// One of them.
pub(super) struct OAuth {
    settings: ProviderSettings,
    client: Arc<Client>,
    authorize: String,
    token: String,
    /// What the provider calls itself in answers (RFC 9207), where it does.
    answers_as: String,
    who: Who,
}

/// Where it tells whose the token is.
enum Who {
    GitHub { api: String },
    Discord { user: String },
}

#[derive(Deserialize)]
struct GitHubUser {
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct GitHubEmail {
    email: String,
    primary: bool,
    verified: bool,
}

#[derive(Deserialize)]
struct DiscordUser {
    id: String,
    username: String,
    global_name: Option<String>,
    email: Option<String>,
    verified: Option<bool>,
}

impl OAuth {
    pub(super) fn github(settings: ProviderSettings, client: Arc<Client>) -> Self {
        let base = settings.issuer().trim_end_matches('/').to_owned();
        let api = match settings.issuer {
            None => "https://api.github.com".to_owned(),
            Some(_) => format!("{base}/api/v3"),
        };
        Self {
            authorize: format!("{base}/login/oauth/authorize"),
            token: format!("{base}/login/oauth/access_token"),
            answers_as: format!("{base}/login/oauth"),
            who: Who::GitHub { api },
            settings,
            client,
        }
    }

    pub(super) fn discord(settings: ProviderSettings, client: Arc<Client>) -> Self {
        let base = settings.issuer().trim_end_matches('/').to_owned();
        Self {
            authorize: format!("{base}/oauth2/authorize"),
            token: format!("{base}/api/oauth2/token"),
            who: Who::Discord { user: format!("{base}/api/users/@me") },
            answers_as: base,
            settings,
            client,
        }
    }

    async fn github_user(&self, api: &str, token: &str) -> Result<UpstreamIdentity, UpstreamError> {
        let user: GitHubUser = self.client.get("the user", &format!("{api}/user"), Some(token)).await?;
        let emails: Vec<GitHubEmail> =
            self.client.get("the user's addresses", &format!("{api}/user/emails"), Some(token)).await?;
        // The others may be years old.
        let primary = emails.into_iter().find(|email| email.primary);
        Ok(UpstreamIdentity {
            issuer: self.settings.issuer().to_owned(),
            subject: user.id.to_string(),
            email_verified: primary.as_ref().is_some_and(|email| email.verified),
            email: primary.map(|email| email.email),
            name: user.name.or(Some(user.login)),
            authenticated_at: None,
        })
    }

    async fn discord_user(&self, address: &str, token: &str) -> Result<UpstreamIdentity, UpstreamError> {
        let user: DiscordUser = self.client.get("the user", address, Some(token)).await?;
        if user.id.is_empty() || user.id.len() > 32 || !user.id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(UpstreamError::Failed("the user has no id".to_owned()));
        }
        Ok(UpstreamIdentity {
            issuer: self.settings.issuer().to_owned(),
            subject: user.id,
            email_verified: user.verified.unwrap_or(false),
            email: user.email,
            name: user.global_name.or(Some(user.username)),
            authenticated_at: None,
        })
    }
}

impl UpstreamProvider for OAuth {
    fn tells_when(&self) -> bool {
        self.settings.preset.tells_when()
    }

    fn redirect<'a>(&'a self, with: Redirection<'a>) -> BoxFuture<'a, Result<String, UpstreamError>> {
        Box::pin(async move {
            self.client.check(&self.authorize)?;
            let scope = self.settings.scope();
            let mut query = vec![
                ("response_type", "code"),
                ("client_id", &self.settings.client_id),
                ("redirect_uri", with.redirect_uri),
                ("scope", &scope),
                ("state", with.state),
                ("code_challenge", with.code_challenge),
                ("code_challenge_method", "S256"),
            ];
            if with.max_age.is_some() {
                query.extend(self.settings.preset.prompt().map(|prompt| ("prompt", prompt)));
            }
            Ok(with_query(&self.authorize, &query))
        })
    }

    fn identify<'a>(
        &'a self,
        returned: Returned<'a>,
    ) -> BoxFuture<'a, Result<UpstreamIdentity, UpstreamError>> {
        Box::pin(async move {
            // RFC 9207 section 2.4; whether they send it is theirs to change.
            if returned.issuer.is_some_and(|issuer| issuer != self.answers_as) {
                return Err(UpstreamError::MixedUp);
            }
            let secret = self.settings.client_secret.as_ref().map(ClientSecret::expose).unwrap_or_default();
            let authentication = Authentication::Post(Zeroizing::new(secret.to_owned()));
            let client_id = &self.settings.client_id;
            let tokens = redeem(&self.client, &self.token, client_id, authentication, &returned).await?;
            let token = tokens.access_token.as_ref();
            let token = token.ok_or_else(|| UpstreamError::Failed("it gave no access token".to_owned()))?;
            match &self.who {
                Who::GitHub { api } => self.github_user(api, token).await,
                Who::Discord { user } => self.discord_user(user, token).await,
            }
        })
    }
}
