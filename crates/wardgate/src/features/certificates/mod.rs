//! The certificate of a server's own TLS: got from an authority that speaks ACME (RFC 8555), renewed in time, and shared
//! by all nodes.

#[cfg(feature = "acme")]
mod chain;
#[cfg(feature = "acme")]
mod choice;
#[cfg(feature = "acme")]
mod model;
#[cfg(feature = "acme")]
mod order;
// Also without the feature: whoever ends a rotation of the master key ends it for nodes that have it.
mod reseal;
#[cfg(feature = "acme")]
mod service;
mod store;

#[cfg(feature = "acme")]
pub use chain::{CertificateFault, ServedCertificate};
pub(crate) use reseal::reseal;
#[cfg(feature = "acme")]
pub use service::{AcmeSettings, Certificates, Challenge, ChosenCertificate, Look, Tended};
#[cfg(feature = "acme")]
pub use store::CertificateVersion;
