//! The nouns of the in-process API.

use std::sync::Arc;

use smol_str::SmolStr;
use suanpan_channels::BookTotals;
use suanpan_model::command::OrderRef;
use suanpan_model::event::EventKind;
use suanpan_model::{
    AccountId, AccountType, Amount, CauseId, ChannelId, Currency, EntryCode, Lsn, Order, OrderCommand,
    OrderId, OrderStatus, OrderTerms, PayerAction, PlatformId, Reject, Side, Ticket, TimestampMs,
};

/// Something asked of the engine about an order.
#[derive(Clone, Debug)]
pub enum Command {
    /// Record an order. Repeats are recognised by platform and order number.
    Create(Arc<OrderTerms>),
    /// Do something to an order.
    Order {
        /// The platform that asks and must own the order; `None` for the operator and for channels.
        platform: Option<PlatformId>,
        /// Which order.
        order: OrderRef,
        /// What to do.
        command: OrderCommand,
    },
    /// Tell an order's whole life.
    Query {
        /// The platform that asks and must own the order; `None` for the operator.
        platform: Option<PlatformId>,
        /// Which order.
        order: OrderRef,
    },
}

/// A command with the number under which its answer is awaited.
#[derive(Clone, Debug)]
pub struct Request {
    /// Chosen by the caller; comes back with the answer.
    pub ticket: Ticket,
    /// What is asked.
    pub command: Command,
}

/// The answer to one request. It is given only when everything it tells is durable.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The number of the request.
    pub ticket: Ticket,
    /// What became of it.
    pub result: Result<Reply, Reject>,
}

/// What a request that was not refused comes to.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Where the order stands, after `Create` and `Order`.
    Order(OrderSummary),
    /// The whole order, after `Query`.
    Life(Arc<Order>),
}

/// Where an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderSummary {
    /// The engine's number.
    pub id: OrderId,
    /// Where it stands; for the repeat of a release or refund with a number, where it stood when that was carried out.
    pub status: OrderStatus,
    /// Whether the request repeats an earlier one (or the report is old news), so that nothing happened now.
    pub repeat: bool,
    /// What the payer has to do, if anything.
    pub action: Option<PayerAction>,
}

/// Where answers go.
pub trait AnswerSink: Send + Sync {
    /// Takes a batch of answers. Called from the engine's threads: must not block.
    fn deliver(&self, answers: Vec<Answer>);
}

/// Something that happened to an order, told to subscribers once it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Position in the log of the record that it belongs to.
    pub lsn: Lsn,
    /// When it was decided.
    pub at: TimestampMs,
    /// The order.
    pub order: OrderId,
    /// Its platform.
    pub platform: PlatformId,
    /// What happened.
    pub kind: EventKind,
    /// Where the order stood at the end of the record.
    pub status: OrderStatus,
}

/// An account to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAccount {
    /// The platform that it will serve.
    pub platform: PlatformId,
    /// The platform's name for it, unique with platform and type.
    pub reference: SmolStr,
    /// Its type; not an internal one.
    pub kind: AccountType,
    /// Its currency.
    pub currency: Currency,
    /// The account above it.
    pub parent: Option<AccountId>,
    /// How far below zero it may go, in minor units.
    pub credit_limit: Amount,
}

/// The owner of the clearing account against which money from outside is booked: the operator's own funding, which
/// no channel's book contains.
pub const FUNDING: ChannelId = ChannelId(0);

/// Money from outside that is put on an account, against the clearing account of [`FUNDING`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// The platform that the account serves.
    pub platform: PlatformId,
    /// The account; any stripe of an internal one stands for the whole, and the sum is spread over the stripes.
    pub account: AccountId,
    /// How much, in minor units.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// The caller's number for it, unique on the platform; repeats are recognised by it.
    pub reference: SmolStr,
}

/// Balances of an account in minor units, growing on its normal side; of an internal account summed over stripes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The account.
    pub account: AccountId,
    /// The platform that it serves; 0 for the engine's own chart.
    pub platform: PlatformId,
    /// The platform's name for it.
    pub reference: SmolStr,
    /// Its currency.
    pub currency: Currency,
    /// Posted balance.
    pub posted: i128,
    /// Part of it that is held.
    pub held: Amount,
    /// What can still be debited.
    pub available: i128,
    /// Posted balance with the accounts below.
    pub rolled_up: i128,
    /// What its owner owes, because it had spent what it had to give back.
    pub owed: Amount,
}

/// One line of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// The account, or the stripe of an internal one.
    pub account: AccountId,
    /// Position in the log.
    pub lsn: Lsn,
    /// When it was decided.
    pub at: TimestampMs,
    /// The order or transfer.
    pub cause: CauseId,
    /// What it records.
    pub code: EntryCode,
    /// Its side.
    pub side: Side,
    /// How much, in minor units.
    pub amount: Amount,
    /// Posted balance after it, in minor units.
    pub balance: i128,
}

/// Which lines of an account's statement are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementQuery {
    /// The account; for an internal one, the stripe.
    pub account: AccountId,
    /// Lines after this log position (the cursor; 0 for the start).
    pub after: Lsn,
    /// Lines decided at or after this instant.
    pub from: TimestampMs,
    /// Lines decided before this instant.
    pub until: TimestampMs,
    /// How many lines at the most.
    pub limit: usize,
}

/// One row of the trial balance: an opened type as a whole, or one internal account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialRow {
    /// Type of account.
    pub kind: AccountType,
    /// Platform or channel that owns an internal account; 0 for all accounts of an opened type together.
    pub owner: u32,
    /// Currency.
    pub currency: Currency,
    /// How many accounts (or stripes) it sums up.
    pub accounts: usize,
    /// Debits minus credits of their posted balances, in minor units.
    pub debit_balance: i128,
}

/// The trial balance of all shards at one log position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrialBalance {
    /// Rows by type, owner and currency.
    pub rows: Vec<TrialRow>,
    /// Breaks of invariants inside the ledger; empty when all is well.
    pub breaks: Vec<String>,
}

impl TrialBalance {
    /// Debits minus credits of everything in `currency`; zero when the books balance.
    #[must_use]
    pub fn sum(&self, currency: Currency) -> i128 {
        self.rows.iter().filter(|row| row.currency == currency).map(|row| row.debit_balance).sum()
    }

    /// Whether every currency sums to zero and no invariant is broken.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.breaks.is_empty() && Currency::ALL.into_iter().all(|currency| self.sum(currency) == 0)
    }

    /// Debit balance of an internal account.
    #[must_use]
    pub fn of(&self, kind: AccountType, owner: u32, currency: Currency) -> i128 {
        let same = |row: &&TrialRow| row.kind == kind && row.owner == owner && row.currency == currency;
        self.rows.iter().filter(same).map(|row| row.debit_balance).sum()
    }
}

/// The engine's clearing account with a channel beside the channel's own book, in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookComparison {
    /// The channel.
    pub channel: ChannelId,
    /// The currency.
    pub currency: Currency,
    /// Balance of the engine's clearing account with it.
    pub ours: i128,
    /// What the channel's book says that it owes.
    pub theirs: i128,
}

/// Books of a channel, when it can be asked.
pub type ChannelBooks = Vec<(ChannelId, BookTotals)>;
