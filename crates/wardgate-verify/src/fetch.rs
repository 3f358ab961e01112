//! The issuer's published keys, fetched over HTTP and kept fresh.

mod download;
mod error;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::clock;
use crate::keyset::KeySet;
use download::Download;
pub use error::FetchError;

/// Keys older than this are fetched again. The issuer lets its answer be kept as long (`max-age=300`), and publishes
/// a key an hour before it signs with it.
const MAX_AGE: Duration = Duration::from_secs(300);

/// The least time between the beginnings of two fetches, whatever the tokens say: whoever invents key ids must not
/// make this server a hammer on the issuer (RFC 8725 section 3.10 bounds what a header may cause).
const COOL_DOWN: Duration = Duration::from_secs(10);

/// The keys behind one JWKS address. Cloning is cheap; the clones share the keys.
///
/// They are fetched once at the start, and then when a request comes and they are older than 300 seconds, or when a
/// token names a key that is not among them; at most once in 10 seconds. A fetch that fails leaves the keys as they
/// are, is logged as a warning, and is tried again at the next occasion: tokens go on being checked while the issuer is
/// away. A key that the issuer withdraws is refused here from the next fetch on.
///
/// A fetch follows no redirect and no proxy to a loopback address, takes 5 seconds and reads 1 MiB at most.
#[derive(Clone)]
pub struct FetchedKeys(Arc<Inner>);

struct Inner {
    download: Download,
    /// Monotonic.
    now: Box<dyn Fn() -> Duration + Send + Sync>,
    state: RwLock<State>,
    /// Held by the one fetch under way.
    fetching: Arc<Mutex<()>>,
}

struct State {
    keys: Arc<KeySet>,
    fetched_at: Duration,
    /// When the last fetch began, whatever came of it.
    tried_at: Duration,
}

impl FetchedKeys {
    /// Fetches the keys at `url`, as in `https://auth.example.com/.well-known/jwks.json`.
    ///
    /// # Errors
    /// [`FetchError::Address`] for an address that is neither `https` nor on the loopback interface; any other
    /// [`FetchError`] when the keys cannot be had now. A server that cannot check tokens had better not start.
    pub async fn start(url: &str) -> Result<Self, FetchError> {
        Self::start_with_clock(url, clock::monotonic()).await
    }

    /// As [`FetchedKeys::start`], with a monotonic clock that tells how long ago something was: for tests.
    ///
    /// # Errors
    /// Those of [`FetchedKeys::start`].
    pub async fn start_with_clock(
        url: &str,
        now: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Result<Self, FetchError> {
        let download = Download::new(url)?;
        let tried_at = now();
        let keys = Arc::new(download.keys().await?);
        let state = RwLock::new(State { keys, fetched_at: tried_at, tried_at });
        Ok(Self(Arc::new(Inner { download, now: Box::new(now), state, fetching: Arc::default() })))
    }

    /// The keys, fetched again before if they are old or if `kid` is not among them and it is time.
    pub(crate) async fn holding(&self, kid: &str) -> Arc<KeySet> {
        if self.is_due(MAX_AGE) {
            // Only one request waits for this; the others go on with the keys there are.
            if let Ok(turn) = Arc::clone(&self.0.fetching).try_lock_owned() {
                self.fetch_if_due(turn, MAX_AGE).await;
            }
        }
        let keys = self.keys();
        if keys.find(kid).is_some() {
            return keys;
        }
        // Whoever comes while a fetch is under way waits for it, since it may bring the key.
        let turn = Arc::clone(&self.0.fetching).lock_owned().await;
        self.fetch_if_due(turn, Duration::ZERO).await;
        self.keys()
    }

    fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.0.state.read().unwrap_or_else(PoisonError::into_inner).keys)
    }

    /// Says whether the keys are of this age and the last try is long enough ago.
    fn is_due(&self, age: Duration) -> bool {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let now = (self.0.now)();
        now.saturating_sub(state.fetched_at) >= age && now.saturating_sub(state.tried_at) >= COOL_DOWN
    }

    async fn fetch_if_due(&self, turn: OwnedMutexGuard<()>, age: Duration) {
        // Asked again: whoever had the turn before may have fetched.
        if !self.is_due(age) {
            return;
        }
        let keys = self.clone();
        // A task of its own, which holds the turn: a client that hangs up must not be able to end the fetch, or it
        // could use up each cool-down and keep the keys old.
        let task = tokio::spawn(async move {
            keys.fetch().await;
            drop(turn);
        });
        drop(task.await);
    }

    async fn fetch(&self) {
        let began = (self.0.now)();
        self.0.state.write().unwrap_or_else(PoisonError::into_inner).tried_at = began;
        match self.0.download.keys().await {
            Ok(keys) => {
                let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
                (state.keys, state.fetched_at) = (Arc::new(keys), began);
            }
            Err(error) => {
                tracing::warn!(%error, "the issuer's keys could not be fetched; the old ones are kept");
            }
        }
    }
}

impl fmt::Debug for FetchedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedKeys").field("url", &self.0.download.url()).finish_non_exhaustive()
    }
}
