//! One life: the engine, its disks, its channels and its mall under one clock and one source of chance. First everything
//! goes wrong that the seed says (safety), then nothing does any more and everything must end (liveness).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use suanpan_channels::{Adapter, ReportSink, Simulator};
use suanpan_core::invariants::Invariant;
use suanpan_core::ledger::Instruction;
use suanpan_core::ledger::LedgerCommand;
use suanpan_core::order::Directory;
use suanpan_model::command::OrderRef;
use suanpan_model::policy::LatePayment;
use suanpan_model::refund::{FinishWay, RefundState};
use suanpan_model::{
    AccountId, AccountType, Amount, AttemptNo, CauseId, ChannelOp, ChannelReport, ChannelRequest, Currency,
    Entry, EntryCode, FailureKind, Lsn, Order, OrderId, OrderStatus, Outcome, Posting, ReportSource, Ticket,
    TimestampMs,
};
use suanpan_runtime::admission;
use suanpan_runtime::api::{Answer, AnswerSink, Command, FUNDING, Reply, Request};
use suanpan_runtime::clock::{Clock, ManualClock};
use suanpan_runtime::journal::{Fault, FaultyStorage, Operation};
use suanpan_runtime::log_writer::LogMessage;
use suanpan_runtime::messages::{AccountCommand, Instructions, KeeperMessage, Source, TimedInstruction};
use suanpan_runtime::store::MemoryTables;

use crate::dice::Dice;
use crate::mall::{
    Asked, COUNTED, CUSTOMERS, Cast, ISSUED, Intent, Mall, campaigns, draw_terms, finish_way, refund,
};
use crate::oracle::coverage::Coverage;
use crate::oracle::{announcements, answers, books, final_state};
use crate::plan::{PLATFORM, Plan, Sabotage};
use crate::process::{Actor, Ground, Message, NoStart, Process, Sender};
use crate::tap;

/// When all lives begin: a day in 2026.
const BEGINNING_MS: u64 = 1_795_327_536_000;

/// How long after the faults everything must have ended.
const HEALED_WITHIN_MS: u64 = 12 * 3_600_000;

/// Steps after which a life is called endless.
const STEPS_MAX: u64 = 3_000_000;

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

/// What happens at an instant.
enum Item {
    /// An actor takes messages.
    Step(Actor),
    /// A shard looks at its timers; how long it waited since the last time.
    Tick(usize, u64),
    /// A shard of accounts hands its lines over.
    HandOver(usize, u64),
    /// The keeper has waited for more.
    Feed,
    /// A disk that refused is tried again.
    Retry(Actor),
    /// A call arrives at a channel.
    Call(ChannelRequest),
    /// A channel does what is due.
    Advance(usize),
    /// A report arrives at the engine.
    Report(ChannelReport),
    /// The mall places its next order.
    Place,
    /// The mall does something.
    Act,
    /// A request of the mall arrives.
    Request(u64),
    /// A top-up arrives.
    TopUp(usize),
    /// Money of a receiver leaves, under a number.
    Spend(usize),
    /// Coupons are issued, under a number.
    Issue(usize),
    /// A checkpoint is wanted.
    Checkpoint,
    /// The process dies.
    Crash,
    /// It is started again.
    Start,
    /// A disk begins to refuse.
    Refuse,
    /// It works again.
    Accept,
    /// The faults end.
    Heal,
}

impl Item {
    /// Whether it belongs to the process that runs, and is forgotten when that dies.
    const fn is_inside(&self) -> bool {
        matches!(self, Self::Step(_) | Self::Tick(..) | Self::HandOver(..) | Self::Feed | Self::Retry(_))
    }
}

struct Due {
    at: u64,
    /// Decides between items of one instant.
    lot: u64,
    no: u64,
    /// The process that it belongs to.
    born: u64,
    item: Item,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.no == other.no
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.lot, self.no).cmp(&(other.at, other.lot, other.no))
    }
}

/// What becomes of refunds that their channel's own book knows nothing of.
#[derive(Default)]
struct Fates {
    /// Refunds whose first call arrived, and whether the channel cannot finish them.
    abnormal: BTreeMap<books::RefundKey, bool>,
    /// Refunds that were made: whether the money comes back, and when.
    bounces: BTreeMap<books::RefundKey, Option<Bounce>>,
}

/// A refund that comes back.
#[derive(Clone)]
struct Bounce {
    at: u64,
    report: ChannelReport,
}

/// Gathers answers that the engine lets go.
#[derive(Default)]
struct Counter(Mutex<Vec<Answer>>);

impl AnswerSink for Counter {
    fn deliver(&self, answers: Vec<Answer>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(answers);
    }
}

/// Gathers reports that channels let go.
#[derive(Default)]
struct Wire(Mutex<Vec<ChannelReport>>);

impl ReportSink for Wire {
    fn deliver(&self, reports: Vec<ChannelReport>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(reports);
    }
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

    /// Accounts and money, before any fault.
    fn settle_in(&mut self) {
        let names = [
            (AccountType::Settlement, "m1"),
            (AccountType::Settlement, "m2"),
            (AccountType::Settlement, "m3"),
            (AccountType::Commission, "a1"),
            (AccountType::Commission, "a2"),
            (AccountType::Cash, "b1"),
            (AccountType::Cash, "b2"),
            (AccountType::Cash, "b3"),
            (AccountType::Marketing, "k1"),
        ];
        let mut ids = Vec::new();
        for (place, (kind, name)) in names.into_iter().enumerate() {
            // The second merchant stands below the first: roll-ups are part of every life.
            let parent = (place == 1).then(|| ids[0]);
            let Some(process) = &mut self.process else { return };
            let key = (PLATFORM, kind, name.into());
            let account = process.shared.registry.number_for(&key, parent.map(AccountId::bucket));
            ids.push(account);
            let command = LedgerCommand::Open {
                account,
                platform: PLATFORM,
                reference: name.into(),
                currency: Currency::Cny,
                parent,
                credit_limit: Amount::ZERO,
            };
            let to = Actor::Balances(account.shard(self.plan.shards));
            let command = AccountCommand::Ledger(command);
            process.deliver(to, None, Message::Commands(vec![(command, Box::new(|_| {}))]));
            self.wake(to);
            self.run_until(self.now + 120_000, Self::is_quiet);
        }
        self.cast = Cast {
            merchants: ids[..3].to_vec(),
            agents: ids[3..5].to_vec(),
            buyers: ids[5..8].to_vec(),
            marketing: ids[8],
            campaigns: Vec::new(),
        };
        let until = self.now + self.plan.coupons_valid_ms;
        self.cast.campaigns = campaigns(&self.cast, TimestampMs(until));
        for campaign in self.cast.campaigns.clone() {
            let Some(process) = &mut self.process else { return };
            let key = (PLATFORM, AccountType::CouponStock, campaign.id.to_string().into());
            let bucket = u8::try_from(campaign.id.0).unwrap_or_default();
            let stock = process.shared.registry.number_for(&key, Some(bucket));
            let command = LedgerCommand::RecordCampaign { campaign: Arc::new(campaign), stock };
            self.command(stock, AccountCommand::Ledger(command));
        }
        for number in 0..5 {
            self.top_up(number);
        }
        self.run_until(self.now + 120_000, Self::is_quiet);
        let opened = tap::lock(&self.ground.tap).ledger.opened.len();
        // Every campaign has an account of its stock.
        let expected = names.len() + self.cast.campaigns.len();
        if opened != expected {
            let what = format!("{opened} of {expected} accounts were opened in peace");
            self.report.breaks.push(Invariant::EverythingEnds.broken(what));
        }
    }

    /// Money from outside; a repeat of the number must change nothing.
    fn top_up(&mut self, number: usize) {
        let account = match number % 5 {
            3 => AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, 0),
            4 => self.cast.marketing,
            place => self.cast.buyers[place],
        };
        let reference = format!("T-{number}");
        let clearing =
            AccountId::internal(AccountType::ChannelClearing, u32::from(FUNDING.0), Currency::Cny, 0);
        let stripes = if account.kind().is_internal() { suanpan_model::ids::STRIPES } else { 1 };
        let share = if account.kind().is_internal() { 1_500 } else { 40_000 };
        let amount = Amount::from_minor(share * u64::from(stripes));
        let cause = CauseId(0xffff_0000 + number as u64);
        let mut entry =
            Entry::new(EntryCode::TopUp, Currency::Cny, cause).with(Posting::debit(clearing, amount));
        for stripe in 0..stripes {
            let to = if account.kind().is_internal() { account.on_stripe(stripe) } else { account };
            entry.push(Posting::credit(to, Amount::from_minor(share)));
        }
        let command = LedgerCommand::Post { entry, reference: reference.into() };
        self.command(clearing, AccountCommand::Ledger(command));
    }

    fn command(&mut self, account: AccountId, command: AccountCommand) {
        let Some(process) = &mut self.process else { return };
        let to = Actor::Balances(account.shard(self.plan.shards));
        process.deliver(to, None, Message::Commands(vec![(command, Box::new(|_| {}))]));
        self.wake(to);
    }

    /// A receiver spends what it has, or half of it, so that it is short when an order is undone; a repeat of the number
    /// must change nothing.
    fn spend(&mut self, number: usize) {
        let Some((account, amount)) = self.spendings.get(number).copied() else { return };
        let clearing =
            AccountId::internal(AccountType::ChannelClearing, u32::from(FUNDING.0), Currency::Cny, 0);
        let entry = Entry::new(EntryCode::Transfer, Currency::Cny, CauseId(0xfffe_0000 + number as u64))
            .with(Posting::debit(account, amount))
            .with(Posting::credit(clearing, amount));
        let command = LedgerCommand::Post { entry, reference: format!("W-{number}").into() };
        self.command(account, AccountCommand::Ledger(command));
    }

    fn plan_to_spend(&mut self) {
        let Some(process) = &self.process else { return };
        let receivers: Vec<AccountId> =
            self.cast.merchants.iter().chain(&self.cast.agents).copied().collect();
        let account = self.dice.pick(&receivers);
        let balance = process.balances[account.shard(self.plan.shards)].balance(account);
        let available = balance.and_then(|balance| u64::try_from(balance.available).ok()).unwrap_or_default();
        let minor = if self.dice.below(3) == 0 { available / 2 } else { available };
        if minor == 0 {
            return;
        }
        self.report.coverage.fault("receiver spends what it got");
        self.spendings.push((account, Amount::from_minor(minor)));
        let number = self.spendings.len() - 1;
        for _ in 0..self.dice.between(1, 2) {
            let wait = self.dice.wait(self.plan.network.usual_ms);
            self.after(wait, Item::Spend(number));
        }
    }

    /// Coupons for a customer; a repeat of the number must change nothing.
    fn issue(&mut self, number: usize) {
        let Some(process) = &self.process else { return };
        let campaign = if number % 3 == 2 { COUNTED } else { ISSUED };
        let registry = &process.shared.registry;
        let known = registry.campaign(campaign).zip(registry.stock_of(campaign));
        let Some((campaign, stock)) = known.filter(|(known, _)| self.now < known.valid_until.0) else {
            return;
        };
        let command = AccountCommand::IssueCoupons {
            campaign,
            stock,
            customer: CUSTOMERS[number % CUSTOMERS.len()].into(),
            count: 1 + u32::from(number % 4 == 3),
            cause: CauseId(0xfffd_0000 + number as u64),
            reference: format!("C-{number}").into(),
        };
        self.command(stock, command);
    }

    fn plant(&mut self) {
        self.planted = self.plan.sabotage;
        let mut tap = tap::lock(&self.ground.tap);
        tap.counts_twice = self.planted == Some(Sabotage::CountsTwice);
        tap.skips_positions = self.planted == Some(Sabotage::SkipsPositions);
        tap.forgets_failures = self.planted == Some(Sabotage::ForgetsFailures);
    }

    fn arrange_faults(&mut self) {
        let crashes = self.plan.crashes;
        if crashes.every_ms > 0 {
            let wait = self.dice.between(1, 2 * crashes.every_ms);
            self.after(wait, Item::Crash);
        }
        if self.plan.disks.refuses_every_ms > 0 {
            let wait = self.dice.between(1, 2 * self.plan.disks.refuses_every_ms);
            self.after(wait, Item::Refuse);
        }
        if self.dice.below(2) == 0 {
            self.after(self.plan.safety_ms / 3, Item::Checkpoint);
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

    // ---- the process

    fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        let cut_off = !self.healed && self.born > 0 && self.dice.happens(self.plan.crashes.in_recovery_ppm);
        if cut_off {
            self.cut_off_soon(20);
        }
        if !self.healed && self.born > 0 && self.dice.happens(self.plan.disks.unreadable_start_ppm) {
            self.report.coverage.fault("read fails at a start");
            if self.dice.below(2) == 0 {
                let nth = self.dice.between(1, 12);
                self.ground.disk.fail(Fault {
                    operation: Operation::Read,
                    nth,
                    kind: ErrorKind::Other,
                    short_bytes: 0,
                });
            } else {
                let reads = self.dice.below(30);
                self.ground.tables.fail_reads(reads, ErrorKind::Other);
            }
        }
        self.born += 1;
        self.scheduled.clear();
        self.feed_due = false;
        self.admitted = 0;
        self.answered = 0;
        let started = Process::start(&self.plan, &self.ground);
        match started {
            Ok(process) => {
                self.tell(|| "the engine starts".to_owned());
                self.process = Some(process);
            }
            Err(NoStart::Broken(breaks)) => self.report.breaks.extend(breaks),
            Err(NoStart::Disk(fault)) => {
                self.tell(|| format!("no start: {fault}"));
                let was_cut = self.is_dead();
                if was_cut {
                    self.report.coverage.fault("crash during recovery");
                    self.lose_power();
                } else if self.healed || !self.disks_are_at_fault() {
                    let what = format!("the engine does not start on whole disks: {fault}");
                    self.report.breaks.push(Invariant::EverythingEnds.broken(what));
                    return;
                }
                self.ground.disk.heal();
                self.ground.tables.heal();
                self.after(100, Item::Start);
                return;
            }
        }
        // Planned failures that did not happen are over.
        self.ground.disk.heal();
        self.ground.tables.heal();
        for shard in 0..self.plan.shards {
            self.after(self.plan.tick_ms, Item::Tick(shard, self.plan.tick_ms));
            self.after(1_000, Item::HandOver(shard, 1_000));
        }
        if self.born > 1 {
            self.check_promises();
        }
        for channel in 0..self.channels.len() {
            self.advance(channel);
        }
    }

    fn disks_are_at_fault(&self) -> bool {
        self.ground.disk.has_failed() || self.ground.tables.has_failed()
    }

    fn is_dead(&self) -> bool {
        self.ground.disk.is_cut_off() || self.ground.tables.is_cut_off()
    }

    /// The power goes between two of the next operations of the disks.
    fn cut_off_soon(&mut self, within: u64) {
        let operations = self.dice.below(within);
        if self.dice.below(2) == 0 {
            self.ground.disk.cut_off_after(operations);
        } else {
            self.ground.tables.cut_off_after(operations);
        }
    }

    fn crash_comes(&mut self) {
        if self.healed {
            return;
        }
        let crashes = self.plan.crashes;
        let wait = self.dice.between(1, 2 * crashes.every_ms);
        self.after(wait, Item::Crash);
        if self.process.is_none() {
            return;
        }
        if self.dice.happens(crashes.inside_ppm) {
            self.tell(|| "the power is about to go".to_owned());
            self.cut_off_soon(12);
            return;
        }
        if self.dice.happens(crashes.power_ppm) {
            self.report.coverage.fault("power cut");
            self.lose_power();
        } else {
            self.report.coverage.fault("kill");
            self.tell(|| "the process is killed".to_owned());
        }
        self.die();
    }

    fn lose_power(&mut self) {
        self.tell(|| "the power goes".to_owned());
        self.ground.disk.power_cut();
        if self.planted == Some(Sabotage::ForgetsSynced) {
            forget_the_end(&self.ground.disk);
        }
        let kept = self.dice.place(self.ground.tables.unsynced() + 1);
        self.ground.tables.power_cut(kept);
        self.ground.disk.heal();
        self.ground.tables.heal();
    }

    /// The process is gone, and what it had heard and not written.
    fn die(&mut self) {
        self.process = None;
        self.born += 1;
        self.answers.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let tap = tap::lock(&self.ground.tap);
        let known = |(order, attempt): &(OrderId, AttemptNo)| {
            tap.ledger.orders.get(order).is_some_and(|heard| heard.payments.contains(attempt))
        };
        self.heard.retain(known);
        drop(tap);
        let wait = self.dice.pick(&[1, 50, 2_000, 30_000]);
        self.after(wait, Item::Start);
    }

    fn wake(&mut self, actor: Actor) {
        if self.scheduled.insert(actor) {
            let stalls = !self.healed && self.dice.happens(self.plan.stall_ppm);
            let wait = if stalls {
                self.report.coverage.fault("actor stands still");
                self.dice.below(self.plan.stall_ms)
            } else {
                self.dice.below(self.plan.hop_ms + 1)
            };
            self.after(wait, Item::Step(actor));
        }
    }

    fn step(&mut self, actor: Actor) {
        self.scheduled.remove(&actor);
        let Some(process) = &mut self.process else { return };
        let most = self.dice.between(1, 6);
        for _ in 0..most {
            if !process.take_one(actor, &mut self.dice) {
                break;
            }
        }
        let refused = match actor {
            Actor::Log => process.log_refused,
            Actor::Keeper => process.keeper_refused,
            Actor::Orders(_) | Actor::Balances(_) => false,
        };
        if refused {
            self.after(250, Item::Retry(actor));
        } else if process.waiting(actor) > 0 {
            self.wake(actor);
        }
    }

    fn tick(&mut self, shard: usize, waited: u64) {
        let Some(process) = &mut self.process else { return };
        process.tick(shard);
        // A look at timers when nothing is under way mostly finds nothing: it may wait longer the next time.
        let longest = if self.healed { 5_000 } else { 2_000 };
        let wait = if process.is_quiet() { (waited * 2).min(longest) } else { self.plan.tick_ms };
        let wait = wait.max(self.plan.tick_ms);
        self.after(wait, Item::Tick(shard, wait));
    }

    /// After every step: what was sent is delivered, what was said is checked, and a disk that lost its power takes the
    /// process with it.
    fn look_after(&mut self) {
        if self.is_dead() {
            self.report.coverage.fault("power cut between two disk operations");
            self.lose_power();
            self.die();
            return;
        }
        let Some(process) = &mut self.process else { return };
        let post = process.take_post();
        let mut woken = Vec::with_capacity(post.messages.len());
        for (to, from, mut message) in post.messages {
            if let Some(sabotage) = self.planted {
                spoil(sabotage, process, (to, from), &mut message, &mut self.dice);
            }
            process.deliver(to, from, message);
            woken.push(to);
        }
        let gathers = process.has_gathered();
        woken.into_iter().for_each(|actor| self.wake(actor));
        if gathers && !self.feed_due {
            self.feed_due = true;
            let wait = self.dice.between(1, 4_000);
            self.after(wait, Item::Feed);
        }
        for call in post.calls {
            self.send_call(call);
        }
        let said = std::mem::take(&mut *self.answers.0.lock().unwrap_or_else(PoisonError::into_inner));
        for mut answer in said {
            if self.planted == Some(Sabotage::LosesAnswer) && self.dice.below(10) == 0 {
                continue;
            }
            if self.planted == Some(Sabotage::RefusesFalsely) {
                answer.result = Err(suanpan_runtime::shared::busy());
            }
            self.answered += 1;
            self.answer(&answer);
        }
        let mut tap = tap::lock(&self.ground.tap);
        self.report.breaks.append(&mut tap.breaks);
    }

    // ---- channels

    fn flight(&mut self) -> u64 {
        let network = self.plan.network;
        if !self.healed && self.dice.happens(network.slow_ppm) {
            self.report.coverage.fault("message to or from a channel is slow");
            return self.dice.below(network.slow_ms);
        }
        self.dice.below(network.usual_ms + 1)
    }

    fn send_call(&mut self, call: ChannelRequest) {
        let network = self.plan.network;
        if !self.healed && self.dice.happens(network.lost_ppm) {
            self.report.coverage.fault("call is lost");
            return;
        }
        if !self.healed && self.dice.happens(network.doubled_ppm) {
            self.report.coverage.fault("call arrives twice");
            let wait = self.flight();
            self.after(wait, Item::Call(call.clone()));
        }
        let wait = self.flight();
        self.after(wait, Item::Call(call));
    }

    fn sink(&self) -> Arc<dyn ReportSink> {
        Arc::clone(&self.wire) as Arc<dyn ReportSink>
    }

    fn call(&mut self, call: ChannelRequest) {
        let found = self.channels.iter().position(|channel| channel.capability().id == call.channel);
        let Some(channel) = found else { return };
        if self.planted == Some(Sabotage::InventsRefund)
            && let ChannelOp::Refund { refund } = call.op
        {
            let outcome =
                Outcome::Succeeded { channel_no: "never made".into(), amount: call.amount, fee: None };
            let source = ReportSource::Refund { refund };
            let ChannelRequest { channel, order, attempt, .. } = call;
            return self.after(1, Item::Report(ChannelReport { channel, order, attempt, source, outcome }));
        }
        if let Some(report) = self.fate_of(&call) {
            let wait = self.dice.wait(self.plan.network.usual_ms);
            return self.after(wait, Item::Report(report));
        }
        let sink = self.sink();
        self.channels[channel].perform(TimestampMs(self.now), vec![call], &sink);
        self.advance(channel);
    }

    /// What a channel says of a refund that it cannot finish, or that came back, instead of what its book says.
    fn fate_of(&mut self, call: &ChannelRequest) -> Option<ChannelReport> {
        let (ChannelOp::Refund { refund } | ChannelOp::QueryRefund { refund }) = call.op else { return None };
        let key = (call.order, call.attempt, refund);
        if let Some(Some(bounce)) = self.fates.bounces.get(&key)
            && bounce.at <= self.now
        {
            return Some(bounce.report.clone());
        }
        let is_abnormal = match (self.fates.abnormal.get(&key), &call.op) {
            (Some(known), _) => *known,
            (None, ChannelOp::Refund { .. }) => {
                let is_abnormal = !self.healed && self.dice.happens(self.plan.network.abnormal_ppm);
                self.fates.abnormal.insert(key, is_abnormal);
                is_abnormal
            }
            (None, _) => false,
        };
        if !is_abnormal {
            return None;
        }
        self.report.coverage.fault("channel cannot finish a refund");
        let source = ReportSource::Refund { refund };
        let outcome = Outcome::Abnormal { code: "CARD_CLOSED".into() };
        Some(ChannelReport {
            channel: call.channel,
            order: call.order,
            attempt: call.attempt,
            source,
            outcome,
        })
    }

    /// A refund was made: its money may come back later.
    fn may_bounce(&mut self, report: &mut ChannelReport) {
        let ReportSource::Refund { refund } = report.source else { return };
        let Outcome::Succeeded { amount, .. } = report.outcome else { return };
        let key = (report.order, report.attempt, refund);
        match self.fates.bounces.get(&key) {
            Some(Some(bounce)) if bounce.at <= self.now => *report = bounce.report.clone(),
            Some(_) => {}
            None if !self.healed && self.dice.happens(self.plan.network.bounced_ppm) => {
                self.report.coverage.fault("refund comes back");
                let at = self.now + self.dice.wait(20_000);
                let outcome = Outcome::Bounced { amount, code: "RETURNED".into() };
                let bounced = ChannelReport { outcome, ..report.clone() };
                self.fates.bounces.insert(key, Some(Bounce { at, report: bounced.clone() }));
                self.at(at, Item::Report(bounced));
            }
            None => drop(self.fates.bounces.insert(key, None)),
        }
    }

    fn advance(&mut self, channel: usize) {
        let sink = self.sink();
        let next = self.channels[channel].advance(TimestampMs(self.now), &sink);
        if let Some(next) = next.map(|next| next.0.max(self.now + 1))
            && next < self.advance_at[channel]
        {
            self.advance_at[channel] = next;
            self.at(next, Item::Advance(channel));
        }
        let said = std::mem::take(&mut *self.wire.0.lock().unwrap_or_else(PoisonError::into_inner));
        for report in said {
            self.send_report(report);
        }
    }

    fn send_report(&mut self, mut report: ChannelReport) {
        let network = self.plan.network;
        if self.planted == Some(Sabotage::DeafForEver) && self.healed {
            return;
        }
        if !self.healed && self.dice.happens(network.lost_ppm) {
            self.report.coverage.fault("report is lost");
            return;
        }
        self.may_bounce(&mut report);
        let may_lie = report.source == ReportSource::PayAnswer
            && matches!(report.outcome, Outcome::Accepted { .. } | Outcome::Processing);
        if may_lie && !self.healed && self.dice.happens(network.false_failure_ppm) {
            self.report.coverage.fault("channel says failed and goes on");
            report.outcome = Outcome::Failed { kind: FailureKind::Channel, code: "FALSE".into() };
        }
        if !self.healed && self.dice.happens(network.doubled_ppm) {
            self.report.coverage.fault("report arrives twice");
            let wait = self.flight();
            self.after(wait, Item::Report(report.clone()));
        }
        let wait = self.flight();
        self.after(wait, Item::Report(report));
    }

    fn report_arrives(&mut self, report: ChannelReport) {
        let Some(process) = &mut self.process else {
            self.report.coverage.fault("report finds nobody");
            return;
        };
        // What was paid in full, and only that: a wrong amount is a contradiction that the engine must not book.
        if let (Outcome::Succeeded { amount, .. }, false) =
            (&report.outcome, matches!(report.source, ReportSource::Refund { .. }))
        {
            let line = self
                .channels
                .iter()
                .find(|channel| channel.capability().id == report.channel)
                .and_then(|channel| channel.payment(report.order, report.attempt));
            if line.is_some_and(|line| line.amount == *amount) {
                self.heard.insert((report.order, report.attempt));
            }
        }
        let to = Actor::Orders(report.order.shard(self.plan.shards));
        process.deliver(to, None, Message::Reports(vec![report]));
        self.wake(to);
    }

    // ---- the mall

    fn place(&mut self) {
        let number = self.mall.orders.len();
        let now = TimestampMs(self.now);
        // Two orders placed at once must still differ in their terms by time.
        self.placed_at = self.placed_at.max(now);
        let terms = draw_terms(&mut self.dice, &self.plan, &self.cast, number, now);
        let order = self.mall.place(terms);
        self.send_request(order, Intent::Create);
    }

    fn act(&mut self) {
        let wait = self.dice.wait(self.plan.network.usual_ms);
        match self.dice.below(24) {
            0 => {
                let number = self.dice.place(15);
                return self.after(wait, Item::TopUp(number));
            }
            1 | 2 if self.plan.spends => return self.plan_to_spend(),
            3 => {
                let number = self.dice.place(12);
                return self.after(wait, Item::Issue(number));
            }
            4 | 5 => return self.operate_on_one(),
            _ => {}
        }
        if self.mall.orders.is_empty() {
            return;
        }
        if let Some([order, act @ ..]) = self.plan.script.pop() {
            let order = usize::from(order) % self.mall.orders.len();
            let seed = act.into_iter().fold(0, |seed, byte| seed << 8 | u64::from(byte));
            let intent = Intent::draw(&mut Dice::new(seed), &self.mall.orders[order], &self.cast);
            return self.send_request(order, intent);
        }
        // What was asked before is asked again, word for word.
        if self.dice.below(6) == 0 && !self.mall.asked.is_empty() {
            let Asked { order, intent } = self.mall.asked[self.dice.place(self.mall.asked.len())].clone();
            return self.send_request(order, intent);
        }
        let order = self.dice.place(self.mall.orders.len());
        let intent = Intent::draw(&mut self.dice, &self.mall.orders[order], &self.cast);
        self.send_request(order, intent);
    }

    /// An operator looks at the orders whose money waits for one, and sees to one of them.
    fn operate_on_one(&mut self) {
        let Some(process) = &self.process else { return };
        let waiting: Vec<Arc<Order>> =
            process.orders.iter().flat_map(|shard| shard.needing_operator()).collect();
        if waiting.is_empty() {
            return;
        }
        let chosen = self.dice.place(waiting.len());
        self.operate(&waiting[chosen]);
    }

    /// What an operator does about an order that needs one.
    fn operate(&mut self, order: &Order) {
        let Some(place) = self.mall.orders.iter().position(|placed| placed.terms.key() == order.terms.key())
        else {
            return;
        };
        let unpaid = matches!(order.status, OrderStatus::Closed | OrderStatus::Failed);
        let keeps = self.planted == Some(Sabotage::KeepsLatePayments);
        let parked: Vec<AttemptNo> = order.parked().map(|attempt| attempt.no).collect();
        for attempt in parked.into_iter().filter(|_| !keeps) {
            let intent = if unpaid && self.dice.below(2) == 0 {
                Intent::Reopen(attempt)
            } else {
                Intent::ReturnParked(attempt)
            };
            self.send_request(place, intent);
        }
        for refund in order.refunds.iter().filter(|refund| refund.state.needs_operator()) {
            let may_resend = self.resent.insert((order.id, refund.no));
            let way = match self.dice.below(4) {
                2 if !may_resend => 1,
                // Only what never went has a place to go back to.
                3 if refund.state != RefundState::Stuck || refund.unwinding.is_none() => 0,
                way => way,
            };
            let way: FinishWay = finish_way(way, &mut self.dice, &self.cast);
            self.send_request(place, Intent::FinishRefund(refund.no, way));
        }
    }

    fn send_request(&mut self, order: usize, intent: Intent) {
        let network = self.plan.network;
        self.tell(|| format!("the mall wants of order {order}: {intent:?}"));
        let ticket = self.mall.asks(order, intent);
        if !self.healed && self.dice.happens(network.mall_lost_ppm) {
            self.report.coverage.fault("request of the mall is lost");
            return;
        }
        if !self.healed && self.dice.happens(network.mall_doubled_ppm) {
            self.report.coverage.fault("request of the mall arrives twice");
            let wait = self.dice.wait(network.usual_ms * 4);
            self.after(wait, Item::Request(ticket));
        }
        let wait = self.dice.wait(network.usual_ms);
        self.after(wait, Item::Request(ticket));
    }

    fn request_arrives(&mut self, ticket: u64) {
        let Some(process) = &mut self.process else {
            self.report.coverage.fault("request finds nobody");
            return;
        };
        let Some(asked) = usize::try_from(ticket).ok().and_then(|place| self.mall.asked.get(place)) else {
            return;
        };
        let command = asked.intent.command(&self.mall.orders[asked.order]);
        answers::delivered(&mut self.mall, ticket);
        self.admitted += 1;
        let sink = Arc::clone(&self.answers) as Arc<dyn AnswerSink>;
        let requests = vec![Request { ticket: Ticket(ticket), command }];
        let admitted = admission::admit(&process.shared.gate, requests, &sink);
        let by_shard = admission::by_shard(admitted, self.plan.shards);
        let mut woken = None;
        for (shard, requests) in by_shard.into_iter().enumerate().filter(|(_, requests)| !requests.is_empty())
        {
            process.deliver(Actor::Orders(shard), None, Message::Requests(requests, Arc::clone(&sink)));
            woken = Some(shard);
        }
        if let Some(shard) = woken {
            self.wake(Actor::Orders(shard));
        }
    }

    fn answer(&mut self, answer: &Answer) {
        let code = match &answer.result {
            Ok(Reply::Order(told)) if told.repeat => "repeat",
            Ok(_) => "ok",
            Err(reject) => reject.code.code(),
        };
        self.report.coverage.answer(code);
        self.tell(|| format!("answer {}: {code}", answer.ticket));
        let tap = tap::lock(&self.ground.tap);
        answers::let_go(&mut self.mall, &tap.ledger, answer, &mut self.report.breaks);
    }

    // ---- disks

    fn refuse(&mut self) {
        if self.healed {
            return;
        }
        let wait = self.dice.between(1, 2 * self.plan.disks.refuses_every_ms);
        self.after(wait, Item::Refuse);
        if self.process.is_none() {
            return;
        }
        let full = self.dice.below(2) == 0;
        let kind = if full { ErrorKind::StorageFull } else { ErrorKind::Other };
        match self.dice.below(4) {
            0 => {
                self.report.coverage.fault("store refuses writes");
                let operations = self.dice.below(4);
                self.ground.tables.fail_writes(operations, kind);
                let wait = self.dice.between(1, 20_000);
                self.after(wait, Item::Accept);
            }
            1 => {
                self.report.coverage.fault("store refuses reads");
                let operations = self.dice.below(4);
                self.ground.tables.fail_reads(operations, ErrorKind::Other);
                let wait = self.dice.between(1, 5_000);
                self.after(wait, Item::Accept);
            }
            2 => {
                self.report.coverage.fault("journal's disk is full");
                self.ground.disk.set_capacity(Some(0));
                let wait = self.dice.between(1, 20_000);
                self.after(wait, Item::Accept);
            }
            _ => {
                self.report.coverage.fault("journal's disk fails once or more");
                for _ in 0..self.dice.between(1, 4) {
                    let operation = self.dice.pick(&[
                        Operation::Write,
                        Operation::Write,
                        Operation::Sync,
                        Operation::Sync,
                        Operation::SyncDir,
                        Operation::Create,
                        Operation::Rename,
                        Operation::Remove,
                    ]);
                    let nth = self.dice.between(1, 4);
                    let short_bytes = self.dice.place(600);
                    self.ground.disk.fail(Fault { operation, nth, kind, short_bytes });
                }
            }
        }
    }

    fn accept(&mut self) {
        self.ground.disk.set_capacity(None);
        self.ground.tables.accept();
    }

    // ---- the end

    fn heal(&mut self) {
        self.tell(|| "the faults end".to_owned());
        self.healed = true;
        self.ground.disk.heal();
        self.ground.disk.set_capacity(None);
        self.ground.tables.heal();
        if self.process.is_none() {
            self.start();
        }
        // Banks tell of what came back until they are heard.
        let bounces: Vec<Bounce> = self.fates.bounces.values().flatten().cloned().collect();
        for Bounce { at, report } in bounces {
            // Not before the news of the refund itself, however slow that was.
            let at = at.max(self.now) + self.plan.network.slow_ms + 60_000;
            self.told_by = self.told_by.max(at + 1);
            self.at(at, Item::Report(report));
        }
    }

    fn is_quiet(life: &mut Self) -> bool {
        life.process.as_ref().is_some_and(Process::is_quiet)
    }

    /// Everything is final and nothing is under way. Disputes that a full engine did not let the mall end are tried again.
    fn has_ended(&mut self) -> bool {
        let has_room = |process: &Process| {
            process.shared.gate.live_orders() == 0 && process.shared.gate.archive_lag() == 0
        };
        let all_archived = self.process.as_ref().is_some_and(has_room);
        if !Self::is_quiet(self) {
            return false;
        }
        let orders = self.ask_all();
        for order in &orders {
            if order.status == OrderStatus::Disputed {
                let place =
                    self.mall.orders.iter().position(|placed| placed.terms.key() == order.terms.key());
                let Some(place) = place else { continue };
                let with = self.dice.below(2) == 0;
                let wanted = with.then(|| refund(&mut self.dice, &self.mall.orders[place]));
                self.send_request(place, Intent::ResolveDispute(wanted));
            }
            if order.needs_operator() {
                self.operate(order);
            }
        }
        let known = tap::lock(&self.ground.tap).ledger.orders.len();
        all_archived
            && self.now >= self.told_by
            && orders.len() == known
            && orders.iter().all(|order| order.is_finished())
    }

    /// The lives of all orders that the log knows, asked past the inboxes.
    fn ask_all(&mut self) -> Vec<Arc<Order>> {
        let ids: Vec<OrderId> = tap::lock(&self.ground.tap).ledger.orders.keys().copied().collect();
        ids.into_iter().filter_map(|id| self.ask(OrderRef::Id(id)).ok()).collect()
    }

    fn ask(&mut self, order: OrderRef) -> Result<Arc<Order>, suanpan_model::RejectCode> {
        let sink: Arc<Counter> = Arc::new(Counter::default());
        let Some(process) = &mut self.process else { return Err(suanpan_model::RejectCode::Unavailable) };
        let request =
            Request { ticket: Ticket(u64::MAX), command: Command::Query { platform: Some(PLATFORM), order } };
        let shard = usize::from(order.bucket()) & (self.plan.shards - 1);
        // As if it had been let in: the shard counts the answer.
        process.shared.gate.took_in(1);
        process.ask(shard, vec![request], &(Arc::clone(&sink) as Arc<dyn AnswerSink>));
        let answer = sink.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match answer.map(|answer| answer.result) {
            Some(Ok(Reply::Life(order))) => Ok(order),
            Some(Ok(Reply::Order(_))) | None => Err(suanpan_model::RejectCode::Unavailable),
            Some(Err(reject)) => Err(reject.code),
        }
    }

    /// After a restart: everything that the mall was promised is there.
    fn check_promises(&mut self) {
        for place in 0..self.mall.orders.len() {
            let key = OrderRef::Key(self.mall.orders[place].terms.key());
            let life = self.ask(key);
            let life = match &life {
                Ok(order) => Ok(&**order),
                Err(code) => Err(*code),
            };
            answers::kept(&self.mall.orders[place], life, &mut self.report.breaks);
        }
    }

    fn check_the_end(&mut self) {
        let orders = self.ask_all();
        let known = tap::lock(&self.ground.tap).ledger.orders.len();
        let mut breaks = Vec::new();
        let mut stuck = |what: String| breaks.push(Invariant::EverythingEnds.broken(what));
        if orders.len() != known {
            stuck(format!("{} of {known} orders can be asked about", orders.len()));
        }
        for order in orders.iter().filter(|order| !order.is_finished()) {
            stuck(format!(
                "order {} is still {}: {:?}",
                order.id,
                order.status,
                order.attempts.last().map(|a| a.state.name())
            ));
        }
        if !Self::is_quiet(self) {
            stuck("messages are still under way".to_owned());
        }
        if let Some(process) = &self.process {
            let gate = &process.shared.gate;
            if gate.in_flight() != 0 || gate.archive_lag() != 0 || gate.live_orders() != 0 {
                stuck(format!(
                    "the gate counts {} requests, {} orders, {} for the archive",
                    gate.in_flight(),
                    gate.live_orders(),
                    gate.archive_lag()
                ));
            }
        }
        if self.answered != self.admitted {
            let what = format!("{} requests since the last start, {} answers", self.admitted, self.answered);
            breaks.push(Invariant::AnsweredOnce.broken(what));
        }
        self.report.breaks.extend(breaks);
        for order in &orders {
            self.report.coverage.order(order);
        }
        self.check_promises();
        if self.tells {
            self.report.lives.clone_from(&orders);
            self.report.disks = Some((self.ground.disk.copy(), self.ground.tables.copy()));
        }
        let Some(process) = &self.process else { return };
        let tap = tap::lock(&self.ground.tap);
        let breaks = &mut self.report.breaks;
        for (hold, (account, left)) in &tap.ledger.holds {
            let what = format!("{left} minor units are held on {account} for {} at the end", hold.cause);
            breaks.push(Invariant::HoldsHaveOrders.broken(what));
        }
        answers::refused_is_nothing(&self.mall, &tap.ledger, breaks);
        final_state::ledger(&process.balances, &tap.ledger, breaks);
        let may_owe =
            self.plan.spends || !self.plan.causal || final_state::keeps_fees(self.plan.policy.agreement);
        final_state::debts(&process.balances, &tap.ledger, may_owe, breaks);
        final_state::custody(&tap.ledger, breaks);
        let page = if self.plan.seed.is_multiple_of(2) { 3 } else { 1_000 };
        final_state::statements(&process.balances, &tap.ledger, page, breaks);
        let lives: Vec<&Order> = orders.iter().map(|order| &**order).collect();
        let came_back = self.fates.bounces.iter().filter_map(|(key, bounce)| Some((*key, bounce.as_ref()?)));
        let came_back = came_back.map(|(key, bounce)| match bounce.report.outcome {
            Outcome::Bounced { amount, .. } => (key, amount),
            _ => (key, Amount::ZERO),
        });
        let came_back: BTreeMap<books::RefundKey, Amount> = came_back.collect();
        let channels: Vec<&Simulator> = self.channels.iter().collect();
        let unheard = books::compare(&channels, &lives, &self.heard, &came_back, &tap.ledger, breaks);
        for _ in 0..unheard {
            self.report.coverage.fault("payment that no report told of");
        }
        final_state::replays(
            &self.plan,
            &self.ground.disk,
            &self.ground.tables,
            &tap.acknowledged,
            &orders,
            &process.balances,
            breaks,
        );
        announcements::compare(&process.shared.store, &tap.acknowledged, breaks);
        for id in final_state::archived(&process.shared.store) {
            if !tap.ledger.orders.contains_key(&id) {
                breaks.push(Invariant::NoGaps.broken(format!("order {id} is archived and not in the log")));
            }
        }
    }
}

/// Does to a message what a planted bug would.
fn spoil(
    sabotage: Sabotage,
    process: &mut Process,
    (to, from): (Actor, Sender),
    message: &mut Message,
    dice: &mut Dice,
) {
    match (sabotage, message) {
        (Sabotage::ChangesAmount, Message::Instruct(chunks, _)) => {
            let more = |mut told: TimedInstruction| {
                if let Instruction::Post { posting, .. } = &mut told.instruction
                    && posting.side == suanpan_model::Side::Credit
                {
                    posting.amount = posting.amount.plus(Amount::from_minor(1));
                }
                told
            };
            for (_, told) in chunks {
                *told = told.iter().map(more).collect();
            }
        }
        (Sabotage::LosesPosting, Message::Instruct(chunks, _)) => {
            let is_credit = |instruction: &Instruction| matches!(instruction, Instruction::Post { posting, .. } if posting.side == suanpan_model::Side::Credit);
            for (_, told) in chunks {
                *told = told.iter().filter(|told| !is_credit(&told.instruction)).collect();
            }
        }
        (Sabotage::LosesVoids, Message::Voids(asks)) => asks.clear(),
        (Sabotage::ForgetsDebts, Message::Log(log)) => {
            if let LogMessage::Batch(batch) = log
                && let Source::Balances(shard) = batch.source
                && batch
                    .instructions
                    .iter()
                    .flat_map(Instructions::iter)
                    .any(|told| is_recovery(&told.instruction))
            {
                let payload = std::mem::take(&mut batch.payload);
                process.deliver(Actor::Balances(shard), from, Message::Committed(Lsn(0), payload));
                *log = LogMessage::Checkpoint;
            }
        }
        (Sabotage::LosesLines, Message::Keeper(KeeperMessage::Statements { lines, .. })) => {
            lines.rows.clear()
        }
        (Sabotage::LosesTidings, Message::Keeper(KeeperMessage::Announced(announced))) => announced.clear(),
        (Sabotage::CommitsTwice, Message::Committed(first, _)) if dice.below(10) == 0 => {
            process.deliver(to, from, Message::Committed(*first, Vec::new()));
        }
        _ => {}
    }
}

fn is_recovery(instruction: &Instruction) -> bool {
    matches!(instruction, Instruction::Post { code: EntryCode::Recovery, .. })
}

/// The last bytes of the journal are gone, although they were durable.
fn forget_the_end(disk: &FaultyStorage) {
    let names = suanpan_runtime::journal::Storage::list(disk).unwrap_or_default();
    if let Some(last) = names.iter().filter(|name| name.ends_with(".log")).max() {
        disk.edit(last, |bytes| {
            if let Some(end) = bytes.iter().rposition(|byte| *byte != 0) {
                bytes[end.saturating_sub(7).max(64)..=end.max(64)].fill(0);
            }
        });
    }
}
