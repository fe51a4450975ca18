//! The driver: one thread that submits orders, goes on with what is frozen, and measures.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use anyhow::{Result, bail};
use suanpan_model::event::EventKind;
use suanpan_model::{OrderId, RejectCode, Ticket};
use suanpan_runtime::{Answer, Command, Reply, Request};

use crate::clock::Clock;
use crate::latency::Latencies;
use crate::operation::Operation;
use crate::target::Target;
use crate::workload::Workload;

mod inbox;
mod orders;
mod pacing;
mod plan;
mod slots;
mod tally;
#[cfg(test)]
pub(crate) mod tests;

pub use inbox::Inbox;
pub use pacing::Pacing;
pub use plan::{Outcome, Plan, Tick};
pub use tally::{Finished, SAMPLES, Tally};

use slots::{Slots, Step, action_of};

/// Largest batch that is submitted at once.
const BATCH: usize = 512;
/// After so many refusals a run is given up.
const REJECTS_MAX: u64 = 10_000;
/// With so many orders under way, the driver looks now and then instead of being woken.
const WOKEN_BELOW: usize = 256;

/// How long the driver waits before it repeats what was refused as busy; twice as long after each further refusal, up to a
/// second, which is what the API asks malls to wait.
const BUSY_PAUSE_NS: u64 = 20_000_000;
const BUSY_PAUSE_MAX_NS: u64 = 1_000_000_000;

/// Plays `workload` against `target` as `plan` says; `told` hears how it stands. A false answer ends the sending.
///
/// # Errors
/// When the target cuts the driver off, or refuses so much that the run is pointless.
pub fn drive(
    target: &impl Target,
    workload: &Workload,
    plan: &Plan,
    clock: &impl Clock,
    told: &mut dyn FnMut(&Tick) -> bool,
) -> Result<Outcome> {
    let tally = Tally::new(workload.templates().len())?;
    let driver = Driver {
        target,
        workload,
        clock,
        inbox: Inbox::new(target),
        slots: Slots::default(),
        tally,
        outbox: Vec::with_capacity(BATCH),
        batches: 0,
        retries: BinaryHeap::new(),
        early: Vec::new(),
        recent: Latencies::new()?,
        last: OrderId(0),
        orders: 0,
        accepted_ns: 0,
        window: (nanos(plan.warmup), nanos(plan.warmup).saturating_add(nanos(plan.window))),
        rides_out: plan.rides_out,
    };
    driver.run(plan, told)
}

struct Driver<'a, T: Target, C: Clock> {
    target: &'a T,
    workload: &'a Workload,
    clock: &'a C,
    inbox: Inbox,
    slots: Slots,
    tally: Tally,
    outbox: Vec<Request>,
    batches: u64,
    /// What was refused as busy, and when it is tried again.
    retries: BinaryHeap<Reverse<(u64, u64)>>,
    /// Orders whose notice came before their acknowledgement was read.
    early: Vec<(OrderId, EventKind)>,
    recent: Latencies,
    last: OrderId,
    /// Orders finished inside the window.
    orders: u64,
    /// When the last creation was acknowledged.
    accepted_ns: u64,
    /// Begin and end of the measured window.
    window: (u64, u64),
    rides_out: bool,
}

impl<T: Target, C: Clock> Driver<'_, T, C> {
    fn run(mut self, plan: &Plan, told: &mut dyn FnMut(&Tick) -> bool) -> Result<Outcome> {
        let mut next_tick = nanos(plan.tick);
        let mut told_at = (0, 0);
        let mut is_sending = true;
        let mut ended_at = None;
        loop {
            let now = self.clock.now_ns();
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
                bail!("the target refuses too much: {:?}", self.tally.rejects);
            }
            if now >= next_tick {
                next_tick = now + nanos(plan.tick);
                is_sending &= told(&self.tick(now, &mut told_at));
            }
            let nap = if is_sending { plan.pacing.nap(now, self.tally.sent) } else { pacing::NAP_MAX };
            let is_busy = self.slots.len() >= WOKEN_BELOW || plan.pacing.is_dense();
            self.clock.wait(&self.inbox, nap, is_busy);
        }
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
        for (order, kind) in early {
            self.notice(order, kind, now);
        }
        for notice in notices.iter().flat_map(|batch| batch.iter()) {
            self.notice(notice.order, notice.kind, now);
        }
        Ok(())
    }

    fn notice(&mut self, order: OrderId, kind: EventKind, now: u64) {
        match kind {
            EventKind::Frozen => match self.slots.of(order).copied() {
                Some(slot) if slot.step == Step::Freeze => {
                    if self.is_measured(slot.start_ns) {
                        self.tally.took(Operation::Pay, now.saturating_sub(slot.start_ns));
                    }
                    self.go_on(&slot, 1, now);
                }
                Some(_) => {}
                None => self.early.push((order, kind)),
            },
            EventKind::Failed | EventKind::Closed => match self.slots.of(order) {
                Some(_) => self.unpaid(order),
                None => self.early.push((order, kind)),
            },
            EventKind::RefundSucceeded => match self.slots.of(order) {
                Some(slot) if matches!(slot.step, Step::Refund(_)) => {
                    let slot = *slot;
                    self.refunded(&slot, now);
                }
                Some(slot) if matches!(slot.step, Step::Act(_)) => slot.refunded = true,
                Some(_) | None => {}
            },
            EventKind::RefundFailed if self.slots.close(order) => {
                self.tally.strange(|| format!("a refund of order {order} was refused by its channel"));
            }
            _ => {}
        }
    }

    fn answer(&mut self, answer: Answer, now: u64) {
        let ticket = answer.ticket;
        let Some(slot) = self.slots.awaited(ticket).copied() else {
            self.tally.strange(|| format!("an answer that nobody awaits: {:?}", answer.result));
            return;
        };
        match answer.result {
            Ok(Reply::Order(summary)) if action_of(ticket) == 0 => self.created(ticket, &slot, &summary, now),
            Ok(Reply::Order(summary)) => self.acted(ticket, &slot, &summary, now),
            Ok(Reply::Life(_)) => {
                self.tally.strange(|| "a life, although nobody asked for one".to_owned());
            }
            Err(reject) if self.is_for_now(reject.code) => {
                self.tally.busy += 1;
                if self.is_measured(slot.start_ns) {
                    self.tally.took(Operation::Refuse, now.saturating_sub(slot.handed_ns));
                }
                let pause = BUSY_PAUSE_NS << self.slots.was_refused(ticket).min(6);
                self.retries.push(Reverse((now + pause.min(BUSY_PAUSE_MAX_NS), ticket.0)));
            }
            Err(reject) => {
                if action_of(ticket) == 0 && self.workload.expects(reject.code) {
                    self.tally.planned_reject(reject.code);
                    if self.is_measured(slot.start_ns) {
                        self.tally.took(Operation::Submit, now.saturating_sub(slot.start_ns));
                    }
                } else {
                    self.tally.reject(reject.code);
                    self.tally.strange(|| format!("{:?}: {reject}", slot.step));
                }
                self.slots.refused(ticket);
            }
        }
    }

    /// Whether a refusal says nothing about the request itself.
    const fn is_for_now(&self, code: RejectCode) -> bool {
        matches!(code, RejectCode::Busy) || (self.rides_out && matches!(code, RejectCode::Unavailable))
    }

    /// Whether an order that was planned for `start_ns` counts. What is planned inside the window counts whenever it
    /// ends: a stall at the end of the window is not left out.
    const fn is_measured(&self, start_ns: u64) -> bool {
        self.window.0 <= start_ns && start_ns < self.window.1
    }

    /// Sends again what was refused as busy; its latency still counts from the first time.
    fn retry(&mut self, now: u64) {
        while self.retries.peek().is_some_and(|Reverse((due, _))| *due <= now) {
            let Some(Reverse((_, ticket))) = self.retries.pop() else { return };
            let ticket = Ticket(ticket);
            let Some(slot) = self.slots.awaited(ticket).copied() else { continue };
            let action = self.workload.course_of(slot.count).action(action_of(ticket));
            let command = match action {
                Some(action) => self.workload.command(slot.order, action),
                None => Command::Create(self.workload.terms(slot.count)),
            };
            self.push(ticket, command, now);
        }
    }

    fn send(&mut self, plan: &Plan, now: u64) {
        let left = plan.orders_max - self.tally.sent;
        let due = plan.pacing.due(now, self.tally.sent, self.slots.len()).min(left);
        for _ in 0..due {
            let count = self.tally.sent;
            let ticket = self.slots.open(count, plan.pacing.start_ns(now, count));
            self.tally.sent += 1;
            self.push(ticket, Command::Create(self.workload.terms(count)), now);
        }
    }

    fn push(&mut self, ticket: Ticket, command: Command, now: u64) {
        self.slots.handed(ticket, now);
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
            orders: self.orders,
            window: Duration::from_nanos(end.saturating_sub(self.window.0)),
            acceptance: Duration::from_nanos(self.accepted_ns),
            drain: Duration::from_nanos(now - ended_at),
            unfinished: self.slots.len(),
            unpaid_left: self.slots.awaiting_payment(),
            batches: self.batches,
            tally: self.tally,
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
