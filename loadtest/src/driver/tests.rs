//! The driver against a stub of known latency, in virtual time: every figure is exact.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, unbounded};
use suanpan_model::{AccountId, AccountType, Lsn, OrderStatus, Reject, TimestampMs};
use suanpan_runtime::AnswerSink;
use suanpan_runtime::api::{Notice, OrderSummary};

use super::*;
use crate::latency::Percentiles;
use crate::workload::{Cast, Ground, Spec};
use crate::world::{self, PLATFORM};

const NOW: TimestampMs = TimestampMs(1_795_327_536_000);

const MS: u64 = 1_000_000;

fn workload(name: &str) -> Workload {
    let open = |kind, count: u64| (0..count).map(|number| AccountId::opened(kind, number, 3)).collect();
    let cast = Cast {
        merchants: open(AccountType::Settlement, 100),
        agents: open(AccountType::Commission, 50),
        buyers: open(AccountType::Cash, 1_000),
    };
    let spec = Spec::find(name).unwrap();
    let descriptors = world::descriptors(&spec).unwrap();
    let router = world::router(&descriptors).unwrap();
    let ground = Ground { cast: &cast, descriptors: &descriptors, router: &router, now: NOW, seed: 1 };
    Workload::new(&spec, ground).unwrap()
}

/// How a stub behaves.
#[derive(Clone, Copy)]
struct Manner {
    /// From a request to its answer, in milliseconds.
    latency_ms: u64,
    /// Begin and end of a time in which nothing is answered, in milliseconds since the start.
    stall_ms: (u64, u64),
    /// Every so many-th request is refused as busy.
    busy_every: u64,
    /// Every so many-th creation is refused for good.
    refuse_every: u64,
    /// Every so many-th order is acknowledged, and never heard of again.
    lose_every: u64,
    /// Every so many-th order fails.
    fail_every: u64,
    /// Notices are told this long before the acknowledgement, in milliseconds.
    notice_before_ms: u64,
}

const PLAIN: Manner = Manner {
    latency_ms: 2,
    stall_ms: (u64::MAX, u64::MAX),
    busy_every: u64::MAX,
    refuse_every: u64::MAX,
    lose_every: u64::MAX,
    fail_every: u64::MAX,
    notice_before_ms: 0,
};

enum Said {
    Answers(Arc<dyn AnswerSink>, Vec<Answer>),
    Notices(Vec<Notice>),
}

/// A target and its time: nothing happens but what falls due while the driver waits.
struct Stub {
    manner: Manner,
    now_ns: Cell<u64>,
    agenda: RefCell<BTreeMap<(u64, u64), Said>>,
    sequence: Cell<u64>,
    requests: Cell<u64>,
    creations: Cell<u64>,
    orders: Cell<u64>,
    notify: Sender<Arc<Vec<Notice>>>,
    notices: Receiver<Arc<Vec<Notice>>>,
}

fn next(counter: &Cell<u64>) -> u64 {
    counter.set(counter.get() + 1);
    counter.get()
}

impl Stub {
    fn new(manner: Manner) -> Self {
        let (notify, notices) = unbounded();
        Self {
            manner,
            now_ns: Cell::new(0),
            agenda: RefCell::default(),
            sequence: Cell::new(0),
            requests: Cell::new(0),
            creations: Cell::new(0),
            orders: Cell::new(0),
            notify,
            notices,
        }
    }

    fn say(&self, at_ns: u64, said: Said) {
        let (begin, end) = self.manner.stall_ms;
        let is_stalled = at_ns >= begin.saturating_mul(MS) && at_ns < end.saturating_mul(MS);
        let at_ns = if is_stalled { end * MS } else { at_ns };
        self.agenda.borrow_mut().insert((at_ns, next(&self.sequence)), said);
    }

    fn notice(&self, order: OrderId, kind: EventKind) -> Notice {
        Notice { lsn: Lsn(1), at: NOW, order, platform: PLATFORM, kind, status: OrderStatus::Frozen }
    }

    /// What is answered to a command, and what is told of its order.
    fn work(&self, command: &Command) -> (Result<Reply, Reject>, Option<Notice>) {
        let refuse = |code| (Err(Reject::new(code, "", "later")), None);
        if next(&self.requests).is_multiple_of(self.manner.busy_every) {
            return refuse(RejectCode::Busy);
        }
        let summary = |id, status| Ok(Reply::Order(OrderSummary { id, status, repeat: false, action: None }));
        match command {
            Command::Create(_) => {
                if next(&self.creations).is_multiple_of(self.manner.refuse_every) {
                    return refuse(RejectCode::NoChannel);
                }
                let order = OrderId(next(&self.orders));
                let kind = match order.0.is_multiple_of(self.manner.fail_every) {
                    true => EventKind::Failed,
                    false => EventKind::Frozen,
                };
                let is_lost = order.0.is_multiple_of(self.manner.lose_every);
                (summary(order, OrderStatus::Routing), (!is_lost).then(|| self.notice(order, kind)))
            }
            Command::Order { order: suanpan_model::command::OrderRef::Id(order), command, .. } => {
                match command {
                    suanpan_model::OrderCommand::Release { amount: None, .. } => {
                        (summary(*order, OrderStatus::Settled), None)
                    }
                    suanpan_model::OrderCommand::Release { .. } => {
                        (summary(*order, OrderStatus::PartReleased), None)
                    }
                    _ => (
                        summary(*order, OrderStatus::Frozen),
                        Some(self.notice(*order, EventKind::RefundSucceeded)),
                    ),
                }
            }
            Command::Order { .. } | Command::Query { .. } => panic!("the driver asks for nothing else"),
        }
    }
}

impl Target for Stub {
    fn submit(&self, requests: Vec<Request>, sink: &Arc<dyn AnswerSink>) {
        let due = self.now_ns.get() + self.manner.latency_ms * MS;
        let (mut answers, mut notices) = (Vec::new(), Vec::new());
        for Request { ticket, command } in requests {
            let (result, notice) = self.work(&command);
            answers.push(Answer { ticket, result });
            notices.extend(notice);
        }
        if self.manner.notice_before_ms > 0 {
            self.say(due - self.manner.notice_before_ms * MS, Said::Notices(notices));
            self.say(due, Said::Answers(sink.clone(), answers));
        } else {
            self.say(due, Said::Answers(sink.clone(), answers));
            self.say(due, Said::Notices(notices));
        }
    }

    fn subscribe(&self, _capacity: usize) -> Receiver<Arc<Vec<Notice>>> {
        self.notices.clone()
    }
}

impl Clock for Stub {
    fn now_ns(&self) -> u64 {
        self.now_ns.get()
    }

    fn wait(&self, _inbox: &Inbox, longest: Duration, _is_busy: bool) {
        let until = self.now_ns.get() + nanos(longest).max(1);
        let mut agenda = self.agenda.borrow_mut();
        let first = agenda.keys().next().map_or(until, |(at, _)| *at);
        self.now_ns.set(first.clamp(self.now_ns.get(), until));
        while let Some(entry) = agenda.first_entry().filter(|entry| entry.key().0 <= self.now_ns.get()) {
            match entry.remove() {
                Said::Answers(sink, answers) => sink.deliver(answers),
                Said::Notices(notices) => self.notify.send(Arc::new(notices)).unwrap(),
            }
        }
    }
}

/// Orders planned from 100 ms to 100 + `window_ms` are measured.
fn plan(pacing: Pacing, window_ms: u64) -> Plan {
    Plan {
        pacing,
        warmup: Duration::from_millis(100),
        window: Duration::from_millis(window_ms),
        orders_max: u64::MAX,
        patience: Duration::from_secs(10),
        tick: Duration::from_millis(50),
        rides_out: false,
    }
}

fn play_on(name: &str, manner: Manner, plan: &Plan) -> Outcome {
    let stub = Stub::new(manner);
    let outcome = drive(&stub, &workload(name), plan, &stub, &mut |_| true).unwrap();
    assert_eq!(outcome.tally.acknowledged, stub.orders.get());
    assert_eq!(outcome.tally.by_template.iter().sum::<u64>(), outcome.tally.finished);
    outcome
}

fn play(manner: Manner, plan: &Plan) -> Outcome {
    play_on("canonical", manner, plan)
}

/// A run over a server that was killed: of every fiftieth order nothing was ever heard again.
pub(crate) fn with_lost_orders() -> Outcome {
    let manner = Manner { lose_every: 50, ..PLAIN };
    play(manner, &Plan { rides_out: true, ..plan(Pacing::Open { per_second: 1_000 }, 200) })
}

fn is_clean(outcome: &Outcome) {
    let tally = &outcome.tally;
    assert_eq!((tally.strange, tally.rejected(), outcome.unfinished), (0, 0, 0), "{:?}", tally.examples);
    assert_eq!((tally.sent, tally.sent), (tally.acknowledged, tally.finished));
}

fn took(outcome: &Outcome, operation: Operation) -> Percentiles {
    outcome.tally.latencies(operation).percentiles()
}

/// Histograms keep three digits.
#[track_caller]
fn about(found_us: u64, expected_ms: f64) {
    let expected = expected_ms * 1_000.0;
    let is_near = (found_us as f64 - expected).abs() <= expected / 500.0 + 1.0;
    assert!(is_near, "expected {expected} µs, found {found_us} µs");
}

#[test]
fn a_closed_loop_measures_the_target() {
    let outcome = play(PLAIN, &plan(Pacing::Closed { in_flight: 16 }, 600));
    is_clean(&outcome);
    for (operation, ms) in
        [(Operation::Submit, 2.0), (Operation::Pay, 2.0), (Operation::Release, 2.0), (Operation::Order, 4.0)]
    {
        let at = took(&outcome, operation);
        [at.p50, at.p99, at.p99_99, at.max].into_iter().for_each(|found| about(found, ms));
    }
    assert_eq!(outcome.tally.latencies(Operation::Refund).count(), 0);
    assert_eq!(outcome.tally.by_second.iter().sum::<u64>(), outcome.orders);
    // 16 under way, 4 ms each, 600 ms.
    assert_eq!(outcome.orders, 16 * 150);
    assert_eq!((outcome.acceptance.as_millis(), outcome.drain.as_millis()), (698, 0));
}

#[test]
fn an_open_loop_does_not_hide_a_stall() {
    let manner = Manner { stall_ms: (300, 600), ..PLAIN };
    let outcome = play(manner, &plan(Pacing::Open { per_second: 1_000 }, 900));
    is_clean(&outcome);
    let order = took(&outcome, Operation::Order);
    assert_eq!(outcome.tally.latencies(Operation::Order).count(), 900, "every planned order is measured");
    about(order.p50, 4.0);
    // Of 900 orders the 90 longest waited: those planned before 386 ms, done at 602 ms.
    about(order.p90, 216.0);
    about(order.p99, 297.0);
    about(order.max, 304.0);
    assert_eq!(outcome.tally.sent, 1_000, "the schedule is kept");
}

#[test]
fn a_stall_at_the_end_of_the_window_is_not_left_out() {
    let manner = Manner { stall_ms: (900, 2_000), ..PLAIN };
    let outcome = play(manner, &plan(Pacing::Open { per_second: 1_000 }, 900));
    is_clean(&outcome);
    assert_eq!(outcome.tally.latencies(Operation::Order).count(), 900);
    about(took(&outcome, Operation::Order).max, 1_104.0);
    assert_eq!(outcome.orders, 800, "what ended after the window is no throughput of it");
    assert_eq!(outcome.drain.as_millis(), 1_002);
}

#[test]
fn a_slow_target_is_no_slower_for_being_asked_late() {
    // A closed loop asks less while the target stalls: that is why the open one is the measure.
    let manner = Manner { stall_ms: (300, 600), ..PLAIN };
    let outcome = play(manner, &plan(Pacing::Closed { in_flight: 1 }, 900));
    let order = took(&outcome, Operation::Order);
    about(order.p99, 4.0);
    assert!(order.max > 295_000, "{order:?}");
}

#[test]
fn busy_is_tried_again_and_told() {
    let manner = Manner { busy_every: 7, ..PLAIN };
    let outcome = play(manner, &plan(Pacing::Closed { in_flight: 32 }, 300));
    is_clean(&outcome);
    assert!(outcome.tally.busy > outcome.tally.sent / 8, "{}", outcome.tally.busy);
    let order = took(&outcome, Operation::Order);
    assert!(order.max >= 24_000, "the pause counts: {order:?}");
    let (accept, refuse) = (took(&outcome, Operation::Accept), took(&outcome, Operation::Refuse));
    let timed = outcome.tally.latencies(Operation::Refuse).count();
    assert!(
        outcome.tally.busy / 2 < timed && timed <= outcome.tally.busy,
        "those planned inside the window: {timed}"
    );
    for alone in [accept, refuse] {
        assert!(alone.p50 >= 2_000 && alone.max < 24_000, "and not in a try by itself: {alone:?}");
    }
}

#[test]
fn other_refusals_are_counted_by_code() {
    let manner = Manner { refuse_every: 5, ..PLAIN };
    let outcome = play(manner, &Plan { orders_max: 100, ..plan(Pacing::Closed { in_flight: 16 }, 10_000) });
    let tally = &outcome.tally;
    assert_eq!((tally.sent, tally.finished, tally.rejects.get("no_channel")), (100, 80, Some(&20)));
    assert_eq!(outcome.unfinished, 0);
}

#[test]
fn a_notice_may_come_before_its_acknowledgement() {
    let manner = Manner { notice_before_ms: 1, ..PLAIN };
    for name in ["canonical", "refund_storm"] {
        is_clean(&play_on(name, manner, &plan(Pacing::Closed { in_flight: 300 }, 300)));
        is_clean(&play_on(name, manner, &plan(Pacing::Closed { in_flight: 4 }, 300)));
    }
}

#[test]
fn every_course_is_gone_to_its_end() {
    for name in ["refund_storm", "month_end"] {
        let outcome = play_on(name, PLAIN, &plan(Pacing::Closed { in_flight: 100 }, 300));
        is_clean(&outcome);
        about(took(&outcome, Operation::Refund).p50, 2.0);
        let order = took(&outcome, Operation::Order);
        about(order.max, 6.0);
    }
}

#[test]
fn a_lost_order_is_told() {
    let manner = Manner { lose_every: 50, ..PLAIN };
    let plan = Plan { orders_max: 100, ..plan(Pacing::Closed { in_flight: 16 }, 10_000) };
    let outcome = play(manner, &Plan { patience: Duration::from_millis(200), ..plan });
    assert_eq!((outcome.unfinished, outcome.tally.acknowledged, outcome.tally.finished), (2, 100, 98));
}

#[test]
fn an_order_that_fails_is_strange_unless_the_workload_says_so() {
    let manner = Manner { fail_every: 10, ..PLAIN };
    let plan = Plan { orders_max: 100, ..plan(Pacing::Closed { in_flight: 16 }, 10_000) };
    let strict = play(manner, &plan);
    assert_eq!((strict.tally.unpaid, strict.tally.strange, strict.unfinished), (10, 10, 0));
    let tolerant = play_on("channel_outage", manner, &plan);
    assert_eq!((tolerant.tally.unpaid, tolerant.tally.strange), (10, 0), "{:?}", tolerant.tally.examples);
    let before = Manner { notice_before_ms: 1, ..manner };
    assert_eq!(play_on("channel_outage", before, &plan).unfinished, 0, "also when told before the answer");
}

#[test]
fn what_never_ends_is_told() {
    let manner = Manner { stall_ms: (200, 900), ..PLAIN };
    let plan = Plan { patience: Duration::from_millis(200), ..plan(Pacing::Closed { in_flight: 16 }, 200) };
    let outcome = play_impatiently(manner, &plan);
    assert_eq!(outcome.unfinished, 16);
}

fn play_impatiently(manner: Manner, plan: &Plan) -> Outcome {
    let stub = Stub::new(manner);
    drive(&stub, &workload("canonical"), plan, &stub, &mut |_| true).unwrap()
}
