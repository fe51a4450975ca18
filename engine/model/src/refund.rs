//! Money on its way back to the payer.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::ids::{AccountId, AttemptNo};
use crate::money::Amount;
use crate::order::OrderHold;
use crate::time::TimestampMs;

/// Where the money of a refund comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefundSource {
    /// Money of the order: what is frozen, and what its receivers got.
    Order,
    /// A late or double payment, or a refund that came back, parked in suspense.
    Suspense,
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum RefundState {
    /// The channel was called, or has not finished.
    Pending,
    /// Nobody knows: it is being asked.
    InDoubt,
    /// The money went back.
    Succeeded,
    /// The channel refused; the money is where it was before.
    Failed,
    /// The channel cannot finish it (for example, the card was closed). The money stays set aside until an operator
    /// finishes it another way.
    Stuck,
    /// It succeeded and the money came back later (退票). It is parked until an operator finishes it another way.
    Bounced,
    /// An operator finished it another way.
    Finished,
}

impl RefundState {
    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InDoubt => "in_doubt",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stuck => "stuck",
            Self::Bounced => "bounced",
            Self::Finished => "finished",
        }
    }

    /// Whether the channel may still do it.
    #[must_use]
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Pending | Self::InDoubt)
    }

    /// Whether an operator has to finish it.
    #[must_use]
    pub const fn needs_operator(self) -> bool {
        matches!(self, Self::Stuck | Self::Bounced)
    }

    /// Whether its money is still where it was set aside: in escrow, under holds, or in suspense.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::InDoubt | Self::Stuck)
    }
}

/// What a receiver gives back of what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Take {
    /// The receiver's account (the stripe, for an internal one).
    pub account: AccountId,
    /// How much, in minor units.
    pub amount: Amount,
    /// What is held of it there. What a hold does not cover becomes the receiver's debt; internal accounts need none.
    pub hold: Option<OrderHold>,
}

impl Take {
    /// What is there to be taken now.
    #[must_use]
    pub fn covered(&self) -> Amount {
        match self.hold {
            Some(hold) => hold.amount.min(self.amount),
            None if self.account.kind().is_internal() => self.amount,
            None => Amount::ZERO,
        }
    }

    /// What the receiver owes.
    #[must_use]
    pub fn short(&self) -> Amount {
        self.amount.minus(self.covered())
    }
}

/// How part of an order is undone, to the cent: decided when the refund starts, posted as one entry when it succeeds.
/// Sums are in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unwinding {
    /// Of each sub-order, what comes out of its frozen money.
    pub returned: SmallVec<[Amount; 1]>,
    /// Of each sub-order, what comes out of released money; empty when nothing does.
    pub reversed: SmallVec<[Amount; 1]>,
    /// Of each sub-order, row by row, what goes to the payer and to each funder of a coupon.
    pub undone: SmallVec<[Amount; 2]>,
    /// How many stakes each sub-order has; empty when nothing is taken back.
    pub stakes: SmallVec<[u8; 4]>,
    /// Of each sub-order, stake by stake, what is taken back.
    pub taken: Vec<Amount>,
    /// The same by account.
    pub takes: Vec<Take>,
    /// Funders of coupons that get money back.
    pub funders: SmallVec<[(AccountId, Amount); 1]>,
}

/// Money on its way back to the payer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// From 1, in the order in which they were asked for.
    pub no: u8,
    /// The mall's number for it; empty for a refund that the engine started by itself.
    pub refund_no: SmolStr,
    /// Fingerprint of what the mall asked for, by which a repeat is told from a conflict.
    pub request: u64,
    /// The attempt whose payment goes back; 0 for a payment from an e-account.
    pub attempt: AttemptNo,
    /// Where it comes from.
    pub source: RefundSource,
    /// Part of the price that is undone, in minor units.
    pub amount: Amount,
    /// Part of it that goes to the payer; the rest goes to the funders of coupons.
    pub to_payer: Amount,
    /// Where it stands.
    pub state: RefundState,
    /// The channel's code of a refusal; what an operator noted of an end that was reached another way.
    pub note: SmolStr,
    /// How often the channel was asked what became of it.
    pub queries: u16,
    /// When to ask the channel next.
    pub due: TimestampMs,
    /// How the order is undone; absent for a parked payment.
    pub unwinding: Option<Box<Unwinding>>,
}

/// How an operator ends a refund that its channel cannot finish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FinishWay {
    /// Onto an account of the payer with the engine.
    ToAccount(AccountId),
    /// It was paid outside the engine, for example by bank transfer.
    Outside,
    /// Ask the channel once more.
    Resend,
    /// Not at all: the money goes back to where it was before the refund. Only for a stuck refund.
    GiveUp,
}

impl FinishWay {
    /// Name in the API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ToAccount(_) => "to_account",
            Self::Outside => "outside",
            Self::Resend => "resend",
            Self::GiveUp => "give_up",
        }
    }
}
