//! Durations as people write them: `15m`, `30s`, `7d`, `1h30m`, `250ms`.

use std::time::Duration;

/// The units and their milliseconds, from the longest to the shortest.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration: numbers with units, from the longest unit to the shortest and each once; or `0`.
///
/// `None` for anything else, also for a bare number: whether `15` means seconds or minutes is nobody's to guess.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut milliseconds, mut units) = (text, 0_u64, UNITS.as_slice());
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split(after, |c| c.is_ascii_digit());
        let at = units.iter().position(|(name, _)| *name == unit)?;
        milliseconds = milliseconds.checked_add(number.parse::<u64>().ok()?.checked_mul(units[at].1)?)?;
        (rest, units) = (after, &units[at + 1..]);
    }
    (!text.is_empty()).then(|| Duration::from_millis(milliseconds))
}

fn split(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let cases = [
            ("0", 0),
            ("0s", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("15m", 900_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("1d2h3m4s5ms", 93_784_005),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn refuses_what_could_mean_two_things() {
        for text in ["", "15", "m", "1.5h", "-1s", "15 m", "15M", "30m1h", "1m1m", "1w", "1ms1s", "é5s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_past_all_time_is_refused_and_does_not_wrap() {
        assert_eq!(parse("18446744073709551615d"), None);
        assert_eq!(parse("213503982334d15h"), None);
        assert_eq!(parse("99999999999999999999s"), None);
    }
}
