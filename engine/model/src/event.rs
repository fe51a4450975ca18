//! What happened, in the past tense. Events are what the journal keeps: variants and fields are only ever added
//! at the end, so that old journals stay readable.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::channel::{FailureKind, NotSentWhy, PayerAction, UnknownWhy};
use crate::coupon::Campaign;
use crate::entry::Entry;
use crate::ids::{AccountId, AttemptNo, HoldId, OrderId, PlatformId};
use crate::money::{Amount, Currency};
use crate::order::{CloseReason, ClosingStage, OrderFailure, OrderHold, OrderTerms};
use crate::policy::Agreement;
use crate::refund::{RefundSource, Unwinding};
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
        /// What is agreed with the platform.
        agreement: Agreement,
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
        /// Payment with its subsidy, fee, coupons used.
        entries: SmallVec<[Entry; 2]>,
    },
    /// The money is frozen until the buyer confirms.
    Frozen {
        /// When it is released by itself.
        due: TimestampMs,
    },
    /// Frozen money went to its receivers.
    Released {
        /// The mall's number; empty when everything that was left is released.
        release_no: SmolStr,
        /// Fingerprint of what the mall asked for.
        request: u64,
        /// What was released of each sub-order now, in minor units.
        amounts: SmallVec<[Amount; 1]>,
        /// Of each sub-order, row by row, what each split, the channel's fee and the merchant got now; empty when the
        /// release named its own payees.
        given: SmallVec<[Amount; 4]>,
        /// What payees that the release named got now.
        payees: Vec<Payee>,
        /// The same by account.
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
        /// Fingerprint of what the mall asked for.
        request: u64,
        /// The attempt whose payment goes back.
        attempt: AttemptNo,
        /// Where it comes from.
        source: RefundSource,
        /// Part of the price that is undone.
        amount: Amount,
        /// Part of it for the payer.
        to_payer: Amount,
        /// How the order is undone; absent for a parked payment.
        unwinding: Option<Box<Unwinding>>,
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
        /// Out of escrow, from receivers, or out of suspense; and coupons that come back.
        entries: SmallVec<[Entry; 1]>,
        /// Holds of which something is left.
        voided: SmallVec<[OrderHold; 1]>,
    },
    /// The channel refused to give the money back; it is where it was before, or stays in suspense.
    RefundFailed {
        /// Number of the refund.
        refund: u8,
        /// The channel's code.
        code: SmolStr,
        /// Holds that are given back.
        voided: SmallVec<[OrderHold; 1]>,
    },
    /// Everything was given back.
    Refunded,
    /// A dispute stopped the clock, and what can still be given back is held.
    DisputeOpened {
        /// What is held of the money that receivers already got.
        holds: Vec<OrderHold>,
    },
    /// The dispute ended and the clock runs again.
    DisputeResolved {
        /// When the money is released by itself.
        due: TimestampMs,
        /// Holds that are given back.
        voided: SmallVec<[OrderHold; 1]>,
    },
    /// A report contradicts what is known; a break for reconciliation.
    Contradicted {
        /// Which attempt.
        attempt: AttemptNo,
        /// What was said, by its name.
        said: SmolStr,
    },
    /// The channel cannot finish a refund; the money stays set aside for an operator.
    RefundStuck {
        /// Number of the refund.
        refund: u8,
        /// The channel's code.
        code: SmolStr,
    },
    /// A refund that had succeeded came back; it is parked for an operator.
    RefundBounced {
        /// Number of the refund.
        refund: u8,
        /// The channel's code.
        code: SmolStr,
        /// Back from the channel, into suspense.
        entry: Entry,
    },
    /// An operator finished a refund another way than over its channel.
    RefundFinished {
        /// Number of the refund.
        refund: u8,
        /// How, and what the operator noted.
        note: SmolStr,
        /// As for a success, but to where the operator said.
        entries: SmallVec<[Entry; 1]>,
        /// Holds of which something is left.
        voided: SmallVec<[OrderHold; 1]>,
    },
    /// A parked payment was taken into the order, which had ended unpaid.
    Reopened {
        /// Which attempt.
        attempt: AttemptNo,
        /// Out of suspense, with the subsidy; coupons used.
        entries: SmallVec<[Entry; 2]>,
    },
    /// A parked payment will be taken into the order as soon as its coupons are held again.
    ReopeningPlanned {
        /// When to try.
        due: TimestampMs,
    },
}

/// A receiver that a release named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payee {
    /// Place of the sub-order.
    pub sub_order: u8,
    /// The account; stripe 0 of an internal one stands for the stripe of the order.
    pub account: AccountId,
    /// What it got, in minor units.
    pub amount: Amount,
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
    RefundStuck,
    RefundBounced,
    RefundFinished,
    Reopened,
    ReopeningPlanned,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 30] = [
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
        Self::RefundStuck,
        Self::RefundBounced,
        Self::RefundFinished,
        Self::Reopened,
        Self::ReopeningPlanned,
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
            Self::RefundStuck => "refund_stuck",
            Self::RefundBounced => "refund_bounced",
            Self::RefundFinished => "refund_finished",
            Self::Reopened => "reopened",
            Self::ReopeningPlanned => "reopening_planned",
        }
    }
}

impl EventKind {
    /// Whether the mall is told. It is told what became of money and what it has to see to; not how the engine talks with
    /// channels on the way.
    #[must_use]
    pub const fn is_announced(self) -> bool {
        match self {
            Self::Paid
            | Self::Released
            | Self::Settled
            | Self::Failed
            | Self::Closed
            | Self::LatePaid
            | Self::RefundStarted
            | Self::RefundSucceeded
            | Self::RefundFailed
            | Self::Refunded
            | Self::DisputeOpened
            | Self::DisputeResolved
            | Self::RefundStuck
            | Self::RefundBounced
            | Self::RefundFinished
            | Self::Reopened => true,
            Self::Created
            | Self::AttemptStarted
            | Self::AttemptAccepted
            | Self::SmsConfirmed
            | Self::AttemptInDoubt
            | Self::AttemptQueried
            | Self::AttemptFailed
            | Self::AttemptNotSent
            | Self::AttemptClosed
            | Self::Frozen
            | Self::ClosingAdvanced
            | Self::RefundQueried
            | Self::Contradicted
            | Self::ReopeningPlanned => false,
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
            Self::DisputeOpened { .. } => EventKind::DisputeOpened,
            Self::DisputeResolved { .. } => EventKind::DisputeResolved,
            Self::Contradicted { .. } => EventKind::Contradicted,
            Self::RefundStuck { .. } => EventKind::RefundStuck,
            Self::RefundBounced { .. } => EventKind::RefundBounced,
            Self::RefundFinished { .. } => EventKind::RefundFinished,
            Self::Reopened { .. } => EventKind::Reopened,
            Self::ReopeningPlanned { .. } => EventKind::ReopeningPlanned,
        }
    }

    /// The entries that it carries; each sums to zero.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match self {
            Self::Paid { entries, .. } | Self::LatePaid { entries, .. } | Self::Reopened { entries, .. } => {
                entries
            }
            Self::RefundSucceeded { entries, .. } | Self::RefundFinished { entries, .. } => entries,
            Self::Released { entry, .. } | Self::RefundBounced { entry, .. } => std::slice::from_ref(entry),
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
            | Self::DisputeOpened { .. }
            | Self::DisputeResolved { .. }
            | Self::Contradicted { .. }
            | Self::RefundStuck { .. }
            | Self::ReopeningPlanned { .. } => &[],
        }
    }

    /// The holds of the order that it gives back.
    #[must_use]
    pub fn voided(&self) -> &[OrderHold] {
        match self {
            Self::Failed { voided, .. }
            | Self::Closed { voided, .. }
            | Self::RefundSucceeded { voided, .. }
            | Self::RefundFailed { voided, .. }
            | Self::RefundFinished { voided, .. }
            | Self::DisputeResolved { voided, .. } => voided,
            Self::Created { .. }
            | Self::AttemptStarted { .. }
            | Self::AttemptAccepted { .. }
            | Self::SmsConfirmed { .. }
            | Self::AttemptInDoubt { .. }
            | Self::AttemptQueried { .. }
            | Self::AttemptFailed { .. }
            | Self::AttemptNotSent { .. }
            | Self::AttemptClosed { .. }
            | Self::Paid { .. }
            | Self::Frozen { .. }
            | Self::Released { .. }
            | Self::Settled
            | Self::ClosingAdvanced { .. }
            | Self::LatePaid { .. }
            | Self::RefundStarted { .. }
            | Self::RefundQueried { .. }
            | Self::Refunded
            | Self::DisputeOpened { .. }
            | Self::Contradicted { .. }
            | Self::RefundStuck { .. }
            | Self::RefundBounced { .. }
            | Self::Reopened { .. }
            | Self::ReopeningPlanned { .. } => &[],
        }
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
    /// Money moved outside any order: a top-up, a transfer, coupons granted, a debt recovered.
    EntryPosted {
        /// The entry.
        entry: Entry,
        /// The caller's number for it; repeats are recognised by it. Empty for what the engine does by itself.
        reference: SmolStr,
    },
    /// A coupon campaign was recorded; the account is that of its stock.
    CampaignRecorded {
        /// The campaign.
        campaign: Arc<Campaign>,
        /// The account of its stock.
        stock: AccountId,
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
            Self::CampaignRecorded { stock, .. } => Some(*stock),
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
