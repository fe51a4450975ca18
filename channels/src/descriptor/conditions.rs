//! Further conditions of a channel: limits over time, maintenance, health, special prices.

use serde::Deserialize;
use suanpan_model::{
    Bank, Commitment, Conditions, Currency, DurationMs, HealthPolicy, Holder, Maintenance, RateLimit,
    SpecialTariff, Tariff, TimestampMs,
};
use toml::value::{Datetime, Offset};

use super::DescriptorFault;
use super::raw::RawBand;
use super::read::bands;
use super::values::Reader;

const RATE_MAX: u32 = 1_000_000;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawConditions {
    pub holders: Vec<String>,
    pub monthly_quota: Option<String>,
    pub commitment: Option<RawCommitment>,
    pub maintenance: Vec<RawMaintenance>,
    pub rate_limit: Option<RawRateLimit>,
    pub health: RawHealth,
    pub special_tariffs: Vec<RawSpecialTariff>,
    pub own_cost: Option<RawBand>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawCommitment {
    pub minimum: Option<String>,
    pub maximum: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawMaintenance {
    pub from: Datetime,
    pub until: Datetime,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRateLimit {
    pub per_second: u32,
    pub burst: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawHealth {
    pub window: Option<u8>,
    pub faults_min: Option<u8>,
    pub faults: Option<String>,
    pub slow_ms: Option<u64>,
    pub open_ms: Option<u64>,
    pub open_max_ms: Option<u64>,
    pub probes: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSpecialTariff {
    pub bank: Option<String>,
    pub volume_from: Option<String>,
    pub debit: Vec<RawBand>,
    #[serde(default)]
    pub credit: Vec<RawBand>,
}

/// Checks the values of one table.
pub fn conditions(
    read: Reader<'_>,
    raw: &RawConditions,
    currency: Currency,
) -> Result<Conditions, DescriptorFault> {
    let holders = match raw.holders.as_slice() {
        [] => Vec::new(),
        names => read.list("conditions.holders", names, "person or company", Holder::from_name)?,
    };
    let amount = |key: &str, text: &Option<String>| {
        text.as_deref().map(|text| read.amount(&format!("conditions.{key}"), text, currency)).transpose()
    };
    let commitment = match &raw.commitment {
        None => None,
        Some(agreed) => {
            let minimum = amount("commitment.minimum", &agreed.minimum)?.unwrap_or_default();
            let maximum = amount("commitment.maximum", &agreed.maximum)?;
            if maximum.is_some_and(|maximum| maximum < minimum) {
                let found = agreed.maximum.as_deref().unwrap_or_default();
                return Err(read.fault("conditions.commitment.maximum", "not less than the minimum", found));
            }
            Some(Commitment { minimum, maximum })
        }
    };
    let rate_limit = match &raw.rate_limit {
        None => None,
        Some(limit) => {
            let burst = limit.burst.unwrap_or(limit.per_second);
            let within = |number: u32| (1..=RATE_MAX).contains(&number);
            if !within(limit.per_second) || !within(burst) {
                let found = format!("{} a second, {burst} at once", limit.per_second);
                return Err(read.fault("conditions.rate_limit", "numbers from 1 to 1000000", &found));
            }
            Some(RateLimit { per_second: limit.per_second, burst })
        }
    };
    let own_cost = match &raw.own_cost {
        None => None,
        Some(band) => bands(read, "own_cost", std::slice::from_ref(band), currency)?.into_iter().next(),
    };
    Ok(Conditions {
        holders,
        monthly_quota: amount("monthly_quota", &raw.monthly_quota)?,
        commitment,
        maintenance: raw.maintenance.iter().map(|one| maintenance(read, one)).collect::<Result<_, _>>()?,
        rate_limit,
        health: health(read, &raw.health)?,
        special_tariffs: raw
            .special_tariffs
            .iter()
            .map(|one| special_tariff(read, one, currency))
            .collect::<Result<_, _>>()?,
        own_cost,
    })
}

fn special_tariff(
    read: Reader<'_>,
    raw: &RawSpecialTariff,
    currency: Currency,
) -> Result<SpecialTariff, DescriptorFault> {
    let bank = match &raw.bank {
        None => None,
        Some(code) => Some(Bank::from_code(code).ok_or_else(|| {
            let expected = "a bank code of two to eight capital letters or digits";
            read.fault("conditions.special_tariffs.bank", expected, code)
        })?),
    };
    let debit = bands(read, "special.debit", &raw.debit, currency)?;
    if debit.is_empty() {
        return Err(read.fault("conditions.special_tariffs.debit", "at least one band", "[]"));
    }
    let volume_from = raw.volume_from.as_deref();
    Ok(SpecialTariff {
        bank,
        volume_from: read.amount_or_zero("conditions.special_tariffs.volume_from", volume_from, currency)?,
        tariff: Tariff { debit, credit: bands(read, "special.credit", &raw.credit, currency)? },
    })
}

fn health(read: Reader<'_>, raw: &RawHealth) -> Result<HealthPolicy, DescriptorFault> {
    let usual = HealthPolicy::default();
    let ms = |wait: Option<u64>, usual: DurationMs| wait.map_or(usual, DurationMs);
    let policy = HealthPolicy {
        window: raw.window.unwrap_or(usual.window),
        faults_min: raw.faults_min.unwrap_or(usual.faults_min),
        faults_ppm: match raw.faults.as_deref() {
            None => usual.faults_ppm,
            text => read.ppm("conditions.health.faults", text)?,
        },
        slow: raw.slow_ms.map(DurationMs),
        open: ms(raw.open_ms, usual.open),
        open_max: ms(raw.open_max_ms, usual.open_max.max(ms(raw.open_ms, usual.open))),
        probes: raw.probes.unwrap_or(usual.probes),
    };
    let counts = (1..=32).contains(&policy.window) && (1..=policy.window).contains(&policy.faults_min);
    if !counts || policy.probes == 0 || policy.open.0 == 0 || policy.open_max < policy.open {
        let expected = "window 1 to 32, faults_min 1 to window, probes from 1, open_ms from 1 to open_max_ms";
        return Err(read.fault("conditions.health", expected, &format!("{policy:?}")));
    }
    Ok(policy)
}

pub fn maintenance(read: Reader<'_>, raw: &RawMaintenance) -> Result<Maintenance, DescriptorFault> {
    let instant = |at: &Datetime| {
        let expected = "times with their offset, such as 2026-12-31T23:00:00+08:00";
        instant(at).ok_or_else(|| read.fault("maintenance", expected, &at.to_string()))
    };
    let (from, until) = (instant(&raw.from)?, instant(&raw.until)?);
    if until <= from {
        return Err(read.fault("maintenance.until", "a time after from", &raw.until.to_string()));
    }
    Ok(Maintenance { from, until })
}

/// The instant of a time with date and offset, not before 1970.
fn instant(at: &Datetime) -> Option<TimestampMs> {
    let (date, time, offset) = (at.date?, at.time?, at.offset?);
    let minutes_east = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    // Days since 1970-01-01, counted in years that begin in March.
    let (year, month) = (i64::from(date.year), i64::from(date.month));
    let (year, from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * from_march + 2) / 5 + i64::from(date.day) - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468;
    let seconds =
        i64::from(time.hour) * 3_600 + i64::from(time.minute) * 60 + i64::from(time.second.unwrap_or(0));
    let ms = (days * 86_400 + seconds - minutes_east * 60) * 1_000;
    u64::try_from(ms).ok().map(TimestampMs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_offsets() {
        let at = |text: &str| instant(&text.parse().unwrap()).map(|at| at.0);
        assert_eq!(at("1970-01-01T08:00:00+08:00"), Some(0));
        assert_eq!(at("2026-11-22T06:05:36Z"), Some(1_795_327_536_000));
        assert_eq!(at("2024-02-29T00:00:00Z"), Some(1_709_164_800_000));
        assert_eq!(at("2026-11-22T06:05:36"), None);
    }
}
