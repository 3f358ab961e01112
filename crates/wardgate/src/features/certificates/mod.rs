//! The certificate of a server's own TLS: got from an authority that speaks ACME (RFC 8555), renewed in time, and shared
//! by all nodes.

mod model;
mod order;
mod reseal;
mod service;
mod store;

pub(crate) use reseal::reseal;
pub use service::{
    AcmeSettings, Certificates, Challenge, ChallengeCertificate, Look, ServedCertificate, Tended,
};
