//! Forms of text that configuration and API share: times and percentages.

use suanpan_model::{Amount, Currency, TimestampMs};

/// Reads a time of RFC 3339 from 1970 on.
#[must_use]
pub fn parse_time(text: &str) -> Option<TimestampMs> {
    let instant: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(instant.as_millisecond()).ok().map(TimestampMs)
}

/// Writes a time as RFC 3339 in UTC; an instant beyond the calendar (one that never comes) as `never`.
#[must_use]
pub fn time_text(instant: TimestampMs) -> String {
    i64::try_from(instant.0)
        .ok()
        .and_then(|milliseconds| jiff::Timestamp::from_millisecond(milliseconds).ok())
        .map_or_else(|| "never".to_owned(), |instant| instant.to_string())
}

/// Reads a percentage with at most two decimals, without sign, as basis points: `5.25` is 525.
#[must_use]
pub fn parse_percent(text: &str) -> Option<u32> {
    // A percentage in basis points has the same form as an amount in cents: exact, two decimals.
    let points = Amount::parse(text, Currency::Cny).ok()?.minor();
    u32::try_from(points).ok().filter(|points| *points <= 10_000)
}

/// Writes basis points as a percentage: 525 is `5.25`.
#[must_use]
pub fn percent_text(bps: u32) -> String {
    format!("{}.{:02}", bps / 100, bps % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_exact_or_refused() {
        let table = [
            ("5.25", Some(525)),
            ("0.01", Some(1)),
            ("100", Some(10_000)),
            ("100.01", None),
            ("5.255", None),
            ("-1", None),
            ("1e1", None),
            ("5%", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_percent(text), expected, "{text:?}");
        }
        for bps in [0, 1, 10, 525, 10_000] {
            assert_eq!(parse_percent(&percent_text(bps)), Some(bps));
        }
    }

    #[test]
    fn times_read_back() {
        let instant = parse_time("2026-11-22T14:05:36+08:00").unwrap();
        assert_eq!(instant, TimestampMs(1_795_327_536_000));
        assert_eq!(time_text(instant), "2026-11-22T06:05:36Z");
        assert_eq!(time_text(TimestampMs::NEVER), "never");
        for bad in ["", "now", "2026-11-22", "2026-11-22T14:05:36", "1969-12-31T23:59:59Z"] {
            assert_eq!(parse_time(bad), None, "{bad:?}");
        }
    }
}
