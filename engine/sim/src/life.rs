//! One life: the engine, its disks, its channels and its mall under one clock and one source of chance. First everything
//! goes wrong that the seed says (safety), then nothing does any more and everything must end (liveness).

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use suanpan_channels::Simulator;
use suanpan_core::invariants::Invariant;
use suanpan_model::policy::LatePayment;
use suanpan_model::{AccountId, Amount, AnnouncementId, AttemptNo, Lsn, Order, OrderId, TimestampMs};
use suanpan_runtime::clock::{Clock, ManualClock};
use suanpan_runtime::journal::FaultyStorage;
use suanpan_runtime::log_writer::LogMessage;
use suanpan_runtime::retention::Expiry;
use suanpan_runtime::store::MemoryTables;

use crate::dice::Dice;
use crate::mall::{Cast, Mall};
use crate::oracle::coverage::Coverage;
use crate::plan::{PLATFORM, Plan, Sabotage};
use crate::process::{Actor, Ground, Message, Process};
use crate::tap;

mod agenda;
mod channels;
mod ending;
mod faults;
mod requests;
mod running;
mod sabotage;
mod settling;

use agenda::{Due, Item};
use channels::{Fates, Wire};
use requests::Counter;

/// When all lives begin: a day in 2026.
const BEGINNING_MS: u64 = 1_795_327_536_000;

/// How long after the faults everything must have ended.
const HEALED_WITHIN_MS: u64 = 12 * 3_600_000;

/// Steps after which a life is called endless.
const STEPS_MAX: u64 = 3_000_000;

/// How long what the mall is told is kept, where it is not kept for good.
const EVENTS_KEPT_MS: u64 = 10_000;
/// Nobody is still to be told.
const PAST_ALL: AnnouncementId = AnnouncementId { lsn: Lsn(u64::MAX), place: u8::MAX };

/// What became of a life.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Breaks of invariants; empty when all is well.
    pub breaks: Vec<String>,
    /// Where it came by.
    pub coverage: Coverage,
    /// How many steps it had.
    pub steps: u64,
    /// How long it was, in simulated milliseconds.
    pub millis: u64,
    /// How many orders were recorded.
    pub orders: u64,
    /// Records in its log.
    pub records: u64,
    /// Equal for equal lives.
    pub hash: u64,
    /// What happened, when that was asked for.
    pub story: Vec<String>,
    /// The whole log, when that was asked for.
    pub log: Vec<crate::tap::Written>,
    /// The orders at the end, when that was asked for.
    pub lives: Vec<Arc<Order>>,
    /// The disks at the end, when that was asked for: the journal's and the store's.
    pub disks: Option<(FaultyStorage, MemoryTables)>,
}

struct Life {
    plan: Plan,
    dice: Dice,
    now: u64,
    clock: Arc<ManualClock>,
    agenda: BinaryHeap<Reverse<Due>>,
    numbers: u64,
    ground: Ground,
    channels: Vec<Simulator>,
    advance_at: Vec<u64>,
    wire: Arc<Wire>,
    mall: Mall,
    cast: Cast,
    answers: Arc<Counter>,
    process: Option<Process>,
    /// Counts starts; what belongs to an earlier process is forgotten.
    born: u64,
    scheduled: BTreeSet<Actor>,
    feed_due: bool,
    /// Requests let in and answers given, since the last start.
    admitted: u64,
    answered: u64,
    healed: bool,
    placed_at: TimestampMs,
    /// What receivers spent, by number.
    spendings: Vec<(AccountId, Amount)>,
    /// What channels do with refunds beyond their own books.
    fates: Fates,
    /// When the last of the banks has told what came back.
    told_by: u64,
    /// Refunds that the operator sent to their channel once more.
    resent: BTreeSet<(OrderId, u8)>,
    /// Payments of which a running engine was told and did not forget by a crash.
    heard: BTreeSet<(OrderId, AttemptNo)>,
    report: Report,
    tells: bool,
    /// The planted bug, once all accounts are open.
    planted: Option<Sabotage>,
}

/// Lives the life of a seed.
#[must_use]
pub fn live(seed: u64, tells: bool) -> Report {
    live_plan(Plan::of(seed), tells)
}

/// Lives a life as planned.
#[must_use]
pub fn live_plan(mut plan: Plan, tells: bool) -> Report {
    if plan.sabotage == Some(Sabotage::KeepsLatePayments) {
        plan.policy.agreement.late_payment = LatePayment::Park;
    }
    let mut life = Life::new(plan, tells);
    let outcome = catch_unwind(AssertUnwindSafe(|| life.run()));
    if let Err(panic) = outcome {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let what = text.unwrap_or_else(|| "a panic without words".to_owned());
        life.report.breaks.push(Invariant::NoPanic.broken(what));
    }
    let tap = tap::lock(&life.ground.tap);
    life.report.hash = tap.hash ^ life.report.steps.rotate_left(32) ^ life.now;
    life.report.records = tap.ledger.records;
    life.report.orders = tap.ledger.orders.len() as u64;
    life.report.millis = life.now - BEGINNING_MS;
    if tells {
        life.report.log.clone_from(&tap.acknowledged);
    }
    drop(tap);
    std::mem::take(&mut life.report)
}

impl Life {
    fn new(plan: Plan, tells: bool) -> Self {
        let mut dice = Dice::new(plan.seed.rotate_left(17) ^ 0xd1ce);
        let clock = Arc::new(ManualClock::default());
        clock.set(TimestampMs(BEGINNING_MS));
        let channels: Vec<Simulator> =
            plan.channels.iter().map(|one| Simulator::new(one.clone(), plan.seed)).collect();
        let ground = Ground::of(&plan, Arc::clone(&clock) as Arc<dyn Clock>, dice.bits());
        Self {
            advance_at: vec![u64::MAX; channels.len()],
            dice,
            now: BEGINNING_MS,
            clock,
            agenda: BinaryHeap::new(),
            numbers: 0,
            ground,
            channels,
            wire: Arc::new(Wire::default()),
            mall: Mall::default(),
            cast: Cast::default(),
            answers: Arc::new(Counter::default()),
            process: None,
            born: 0,
            scheduled: BTreeSet::new(),
            feed_due: false,
            admitted: 0,
            answered: 0,
            healed: false,
            placed_at: TimestampMs(0),
            spendings: Vec::new(),
            fates: Fates::default(),
            told_by: 0,
            resent: BTreeSet::new(),
            heard: BTreeSet::new(),
            report: Report { seed: plan.seed, ..Report::default() },
            tells,
            planted: None,
            plan,
        }
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.tells {
            let line = format!("{:>10} {}", self.now - BEGINNING_MS, what());
            self.report.story.push(line);
        }
    }

    fn at(&mut self, at: u64, item: Item) {
        self.numbers += 1;
        let lot = self.dice.bits();
        self.agenda.push(Reverse(Due { at, lot, no: self.numbers, born: self.born, item }));
    }

    fn after(&mut self, wait: u64, item: Item) {
        self.at(self.now + wait, item);
    }

    fn is_over(&self) -> bool {
        !self.report.breaks.is_empty()
    }

    fn run(&mut self) {
        self.start();
        self.settle_in();
        if self.is_over() {
            return;
        }
        self.plant();
        self.arrange_faults();
        let safety_ends = self.now + self.plan.safety_ms;
        for _ in 0..self.plan.orders {
            let at = self.now + self.dice.below(self.plan.safety_ms);
            self.at(at, Item::Place);
        }
        for _ in 0..self.plan.acts {
            let at = self.now + self.dice.below(self.plan.safety_ms);
            self.at(at, Item::Act);
        }
        self.at(safety_ends, Item::Heal);
        self.run_until(u64::MAX, |life| life.healed);
        if self.is_over() {
            return;
        }
        let limit = self.now + HEALED_WITHIN_MS;
        // Looking whether all is over costs; it is done now and then.
        let mut look_at = self.now;
        self.run_until(limit, |life| {
            if life.now < look_at {
                return false;
            }
            look_at = life.now + 10_000;
            life.has_ended()
        });
        if !self.is_over() {
            self.check_the_end();
        }
    }

    /// Takes what is due until `until`, or until `enough`.
    fn run_until(&mut self, until: u64, mut enough: impl FnMut(&mut Self) -> bool) {
        while !self.is_over() && !enough(self) {
            let Some(Reverse(due)) = self.agenda.pop() else {
                let what = "nothing is due and not everything has ended";
                self.report.breaks.push(Invariant::EverythingEnds.broken(what));
                return;
            };
            if due.at > until {
                self.agenda.push(Reverse(due));
                return;
            }
            if due.item.is_inside() && due.born != self.born {
                continue;
            }
            self.report.steps += 1;
            if self.report.steps > STEPS_MAX {
                let what = format!("the life does not end: {STEPS_MAX} steps");
                self.report.breaks.push(Invariant::EverythingEnds.broken(what));
                return;
            }
            self.now = self.now.max(due.at);
            self.clock.set(TimestampMs(self.now));
            self.take(due.item);
            self.look_after();
        }
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Step(actor) => self.step(actor),
            Item::Tick(shard, waited) => self.tick(shard, waited),
            Item::HandOver(shard, waited) => {
                if let Some(process) = &mut self.process {
                    process.hand_over(shard);
                    let wait = (waited * 2).min(60_000);
                    self.after(wait, Item::HandOver(shard, wait));
                }
            }
            Item::Feed => {
                self.feed_due = false;
                if let Some(process) = &mut self.process {
                    process.feed();
                    // In half of the lives, so that the other half compares everything that was ever told.
                    if self.plan.seed.is_multiple_of(2) {
                        let before = TimestampMs(self.now.saturating_sub(EVENTS_KEPT_MS));
                        process.expire(Expiry { platform: PLATFORM, before, needed_from: PAST_ALL });
                    }
                    if process.keeper_refused {
                        self.after(250, Item::Retry(Actor::Keeper));
                    }
                }
            }
            Item::Retry(actor) => self.wake(actor),
            Item::Call(call) => self.call(call),
            Item::Advance(channel) => {
                if self.advance_at[channel] <= self.now {
                    self.advance_at[channel] = u64::MAX;
                    self.advance(channel);
                }
            }
            Item::Report(report) => self.report_arrives(report),
            Item::Place => self.place(),
            Item::Act => self.act(),
            Item::Request(ticket) => self.request_arrives(ticket),
            Item::TopUp(number) => self.top_up(number),
            Item::Spend(number) => self.spend(number),
            Item::Issue(number) => self.issue(number),
            Item::Checkpoint => {
                if let Some(process) = &mut self.process {
                    process.deliver(Actor::Log, None, Message::Log(LogMessage::Checkpoint));
                    self.wake(Actor::Log);
                }
                if !self.healed {
                    let wait = self.dice.between(1, self.plan.safety_ms);
                    self.after(wait, Item::Checkpoint);
                }
            }
            Item::Crash => self.crash_comes(),
            Item::Start => self.start(),
            Item::Refuse => self.refuse(),
            Item::Accept => self.accept(),
            Item::Heal => self.heal(),
        }
    }
}
