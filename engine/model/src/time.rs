//! Time as an argument: instants and spans in milliseconds. Nothing here reads a clock.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimestampMs(pub u64);

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DurationMs(pub u64);

/// Banks and payment companies in China keep Beijing time (UTC+8, no daylight saving).
const BEIJING_OFFSET_MS: u64 = 8 * 3_600_000;
const DAY_MS: u64 = 86_400_000;

impl TimestampMs {
    /// An instant that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// The span since `earlier`; nothing when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> DurationMs {
        DurationMs(self.0.saturating_sub(earlier.0))
    }

    /// Number of the calendar day in Beijing, counted from 1970-01-01.
    #[must_use]
    pub const fn beijing_day(self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a day number stays below 2^32 for u64 milliseconds / 86.4e6 of any real date"
        )]
        {
            ((self.0.saturating_add(BEIJING_OFFSET_MS)) / DAY_MS) as u32
        }
    }

    /// Number of the calendar month in Beijing, counted from January 1970, and the day of it, from 1.
    #[must_use]
    pub const fn beijing_month(self) -> (u32, u32) {
        // Years that begin in March end with the leap day: month and day follow from the day of the year alone.
        let days = self.beijing_day() + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let months = (era * 400 + year_of_era) * 12 + from_march + 2;
        (months.saturating_sub(1_970 * 12), day)
    }

    /// Minute of the day in Beijing, 0 to 1439.
    #[must_use]
    pub const fn beijing_minute(self) -> u16 {
        (self.0.saturating_add(BEIJING_OFFSET_MS) % DAY_MS / 60_000) as u16
    }

    /// Day of the week in Beijing, Monday = 0 to Sunday = 6.
    #[must_use]
    pub const fn beijing_weekday(self) -> u8 {
        ((self.beijing_day() + 3) % 7) as u8
    }
}

impl DurationMs {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1000)
    }

    /// A span of whole days of 24 hours.
    #[must_use]
    pub const fn from_days(days: u64) -> Self {
        Self(days * DAY_MS)
    }
}

impl Add<DurationMs> for TimestampMs {
    type Output = Self;

    fn add(self, span: DurationMs) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<DurationMs> for TimestampMs {
    type Output = Self;

    fn sub(self, span: DurationMs) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_in_beijing() {
        let at = |day: u64| TimestampMs((day * 86_400_000).saturating_sub(8 * 3_600_000));
        assert_eq!(TimestampMs(0).beijing_month(), (0, 1));
        assert_eq!(at(30).beijing_month(), (0, 31));
        assert_eq!(at(31).beijing_month(), (1, 1));
        // 2024-02-29 and 2024-03-01, 2025-12-31 and 2026-01-01.
        assert_eq!(at(19_782).beijing_month(), (649, 29));
        assert_eq!(at(19_783).beijing_month(), (650, 1));
        assert_eq!(at(20_453).beijing_month(), (671, 31));
        assert_eq!(at(20_454).beijing_month(), (672, 1));
    }

    #[test]
    fn beijing_calendar() {
        // 2026-11-22T06:05:36Z is 14:05:36 on a Sunday in Beijing.
        let instant = TimestampMs(1_795_327_536_000);
        assert_eq!(instant.beijing_minute(), 14 * 60 + 5);
        assert_eq!(instant.beijing_weekday(), 6);
        // 16:00Z is midnight in Beijing: the next day begins.
        let midnight = TimestampMs(1_795_363_200_000);
        assert_eq!(midnight.beijing_minute(), 0);
        assert_eq!(midnight.beijing_day(), instant.beijing_day() + 1);
        assert_eq!(midnight.beijing_weekday(), 0);
    }
}
