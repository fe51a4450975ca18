//! What is learned about channels from what happens to orders: a fold over observations in log order.
//!
//! The same observations in the same order make the same state, live, after a restart and in a back-test. Shards look
//! at what follows from it through [`Standing`](super::Standing); they never change it.

mod circuit;
mod observe;
mod volume;
mod wilson;
mod window;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use suanpan_model::{Amount, Bank, CardType, ChannelId, Conditions, Success, TimestampMs};

pub use circuit::{Circuit, Health};
pub use observe::{Observation, Observed, observe};
pub use volume::Volume;
pub use wilson::lower_bound_ppm;
pub use window::{WINDOW, Window};

/// Results of one card type at one bank from which a channel's success there is judged by themselves; with fewer, its
/// success as a whole counts.
pub const RESULTS_MIN: u8 = 20;

/// Channel, and bank and card type of the payments; neither for the channel as a whole.
type WindowKey = (ChannelId, Option<Bank>, Option<CardType>);

/// What was learned about one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// Its health.
    pub health: Health,
    /// What it took today and this month.
    pub volume: Volume,
    /// When its bucket is full again, in microseconds since 1970: each payment takes a token.
    pub bucket_full_us: u64,
}

/// What was learned about all channels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learning {
    channels: BTreeMap<ChannelId, Learned>,
    windows: BTreeMap<WindowKey, Window>,
}

/// Time between two tokens of a bucket, in microseconds.
#[must_use]
pub fn token_us(conditions: &Conditions) -> Option<u64> {
    conditions.rate_limit.map(|limit| 1_000_000 / u64::from(limit.per_second.max(1)))
}

/// What an observation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The channel's circuit before.
    pub before: Circuit,
    /// Its health now.
    pub health: Health,
    /// All of its results, where there is a new one.
    pub whole: Option<Window>,
    /// Its results with cards of this type of this bank, where there is a new one and bank or type are known.
    pub part: Option<Window>,
}

impl Learning {
    /// Folds in an observation; `conditions` are the channel's.
    pub fn fold(&mut self, seen: &Observation, conditions: &Conditions) -> Change {
        let learned = self.channels.entry(seen.channel).or_default();
        let before = learned.health.circuit;
        learned.health.fold(seen, &conditions.health);
        learned.volume.fold(seen);
        if seen.what == Observed::Started
            && let Some(token_us) = token_us(conditions)
        {
            learned.bucket_full_us = learned.bucket_full_us.max(seen.at.0.saturating_mul(1_000)) + token_us;
        }
        let mut change = Change { before, health: learned.health, whole: None, part: None };
        if let Some(good) = seen.result() {
            let whole: WindowKey = (seen.channel, None, None);
            let part: WindowKey = (seen.channel, seen.bank, seen.card_type);
            let mut push = |key| {
                let window = self.windows.entry(key).or_default();
                window.push(good);
                *window
            };
            change.whole = Some(push(whole));
            change.part = (part != whole).then(|| push(part));
        }
        change
    }

    /// Folds in what an observation says about health alone.
    pub fn fold_health(&mut self, seen: &Observation, conditions: &Conditions) {
        self.channels.entry(seen.channel).or_default().health.fold(seen, &conditions.health);
    }

    /// What was learned about a channel.
    #[must_use]
    pub fn channel(&self, channel: ChannelId) -> Option<&Learned> {
        self.channels.get(&channel)
    }

    /// Results of a channel with cards of a type of a bank; with neither, all of its results.
    #[must_use]
    pub fn window(
        &self,
        channel: ChannelId,
        bank: Option<Bank>,
        card_type: Option<CardType>,
    ) -> Option<&Window> {
        self.windows.get(&(channel, bank, card_type))
    }

    /// Every window with its channel, bank and card type.
    pub fn windows(&self) -> impl Iterator<Item = (ChannelId, Option<Bank>, Option<CardType>, &Window)> {
        self.windows.iter().map(|((channel, bank, card), window)| (*channel, *bank, *card, window))
    }

    /// How often a channel succeeds with such payments; nothing where there is no result at all.
    #[must_use]
    pub fn success(
        &self,
        channel: ChannelId,
        bank: Option<Bank>,
        card_type: Option<CardType>,
    ) -> Option<Success> {
        let part = self.window(channel, bank, card_type).filter(|window| window.results() >= RESULTS_MIN);
        part.or_else(|| self.window(channel, None, None))?.success()
    }

    /// What a channel took on a day in Beijing.
    #[must_use]
    pub fn day_used(&self, channel: ChannelId, day: u32) -> Amount {
        self.channel(channel).map_or(Amount::ZERO, |learned| learned.volume.on_day(day))
    }

    /// What a channel took in a month in Beijing.
    #[must_use]
    pub fn month_used(&self, channel: ChannelId, month: u32) -> Amount {
        self.channel(channel).map_or(Amount::ZERO, |learned| learned.volume.in_month(month))
    }

    /// Whether the channel's circuit lets a payment through.
    #[must_use]
    pub fn is_healthy(&self, channel: ChannelId, conditions: &Conditions, now: TimestampMs) -> bool {
        self.channel(channel).is_none_or(|learned| learned.health.lets_through(&conditions.health, now))
    }

    /// Whether the channel's bucket has a token.
    #[must_use]
    pub fn has_token(&self, channel: ChannelId, conditions: &Conditions, now: TimestampMs) -> bool {
        let (Some(limit), Some(token_us)) = (conditions.rate_limit, token_us(conditions)) else {
            return true;
        };
        let full = self.channel(channel).map_or(0, |learned| learned.bucket_full_us);
        has_token(full, token_us, limit.burst, now)
    }
}

/// Whether a bucket that is full at `full_us` has a token at `now`.
#[must_use]
pub fn has_token(full_us: u64, token_us: u64, burst: u32, now: TimestampMs) -> bool {
    let now_us = now.0.saturating_mul(1_000);
    full_us.max(now_us) + token_us <= now_us + token_us * u64::from(burst.max(1))
}
