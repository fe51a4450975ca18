//! What will become of a payment: a function of seed, channel, order and attempt, and of nothing else.

use suanpan_model::channel::FailureKind;
use suanpan_model::{AttemptNo, ChannelId, OrderId};

use crate::behaviour::{Behaviour, FAILURE_KINDS, Latency, Rate};
use crate::random::Draws;

/// What becomes of a payment call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journey {
    /// It reaches the books.
    Arrives,
    /// The connection is refused.
    Refused,
    /// It is lost and nobody says so.
    Lost,
    /// The channel refuses the payment for good.
    Fails(FailureKind),
}

/// What a gateway payer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayerPlan {
    /// Pays.
    Pays,
    /// Declines.
    Declines,
    /// Never acts.
    Never,
}

/// Whether the answer to a payment call comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerPlan {
    /// In time.
    InTime,
    /// After the deadline.
    Late,
    /// Never.
    Never,
}

/// Numbers of the questions that are drawn about a payment. Each must stay what it is: stored books are continued
/// with the same draws.
mod question {
    pub const JOURNEY: u64 = 1;
    pub const PAYER: u64 = 2;
    pub const ANSWER: u64 = 3;
    pub const ANSWER_LATE: u64 = 4;
    pub const SMS: u64 = 5;
    pub const PROCESSING: u64 = 6;
    pub const NOTICE_LOST: u64 = 7;
    pub const NOTICE_DUPLICATE: u64 = 8;
    pub const NOTICE_COPIES: u64 = 9;
    pub const NOTICE_BEFORE: u64 = 10;
    pub const NOTICE_DELAYED: u64 = 11;
    pub const NOTICE_DELAY: u64 = 12;
    pub const LIE: u64 = 13;
    pub const CONTRADICTION: u64 = 14;
    pub const AFTER_CLOSE: u64 = 15;
    pub const CREATE_MS: u64 = 16;
    pub const PAY_MS: u64 = 17;
    pub const THINK_MS: u64 = 18;
    pub const NOTICE_MS: u64 = 19;
    pub const LATE_MS: u64 = 20;
    /// Questions from here on are numbered by the query or refund they are about.
    pub const QUERY: u64 = 0x1_0000;
    pub const QUERY_MS: u64 = 0x2_0000;
    pub const REFUND_FAILURE: u64 = 0x3_0000;
    pub const REFUND_UNKNOWN: u64 = 0x4_0000;
    pub const REFUND_MS: u64 = 0x5_0000;
    /// By refund and try.
    pub const REFUND_ABNORMAL: u64 = 0x6_0000;
    pub const REFUND_BOUNCED: u64 = 0x7_0000;
    pub const REFUND_BOUNCED_MS: u64 = 0x8_0000;
}

const MILLION: u32 = 1_000_000;

/// Notifications of one payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticePlan {
    /// How many say that it was paid; none when they are lost.
    pub copies: u8,
    /// When the first comes, in milliseconds after the payment.
    pub after_ms: u64,
    /// What stands between one and the next, in milliseconds.
    pub gap_ms: u64,
    /// Whether they name another amount.
    pub lie: bool,
    /// When one comes that says it failed, in milliseconds after the payment.
    pub contradiction_after_ms: Option<u64>,
}

/// The fate of one payment, drawn question by question.
#[derive(Clone, Copy, Debug)]
pub struct Fate<'a> {
    draws: Draws,
    behaviour: &'a Behaviour,
}

impl<'a> Fate<'a> {
    pub fn of(draws: Draws, order: OrderId, attempt: AttemptNo, behaviour: &'a Behaviour) -> Self {
        Self { draws: draws.about(order.0).about(u64::from(attempt.0)), behaviour }
    }

    /// Draws of one channel in a run with this seed.
    pub fn channel_draws(seed: u64, channel: ChannelId) -> Draws {
        Draws::new(seed).about(u64::from(channel.0))
    }

    fn happens(&self, rate: Rate, question: u64) -> bool {
        rate != Rate::NEVER && rate.hits(self.draws.below(question, MILLION))
    }

    fn takes(&self, latency: Latency, question: u64) -> u64 {
        latency.draw(self.draws, question)
    }

    pub fn journey(&self) -> Journey {
        let mut draw = self.draws.below(question::JOURNEY, MILLION);
        let rates = self.behaviour.failures.into_iter().zip(FAILURE_KINDS.map(Journey::Fails));
        let others =
            [(self.behaviour.refused, Journey::Refused), (self.behaviour.timeout_not_done, Journey::Lost)];
        for (rate, journey) in others.into_iter().chain(rates) {
            if rate.hits(draw) {
                return journey;
            }
            draw -= rate.ppm();
        }
        Journey::Arrives
    }

    pub fn payer(&self) -> PayerPlan {
        let draw = self.draws.below(question::PAYER, MILLION);
        if self.behaviour.never_pays.hits(draw) {
            PayerPlan::Never
        } else if self.behaviour.declines.hits(draw - self.behaviour.never_pays.ppm()) {
            PayerPlan::Declines
        } else {
            PayerPlan::Pays
        }
    }

    pub fn answer(&self) -> AnswerPlan {
        if !self.happens(self.behaviour.timeout_done, question::ANSWER) {
            AnswerPlan::InTime
        } else if self.draws.below(question::ANSWER_LATE, 2) == 0 {
            AnswerPlan::Late
        } else {
            AnswerPlan::Never
        }
    }

    pub fn wants_sms(&self) -> bool {
        self.happens(self.behaviour.sms, question::SMS)
    }

    pub fn answers_processing(&self) -> bool {
        self.happens(self.behaviour.processing, question::PROCESSING)
    }

    pub fn notice_before_answer(&self) -> bool {
        self.happens(self.behaviour.notice_before_answer, question::NOTICE_BEFORE)
    }

    pub fn paid_after_close(&self) -> bool {
        self.happens(self.behaviour.paid_after_close, question::AFTER_CLOSE)
    }

    pub fn create_ms(&self) -> u64 {
        self.takes(self.behaviour.create, question::CREATE_MS)
    }

    pub fn pay_ms(&self) -> u64 {
        self.takes(self.behaviour.pay, question::PAY_MS)
    }

    pub fn think_ms(&self) -> u64 {
        self.takes(self.behaviour.think, question::THINK_MS)
    }

    /// By how many milliseconds a late answer misses its deadline.
    pub fn late_ms(&self) -> u64 {
        1 + self.takes(self.behaviour.create, question::LATE_MS)
    }

    pub fn notices(&self) -> NoticePlan {
        let lost = self.happens(self.behaviour.notice_lost, question::NOTICE_LOST);
        let duplicate = self.happens(self.behaviour.notice_duplicate, question::NOTICE_DUPLICATE);
        let more = if duplicate { 1 + self.draws.below(question::NOTICE_COPIES, 5) } else { 0 };
        let delayed = self.happens(self.behaviour.notice_delayed, question::NOTICE_DELAYED);
        let delay_ms =
            if delayed { 5_000 + u64::from(self.draws.below(question::NOTICE_DELAY, 115_000)) } else { 0 };
        let after_ms = self.takes(self.behaviour.notice, question::NOTICE_MS) + delay_ms;
        let contradicted = self.happens(self.behaviour.contradiction, question::CONTRADICTION);
        NoticePlan {
            copies: if lost { 0 } else { 1 + u8::try_from(more).unwrap_or(5) },
            after_ms,
            gap_ms: u64::from(self.behaviour.notice.p50_ms),
            lie: self.happens(self.behaviour.lie_amount, question::LIE),
            contradiction_after_ms: contradicted
                .then(|| after_ms + 10 * u64::from(self.behaviour.notice.p50_ms)),
        }
    }

    /// Whether query number `asked` is answered with "unknown".
    pub fn query_unknown(&self, asked: u8) -> bool {
        self.happens(self.behaviour.query_unknown, question::QUERY + u64::from(asked))
    }

    /// What query or close number `asked` takes, in milliseconds.
    pub fn query_ms(&self, asked: u8) -> u64 {
        self.takes(self.behaviour.query, question::QUERY_MS + u64::from(asked))
    }

    pub fn refund_fails(&self, refund: u8) -> bool {
        self.happens(self.behaviour.refund_failure, question::REFUND_FAILURE + u64::from(refund))
    }

    pub fn refund_unknown(&self, refund: u8) -> bool {
        self.happens(self.behaviour.refund_unknown, question::REFUND_UNKNOWN + u64::from(refund))
    }

    /// Whether try number `tried` (from 0) of a refund comes to nothing that the channel could end by itself.
    pub fn refund_abnormal(&self, refund: u8, tried: u8) -> bool {
        let question = question::REFUND_ABNORMAL + (u64::from(tried) << 8) + u64::from(refund);
        self.happens(self.behaviour.refund_abnormal, question)
    }

    /// How long after its answer a refund comes back, in milliseconds, if it does.
    pub fn refund_bounces_ms(&self, refund: u8) -> Option<u64> {
        let number = u64::from(refund);
        self.happens(self.behaviour.refund_bounced, question::REFUND_BOUNCED + number)
            .then(|| self.takes(self.behaviour.notice, question::REFUND_BOUNCED_MS + number))
    }

    pub fn refund_ms(&self, refund: u8) -> u64 {
        self.takes(self.behaviour.refund, question::REFUND_MS + u64::from(refund))
    }
}
