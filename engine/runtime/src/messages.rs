//! What actors and threads send each other. Every message carries a batch.

mod announced;
mod instructions;

use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::SmolStr;
use suanpan_core::ledger::LedgerCommand;
use suanpan_core::routing::learning::Observation;
use suanpan_model::order::OrderHold;
use suanpan_model::{
    AccountId, Amount, Campaign, CauseId, Currency, Lsn, Order, OrderId, PlatformId, Reject,
};

use crate::codec::write_order_row;
use crate::order_list::Indexed;
use crate::retention::Expiry;
use crate::statements::HandOver;
use crate::store::{Bytes, CheckpointRows};

pub use announced::AnnouncedRows;
pub use instructions::{Instructions, TimedInstruction};

/// A shard that writes to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A shard of orders.
    Orders(usize),
    /// A shard of the ledger.
    Balances(usize),
}

/// Records of one shard on their way to the log.
#[derive(Debug)]
pub struct LogBatch {
    /// Whose they are.
    pub source: Source,
    /// How many.
    pub records: u32,
    /// Encoded.
    pub payload: Vec<u8>,
    /// What they tell each balance shard to do.
    pub instructions: Vec<Instructions>,
    /// What they say about channels, in their order.
    pub observations: Vec<Observation>,
    /// What malls are told of them, in their order.
    pub announced: AnnouncedRows,
}

/// A hold that an order needs.
#[derive(Clone, Debug)]
pub struct HoldAsk {
    /// The order.
    pub order: OrderId,
    /// Where the order's shard keeps the decision that waits for this hold; the answer brings it back.
    pub slot: usize,
    /// Number of the hold under it.
    pub no: u16,
    /// What is to be held.
    pub asked: Asked,
}

/// What a hold is for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Money of an account.
    Money {
        /// The account.
        account: AccountId,
        /// How much.
        amount: Amount,
        /// In which currency.
        currency: Currency,
        /// Whether less is of no use.
        whole: bool,
    },
    /// A coupon of a customer; the next hold number belongs to it too.
    Coupon {
        /// Its campaign.
        campaign: Arc<Campaign>,
        /// The account of the campaign's stock.
        stock: AccountId,
        /// The customer, as the platform names them.
        customer: SmolStr,
    },
}

impl HoldAsk {
    /// The account whose shard decides.
    #[must_use]
    pub const fn home(&self) -> AccountId {
        match self.asked {
            Asked::Money { account, .. } => account,
            Asked::Coupon { stock, .. } => stock,
        }
    }
}

/// What became of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldAnswer {
    /// The order.
    pub order: OrderId,
    /// As it was asked.
    pub slot: usize,
    /// Number under which it was asked for.
    pub no: u16,
    /// What was placed, which may be nothing where less is of use; or why not.
    pub result: Result<SmallVec<[OrderHold; 2]>, Reject>,
}

/// A command of the in-process API to a balance shard.
#[derive(Clone, Debug)]
pub enum AccountCommand {
    /// About accounts whose numbers are known.
    Ledger(LedgerCommand),
    /// Issue coupons. The shard numbers the customer's accounts: it alone opens them.
    IssueCoupons {
        /// The campaign.
        campaign: Arc<Campaign>,
        /// The account of its stock.
        stock: AccountId,
        /// The customer.
        customer: SmolStr,
        /// How many.
        count: u32,
        /// Cause of holds and entry.
        cause: CauseId,
        /// The caller's number, by which a repeat is recognised.
        reference: SmolStr,
    },
}

/// A hold that no order will use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoidAsk {
    /// The order.
    pub order: OrderId,
    /// The hold.
    pub hold: OrderHold,
}

/// An order that ended and is durable, as the archive keeps it. The order itself is let go: a row is a third of its
/// size, and whoever asks in the meantime decodes it.
#[derive(Clone, Debug)]
pub struct FinishedOrder {
    /// Its number.
    pub id: OrderId,
    /// The fingerprint of the platform's number.
    pub key: u128,
    /// Log position up to which the row is complete.
    pub applied: Lsn,
    /// The marked row.
    pub row: Bytes,
    /// Its platform.
    pub platform: PlatformId,
    /// Its row in the index of orders.
    pub index: Bytes,
}

impl FinishedOrder {
    /// `order` as it stands, complete up to `applied`; `buffer` is room to work in.
    #[must_use]
    pub fn new(order: &Order, applied: Lsn, buffer: &mut Vec<u8>) -> Self {
        let index = Indexed::of(order).row(buffer);
        write_order_row(order, applied, buffer);
        let (platform, row) = (order.terms.platform, Bytes::from(buffer.as_slice()));
        Self { id: order.id, key: order.terms.key(), applied, row, platform, index }
    }
}

/// Orders that ended and are durable.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Their shard.
    pub shard: usize,
    /// The orders.
    pub orders: Vec<FinishedOrder>,
}

/// One shard's part of a checkpoint.
#[derive(Debug)]
pub struct Rows {
    /// Whose it is.
    pub source: Source,
    /// Which checkpoint.
    pub epoch: u64,
    /// The rows.
    pub tables: Vec<CheckpointRows>,
    /// Whether the shard has nothing more for this checkpoint.
    pub is_last: bool,
    /// Whether the archive must have everything that was handed over before.
    pub waits_for_archive: bool,
    /// Records after this position must be replayed.
    pub replay_from: Lsn,
    /// The latest order number that the shard gave out.
    pub last_id: OrderId,
}

/// What the store keeper is told.
#[derive(Debug)]
pub enum KeeperMessage {
    /// What malls are told, in the order of the log.
    Announced(Vec<AnnouncedRows>),
    /// Orders for the archive.
    Finished(Finished),
    /// Statement lines for the archive.
    Statements {
        /// Their shard.
        shard: usize,
        /// The lines.
        lines: HandOver,
    },
    /// Part of a checkpoint.
    Checkpoint(Rows),
    /// Remove a portion of what malls were told and that is no longer kept, then answer.
    Expire(Expiry, tokio::sync::oneshot::Sender<()>),
    /// Archive what there is, then answer.
    Flush(crossbeam::channel::Sender<()>),
    /// Archive what there is and end.
    Stop,
}

impl KeeperMessage {
    /// Asks for a portion to be removed; the receiver hears when that is done.
    #[must_use]
    pub fn expire(expiry: Expiry) -> (Self, tokio::sync::oneshot::Receiver<()>) {
        let (done, answer) = tokio::sync::oneshot::channel();
        (Self::Expire(expiry, done), answer)
    }
}
