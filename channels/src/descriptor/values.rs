//! Values of a descriptor, each checked with an error that names channel, key and what was expected.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use suanpan_model::{Amount, Currency, ServiceHours};

use super::DescriptorFault;
use crate::behaviour::{Latency, Rate};
use crate::descriptor::raw::RawLatency;

/// The channel whose table is read.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub channel: &'a str,
}

impl Reader<'_> {
    pub fn fault(self, key: &str, expected: &str, found: &str) -> DescriptorFault {
        DescriptorFault::Value {
            channel: self.channel.to_owned(),
            key: key.to_owned(),
            expected: expected.to_owned(),
            found: format!("`{found}`"),
        }
    }

    /// A non-empty list without repeats, each item read by `read`.
    pub fn list<T: PartialEq>(
        self,
        key: &str,
        items: &[String],
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, DescriptorFault> {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            let value = read(item).ok_or_else(|| self.fault(key, expected, item))?;
            if values.contains(&value) {
                return Err(self.fault(key, "each value once", item));
            }
            values.push(value);
        }
        if values.is_empty() { Err(self.fault(key, expected, "[]")) } else { Ok(values) }
    }

    pub fn amount(self, key: &str, text: &str, currency: Currency) -> Result<Amount, DescriptorFault> {
        Amount::parse(text, currency)
            .map_err(|error| self.fault(key, &format!("an amount in {currency} ({error})"), text))
    }

    pub fn amount_or_zero(
        self,
        key: &str,
        text: Option<&str>,
        currency: Currency,
    ) -> Result<Amount, DescriptorFault> {
        text.map_or(Ok(Amount::ZERO), |text| self.amount(key, text, currency))
    }

    /// A share such as `0.38%` or `0.0038` in parts per million, exactly.
    pub fn ppm(self, key: &str, text: Option<&str>) -> Result<u32, DescriptorFault> {
        const EXPECTED: &str = "a share from 0% to 100% in whole parts per million, such as 0.38% or 0.0038";
        let Some(text) = text else {
            return Ok(0);
        };
        let (digits, unit) = match text.strip_suffix('%') {
            Some(digits) => (digits, Decimal::from(10_000)),
            None => (text, Decimal::from(1_000_000)),
        };
        // Plain decimals only: the library would also take signs and underscores.
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let share = if plain { Decimal::from_str_exact(digits).ok() } else { None };
        share
            .and_then(|share| share.checked_mul(unit))
            .filter(|ppm| ppm.fract().is_zero() && *ppm <= Decimal::from(1_000_000))
            .and_then(|ppm| ppm.to_u32())
            .ok_or_else(|| self.fault(key, EXPECTED, text))
    }

    pub fn rate(self, key: &str, text: Option<&str>) -> Result<Rate, DescriptorFault> {
        self.ppm(key, text).map(Rate::from_ppm)
    }

    pub fn latency(self, key: &str, raw: RawLatency) -> Result<Latency, DescriptorFault> {
        if (raw.p50 == 0) != (raw.p99 == 0) || raw.p99 < raw.p50 {
            let found = format!("p50 = {}, p99 = {}", raw.p50, raw.p99);
            return Err(self.fault(
                key,
                "p50 and p99 in milliseconds, p99 not below p50, both 0 or neither",
                &found,
            ));
        }
        Ok(Latency { p50_ms: raw.p50, p99_ms: raw.p99 })
    }

    /// `HH:MM-HH:MM` in Beijing.
    pub fn hours(self, key: &str, text: &str) -> Result<ServiceHours, DescriptorFault> {
        let hours = text.split_once('-').and_then(|(from, until)| {
            let (from_minute, until_minute) = (minute(from)?, minute(until)?);
            (from_minute < 1_440 && from_minute != until_minute)
                .then_some(ServiceHours { from_minute, until_minute })
        });
        hours.ok_or_else(|| {
            self.fault(key, "two different times of the day in Beijing, such as 00:30-23:30", text)
        })
    }
}

/// Minute of the day of `HH:MM`, up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !two_digits(hour) || !two_digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let whole = hour * 60 + minute;
    (minute < 60 && whole <= 1_440).then_some(whole)
}
