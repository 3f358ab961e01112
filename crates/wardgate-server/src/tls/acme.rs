//! A certificate from an authority: what one node got, and all keep in the database, is served here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior};
use wardgate::{AuthError, CertificateVersion, Challenge, ChosenCertificate, Wardgate};

use super::Certificates;
use crate::failure::Failure;

/// How often each node looks for a certificate that another one got, and for what authorities ask.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// Serves the certificate of an authority.
pub(crate) struct Ordered {
    gate: Wardgate,
    live: Arc<Certificates>,
    /// Which certificate is served.
    version: Option<CertificateVersion>,
    /// What authorities are answered.
    challenges: Vec<Challenge>,
    hangup: Signal,
}

impl Ordered {
    /// Begins with what there is, whoever can be reached, and whether it is of use; from now on SIGHUP no longer ends the
    /// process.
    ///
    /// # Errors
    /// The signal cannot be waited for.
    pub(crate) async fn new(gate: Wardgate, live: Arc<Certificates>) -> Result<Self, Failure> {
        let hangup = signal(SignalKind::hangup())?;
        let mut ordered = Self { gate, live, version: None, challenges: Vec::new(), hangup };
        if let Err(error) = ordered.look().await {
            tracing::error!(%error, "the certificate cannot be served");
        }
        if ordered.version.is_none() {
            tracing::warn!(
                "there is no certificate yet: until an authority has given one, each handshake but its own is refused"
            );
        }
        Ok(ordered)
    }

    /// Orders certificates in time, and takes those that other nodes got. On SIGHUP an order that failed is not waited for.
    /// Never ends.
    pub(crate) async fn keep(mut self) {
        // Apart, since an order takes minutes, in which this node answers for the names like any other.
        tokio::spawn(order(self.gate.clone()));
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
        let look = certificates.look(self.version.as_ref()).await?;
        // Neither waits for the other: without an answer to the authority what is of no use now would stay so.
        let answered = self.answer(look.challenges);
        if let Some(chosen) = look.certificate? {
            self.serve(chosen);
        }
        answered
    }

    fn answer(&mut self, challenges: Vec<Challenge>) -> Result<(), AuthError> {
        if challenges != self.challenges {
            let answer = |challenge: &Challenge| Ok((challenge.name.clone(), Arc::new(challenge.answer()?)));
            let answers: Result<HashMap<_, _>, AuthError> = challenges.iter().map(answer).collect();
            self.live.replace_challenges(answers?);
            self.challenges = challenges;
        }
        Ok(())
    }

    fn serve(&mut self, chosen: ChosenCertificate) {
        let names = chosen.served.facts.names.join(" ");
        self.live.replace(&[chosen.served]);
        self.version = Some(chosen.version);
        if chosen.stands_in {
            tracing::warn!(
                names,
                "another certificate is served until there is one for all names of acme.domains"
            );
        } else {
            tracing::info!(names, "a certificate of the authority is served");
        }
    }
}

async fn order(gate: Wardgate) {
    let mut seconds = Seconds::new("certificates cannot be ordered");
    loop {
        seconds.next().await;
        let gate = gate.clone();
        let tended = apart(async move {
            match gate.certificates() {
                Some(certificates) => certificates.tend().await.map(drop),
                None => Ok(()),
            }
        });
        seconds.note(&tended.await);
    }
}

/// What it gives, also if it panics: whatever an authority answers may end one order, and never all that are to come.
async fn apart(task: impl Future<Output = Result<(), AuthError>> + Send + 'static) -> Result<(), AuthError> {
    let panicked = |error| AuthError::Internal { context: "order a certificate", source: Box::new(error) };
    tokio::spawn(task).await.map_err(panicked)?
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_one_order_is_an_error_like_others() {
        apart(async { Ok(()) }).await.unwrap();
        let error = apart(async { panic!("what an authority said") }).await.unwrap_err();
        assert!(matches!(error, AuthError::Internal { context: "order a certificate", .. }));
    }
}
