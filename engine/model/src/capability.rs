//! What a channel can do and what it costs: data that routing reads and adapters publish.

use smol_str::SmolStr;

use crate::conditions::Conditions;
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

impl TariffBand {
    /// The fee of a payment of `amount` in this band, in minor units.
    ///
    /// `fixed + amount × rate` rounded half up to the minor unit, then raised to the floor, then lowered to the cap.
    #[must_use]
    pub fn fee(&self, amount: Amount) -> Amount {
        const PPM: u128 = 1_000_000;
        let by_rate = (u128::from(amount.minor()) * u128::from(self.rate_ppm) + PPM / 2) / PPM;
        let computed = by_rate + u128::from(self.fixed.minor());
        let computed = Amount::from_minor(u64::try_from(computed).unwrap_or(u64::MAX));
        let raised = computed.max(self.floor);
        self.cap.map_or(raised, |cap| raised.min(cap))
    }
}

impl Tariff {
    /// The fee of a payment of `amount` with a card of `card_type`, in minor units; nothing when there is no band.
    ///
    /// The first band whose `up_to` is not below the amount counts, for the whole amount; beyond all bands the last.
    #[must_use]
    pub fn fee(&self, amount: Amount, card_type: Option<CardType>) -> Amount {
        let bands = match card_type {
            Some(CardType::Credit) if !self.credit.is_empty() => &self.credit,
            Some(CardType::Credit | CardType::Debit) | None => &self.debit,
        };
        let band = bands.iter().find(|band| band.up_to.is_none_or(|up_to| amount <= up_to)).or(bands.last());
        band.map_or(Amount::ZERO, |band| band.fee(amount))
    }
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
    /// Further conditions.
    pub conditions: Conditions,
}

/// The query ladder of a channel that does not name its own: 2, 3, 5, 10, 20, 30 s, 1, 2, 5, 10, 30 min, then
/// hourly.
pub const QUERY_LADDER_SECS: [u64; 12] = [2, 3, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600];

impl Capability {
    /// The channel's fee for a payment, in minor units, when its volume of the month is `month_volume`.
    #[must_use]
    pub fn fee(
        &self,
        amount: Amount,
        bank: Option<Bank>,
        card_type: Option<CardType>,
        month_volume: Amount,
    ) -> Amount {
        let special = self.conditions.special_tariff(bank, month_volume);
        special.unwrap_or(&self.tariff).fee(amount, card_type)
    }

    /// The wait before query number `queries` (from 0).
    #[must_use]
    pub fn query_wait(&self, queries: u16) -> DurationMs {
        let last = DurationMs::from_secs(3_600);
        self.query_ladder.get(usize::from(queries)).or(self.query_ladder.last()).copied().unwrap_or(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fen(minor: u64) -> Amount {
        Amount::from_minor(minor)
    }

    fn band(up_to: Option<u64>, rate_ppm: u32, fixed: u64, floor: u64, cap: Option<u64>) -> TariffBand {
        TariffBand {
            up_to: up_to.map(fen),
            rate_ppm,
            fixed: fen(fixed),
            floor: fen(floor),
            cap: cap.map(fen),
        }
    }

    #[test]
    fn fees_are_exact() {
        let rate = band(None, 6_000, 0, 0, None);
        let floor_and_cap = band(None, 3_500, 0, 10, Some(1_300));
        let fixed = band(None, 6_000, 30, 0, None);
        let crossed = band(None, 0, 0, 50, Some(20));
        let dear = band(None, u32::MAX, u64::MAX, 0, None);
        let table = [
            // band, amount, fee
            (rate, 0, 0),
            (rate, 83, 0), // 0.498 fen
            (rate, 84, 1), // 0.504 fen
            (rate, 10_000, 60),
            (rate, 10_083, 60), // 60.498 fen
            (rate, 10_084, 61), // 60.504 fen
            (rate, 250, 2),     // 1.5 fen exactly: half goes up
            (rate, 1_000_000_000_000, 6_000_000_000),
            (floor_and_cap, 1, 10),
            (floor_and_cap, 2_857, 10),
            (floor_and_cap, 3_000, 11), // 10.5 fen exactly
            (floor_and_cap, 371_428, 1_300),
            (floor_and_cap, 100_000_000, 1_300),
            (fixed, 0, 30),
            (fixed, 10_000, 90),
            (crossed, 10_000, 20), // the cap has the last word
            (dear, 10_000, u64::MAX),
        ];
        for (band, amount, fee) in table {
            assert_eq!(band.fee(fen(amount)), fen(fee), "{amount} in {band:?}");
        }
    }

    #[test]
    fn the_band_follows_amount_and_card() {
        let tariff = Tariff {
            debit: vec![band(Some(100_000), 0, 100, 0, None), band(Some(1_000_000), 0, 200, 0, None)],
            credit: vec![band(None, 0, 700, 0, None)],
        };
        let table = [
            (1, None, 100),
            (100_000, Some(CardType::Debit), 100),
            (100_001, Some(CardType::Debit), 200),
            (1_000_001, None, 200), // beyond all bands: the last
            (1, Some(CardType::Credit), 700),
        ];
        for (amount, card_type, fee) in table {
            assert_eq!(tariff.fee(fen(amount), card_type), fen(fee), "{amount} {card_type:?}");
        }
        let debit_only = Tariff { credit: Vec::new(), ..tariff };
        assert_eq!(debit_only.fee(fen(1), Some(CardType::Credit)), fen(100));
        let free = Tariff { debit: Vec::new(), credit: Vec::new() };
        assert_eq!(free.fee(fen(1), None), Amount::ZERO);
    }
}
