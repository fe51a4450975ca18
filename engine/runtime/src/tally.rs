//! Counting how long things took, from many threads, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use suanpan_core::routing::learning::{Observation, Observed};

use crate::engine::Durations;

/// How many durations were at most as long as each of some bounds.
#[derive(Debug)]
pub struct DurationTally {
    bounds_us: &'static [u64],
    /// One for each bound, and one for what is longer than all.
    buckets: Vec<AtomicU64>,
    sum_us: AtomicU64,
}

impl DurationTally {
    /// None yet; the bounds are in microseconds and ascend.
    #[must_use]
    pub fn new(bounds_us: &'static [u64]) -> Self {
        let buckets = bounds_us.iter().map(|_| AtomicU64::new(0)).chain([AtomicU64::new(0)]).collect();
        Self { bounds_us, buckets, sum_us: AtomicU64::new(0) }
    }

    /// Adds one.
    pub fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = self.bounds_us.partition_point(|bound| *bound < micros);
        self.buckets[place].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// All of them by now.
    #[must_use]
    pub fn durations(&self) -> Durations {
        let mut count = 0;
        let mut up_to = |bucket: &AtomicU64| {
            count += bucket.load(Ordering::Relaxed);
            count
        };
        let at_most = self.bounds_us.iter().zip(&self.buckets).map(|(bound, bucket)| (*bound, up_to(bucket)));
        let at_most = at_most.collect();
        let count = self.buckets.last().map_or(count, |last| count + last.load(Ordering::Relaxed));
        Durations { at_most, count, sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}

/// Bounds of channels' answers: from an own bank next door to a payer who thinks.
const ANSWER_BOUNDS_US: [u64; 12] = [
    1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000,
    60_000_000,
];

/// What became of attempts at one channel since the start of the process.
#[derive(Debug)]
pub struct ChannelTally {
    outcomes: [AtomicU64; ChannelTally::OUTCOMES.len()],
    answers: DurationTally,
}

impl Default for ChannelTally {
    fn default() -> Self {
        Self { outcomes: Default::default(), answers: DurationTally::new(&ANSWER_BOUNDS_US) }
    }
}

impl ChannelTally {
    /// What can happen to an attempt.
    pub const OUTCOMES: [&'static str; 7] =
        ["started", "accepted", "paid", "failed", "not_sent", "in_doubt", "closed"];

    /// Adds what happened.
    pub fn add(&self, seen: &Observation) {
        let (place, is_first) = match seen.what {
            Observed::Started => (0, false),
            Observed::Accepted { first } => (1, first),
            Observed::Paid { first, .. } => (2, first),
            Observed::Failed { first, .. } => (3, first),
            Observed::NotSent { .. } => (4, false),
            Observed::InDoubt { first, .. } => (5, first),
            Observed::Closed { first } => (6, first),
        };
        self.outcomes[place].fetch_add(1, Ordering::Relaxed);
        if is_first {
            self.answers.add(Duration::from_millis(seen.at.since(seen.started_at).0));
        }
    }

    /// How often each of [`ChannelTally::OUTCOMES`] happened.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Self::OUTCOMES.into_iter().zip(self.outcomes.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// How long attempts waited for the channel's first answer.
    #[must_use]
    pub fn answers(&self) -> Durations {
        self.answers.durations()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_count_up_to_their_bounds() {
        let tally = DurationTally::new(&[10, 100]);
        for micros in [1, 10, 11, 100, 101] {
            tally.add(Duration::from_micros(micros));
        }
        let durations = tally.durations();
        assert_eq!(durations.at_most, [(10, 2), (100, 4)]);
        assert_eq!((durations.count, durations.sum_us), (5, 223));
    }
}
