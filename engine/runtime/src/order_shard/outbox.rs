//! What a shard has decided and the log does not have yet: records on their way, and what may leave only after them.

use std::collections::VecDeque;
use std::sync::Arc;

use suanpan_core::ledger::instructions;
use suanpan_core::order::{Events, announce};
use suanpan_core::routing::learning::{Observation, observe};
use suanpan_model::{
    Announced, AnnouncementId, ChannelRequest, Lsn, Order, OrderEvent, OrderId, OrderStatus, Record,
    TimestampMs,
};

use crate::api::{Answer, AnswerSink, Notice};
use crate::codec::encode_record;
use crate::messages::{AnnouncedRows, Instructions, LogBatch, Source};
use crate::shared::{Shared, count};

/// How many batches of a shard may be in the log writer's hands. While they are, more decisions gather into the next
/// one: the busier the engine, the larger its groups.
const BATCHES_IN_LOG_MAX: usize = 2;

/// Answers to one caller.
type Answers = (Arc<dyn AnswerSink>, Vec<Answer>);

/// What leaves once a batch is durable.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) answers: Vec<Answers>,
    pub(super) calls: Vec<ChannelRequest>,
    pub(super) notices: Vec<Notice>,
    pub(super) finished: Vec<OrderId>,
}

/// What the mall is told of the record at `lsn`, whose `events` are the last of the first `upto` steps of the order's life.
pub fn announced(
    order: &Order,
    upto: usize,
    events: &[OrderEvent],
    lsn: Lsn,
) -> impl Iterator<Item = Announced> {
    let from = upto.saturating_sub(events.len());
    events.iter().enumerate().filter_map(move |(nth, event)| {
        let announcement = announce(order, from + nth, event)?;
        let id = AnnouncementId { lsn, place: u8::try_from(nth).unwrap_or(u8::MAX) };
        Some(Announced { platform: order.terms.platform, id, announcement })
    })
}

/// What happened since it was last counted where everybody sees it: two cores that count at one place wait for each other.
#[derive(Default)]
pub struct Tally {
    /// Orders that came into memory.
    pub(super) came: usize,
    /// Orders recorded.
    pub(super) created: u64,
    /// Orders that ended, by status.
    pub(super) ended: [u64; OrderStatus::ALL.len()],
}

impl Tally {
    /// Counts it, and begins anew.
    pub(super) fn count(&mut self, shared: &Shared) {
        let Self { came, created, ended } = std::mem::take(self);
        if came > 0 {
            shared.gate.orders_came(came);
        }
        if created > 0 {
            count(&shared.counters.created, created);
        }
        for (counter, ended) in shared.counters.ended.iter().zip(ended).filter(|(_, ended)| *ended > 0) {
            count(counter, ended);
            count(&shared.counters.finished, ended);
        }
    }
}

/// The open batch, and those in the log writer's hands.
pub struct Outbox {
    payload: Vec<u8>,
    records: u32,
    instructions: Vec<Instructions>,
    observations: Vec<Observation>,
    announced: AnnouncedRows,
    answers: Vec<Answers>,
    notices: Vec<Notice>,
    pub(super) calls: Vec<ChannelRequest>,
    pub(super) finished: Vec<OrderId>,
    in_log: VecDeque<(u32, Waiting)>,
    sent: u64,
    committed: u64,
    /// Log position up to which all own records are durable.
    durable: Lsn,
    spare_payloads: Vec<Vec<u8>>,
    pub(super) tally: Tally,
}

impl Outbox {
    /// An empty outbox; the log is durable up to `durable`.
    pub(super) fn new(shards: usize, durable: Lsn) -> Self {
        Self {
            payload: Vec::new(),
            records: 0,
            instructions: (0..shards).map(|_| Instructions::default()).collect(),
            observations: Vec::new(),
            announced: AnnouncedRows::default(),
            answers: Vec::new(),
            notices: Vec::new(),
            calls: Vec::new(),
            finished: Vec::new(),
            in_log: VecDeque::new(),
            sent: 0,
            committed: 0,
            durable,
            spare_payloads: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Adds a record to the open batch; its bytes are what it is encoded as.
    pub(super) fn write(&mut self, record: &Record) -> &[u8] {
        let from = self.payload.len();
        encode_record(record, &mut self.payload);
        let (position, shards) = (self.records, self.instructions.len());
        let (Record::Order { at, .. } | Record::Ledger { at, .. }) = *record;
        instructions(record, &mut |instruction| {
            let shard = instruction.account().shard(shards);
            self.instructions[shard].push(position, at, &instruction);
        });
        self.records += 1;
        &self.payload[from..]
    }

    /// Adds what an event of the record that is written next says about a channel.
    pub(super) fn observe(&mut self, order: &Order, event: &OrderEvent, at: TimestampMs) {
        self.observations.extend(observe(order, order.steps.len(), event, at));
    }

    /// Adds what the mall is told of the events of the record that is written next; the order has them folded in.
    pub(super) fn announce(&mut self, order: &Order, events: &Events) {
        let lsn = Lsn(u64::from(self.records));
        announced(order, order.steps.len(), events, lsn).for_each(|one| self.announced.push(&one));
    }

    /// Adds what subscribers are told of a record; its position follows with the commit.
    pub(super) fn tell(&mut self, order: &Order, at: TimestampMs, events: &Events) {
        let (platform, status) = (order.terms.platform, order.status);
        for event in events {
            let lsn = Lsn(u64::from(self.records));
            self.notices.push(Notice { lsn, at, order: order.id, platform, kind: event.kind(), status });
        }
    }

    /// Adds an answer, which leaves when everything decided so far is durable.
    pub(super) fn answer(&mut self, sink: &Arc<dyn AnswerSink>, answer: Answer) {
        match self.answers.last_mut() {
            Some((last, answers)) if Arc::ptr_eq(last, sink) => answers.push(answer),
            Some(_) | None => self.answers.push((Arc::clone(sink), vec![answer])),
        }
    }

    /// The open batch for the log writer, if there is something in it and the writer has room.
    pub(super) fn take_batch(&mut self, shard: usize) -> Option<LogBatch> {
        if self.records == 0 || self.in_log.len() >= BATCHES_IN_LOG_MAX {
            return None;
        }
        let waiting = self.take_waiting();
        self.in_log.push_back((self.records, waiting));
        self.sent += 1;
        let payload = std::mem::replace(&mut self.payload, self.spare_payloads.pop().unwrap_or_default());
        // Batches that follow each other are of one size: their vectors are made as large at once.
        let empty = self.instructions.iter().map(Instructions::like).collect();
        let instructions = std::mem::replace(&mut self.instructions, empty);
        let observations = Vec::with_capacity(self.observations.len());
        let announced = AnnouncedRows::like(&self.announced);
        Some(LogBatch {
            source: Source::Orders(shard),
            records: std::mem::take(&mut self.records),
            payload,
            instructions,
            observations: std::mem::replace(&mut self.observations, observations),
            announced: std::mem::replace(&mut self.announced, announced),
        })
    }

    fn take_waiting(&mut self) -> Waiting {
        Waiting {
            answers: std::mem::take(&mut self.answers),
            calls: std::mem::take(&mut self.calls),
            notices: std::mem::take(&mut self.notices),
            finished: std::mem::take(&mut self.finished),
        }
    }

    /// What may leave at once because nothing new was decided: all of it when nothing is on its way to the log,
    /// else it joins what leaves after the last batch.
    pub(super) fn take_idle(&mut self) -> Option<Waiting> {
        if self.records != 0 || (self.answers.is_empty() && self.finished.is_empty()) {
            return None;
        }
        let waiting = self.take_waiting();
        match self.in_log.back_mut() {
            None => Some(waiting),
            Some((_, last)) => {
                last.answers.extend(waiting.answers);
                last.finished.extend(waiting.finished);
                None
            }
        }
    }

    /// The oldest batch on its way is durable, its first record at `first`.
    ///
    /// # Panics
    /// When no batch is on its way: a bug of the log writer.
    pub(super) fn commit(&mut self, first: Lsn, mut payload: Vec<u8>) -> Waiting {
        let (records, mut waiting) = self.in_log.pop_front().expect("a batch is on its way");
        self.committed += 1;
        self.durable = Lsn(first.0 + u64::from(records) - 1);
        waiting.notices.iter_mut().for_each(|notice| notice.lsn.0 += first.0);
        payload.clear();
        if self.spare_payloads.len() < BATCHES_IN_LOG_MAX {
            self.spare_payloads.push(payload);
        }
        waiting
    }

    /// How many batches were handed to the log writer since the start.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// How many of them are durable.
    pub(super) const fn committed(&self) -> u64 {
        self.committed
    }

    /// Whether everything decided so far was handed to the log writer.
    pub(super) const fn is_flushed(&self) -> bool {
        self.records == 0
    }

    /// Log position up to which all own records are durable.
    pub(super) const fn durable(&self) -> Lsn {
        self.durable
    }
}
