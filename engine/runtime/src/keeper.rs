//! The store keeper: a thread of low priority that feeds the archive in bulk and writes checkpoints.
//!
//! One inbox keeps the order that recovery relies on: what a checkpoint row takes for archived, statement lines and finished
//! orders, was handed over before it, and is in the archive before the row is written. Rows are gathered until they are
//! worth a sorted run; the rest is written before the seal.
//!
//! [`Keeper`] is the logic, step by step and without a thread or a clock; [`Keeper::run`] is the thread around it. A
//! simulation takes the steps itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use suanpan_core::routing::learning::Learning;
use suanpan_model::{Lsn, OrderId};

use crate::codec::{decode_row, encode_row};
use crate::log_writer::LogMessage;
use crate::messages::{AnnouncedRows, Finished, FinishedOrder, KeeperMessage, Rows};
use crate::retention::{Expiry, PORTION_ROWS, Portion, portion};
use crate::shared::Shared;
use crate::statements::ChunkRow;
use crate::store::{ArchiveBatch, CheckpointRows, Store, StoreFault, Table};

/// Malls are told within this time what happened, as long as there is little of it.
const ANNOUNCE_WAIT: Duration = Duration::from_millis(20);

/// What was announced may wait this long for more of it: to be woken costs the keeper, and the log writer who wakes it, more
/// than to take what is there.
const TAKE_EVERY: Duration = Duration::from_millis(2);

/// With more announcements than this gathered, they wait for the next feed, which takes many at a fraction of the cost.
const ANNOUNCED_AT_ONCE_MAX: usize = 1_024;

/// With this many feeds to make, the archive is behind.
const BEHIND_FEEDS: usize = 4;

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
    announced: Vec<AnnouncedRows>,
    announced_rows: usize,
    finished: Vec<Finished>,
    finished_orders: usize,
    statements: Vec<(usize, u64, Vec<ChunkRow>)>,
    /// Rows of checkpoints that are not written yet, by table.
    rows: [CheckpointRows; Table::ALL.len()],
    /// Whether some of them take what was handed over for archived.
    rows_wait_for_archive: bool,
    /// What was taken and is not done.
    work: Option<Work>,
    parts_seen: FxHashMap<u64, Vec<(Lsn, OrderId)>>,
    told: bool,
}

/// What a message asks for beyond gathering.
enum Work {
    /// Write the announcements that were gathered.
    Announce,
    /// Remove a portion of what malls were told, then tell whoever waits for it.
    Expire(Expiry, tokio::sync::oneshot::Sender<()>),
    /// Feed the archive with what was gathered.
    Feed,
    /// The same, then tell whoever waits for it.
    Flush(Sender<()>),
    /// Write the rows of checkpoints that were gathered, of tables of which there are enough.
    Rows,
    /// A shard has nothing more for this checkpoint.
    Part { epoch: u64, replay_from: Lsn, last_id: OrderId },
    /// All parts of a checkpoint were handed over.
    Seal { epoch: u64, meta: CheckpointMeta },
    /// Feed, then end.
    Stop,
}

/// What came of a step of the keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// What was taken is done.
    Done,
    /// The store refuses just now: take the step again in a while, and no message meanwhile.
    Refused,
    /// It was told to stop, or gave up because the engine stops.
    Stopped,
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
            announced: Vec::new(),
            announced_rows: 0,
            finished: Vec::new(),
            finished_orders: 0,
            statements: Vec::new(),
            rows: Table::ALL.map(CheckpointRows::new),
            rows_wait_for_archive: false,
            work: None,
            parts_seen: FxHashMap::default(),
            told: false,
        }
    }

    /// Works until it is told to stop.
    pub fn run(mut self, inbox: &Receiver<KeeperMessage>) {
        let (mut oldest, mut announced): (Option<Instant>, Option<Instant>) = (None, None);
        loop {
            let mut can_wait = false;
            let patience = if self.announces_soon() { ANNOUNCE_WAIT } else { Duration::from_millis(200) };
            match inbox.recv_timeout(patience) {
                Ok(message) => {
                    can_wait = matches!(message, KeeperMessage::Announced(_));
                    self.take(message);
                }
                Err(RecvTimeoutError::Timeout) => self.announce(),
                Err(RecvTimeoutError::Disconnected) => self.take(KeeperMessage::Stop),
            }
            if announced.is_some_and(|since: Instant| since.elapsed() >= ANNOUNCE_WAIT)
                && self.announces_soon()
            {
                self.announce();
            }
            if oldest.is_some_and(|oldest| oldest.elapsed() >= FEED_WAIT) {
                self.feed();
            }
            loop {
                match self.step() {
                    Step::Done => break,
                    Step::Refused => std::thread::sleep(RETRY),
                    Step::Stopped => return,
                }
            }
            oldest = if self.has_gathered() { oldest.or_else(|| Some(Instant::now())) } else { None };
            announced = if self.announces_soon() { announced.or_else(|| Some(Instant::now())) } else { None };
            if can_wait && inbox.is_empty() {
                std::thread::sleep(TAKE_EVERY);
            }
        }
    }

    /// Whether something waits for a feed.
    #[must_use]
    pub fn has_gathered(&self) -> bool {
        !self.finished.is_empty() || !self.statements.is_empty() || !self.announced.is_empty()
    }

    /// Whether what was gathered for malls is little enough to be written without a feed.
    fn announces_soon(&self) -> bool {
        (1..=ANNOUNCED_AT_ONCE_MAX).contains(&self.announced_rows)
    }

    /// Takes a message; the last step must be done.
    pub fn take(&mut self, message: KeeperMessage) {
        match message {
            KeeperMessage::Announced(announced) => {
                self.announced_rows += announced.iter().map(AnnouncedRows::len).sum::<usize>();
                self.announced.extend(announced);
            }
            KeeperMessage::Finished(finished) => {
                self.finished_orders += finished.orders.len();
                self.finished.push(finished);
            }
            KeeperMessage::Statements { shard, lines } => self.statements.push((shard, lines.no, lines.rows)),
            KeeperMessage::Checkpoint(rows) => self.work = self.gather(rows),
            KeeperMessage::Expire(expiry, done) => self.work = Some(Work::Expire(expiry, done)),
            KeeperMessage::Flush(done) => self.work = Some(Work::Flush(done)),
            KeeperMessage::Stop => self.work = Some(Work::Stop),
        }
        if self.finished_orders >= self.shared.limits.feed_orders {
            self.feed();
        }
    }

    fn gather(&mut self, rows: Rows) -> Option<Work> {
        let Rows { epoch, is_last, replay_from, last_id, .. } = rows;
        self.rows_wait_for_archive |= rows.waits_for_archive;
        for CheckpointRows { table, mut changes } in rows.tables {
            let gathered = self.rows.iter_mut().find(|gathered| gathered.table == table);
            gathered.expect("there is one for every table").changes.append(&mut changes);
        }
        let least = self.shared.limits.rows_gathered;
        if is_last {
            Some(Work::Part { epoch, replay_from, last_id })
        } else {
            self.has_rows(least).then_some(Work::Rows)
        }
    }

    fn has_rows(&self, least: usize) -> bool {
        self.rows.iter().any(|rows| rows.changes.len() >= least.max(1))
    }

    /// Asks for a feed of the archive with the next step, unless that has other work: most of it feeds anyway, and what
    /// is gathered is asked for again.
    pub fn feed(&mut self) {
        self.work.get_or_insert(Work::Feed);
    }

    /// Asks for what was gathered for malls to be written with the next step, unless a feed writes it anyway.
    pub fn announce(&mut self) {
        if self.announces_soon() {
            self.work.get_or_insert(Work::Announce);
        }
    }

    /// Does what was taken. What waits here is in the log, so nothing is lost by waiting when the store refuses. The
    /// bound on the archive's lag makes new orders wait, too.
    pub fn step(&mut self) -> Step {
        while let Some(work) = self.work.take() {
            match self.try_work(&work) {
                Ok(next) => {
                    self.told = false;
                    // Whoever asked may have given up waiting.
                    match work {
                        Work::Stop => return Step::Stopped,
                        Work::Flush(done) => drop(done.send(())),
                        Work::Expire(_, done) => drop(done.send(())),
                        Work::Announce | Work::Feed | Work::Rows | Work::Part { .. } | Work::Seal { .. } => {}
                    }
                    self.work = next;
                }
                Err((fault, what)) => {
                    if !std::mem::replace(&mut self.told, true) {
                        tracing::error!(%fault, what, "trying again until it works");
                    }
                    if self.shared.gate.is_closed() {
                        tracing::error!(what, "given up because the engine stops; the log has it");
                        return Step::Stopped;
                    }
                    self.work = Some(work);
                    return Step::Refused;
                }
            }
        }
        Step::Done
    }

    /// One try, which may be repeated when it fails, and what comes next.
    fn try_work(&mut self, work: &Work) -> Result<Option<Work>, (StoreFault, &'static str)> {
        // What nobody waits for leaves the disk to the log, unless the archive falls behind.
        let is_behind = self.shared.gate.is_archive_behind(BEHIND_FEEDS * self.shared.limits.feed_orders);
        let can_wait = match work {
            Work::Announce | Work::Feed => true,
            // Whoever ends waits for the last checkpoint.
            Work::Rows | Work::Part { .. } => !self.shared.gate.is_stopping(),
            Work::Expire(..) | Work::Flush(_) | Work::Seal { .. } | Work::Stop => false,
        };
        if can_wait && !is_behind {
            self.store.haste().relax();
        } else {
            self.store.haste().hurry();
        }
        match work {
            Work::Announce => self.try_announce().map(|()| None),
            Work::Expire(expiry, _) => self.try_expire(expiry).map(|()| None),
            Work::Feed | Work::Flush(_) | Work::Stop => self.try_feed().map(|()| None),
            Work::Rows => self.try_rows(self.shared.limits.rows_gathered).map(|()| None),
            Work::Part { epoch, replay_from, last_id } => {
                self.try_rows(self.shared.limits.rows_gathered)?;
                Ok(self.part_ended(*epoch, *replay_from, *last_id))
            }
            Work::Seal { epoch, meta } => {
                // The log is released up to here: what it told of orders that have no row must be in the archive.
                self.try_feed()?;
                self.try_rows(1)?;
                debug_assert!(!self.has_gathered(), "a checkpoint is sealed before the archive is fed");
                let sealed = self.store.seal_checkpoint(&encode_row(meta));
                sealed.map_err(|fault| (fault, "a checkpoint cannot be sealed"))?;
                let replay_from = meta.replay_from;
                tracing::info!(epoch, replay_from = replay_from.0, "checkpoint complete");
                self.shared.counters.checkpoints.fetch_add(1, std::sync::atomic::Ordering::Release);
                // The log writer may have ended already.
                let _ = self.log.send(LogMessage::Release(replay_from.next()));
                Ok(None)
            }
        }
    }

    /// Feeds the archive with all that was gathered.
    fn try_feed(&mut self) -> Result<(), (StoreFault, &'static str)> {
        // First, so that the archive never has an order of which the mall was not told.
        self.try_announce()?;
        if !self.has_gathered() {
            self.rows_wait_for_archive = false;
            return Ok(());
        }
        let batch = archive_batch(&self.finished, &self.statements);
        self.store.ingest(batch).map_err(|fault| (fault, "the archive cannot be fed"))?;
        self.rows_wait_for_archive = false;
        self.finished_orders = 0;
        for Finished { shard, orders } in std::mem::take(&mut self.finished) {
            self.listeners.archived(shard, orders);
        }
        for (shard, hand_over, _) in std::mem::take(&mut self.statements) {
            self.listeners.statements_archived(shard, hand_over);
        }
        Ok(())
    }

    /// Writes the gathered rows of tables that have at least `least`, after a feed if the rows rely on it.
    fn try_rows(&mut self, least: usize) -> Result<(), (StoreFault, &'static str)> {
        if self.has_rows(least) && self.rows_wait_for_archive {
            self.try_feed()?;
        }
        for rows in self.rows.iter_mut().filter(|rows| rows.changes.len() >= least.max(1)) {
            let written = self.store.write_rows(rows);
            written.map_err(|fault| (fault, "checkpoint rows cannot be written"))?;
        }
        Ok(())
    }

    /// Writes the announcements that were gathered.
    fn try_announce(&mut self) -> Result<(), (StoreFault, &'static str)> {
        if self.announced.is_empty() {
            return Ok(());
        }
        let written = self.store.announce(self.announced.iter().flat_map(AnnouncedRows::rows).collect());
        written.map_err(|fault| (fault, "malls cannot be told what happened"))?;
        self.announced.clear();
        self.announced_rows = 0;
        self.shared.announced.tell();
        Ok(())
    }

    /// Removes a portion of what malls were told, as far as a restart would not tell it again.
    fn try_expire(&self, expiry: &Expiry) -> Result<(), (StoreFault, &'static str)> {
        let fault = |fault| (fault, "what malls were told long ago cannot be removed");
        // One that cannot be read stops the next start; until then everything stays.
        let sealed = self.store.checkpoint_meta().map_err(fault)?;
        let Some(sealed) = sealed.and_then(|meta| decode_row::<CheckpointMeta>(&meta).ok()) else {
            return Ok(());
        };
        let platform = expiry.platform.0;
        let expired = self.store.announcements_expired(platform).map_err(fault)?;
        let rows = |after| self.store.announcements(platform, after, PORTION_ROWS).map_err(fault);
        // What a crash has brought back goes first.
        let mut rows_found = rows(expired.removed)?;
        rows_found.retain(|((_, lsn, place), _)| (*lsn, *place) <= expired.upto);
        rows_found.extend(rows(expired.upto)?);
        let decoded = rows_found.iter().map(|(key, row)| (*key, decode_row(row).ok()));
        match portion(decoded, expiry, sealed.replay_from) {
            Some(Portion { upto, removed }) => {
                self.store.expire_announcements(platform, upto, &removed).map_err(fault)
            }
            None => Ok(()),
        }
    }

    /// A shard has handed over its last rows of a checkpoint; the seal follows when it was the last shard.
    fn part_ended(&mut self, epoch: u64, replay_from: Lsn, last_id: OrderId) -> Option<Work> {
        let seen = self.parts_seen.entry(epoch).or_default();
        seen.push((replay_from, last_id));
        if seen.len() < self.parts {
            return None;
        }
        let seen = self.parts_seen.remove(&epoch).unwrap_or_default();
        let replay_from = seen.iter().map(|(lsn, _)| *lsn).min().unwrap_or_default();
        let last_id = seen.iter().map(|(_, id)| *id).max().unwrap_or_default();
        let learned = self.shared.learner.snapshot();
        let meta =
            CheckpointMeta { replay_from, last_id, learned_upto: learned.upto, learning: learned.learning };
        Some(Work::Seal { epoch, meta })
    }
}

/// One feed of the archive.
#[must_use]
pub fn archive_batch(finished: &[Finished], statements: &[(usize, u64, Vec<ChunkRow>)]) -> ArchiveBatch {
    let mut batch = ArchiveBatch::default();
    for order in finished.iter().flat_map(|finished| &finished.orders) {
        batch.orders.push((order.id.0, order.row.clone()));
        batch.keys.push((order.key, order.id.0));
        batch.index.push(((order.platform.0, order.id.0), order.index.clone()));
    }
    batch.statements = statements.iter().flat_map(|(_, _, rows)| rows.iter().cloned()).collect();
    batch
}

#[cfg(test)]
mod tests;
