//! What a server's certificate says of itself (RFC 5280); nothing here says whether anybody vouches for it.

use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// For which names a certificate is, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Its DNS names in lower case, in its order. The first label of one may be `*`. What is only in the subject counts
    /// for nothing, as no client looks there (RFC 9110 section 4.3.4).
    pub names: Vec<String>,
    /// From when on it is good, in seconds since 1970.
    pub not_before: i64,
    /// Until when it is good, in seconds since 1970.
    pub not_after: i64,
}

/// The bytes are no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no certificate")]
pub struct InvalidCertificate;

impl CertificateFacts {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`InvalidCertificate`].
    pub fn of(der: &[u8]) -> Result<Self, InvalidCertificate> {
        let certificate = Certificate::from_der(der).map_err(|_| InvalidCertificate)?.tbs_certificate;
        let names = certificate.get::<SubjectAltName>().map_err(|_| InvalidCertificate)?;
        let names = names.into_iter().flat_map(|(_, names)| names.0).filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
            _ => None,
        });
        let seconds = |time: x509_cert::time::Time| {
            i64::try_from(time.to_unix_duration().as_secs()).map_err(|_| InvalidCertificate)
        };
        Ok(Self {
            names: names.collect(),
            not_before: seconds(certificate.validity.not_before)?,
            not_after: seconds(certificate.validity.not_after)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_its_names_and_its_time() {
        let names = ["A.example.com".to_owned(), "*.example.org".to_owned(), "127.0.0.1".to_owned()];
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "subject.example.com");
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 1, 3);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let facts = CertificateFacts::of(certificate.der()).unwrap();
        assert_eq!(facts.names, ["a.example.com", "*.example.org"]);
        assert_eq!((facts.not_before, facts.not_after), (1_767_225_600, 1_767_398_400));
        assert_eq!(CertificateFacts::of(b"none"), Err(InvalidCertificate));
        let cut = &certificate.der()[..certificate.der().len() - 1];
        assert_eq!(CertificateFacts::of(cut), Err(InvalidCertificate));
    }
}
