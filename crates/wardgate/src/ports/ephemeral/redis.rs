//! Counters that all nodes share, in Redis or Valkey.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, Script};
use tokio::time::timeout;
use tracing::Instrument as _;

use super::memory::Memory;
use super::{BoxFuture, Demand, Ephemeral, Refused, TOUCHED, until_gone};
use crate::ports::Clock;

/// How long a request waits for the shared counters before it is counted here.
const PATIENCE: Duration = Duration::from_millis(250);

/// While the counters are gone, one request in this time asks for them; the others do not wait.
const PAUSE: Duration = Duration::from_secs(1);

/// Looks at all windows first and counts in all or in none, in one step that nothing comes between.
///
/// A window is a hash from slot to count. Slots of the future count too: the nodes' clocks may differ. Returns which
/// window has no room, and the slot whose end makes some.
const TAKE: &str = r"
for i = 1, #KEYS do
  local slot, requests = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  local all, sum, live = redis.call('HGETALL', KEYS[i]), 0, {}
  for j = 1, #all, 2 do
    local at, count = tonumber(all[j]), tonumber(all[j + 1])
    if at + 7 <= slot then
      redis.call('HDEL', KEYS[i], all[j])
    else
      sum = sum + count
      live[#live + 1] = { at, count }
    end
  end
  if sum >= requests then
    table.sort(live, function(a, b) return a[1] < b[1] end)
    for _, window in ipairs(live) do
      sum = sum - window[2]
      if sum < requests then return { i, window[1] } end
    end
    return { i, slot }
  end
end
for i = 1, #KEYS do
  redis.call('HINCRBY', KEYS[i], ARGV[3 * i - 2], 1)
  redis.call('PEXPIRE', KEYS[i], ARGV[3 * i])
end
return { 0, 0 }
";

// The script has the number as a text.
const _: () = assert!(TOUCHED == 7);

/// Sliding windows in Redis; in memory, and stricter, while that cannot be asked.
pub(crate) struct Redis {
    manager: ConnectionManager,
    take: Script,
    clock: Arc<dyn Clock>,
    fallback: Memory,
    lost: AtomicBool,
    /// When the lost counters are asked for next, in milliseconds of the monotonic clock.
    ask_at: AtomicU64,
}

/// What is wrong with a URL, if it is no address of a Redis.
///
/// # Errors
/// A text without the URL, which may hold a password.
pub(crate) fn check_url(url: &str) -> Result<(), String> {
    client(url).map(drop)
}

fn client(url: &str) -> Result<Client, String> {
    Client::open(url).map_err(|error| format!("no address of a Redis: {}", error.category()))
}

impl Redis {
    /// Connects when first asked: a Redis that is down keeps no server from starting.
    ///
    /// # Errors
    /// A URL that is none.
    pub(crate) fn new(url: &str, clock: Arc<dyn Clock>, nodes: u32) -> Result<Self, String> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(1);
        let manager = ConnectionManager::new_lazy_with_config(client(url)?, config);
        let manager = manager.map_err(|error| error.category().to_owned())?;
        // What had been counted in Redis is lost with it, so even a single node takes no more than half.
        let fallback = Memory::new(Arc::clone(&clock), nodes.max(2));
        Ok(Self {
            manager,
            take: Script::new(TAKE),
            clock,
            fallback,
            lost: AtomicBool::new(false),
            ask_at: AtomicU64::new(0),
        })
    }

    async fn take_shared(&self, demands: &[Demand]) -> Result<Result<(), Refused>, RedisError> {
        let now = u64::try_from(self.clock.now().as_millis()).unwrap_or_default();
        let mut call = self.take.prepare_invoke();
        for Demand { key, limit } in demands {
            let slot = limit.slot_millis();
            // No address and no identifier: the key is a keyed hash.
            call.key(format!("wardgate:{}:{key:032x}", limit.name));
            call.arg(now / slot).arg(limit.requests).arg(slot * (TOUCHED + 1));
        }
        let (full, freeing): (usize, u64) = call.invoke_async(&mut self.manager.clone()).await?;
        Ok(match full.checked_sub(1).and_then(|index| demands.get(index)) {
            None => Ok(()),
            Some(Demand { limit, .. }) => {
                Err(Refused { limit: *limit, retry_after: until_gone(freeing, limit.slot_millis(), now) })
            }
        })
    }

    fn may_ask(&self) -> bool {
        let now = self.monotonic();
        let due = self.ask_at.load(Ordering::Relaxed);
        if !self.lost.load(Ordering::Relaxed) {
            return true;
        }
        let next = now + u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        now >= due && self.ask_at.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn monotonic(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX)
    }

    /// Says each change once, not each request.
    fn found(&self) {
        if self.lost.swap(false, Ordering::Relaxed) {
            tracing::info!("the shared counters of the rate limits are back");
        }
    }

    fn missed(&self, cause: &str) {
        let next = self.monotonic() + u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        self.ask_at.store(next, Ordering::Relaxed);
        if !self.lost.swap(true, Ordering::Relaxed) {
            tracing::warn!(cause, "Redis cannot be asked: rate limits are counted here, and are stricter");
        }
    }
}

/// `None` if it takes too long.
async fn patiently<T>(asked: impl Future<Output = T>) -> Option<T> {
    timeout(PATIENCE, asked).await.ok()
}

impl Ephemeral for Redis {
    fn take<'a>(&'a self, demands: &'a [Demand]) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            if self.may_ask() {
                let span = tracing::trace_span!("count in Redis", otel.kind = "client");
                match patiently(self.take_shared(demands)).instrument(span).await {
                    Some(Ok(taken)) => {
                        self.found();
                        return taken;
                    }
                    Some(Err(error)) => self.missed(&error.to_string()),
                    None => self.missed("no answer in time"),
                }
            }
            self.fallback.take_now(demands)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Limit;
    use super::*;
    use crate::ports::SystemClock;

    #[tokio::test]
    async fn what_is_counted_stays_as_long_as_it_counts_and_then_goes_by_itself() {
        // S-116, S-156
        let Ok(url) = std::env::var("WARDGATE_TEST_REDIS") else { return };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let redis = Redis::new(&url, Arc::clone(&clock), 1).unwrap();
        let limit = Limit { name: "test", requests: 2, window: Duration::from_secs(60) };
        // A key that no other run has.
        let key = u128::from(std::process::id()) << 64 | clock.now().as_millis() as u128;
        let demand = [Demand { key, limit }];
        assert!(redis.take(&demand).await.is_ok() && redis.take(&demand).await.is_ok());
        assert_eq!(redis.take(&demand).await.unwrap_err().limit, limit);
        assert!(!redis.lost.load(Ordering::Relaxed), "Redis counted, not this process");
        let mut asked = redis::cmd("PTTL");
        let rest: u64 = asked
            .arg(format!("wardgate:test:{key:032x}"))
            .query_async(&mut redis.manager.clone())
            .await
            .unwrap();
        // The slot in which the window began counts whole.
        assert!((70_000..=80_000).contains(&rest), "{rest}");
    }
}
