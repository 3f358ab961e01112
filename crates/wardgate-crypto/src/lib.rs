//! The cryptography of Wardgate: pure functions without I/O, clock or async.
//!
//! Every algorithm comes from a library that is reviewed elsewhere; what is here is how Wardgate uses them. Chance
//! enters through [`Rng`] only, so that tests can repeat it.
//!
//! | to … | use |
//! |---|---|
//! | hand out a secret that is stored as a digest only | [`OpaqueToken`], [`Digest`] |
//! | the same for an API key, whose text names its id | [`ApiKeyText`] |
//! | keep a secret in the database | [`Keyring::seal`], [`Keyring::open`] |
//! | authenticate a value of our own | [`MasterKey::derive`], [`SubKey::hmac`] |
//! | sign an access token | [`SigningKey`], [`jwt::encode`] |
//! | prove to another provider which client we are | [`ClientSecretKey`] |
//! | know how long a certificate is good, and for which names | [`CertificateFacts`] |
//! | sign a webhook | [`WebhookKey`] |
//! | store and check a password | [`password`] |

mod api_key;
mod certificate;
mod client_secret;
mod digest;
mod error;
pub mod jwt;
mod keypair;
mod keyring;
mod master_key;
mod opaque;
pub mod password;
mod rng;
mod seal;
mod webhook;

pub use api_key::ApiKeyText;
pub use certificate::{CertificateFacts, InvalidCertificate};
pub use client_secret::ClientSecretKey;
pub use digest::Digest;
pub use error::{SigningError, SigningKeyError};
pub use keypair::SigningKey;
pub use keyring::Keyring;
pub use master_key::{MasterKey, MasterKeyError, MasterKeyId, SubKey};
pub use opaque::OpaqueToken;
pub use rng::{Rng, SeededRng, SystemRng};
pub use seal::SealError;
pub use webhook::{InvalidWebhookKey, WebhookKey};
