//! Has one node order the certificate when it is time, and gives all what they need to serve it.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use wardgate_crypto::Keyring;

use super::chain::ServedCertificate;
use super::choice::choose;
use super::model::{
    LEASE, LEAST_PAUSE, LONGEST_ORDER, REMEMBERED, after_silence, delay, renew_at, said, validity,
};
use super::order::{self, OrderError, Ordered};
use super::reseal::KEY;
use super::store::{self, CertificateVersion, Issued, Kept, State, Which};
use crate::environment::Environment;
use crate::kernel::error::AuthError;
use crate::kernel::time::Timestamp;
use crate::ports::Outbound;

/// From where a certificate comes, and for what.
#[derive(Clone)]
pub struct AcmeSettings {
    /// The address of the authority's directory (RFC 8555 section 7.1.1). Its terms are agreed to.
    pub directory: String,
    /// The DNS names, in lower case.
    pub names: Vec<String>,
    /// The address that the authority may write to. It is told when the account is made.
    pub contact: Option<String>,
    /// Asks the authority.
    pub outbound: Outbound,
    /// How long it takes until each node that answers for the names has [looked](Certificates::look).
    pub spread: Duration,
}

/// The certificate of a server's own TLS.
pub struct Certificates {
    pub(super) env: Arc<Environment>,
    pub(super) master: Arc<Keyring>,
    pub(super) settings: AcmeSettings,
    which: Which,
}

/// What a node is to serve.
pub struct Look {
    /// What to answer an authority that asks whether a name is this server's.
    pub challenges: Vec<Challenge>,
    /// A certificate that is another than the one seen; or why what there is cannot be served. Its place is then ordered
    /// anew, and the challenges count all the same.
    pub certificate: Result<Option<ChosenCertificate>, AuthError>,
}

/// A certificate that is to be served.
pub struct ChosenCertificate {
    /// The certificate with its key.
    pub served: ServedCertificate,
    /// What tells it from others.
    pub version: CertificateVersion,
    /// Whether there is none yet for just the names that were asked for, and this one has some of them.
    pub stands_in: bool,
}

/// A question of an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The name that is asked about.
    pub name: String,
    /// What the answer has to say.
    pub(super) digest: Vec<u8>,
}

/// What came of looking whether an order is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tended {
    /// None is, or another node is at it.
    Rested,
    /// There is a new certificate.
    Renewed,
    /// It failed and is tried again at this time.
    Failed(Timestamp),
}

impl Challenge {
    /// The certificate to show in a handshake that asks for this name and for nothing but `acme-tls/1` (RFC 8737
    /// section 3).
    ///
    /// # Errors
    /// The digest in the database is none.
    pub fn answer(&self) -> Result<CertifiedKey, AuthError> {
        let failed = |error| AuthError::internal("answer an authority", error);
        if self.digest.len() != 32 {
            return Err(AuthError::internal("answer an authority", "the digest is none"));
        }
        let mut params = CertificateParams::new([self.name.clone()]).map_err(failed)?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(&self.digest)];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = CertificateDer::from(params.self_signed(&key).map_err(failed)?);
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key);
        let key = key.map_err(|error| AuthError::internal("answer an authority", error))?;
        // Not `from_der`: it reads the certificate, and knows no `acmeIdentifier`, which is critical (RFC 8737 section 3).
        Ok(CertifiedKey::new(vec![certificate], key))
    }
}

impl Certificates {
    pub(crate) fn new(env: Arc<Environment>, master: Arc<Keyring>, mut settings: AcmeSettings) -> Self {
        settings.names.sort_unstable();
        let which = Which { directory: settings.directory.clone(), names: settings.names.join(" ") };
        Self { env, master, settings, which }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.settings.names
    }

    /// Orders a certificate if it is time, at most one at a time on all nodes. It may take minutes.
    ///
    /// # Errors
    /// The database does not answer. What the authority says is logged.
    pub async fn tend(&self) -> Result<Tended, AuthError> {
        let now = self.env.now();
        let Some(state) = self.state(now).await? else { return Ok(Tended::Rested) };
        if now < state.due_at {
            return Ok(Tended::Rested);
        }
        // By this time of the next one the order is known as this call's.
        let ours = now.plus(after_silence(state.attempts));
        let claim = (self.which.clone(), state.due_at, ours);
        let claimed = self.env.db.write_global(claim, move |tx, (which, seen, ours)| {
            Box::pin(async move {
                Ok::<_, AuthError>(store::claim(tx, which, *seen, *ours, now.plus(LEASE)).await?)
            })
        });
        if !claimed.await? {
            return Ok(Tended::Rested);
        }
        tracing::info!(names = %self.which.names, directory = %self.which.directory, "ordering a certificate");
        let mut proofs = Vec::new();
        let ordered = tokio::time::timeout(LONGEST_ORDER, order::run(self, &mut proofs)).await;
        // First of all what was got, which costs an order.
        let tended = match ordered.unwrap_or(Err(OrderError::Late)) {
            Ok(ordered) => self.keep(ours, ordered).await,
            Err(error) => self.postpone(ours, &state, &error).await,
        };
        self.forget(proofs).await?;
        tended
    }

    /// Makes an order that has failed due now: whoever has removed the reason need not wait for the next try.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn hurry(&self) -> Result<(), AuthError> {
        let input = (self.which.clone(), self.env.now());
        let hurried = self.env.db.write_global(input, |tx, (which, now)| {
            Box::pin(async move { Ok::<_, AuthError>(store::hurry(tx, which, *now).await?) })
        });
        let names = &self.which.names;
        if hurried.await? {
            tracing::info!(%names, "the order that failed is tried again now");
        } else {
            tracing::info!(%names, "there is nothing to hurry: no order has failed, or a server is at it now");
        }
        Ok(())
    }

    /// How far the certificate is; it is due at once if nobody knew of it.
    async fn state(&self, now: Timestamp) -> Result<Option<State>, AuthError> {
        let found = || {
            self.env.db.lookup_global(self.which.clone(), |tx, which| {
                Box::pin(async move { Ok::<_, AuthError>(store::find_state(tx, which).await?) })
            })
        };
        if let Some(state) = found().await? {
            return Ok(Some(state));
        }
        let made = self.env.db.write_global((self.which.clone(), now), |tx, (which, now)| {
            Box::pin(async move { Ok::<_, AuthError>(store::insert(tx, which, *now).await?) })
        });
        made.await?;
        found().await
    }

    async fn keep(&self, ours: Timestamp, ordered: Ordered) -> Result<Tended, AuthError> {
        let now = self.env.now();
        let (not_before, not_after) = validity(&ordered.facts);
        let due_at = renew_at(not_before, not_after, now);
        let sealed_key =
            self.master.seal(KEY, &self.which.seal_context(), &ordered.key, self.env.rng.as_ref());
        let sealed_key =
            sealed_key.map_err(|error| AuthError::internal("seal the certificate's key", error))?;
        let kept =
            Kept { version: CertificateVersion { which: self.which.clone(), issued_at: now }, not_after };
        let input = (kept, Issued { chain: ordered.chain, sealed_key });
        let kept = self.env.db.write_global(input, move |tx, (kept, issued)| {
            Box::pin(async move {
                store::purge(tx, now.minus(REMEMBERED)).await?;
                Ok::<_, AuthError>(store::issue(tx, ours, kept, issued, due_at).await?)
            })
        });
        if !kept.await? {
            return Ok(self.overtaken());
        }
        tracing::info!(names = %self.which.names, %not_after, next_order = %due_at, "there is a new certificate");
        Ok(Tended::Renewed)
    }

    async fn postpone(
        &self,
        ours: Timestamp,
        state: &State,
        error: &OrderError,
    ) -> Result<Tended, AuthError> {
        let due_at = self.env.now().plus(delay(state.attempts.saturating_add(1)));
        let postponed = self.env.db.write_global((self.which.clone(), ours), move |tx, (which, ours)| {
            Box::pin(async move { Ok::<_, AuthError>(store::postpone(tx, which, *ours, due_at).await?) })
        });
        // What went wrong is told also where nothing could be written down.
        let postponed = postponed.await;
        let error = said(&error.to_string());
        if let Ok(false) = postponed {
            tracing::warn!(names = %self.which.names, %error, "no certificate was got here");
            return Ok(self.overtaken());
        }
        let served = match state.not_after {
            Some(not_after) => format!("the certificate that ends at {not_after} is served meanwhile"),
            None => "until then there is none for all of these names".to_owned(),
        };
        tracing::error!(names = %self.which.names, %error, next_order = %due_at, "no certificate was got; {served}");
        postponed?;
        Ok(Tended::Failed(due_at))
    }

    /// Another node thought that this one had died, and has taken the order.
    fn overtaken(&self) -> Tended {
        tracing::warn!(
            names = %self.which.names,
            "another server has taken the order over: do the clocks of both go right?"
        );
        Tended::Rested
    }

    async fn forget(&self, proofs: Vec<Challenge>) -> Result<(), AuthError> {
        let forgotten = self.env.db.write_global((proofs, self.env.now()), |tx, (proofs, now)| {
            Box::pin(async move {
                for Challenge { name, digest } in proofs {
                    store::remove_challenge(tx, name, digest, *now).await?;
                }
                Ok::<_, AuthError>(())
            })
        });
        forgotten.await
    }

    /// What is to be served now: the certificate if it is another than the one `seen`, and what to answer authorities.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn look(&self, seen: Option<&CertificateVersion>) -> Result<Look, AuthError> {
        let now = self.env.now();
        let input = (self.which.clone(), seen.cloned());
        let found = self.env.db.lookup_global(input, move |tx, (which, seen)| {
            Box::pin(async move {
                let challenges = store::challenges(tx, now).await?;
                let all = store::list_kept(tx).await?;
                let chosen = choose(&all, which, now).map(|kept| &kept.version);
                let Some(version) = chosen.filter(|version| Some(*version) != seen.as_ref()) else {
                    return Ok::<_, AuthError>((challenges, None));
                };
                let issued = store::find_issued(tx, version).await?;
                Ok((challenges, issued.map(|issued| (version.clone(), issued))))
            })
        });
        let (challenges, chosen) = found.await?;
        let challenges = challenges.into_iter().map(|(name, digest)| Challenge { name, digest }).collect();
        let certificate = match chosen {
            Some((version, issued)) => self.opened(version, &issued).await.map(Some),
            None => Ok(None),
        };
        Ok(Look { challenges, certificate })
    }

    /// What was kept, as it is served. What cannot be served is replaced; where it only stands in, one is ordered anyway.
    async fn opened(
        &self,
        version: CertificateVersion,
        issued: &Issued,
    ) -> Result<ChosenCertificate, AuthError> {
        match self.read(&version, issued) {
            Ok(served) => {
                let stands_in = version.which != self.which;
                Ok(ChosenCertificate { served, version, stands_in })
            }
            Err(error) => {
                if version.which == self.which {
                    self.replace(version).await?;
                }
                Err(error)
            }
        }
    }

    fn read(&self, version: &CertificateVersion, issued: &Issued) -> Result<ServedCertificate, AuthError> {
        let key = self.master.open(KEY, &version.which.seal_context(), &issued.sealed_key);
        let key = key.map_err(|error| AuthError::internal("open the certificate's key", error))?;
        let served = ServedCertificate::new(&issued.chain, PrivatePkcs8KeyDer::from(key.to_vec()).into());
        served.map_err(|error| AuthError::internal("serve the certificate in the database", error))
    }

    /// Has the next ordered now. Not within the hour of the last: if no certificate could be read here, it would else be
    /// order after order.
    async fn replace(&self, version: CertificateVersion) -> Result<(), AuthError> {
        let now = self.env.now();
        let replaced = self.env.db.write_global(version, move |tx, version| {
            Box::pin(async move {
                Ok::<_, AuthError>(store::replace(tx, version, now, now.minus(LEAST_PAUSE)).await?)
            })
        });
        if replaced.await? {
            tracing::warn!(names = %self.which.names, "the certificate in the database is of no use: another is ordered");
        }
        Ok(())
    }
}
