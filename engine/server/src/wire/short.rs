//! Numbers, amounts and times of answers as short texts that need no memory of their own: an answer to a batch has
//! thousands of them.

use serde::{Serialize, Serializer};
use suanpan_model::{Amount, Currency, OrderId, TimestampMs};

use crate::text::time_text;

/// Room for the longest: an amount of twenty digits with its point, a time with milliseconds.
const BYTES: usize = 24;
/// The last instant that is written here, the end of the year 9998; what comes later is left to [`time_text`].
const LAST_MS: u64 = 253_370_764_799_999;

/// A short text, written from its end to its beginning.
#[derive(Clone, Copy, Debug)]
pub struct Short {
    bytes: [u8; BYTES],
    begin: usize,
}

impl Short {
    const EMPTY: Self = Self { bytes: [b'0'; BYTES], begin: BYTES };

    /// An order's number.
    #[must_use]
    pub fn order(order: OrderId) -> Self {
        let mut text = Self::EMPTY;
        text.digits(order.0, 1);
        text
    }

    /// An amount, as [`Amount::to_text`] writes it.
    #[must_use]
    pub fn amount(amount: Amount, currency: Currency) -> Self {
        let mut text = Self::EMPTY;
        let mut minor = amount.minor();
        let decimals = currency.decimals() as usize;
        if decimals > 0 {
            for _ in 0..decimals {
                text.digits(minor % 10, 1);
                minor /= 10;
            }
            text.put(b'.');
        }
        text.digits(minor, 1);
        text
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Nothing but ASCII was put in.
        str::from_utf8(&self.bytes[self.begin..]).unwrap_or_default()
    }

    /// The bytes of the text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.begin..]
    }

    fn put(&mut self, byte: u8) {
        self.begin -= 1;
        self.bytes[self.begin] = byte;
    }

    /// Puts a number in front, with zeros up to `width`.
    fn digits(&mut self, mut number: u64, width: usize) {
        let end = self.begin;
        while number > 0 || end - self.begin < width {
            self.put(b'0' + u8::try_from(number % 10).unwrap_or(0));
            number /= 10;
        }
    }

    /// Year, month and day that begin `days` days after 1970, from the year 1970 to 9999 (the algorithm is that of
    /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    fn date(&mut self, days: u64) {
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        self.digits(day, 2);
        self.put(b'-');
        self.digits(month, 2);
        self.put(b'-');
        self.digits(year, 4);
    }
}

impl Serialize for Short {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An instant as [`time_text`] writes it.
#[derive(Clone, Debug)]
pub enum Instant {
    /// One of the calendar.
    Short(Short),
    /// Any other.
    Long(String),
}

impl Instant {
    /// The text of an instant.
    #[must_use]
    pub fn new(instant: TimestampMs) -> Self {
        if instant.0 > LAST_MS {
            return Self::Long(time_text(instant));
        }
        let mut text = Short::EMPTY;
        let (seconds, mut part, mut width) = (instant.0 / 1_000, instant.0 % 1_000, 3);
        text.put(b'Z');
        if part > 0 {
            // As short as it can be said.
            while part % 10 == 0 {
                part /= 10;
                width -= 1;
            }
            text.digits(part, width);
            text.put(b'.');
        }
        text.digits(seconds % 60, 2);
        text.put(b':');
        text.digits(seconds / 60 % 60, 2);
        text.put(b':');
        text.digits(seconds / 3_600 % 24, 2);
        text.put(b'T');
        text.date(seconds / 86_400);
        Self::Short(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Short(text) => text.as_str(),
            Self::Long(text) => text,
        }
    }

    /// The bytes of the text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(text) => text.as_bytes(),
            Self::Long(text) => text.as_bytes(),
        }
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edges_are_written_as_the_long_way_writes_them() {
        let day_ms = 86_400_000;
        let leap = 951_782_400_000; // 2000-02-29
        for ms in [0, 1, 10, 100, 999, 1_000, leap - 1, leap, leap + day_ms, LAST_MS, LAST_MS + 1, u64::MAX] {
            let instant = TimestampMs(ms);
            assert_eq!(Instant::new(instant).as_str(), time_text(instant), "{ms}");
        }
        for minor in [0, 1, 9, 10, 99, 100, 101, Amount::MAX.minor()] {
            for currency in Currency::ALL {
                let amount = Amount::from_minor(minor);
                assert_eq!(Short::amount(amount, currency).as_str(), amount.to_text(currency));
            }
        }
        assert_eq!(Short::order(OrderId(0)).as_str(), "0");
        assert_eq!(Short::order(OrderId(u64::MAX)).as_str(), u64::MAX.to_string());
    }

    proptest! {
        #[test]
        fn times_and_amounts_are_written_as_the_long_way_writes_them(ms in 0..=LAST_MS, minor in 0..=Amount::MAX.minor()) {
            let short = Instant::new(TimestampMs(ms));
            prop_assert_eq!(short.as_str(), time_text(TimestampMs(ms)));
            let amount = Amount::from_minor(minor);
            for currency in Currency::ALL {
                prop_assert_eq!(Short::amount(amount, currency).as_str().to_owned(), amount.to_text(currency));
            }
        }
    }
}
