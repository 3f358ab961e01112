//! A certificate from an authority: what one node got, and all keep in the database, is served here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior};
use wardgate::{AuthError, Challenge, Timestamp, Wardgate};

use super::{Certificates, Served};
use crate::failure::Failure;

/// How often each node looks for a certificate that another one got, and for what authorities ask.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// Serves the certificate of an authority.
pub(crate) struct Ordered {
    gate: Wardgate,
    live: Arc<Certificates>,
    /// Which certificate is served.
    issued_at: Option<Timestamp>,
    /// What authorities are answered.
    challenges: Vec<Challenge>,
    hangup: Signal,
}

impl Ordered {
    /// Begins with what there is, whoever can be reached; from now on SIGHUP no longer ends the process.
    ///
    /// # Errors
    /// The database does not answer, or what is in it is of no use.
    pub(crate) async fn new(gate: Wardgate, live: Arc<Certificates>) -> Result<Self, Failure> {
        let hangup = signal(SignalKind::hangup())?;
        let mut ordered = Self { gate, live, issued_at: None, challenges: Vec::new(), hangup };
        ordered.look().await?;
        if ordered.issued_at.is_none() {
            tracing::warn!(
                "there is no certificate yet: until an authority has given one, each handshake but its own is refused"
            );
        }
        Ok(ordered)
    }

    /// Orders certificates in time, and takes those that other nodes got. On SIGHUP an order that failed is not waited for.
    /// Never ends.
    pub(crate) async fn keep(mut self) {
        let gate = self.gate.clone();
        // Apart, since an order takes minutes, in which this node answers for the names like any other.
        tokio::spawn(async move {
            let mut seconds = Seconds::new("certificates cannot be ordered");
            while let Some(certificates) = gate.certificates() {
                seconds.next().await;
                seconds.note(&certificates.tend().await);
            }
        });
        let mut seconds = Seconds::new("it cannot be seen whether there is another certificate");
        loop {
            let asked = tokio::select! {
                _ = self.hangup.recv() => true,
                () = seconds.next() => false,
            };
            seconds.note(&if asked { self.hurry().await } else { self.look().await });
        }
    }

    async fn hurry(&self) -> Result<(), AuthError> {
        match self.gate.certificates() {
            Some(certificates) => certificates.hurry().await,
            None => Ok(()),
        }
    }

    async fn look(&mut self) -> Result<(), AuthError> {
        let Some(certificates) = self.gate.certificates() else { return Ok(()) };
        let look = certificates.look(self.issued_at).await?;
        if let Some(served) = look.certificate {
            let key = PrivatePkcs8KeyDer::from(served.key.to_vec());
            let of_no_use =
                |fault| AuthError::Internal { context: "serve a certificate", source: Box::new(fault) };
            self.live.replace(&[Served::new(&served.chain, key.into()).map_err(of_no_use)?]);
            self.issued_at = Some(served.issued_at);
            tracing::info!(issued_at = %served.issued_at, "a certificate of the authority is served");
        }
        if look.challenges != self.challenges {
            let answers: Result<HashMap<_, _>, _> = look.challenges.iter().map(answer).collect();
            self.live.replace_challenges(answers?);
            self.challenges = look.challenges;
        }
        Ok(())
    }
}

fn answer(challenge: &Challenge) -> Result<(String, Arc<CertifiedKey>), AuthError> {
    let answer = challenge.answer()?;
    let (chain, key) =
        (vec![CertificateDer::from(answer.certificate)], PrivatePkcs8KeyDer::from(answer.key.to_vec()));
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key.into());
    let key =
        key.map_err(|error| AuthError::Internal { context: "answer an authority", source: Box::new(error) })?;
    // Not `from_der`: it reads the certificate, and knows no `acmeIdentifier`, which is critical (RFC 8737 section 3).
    Ok((challenge.name.clone(), Arc::new(CertifiedKey::new(chain, key))))
}

/// What is done each second, and whether it goes well: of failures in a row the first is told.
struct Seconds {
    ticks: Interval,
    what_fails: &'static str,
    was_well: bool,
}

impl Seconds {
    fn new(what_fails: &'static str) -> Self {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, what_fails, was_well: true }
    }

    async fn next(&mut self) {
        self.ticks.tick().await;
    }

    fn note<T>(&mut self, result: &Result<T, AuthError>) {
        if let (true, Err(error)) = (self.was_well, result) {
            tracing::error!(%error, "{}; it is tried again each second", self.what_fails);
        }
        self.was_well = result.is_ok();
    }
}
