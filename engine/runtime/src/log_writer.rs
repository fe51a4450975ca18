//! The thread that owns the journal: gathers what shards hand in, writes and syncs it as one group, and only then
//! tells everybody.
//!
//! It also says when a checkpoint is due, because it knows the log, and releases the log before it.
//!
//! [`LogWriter`] is the logic, step by step and without a thread; [`LogWriter::run`] is the thread around it. A
//! simulation takes the steps itself.

mod spacing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};
use hdrhistogram::Histogram;
use suanpan_model::Lsn;

use crate::api::TrialRow;
use crate::journal::{Journal, JournalFault};
use crate::messages::{AnnouncedRows, Instructions, LogBatch, Source};
use crate::shared::{Shared, count};
use spacing::Spacing;

/// Wait between tries when the disk refuses a group.
const RETRY: Duration = Duration::from_millis(250);

/// Where balance shards send their parts of the trial balance.
pub type TrialSender = tokio::sync::mpsc::UnboundedSender<(Vec<TrialRow>, Vec<String>)>;

/// What the log writer is told.
#[derive(Debug)]
pub enum LogMessage {
    /// Records to be made durable.
    Batch(LogBatch),
    /// A checkpoint is wanted now.
    Checkpoint,
    /// A checkpoint is complete: the log before this position is not needed any more.
    Release(Lsn),
    /// The trial balance is wanted at one position of the log.
    Trial(TrialSender),
    /// Everything handed in before is to be written; then the thread ends.
    Stop,
}

/// Who hears of a commit. Calls must not block.
pub trait Listeners: Send {
    /// What the group tells balance shard `shard` to do; `durable` is the group's last position.
    fn instruct(&self, shard: usize, chunks: Vec<(Lsn, Instructions)>, durable: Lsn);
    /// What malls are told of the group, in the order of the log.
    fn announced(&self, announced: Vec<AnnouncedRows>);
    /// A batch of `source` is durable from `first` on; its buffer comes back.
    fn committed(&self, source: Source, first: Lsn, payload: Vec<u8>);
    /// Every shard is to hand over its part of checkpoint `epoch`; the log is durable up to `durable`.
    fn checkpoint(&self, epoch: u64, durable: Lsn);
    /// Every balance shard is to tell its part of the trial balance.
    fn trial(&self, to: &TrialSender);
    /// Nothing can be written any more until a restart.
    fn broken(&self, fault: &JournalFault);
}

/// The journal and what is on its way into it.
pub struct LogWriter<L> {
    journal: Box<dyn Journal>,
    listeners: L,
    shared: Arc<Shared>,
    shards: usize,
    checkpoint_every_bytes: u64,
    bytes_since_checkpoint: u64,
    epoch: u64,
    /// Whether a checkpoint is under way, and whether another one is wanted after it.
    checkpoint_open: bool,
    checkpoint_again: bool,
    /// Gathered and not written yet.
    batches: Vec<LogBatch>,
    bytes: usize,
    others: VecDeque<LogMessage>,
    /// The group that the disk refused and is to be written again, unchanged: its batches, and how many records.
    refused: Option<(Vec<LogBatch>, u32)>,
    group: Vec<u8>,
    commit_micros: Arc<std::sync::Mutex<Histogram<u64>>>,
    broken: bool,
    /// When the group was first written.
    began: Instant,
    spacing: Spacing,
}

/// What came of a try to write a group.
enum Appended {
    Durable(Lsn),
    Refused,
    Never,
}

/// What came of a step of the log writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Everything that was gathered is done.
    Done,
    /// The disk refuses the group just now: take the step again in a while, and gather nothing meanwhile.
    Refused,
    /// It was told to stop.
    Stopped,
}

impl<L: Listeners> LogWriter<L> {
    /// A writer around an open journal.
    pub fn new(
        journal: Box<dyn Journal>,
        listeners: L,
        shared: Arc<Shared>,
        shards: usize,
        checkpoint_every_bytes: u64,
        commit_micros: Arc<std::sync::Mutex<Histogram<u64>>>,
    ) -> Self {
        Self {
            journal,
            listeners,
            shared,
            shards,
            checkpoint_every_bytes,
            bytes_since_checkpoint: 0,
            epoch: 0,
            checkpoint_open: false,
            checkpoint_again: false,
            batches: Vec::new(),
            bytes: 0,
            others: VecDeque::new(),
            refused: None,
            group: Vec::new(),
            commit_micros,
            broken: false,
            began: Instant::now(),
            spacing: Spacing::new(),
        }
    }

    /// Works until it is told to stop.
    pub fn run(mut self, inbox: &Receiver<LogMessage>) {
        loop {
            match inbox.recv_timeout(Duration::from_secs(1)) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.gather(inbox);
            loop {
                match self.step() {
                    Step::Done => break,
                    Step::Refused => std::thread::sleep(RETRY),
                    Step::Stopped => return,
                }
            }
        }
    }

    /// Gathers what is there, and while more keeps coming, what comes within moments; but a message that is no batch is
    /// answered without that.
    fn gather(&mut self, inbox: &Receiver<LogMessage>) {
        self.take_waiting(inbox);
        if self.has_room()
            && let Some(wait) = self.spacing.wait(self.began.elapsed())
        {
            let before = self.batches.len();
            std::thread::sleep(wait);
            self.take_waiting(inbox);
            self.spacing.waited(self.batches.len() > before);
        }
    }

    fn take_waiting(&mut self, inbox: &Receiver<LogMessage>) {
        while self.has_room()
            && let Ok(message) = inbox.try_recv()
        {
            self.take(message);
        }
    }

    /// Gathers a message.
    pub fn take(&mut self, message: LogMessage) {
        match message {
            LogMessage::Batch(batch) => {
                self.bytes += batch.payload.len();
                self.batches.push(batch);
            }
            other @ (LogMessage::Checkpoint
            | LogMessage::Release(_)
            | LogMessage::Trial(_)
            | LogMessage::Stop) => self.others.push_back(other),
        }
    }

    /// Whether more may be gathered before the next step: what is no batch ends a group.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.bytes < self.shared.limits.group_bytes && self.others.is_empty() && self.refused.is_none()
    }

    /// Writes what was gathered as one group, tells everybody, then does what else was asked.
    pub fn step(&mut self) -> Step {
        if self.refused.is_none() && !self.batches.is_empty() {
            let gathered = std::mem::take(&mut self.batches);
            self.bytes = 0;
            if !self.broken {
                self.group.clear();
                let mut records = 0;
                for batch in &gathered {
                    self.group.extend_from_slice(&batch.payload);
                    records += batch.records;
                }
                self.began = Instant::now();
                self.refused = Some((gathered, records));
            }
        }
        if let Some((batches, records)) = self.refused.take() {
            match self.append(records) {
                Appended::Durable(first) => self.commit(first, records, batches),
                Appended::Refused => {
                    self.refused = Some((batches, records));
                    return Step::Refused;
                }
                Appended::Never => {}
            }
        }
        while let Some(message) = self.others.pop_front() {
            match message {
                LogMessage::Batch(batch) => self.batches.push(batch),
                LogMessage::Checkpoint => self.begin_checkpoint(),
                LogMessage::Release(before) => self.release(before),
                LogMessage::Trial(to) => self.listeners.trial(&to),
                LogMessage::Stop => return Step::Stopped,
            }
        }
        if self.bytes_since_checkpoint >= self.checkpoint_every_bytes {
            self.begin_checkpoint();
        }
        Step::Done
    }

    fn commit(&mut self, first: Lsn, records: u32, batches: Vec<LogBatch>) {
        let durable = Lsn(first.0 + u64::from(records) - 1);
        let counters = &self.shared.counters;
        count(&counters.groups, 1);
        count(&counters.records, u64::from(records));
        count(&counters.log_bytes, self.group.len() as u64);
        counters.durable_lsn.store(durable.0, std::sync::atomic::Ordering::Release);
        self.bytes_since_checkpoint += self.group.len() as u64;
        if let Ok(mut histogram) = self.commit_micros.lock() {
            histogram.saturating_record(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        let observations = batches.iter().flat_map(|batch| batch.observations.iter().copied());
        self.shared.learner.fold(observations, durable);
        self.tell(first, durable, batches);
    }

    /// Writes the group. While the disk refuses, it is to be tried again: nothing is acknowledged meanwhile, nothing
    /// lost.
    fn append(&mut self, records: u32) -> Appended {
        match self.journal.append(records, &self.group) {
            Ok(first) => {
                if self.shared.gate.has_trouble() {
                    tracing::warn!("the journal can be written again; requests are taken again");
                    self.shared.gate.set_trouble(None);
                }
                Appended::Durable(Lsn(first))
            }
            Err(fault) if fault.is_retryable() => {
                if !self.shared.gate.has_trouble() {
                    tracing::error!(%fault, "the journal cannot be written; nothing is acknowledged until it can");
                    self.shared.gate.set_trouble(Some(fault.to_string()));
                }
                if self.shared.gate.is_closed() {
                    tracing::error!("given up because the engine stops; nothing of it was acknowledged");
                    self.broken = true;
                    return Appended::Never;
                }
                Appended::Refused
            }
            Err(fault) => {
                tracing::error!(%fault, "the journal cannot be written until a restart; nothing is acknowledged");
                self.shared.gate.set_trouble(Some(fault.to_string()));
                self.broken = true;
                self.listeners.broken(&fault);
                Appended::Never
            }
        }
    }

    /// Instructions first: who has an answer and then asks for a balance finds it changed.
    fn tell(&self, first: Lsn, durable: Lsn, batches: Vec<LogBatch>) {
        let mut position = first;
        let mut announced: Vec<AnnouncedRows> = Vec::new();
        let mut chunks: Vec<Vec<(Lsn, Instructions)>> = (0..self.shards).map(|_| Vec::new()).collect();
        let mut committed = Vec::with_capacity(batches.len());
        for batch in batches {
            for (shard, instructions) in batch.instructions.into_iter().enumerate() {
                if !instructions.is_empty() {
                    chunks[shard].push((position, instructions));
                }
            }
            if !batch.announced.is_empty() {
                let mut rows = batch.announced;
                rows.first = position;
                announced.push(rows);
            }
            committed.push((batch.source, position, batch.payload));
            position.0 += u64::from(batch.records);
        }
        for (shard, chunks) in chunks.into_iter().enumerate() {
            if !chunks.is_empty() {
                self.listeners.instruct(shard, chunks, durable);
            }
        }
        // Before any shard hears of the commit: what it hands over to the archive or a checkpoint comes after.
        if !announced.is_empty() {
            self.listeners.announced(announced);
        }
        for (source, first, payload) in committed {
            self.listeners.committed(source, first, payload);
        }
    }

    fn begin_checkpoint(&mut self) {
        self.bytes_since_checkpoint = 0;
        if std::mem::replace(&mut self.checkpoint_open, true) {
            self.checkpoint_again = true;
            return;
        }
        self.epoch += 1;
        let durable = Lsn(self.journal.next_lsn() - 1);
        for shard in 0..self.shards {
            self.listeners.instruct(shard, Vec::new(), durable);
        }
        self.listeners.checkpoint(self.epoch, durable);
    }

    fn release(&mut self, before: Lsn) {
        self.checkpoint_open = false;
        if std::mem::take(&mut self.checkpoint_again) {
            self.begin_checkpoint();
        }
        if let Err(fault) = self.journal.release_before(before.0) {
            tracing::warn!(%fault, "old parts of the journal cannot be released; trying again after the next checkpoint");
        }
    }
}
