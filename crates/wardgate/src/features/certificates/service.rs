//! Has one node order the certificate when it is time, and gives all what they need to serve it.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use wardgate_crypto::Keyring;
use zeroize::Zeroizing;

use super::model::{LEASE, LONGEST_ORDER, REMEMBERED, delay, renew_at};
use super::order::{self, OrderError, Ordered};
use super::store::{self, Issued, State, Which};
use crate::environment::Environment;
use crate::kernel::error::AuthError;
use crate::kernel::time::Timestamp;
use crate::ports::Outbound;

/// For what a certificate's key is sealed.
pub(super) const KEY: &str = "wardgate acme certificate";

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
    /// A certificate that is another than the one seen.
    pub certificate: Option<ServedCertificate>,
    /// What to answer an authority that asks whether a name is this server's.
    pub challenges: Vec<Challenge>,
}

/// A certificate with its key.
pub struct ServedCertificate {
    /// PEM: the server's own, then those that lead to a root.
    pub chain: String,
    /// PKCS#8.
    pub key: Zeroizing<Vec<u8>>,
    /// What tells it from others.
    pub issued_at: Timestamp,
}

/// A question of an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The name that is asked about.
    pub name: String,
    /// What the answer has to say.
    digest: Vec<u8>,
}

/// What answers a [`Challenge`].
pub struct ChallengeCertificate {
    /// DER.
    pub certificate: Vec<u8>,
    /// PKCS#8.
    pub key: Zeroizing<Vec<u8>>,
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
    pub fn answer(&self) -> Result<ChallengeCertificate, AuthError> {
        let failed = |error| AuthError::internal("answer an authority", error);
        if self.digest.len() != 32 {
            return Err(AuthError::internal("answer an authority", "the digest is none"));
        }
        let mut params = CertificateParams::new([self.name.clone()]).map_err(failed)?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(&self.digest)];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.der().to_vec();
        Ok(ChallengeCertificate { certificate, key: Zeroizing::new(key.serialize_der()) })
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
        let until = now.plus(LEASE);
        let claim = (self.which.clone(), state.due_at, until);
        let claimed = self.env.db.write_global(claim, |tx, (which, seen, until)| {
            Box::pin(async move { Ok::<_, AuthError>(store::claim(tx, which, *seen, *until).await?) })
        });
        if !claimed.await? {
            return Ok(Tended::Rested);
        }
        tracing::info!(names = %self.which.names, directory = %self.which.directory, "ordering a certificate");
        let ordered = tokio::time::timeout(LONGEST_ORDER, order::run(self)).await;
        // First of all what was got, which costs an order.
        let tended = match ordered.unwrap_or(Err(OrderError::Late)) {
            Ok(ordered) => self.keep(until, &ordered).await,
            Err(error) => self.postpone(until, &state, &error).await,
        };
        self.forget_challenges().await?;
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
        if hurried.await? {
            tracing::info!(names = %self.which.names, "the order that failed is tried again now");
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

    async fn keep(&self, seen: Timestamp, ordered: &Ordered) -> Result<Tended, AuthError> {
        let now = self.env.now();
        let seconds = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
        let (not_before, not_after) = (seconds(ordered.facts.not_before), seconds(ordered.facts.not_after));
        let due_at = renew_at(not_before, not_after, now);
        let sealed_key =
            self.master.seal(KEY, &self.which.seal_context(), &ordered.key, self.env.rng.as_ref());
        let sealed_key =
            sealed_key.map_err(|error| AuthError::internal("seal the certificate's key", error))?;
        let issued = Issued { chain: ordered.chain.clone(), sealed_key, issued_at: now };
        let input = (self.which.clone(), seen, issued, not_after, due_at);
        let kept = self.env.db.write_global(input, move |tx, (which, seen, issued, not_after, due_at)| {
            Box::pin(async move {
                store::purge(tx, now.minus(REMEMBERED)).await?;
                Ok::<_, AuthError>(store::issue(tx, which, *seen, issued, *not_after, *due_at).await?)
            })
        });
        // Another node thought that this one had died, and was quicker.
        if !kept.await? {
            return Ok(Tended::Rested);
        }
        tracing::info!(names = %self.which.names, %not_after, next_order = %due_at, "there is a new certificate");
        Ok(Tended::Renewed)
    }

    async fn postpone(
        &self,
        seen: Timestamp,
        state: &State,
        error: &OrderError,
    ) -> Result<Tended, AuthError> {
        let due_at = self.env.now().plus(delay(state.attempts.saturating_add(1)));
        let served = match state.not_after {
            Some(not_after) => format!("the certificate that ends at {not_after} is served meanwhile"),
            None => "there is none to serve until then".to_owned(),
        };
        tracing::error!(names = %self.which.names, %error, next_order = %due_at, "no certificate was got; {served}");
        let postponed =
            self.env.db.write_global((self.which.clone(), seen, due_at), |tx, (which, seen, due_at)| {
                Box::pin(async move { Ok::<_, AuthError>(store::postpone(tx, which, *seen, *due_at).await?) })
            });
        postponed.await?;
        Ok(Tended::Failed(due_at))
    }

    async fn forget_challenges(&self) -> Result<(), AuthError> {
        let input = (self.settings.names.clone(), self.env.now());
        let forgotten = self.env.db.write_global(input, |tx, (names, now)| {
            Box::pin(async move {
                for name in names {
                    store::remove_challenge(tx, name, *now).await?;
                }
                Ok::<_, AuthError>(())
            })
        });
        forgotten.await
    }

    /// What is to be served now: the certificate if it is another than the one `seen`, and what to answer authorities.
    ///
    /// # Errors
    /// The database does not answer, or the key in it does not open.
    pub async fn look(&self, seen: Option<Timestamp>) -> Result<Look, AuthError> {
        let input = (self.which.clone(), seen, self.env.now());
        let found = self.env.db.lookup_global(input, |tx, (which, seen, now)| {
            Box::pin(async move {
                let challenges = store::challenges(tx, *now).await?;
                let newest = store::find_state(tx, which).await?.and_then(|state| state.issued_at);
                let issued = match newest {
                    Some(newest) if Some(newest) != *seen => store::find_issued(tx, which).await?,
                    _ => None,
                };
                Ok::<_, AuthError>((issued, challenges))
            })
        });
        let (issued, challenges) = found.await?;
        let challenges = challenges.into_iter().map(|(name, digest)| Challenge { name, digest }).collect();
        Ok(Look { certificate: issued.map(|issued| self.opened(issued)).transpose()?, challenges })
    }

    fn opened(&self, issued: Issued) -> Result<ServedCertificate, AuthError> {
        let Issued { chain, sealed_key, issued_at } = issued;
        let key = self.master.open(KEY, &self.which.seal_context(), &sealed_key);
        let key = key.map_err(|error| AuthError::internal("open the certificate's key", error))?;
        Ok(ServedCertificate { chain, key, issued_at })
    }
}
