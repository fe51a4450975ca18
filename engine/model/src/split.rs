//! Who gets which part of an order's money (佣金分配, 分账).

use serde::{Deserialize, Serialize};

use crate::ids::AccountId;
use crate::money::Amount;

/// What a receiver gets of the sum that is divided: the order's price, what one release gives, or the part of the
/// receiver above it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Share {
    /// Basis points of the sum.
    Bps(u32),
    /// A fixed part of the sum, in minor units.
    Fixed(Amount),
    /// Basis points by size: those of the last tier whose `from` the sum reaches; nothing below the first.
    Tiered(Box<[Tier]>),
    /// What the others leave.
    Remainder,
}

/// One tier of [`Share::Tiered`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// Smallest sum that it is for, in minor units.
    pub from: Amount,
    /// Basis points of the whole sum.
    pub bps: u32,
}

/// One receiver beside the merchants, who get what the receivers leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRule {
    /// Who receives; stripe 0 of an internal account stands for the whole account.
    pub receiver: AccountId,
    /// How much.
    pub share: Share,
    /// Place of an earlier rule whose part this one divides: a sub-agent's share of its agent's.
    pub within: Option<u8>,
}

impl SplitRule {
    /// A share of the whole.
    #[must_use]
    pub const fn new(receiver: AccountId, share: Share) -> Self {
        Self { receiver, share, within: None }
    }
}
