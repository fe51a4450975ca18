//! How a simulated channel behaves: latencies, payers, faults.

use suanpan_model::channel::FailureKind;

use crate::random::Draws;

/// A probability in parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u32);

impl Rate {
    /// Never.
    pub const NEVER: Self = Self(0);
    /// Always.
    pub const ALWAYS: Self = Self(1_000_000);

    /// A probability of `ppm` parts per million, at most [`Rate::ALWAYS`].
    #[must_use]
    pub const fn from_ppm(ppm: u32) -> Self {
        if ppm > 1_000_000 { Self::ALWAYS } else { Self(ppm) }
    }

    /// A probability of `percent` per cent.
    #[must_use]
    pub const fn from_percent(percent: u32) -> Self {
        Self::from_ppm(percent.saturating_mul(10_000))
    }

    /// Parts per million.
    #[must_use]
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// Whether a draw below a million hits.
    pub(crate) const fn hits(self, draw: u32) -> bool {
        draw < self.0
    }
}

/// A latency in milliseconds with a log-normal distribution; none when the median is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Median.
    pub p50_ms: u32,
    /// 99th percentile, not below the median.
    pub p99_ms: u32,
}

impl Latency {
    /// No latency: answered at once.
    pub const NONE: Self = Self { p50_ms: 0, p99_ms: 0 };

    /// A latency that never varies.
    #[must_use]
    pub const fn exactly(ms: u32) -> Self {
        Self { p50_ms: ms, p99_ms: ms }
    }

    /// One latency in milliseconds; at least 1 unless there is none, at most ten times the 99th percentile.
    pub(crate) fn draw(self, draws: Draws, question: u64) -> u64 {
        /// 99th percentile of the standard normal distribution.
        const Z99: f64 = 2.326_347_874;
        if self.p50_ms == 0 || self.p50_ms == self.p99_ms {
            return u64::from(self.p50_ms);
        }
        let (p50, p99) = (f64::from(self.p50_ms), f64::from(self.p99_ms.max(self.p50_ms)));
        // Box-Muller: one standard normal number from two even ones.
        let about = draws.about(question);
        let radius = (-2.0 * about.unit(0).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * about.unit(1)).cos();
        let drawn = p50 * ((p99 / p50).ln() / Z99 * normal).exp();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 2^36")]
        {
            drawn.round().clamp(1.0, p99 * 10.0) as u64
        }
    }
}

/// Every kind of refusal, in the order of [`Behaviour::failures`].
pub const FAILURE_KINDS: [FailureKind; 6] = [
    FailureKind::Payer,
    FailureKind::Declined,
    FailureKind::Risk,
    FailureKind::Limit,
    FailureKind::Channel,
    FailureKind::Request,
];

/// How a simulated channel behaves. Rates are per payment unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// From a payment call to its answer.
    pub create: Latency,
    /// What the bank takes for a quick payment on top of that.
    pub pay: Latency,
    /// From a query or close to its answer.
    pub query: Latency,
    /// From a refund call to its answer.
    pub refund: Latency,
    /// From a payment to its notification.
    pub notice: Latency,
    /// How long a gateway payer thinks.
    pub think: Latency,
    /// Gateway payers who never act.
    pub never_pays: Rate,
    /// Gateway payers who decline after thinking.
    pub declines: Rate,
    /// Quick payments that want a code sent by SMS.
    pub sms: Rate,
    /// Quick payments answered with `Processing`, whose end is told by notification or query only.
    pub processing: Rate,
    /// Whether quick payments are notified as well as answered.
    pub quick_pay_notice: bool,
    /// Refusals for good, per kind of [`FAILURE_KINDS`].
    pub failures: [Rate; 6],
    /// Calls that certainly never arrive (`NotSent`).
    pub refused: Rate,
    /// Calls that are never answered, with nothing booked.
    pub timeout_not_done: Rate,
    /// Calls whose payment goes its way although no answer comes before the deadline; half of the answers come later,
    /// the other half never.
    pub timeout_done: Rate,
    /// Payments that are never notified.
    pub notice_lost: Rate,
    /// Payments notified one to five times more than once.
    pub notice_duplicate: Rate,
    /// Payments made and notified before their call is answered.
    pub notice_before_answer: Rate,
    /// Payments whose notifications come 5 to 120 s later than they should, and so after those of later payments.
    pub notice_delayed: Rate,
    /// Payments notified with an amount that is not the paid one; the book and queries keep to the truth.
    pub lie_amount: Rate,
    /// Payments of which a late notification says that they failed, after they succeeded.
    pub contradiction: Rate,
    /// Gateway payers who pay although the payment was closed.
    pub paid_after_close: Rate,
    /// Queries (each one anew) answered with "unknown".
    pub query_unknown: Rate,
    /// Refunds refused for good.
    pub refund_failure: Rate,
    /// Refunds that are made but answered with "unknown".
    pub refund_unknown: Rate,
    /// Refunds (each try anew) that the channel cannot finish by itself: no money moves until one is sent again and
    /// goes well.
    pub refund_abnormal: Rate,
    /// Refunds made whose money the payer's bank sends back, as long after them as notifications come.
    pub refund_bounced: Rate,
    /// Whether the book keeps every line.
    ///
    /// If not, sums are exact all the same, every unfinished payment is kept, and of the finished ones the latest
    /// 262 144: an older one is forgotten, so that it is `NotFound` to queries and refunds and new to a repeated call.
    /// For load runs only.
    pub keep_lines: bool,
    /// While this lasts, the channel fails every payment with trouble of its own.
    pub outage: Option<suanpan_model::Maintenance>,
}

impl Behaviour {
    /// No latency and no fault: a gateway payment is answered, paid and notified in one batch, a quick payment answered.
    #[must_use]
    pub const fn instant() -> Self {
        Self {
            create: Latency::NONE,
            pay: Latency::NONE,
            query: Latency::NONE,
            refund: Latency::NONE,
            notice: Latency::NONE,
            think: Latency::NONE,
            never_pays: Rate::NEVER,
            declines: Rate::NEVER,
            sms: Rate::NEVER,
            processing: Rate::NEVER,
            quick_pay_notice: false,
            failures: [Rate::NEVER; 6],
            refused: Rate::NEVER,
            timeout_not_done: Rate::NEVER,
            timeout_done: Rate::NEVER,
            notice_lost: Rate::NEVER,
            notice_duplicate: Rate::NEVER,
            notice_before_answer: Rate::NEVER,
            notice_delayed: Rate::NEVER,
            lie_amount: Rate::NEVER,
            contradiction: Rate::NEVER,
            paid_after_close: Rate::NEVER,
            query_unknown: Rate::NEVER,
            refund_failure: Rate::NEVER,
            refund_unknown: Rate::NEVER,
            refund_abnormal: Rate::NEVER,
            refund_bounced: Rate::NEVER,
            keep_lines: true,
            outage: None,
        }
    }

    /// Every fault at once, often: for simulations that look for what the engine forgot.
    #[must_use]
    pub const fn hostile() -> Self {
        Self {
            create: Latency { p50_ms: 60, p99_ms: 600 },
            pay: Latency { p50_ms: 900, p99_ms: 6_000 },
            query: Latency { p50_ms: 40, p99_ms: 400 },
            refund: Latency { p50_ms: 80, p99_ms: 800 },
            notice: Latency { p50_ms: 300, p99_ms: 5_000 },
            think: Latency { p50_ms: 25_000, p99_ms: 900_000 },
            never_pays: Rate::from_percent(12),
            declines: Rate::from_percent(4),
            sms: Rate::from_percent(30),
            processing: Rate::from_percent(10),
            quick_pay_notice: true,
            failures: [Rate::from_percent(1); 6],
            refused: Rate::from_percent(2),
            timeout_not_done: Rate::from_percent(3),
            timeout_done: Rate::from_percent(4),
            notice_lost: Rate::from_percent(8),
            notice_duplicate: Rate::from_percent(8),
            notice_before_answer: Rate::from_percent(5),
            notice_delayed: Rate::from_percent(8),
            lie_amount: Rate::from_percent(2),
            contradiction: Rate::from_percent(2),
            paid_after_close: Rate::from_percent(10),
            query_unknown: Rate::from_percent(10),
            refund_failure: Rate::from_percent(5),
            refund_unknown: Rate::from_percent(5),
            refund_abnormal: Rate::from_percent(5),
            refund_bounced: Rate::from_percent(5),
            keep_lines: true,
            outage: None,
        }
    }

    /// Whether the probabilities of what excludes each other stay within one: what becomes of a call, and what a gateway
    /// payer does. The error names the keys whose sum is above one.
    pub(crate) fn exclusive_sums(&self) -> Result<(), &'static str> {
        let failures: u32 = self.failures.iter().map(|rate| rate.ppm()).sum();
        if failures + self.refused.ppm() + self.timeout_not_done.ppm() > Rate::ALWAYS.ppm() {
            return Err("failed.*, refused and timeout_not_done");
        }
        if self.never_pays.ppm() + self.declines.ppm() > Rate::ALWAYS.ppm() {
            return Err("never_pays and declines");
        }
        Ok(())
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self::instant()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_their_percentiles() {
        let latency = Latency { p50_ms: 60, p99_ms: 600 };
        let draws = Draws::new(1);
        let mut drawn: Vec<u64> = (0..20_000).map(|subject| latency.draw(draws.about(subject), 1)).collect();
        drawn.sort_unstable();
        let at = |percent: usize| drawn[drawn.len() * percent / 100];
        assert!((57..64).contains(&at(50)), "{}", at(50));
        assert!((520..690).contains(&at(99)), "{}", at(99));
        assert_eq!(Latency::NONE.draw(draws, 1), 0);
        assert_eq!(Latency::exactly(7).draw(draws, 1), 7);
    }

    #[test]
    fn presets_are_possible() {
        assert_eq!(Behaviour::instant().exclusive_sums(), Ok(()));
        assert_eq!(Behaviour::hostile().exclusive_sums(), Ok(()));
        let torn = Behaviour { never_pays: Rate::from_percent(97), ..Behaviour::hostile() };
        assert_eq!(torn.exclusive_sums(), Err("never_pays and declines"));
    }
}
