//! What happens when: one queue of items, and of those of one instant a lot decides.

use suanpan_model::{ChannelReport, ChannelRequest};

use crate::process::Actor;

/// What happens at an instant.
pub(super) enum Item {
    /// An actor takes messages.
    Step(Actor),
    /// A shard looks at its timers; how long it waited since the last time.
    Tick(usize, u64),
    /// A shard of accounts hands its lines over.
    HandOver(usize, u64),
    /// The keeper has waited for more.
    Feed,
    /// A disk that refused is tried again.
    Retry(Actor),
    /// A call arrives at a channel.
    Call(ChannelRequest),
    /// A channel does what is due.
    Advance(usize),
    /// A report arrives at the engine.
    Report(ChannelReport),
    /// The mall places its next order.
    Place,
    /// The mall does something.
    Act,
    /// A request of the mall arrives.
    Request(u64),
    /// A top-up arrives.
    TopUp(usize),
    /// Money of a receiver leaves, under a number.
    Spend(usize),
    /// Coupons are issued, under a number.
    Issue(usize),
    /// A checkpoint is wanted.
    Checkpoint,
    /// The process dies.
    Crash,
    /// It is started again.
    Start,
    /// A disk begins to refuse.
    Refuse,
    /// It works again.
    Accept,
    /// The faults end.
    Heal,
}

impl Item {
    /// Whether it belongs to the process that runs, and is forgotten when that dies.
    pub(super) const fn is_inside(&self) -> bool {
        matches!(self, Self::Step(_) | Self::Tick(..) | Self::HandOver(..) | Self::Feed | Self::Retry(_))
    }
}

pub(super) struct Due {
    pub(super) at: u64,
    /// Decides between items of one instant.
    pub(super) lot: u64,
    pub(super) no: u64,
    /// The process that it belongs to.
    pub(super) born: u64,
    pub(super) item: Item,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.no == other.no
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.lot, self.no).cmp(&(other.at, other.lot, other.no))
    }
}
