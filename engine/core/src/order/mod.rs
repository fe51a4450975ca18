//! Orders: from a mall's request to settled, failed, closed or refunded.
//!
//! [`check`] says whether a mall may ask for an order; [`create`] and [`decide`] answer a command with events;
//! [`apply`] folds an event into the order; [`effects`] tells which channel calls follow from it. The table of
//! states is in [`transition`].

mod announce;
mod apply;
mod check;
mod closing;
mod create;
mod decide;
mod dispute;
mod effects;
mod entries;
mod parked;
mod plan;
mod recorded;
mod refund;
mod release;
mod report;
#[cfg(test)]
mod tests;
mod transition;
mod unwind;

use std::sync::Arc;

use smallvec::SmallVec;
use suanpan_model::order::OrderHold;
use suanpan_model::{
    AccountId, Campaign, CampaignId, Currency, OrderEvent, PlatformId, PlatformPolicy, Reject, TimestampMs,
};

use crate::routing::{Router, Standing};

pub use announce::announce;
pub use apply::{apply, born};
pub use check::check;
pub use create::{create, holds_needed};
pub use decide::decide;
pub use effects::effects;
pub use recorded::{PlatformNumber, answered_then, platform_number};
pub use transition::next_status;

/// Events of one decision, in order.
pub type Events = SmallVec<[OrderEvent; 2]>;

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// These events happened, in order.
    Moved(Events),
    /// It was done, or is known, already; nothing happens now.
    Repeat,
    /// These holds have to be placed first; then the command is decided again, with what was [`Granted`].
    NeedsHolds(SmallVec<[HoldNeed; 2]>),
}

/// A hold that has to be placed before something can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldNeed {
    /// On an account.
    Money {
        /// Its number, account and amount.
        hold: OrderHold,
        /// Whether less is of no use; else as much is held as there is.
        whole: bool,
    },
    /// On a coupon of the payer, or on one of the stock.
    Coupon {
        /// Its number; the next number belongs to it too.
        no: u16,
        /// The campaign.
        campaign: CampaignId,
    },
}

impl HoldNeed {
    /// The same, where less is of use too.
    #[must_use]
    pub const fn as_far_as_possible(self) -> Self {
        match self {
            Self::Money { hold, .. } => Self::Money { hold, whole: false },
            Self::Coupon { .. } => self,
        }
    }
}

/// What became of the holds that a decision needs.
#[derive(Clone, Copy, Debug)]
pub struct Granted<'a> {
    /// Those that were placed, by number.
    pub holds: &'a [OrderHold],
    /// Why one of them was not.
    pub refused: Option<&'a Reject>,
}

/// What an account is, as far as an order needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountFacts {
    /// The platform that it serves.
    pub platform: PlatformId,
    /// Its currency.
    pub currency: Currency,
}

/// Where an order looks up what it refers to.
pub trait Directory {
    /// An opened account.
    fn account(&self, id: AccountId) -> Option<AccountFacts>;
    /// A coupon campaign.
    fn campaign(&self, id: CampaignId) -> Option<Arc<Campaign>>;
}

/// What a decision may look at besides the order.
pub struct Context<'a> {
    /// The time.
    pub now: TimestampMs,
    /// The platform's settings.
    pub policy: &'a PlatformPolicy,
    /// Channels and rules.
    pub router: &'a Router,
    /// Quotas and health of channels.
    pub standing: &'a dyn Standing,
    /// Accounts and campaigns.
    pub directory: &'a dyn Directory,
    /// What became of the holds that the decision asked for, when it is made again.
    pub granted: Option<Granted<'a>>,
}

/// A fingerprint of what was asked, by which a repeat is told from a conflict.
fn fingerprint(words: impl IntoIterator<Item = u64>) -> u64 {
    // FNV-1a over the bytes: it stands in the log, so it must never change.
    words
        .into_iter()
        .flat_map(u64::to_le_bytes)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
