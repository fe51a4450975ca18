//! What a simulated channel has still to do, and when.

use std::cmp::Ordering;

use suanpan_model::TimestampMs;

use crate::book::PaymentKey;

/// Something to do about one payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The bank finishes a quick payment; its call is answered if somebody still listens.
    Settle { answered: bool },
    /// The gateway payer pays or declines.
    PayerActs,
    /// Answer a payment call with what the book says then.
    AnswerPay,
    /// Answer a gateway call as if nothing had happened since.
    AnswerCreated,
    /// Answer a quick payment with "processing", whatever happened since.
    AnswerProcessing,
    /// Answer a query.
    AnswerQuery { unknown: bool },
    /// Close, and answer.
    Close,
    /// Answer a refund call.
    AnswerRefund { refund: u8, unknown: bool },
    /// Answer a query of a refund.
    AnswerRefundQuery { refund: u8 },
    /// Notify of where a refund stands.
    NoticeRefund { refund: u8 },
    /// The payer's bank sends a refund back; notify of it.
    Bounce { refund: u8 },
    /// Notify of the payment, truly or with another amount.
    Notice { lie: bool },
    /// Notify of a failure that is none.
    NoticeFailed,
}

/// An item of the agenda. The greatest is due first, as the heap wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheduled {
    pub at: TimestampMs,
    pub sequence: u64,
    pub key: PaymentKey,
    pub work: Work,
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
