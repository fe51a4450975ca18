use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use suanpan_model::{AccountId, AccountType, Lsn, Reject, TimestampMs};
use suanpan_runtime::AnswerSink;
use suanpan_runtime::api::{Notice, OrderSummary};

use super::*;
use crate::workload::Cast;
use crate::world;

const NOW: TimestampMs = TimestampMs(1_795_327_536_000);

fn workload() -> Workload {
    let open = |kind, count: u64| (0..count).map(|number| AccountId::opened(kind, number, 3)).collect();
    let cast = Cast {
        merchants: open(AccountType::Settlement, 100),
        agents: open(AccountType::Commission, 50),
        buyers: 1_000,
    };
    let descriptors = world::descriptors().unwrap();
    let router = world::router(&descriptors).unwrap();
    Workload::canonical(&cast, &descriptors, &router, NOW, 1).unwrap()
}

type Work = (Instant, Vec<Request>, Arc<dyn AnswerSink>);

/// A target that answers after `latency`, freezes at once, and says nothing during a stall.
struct Stub {
    work: Sender<Work>,
    notices: Receiver<Arc<Vec<Notice>>>,
    orders: Arc<AtomicU64>,
}

/// How a stub behaves.
#[derive(Clone, Copy)]
struct Manner {
    latency: Duration,
    /// Begin and end of the stall since the start.
    stall: (Duration, Duration),
    /// Every so many-th request is refused as busy.
    busy_every: u64,
    /// Every so many-th creation is refused for good.
    refuse_every: u64,
    /// Notices are told before the acknowledgement.
    notice_first: bool,
}

const PLAIN: Manner = Manner {
    latency: Duration::from_millis(2),
    stall: (Duration::MAX, Duration::MAX),
    busy_every: u64::MAX,
    refuse_every: u64::MAX,
    notice_first: false,
};

impl Stub {
    fn new(manner: Manner) -> Self {
        let (work, queue) = unbounded::<Work>();
        let (notify, notices) = bounded(1 << 16);
        let orders = Arc::new(AtomicU64::new(0));
        let made = orders.clone();
        thread::spawn(move || serve(manner, &queue, &notify, &made));
        Self { work, notices, orders }
    }
}

fn serve(manner: Manner, queue: &Receiver<Work>, notify: &Sender<Arc<Vec<Notice>>>, orders: &AtomicU64) {
    let begin = Instant::now();
    let (mut requests_seen, mut creations) = (0_u64, 0_u64);
    while let Ok((at, requests, sink)) = queue.recv() {
        let due = at + manner.latency;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if begin.elapsed() >= manner.stall.0 {
            thread::sleep(manner.stall.1.saturating_sub(begin.elapsed()));
        }
        let (mut answers, mut notices) = (Vec::new(), Vec::new());
        for Request { ticket, command } in requests {
            requests_seen += 1;
            let refuse = |code| Err(Reject::new(code, "", "later"));
            let summary =
                |id, status| Ok(Reply::Order(OrderSummary { id, status, repeat: false, action: None }));
            let result = match command {
                _ if requests_seen.is_multiple_of(manner.busy_every) => refuse(RejectCode::Busy),
                Command::Create(_) => {
                    creations += 1;
                    if creations.is_multiple_of(manner.refuse_every) {
                        refuse(RejectCode::NoChannel)
                    } else {
                        let order = OrderId(orders.fetch_add(1, Ordering::Relaxed) + 1);
                        notices.push(Notice {
                            lsn: Lsn(1),
                            at: NOW,
                            order,
                            platform: PLATFORM,
                            kind: EventKind::Frozen,
                            status: OrderStatus::Frozen,
                        });
                        summary(order, OrderStatus::Routing)
                    }
                }
                Command::Order { order: OrderRef::Id(order), .. } => summary(order, OrderStatus::Settled),
                Command::Order { .. } | Command::Query { .. } => panic!("the driver asks for nothing else"),
            };
            answers.push(Answer { ticket, result });
        }
        if manner.notice_first {
            let _ = notify.send(Arc::new(notices));
            thread::sleep(Duration::from_micros(500));
            sink.deliver(answers);
        } else {
            sink.deliver(answers);
            let _ = notify.send(Arc::new(notices));
        }
    }
}

impl Target for Stub {
    fn submit(&self, requests: Vec<Request>, sink: &Arc<dyn AnswerSink>) {
        self.work.send((Instant::now(), requests, sink.clone())).unwrap();
    }

    fn subscribe(&self, _capacity: usize) -> Receiver<Arc<Vec<Notice>>> {
        self.notices.clone()
    }
}

fn plan(pacing: Pacing, window_ms: u64) -> Plan {
    Plan {
        pacing,
        warmup: Duration::from_millis(100),
        window: Duration::from_millis(window_ms),
        orders_max: u64::MAX,
        patience: Duration::from_secs(10),
        tick: Duration::from_millis(50),
    }
}

fn play(manner: Manner, plan: &Plan) -> Outcome {
    // The stub's time begins with it: the orders are drawn before.
    let workload = workload();
    let stub = Stub::new(manner);
    let outcome = drive(&stub, &workload, plan, &mut |_| true).unwrap();
    assert_eq!(outcome.tally.acknowledged, stub.orders.load(Ordering::Relaxed));
    assert_eq!(outcome.tally.by_template.iter().sum::<u64>(), outcome.tally.finished);
    outcome
}

fn is_clean(outcome: &Outcome) {
    let tally = &outcome.tally;
    assert_eq!((tally.strange, tally.rejected(), outcome.unfinished), (0, 0, 0), "{:?}", tally.examples);
    assert_eq!((tally.sent, tally.sent), (tally.acknowledged, tally.finished));
}

#[test]
fn a_closed_loop_measures_the_target() {
    let outcome = play(PLAIN, &plan(Pacing::Closed { in_flight: 16 }, 600));
    is_clean(&outcome);
    let (create, order) = (outcome.tally.create_ack.percentiles(), outcome.tally.order.percentiles());
    assert!((2_000..8_000).contains(&create.p50), "{create:?}");
    assert!((4_000..16_000).contains(&order.p50), "{order:?}");
    assert_eq!(outcome.tally.by_second.iter().sum::<u64>(), outcome.orders);
    // 16 under way, some 4 ms each, the worst machine three times slower.
    assert!((600..2_600).contains(&outcome.orders), "{}", outcome.orders);
}

#[test]
fn an_open_loop_does_not_hide_a_stall() {
    let stall = (Duration::from_millis(300), Duration::from_millis(600));
    let manner = Manner { stall, ..PLAIN };
    let rate = 1_000;
    let outcome = play(manner, &plan(Pacing::Open { per_second: rate }, 900));
    is_clean(&outcome);
    let order = outcome.tally.order.percentiles();
    // A third of the window's orders were due in the stall and waited up to 300 ms.
    assert!(order.p50 < 60_000, "{order:?}");
    assert!((150_000..320_000).contains(&order.p90), "{order:?}");
    assert!((280_000..400_000).contains(&order.max), "{order:?}");
    assert!((850..=950).contains(&outcome.orders), "the schedule is kept: {}", outcome.orders);
    assert!((970..=1_010).contains(&outcome.tally.sent), "{}", outcome.tally.sent);
}

#[test]
fn busy_is_tried_again_and_told() {
    let manner = Manner { busy_every: 7, ..PLAIN };
    let outcome = play(manner, &plan(Pacing::Closed { in_flight: 32 }, 300));
    is_clean(&outcome);
    assert!(outcome.tally.busy > outcome.tally.sent / 8, "{}", outcome.tally.busy);
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
    let manner = Manner { notice_first: true, ..PLAIN };
    is_clean(&play(manner, &plan(Pacing::Closed { in_flight: 300 }, 300)));
    is_clean(&play(manner, &plan(Pacing::Closed { in_flight: 4 }, 300)));
}

#[test]
fn what_never_ends_is_told() {
    let manner = Manner { stall: (Duration::from_millis(200), Duration::from_millis(900)), ..PLAIN };
    let plan = Plan { patience: Duration::from_millis(200), ..plan(Pacing::Closed { in_flight: 16 }, 200) };
    assert!(play_impatiently(manner, &plan) > 0);
}

fn play_impatiently(manner: Manner, plan: &Plan) -> usize {
    // The stub's time begins with it: the orders are drawn before.
    let workload = workload();
    drive(&Stub::new(manner), &workload, plan, &mut |_| true).unwrap().unfinished
}

/// `cargo test --release -p loadtest -- --ignored --nocapture cost`: what the driver itself takes.
#[test]
#[ignore = "a measurement"]
fn the_driver_is_cheap() {
    let plan = plan(Pacing::Closed { in_flight: 4_096 }, 3_000);
    let workload = workload();
    let stub = Stub::new(Manner { latency: Duration::ZERO, ..PLAIN });
    let ticks = || std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let used = |text: String| text.split(' ').next().unwrap().parse::<u64>().unwrap();
    let before = used(ticks());
    let outcome = drive(&stub, &workload, &plan, &mut |_| true).unwrap();
    let nanos = used(ticks()) - before;
    let orders = outcome.tally.finished;
    println!("{orders} orders, {} ns of the driver's thread each", nanos / orders);
}
