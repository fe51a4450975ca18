//! A channel's health: a circuit that opens on faults, lets probes through after a while, and closes when they are
//! answered well.

use serde::{Deserialize, Serialize};
use suanpan_model::{DurationMs, HealthPolicy, TimestampMs};

use super::observe::{Observation, Observed};

/// Shift of the latency's moving average: each answer counts for an eighth.
const LATENCY_SHIFT: u32 = 3;
/// Answers that are remembered at the most.
const ANSWERS_MAX: u8 = 32;

/// Whether payments pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Circuit {
    /// They do.
    #[default]
    Closed,
    /// None does before `until`; then probes.
    Open {
        /// When the first probe may pass.
        until: TimestampMs,
        /// How long it was opened for.
        wait: DurationMs,
    },
    /// A few do, to see whether the channel is well again.
    HalfOpen {
        /// Since when.
        since: TimestampMs,
        /// How long it was open before.
        wait: DurationMs,
        /// Probes that were not answered yet.
        under_way: u8,
        /// Probes that were answered well.
        passed: u8,
    },
}

impl Circuit {
    /// Name in the API and in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
        }
    }
}

/// How a channel answered lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whether payments pass.
    pub circuit: Circuit,
    /// How often the circuit opened.
    pub opened: u32,
    /// A bit for each of the last answers, the latest lowest; set when it was a fault.
    faults: u32,
    answers: u8,
    /// Moving average of the time to the first answer, in eighths of a millisecond.
    latency_eighths: u32,
}

/// How an answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Good,
    Fault,
    /// Says nothing about the channel, but a probe that waited for it is over.
    Neutral,
}

impl Health {
    /// How long the channel takes to answer on average, in milliseconds; nothing before the first answer.
    #[must_use]
    pub fn latency_ms(&self) -> Option<u32> {
        (self.latency_eighths > 0).then_some(self.latency_eighths >> LATENCY_SHIFT)
    }

    /// Faults among the last answers, and how many answers that are.
    #[must_use]
    pub const fn faults(&self) -> (u32, u8) {
        (self.faults.count_ones(), self.answers)
    }

    /// Whether a payment may pass at `now`.
    #[must_use]
    pub fn lets_through(&self, policy: &HealthPolicy, now: TimestampMs) -> bool {
        match self.circuit {
            Circuit::Closed => true,
            Circuit::Open { until, .. } => until <= now,
            Circuit::HalfOpen { .. } => self.probes_left(policy) > 0,
        }
    }

    /// Probes that may still pass when the circuit is not closed.
    #[must_use]
    pub const fn probes_left(&self, policy: &HealthPolicy) -> u8 {
        match self.circuit {
            Circuit::Closed | Circuit::Open { .. } => policy.probes,
            Circuit::HalfOpen { under_way, passed, .. } => {
                policy.probes.saturating_sub(under_way.saturating_add(passed))
            }
        }
    }

    /// Folds in an observation.
    pub fn fold(&mut self, seen: &Observation, policy: &HealthPolicy) {
        if seen.what == Observed::Started {
            self.start(seen.at);
            return;
        }
        let took = seen.at.since(seen.started_at);
        let slow = policy.slow.is_some_and(|slow| took > slow);
        let well = if slow { Answer::Fault } else { Answer::Good };
        let (first, answer) = match seen.what {
            Observed::Started => return,
            Observed::Accepted { first } => (first, if first { well } else { return }),
            // A gateway payer's thinking is not the channel's time: only the first answer can be slow.
            Observed::Paid { first, .. } => (first, if first { well } else { Answer::Neutral }),
            Observed::Failed { first, own: true } => (first, Answer::Fault),
            Observed::Failed { first, own: false } => (first, if first { well } else { Answer::Neutral }),
            Observed::NotSent { own: true } => (true, Answer::Fault),
            Observed::InDoubt { first, own: true } => (first, Answer::Fault),
            Observed::NotSent { own: false } => (true, Answer::Neutral),
            Observed::InDoubt { first, own: false } | Observed::Closed { first } => (first, Answer::Neutral),
        };
        if first && answer != Answer::Neutral {
            self.measure(took);
        }
        match self.circuit {
            Circuit::Closed => self.count(answer, seen.at, policy),
            // What was under way when the circuit opened says nothing new.
            Circuit::Open { .. } => {}
            Circuit::HalfOpen { since, .. } if seen.started_at < since => {}
            Circuit::HalfOpen { .. } => self.judge_probe(first, answer, seen.at, policy),
        }
    }

    fn start(&mut self, at: TimestampMs) {
        match &mut self.circuit {
            Circuit::Closed => {}
            Circuit::Open { until, wait } if *until <= at => {
                self.circuit = Circuit::HalfOpen { since: at, wait: *wait, under_way: 1, passed: 0 };
            }
            Circuit::Open { .. } => {}
            Circuit::HalfOpen { under_way, .. } => *under_way = under_way.saturating_add(1),
        }
    }

    fn measure(&mut self, took: DurationMs) {
        let eighths = u32::try_from(took.0.max(1).saturating_mul(1 << LATENCY_SHIFT)).unwrap_or(u32::MAX);
        self.latency_eighths = match self.latency_eighths {
            0 => eighths,
            known => known - (known >> LATENCY_SHIFT) + (eighths >> LATENCY_SHIFT),
        };
    }

    fn count(&mut self, answer: Answer, at: TimestampMs, policy: &HealthPolicy) {
        let fault = match answer {
            Answer::Good => false,
            Answer::Fault => true,
            Answer::Neutral => return,
        };
        let window = policy.window.clamp(1, ANSWERS_MAX);
        let kept = u32::MAX >> (ANSWERS_MAX - window);
        self.faults = (self.faults << 1 | u32::from(fault)) & kept;
        self.answers = (self.answers + 1).min(window);
        let faults = self.faults.count_ones();
        let often = u64::from(faults) * 1_000_000 >= u64::from(policy.faults_ppm) * u64::from(self.answers);
        if fault && faults >= u32::from(policy.faults_min) && often {
            self.open(at, policy.open);
        }
    }

    fn open(&mut self, at: TimestampMs, wait: DurationMs) {
        self.circuit = Circuit::Open { until: at + wait, wait };
        self.opened = self.opened.saturating_add(1);
        (self.faults, self.answers) = (0, 0);
    }

    fn judge_probe(&mut self, first: bool, answer: Answer, at: TimestampMs, policy: &HealthPolicy) {
        let Circuit::HalfOpen { wait, under_way, passed, .. } = &mut self.circuit else { return };
        match answer {
            Answer::Fault => {
                let wait = DurationMs(wait.0.saturating_mul(2).min(policy.open_max.0));
                self.open(at, wait);
            }
            Answer::Good if first => {
                *under_way = under_way.saturating_sub(1);
                *passed = passed.saturating_add(1);
                if *passed >= policy.probes {
                    self.circuit = Circuit::Closed;
                }
            }
            Answer::Neutral if first => *under_way = under_way.saturating_sub(1),
            Answer::Good | Answer::Neutral => {}
        }
    }
}
