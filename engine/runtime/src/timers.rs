//! When orders want to be woken: coarse buckets of order numbers.
//!
//! An entry is never searched for and never removed; when it fires, the order says whether it meant it. Since most
//! orders end long before their timers, the whole is rebuilt from the live orders once stale entries prevail, so
//! that memory stays bounded by the live orders.

use std::collections::BTreeMap;

use suanpan_model::{OrderId, TimestampMs};

/// Width of a bucket in milliseconds: how late a timer may fire.
const BUCKET_MS: u64 = 64;

/// Below this many entries stale ones are not worth a rebuild.
const REBUILD_FROM: usize = 1 << 20;

/// Timers of one shard.
#[derive(Debug, Default)]
pub struct Timers {
    buckets: BTreeMap<u64, Vec<OrderId>>,
    entries: usize,
}

impl Timers {
    /// Sets a timer; one that never fires is not kept.
    pub fn set(&mut self, due: TimestampMs, order: OrderId) {
        if due != TimestampMs::NEVER {
            self.buckets.entry(due.0.div_ceil(BUCKET_MS)).or_default().push(order);
            self.entries += 1;
        }
    }

    /// Takes out at most `limit` orders, or a little more, whose time has come.
    pub fn take_due(&mut self, now: TimestampMs, limit: usize) -> Vec<OrderId> {
        let mut due = Vec::new();
        while due.len() < limit {
            match self.buckets.first_entry() {
                Some(first) if *first.key() <= now.0 / BUCKET_MS => due.append(&mut first.remove()),
                Some(_) | None => break,
            }
        }
        self.entries -= due.len();
        due
    }

    /// Whether most entries are stale, given how many orders are live.
    #[must_use]
    pub fn is_stale(&self, live: usize) -> bool {
        self.entries > REBUILD_FROM && self.entries > 4 * live
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buckets.clear();
        self.entries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_and_never_early() {
        let mut timers = Timers::default();
        timers.set(TimestampMs(1_000), OrderId(1));
        timers.set(TimestampMs(500), OrderId(2));
        timers.set(TimestampMs::NEVER, OrderId(3));
        assert_eq!(timers.take_due(TimestampMs(499), 10), []);
        assert_eq!(timers.take_due(TimestampMs(500 + BUCKET_MS), 10), [OrderId(2)]);
        assert_eq!(timers.take_due(TimestampMs(999), 10), []);
        assert_eq!(timers.take_due(TimestampMs(1_000 + BUCKET_MS), 10), [OrderId(1)]);
        assert_eq!(timers.take_due(TimestampMs(u64::MAX - 1), 10), []);
    }

    #[test]
    fn a_rebuild_is_due_when_stale_entries_prevail() {
        let mut timers = Timers::default();
        for order in 0..=REBUILD_FROM as u64 {
            timers.set(TimestampMs(1_000), OrderId(order));
        }
        assert!(timers.is_stale(10));
        assert!(!timers.is_stale(REBUILD_FROM));
        timers.clear();
        assert!(!timers.is_stale(0));
    }
}
