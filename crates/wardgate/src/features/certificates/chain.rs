//! A chain of certificates with its key, as it is served.

use std::sync::Arc;

use rustls::InconsistentKeys;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use wardgate_crypto::CertificateFacts;

/// A chain with its key, of which the server's own certificate and the key belong together.
#[derive(Clone, Debug)]
pub struct ServedCertificate {
    /// What a handshake needs.
    pub key: Arc<CertifiedKey>,
    /// What the server's own certificate says of itself.
    pub facts: CertificateFacts,
}

/// What is wrong with a chain, or with its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// Something else than a chain, or one that cannot be served.
    #[error("{0}")]
    Chain(String),
    /// Something else than a key, or another's.
    #[error("{0}")]
    Key(String),
}

impl ServedCertificate {
    /// Takes a chain in PEM, the server's own certificate first, with its key.
    ///
    /// # Errors
    /// They are something else, or do not belong together.
    pub fn new(chain: &str, key: PrivateKeyDer<'static>) -> Result<Self, CertificateFault> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| CertificateFault::Chain(format!("the chain is no PEM: {error}")))?;
        let Some(own) = chain.first() else {
            return Err(CertificateFault::Chain("the chain holds no certificate in PEM".into()));
        };
        let facts = CertificateFacts::of(own);
        let facts =
            facts.map_err(|error| CertificateFault::Chain(format!("the first certificate {error}")))?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(fault)?;
        Ok(Self { key: Arc::new(key), facts })
    }
}

fn fault(error: rustls::Error) -> CertificateFault {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            CertificateFault::Key("the key is not that of the certificate".into())
        }
        rustls::Error::InvalidCertificate(error) => {
            CertificateFault::Chain(format!("the first certificate is invalid: {error}"))
        }
        error => CertificateFault::Key(format!("the key is of no use: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CustomExtension, KeyPair};

    use super::*;

    fn made(critical: bool) -> (String, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        if critical {
            params.custom_extensions = vec![CustomExtension::new_acme_identifier(&[1; 32])];
        }
        (params.self_signed(&key).unwrap().pem(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }

    #[test]
    fn a_chain_is_taken_whole_with_its_own_key_or_not_at_all() {
        let (chain, key) = made(false);
        let served = ServedCertificate::new(&format!("{chain}{chain}"), key.clone_key()).unwrap();
        assert_eq!((served.facts.names, served.key.cert.len()), (vec!["a.example".to_owned()], 2));
        let broken = "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n";
        let nothing = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        // One that asks for more than what a handshake knows: it is critical.
        let (strange, strange_key) = made(true);
        for (chain, key, told) in [
            (String::new(), &key, "no certificate in PEM"),
            (format!("{chain}{broken}"), &key, "the chain is no PEM"),
            (nothing.to_owned(), &key, "the first certificate is no certificate"),
            (chain, &made(false).1, "not that of the certificate"),
            (strange, &strange_key, "the first certificate is invalid"),
        ] {
            let fault = ServedCertificate::new(&chain, key.clone_key()).unwrap_err().to_string();
            assert!(fault.contains(told), "{fault}");
        }
    }
}
