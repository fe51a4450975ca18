//! From a directory to the state of all shards: the last checkpoint, then the tail of the log.
//!
//! Rows of a checkpoint that was not completed may be newer than the position from which the log is read. Each row
//! says up to which position it is complete, so that replaying the tail over any mixture of rows ends in the one
//! right state.

use std::ops::ControlFlow;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use suanpan_core::invariants::Invariant;
use suanpan_core::ledger::{Hold, Marks, instructions};
use suanpan_core::order;
use suanpan_model::order::OrderHold;
use suanpan_model::refund::{RefundSource, RefundState};
use suanpan_model::{
    AccountId, AccountType, Campaign, ChannelId, Conditions, Currency, HoldId, LedgerEvent, Lsn, Order,
    OrderEvent, OrderId, PlatformPolicy, Record,
};

use crate::balance_shard::{Restored, movement, reference_key};
use crate::codec::{decode_marked_row, decode_row};
use crate::fault::EngineFault;
use crate::journal::Journal;
use crate::keeper::CheckpointMeta;
use crate::limits::Limits;
use crate::messages::VoidAsk;
use crate::order_list::complete_index;
use crate::statements::read_chunks;
use crate::store::{Store, Table};

mod feeder;
mod hindsight;
mod pipeline;

use feeder::{Feed, Feeder};
use hindsight::Hindsight;

/// So many announcements are gathered before they are written.
const ANNOUNCED_MAX: usize = 100_000;

/// Whether a recovery may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The engine starts: what the archive lacks is fed to it on the way.
    Start,
    /// Somebody only wants to know: nothing is written.
    Verify,
}

/// An order as it was recovered.
#[derive(Debug)]
pub struct RecoveredOrder {
    /// The order.
    pub order: Order,
    /// Position up to which its row was complete.
    applied: Lsn,
    /// Position of the last record that was folded into it.
    changed: Lsn,
    /// Whether it has a checkpoint row.
    pub has_row: bool,
    /// Whether it changed since.
    pub dirty: bool,
}

/// The state of all shards.
#[derive(Default)]
pub struct Recovered {
    /// Orders that are live, or finished and not known to be archived.
    pub orders: FxHashMap<OrderId, RecoveredOrder>,
    /// Balance shards.
    pub balances: Vec<Restored>,
    /// Campaigns, and the accounts of their stocks; a later one counts.
    pub campaigns: Vec<(Arc<Campaign>, AccountId)>,
    /// The checkpoint that it began with.
    pub meta: CheckpointMeta,
    /// The latest order number given out.
    pub last_id: OrderId,
    /// Checkpoint rows of orders that are in the archive by now.
    pub rows_to_delete: Vec<OrderId>,
    /// Log records that were replayed.
    pub replayed: u64,
    /// Position of the last record of the log.
    pub durable: Lsn,
    /// Breaks of invariants inside events.
    pub breaks: Vec<String>,
}

/// Recovers the state of `shards` shards.
///
/// # Errors
/// When the store or the journal cannot be read, or the log holds something that does not fit.
pub fn recover(
    store: &Store,
    journal: &dyn Journal,
    shards: usize,
    purpose: Purpose,
) -> Result<Recovered, EngineFault> {
    recover_with(
        Settings {
            limits: Limits::USUAL,
            conditions: &FxHashMap::default(),
            policies: &[],
            threads: Threads::Several,
        },
        store,
        journal,
        shards,
        purpose,
    )
}

/// How many threads a recovery has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The caller's: every step follows the one before it.
    One,
    /// One reads and decodes the log, one folds it, one feeds the archive.
    Several,
}

/// What a recovery follows besides the rules of the core.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// How much is gathered before it is fed to the archive.
    pub limits: Limits,
    /// Under which conditions each channel's results count.
    pub conditions: &'a FxHashMap<ChannelId, Conditions>,
    /// The platforms: some are told what happens to their orders.
    pub policies: &'a [PlatformPolicy],
    /// How many threads it has.
    pub threads: Threads,
}

/// As [`recover`], with other limits, and with what was learned about channels.
///
/// # Errors
/// As [`recover`].
pub fn recover_with(
    settings: Settings<'_>,
    store: &Store,
    journal: &dyn Journal,
    shards: usize,
    purpose: Purpose,
) -> Result<Recovered, EngineFault> {
    if purpose == Purpose::Start {
        complete_index(store)?;
    }
    let mut replay = Replay::load(settings, store, shards, purpose)?;
    let from = replay.state.meta.replay_from.next();
    if from.0 > journal.next_lsn() {
        let what = format!("the checkpoint ends at {}, the journal before it", from.0 - 1);
        return Err(EngineFault::Replay { lsn: journal.next_lsn(), what });
    }
    let mut state = match settings.threads {
        Threads::One => {
            pipeline::read(journal, from, &mut |first, records| replay.fold(first, &records))??;
            replay.finish()?
        }
        Threads::Several => pipeline::run(journal, from, replay)?,
    };
    let durable = Lsn(journal.next_lsn() - 1);
    state.balances.iter_mut().for_each(|restored| restored.applied = durable);
    state.durable = durable;
    Ok(state)
}

struct Replay<'a> {
    limits: Limits,
    store: &'a Store,
    purpose: Purpose,
    shards: usize,
    marks: Vec<Marks>,
    finished: Vec<OrderId>,
    /// For each account, the last line that the archive has.
    archived_lines: FxHashMap<AccountId, Lsn>,
    told: u64,
    hindsight: Hindsight<'a>,
    feeder: Feeder<'a>,
    state: Recovered,
}

impl<'a> Replay<'a> {
    fn load(
        settings: Settings<'a>,
        store: &'a Store,
        shards: usize,
        purpose: Purpose,
    ) -> Result<Self, EngineFault> {
        let Settings { limits, conditions, policies, threads: _ } = settings;
        let damaged = |what: &str, fault: &dyn std::fmt::Display| EngineFault::Replay {
            lsn: 0,
            what: format!("the checkpoint's {what} cannot be read: {fault}"),
        };
        let meta: CheckpointMeta = match store.checkpoint_meta()? {
            Some(bytes) => decode_row(&bytes).map_err(|fault| damaged("header", &fault))?,
            None => CheckpointMeta::default(),
        };
        let mut balances: Vec<Restored> = (0..shards).map(|_| Restored::default()).collect();
        store.load_rows(Table::Accounts, |_, bytes| -> Result<(), EngineFault> {
            let (_, account): (Lsn, suanpan_core::ledger::Account) =
                decode_marked_row(bytes).map_err(|fault| damaged("accounts", &fault))?;
            balances[account.id.shard(shards)].ledger.restore_account(account);
            Ok(())
        })?;
        store.load_rows(Table::Holds, |_, bytes| -> Result<(), EngineFault> {
            let (_, (id, hold)): (Lsn, (HoldId, Hold)) =
                decode_marked_row(bytes).map_err(|fault| damaged("holds", &fault))?;
            let restored = &mut balances[hold.account.shard(shards)];
            restored.ledger.restore_hold(id, hold);
            restored.hold_rows.insert(id);
            Ok(())
        })?;
        store.load_rows(Table::Directory, |key, value| -> Result<(), EngineFault> {
            let (Ok(key), Ok(value)) = (key.try_into(), value.try_into()) else {
                return Err(damaged("references", &"a row has another length"));
            };
            // Any shard may be asked for a reference: its first account decides which, and all know it.
            let (key, value) = (u128::from_be_bytes(key), u64::from_le_bytes(value));
            balances.iter_mut().for_each(|restored| {
                restored.references.insert(key, value);
            });
            Ok(())
        })?;
        let mut orders = FxHashMap::default();
        store.load_rows(Table::LiveOrders, |_, bytes| -> Result<(), EngineFault> {
            let (applied, order): (Lsn, Order) =
                decode_marked_row(bytes).map_err(|fault| damaged("orders", &fault))?;
            orders.insert(
                order.id,
                RecoveredOrder { order, applied, changed: applied, has_row: true, dirty: false },
            );
            Ok(())
        })?;
        let mut campaigns = Vec::new();
        store.load_rows(Table::Campaigns, |_, bytes| -> Result<(), EngineFault> {
            let (campaign, stock): (Campaign, AccountId) =
                decode_row(bytes).map_err(|fault| damaged("campaigns", &fault))?;
            campaigns.push((Arc::new(campaign), stock));
            Ok(())
        })?;
        let marks = balances.iter_mut().map(|restored| restored.ledger.settle_restored()).collect();
        let last_id = meta.last_id;
        let mut state = Recovered { orders, balances, campaigns, meta, last_id, ..Recovered::default() };
        Ok(Self {
            limits,
            store,
            purpose,
            shards,
            marks,
            finished: Vec::new(),
            archived_lines: FxHashMap::default(),
            told: 0,
            hindsight: Hindsight::new(conditions, policies, &mut state.meta),
            feeder: Feeder::here(store),
            state,
        })
    }

    /// Folds records that follow each other, the first at `first`.
    fn fold(&mut self, first: Lsn, records: &[Record]) -> Result<(), EngineFault> {
        let mut lsn = first;
        for record in records {
            self.record(lsn, record)?;
            lsn = lsn.next();
        }
        self.progress(lsn);
        Ok(())
    }

    /// What it comes to, once everything is folded.
    fn finish(mut self) -> Result<Recovered, EngineFault> {
        let announced = std::mem::take(&mut self.hindsight.announced);
        if self.purpose == Purpose::Start {
            self.feeder.feed(Feed { announced, ..Feed::default() })?;
        }
        self.feeder.settle()?;
        self.state.breaks.extend(self.feeder.into_breaks());
        self.state.meta.learning = self.hindsight.learning;
        Ok(self.state)
    }

    fn record(&mut self, lsn: Lsn, record: &Record) -> Result<(), EngineFault> {
        self.state.replayed += 1;
        match record {
            Record::Order { order, at, events } => {
                self.order(lsn, *order, *at, events)?;
            }
            Record::Ledger { event, .. } => self.ledger_event(event),
        }
        let (Record::Order { at, .. } | Record::Ledger { at, .. }) = record;
        let (balances, marks, shards) = (&mut self.state.balances, &self.marks, self.shards);
        let store = self.store;
        let archived_lines = &mut self.archived_lines;
        let mut failed = None;
        instructions(record, &mut |instruction| {
            let account = instruction.account();
            let shard = account.shard(shards);
            let restored = &mut balances[shard];
            let opening = restored.ledger.account(account).map_or(0, |account| account.posted);
            if restored.ledger.replay(&marks[shard], lsn, &instruction) {
                restored.dirty.insert(account);
                // What the archive has is never packed again: chunks of one account do not overlap.
                let known = archived_lines.entry(account).or_insert_with(|| {
                    last_archived_line(store, account).unwrap_or_else(|fault| {
                        failed.get_or_insert(fault);
                        Lsn(0)
                    })
                });
                if lsn > *known {
                    restored.statements.add(lsn, *at, &instruction, opening);
                }
            }
        });
        if let Some(fault) = failed {
            return Err(fault);
        }
        self.feed_archive(lsn)
    }

    fn order(
        &mut self,
        lsn: Lsn,
        id: OrderId,
        at: suanpan_model::TimestampMs,
        events: &[OrderEvent],
    ) -> Result<(), EngineFault> {
        self.state.last_id = self.state.last_id.max(id);
        for entry in events.iter().flat_map(OrderEvent::entries) {
            if entry.imbalance() != 0 {
                let what = format_args!("position {}: an entry of order {id} does not sum to zero", lsn.0);
                self.state.breaks.push(Invariant::EntriesBalance.broken(what));
            }
        }
        let created = matches!(events.first(), Some(OrderEvent::Created { .. }));
        if !self.state.orders.contains_key(&id) {
            let (order, applied) = if created {
                (order::born(id, at, &events[0]), Lsn(0))
            } else {
                match self.archived(id, lsn)? {
                    Some(row) => row,
                    None => {
                        let what = format!("order {id} is told about, but was never recorded");
                        return Err(EngineFault::Replay { lsn: lsn.0, what });
                    }
                }
            };
            if !created && lsn <= applied {
                self.hindsight.take(lsn, at, events, &order, applied);
                return Ok(());
            }
            self.state
                .orders
                .insert(id, RecoveredOrder { order, applied, changed: applied, has_row: false, dirty: true });
        } else if created && self.state.orders[&id].applied == Lsn(0) {
            let what = format!("order {id} is recorded twice");
            return Err(EngineFault::Replay { lsn: lsn.0, what });
        }
        let Some(known) = self.state.orders.get_mut(&id) else { return Ok(()) };
        if lsn > known.applied {
            for event in events.iter().skip(usize::from(created)) {
                if order::next_status(known.order.status, event.kind()).is_none() {
                    let (status, kind) = (known.order.status, event.kind().name());
                    let what = format!("{kind} cannot happen to order {id}, which is {status}");
                    return Err(EngineFault::Replay { lsn: lsn.0, what });
                }
                order::apply(&mut known.order, at, event);
            }
            (known.dirty, known.changed) = (true, lsn);
            if known.order.is_finished() {
                self.finished.push(id);
            }
        }
        self.hindsight.take(lsn, at, events, &known.order, known.applied);
        Ok(())
    }

    fn archived(&mut self, id: OrderId, lsn: Lsn) -> Result<Option<(Order, Lsn)>, EngineFault> {
        // It may be on its way into the archive.
        self.feeder.settle()?;
        let Some(bytes) = self.store.order(id.0)? else { return Ok(None) };
        let (applied, order) = decode_marked_row(&bytes).map_err(|fault| EngineFault::Replay {
            lsn: lsn.0,
            what: format!("archived order {id}: {fault}"),
        })?;
        Ok(Some((order, applied)))
    }

    fn ledger_event(&mut self, event: &LedgerEvent) {
        let Some(home) = event.home() else { return };
        let shard = home.shard(self.shards);
        let restored = &mut self.state.balances[shard];
        restored.ledger.apply(event);
        restored.dirty.insert(home);
        if let LedgerEvent::CampaignRecorded { campaign, stock } = event {
            restored.campaigns.push((Arc::clone(campaign), *stock));
            self.state.campaigns.push((Arc::clone(campaign), *stock));
        }
        if let LedgerEvent::EntryPosted { entry, reference } = event
            && !reference.is_empty()
        {
            let (first, content) = movement(entry);
            let key = reference_key(first, reference);
            self.state.balances.iter_mut().for_each(|restored| {
                restored.references.insert(key, content);
            });
        }
    }

    /// Feeds the archive on the way, so that a long tail needs no more memory than a short one.
    fn feed_archive(&mut self, lsn: Lsn) -> Result<(), EngineFault> {
        let lines: usize = self.state.balances.iter().map(|restored| restored.statements.len()).sum();
        let full = self.finished.len() >= self.limits.replay_orders
            || self.hindsight.announced.len() >= ANNOUNCED_MAX;
        if !full && lines < self.limits.replay_lines {
            return Ok(());
        }
        let mut feed = Feed {
            announced: std::mem::take(&mut self.hindsight.announced),
            applied: lsn,
            ..Feed::default()
        };
        for restored in &mut self.state.balances {
            feed.statements.extend(restored.statements.take());
        }
        let finished = self.finished.drain(..);
        if self.purpose == Purpose::Verify {
            return Ok(());
        }
        for id in finished {
            if self.state.orders.get(&id).is_some_and(|known| known.order.is_finished())
                && let Some(known) = self.state.orders.remove(&id)
            {
                if known.has_row {
                    self.state.rows_to_delete.push(id);
                }
                feed.orders.push((known.order, known.changed));
            }
        }
        self.feeder.feed(feed)
    }

    fn progress(&mut self, lsn: Lsn) {
        if self.state.replayed - self.told >= 2_000_000 {
            self.told = self.state.replayed;
            tracing::info!(records = self.told, position = lsn.0, "replaying the log");
        }
    }
}

/// Position of the last line that the archive has of an account. Its chunks do not overlap, so it is in the newest.
fn last_archived_line(store: &Store, account: AccountId) -> Result<Lsn, EngineFault> {
    let Some(chunk) = store.last_chunk(account.raw())? else { return Ok(Lsn(0)) };
    let mut last = Lsn(0);
    read_chunks(account, [&chunk.postings[..]], |line| {
        last = last.max(line.lsn);
        ControlFlow::Continue(())
    })?;
    Ok(last)
}

impl Recovered {
    /// Holds that no live order relies on: the process ended before what they were for was recorded.
    #[must_use]
    pub fn orphan_holds(&self) -> Vec<VoidAsk> {
        let relied_on = |id: &HoldId| {
            let order = self.orders.get(&OrderId(id.cause.0));
            order.is_some_and(|known| known.order.relies_on(id.no))
        };
        let mut orphans = Vec::new();
        for restored in &self.balances {
            for (id, hold) in restored.ledger.holds().filter(|(id, _)| !relied_on(id)) {
                let hold = OrderHold { no: id.no, account: hold.account, amount: hold.left };
                orphans.push(VoidAsk { order: OrderId(id.cause.0), hold });
            }
        }
        orphans
    }

    /// Breaks of the invariants of the whole; empty when all is well.
    #[must_use]
    pub fn all_breaks(&self) -> Vec<String> {
        let mut found = self.breaks.clone();
        let mut sums: FxHashMap<Currency, i128> = FxHashMap::default();
        for restored in &self.balances {
            found.extend(restored.ledger.breaks());
            for (currency, sum) in restored.ledger.trial_balance() {
                *sums.entry(currency).or_default() += sum;
            }
        }
        for (currency, sum) in sums.into_iter().filter(|(_, sum)| *sum != 0) {
            let what = format_args!("the books in {currency} do not sum to zero: {sum} minor units");
            found.push(Invariant::BooksBalance.broken(what));
        }
        self.check_custody(&mut found);
        found.extend(self.orders.values().flat_map(|known| order_breaks(&known.order)));
        found
    }

    /// What is frozen for orders, and parked, is what the escrow and suspense accounts hold.
    fn check_custody(&self, found: &mut Vec<String>) {
        let mut owed: FxHashMap<AccountId, i128> = FxHashMap::default();
        for order in self.orders.values().map(|known| &known.order) {
            let account = |kind| AccountId::internal(kind, order.terms.platform.0, order.terms.currency, 0);
            *owed.entry(account(AccountType::Escrow)).or_default() += in_escrow(order);
            *owed.entry(account(AccountType::Suspense)).or_default() += in_suspense(order);
        }
        let mut held: FxHashMap<AccountId, i128> = FxHashMap::default();
        for account in self.balances.iter().flat_map(|restored| restored.ledger.accounts()) {
            if matches!(account.id.kind(), AccountType::Escrow | AccountType::Suspense) {
                *held.entry(account.id.unstriped()).or_default() += account.posted;
            }
        }
        let accounts: FxHashSet<AccountId> = owed.keys().chain(held.keys()).copied().collect();
        for account in accounts {
            let (owed, held) = (owed.get(&account).unwrap_or(&0), held.get(&account).unwrap_or(&0));
            if owed != held {
                let what =
                    format_args!("account {account}: holds {held} minor units, orders are owed {owed}");
                found.push(Invariant::Custody.broken(what));
            }
        }
    }
}

/// What an order has in escrow: frozen, or set aside for refunds that are not over.
#[must_use]
pub fn in_escrow(order: &Order) -> i128 {
    let open = order.refunds.iter().filter(|refund| refund.state.is_open());
    let returned = open.flat_map(|refund| &refund.unwinding).flat_map(|unwinding| &unwinding.returned);
    order.frozen.signed() + returned.map(|amount| amount.signed()).sum::<i128>()
}

/// What an order has in suspense: parked payments, those on their way back, and refunds that came back.
#[must_use]
pub fn in_suspense(order: &Order) -> i128 {
    let parked = order.parked().map(|_| order.terms.payable().signed()).sum::<i128>();
    let refunds = order.refunds.iter().filter(|refund| match refund.source {
        RefundSource::Suspense => refund.state.is_open() || refund.state == RefundState::Bounced,
        RefundSource::Order => refund.state == RefundState::Bounced,
    });
    parked + refunds.map(|refund| refund.to_payer.signed()).sum::<i128>()
}

/// Breaks of the invariants of one order; empty when all is well.
#[must_use]
pub fn order_breaks(order: &Order) -> Vec<String> {
    let mut found = Vec::new();
    let id = order.id;
    if order.entries.iter().any(|entry| entry.imbalance() != 0) {
        found.push(
            Invariant::EntriesBalance.broken(format_args!("order {id}: an entry does not sum to zero")),
        );
    }
    if order.paid_by.is_some() {
        let returned = order.parts.iter().map(|part| part.returned.signed()).sum::<i128>();
        if order.frozen.signed() + order.released().signed() + returned != order.terms.amount.signed() {
            let what = format_args!("order {id}: frozen, released and returned do not add up to its amount");
            found.push(Invariant::OrderConserved.broken(what));
        }
        let back = order.refunds.iter().filter(|refund| refund.source != RefundSource::Suspense);
        let back = back.filter(|refund| refund.state != RefundState::Failed);
        let to_payer: i128 = back.map(|refund| refund.to_payer.signed()).sum();
        if to_payer > order.terms.payable().signed() || order.refunded() > order.terms.amount {
            let what = format_args!("order {id}: {to_payer} minor units go back, more than was paid");
            found.push(Invariant::RefundsWithinPaid.broken(what));
        }
        for (place, part) in order.parts.iter().enumerate() {
            let given = part.stakes.iter().map(|stake| stake.given.signed()).sum::<i128>();
            let taken = part.stakes.iter().map(|stake| stake.taken.signed()).sum::<i128>();
            let undone = part.undone.iter().map(|amount| amount.signed()).sum::<i128>();
            if given != part.released.signed() || taken != part.reversed.signed() {
                let what =
                    format_args!("order {id}: what receivers of sub-order {place} got does not add up");
                found.push(Invariant::OrderConserved.broken(what));
            }
            if undone != part.refunded().signed() {
                let what = format_args!("order {id}: what was undone of sub-order {place} does not add up");
                found.push(Invariant::OrderConserved.broken(what));
            }
        }
    }
    let alive = order.attempts.iter().filter(|attempt| attempt.state.is_alive()).count();
    if alive > 1 {
        let what = format_args!("order {id}: {alive} attempts are alive at once");
        found.push(Invariant::OneAttemptAlive.broken(what));
    }
    found
}
