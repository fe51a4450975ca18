//! Latencies and counts of what the mall did.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies in microseconds, and counts.
#[derive(Debug)]
pub struct Meters {
    /// Request to answer of orders submitted alone.
    pub submit: Histogram<u64>,
    /// Request to answer of batches.
    pub batch: Histogram<u64>,
    /// Request to answer of releases.
    pub release: Histogram<u64>,
    /// Submission to the news that it is paid, by kind of payment.
    pub paid: BTreeMap<&'static str, Histogram<u64>>,
    /// Orders acknowledged for the first time.
    pub acknowledged: usize,
    /// Submissions that were recognised as repeats.
    pub repeats: usize,
    /// Orders that were refused, by code.
    pub refused: BTreeMap<String, usize>,
    /// Cancellations that were asked for.
    pub cancelled: usize,
    /// SMS codes that were typed.
    pub codes: usize,
    /// Refunds that were asked for.
    pub refunds: usize,
    /// Disputes that were opened.
    pub disputes: usize,
}

impl Meters {
    /// All zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            submit: histogram(),
            batch: histogram(),
            release: histogram(),
            paid: BTreeMap::new(),
            acknowledged: 0,
            repeats: 0,
            refused: BTreeMap::new(),
            cancelled: 0,
            codes: 0,
            refunds: 0,
            disputes: 0,
        }
    }

    /// Records how long it took until an order of this kind was paid.
    pub fn paid(&mut self, kind: &'static str, took: Duration) {
        record(self.paid.entry(kind).or_insert_with(histogram), took);
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self::new()
    }
}

/// Records a latency.
pub fn record(histogram: &mut Histogram<u64>, took: Duration) {
    histogram.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are constants that fit")
}
