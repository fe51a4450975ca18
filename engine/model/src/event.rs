//! What happened, in the past tense. Events are what the journal keeps: variants and fields are only ever added
//! at the end, so that old journals stay readable.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::channel::{FailureKind, NotSentWhy, PayerAction, UnknownWhy};
use crate::entry::Entry;
use crate::ids::{AccountId, AttemptNo, HoldId, OrderId, PlatformId};
use crate::money::{Amount, Currency};
use crate::order::{CloseReason, ClosingStage, OrderFailure, OrderHold, OrderTerms, RefundSource};
use crate::policy::{FeeBearer, LatePayment};
use crate::route::Route;
use crate::time::TimestampMs;

/// Something that happened to an order. Instants named `due` say when the order wants to be woken next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// The order was recorded.
    Created {
        /// What the mall asked for.
        terms: Arc<OrderTerms>,
        /// Holds that were placed for it.
        holds: SmallVec<[OrderHold; 1]>,
        /// Who bears the channel's fee.
        fee_bearer: FeeBearer,
        /// What happens to a late payment.
        late_payment: LatePayment,
    },
    /// A channel was chosen; the call follows.
    AttemptStarted {
        /// The decision and its reasons.
        route: Arc<Route>,
        /// When the call's answer stops being awaited.
        due: TimestampMs,
    },
    /// The channel has the payment; the payer or the channel has to act.
    AttemptAccepted {
        /// Which attempt.
        attempt: AttemptNo,
        /// The channel's number.
        channel_no: SmolStr,
        /// What the payer has to do.
        action: Option<PayerAction>,
        /// When to ask.
        due: TimestampMs,
    },
    /// The payer's SMS code was passed on.
    SmsConfirmed {
        /// Which attempt.
        attempt: AttemptNo,
        /// When the call's answer stops being awaited.
        due: TimestampMs,
    },
    /// It is not known what became of a call.
    AttemptInDoubt {
        /// Which attempt.
        attempt: AttemptNo,
        /// Why.
        why: UnknownWhy,
        /// When to ask.
        due: TimestampMs,
    },
    /// The channel was asked what became of an attempt.
    AttemptQueried {
        /// Which attempt.
        attempt: AttemptNo,
        /// When to ask again.
        due: TimestampMs,
    },
    /// The channel refused for good.
    AttemptFailed {
        /// Which attempt.
        attempt: AttemptNo,
        /// Which kind of refusal.
        kind: FailureKind,
        /// The channel's code.
        code: SmolStr,
    },
    /// The call certainly never reached the channel.
    AttemptNotSent {
        /// Which attempt.
        attempt: AttemptNo,
        /// Why.
        why: NotSentWhy,
    },
    /// The channel closed the attempt unpaid.
    AttemptClosed {
        /// Which attempt.
        attempt: AttemptNo,
    },
    /// The money is here and belongs to the order.
    Paid {
        /// Which attempt paid; 0 for an e-account.
        attempt: AttemptNo,
        /// The channel's number; empty for an e-account.
        channel_no: SmolStr,
        /// The channel's fee in minor units.
        fee: Amount,
        /// Payment, fee and subsidy.
        entries: SmallVec<[Entry; 2]>,
    },
    /// The money is frozen until the buyer confirms.
    Frozen {
        /// When it is released by itself.
        due: TimestampMs,
    },
    /// Frozen money went to its receivers.
    Released {
        /// What was released of each sub-order now, in minor units.
        amounts: SmallVec<[Amount; 1]>,
        /// What receivers of fixed sums got now, in the order of the splits.
        fixed: SmallVec<[Amount; 2]>,
        /// Channel fee taken from merchants now.
        fee: Amount,
        /// Who got what.
        entry: Entry,
    },
    /// Nothing is frozen any more.
    Settled,
    /// No channel took the order.
    Failed {
        /// Why.
        reason: OrderFailure,
        /// Holds that are given back.
        voided: SmallVec<[OrderHold; 1]>,
    },
    /// A close began or went one step further.
    ClosingAdvanced {
        /// Why the order is closed.
        reason: CloseReason,
        /// What the channel was asked now.
        stage: ClosingStage,
        /// When to ask again if nothing is heard.
        due: TimestampMs,
    },
    /// The order was closed unpaid.
    Closed {
        /// Why.
        reason: CloseReason,
        /// Holds that are given back.
        voided: SmallVec<[OrderHold; 1]>,
    },
    /// A payment arrived that the order no longer waits for; it was parked.
    LatePaid {
        /// Which attempt.
        attempt: AttemptNo,
        /// The channel's number.
        channel_no: SmolStr,
        /// The channel's fee.
        fee: Amount,
        /// Into suspense, and the fee.
        entries: SmallVec<[Entry; 2]>,
    },
    /// Money was set aside to go back to the payer.
    RefundStarted {
        /// The mall's number; empty for a refund that the engine started.
        refund_no: SmolStr,
        /// The attempt whose payment goes back.
        attempt: AttemptNo,
        /// Where it comes from.
        source: RefundSource,
        /// What is undone of each sub-order; empty for a parked payment.
        amounts: SmallVec<[Amount; 1]>,
        /// Part of the price that is undone.
        amount: Amount,
        /// Part of it for the payer.
        to_payer: Amount,
        /// When the call's answer stops being awaited.
        due: TimestampMs,
    },
    /// The channel was asked what became of a refund.
    RefundQueried {
        /// Number of the refund.
        refund: u8,
        /// Whether the refund itself is sent again, because the channel does not know it.
        resend: bool,
        /// When to ask again.
        due: TimestampMs,
    },
    /// The money went back.
    RefundSucceeded {
        /// Number of the refund.
        refund: u8,
        /// Out of escrow or suspense.
        entry: Entry,
    },
    /// The channel refused to give the money back; it is frozen again, or stays in suspense.
    RefundFailed {
        /// Number of the refund.
        refund: u8,
        /// The channel's code.
        code: SmolStr,
    },
    /// Everything was given back.
    Refunded,
    /// A dispute stopped the clock.
    DisputeOpened,
    /// The dispute ended and the clock runs again.
    DisputeResolved {
        /// When the money is released by itself.
        due: TimestampMs,
    },
    /// A report contradicts what is known; a break for reconciliation.
    Contradicted {
        /// Which attempt.
        attempt: AttemptNo,
        /// What was said, by its name.
        said: SmolStr,
    },
}

/// The kinds of [`OrderEvent`], for tables and histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
#[expect(missing_docs, reason = "each stands for the event of the same name")]
pub enum EventKind {
    Created,
    AttemptStarted,
    AttemptAccepted,
    SmsConfirmed,
    AttemptInDoubt,
    AttemptQueried,
    AttemptFailed,
    AttemptNotSent,
    AttemptClosed,
    Paid,
    Frozen,
    Released,
    Settled,
    Failed,
    ClosingAdvanced,
    Closed,
    LatePaid,
    RefundStarted,
    RefundQueried,
    RefundSucceeded,
    RefundFailed,
    Refunded,
    DisputeOpened,
    DisputeResolved,
    Contradicted,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 25] = [
        Self::Created,
        Self::AttemptStarted,
        Self::AttemptAccepted,
        Self::SmsConfirmed,
        Self::AttemptInDoubt,
        Self::AttemptQueried,
        Self::AttemptFailed,
        Self::AttemptNotSent,
        Self::AttemptClosed,
        Self::Paid,
        Self::Frozen,
        Self::Released,
        Self::Settled,
        Self::Failed,
        Self::ClosingAdvanced,
        Self::Closed,
        Self::LatePaid,
        Self::RefundStarted,
        Self::RefundQueried,
        Self::RefundSucceeded,
        Self::RefundFailed,
        Self::Refunded,
        Self::DisputeOpened,
        Self::DisputeResolved,
        Self::Contradicted,
    ];

    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::AttemptStarted => "attempt_started",
            Self::AttemptAccepted => "attempt_accepted",
            Self::SmsConfirmed => "sms_confirmed",
            Self::AttemptInDoubt => "attempt_in_doubt",
            Self::AttemptQueried => "attempt_queried",
            Self::AttemptFailed => "attempt_failed",
            Self::AttemptNotSent => "attempt_not_sent",
            Self::AttemptClosed => "attempt_closed",
            Self::Paid => "paid",
            Self::Frozen => "frozen",
            Self::Released => "released",
            Self::Settled => "settled",
            Self::Failed => "failed",
            Self::ClosingAdvanced => "closing_advanced",
            Self::Closed => "closed",
            Self::LatePaid => "late_paid",
            Self::RefundStarted => "refund_started",
            Self::RefundQueried => "refund_queried",
            Self::RefundSucceeded => "refund_succeeded",
            Self::RefundFailed => "refund_failed",
            Self::Refunded => "refunded",
            Self::DisputeOpened => "dispute_opened",
            Self::DisputeResolved => "dispute_resolved",
            Self::Contradicted => "contradicted",
        }
    }
}

impl OrderEvent {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Created { .. } => EventKind::Created,
            Self::AttemptStarted { .. } => EventKind::AttemptStarted,
            Self::AttemptAccepted { .. } => EventKind::AttemptAccepted,
            Self::SmsConfirmed { .. } => EventKind::SmsConfirmed,
            Self::AttemptInDoubt { .. } => EventKind::AttemptInDoubt,
            Self::AttemptQueried { .. } => EventKind::AttemptQueried,
            Self::AttemptFailed { .. } => EventKind::AttemptFailed,
            Self::AttemptNotSent { .. } => EventKind::AttemptNotSent,
            Self::AttemptClosed { .. } => EventKind::AttemptClosed,
            Self::Paid { .. } => EventKind::Paid,
            Self::Frozen { .. } => EventKind::Frozen,
            Self::Released { .. } => EventKind::Released,
            Self::Settled => EventKind::Settled,
            Self::Failed { .. } => EventKind::Failed,
            Self::ClosingAdvanced { .. } => EventKind::ClosingAdvanced,
            Self::Closed { .. } => EventKind::Closed,
            Self::LatePaid { .. } => EventKind::LatePaid,
            Self::RefundStarted { .. } => EventKind::RefundStarted,
            Self::RefundQueried { .. } => EventKind::RefundQueried,
            Self::RefundSucceeded { .. } => EventKind::RefundSucceeded,
            Self::RefundFailed { .. } => EventKind::RefundFailed,
            Self::Refunded => EventKind::Refunded,
            Self::DisputeOpened => EventKind::DisputeOpened,
            Self::DisputeResolved { .. } => EventKind::DisputeResolved,
            Self::Contradicted { .. } => EventKind::Contradicted,
        }
    }

    /// The entries that it carries; each sums to zero.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match self {
            Self::Paid { entries, .. } | Self::LatePaid { entries, .. } => entries,
            Self::Released { entry, .. } | Self::RefundSucceeded { entry, .. } => std::slice::from_ref(entry),
            Self::Created { .. }
            | Self::AttemptStarted { .. }
            | Self::AttemptAccepted { .. }
            | Self::SmsConfirmed { .. }
            | Self::AttemptInDoubt { .. }
            | Self::AttemptQueried { .. }
            | Self::AttemptFailed { .. }
            | Self::AttemptNotSent { .. }
            | Self::AttemptClosed { .. }
            | Self::Frozen { .. }
            | Self::Settled
            | Self::Failed { .. }
            | Self::ClosingAdvanced { .. }
            | Self::Closed { .. }
            | Self::RefundStarted { .. }
            | Self::RefundQueried { .. }
            | Self::RefundFailed { .. }
            | Self::Refunded
            | Self::DisputeOpened
            | Self::DisputeResolved { .. }
            | Self::Contradicted { .. } => &[],
        }
    }
}

impl OrderEvent {
    /// The holds of the order that it gives back.
    #[must_use]
    pub fn voided(&self) -> &[OrderHold] {
        if let Self::Failed { voided, .. } | Self::Closed { voided, .. } = self { voided } else { &[] }
    }
}

/// Something that a balance actor decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LedgerEvent {
    /// An account was opened.
    AccountOpened {
        /// Its number.
        account: AccountId,
        /// Platform on which it was opened, and which it alone serves.
        platform: PlatformId,
        /// The platform's name for it, unique with platform and type.
        reference: SmolStr,
        /// Its currency.
        currency: Currency,
        /// The account above it in its tree.
        parent: Option<AccountId>,
        /// How far below zero it may go, in minor units.
        credit_limit: Amount,
    },
    /// Money was set aside.
    HoldPlaced {
        /// Which hold.
        hold: HoldId,
        /// On which account.
        account: AccountId,
        /// How much.
        amount: Amount,
        /// When it lapses by itself if nobody uses it.
        expires_at: TimestampMs,
    },
    /// What is left of a hold was given back by its owner.
    HoldVoided {
        /// Which hold.
        hold: HoldId,
        /// On which account.
        account: AccountId,
    },
    /// What is left of a hold was given back because its time ran out.
    HoldExpired {
        /// Which hold.
        hold: HoldId,
        /// On which account.
        account: AccountId,
    },
    /// Money moved outside any order: a top-up or a transfer.
    EntryPosted {
        /// The entry.
        entry: Entry,
        /// The caller's number for it; repeats are recognised by it.
        reference: SmolStr,
    },
}

impl LedgerEvent {
    /// The account whose shard decided it.
    #[must_use]
    pub fn home(&self) -> Option<AccountId> {
        match self {
            Self::AccountOpened { account, .. }
            | Self::HoldPlaced { account, .. }
            | Self::HoldVoided { account, .. }
            | Self::HoldExpired { account, .. } => Some(*account),
            Self::EntryPosted { entry, .. } => entry.postings.first().map(|posting| posting.account),
        }
    }
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// One decision about one order.
    Order {
        /// The order.
        order: OrderId,
        /// When it was decided.
        at: TimestampMs,
        /// What happened, at least one event.
        events: SmallVec<[OrderEvent; 2]>,
    },
    /// One decision of a balance actor.
    Ledger {
        /// When it was decided.
        at: TimestampMs,
        /// What happened.
        event: LedgerEvent,
    },
}
