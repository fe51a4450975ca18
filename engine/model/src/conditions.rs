//! Further conditions under which a channel works: limits over time, maintenance, health, special prices.

use crate::attributes::Holder;
use crate::capability::{Tariff, TariffBand};
use crate::money::Amount;
use crate::order::Bank;
use crate::time::{DurationMs, TimestampMs};

/// A stretch of time in which a channel does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// First instant of it.
    pub from: TimestampMs,
    /// First instant after it.
    pub until: TimestampMs,
}

impl Maintenance {
    /// Whether `now` lies in it.
    #[must_use]
    pub fn contains(self, now: TimestampMs) -> bool {
        self.from <= now && now < self.until
    }
}

/// How fast a channel may be called: a bucket of `burst` tokens that fills at `per_second`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Payments per second.
    pub per_second: u32,
    /// Payments that may come at once.
    pub burst: u32,
}

/// What was agreed with a channel about the volume of one calendar month in Beijing, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Commitment {
    /// Volume to reach; nothing when zero.
    pub minimum: Amount,
    /// Volume not to pass.
    pub maximum: Option<Amount>,
}

/// When a channel counts as sick, and how it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthPolicy {
    /// How many of the last answers are looked at, 1 to 32.
    pub window: u8,
    /// Faults among them from which the circuit opens, if they are also at least `faults_ppm` of them.
    pub faults_min: u8,
    /// Share of faults among them from which the circuit opens, in parts per million.
    pub faults_ppm: u32,
    /// An answer that takes longer counts as a fault; none does when absent.
    pub slow: Option<DurationMs>,
    /// How long an open circuit lets nothing through; doubled each time a probe fails.
    pub open: DurationMs,
    /// Longest such time.
    pub open_max: DurationMs,
    /// Payments that are let through as probes; the circuit closes when all of them are answered well.
    pub probes: u8,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self {
            window: 20,
            faults_min: 5,
            faults_ppm: 500_000,
            slow: None,
            open: DurationMs::from_secs(30),
            open_max: DurationMs::from_secs(600),
            probes: 3,
        }
    }
}

/// A tariff that replaces the channel's own for some payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecialTariff {
    /// For cards of this bank only; for every bank when absent.
    pub bank: Option<Bank>,
    /// From this volume of the month on, in minor units.
    pub volume_from: Amount,
    /// The prices.
    pub tariff: Tariff,
}

/// Further conditions of a channel; the default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Who may pay; everybody when empty.
    pub holders: Vec<Holder>,
    /// What it takes in one calendar month in Beijing, in minor units.
    pub monthly_quota: Option<Amount>,
    /// What was agreed about the month's volume.
    pub commitment: Option<Commitment>,
    /// When it does not work.
    pub maintenance: Vec<Maintenance>,
    /// How fast it may be called.
    pub rate_limit: Option<RateLimit>,
    /// When it counts as sick.
    pub health: HealthPolicy,
    /// Prices for some banks, and from some volume of the month on. Of those that apply, one for the bank comes before
    /// one for every bank, and then the one with the higher volume.
    pub special_tariffs: Vec<SpecialTariff>,
    /// What a payment costs the operator beside the channel's fee: of the own bank, what its clearing costs (本行成本).
    pub own_cost: Option<TariffBand>,
}

impl Conditions {
    /// The special tariff of a payment, if one applies.
    #[must_use]
    pub fn special_tariff(&self, bank: Option<Bank>, month_volume: Amount) -> Option<&Tariff> {
        let applies = |special: &&SpecialTariff| {
            special.volume_from <= month_volume && special.bank.is_none_or(|named| Some(named) == bank)
        };
        let of_applying = self.special_tariffs.iter().filter(applies);
        of_applying.max_by_key(|one| (one.bank.is_some(), one.volume_from)).map(|one| &one.tariff)
    }
}
