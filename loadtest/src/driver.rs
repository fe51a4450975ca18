//! The driver: one thread that submits orders, releases what is frozen, and measures.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use smol_str::SmolStr;
use suanpan_model::command::OrderRef;
use suanpan_model::event::EventKind;
use suanpan_model::{OrderCommand, OrderId, OrderStatus, RejectCode, Ticket};
use suanpan_runtime::{Answer, Command, Reply, Request};

use crate::latency::{Latencies, Percentiles};
use crate::target::Target;
use crate::workload::Workload;
use crate::world::PLATFORM;

mod inbox;
mod pacing;
mod slots;
mod tally;
#[cfg(test)]
mod tests;

pub use pacing::Pacing;
pub use tally::{Finished, SAMPLES, Tally};

use inbox::Inbox;
use slots::{Slots, Step, is_release};

/// Largest batch that is submitted at once.
const BATCH: usize = 512;
/// After so many refusals a run is given up.
const REJECTS_MAX: u64 = 10_000;
/// How long the driver waits before it repeats what was refused as busy.
const BUSY_PAUSE_NS: u64 = 20_000_000;

/// How a run goes.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// When orders are sent.
    pub pacing: Pacing,
    /// Time before the measured window.
    pub warmup: Duration,
    /// The measured window.
    pub window: Duration,
    /// How many orders are sent at the most.
    pub orders_max: u64,
    /// How long after the window the last orders may take.
    pub patience: Duration,
    /// How often the run is told of.
    pub tick: Duration,
}

/// How a run stands.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// Since the start.
    pub elapsed: Duration,
    /// Whether the measured window has begun.
    pub measuring: bool,
    /// Orders finished since the start.
    pub finished: u64,
    /// Orders finished a second since the last tick.
    pub per_second: f64,
    /// Latencies of whole orders since the last tick.
    pub latency: Percentiles,
    /// Orders under way.
    pub under_way: usize,
    /// The order that finished last.
    pub last: OrderId,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// The counts.
    pub tally: Tally,
    /// Orders finished inside the measured window.
    pub orders: u64,
    /// How long the measured window was.
    pub window: Duration,
    /// From the end of the window until nothing was under way.
    pub drain: Duration,
    /// Orders still under way when patience ran out.
    pub unfinished: usize,
    /// Batches of requests that were submitted.
    pub batches: u64,
}

/// Plays `workload` against `target` as `plan` says; `told` hears how it stands. A false answer ends the sending.
///
/// # Errors
/// When the target cuts the driver off, or refuses so much that the run is pointless.
pub fn drive(
    target: &impl Target,
    workload: &Workload,
    plan: &Plan,
    told: &mut dyn FnMut(&Tick) -> bool,
) -> Result<Outcome> {
    let tally = Tally::new(workload.templates().len())?;
    let driver = Driver {
        target,
        workload,
        inbox: Inbox::new(target),
        slots: Slots::default(),
        tally,
        outbox: Vec::with_capacity(BATCH),
        batches: 0,
        retries: VecDeque::new(),
        early: Vec::new(),
        recent: Latencies::new()?,
        last: OrderId(0),
        epoch: Instant::now(),
        window: (nanos(plan.warmup), nanos(plan.warmup).saturating_add(nanos(plan.window))),
    };
    driver.run(plan, told)
}

struct Driver<'a, T: Target> {
    target: &'a T,
    workload: &'a Workload,
    inbox: Inbox,
    slots: Slots,
    tally: Tally,
    outbox: Vec<Request>,
    batches: u64,
    /// What was refused as busy, and when it is tried again.
    retries: VecDeque<(u64, Ticket)>,
    /// Orders whose notice came before their acknowledgement was read.
    early: Vec<OrderId>,
    recent: Latencies,
    last: OrderId,
    epoch: Instant,
    /// Begin and end of the measured window.
    window: (u64, u64),
}

impl<T: Target> Driver<'_, T> {
    fn run(mut self, plan: &Plan, told: &mut dyn FnMut(&Tick) -> bool) -> Result<Outcome> {
        let mut next_tick = nanos(plan.tick);
        let mut told_at = (0, 0);
        let mut is_sending = true;
        let mut ended_at = None;
        loop {
            let now = self.now();
            self.listen(now)?;
            self.retry(now);
            if is_sending && (now >= self.window.1 || self.tally.sent >= plan.orders_max) {
                is_sending = false;
            }
            if is_sending {
                self.send(plan, now);
            } else if ended_at.is_none() {
                ended_at = Some(now);
            }
            self.flush();
            if let Some(ended_at) = ended_at {
                let is_late = now.saturating_sub(ended_at) > nanos(plan.patience);
                if (self.slots.is_empty() && self.retries.is_empty()) || is_late {
                    return Ok(self.outcome(ended_at, now));
                }
            }
            if self.tally.rejected() > REJECTS_MAX {
                bail!("the engine refuses too much: {:?}", self.tally.rejects);
            }
            if now >= next_tick {
                next_tick = now + nanos(plan.tick);
                is_sending &= told(&self.tick(now, &mut told_at));
            }
            self.inbox.wait(plan.pacing.nap(now, self.tally.sent), self.slots.len());
        }
    }

    fn now(&self) -> u64 {
        nanos(self.epoch.elapsed())
    }

    /// Reads everything that has arrived. Notices are taken first, so that almost always their acknowledgements,
    /// which were sent earlier, have been read when they are looked at.
    fn listen(&mut self, now: u64) -> Result<()> {
        let early = std::mem::take(&mut self.early);
        let mut notices = Vec::new();
        while let Some(batch) = self.inbox.notices()? {
            notices.push(batch);
        }
        while let Some(answers) = self.inbox.answers() {
            for answer in answers {
                self.answer(answer, now);
            }
        }
        for order in early {
            self.frozen(order);
        }
        for notice in notices.iter().flat_map(|batch| batch.iter()) {
            match notice.kind {
                EventKind::Frozen => self.frozen(notice.order),
                EventKind::Failed | EventKind::Closed | EventKind::Refunded => self.ended(notice.order),
                _ => {}
            }
        }
        Ok(())
    }

    fn answer(&mut self, answer: Answer, now: u64) {
        let ticket = answer.ticket;
        let step = if is_release(ticket) { Step::Release } else { Step::Create };
        let Some(slot) = self.slots.awaited(ticket, step) else {
            self.tally.strange(|| format!("an answer that nobody awaits: {:?}", answer.result));
            return;
        };
        let slot = *slot;
        let summary = match answer.result {
            Ok(Reply::Order(summary)) => summary,
            Ok(Reply::Life(_)) => {
                self.tally.strange(|| "a life, although nobody asked for one".to_owned());
                return;
            }
            Err(reject) if reject.code == RejectCode::Busy => {
                self.tally.busy += 1;
                self.retries.push_back((now + BUSY_PAUSE_NS, ticket));
                return;
            }
            Err(reject) => {
                self.tally.reject(reject.code);
                self.tally.strange(|| format!("{step:?}: {reject}"));
                self.slots.close(ticket);
                return;
            }
        };
        if summary.repeat {
            self.tally.strange(|| format!("a repeat, although nothing was asked twice: {summary:?}"));
        }
        let is_measured = self.window.0 <= now && now < self.window.1;
        let took = now.saturating_sub(slot.start_ns);
        if step == Step::Create {
            self.tally.acknowledged += 1;
            if is_measured {
                self.tally.create_ack.record_ns(took);
            }
            self.slots.created(ticket, summary.id);
            return;
        }
        if summary.status != OrderStatus::Settled || summary.id != slot.order {
            self.tally.strange(|| format!("released {} and is now {summary:?}", slot.order));
        }
        self.tally.finish(slot.order, slot.count, self.workload.template_of(slot.count));
        self.recent.record_ns(took);
        if is_measured {
            self.tally.order.record_ns(took);
            let second = usize::try_from((now - self.window.0) / 1_000_000_000).unwrap_or(0);
            if self.tally.by_second.len() <= second {
                self.tally.by_second.resize(second + 1, 0);
            }
            self.tally.by_second[second] += 1;
        }
        self.last = slot.order;
        self.slots.close(ticket);
    }

    fn frozen(&mut self, order: OrderId) {
        match self.slots.frozen(order) {
            Some(ticket) => self.push(ticket, release(order)),
            None => self.early.push(order),
        }
    }

    fn ended(&mut self, order: OrderId) {
        if self.slots.lost(order) {
            self.tally.lost += 1;
            self.tally.strange(|| format!("order {order} ended without being paid"));
        }
    }

    /// Sends again what was refused as busy; its latency still counts from the first time.
    fn retry(&mut self, now: u64) {
        while let Some((_, ticket)) = self.retries.pop_front_if(|(due, _)| *due <= now) {
            let step = if is_release(ticket) { Step::Release } else { Step::Create };
            let Some(slot) = self.slots.awaited(ticket, step).copied() else { continue };
            let command = match step {
                Step::Release => release(slot.order),
                Step::Create | Step::Freeze | Step::Free => Command::Create(self.workload.terms(slot.count)),
            };
            self.push(ticket, command);
        }
    }

    fn send(&mut self, plan: &Plan, now: u64) {
        let left = plan.orders_max - self.tally.sent;
        let due = plan.pacing.due(now, self.tally.sent, self.slots.len()).min(left);
        for _ in 0..due {
            let count = self.tally.sent;
            let ticket = self.slots.open(count, plan.pacing.start_ns(now, count));
            self.tally.sent += 1;
            self.push(ticket, Command::Create(self.workload.terms(count)));
        }
    }

    fn push(&mut self, ticket: Ticket, command: Command) {
        self.outbox.push(Request { ticket, command });
        if self.outbox.len() == BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.outbox.is_empty() {
            let batch = std::mem::replace(&mut self.outbox, Vec::with_capacity(BATCH));
            self.batches += 1;
            self.target.submit(batch, &self.inbox.sink);
        }
    }

    fn tick(&mut self, now: u64, told_at: &mut (u64, u64)) -> Tick {
        let seconds = Duration::from_nanos(now - told_at.0).as_secs_f64();
        let per_second = (self.tally.finished - told_at.1) as f64 / seconds;
        *told_at = (now, self.tally.finished);
        let latency = self.recent.percentiles();
        self.recent.clear();
        Tick {
            elapsed: Duration::from_nanos(now),
            measuring: self.window.0 <= now && now < self.window.1,
            finished: self.tally.finished,
            per_second,
            latency,
            under_way: self.slots.len(),
            last: self.last,
        }
    }

    fn outcome(self, ended_at: u64, now: u64) -> Outcome {
        let end = ended_at.min(self.window.1);
        Outcome {
            orders: self.tally.order.count(),
            window: Duration::from_nanos(end.saturating_sub(self.window.0)),
            drain: Duration::from_nanos(now - ended_at),
            unfinished: self.slots.len(),
            batches: self.batches,
            tally: self.tally,
        }
    }
}

fn release(order: OrderId) -> Command {
    Command::Order {
        platform: Some(PLATFORM),
        order: OrderRef::Id(order),
        command: OrderCommand::Release {
            release_no: SmolStr::default(),
            sub_order: None,
            amount: None,
            payees: Vec::new(),
        },
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
