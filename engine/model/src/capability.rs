//! What a channel can do and what it costs: data that routing reads and adapters publish.

use smol_str::SmolStr;

use crate::ids::ChannelId;
use crate::money::{Amount, Currency};
use crate::order::{Bank, CardType, PayKind};
use crate::time::DurationMs;

/// Banks that a channel reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Banks {
    /// Every bank, and payments for which no bank is named.
    All,
    /// These banks only, sorted.
    Only(Vec<Bank>),
}

impl Banks {
    /// Whether a payment from `bank` (`None`: not known yet) can be taken.
    #[must_use]
    pub fn reach(&self, bank: Option<Bank>) -> bool {
        match (self, bank) {
            (Self::All, _) => true,
            (Self::Only(_), None) => false,
            (Self::Only(banks), Some(bank)) => banks.binary_search(&bank).is_ok(),
        }
    }
}

/// Minutes of the day in Beijing between which a channel works: from `from` up to but not including `until`;
/// over midnight when `until` is not after `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceHours {
    /// First minute, 0 to 1439.
    pub from_minute: u16,
    /// First minute after, 0 to 1440.
    pub until_minute: u16,
}

impl ServiceHours {
    /// Whether the channel works at `minute` of the day.
    #[must_use]
    pub const fn contain(self, minute: u16) -> bool {
        if self.from_minute < self.until_minute {
            self.from_minute <= minute && minute < self.until_minute
        } else {
            self.from_minute <= minute || minute < self.until_minute
        }
    }
}

/// Price of payments up to an amount: `fixed + amount × rate`, then not below `floor`, then not above `cap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TariffBand {
    /// Largest amount of the band in minor units; the last band has none.
    pub up_to: Option<Amount>,
    /// Rate in parts per million (0.6 % = 6 000).
    pub rate_ppm: u32,
    /// Fixed part in minor units.
    pub fixed: Amount,
    /// Smallest fee in minor units.
    pub floor: Amount,
    /// Largest fee in minor units.
    pub cap: Option<Amount>,
}

/// A channel's tariff: bands by amount, ascending, per kind of card where they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariff {
    /// Bands for debit cards and where the kind of card is not known.
    pub debit: Vec<TariffBand>,
    /// Bands for credit cards; those of debit cards when empty.
    pub credit: Vec<TariffBand>,
}

/// Capability descriptor of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Its number, also the owner of its clearing account.
    pub id: ChannelId,
    /// Its name in configuration, API and metrics: lower case letters, digits, `_`.
    pub name: SmolStr,
    /// What people call it.
    pub title: SmolStr,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Whether it is the operator's own bank (本行).
    pub own_bank: bool,
    /// Kinds of payment it takes; never [`PayKind::Balance`].
    pub kinds: Vec<PayKind>,
    /// Currencies it takes.
    pub currencies: Vec<Currency>,
    /// Banks it reaches.
    pub banks: Banks,
    /// Kinds of card it takes.
    pub card_types: Vec<CardType>,
    /// Smallest single amount in minor units.
    pub amount_min: Amount,
    /// Largest single amount in minor units.
    pub amount_max: Amount,
    /// What it takes on one calendar day in Beijing, in minor units.
    pub daily_quota: Option<Amount>,
    /// When it works; always when absent.
    pub hours: Option<ServiceHours>,
    /// What it costs.
    pub tariff: Tariff,
    /// Waits between queries of a payment in doubt; the last one repeats.
    pub query_ladder: Vec<DurationMs>,
    /// How long an answer is awaited.
    pub call_timeout: DurationMs,
    /// How many calls may be under way at once.
    pub calls_max: usize,
}

/// The query ladder of a channel that does not name its own: 2, 3, 5, 10, 20, 30 s, 1, 2, 5, 10, 30 min, then
/// hourly.
pub const QUERY_LADDER_SECS: [u64; 12] = [2, 3, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600];

impl Capability {
    /// The wait before query number `queries` (from 0).
    #[must_use]
    pub fn query_wait(&self, queries: u16) -> DurationMs {
        let last = DurationMs::from_secs(3_600);
        self.query_ladder.get(usize::from(queries)).or(self.query_ladder.last()).copied().unwrap_or(last)
    }
}
