//! Orders: from a mall's request to settled, failed, closed or refunded.
//!
//! [`check`] says whether a mall may ask for an order; [`create`] and [`decide`] answer a command with events;
//! [`apply`] folds an event into the order; [`effects`] tells which channel calls follow from it. The table of
//! states is in [`transition`].

mod apply;
mod check;
mod closing;
mod create;
mod decide;
mod effects;
mod entries;
mod refund;
mod release;
mod report;
#[cfg(test)]
mod tests;
mod transition;

use smallvec::SmallVec;
use suanpan_model::{
    AccountId, Campaign, CampaignId, Currency, OrderEvent, PlatformId, PlatformPolicy, TimestampMs,
};

use crate::routing::{Router, Standing};

pub use apply::{apply, born};
pub use check::check;
pub use create::{create, holds_needed};
pub use decide::decide;
pub use effects::effects;
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
    fn campaign(&self, id: CampaignId) -> Option<Campaign>;
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
}
