//! From a directory to the state of all shards: the last checkpoint, then the tail of the log.
//!
//! Rows of a checkpoint that was not completed may be newer than the position from which the log is read. Each row
//! says up to which position it is complete, so that replaying the tail over any mixture of rows ends in the one
//! right state.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::scope;

use rustc_hash::FxHashMap;
use suanpan_core::invariants::Invariant;
use suanpan_core::ledger::{Hold, Marks, instructions};
use suanpan_core::order;
use suanpan_model::{
    AccountId, Campaign, ChannelId, Conditions, HoldId, LedgerEvent, Lsn, Order, OrderEvent, OrderId,
    PlatformPolicy, Record,
};

use crate::balance_shard::{Restored, movement, reference_key};
use crate::codec::{CodecFault, decode_marked_row, decode_order_row, decode_row, row_mark};
use crate::fault::EngineFault;
use crate::journal::Journal;
use crate::keeper::CheckpointMeta;
use crate::limits::Limits;
use crate::order_list::complete_index;
use crate::order_shard::Kept;
use crate::statements::read_chunks;
use crate::store::{Store, Table};

mod feeder;
mod hindsight;
mod pipeline;
mod survey;

use feeder::{Feed, Feeder};
use hindsight::Hindsight;
pub use survey::{Survey, in_escrow, in_suspense, order_breaks};

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
    body: Body,
    /// Position up to which its row was complete.
    applied: Lsn,
    /// Position of the last record that was folded into it.
    changed: Lsn,
    /// Whether it has a checkpoint row.
    pub has_row: bool,
    /// Whether it changed since.
    pub dirty: bool,
}

/// Most orders of a checkpoint stay what they were, and a million of them take a third of the room as rows.
#[derive(Debug)]
enum Body {
    /// The marked row of the checkpoint.
    Row(Box<[u8]>),
    Open(Box<Order>),
}

impl RecoveredOrder {
    /// The order; read from its row when nothing has happened to it since.
    ///
    /// # Errors
    /// When the row is damaged, or of a newer format.
    pub fn look(&self) -> Result<Cow<'_, Order>, CodecFault> {
        match &self.body {
            Body::Row(row) => Ok(Cow::Owned(decode_order_row(row)?.1)),
            Body::Open(order) => Ok(Cow::Borrowed(order)),
        }
    }

    /// The order, opened for good.
    ///
    /// # Errors
    /// As [`RecoveredOrder::look`].
    pub fn open(&mut self) -> Result<&mut Order, CodecFault> {
        if let Body::Row(row) = &self.body {
            self.body = Body::Open(Box::new(decode_order_row(row)?.1));
        }
        match &mut self.body {
            Body::Open(order) => Ok(order),
            Body::Row(_) => unreachable!("it was opened"),
        }
    }

    /// What a shard takes over.
    pub(crate) fn into_kept(self) -> Kept {
        match self.body {
            Body::Row(row) => Kept::Packed(row.into_vec()),
            Body::Open(order) => Kept::Open(Arc::from(order)),
        }
    }
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
        let Settings { limits, conditions, policies, threads } = settings;
        let meta: CheckpointMeta = match store.checkpoint_meta()? {
            Some(bytes) => decode_row(&bytes).map_err(|fault| damaged("header", &fault))?,
            None => CheckpointMeta::default(),
        };
        let (orders, balances) = match threads {
            Threads::One => (load_orders(store), load_balances(store, shards)),
            Threads::Several => scope(|scope| {
                let orders = scope.spawn(|| load_orders(store));
                let balances = load_balances(store, shards);
                (orders.join().unwrap_or_else(|panic| resume_unwind(panic)), balances)
            }),
        };
        let (orders, mut balances) = (orders?, balances?);
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
            let body = Body::Open(Box::new(order));
            let known = RecoveredOrder { body, applied, changed: applied, has_row: false, dirty: true };
            self.state.orders.insert(id, known);
        } else if created && self.state.orders[&id].applied == Lsn(0) {
            let what = format!("order {id} is recorded twice");
            return Err(EngineFault::Replay { lsn: lsn.0, what });
        }
        let Some(known) = self.state.orders.get_mut(&id) else { return Ok(()) };
        let applied = known.applied;
        if lsn > applied {
            (known.dirty, known.changed) = (true, lsn);
        }
        let order = known.open().map_err(|fault| damaged("orders", &fault))?;
        if lsn > applied {
            for event in events.iter().skip(usize::from(created)) {
                if order::next_status(order.status, event.kind()).is_none() {
                    let (status, kind) = (order.status, event.kind().name());
                    let what = format!("{kind} cannot happen to order {id}, which is {status}");
                    return Err(EngineFault::Replay { lsn: lsn.0, what });
                }
                order::apply(order, at, event);
            }
            if order.is_finished() {
                self.finished.push(id);
            }
        }
        self.hindsight.take(lsn, at, events, order, applied);
        Ok(())
    }

    fn archived(&mut self, id: OrderId, lsn: Lsn) -> Result<Option<(Order, Lsn)>, EngineFault> {
        // It may be on its way into the archive.
        self.feeder.settle()?;
        let Some(bytes) = self.store.order(id.0)? else { return Ok(None) };
        let (applied, order) = decode_order_row(&bytes).map_err(|fault| EngineFault::Replay {
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
            let Entry::Occupied(known) = self.state.orders.entry(id) else { continue };
            // What was told of it opened it.
            if matches!(&known.get().body, Body::Open(order) if order.is_finished()) {
                let RecoveredOrder { body: Body::Open(order), has_row, changed, .. } = known.remove() else {
                    continue;
                };
                if has_row {
                    self.state.rows_to_delete.push(id);
                }
                feed.orders.push((*order, changed));
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

fn damaged(what: &str, fault: &dyn std::fmt::Display) -> EngineFault {
    EngineFault::Replay { lsn: 0, what: format!("the checkpoint's {what} cannot be read: {fault}") }
}

fn load_balances(store: &Store, shards: usize) -> Result<Vec<Restored>, EngineFault> {
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
    Ok(balances)
}

/// Orders stay rows until something of the log's tail is told of them, or they are looked at.
fn load_orders(store: &Store) -> Result<FxHashMap<OrderId, RecoveredOrder>, EngineFault> {
    let mut orders = FxHashMap::default();
    store.load_rows(Table::LiveOrders, |key, row| -> Result<(), EngineFault> {
        let (Ok(id), Some(applied)) = (key.try_into(), row_mark(row)) else {
            return Err(damaged("orders", &"a row has another length"));
        };
        let known = RecoveredOrder {
            body: Body::Row(row.into()),
            applied,
            changed: applied,
            has_row: true,
            dirty: false,
        };
        orders.insert(OrderId(u64::from_be_bytes(id)), known);
        Ok(())
    })?;
    Ok(orders)
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
