//! Latencies in microseconds.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;

/// A histogram of latencies with three significant digits that grows as needed.
#[derive(Debug)]
pub struct Latencies(Histogram<u64>);

/// Percentiles of a histogram in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p99_9: u64,
    /// 99.99th percentile.
    pub p99_99: u64,
    /// The longest.
    pub max: u64,
}

impl Latencies {
    /// An empty histogram.
    ///
    /// # Errors
    /// Never with these bounds; the library cannot know.
    pub fn new() -> Result<Self> {
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        histogram.auto(true);
        Ok(Self(histogram))
    }

    /// Records one latency, in nanoseconds.
    pub fn record_ns(&mut self, ns: u64) {
        self.0.saturating_record(ns / 1_000);
    }

    /// Records one latency.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// The longest, in microseconds.
    #[must_use]
    pub fn max_us(&self) -> u64 {
        self.0.max()
    }

    /// Mean and standard deviation, in microseconds.
    #[must_use]
    pub fn mean_and_deviation_us(&self) -> (f64, f64) {
        (self.0.mean(), self.0.stdev())
    }

    /// The latency in microseconds that this share of all does not exceed.
    #[must_use]
    pub fn at(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile)
    }

    /// The distribution, denser towards its end: quantile, latency in microseconds, how many are no longer.
    #[must_use]
    pub fn distribution(&self, ticks_per_half: u32) -> Vec<(f64, u64, u64)> {
        let mut so_far = 0;
        let steps = self.0.iter_quantiles(ticks_per_half).map(|step| {
            so_far += step.count_since_last_iteration();
            (step.quantile_iterated_to(), step.value_iterated_to(), so_far)
        });
        steps.collect()
    }

    /// Its percentiles.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Percentiles {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: self.0.max(),
        }
    }
}
