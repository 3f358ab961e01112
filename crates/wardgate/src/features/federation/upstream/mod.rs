//! How providers are asked: OpenID Connect, and OAuth with addresses of the provider's own.

mod client;
mod oauth;
mod oidc;
mod token;

use std::sync::Arc;

pub(super) use client::Client;

use super::model::{Protocol, ProviderSettings};
use crate::ports::{Clock, UpstreamError, UpstreamProvider};

/// A provider of these settings, not asked anything yet.
pub(super) fn build(
    settings: ProviderSettings,
    client: Arc<Client>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn UpstreamProvider>, UpstreamError> {
    match settings.preset.protocol() {
        Protocol::Oidc => Ok(Arc::new(oidc::Oidc::new(settings, client, clock)?)),
        Protocol::GitHub => Ok(Arc::new(oauth::OAuth::github(settings, client))),
        Protocol::Discord => Ok(Arc::new(oauth::OAuth::discord(settings, client))),
    }
}
