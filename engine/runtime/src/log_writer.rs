//! The thread that owns the journal: gathers what shards hand in, writes and syncs it as one group, and only then
//! tells everybody.
//!
//! It also says when a checkpoint is due, because it knows the log, and releases the log before it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};
use hdrhistogram::Histogram;
use suanpan_model::Lsn;

use crate::api::TrialRow;
use crate::journal::{Journal, JournalFault};
use crate::messages::{LogBatch, Source, TimedInstruction};
use crate::shared::{Shared, count};

/// A group takes in no more batches once it has this many bytes.
const GROUP_BYTES: usize = 4 << 20;

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
    fn instruct(&self, shard: usize, chunks: Vec<(Lsn, Vec<TimedInstruction>)>, durable: Lsn);
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
    group: Vec<u8>,
    commit_micros: Arc<std::sync::Mutex<Histogram<u64>>>,
    broken: bool,
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
            group: Vec::new(),
            commit_micros,
            broken: false,
        }
    }

    /// Works until it is told to stop.
    pub fn run(mut self, inbox: &Receiver<LogMessage>) {
        let mut batches = Vec::new();
        let mut others = VecDeque::new();
        loop {
            match inbox.recv_timeout(Duration::from_secs(1)) {
                Ok(message) => sort(message, &mut batches, &mut others),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let mut bytes: usize = batches.iter().map(|batch: &LogBatch| batch.payload.len()).sum();
            while bytes < GROUP_BYTES
                && others.is_empty()
                && let Ok(message) = inbox.try_recv()
            {
                if let LogMessage::Batch(batch) = &message {
                    bytes += batch.payload.len();
                }
                sort(message, &mut batches, &mut others);
            }
            let gathered = std::mem::take(&mut batches);
            if !gathered.is_empty() && !self.broken {
                self.commit(gathered);
            }
            while let Some(message) = others.pop_front() {
                match message {
                    LogMessage::Batch(batch) => batches.push(batch),
                    LogMessage::Checkpoint => self.begin_checkpoint(),
                    LogMessage::Release(before) => self.release(before),
                    LogMessage::Trial(to) => self.listeners.trial(&to),
                    LogMessage::Stop => return,
                }
            }
            if self.bytes_since_checkpoint >= self.checkpoint_every_bytes {
                self.begin_checkpoint();
            }
        }
    }

    fn commit(&mut self, batches: Vec<LogBatch>) {
        self.group.clear();
        let mut records = 0;
        for batch in &batches {
            self.group.extend_from_slice(&batch.payload);
            records += batch.records;
        }
        let began = Instant::now();
        let Some(first) = self.append(records) else { return };
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        if let Ok(mut histogram) = self.commit_micros.lock() {
            histogram.saturating_record(micros);
        }
        let durable = Lsn(first.0 + u64::from(records) - 1);
        let counters = &self.shared.counters;
        count(&counters.groups, 1);
        count(&counters.records, u64::from(records));
        count(&counters.log_bytes, self.group.len() as u64);
        counters.durable_lsn.store(durable.0, std::sync::atomic::Ordering::Release);
        self.bytes_since_checkpoint += self.group.len() as u64;
        let observations = batches.iter().flat_map(|batch| batch.observations.iter().copied());
        self.shared.learner.fold(observations, durable);
        self.tell(first, durable, batches);
    }

    /// Writes the group, again and again while the disk is full: nothing is acknowledged meanwhile, nothing lost.
    fn append(&mut self, records: u32) -> Option<Lsn> {
        loop {
            match self.journal.append(records, &self.group) {
                Ok(first) => {
                    if self.shared.gate.has_trouble() {
                        tracing::warn!("the journal can be written again; requests are taken again");
                        self.shared.gate.set_trouble(None);
                    }
                    return Some(Lsn(first));
                }
                Err(fault) if fault.is_retryable() => {
                    if !self.shared.gate.has_trouble() {
                        tracing::error!(%fault, "the journal cannot be written; nothing is acknowledged until it can");
                        self.shared.gate.set_trouble(Some(fault.to_string()));
                    }
                    if self.shared.gate.is_closed() {
                        tracing::error!("given up because the engine stops; nothing of it was acknowledged");
                        self.broken = true;
                        return None;
                    }
                    std::thread::sleep(RETRY);
                }
                Err(fault) => {
                    tracing::error!(%fault, "the journal cannot be written until a restart; nothing is acknowledged");
                    self.shared.gate.set_trouble(Some(fault.to_string()));
                    self.broken = true;
                    self.listeners.broken(&fault);
                    return None;
                }
            }
        }
    }

    /// Instructions first: who has an answer and then asks for a balance finds it changed.
    fn tell(&self, first: Lsn, durable: Lsn, batches: Vec<LogBatch>) {
        let mut position = first;
        let mut chunks: Vec<Vec<(Lsn, Vec<TimedInstruction>)>> =
            (0..self.shards).map(|_| Vec::new()).collect();
        let mut committed = Vec::with_capacity(batches.len());
        for batch in batches {
            for (shard, instructions) in batch.instructions.into_iter().enumerate() {
                if !instructions.is_empty() {
                    chunks[shard].push((position, instructions));
                }
            }
            committed.push((batch.source, position, batch.payload));
            position.0 += u64::from(batch.records);
        }
        for (shard, chunks) in chunks.into_iter().enumerate() {
            if !chunks.is_empty() {
                self.listeners.instruct(shard, chunks, durable);
            }
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

fn sort(message: LogMessage, batches: &mut Vec<LogBatch>, others: &mut VecDeque<LogMessage>) {
    match message {
        LogMessage::Batch(batch) => batches.push(batch),
        other @ (LogMessage::Checkpoint
        | LogMessage::Release(_)
        | LogMessage::Trial(_)
        | LogMessage::Stop) => others.push_back(other),
    }
}
