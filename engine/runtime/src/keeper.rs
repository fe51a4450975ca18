//! The store keeper: a thread of low priority that feeds the archive in bulk and writes checkpoints.
//!
//! One inbox keeps the order that recovery relies on: statement lines and finished orders that a shard handed over
//! before its checkpoint rows are in the archive before the rows are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use suanpan_core::routing::learning::Learning;
use suanpan_model::{Lsn, OrderId};

use crate::codec::encode_row;
use crate::log_writer::LogMessage;
use crate::messages::{Finished, FinishedOrder, KeeperMessage, Rows};
use crate::shared::Shared;
use crate::statements::ChunkRow;
use crate::store::{ArchiveBatch, CheckpointRows, Store, StoreFault};

/// Orders from which a feed of the archive is worth its fixed cost.
const FEED_ORDERS: usize = 50_000;

/// A feed waits no longer than this for more orders.
const FEED_WAIT: Duration = Duration::from_secs(2);

/// Wait between tries when the store refuses.
const RETRY: Duration = Duration::from_millis(500);

/// The row that makes a checkpoint valid.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CheckpointMeta {
    /// Records after this position must be replayed.
    pub replay_from: Lsn,
    /// The latest order number given out.
    pub last_id: OrderId,
    /// What was learned about channels is complete up to here: not before any row of the checkpoint.
    pub learned_upto: Lsn,
    /// What was learned about channels.
    pub learning: Learning,
}

/// Who hears that the archive has something.
pub trait Listeners: Send {
    /// The archive has these orders of order shard `shard`.
    fn archived(&self, shard: usize, orders: Vec<FinishedOrder>);
    /// The archive has the statement lines of balance shard `shard` up to `hand_over`.
    fn statements_archived(&self, shard: usize, hand_over: u64);
}

/// The keeper and what it gathers.
pub struct Keeper<L> {
    store: Store,
    shared: Arc<Shared>,
    listeners: L,
    log: Sender<LogMessage>,
    /// How many parts make a checkpoint.
    parts: usize,
    finished: Vec<Finished>,
    finished_orders: usize,
    statements: Vec<(usize, u64, Vec<ChunkRow>)>,
    oldest: Option<Instant>,
    parts_seen: FxHashMap<u64, Vec<(Lsn, OrderId)>>,
}

impl<L: Listeners> Keeper<L> {
    /// A keeper for an engine whose checkpoints have `parts` parts.
    pub fn new(shared: Arc<Shared>, listeners: L, log: Sender<LogMessage>, parts: usize) -> Self {
        Self {
            store: shared.store.clone(),
            shared,
            listeners,
            log,
            parts,
            finished: Vec::new(),
            finished_orders: 0,
            statements: Vec::new(),
            oldest: None,
            parts_seen: FxHashMap::default(),
        }
    }

    /// Works until it is told to stop.
    pub fn run(mut self, inbox: &Receiver<KeeperMessage>) {
        loop {
            let goes_on = match inbox.recv_timeout(Duration::from_millis(200)) {
                Ok(KeeperMessage::Finished(finished)) => {
                    self.oldest.get_or_insert_with(Instant::now);
                    self.finished_orders += finished.orders.len();
                    self.finished.push(finished);
                    true
                }
                Ok(KeeperMessage::Statements { shard, lines }) => {
                    self.oldest.get_or_insert_with(Instant::now);
                    self.statements.push((shard, lines.no, lines.rows));
                    true
                }
                Ok(KeeperMessage::Checkpoint(rows)) => self.take_rows(rows),
                Ok(KeeperMessage::Flush(done)) => {
                    let fed = self.feed();
                    // Whoever asked may have given up waiting.
                    let _ = done.send(());
                    fed
                }
                Ok(KeeperMessage::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.feed();
                    false
                }
                Err(RecvTimeoutError::Timeout) => true,
            };
            let waited = self.oldest.is_some_and(|oldest| oldest.elapsed() >= FEED_WAIT);
            if !goes_on || ((self.finished_orders >= FEED_ORDERS || waited) && !self.feed()) {
                return;
            }
        }
    }

    /// Feeds the archive with all that was gathered; false when the engine stopped before the store took it.
    fn feed(&mut self) -> bool {
        self.oldest = None;
        self.finished_orders = 0;
        let finished = std::mem::take(&mut self.finished);
        let statements = std::mem::take(&mut self.statements);
        if finished.is_empty() && statements.is_empty() {
            return true;
        }
        let fed = self
            .retry("the archive cannot be fed", |store| store.ingest(archive_batch(&finished, &statements)));
        if !fed {
            return false;
        }
        for Finished { shard, orders } in finished {
            self.listeners.archived(shard, orders);
        }
        for (shard, hand_over, _) in statements {
            self.listeners.statements_archived(shard, hand_over);
        }
        true
    }

    /// Writes one part of a checkpoint; false when the engine stopped before the store took it.
    fn take_rows(&mut self, rows: Rows) -> bool {
        let Rows { epoch, tables, is_last, replay_from, last_id, .. } = rows;
        let write = |store: &Store, table: &CheckpointRows| {
            if table.changes.is_empty() { Ok(()) } else { store.write_rows(table.clone()) }
        };
        let what = "checkpoint rows cannot be written";
        if !self.feed() || !tables.iter().all(|table| self.retry(what, |store| write(store, table))) {
            return false;
        }
        if !is_last {
            return true;
        }
        let seen = self.parts_seen.entry(epoch).or_default();
        seen.push((replay_from, last_id));
        if seen.len() < self.parts {
            return true;
        }
        let seen = self.parts_seen.remove(&epoch).unwrap_or_default();
        let replay_from = seen.iter().map(|(lsn, _)| *lsn).min().unwrap_or_default();
        let last_id = seen.iter().map(|(_, id)| *id).max().unwrap_or_default();
        let learned = self.shared.learner.snapshot();
        let meta =
            CheckpointMeta { replay_from, last_id, learned_upto: learned.upto, learning: learned.learning };
        if !self.retry("a checkpoint cannot be sealed", |store| store.seal_checkpoint(&encode_row(&meta))) {
            return false;
        }
        tracing::info!(epoch, replay_from = replay_from.0, "checkpoint complete");
        self.shared.counters.checkpoints.fetch_add(1, std::sync::atomic::Ordering::Release);
        // The log writer may have ended already.
        let _ = self.log.send(LogMessage::Release(replay_from.next()));
        true
    }

    /// Tries until the store takes it: what waits here is in the log, so nothing is lost by waiting. The bound on
    /// the archive's lag makes new orders wait, too. False when the engine stopped first.
    fn retry(&self, what: &str, mut step: impl FnMut(&Store) -> Result<(), StoreFault>) -> bool {
        let mut told = false;
        while let Err(fault) = step(&self.store) {
            if !std::mem::replace(&mut told, true) {
                tracing::error!(%fault, what, "trying again until it works");
            }
            if self.shared.gate.is_closed() {
                tracing::error!(what, "given up because the engine stops; the log has it");
                return false;
            }
            std::thread::sleep(RETRY);
        }
        true
    }
}

/// One feed of the archive.
#[must_use]
pub fn archive_batch(finished: &[Finished], statements: &[(usize, u64, Vec<ChunkRow>)]) -> ArchiveBatch {
    let mut batch = ArchiveBatch::default();
    for order in finished.iter().flat_map(|finished| &finished.orders) {
        batch.orders.push((order.id.0, order.row.clone()));
        batch.keys.push((order.key, order.id.0));
    }
    batch.statements = statements.iter().flat_map(|(_, _, rows)| rows.iter().cloned()).collect();
    batch
}
