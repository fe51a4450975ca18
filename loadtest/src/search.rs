//! `loadtest search`: the highest rate at which the 99th percentile stays under a bound.

use anyhow::Result;

use crate::cli::SearchArgs;
use crate::driver::Pacing;
use crate::report::RunReport;
use crate::runs::{hand_over, once, settings};
use crate::workload::Spec;

/// How much the rate grows until the bound breaks, in percent.
const GROWTH: u64 = 200;
/// The most runs that a search takes.
const RUNS_MAX: usize = 24;

/// Which rates keep the bound: grows until one does not, then halves the gap.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    next: u64,
    /// Highest rate that kept the bound.
    kept: Option<u64>,
    /// Lowest rate that did not.
    broken: Option<u64>,
    within: u64,
}

impl Search {
    /// A search that begins at `from` orders a second and ends when kept and broken are `within` percent of each other.
    #[must_use]
    pub const fn new(from: u64, within: u64) -> Self {
        Self { next: from, kept: None, broken: None, within }
    }

    /// The next rate to try; nothing when the answer is known well enough.
    #[must_use]
    pub fn rate(&self) -> Option<u64> {
        let is_close = match (self.kept, self.broken) {
            (Some(kept), Some(broken)) => broken - kept <= (kept * self.within / 100).max(1),
            (None, Some(broken)) => broken <= 1,
            (_, None) => false,
        };
        (!is_close).then_some(self.next)
    }

    /// Notes whether the rate that was tried kept the bound.
    pub fn tried(&mut self, rate: u64, keeps: bool) {
        if keeps {
            self.kept = Some(self.kept.map_or(rate, |kept| kept.max(rate)));
        } else {
            self.broken = Some(self.broken.map_or(rate, |broken| broken.min(rate)));
        }
        self.next = match (self.kept, self.broken) {
            (Some(kept), Some(broken)) => kept + (broken - kept) / 2,
            (Some(kept), None) => kept * GROWTH / 100,
            (None, Some(broken)) => (broken * 100 / GROWTH).max(1),
            (None, None) => rate,
        };
    }

    /// The highest rate that kept the bound.
    #[must_use]
    pub const fn answer(&self) -> Option<u64> {
        self.kept
    }
}

/// Searches, reports. The answer is whether some rate kept the bound and nothing differed.
///
/// # Errors
/// When a run cannot be made or gave up.
pub fn run(args: &SearchArgs) -> Result<bool> {
    let spec = Spec::find(&args.workload)?;
    let mut search = Search::new(args.from, args.within);
    let mut all = Vec::new();
    while let Some(rate) = search.rate().filter(|_| all.len() < RUNS_MAX) {
        let pacing = Pacing::Open { per_second: rate };
        let played =
            once(&args.play, &settings(&args.play, spec.clone(), pacing, args.play.engine.seed)?, None)?;
        let keeps = keeps(&played.report, args.p99_ms);
        println!(
            "{rate} orders/s: p99 {} the bound of {} ms",
            if keeps { "keeps" } else { "breaks" },
            args.p99_ms
        );
        search.tried(rate, keeps);
        all.push(played);
    }
    let is_well = hand_over(&args.play, &all)?;
    match search.answer() {
        Some(rate) => println!("{rate} orders/s is the highest rate found with p99 ≤ {} ms", args.p99_ms),
        None => println!("no rate was found with p99 ≤ {} ms", args.p99_ms),
    }
    Ok(is_well && search.answer().is_some())
}

/// Whether a run kept the bound, and the rate: orders that pile up are no answer.
fn keeps(report: &RunReport, p99_ms: f64) -> bool {
    /// What of the offered rate must have been finished inside the window.
    const SHARE: f64 = 0.98;
    let p99_us = report.latency_us.get("order").map_or(u64::MAX, |order| order.percentiles.p99);
    let offered = report.rate.unwrap_or(0) as f64;
    (p99_us as f64) <= p99_ms * 1_000.0 && report.orders_per_second >= SHARE * offered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a search finds when every rate up to `limit` keeps the bound, and in how many tries.
    fn found(from: u64, limit: u64) -> (Option<u64>, usize) {
        let mut search = Search::new(from, 5);
        let mut tries = 0;
        while let Some(rate) = search.rate() {
            search.tried(rate, rate <= limit);
            tries += 1;
            assert!(tries < 40, "{search:?}");
        }
        (search.answer(), tries)
    }

    #[test]
    fn a_search_comes_close_from_both_sides() {
        for (from, limit) in [(1_000, 47_311), (100_000, 47_311), (47_311, 47_311), (1, 3), (10_000, 1)] {
            let (answer, tries) = found(from, limit);
            let answer = answer.unwrap();
            assert!(answer <= limit && limit - answer <= limit * 5 / 100, "{from} {limit}: {answer}");
            assert!(tries <= 20, "{tries}");
        }
        assert_eq!(found(1_000, 0).0, None);
    }
}
