//! What can be asked of an order, in the imperative.

use smol_str::SmolStr;

use crate::channel::ChannelReport;
use crate::ids::OrderId;
use crate::money::Amount;

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
    /// The buyer confirmed: give the frozen money to its receivers.
    Release {
        /// Which sub-order, counted from 0; all that is left of all when absent.
        sub_order: Option<u8>,
        /// How much of it, in minor units; all that is left when absent.
        amount: Option<Amount>,
    },
    /// Stop waiting for the payment.
    Close,
    /// Give money back before it is released.
    Refund {
        /// The mall's number for the refund; repeats are recognised by it.
        refund_no: SmolStr,
        /// Part of the price to undo, in minor units; all that is frozen when absent.
        amount: Option<Amount>,
    },
    /// Stop the clock.
    OpenDispute,
    /// Let it go on.
    ResolveDispute,
    /// The time that the order asked to be woken at has come.
    Wake,
    /// The engine restarted: calls that were under way are in doubt.
    Recover,
}
