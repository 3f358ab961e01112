//! Signing in through other providers: which there are, the way there and back, and whose account it is.

mod accounts;
mod connect;
pub(crate) mod http;
mod model;
mod providers;
mod service;
mod store;
#[cfg(feature = "federation")]
mod upstream;
mod ways;

pub(crate) use accounts::{Resolved, UpstreamProof, resolve};
#[cfg(feature = "pages")]
pub(crate) use model::Flow;
pub use model::{ClientSecret, Preset, ProviderSettings, ProviderView, StoredProvider, UnknownPreset};
pub use providers::ProviderChange;
pub use service::Federation;
pub(crate) use service::{FederationSettings, end_flows, forget};
pub(crate) use ways::{Way, superadmin_remains};
