//! What was learned about channels, in two forms: the fold over the log, which one thread keeps and the checkpoint takes,
//! and a board of atomics that every shard reads and takes room on, without a lock.
//!
//! A decision takes the room that its payment needs on the board at once, so that two shards never take the same. The
//! fold follows when the log has the event, and gives room back on the board where a payment came to nothing. After a
//! restart the board is made from the fold.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;
use suanpan_core::routing::Standing;
use suanpan_core::routing::learning::{
    Change, Circuit, Learning, Observation, Observed, RESULTS_MIN, has_token, token_us,
};
use suanpan_model::{Amount, Bank, Capability, CardType, ChannelId, Conditions, Lsn, Success, TimestampMs};

use crate::tally::ChannelTally;

/// The fold and the board.
pub struct Learner {
    folded: Mutex<Folded>,
    board: Board,
    /// Conditions by channel, with its place on the board.
    channels: FxHashMap<ChannelId, (usize, Conditions)>,
}

/// The fold up to a position of the log.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    /// Everything up to here is in it.
    pub upto: Lsn,
    /// What was learned.
    pub learning: Learning,
}

impl Learner {
    /// Goes on from what was recovered.
    #[must_use]
    pub fn new(capabilities: &[Capability], folded: Folded) -> Self {
        let board = Board { lanes: capabilities.iter().map(Lane::new).collect() };
        let place = |(index, known): (usize, &Capability)| (known.id, (index, known.conditions.clone()));
        let channels: FxHashMap<_, _> = capabilities.iter().enumerate().map(place).collect();
        for (channel, (index, conditions)) in &channels {
            board.lanes[*index].load(*channel, &folded.learning, conditions);
        }
        Self { folded: Mutex::new(folded), board, channels }
    }

    fn folded(&self) -> MutexGuard<'_, Folded> {
        // Each observation is folded in whole, so that a panic elsewhere spoils nothing.
        self.folded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Folds in what the log has, in log order, up to `durable`. The log writer alone does this.
    pub fn fold(&self, seen: impl Iterator<Item = Observation>, durable: Lsn) {
        let mut folded = self.folded();
        for seen in seen {
            let Some((index, conditions)) = self.channels.get(&seen.channel) else { continue };
            let change = folded.learning.fold(&seen, conditions);
            self.board.lanes[*index].tally.add(&seen);
            self.board.lanes[*index].show(&seen, &change, conditions);
        }
        folded.upto = durable;
    }

    /// A copy of the fold, with the position that it is complete up to.
    #[must_use]
    pub fn snapshot(&self) -> Folded {
        self.folded().clone()
    }

    /// What became of attempts at a channel since the start.
    #[must_use]
    pub fn tally(&self, channel: ChannelId) -> Option<&ChannelTally> {
        self.channels.get(&channel).map(|(index, _)| &self.board.lanes[*index].tally)
    }

    /// What decisions look at.
    #[must_use]
    pub const fn board(&self) -> &Board {
        &self.board
    }
}

/// What shards read and take room on: one lane a channel, in the order of the router.
#[derive(Debug)]
pub struct Board {
    lanes: Vec<Lane>,
}

/// Success by bank and card type, as [`Success`] and none as 0. Grows by being replaced.
type Parts = FxHashMap<(Option<Bank>, Option<CardType>), AtomicU32>;

#[derive(Debug)]
struct Lane {
    day: Counter,
    day_limit: Option<u64>,
    month: Counter,
    month_limit: Option<u64>,
    /// The circuit lets nothing through before this instant, and then probes; 0 while it is closed.
    open_until: AtomicU64,
    probes: AtomicU32,
    bucket_full_us: AtomicU64,
    token_us: Option<u64>,
    burst: u32,
    latency_ms: AtomicU32,
    success: AtomicU32,
    parts: ArcSwap<Parts>,
    tally: ChannelTally,
}

/// What was taken in a period: the number of the period in the high 16 bits, minor units in the low 48. Both change in
/// one step, so that no payment of an earlier period is counted in a later one. At 2⁴⁸ − 1 it stays.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

const USED_BITS: u32 = 48;
const USED_MAX: u64 = (1 << USED_BITS) - 1;

impl Counter {
    fn pack(period: u32, used: u64) -> u64 {
        u64::from(period) << USED_BITS | used.min(USED_MAX)
    }

    fn used(&self, period: u32) -> u64 {
        let word = self.0.load(Ordering::Acquire);
        if word >> USED_BITS == u64::from(period) { word & USED_MAX } else { 0 }
    }

    /// Takes `amount` unless that passes `limit`.
    fn take(&self, period: u32, amount: u64, limit: Option<u64>) -> bool {
        let taken = |word: u64| {
            let known = word >> USED_BITS;
            let used = match known.cmp(&u64::from(period)) {
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Equal => word & USED_MAX,
                // A shard that is behind at midnight: its payment belongs to a period that is over.
                std::cmp::Ordering::Greater => return Some(word),
            };
            let total = used.saturating_add(amount);
            limit.is_none_or(|limit| total <= limit).then(|| Self::pack(period, total))
        };
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, taken).is_ok()
    }

    fn give_back(&self, period: u32, amount: u64) {
        let less = |word: u64| {
            let is_same = word >> USED_BITS == u64::from(period);
            is_same.then(|| Self::pack(period, (word & USED_MAX).saturating_sub(amount)))
        };
        // Nothing to give back of a period that is over.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }
}

fn minor(amount: Amount) -> u64 {
    amount.minor()
}

fn packed(success: Option<Success>) -> u32 {
    success.map_or(0, |success| success.ppm() + 1)
}

fn unpacked(word: u32) -> Option<Success> {
    word.checked_sub(1).map(Success::from_ppm)
}

impl Lane {
    fn new(capability: &Capability) -> Self {
        let conditions = &capability.conditions;
        let maximum = conditions.commitment.and_then(|agreed| agreed.maximum);
        Self {
            day: Counter::default(),
            day_limit: capability.daily_quota.map(minor),
            month: Counter::default(),
            month_limit: conditions.monthly_quota.into_iter().chain(maximum).min().map(minor),
            open_until: AtomicU64::new(0),
            probes: AtomicU32::new(0),
            bucket_full_us: AtomicU64::new(0),
            token_us: token_us(conditions),
            burst: conditions.rate_limit.map_or(1, |limit| limit.burst),
            latency_ms: AtomicU32::new(0),
            success: AtomicU32::new(0),
            parts: ArcSwap::default(),
            tally: ChannelTally::default(),
        }
    }

    /// Shows what was learned before.
    fn load(&self, channel: ChannelId, learning: &Learning, conditions: &Conditions) {
        if let Some(known) = learning.channel(channel) {
            let volume = &known.volume;
            self.day.0.store(Counter::pack(volume.day, volume.day_used), Ordering::Release);
            self.month.0.store(Counter::pack(volume.month, volume.month_used), Ordering::Release);
            self.bucket_full_us.store(known.bucket_full_us, Ordering::Release);
            self.latency_ms.store(known.health.latency_ms().unwrap_or(0), Ordering::Relaxed);
            self.probes.store(u32::from(known.health.probes_left(&conditions.health)), Ordering::Release);
            self.open_until.store(open_until(known.health.circuit), Ordering::Release);
        }
        let mut parts = Parts::default();
        for (of, bank, card_type, window) in learning.windows() {
            if of != channel {
                continue;
            }
            if bank.is_none() && card_type.is_none() {
                self.success.store(packed(window.success()), Ordering::Relaxed);
            } else if window.results() >= RESULTS_MIN {
                parts.insert((bank, card_type), AtomicU32::new(packed(window.success())));
            }
        }
        self.parts.store(Arc::new(parts));
    }

    /// Shows what an observation changed.
    fn show(&self, seen: &Observation, change: &Change, conditions: &Conditions) {
        let amount = minor(seen.amount);
        match seen.what {
            Observed::Failed { .. } | Observed::NotSent { .. } | Observed::Closed { .. } => {
                self.day.give_back(seen.started_at.beijing_day(), amount);
                self.month.give_back(seen.started_at.beijing_month().0, amount);
            }
            // The money is there, whatever the limits say.
            Observed::Paid { was_dead: true, .. } => {
                self.day.take(seen.at.beijing_day(), amount, None);
                self.month.take(seen.at.beijing_month().0, amount, None);
            }
            // Room was taken with the decision.
            Observed::Started
            | Observed::Accepted { .. }
            | Observed::Paid { was_dead: false, .. }
            | Observed::InDoubt { .. } => {}
        }
        self.show_circuit(conditions, change.before, change.health.circuit);
        self.latency_ms.store(change.health.latency_ms().unwrap_or(0), Ordering::Relaxed);
        if let Some(whole) = change.whole {
            self.success.store(packed(whole.success()), Ordering::Relaxed);
        }
        if let Some(part) = change.part.filter(|part| part.results() >= RESULTS_MIN) {
            self.show_part((seen.bank, seen.card_type), packed(part.success()));
        }
    }

    fn show_circuit(&self, conditions: &Conditions, before: Circuit, after: Circuit) {
        let allowed = u32::from(conditions.health.probes);
        match (before, after) {
            (
                Circuit::HalfOpen { under_way, passed, .. },
                Circuit::HalfOpen { under_way: now, passed: also, .. },
            ) => {
                // A probe that said nothing about the channel may be made again.
                let given_back = u32::from(under_way + passed).saturating_sub(u32::from(now + also));
                self.probes.fetch_add(given_back, Ordering::AcqRel);
            }
            (_, Circuit::Closed) => self.open_until.store(0, Ordering::Release),
            (Circuit::Open { until, .. }, Circuit::Open { until: now, .. }) if until == now => {}
            (_, Circuit::Open { .. }) => {
                // Nobody passes before the number of probes is right.
                self.open_until.store(u64::MAX, Ordering::Release);
                self.probes.store(allowed, Ordering::Release);
                self.open_until.store(open_until(after), Ordering::Release);
            }
            (Circuit::Open { .. } | Circuit::Closed, Circuit::HalfOpen { .. }) => {}
        }
    }

    fn show_part(&self, key: (Option<Bank>, Option<CardType>), success: u32) {
        let parts = self.parts.load();
        if let Some(known) = parts.get(&key) {
            known.store(success, Ordering::Relaxed);
            return;
        }
        let copy = |(key, word): (&_, &AtomicU32)| (*key, AtomicU32::new(word.load(Ordering::Relaxed)));
        let mut grown: Parts = parts.iter().map(copy).collect();
        grown.insert(key, AtomicU32::new(success));
        self.parts.store(Arc::new(grown));
    }

    /// Takes a probe when the circuit is not closed; false when none may pass.
    fn take_probe(&self, now: TimestampMs) -> Option<bool> {
        match self.open_until.load(Ordering::Acquire) {
            0 => Some(false),
            until if now.0 < until => None,
            _ => {
                let one_less = |left: u32| left.checked_sub(1);
                self.probes.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less).ok().map(|_| true)
            }
        }
    }

    fn take_token(&self, now: TimestampMs) -> bool {
        let Some(token_us) = self.token_us else { return true };
        let now_us = now.0.saturating_mul(1_000);
        let fuller =
            |full: u64| has_token(full, token_us, self.burst, now).then(|| full.max(now_us) + token_us);
        self.bucket_full_us.fetch_update(Ordering::AcqRel, Ordering::Acquire, fuller).is_ok()
    }
}

/// What [`Lane::open_until`] holds for a circuit.
fn open_until(circuit: Circuit) -> u64 {
    match circuit {
        Circuit::Closed => 0,
        Circuit::Open { until, .. } => until.0.max(1),
        Circuit::HalfOpen { since, .. } => since.0.max(1),
    }
}

impl Standing for Board {
    fn quota_used(&self, channel_index: usize, _channel: ChannelId, day: u32) -> Amount {
        Amount::from_minor(self.lanes[channel_index].day.used(day))
    }

    fn is_healthy(&self, channel_index: usize, _channel: ChannelId, now: TimestampMs) -> bool {
        let lane = &self.lanes[channel_index];
        match lane.open_until.load(Ordering::Acquire) {
            0 => true,
            until => until <= now.0 && lane.probes.load(Ordering::Acquire) > 0,
        }
    }

    fn month_used(&self, channel_index: usize, _channel: ChannelId, month: u32) -> Amount {
        Amount::from_minor(self.lanes[channel_index].month.used(month))
    }

    fn has_token(&self, channel_index: usize, _channel: ChannelId, now: TimestampMs) -> bool {
        let lane = &self.lanes[channel_index];
        lane.token_us.is_none_or(|token_us| {
            has_token(lane.bucket_full_us.load(Ordering::Acquire), token_us, lane.burst, now)
        })
    }

    fn success(
        &self,
        channel_index: usize,
        _channel: ChannelId,
        bank: Option<Bank>,
        card_type: Option<CardType>,
    ) -> Option<Success> {
        let lane = &self.lanes[channel_index];
        let parts = lane.parts.load();
        let part = parts.get(&(bank, card_type)).map(|word| word.load(Ordering::Relaxed));
        part.and_then(unpacked).or_else(|| unpacked(lane.success.load(Ordering::Relaxed)))
    }

    fn latency_ms(&self, channel_index: usize, _channel: ChannelId) -> Option<u32> {
        Some(self.lanes[channel_index].latency_ms.load(Ordering::Relaxed)).filter(|latency| *latency > 0)
    }

    fn claim(&self, channel_index: usize, _channel: ChannelId, amount: Amount, now: TimestampMs) -> bool {
        let lane = &self.lanes[channel_index];
        let (day, month, amount) = (now.beijing_day(), now.beijing_month().0, minor(amount));
        if !lane.day.take(day, amount, lane.day_limit) {
            return false;
        }
        if !lane.month.take(month, amount, lane.month_limit) {
            lane.day.give_back(day, amount);
            return false;
        }
        let probe = lane.take_probe(now);
        if probe.is_some() && lane.take_token(now) {
            return true;
        }
        if probe == Some(true) {
            lane.probes.fetch_add(1, Ordering::AcqRel);
        }
        lane.month.give_back(month, amount);
        lane.day.give_back(day, amount);
        false
    }
}

/// The board for questions that take nothing: what-if.
#[derive(Clone, Copy, Debug)]
pub struct Looking<'a>(pub &'a Board);

impl Standing for Looking<'_> {
    fn quota_used(&self, channel_index: usize, channel: ChannelId, day: u32) -> Amount {
        self.0.quota_used(channel_index, channel, day)
    }

    fn is_healthy(&self, channel_index: usize, channel: ChannelId, now: TimestampMs) -> bool {
        self.0.is_healthy(channel_index, channel, now)
    }

    fn month_used(&self, channel_index: usize, channel: ChannelId, month: u32) -> Amount {
        self.0.month_used(channel_index, channel, month)
    }

    fn has_token(&self, channel_index: usize, channel: ChannelId, now: TimestampMs) -> bool {
        self.0.has_token(channel_index, channel, now)
    }

    fn success(
        &self,
        channel_index: usize,
        channel: ChannelId,
        bank: Option<Bank>,
        card_type: Option<CardType>,
    ) -> Option<Success> {
        self.0.success(channel_index, channel, bank, card_type)
    }

    fn latency_ms(&self, channel_index: usize, channel: ChannelId) -> Option<u32> {
        self.0.latency_ms(channel_index, channel)
    }
}

#[cfg(test)]
mod tests;
