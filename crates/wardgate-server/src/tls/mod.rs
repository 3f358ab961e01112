//! TLS of the server's own: which certificate whoever says hello is shown, and the next one without a restart.

mod acme;
mod files;

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;
use wardgate::ServedCertificate;

pub(crate) use acme::{LOOK, Ordered};
pub(crate) use files::{CertificateFiles, CertificatePlaces, Watch};

/// What an authority says in a handshake that only asks whether a name is this server's (RFC 8737 section 6.2).
const ACME: &[u8] = b"acme-tls/1";

/// The certificates that there are at this moment.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    set: RwLock<Set>,
    /// When each ends, by its first name.
    ends: Family<[(&'static str, String); 1], Gauge>,
}

#[derive(Debug, Default)]
struct Set {
    /// For whoever names nobody, or somebody unknown.
    first: Option<Arc<CertifiedKey>>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
    /// What authorities are answered, by the name that they ask about.
    challenges: HashMap<String, Arc<CertifiedKey>>,
}

impl Set {
    /// The certificate for a name; else the first. Refusing would keep nobody out, since tenants are told apart by the
    /// request and not here, but would break what checks the server by its address. The client sees that the certificate
    /// is another's.
    fn find(&self, name: Option<&str>) -> Option<&Arc<CertifiedKey>> {
        let exact = name.and_then(|name| self.by_name.get(name));
        // One label, and never two (RFC 9525 section 6.3).
        let by_wildcard = || self.by_name.get(&format!("*.{}", name?.split_once('.')?.1));
        exact.or_else(by_wildcard).or(self.first.as_ref())
    }

    /// The answer to an authority, or nothing at all: it is to see no other certificate.
    fn find_challenge(&self, name: Option<&str>) -> Option<&Arc<CertifiedKey>> {
        self.challenges.get(name?)
    }
}

impl Certificates {
    /// Puts these in the place of all that were there; of two for one name that is shown which ends later, as tools lay a
    /// new one beside the old.
    pub(crate) fn replace(&self, all: &[ServedCertificate]) {
        let mut by_name: HashMap<&str, &ServedCertificate> = HashMap::new();
        for served in all {
            for name in &served.facts.names {
                let shown = by_name.entry(name).or_insert(served);
                if served.facts.not_after > shown.facts.not_after {
                    *shown = served;
                }
            }
        }
        let first = all.first().map(|first| {
            let name = first.facts.names.first().map(String::as_str);
            name.and_then(|name| by_name.get(name).copied()).unwrap_or(first)
        });
        self.ends.clear();
        // Nobody need be called for one that is never shown. Of two by one name the end of the first of them counts.
        for served in by_name.values().copied().chain(first) {
            let label = served.facts.names.first().cloned().unwrap_or_default();
            let end = self.ends.get_or_create_owned(&[("certificate", label)]);
            if end.get() == 0 || served.facts.not_after < end.get() {
                end.set(served.facts.not_after);
            }
        }
        let key = |served: &ServedCertificate| Arc::clone(&served.key);
        let mut set = self.set.write().unwrap_or_else(PoisonError::into_inner);
        set.first = first.map(key);
        set.by_name = by_name.into_iter().map(|(name, served)| (name.to_owned(), key(served))).collect();
    }

    /// Puts these in the place of all that authorities were answered.
    pub(crate) fn replace_challenges(&self, challenges: HashMap<String, Arc<CertifiedKey>>) {
        self.set.write().unwrap_or_else(PoisonError::into_inner).challenges = challenges;
    }

    /// Makes it known when each ends.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "When a certificate ends, in seconds since 1970, by its first name";
        registry.register_with_unit("tls_certificate_end", help, Unit::Seconds, self.ends.clone());
    }

    /// What TLS is spoken with: versions 1.2 and 1.3 with the suites that rustls has, none of them weak.
    pub(crate) fn config(self: &Arc<Self>) -> RustlsConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("the provider has suites for both versions");
        let mut config =
            builder.with_no_client_auth().with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = [&b"h2"[..], b"http/1.1", ACME].map(<[u8]>::to_vec).to_vec();
        RustlsConfig::from_config(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        let asks = hello.alpn().is_some_and(|mut offered| offered.all(|protocol| protocol == ACME));
        // rustls has made it lower case.
        let found =
            if asks { set.find_challenge(hello.server_name()) } else { set.find(hello.server_name()) };
        found.map(Arc::clone)
    }
}

/// Hangs up on authorities once they have seen their certificate: nothing else is said on such a connection (RFC 8737
/// section 3).
#[derive(Clone)]
pub(crate) struct Answered<A>(pub(crate) RustlsAcceptor<A>);

impl<A, I, S> Accept<I, S> for Answered<A>
where
    RustlsAcceptor<A>: Accept<I, S, Stream = TlsStream<A::Stream>>,
    <RustlsAcceptor<A> as Accept<I, S>>::Future: Send + 'static,
    A: Accept<I, S>,
    A::Stream: AsyncRead + AsyncWrite + Unpin,
{
    type Stream = TlsStream<A::Stream>;
    type Service = <RustlsAcceptor<A> as Accept<I, S>>::Service;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let accepted = self.0.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepted.await?;
            match stream.get_ref().1.alpn_protocol() {
                Some(ACME) => Err(io::Error::other("an authority has its answer")),
                _ => Ok((stream, service)),
            }
        })
    }
}

#[cfg(test)]
pub(crate) use files::testing;

#[cfg(test)]
mod tests {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
    use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
    use tokio::io::AsyncReadExt as _;
    use tokio_rustls::TlsConnector;

    use super::*;

    /// Believes everything, as an authority does that only looks.
    #[derive(Debug)]
    struct Looks;

    impl ServerCertVerifier for Looks {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ECDSA_NISTP256_SHA256]
        }
    }

    fn made(name: &str) -> (Arc<CertifiedKey>, CertificateDer<'static>) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
        (Arc::new(CertifiedKey::new(vec![made.cert.der().clone()], key)), made.cert.der().clone())
    }

    /// What whoever asks for `name` and offers `alpn` is shown, and whether it is let in; `None`: refused.
    async fn shown(
        live: &Arc<Certificates>,
        name: &str,
        alpn: &[&[u8]],
    ) -> Option<(CertificateDer<'static>, bool)> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Looks));
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let server = Answered(RustlsAcceptor::new(live.config()));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let client = async move {
            let mut stream = TlsConnector::from(Arc::new(config)).connect(name, theirs).await.ok()?;
            let own = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
            // The other side is done: what comes is what it said last.
            let _ = stream.read(&mut [0; 1]).await;
            Some(own)
        };
        let (accepted, own) = tokio::join!(async { server.accept(ours, ()).await.is_ok() }, client);
        Some((own?, accepted))
    }

    fn served(names: &[&str], not_after: i64) -> ServedCertificate {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let facts = wardgate::CertificateFacts { names, not_before: 0, not_after };
        ServedCertificate { key: made("a.example").0, facts }
    }

    #[test]
    fn of_two_for_one_name_the_one_that_ends_later_is_shown_and_the_end_of_what_is_shown_is_told() {
        let live = Certificates::default();
        let (old, new) = (served(&["a.example", "b.example"], 10), served(&["b.example", "a.example"], 20));
        let wide = served(&["*.example", "b.example"], 15);
        let end = |name: &str| live.ends.get(&[("certificate", name.to_owned())]).map(|end| end.get());
        for all in [[&old, &new, &wide], [&wide, &new, &old], [&new, &wide, &old]] {
            live.replace(&all.map(Clone::clone));
            let set = live.set.read().unwrap();
            let is = |name, expected: &ServedCertificate| Arc::ptr_eq(set.find(name).unwrap(), &expected.key);
            assert!(
                is(Some("a.example"), &new) && is(Some("b.example"), &new) && is(Some("c.example"), &wide)
            );
            // Whoever names nobody is shown no older one either.
            assert!(is(None, if Arc::ptr_eq(&all[0].key, &wide.key) { &wide } else { &new }));
            assert_eq!((end("a.example"), end("b.example"), end("*.example")), (None, Some(20), Some(15)));
        }
        // Both are shown, each for one: somebody has to look after the one that ends first.
        live.replace(&[served(&["a.example", "b.example"], 10), served(&["a.example", "c.example"], 20)]);
        assert_eq!(end("a.example"), Some(10));
        live.replace(&[]);
        assert!(live.set.read().unwrap().find(Some("a.example")).is_none() && end("a.example").is_none());
    }

    // RFC 8737 section 3
    #[tokio::test]
    async fn an_authority_sees_its_answer_and_nothing_else_does() {
        let live = Arc::new(Certificates::default());
        let ((first, own), (proof, answer)) = (made("a.example"), made("b.example"));
        let facts = wardgate::CertificateFacts::of(&own).unwrap();
        live.replace(&[ServedCertificate { key: first, facts }]);
        live.replace_challenges(HashMap::from([("b.example".to_owned(), proof)]));
        for (name, alpn, expected) in [
            ("b.example", &[ACME][..], Some((&answer, false))),
            ("B.example", &[ACME], Some((&answer, false))),
            ("a.example", &[ACME], None),
            ("c.example", &[ACME], None),
            ("b.example", &[], Some((&own, true))),
            ("b.example", &[b"h2"], Some((&own, true))),
            ("b.example", &[ACME, b"http/1.1"], Some((&own, true))),
            ("a.example", &[b"http/1.1", ACME], Some((&own, true))),
        ] {
            let seen = shown(&live, name, alpn).await;
            assert_eq!(seen.as_ref().map(|(own, let_in)| (own, *let_in)), expected, "{name} {alpn:?}");
        }
    }
}
