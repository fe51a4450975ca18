//! What can be asked of an order, in the imperative.

use smol_str::SmolStr;

use crate::channel::ChannelReport;
use crate::ids::{AttemptNo, OrderId};
use crate::money::Amount;
use crate::refund::FinishWay;
use crate::split::SplitRule;

/// How an order is named: by the engine's number or by the platform's (already hashed, see
/// [`crate::order::order_key`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderRef {
    /// The engine's number.
    Id(OrderId),
    /// The fingerprint of the platform's number.
    Key(u128),
}

impl OrderRef {
    /// The bucket, which names the shard.
    #[must_use]
    pub const fn bucket(self) -> u8 {
        match self {
            Self::Id(id) => id.bucket(),
            Self::Key(key) => (key & 0xff) as u8,
        }
    }
}

/// A command to an order that exists (creation has its own path, because holds come first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderCommand {
    /// The payer's SMS code arrived.
    ConfirmSms {
        /// What the payer typed.
        sms_code: SmolStr,
    },
    /// A channel said something.
    Report(ChannelReport),
    /// The buyer confirmed: give frozen money to its receivers.
    Release {
        /// The mall's number for it, by which repeats are recognised; may be empty when all that is left is released.
        release_no: SmolStr,
        /// Which sub-order, counted from 0; all when absent.
        sub_order: Option<u8>,
        /// How much of it, in minor units; all that is left when absent.
        amount: Option<Amount>,
        /// Receivers of this release instead of the order's splits, if any; the merchants get what they leave.
        payees: Vec<SplitRule>,
    },
    /// Stop waiting for the payment.
    Close,
    /// Give money back, frozen or released.
    Refund(RefundRequest),
    /// Stop the clock and hold what can still be given back.
    OpenDispute,
    /// End the dispute: let the order go on, after a refund if there is one.
    ResolveDispute {
        /// What goes back to the payer.
        refund: Option<RefundRequest>,
    },
    /// End a refund that its channel cannot finish.
    FinishRefund {
        /// The engine's number of the refund under the order.
        refund: u8,
        /// How.
        way: FinishWay,
        /// What the operator notes, for example the number of a bank transfer.
        note: SmolStr,
    },
    /// Give a parked payment back.
    ReturnParked {
        /// The attempt that brought it.
        attempt: AttemptNo,
    },
    /// Take a parked payment into the order.
    Reopen {
        /// The attempt that brought it.
        attempt: AttemptNo,
    },
    /// The time that the order asked to be woken at has come.
    Wake,
    /// The engine restarted: calls that were under way are in doubt.
    Recover,
}

/// What a mall asks to be given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    /// The mall's number for the refund; repeats are recognised by it.
    pub refund_no: SmolStr,
    /// Which sub-order, counted from 0; all when absent.
    pub sub_order: Option<u8>,
    /// Part of the price to undo, in minor units; all that can still be given back when absent.
    pub amount: Option<Amount>,
}
