//! What the engine asks of a channel and what it hears back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::ids::{AttemptNo, ChannelId, OrderId};
use crate::money::Amount;
use crate::order::OrderTerms;
use crate::time::TimestampMs;

/// What a channel is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChannelOp {
    /// Take the payment: a redirect for gateway payments, a charge for quick pay.
    Pay,
    /// Go on with a payment that waits for the code sent to the payer's phone.
    Confirm {
        /// The code that the payer typed. Never logged.
        sms_code: SmolStr,
    },
    /// Say what became of a payment.
    Query,
    /// Close a payment that has not been made.
    Close,
    /// Give a payment back, in part or whole.
    Refund {
        /// Number of the refund under the order.
        refund: u8,
    },
    /// Say what became of a refund.
    QueryRefund {
        /// Number of the refund under the order.
        refund: u8,
    },
}

/// One call to a channel. Its identity is order, attempt and operation: asking twice must have one effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRequest {
    /// The channel.
    pub channel: ChannelId,
    /// The order.
    pub order: OrderId,
    /// The attempt under it.
    pub attempt: AttemptNo,
    /// What to do.
    pub op: ChannelOp,
    /// How much: what the payer pays, or what goes back.
    pub amount: Amount,
    /// When an answer stops being awaited and counts as unknown.
    pub deadline: TimestampMs,
    /// The order's terms: kind, bank, card type, agreement, expiry and the rest.
    pub terms: Arc<OrderTerms>,
}

/// What the payer has to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PayerAction {
    /// Go to this address.
    Redirect(SmolStr),
    /// Type the code sent by SMS.
    SmsCode,
}

/// Why a channel refused for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum FailureKind {
    /// The payer's card or account cannot pay: another channel would hear the same.
    Payer,
    /// The payer declined or let it lapse.
    Declined,
    /// The channel's risk control refused.
    Risk,
    /// A limit of this channel: another may take it.
    Limit,
    /// The channel's own trouble, with proof that no money moved: another may take it.
    Channel,
    /// What we sent was wrong: a bug on our side.
    Request,
}

impl FailureKind {
    /// Whether another channel may cure it.
    #[must_use]
    pub const fn may_fail_over(self) -> bool {
        matches!(self, Self::Limit | Self::Channel)
    }

    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Payer => "payer",
            Self::Declined => "declined",
            Self::Risk => "risk",
            Self::Limit => "limit",
            Self::Channel => "channel",
            Self::Request => "request",
        }
    }
}

/// Why it is not known what became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum UnknownWhy {
    /// No answer before the deadline.
    Timeout,
    /// The connection broke after the request was sent.
    ConnectionLost,
    /// The channel says that it does not know, or answered 5xx.
    ChannelSaysUnknown,
    /// The answer's signature is wrong.
    BadSignature,
    /// The answer cannot be read.
    Unreadable,
    /// The engine restarted while the call was under way.
    Restart,
    /// The channel said that money moved, though not the sum that it was asked for: it is wrong about one of the two.
    Contradicted,
}

impl UnknownWhy {
    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::ConnectionLost => "connection_lost",
            Self::ChannelSaysUnknown => "channel_says_unknown",
            Self::BadSignature => "bad_signature",
            Self::Unreadable => "unreadable",
            Self::Restart => "restart",
            Self::Contradicted => "contradicted",
        }
    }
}

/// Why it is certain that a call never reached the channel's books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum NotSentWhy {
    /// The connection was refused.
    Refused,
    /// The channel documents this throttling answer as "not accepted".
    Throttled,
    /// Our own bound on calls under way was reached.
    QueueFull,
}

impl NotSentWhy {
    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::QueueFull => "queue_full",
        }
    }
}

/// What a channel said, in one vocabulary. Only `Failed` and `NotSent` allow another channel to be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Created; the payer or the channel has to act.
    Accepted {
        /// The channel's number for the payment.
        channel_no: SmolStr,
        /// What the payer has to do, if anything.
        action: Option<PayerAction>,
    },
    /// Done: the money moved.
    Succeeded {
        /// The channel's number for the payment.
        channel_no: SmolStr,
        /// What was paid or given back, as the channel says; checked against what was asked.
        amount: Amount,
        /// The channel's fee, if it says.
        fee: Option<Amount>,
    },
    /// Refused for good: no money moved.
    Failed {
        /// Which kind of refusal.
        kind: FailureKind,
        /// The channel's own code.
        code: SmolStr,
    },
    /// The channel knows it and has not finished.
    Processing,
    /// Nobody knows: it must be asked.
    Unknown(UnknownWhy),
    /// A query found no such payment; still unknown until the channel's own deadline and a close.
    NotFound,
    /// The channel closed it unpaid; it can no longer be paid.
    Closed,
    /// It certainly never reached the channel's books.
    NotSent(NotSentWhy),
    /// Of a refund: the channel cannot finish it by itself (退款异常), for example because the card was closed.
    Abnormal {
        /// The channel's own code.
        code: SmolStr,
    },
    /// Of a refund that had succeeded: the payer's bank sent the money back (退票).
    Bounced {
        /// What came back.
        amount: Amount,
        /// The channel's own code.
        code: SmolStr,
    },
}

impl Outcome {
    /// Name in the API and in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Processing => "processing",
            Self::Unknown(_) => "unknown",
            Self::NotFound => "not_found",
            Self::Closed => "closed",
            Self::NotSent(_) => "not_sent",
            Self::Abnormal { .. } => "abnormal",
            Self::Bounced { .. } => "bounced",
        }
    }
}

/// How a report came to us, and on which operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReportSource {
    /// Answer to a payment call (also to its SMS confirmation).
    PayAnswer,
    /// Signed notification of a payment.
    PayNotice,
    /// Answer to a payment query.
    QueryAnswer,
    /// Answer to a close call.
    CloseAnswer,
    /// Answer to, query of, or notification about a refund.
    Refund {
        /// Number of the refund under the order.
        refund: u8,
    },
}

/// An outside fact about one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelReport {
    /// The channel that says so.
    pub channel: ChannelId,
    /// The order.
    pub order: OrderId,
    /// The attempt.
    pub attempt: AttemptNo,
    /// How it came.
    pub source: ReportSource,
    /// What it says.
    pub outcome: Outcome,
}
