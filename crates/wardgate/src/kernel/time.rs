//! Instants, as milliseconds since 1970 in UTC.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A point in time in milliseconds since the Unix epoch; printed and serialized as RFC 3339 in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down: a JWT NumericDate (RFC 7519 §2).
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// `by` later; saturates at the end of time.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// `by` earlier; saturates.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// When the day in UTC that this lies in began, and when it ends.
    pub(crate) fn utc_day(self) -> (Self, Self) {
        self.utc_period(|date| Ok((date, date.tomorrow()?)))
    }

    /// When the month in UTC that this lies in began, and when it ends.
    pub(crate) fn utc_month(self) -> (Self, Self) {
        self.utc_period(|date| Ok((date.first_of_month(), date.last_of_month().tomorrow()?)))
    }

    /// At the ends of time, where there is no calendar, the period is that moment.
    fn utc_period(
        self,
        around: impl Fn(jiff::civil::Date) -> Result<(jiff::civil::Date, jiff::civil::Date), jiff::Error>,
    ) -> (Self, Self) {
        let utc = jiff::tz::Offset::UTC;
        let millis = |date: jiff::civil::Date| {
            utc.to_timestamp(date.to_datetime(jiff::civil::Time::midnight()))
                .map(|at| Self(at.as_millisecond()))
        };
        let period = jiff::Timestamp::from_millisecond(self.0).and_then(|at| {
            let (first, next) = around(utc.to_datetime(at).date())?;
            Ok((millis(first)?, millis(next)?))
        });
        period.unwrap_or((self, self))
    }

    /// As `format` of strftime says, in UTC.
    pub(crate) fn strftime(self, format: &str) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .map_or_else(|_| self.to_string(), |at| at.strftime(format).to_string())
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// The text is no time as of RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time as of RFC 3339, such as 2026-01-31T09:30:00Z")]
pub struct InvalidTimestamp;

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Reads RFC 3339 with any offset; what is finer than a millisecond is cut.
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let at: jiff::Timestamp = text.parse().map_err(|_| InvalidTimestamp)?;
        Ok(Self(at.as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_as_rfc_3339_in_utc() {
        assert_eq!(Timestamp::from_millis(1_700_000_000_120).to_string(), "2023-11-14T22:13:20.120Z");
    }

    #[test]
    fn it_reads_what_it_prints_and_any_offset() {
        let at = Timestamp::from_millis(1_700_000_000_120);
        assert_eq!(at.to_string().parse(), Ok(at));
        assert_eq!("2023-11-14T23:13:20.1209+01:00".parse(), Ok(at));
        for wrong in
            ["", "yesterday", "2023-11-14", "2023-11-14T22:13:20", "1700000000", "2023-13-14T22:13:20Z"]
        {
            assert_eq!(wrong.parse::<Timestamp>(), Err(InvalidTimestamp), "{wrong}");
        }
    }

    #[test]
    fn seconds_round_down_also_before_1970() {
        assert_eq!(Timestamp::from_millis(-1).as_seconds(), -1);
        assert_eq!(Timestamp::from_millis(1999).as_seconds(), 1);
    }

    #[test]
    fn since_never_runs_backwards() {
        let (early, late) = (Timestamp::from_millis(5), Timestamp::from_millis(9));
        assert_eq!(late.since(early), Duration::from_millis(4));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
