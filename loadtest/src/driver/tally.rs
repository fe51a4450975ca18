//! What a driver counts.

use std::collections::BTreeMap;

use anyhow::Result;
use suanpan_model::{OrderId, RejectCode};

use crate::latency::Latencies;
use crate::operation::Operation;

/// A finished order that is looked up after the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The engine's number.
    pub order: OrderId,
    /// Which order of the run it was.
    pub count: u64,
}

/// What became of the orders of a run.
#[derive(Debug)]
pub struct Tally {
    /// Orders submitted.
    pub sent: u64,
    /// Creations acknowledged.
    pub acknowledged: u64,
    /// Orders with which everything was done.
    pub finished: u64,
    /// Finished orders per template.
    pub by_template: Vec<u64>,
    /// Refusals other than `busy`, by code.
    pub rejects: BTreeMap<&'static str, u64>,
    /// Refusals that the workload is about, by code.
    pub planned_rejects: BTreeMap<&'static str, u64>,
    /// Refusals for the moment alone (`busy`; `unavailable` where that is ridden out); each was tried again.
    pub busy: u64,
    /// Requests that the target had carried out before, although it had not said so.
    pub repeats: u64,
    /// Orders that failed or were closed.
    pub unpaid: u64,
    /// Answers that nobody awaited, repeats, and releases after which something was left.
    pub strange: u64,
    /// Some of the strange ones in words.
    pub examples: Vec<String>,
    /// Orders planned inside the measured window, by operation in the order of [`Operation::ALL`].
    latencies: Vec<Latencies>,
    /// Orders finished in each second of the measured window.
    pub by_second: Vec<u64>,
    samples: Vec<Finished>,
    sample_every: u64,
}

/// How many finished orders are kept for a look after the run, at least when there are so many.
pub const SAMPLES: usize = 1_000;

impl Tally {
    /// Nothing counted yet, for a workload of `templates`.
    ///
    /// # Errors
    /// As [`Latencies::new`].
    pub fn new(templates: usize) -> Result<Self> {
        Ok(Self {
            sent: 0,
            acknowledged: 0,
            finished: 0,
            by_template: vec![0; templates],
            rejects: BTreeMap::new(),
            planned_rejects: BTreeMap::new(),
            busy: 0,
            repeats: 0,
            unpaid: 0,
            strange: 0,
            examples: Vec::new(),
            latencies: Operation::ALL.iter().map(|_| Latencies::new()).collect::<Result<_>>()?,
            by_second: Vec::new(),
            samples: Vec::new(),
            sample_every: 1,
        })
    }

    /// Latencies of an operation.
    #[must_use]
    pub fn latencies(&self, operation: Operation) -> &Latencies {
        &self.latencies[operation as usize]
    }

    /// Records how long an operation took, in nanoseconds.
    pub fn took(&mut self, operation: Operation, ns: u64) {
        self.latencies[operation as usize].record_ns(ns);
    }

    /// Counts a finished order.
    pub fn finish(&mut self, order: OrderId, count: u64, template: usize) {
        if self.finished.is_multiple_of(self.sample_every) {
            self.samples.push(Finished { order, count });
            if self.samples.len() == 2 * SAMPLES {
                let mut keep = false;
                self.samples.retain(|_| {
                    keep = !keep;
                    keep
                });
                self.sample_every *= 2;
            }
        }
        self.finished += 1;
        self.by_template[template] += 1;
    }

    /// Counts an order that ended in the measured window, in its second of it (from 0).
    pub fn ended_in(&mut self, second: u64) {
        let second = usize::try_from(second).unwrap_or(0);
        if self.by_second.len() <= second {
            self.by_second.resize(second + 1, 0);
        }
        self.by_second[second] += 1;
    }

    /// Counts a refusal that the workload does not ask for.
    pub fn reject(&mut self, code: RejectCode) {
        *self.rejects.entry(code.code()).or_insert(0) += 1;
    }

    /// Counts a refusal that the workload is about.
    pub fn planned_reject(&mut self, code: RejectCode) {
        *self.planned_rejects.entry(code.code()).or_insert(0) += 1;
    }

    /// Counts something that should not happen.
    pub fn strange(&mut self, what: impl FnOnce() -> String) {
        const EXAMPLES: usize = 10;
        self.strange += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(what());
        }
    }

    /// Finished orders spread evenly over the run: between [`SAMPLES`] and twice as many, or all.
    #[must_use]
    pub fn samples(&self) -> &[Finished] {
        &self.samples
    }

    /// Refusals other than `busy` that the workload does not ask for.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejects.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_over_the_run() {
        let mut tally = Tally::new(1).unwrap();
        for count in 0..100_000 {
            tally.finish(OrderId(count), count, 0);
        }
        let counts: Vec<u64> = tally.samples().iter().map(|sample| sample.count).collect();
        assert!((SAMPLES..2 * SAMPLES).contains(&counts.len()), "{}", counts.len());
        assert!(counts.windows(2).all(|pair| pair[1] - pair[0] == 64), "{:?}", &counts[..5]);
        assert_eq!((tally.finished, tally.by_template[0]), (100_000, 100_000));
    }
}
