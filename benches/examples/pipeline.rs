//! What one order costs each shard, without actors, threads or disk: the canonical order driven straight through
//! the shards in one thread. The speed of light for the engine, and a clean target for a profiler.
//!
//! `cargo run --release -p suanpan-benches --example pipeline -- [orders] [batch] [waiting]`
//!
//! With `waiting`, payers take a day: orders are submitted and wait, as in `loadtest submissions`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use suanpan_channels::{
    Adapter, BUILTIN_CHANNELS, Behaviour, Latency, ReportSink, Simulator, load_descriptors,
};
use suanpan_core::coupon::uses;
use suanpan_core::routing::{Router, RoutingRules, Strategy};
use suanpan_model::command::OrderRef;
use suanpan_model::*;
use suanpan_runtime::Limits;
use suanpan_runtime::api::{Answer, AnswerSink, Command, Reply, Request};
use suanpan_runtime::balance_shard::{self, BalanceShard, Restored};
use suanpan_runtime::clock::{Clock, SystemClock};
use suanpan_runtime::learner::{Folded, Learner};
use suanpan_runtime::messages::{Finished, HoldAnswer, HoldAsk, LogBatch, Rows, Source, VoidAsk};
use suanpan_runtime::order_shard::{self, OrderShard};
use suanpan_runtime::registry::Registry;
use suanpan_runtime::rulebook::RuleBook;
use suanpan_runtime::shared::{Counters, Feed, Gate, Shared, Tidings};
use suanpan_runtime::statements::HandOver;
use suanpan_runtime::store::{KeyFilter, Store, StoreOptions};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PLATFORM: PlatformId = PlatformId(9001);

/// Everything that leaves the shards, kept until the next step takes it.
#[derive(Default)]
struct Wires {
    batches: Vec<LogBatch>,
    asks: Vec<HoldAsk>,
    holds: Vec<HoldAnswer>,
    calls: Vec<ChannelRequest>,
    finished: Vec<Finished>,
    lines: Vec<HandOver>,
}

impl order_shard::Outside for Wires {
    fn log(&mut self, batch: LogBatch) {
        self.batches.push(batch);
    }
    fn hold(&mut self, _: usize, asks: Vec<HoldAsk>) {
        self.asks.extend(asks);
    }
    fn void(&mut self, _: usize, _: Vec<VoidAsk>) {}
    fn call(&mut self, calls: Vec<ChannelRequest>) {
        self.calls.extend(calls);
    }
    fn archive(&mut self, finished: Finished) {
        self.finished.push(finished);
    }
    fn checkpoint(&mut self, _: Rows) {}
    fn has_room_for_rows(&self) -> bool {
        true
    }
}

impl balance_shard::Outside for Wires {
    fn log(&mut self, batch: LogBatch) {
        self.batches.push(batch);
    }
    fn answer_holds(&mut self, _: usize, answers: Vec<HoldAnswer>) {
        self.holds.extend(answers);
    }
    fn archive(&mut self, _: usize, lines: HandOver) {
        self.lines.push(lines);
    }
    fn checkpoint(&mut self, _: Rows) {}
    fn go_on(&mut self) {}
}

struct Heard<T>(std::sync::Mutex<Vec<T>>);

impl<T> Default for Heard<T> {
    fn default() -> Self {
        Self(std::sync::Mutex::new(Vec::new()))
    }
}

impl ReportSink for Heard<ChannelReport> {
    fn deliver(&self, reports: Vec<ChannelReport>) {
        self.0.lock().expect("one thread").extend(reports);
    }
}

impl AnswerSink for Heard<Answer> {
    fn deliver(&self, answers: Vec<Answer>) {
        self.0.lock().expect("one thread").extend(answers);
    }
}

/// Time spent in each part.
#[derive(Default)]
struct Spent {
    terms: Duration,
    create: Duration,
    holds: Duration,
    created: Duration,
    channel: Duration,
    paid: Duration,
    release: Duration,
    committed: Duration,
    postings: Duration,
    archived: Duration,
}

fn time<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = work();
    *spent += began.elapsed();
    result
}

struct Bench {
    orders: OrderShard,
    balances: BalanceShard,
    wires: Wires,
    lsn: Lsn,
    spent: Spent,
}

impl Bench {
    /// What the log writer does, without a disk.
    fn commit(&mut self) {
        while !self.wires.batches.is_empty() {
            for batch in std::mem::take(&mut self.wires.batches) {
                let first = self.lsn;
                self.lsn.0 += u64::from(batch.records);
                let durable = Lsn(self.lsn.0 - 1);
                let (balances, wires) = (&mut self.balances, &mut self.wires);
                for instructions in batch.instructions {
                    if !instructions.is_empty() {
                        time(&mut self.spent.postings, || {
                            balances.on_instructions(vec![(first, instructions)], durable, wires);
                        });
                    }
                }
                match batch.source {
                    Source::Orders(_) => time(&mut self.spent.committed, || {
                        self.orders.on_committed(first, batch.payload, &mut self.wires);
                    }),
                    Source::Balances(_) => self.balances.on_committed(&mut self.wires),
                }
            }
        }
    }
}

fn main() {
    let waiting = std::env::args().any(|argument| argument == "waiting");
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let orders = arguments.next().unwrap_or(1_000_000);
    let batch = arguments.next().unwrap_or(512);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let adapters: Vec<Simulator> = load_descriptors(BUILTIN_CHANNELS)
        .expect("the built-in channels")
        .into_iter()
        .map(|mut descriptor| {
            descriptor.behaviour = Behaviour { keep_lines: false, ..Behaviour::instant() };
            if waiting {
                let a_day = Latency::exactly(86_400_000);
                descriptor.behaviour = Behaviour { think: a_day, pay: a_day, ..descriptor.behaviour };
            }
            descriptor.capability.hours = None;
            descriptor.capability.daily_quota = None;
            Simulator::new(descriptor, 1)
        })
        .collect();
    let rules = RoutingRules {
        version: 1,
        order: vec![Strategy::Cost],
        amount_bands: vec![],
        designations: vec![],
        priority: vec![],
        ..RoutingRules::default()
    };
    let router =
        Router::new(adapters.iter().map(|adapter| adapter.capability().clone()).collect(), rules, vec![]);
    let router = router.expect("rules");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let shared = Arc::new(Shared {
        clock: Arc::clone(&clock),
        announced: Tidings::default(),
        registry: Registry::new(vec![PlatformPolicy::defaults(PLATFORM)]),
        learner: Learner::new(router.capabilities(), Folded::default()),
        rules: RuleBook::open(&dir.path().join("routing")).expect("a folder of rules"),
        router: arc_swap::ArcSwap::from_pointee(router),
        gate: Gate::new(usize::MAX / 2, usize::MAX / 2, usize::MAX / 2),
        feed: Feed::default(),
        counters: Counters::default(),
        store: Store::open(dir.path(), StoreOptions::default()).expect("a store"),
        limits: Limits::USUAL,
    });
    let mut restored = Restored::default();
    let merchants: Vec<AccountId> =
        (1..=1_000_u64).map(|n| AccountId::opened(AccountType::Settlement, n, (n & 0xff) as u8)).collect();
    let agents: Vec<AccountId> =
        (2_000..2_050_u64).map(|n| AccountId::opened(AccountType::Commission, n, (n & 0xff) as u8)).collect();
    for account in merchants.iter().chain(&agents) {
        let reference: smol_str::SmolStr = account.raw().to_string().into();
        restored.ledger.apply(&LedgerEvent::AccountOpened {
            account: *account,
            platform: PLATFORM,
            reference: reference.clone(),
            currency: Currency::Cny,
            parent: None,
            credit_limit: Amount::ZERO,
        });
        let facts = suanpan_core::order::AccountFacts { platform: PLATFORM, currency: Currency::Cny };
        shared.registry.insert(*account, (PLATFORM, account.kind(), reference), facts);
    }
    let stock = AccountId::opened(AccountType::CouponStock, 1 << 40, 1);
    shared.registry.insert_campaign(&Arc::new(campaign()), stock);
    for stripe in 0..suanpan_model::ids::STRIPES {
        let fund = AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, stripe);
        let posting = Posting::credit(fund, Amount::MAX);
        let fill = suanpan_core::ledger::Instruction::Post {
            posting,
            code: EntryCode::TopUp,
            cause: CauseId(1),
            currency: Currency::Cny,
        };
        restored.ledger.carry_out(Lsn(0), &fill);
    }
    let mut bench = Bench {
        orders: OrderShard::new(0, 1, Arc::clone(&shared), KeyFilter::new(), OrderId(0), Lsn(0)),
        balances: BalanceShard::new(0, 1, Arc::clone(&shared), restored),
        wires: Wires::default(),
        lsn: Lsn(1),
        spent: Spent::default(),
    };
    let began = Instant::now();
    for from in (0..orders).step_by(batch) {
        let answers = submit(&mut bench, &adapters, &clock, from as u64, batch as u64, &merchants, &agents);
        if !waiting {
            release(&mut bench, answers);
        }
    }
    let total = began.elapsed();
    let per_order = |part: Duration| part.as_nanos() as f64 / orders as f64;
    let spent = &bench.spent;
    println!(
        "{orders} orders in batches of {batch}, one thread, no disk: {:.0} ns an order",
        per_order(total)
    );
    let rows = [
        ("terms (the caller)", spent.terms),
        ("create: check, ask for holds", spent.create),
        ("holds (balance shard)", spent.holds),
        ("create: record", spent.created),
        ("channel (simulator)", spent.channel),
        ("paid: record", spent.paid),
        ("release: record", spent.release),
        ("commits: answers, calls, archive", spent.committed),
        ("postings (balance shard)", spent.postings),
        ("archived: forget", spent.archived),
    ];
    for (name, part) in rows {
        println!("  {name:<36}{:>8.0} ns", per_order(part));
    }
    let counters = &shared.counters;
    let counter = if waiting { &counters.created } else { &counters.finished };
    let counted = counter.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(counted, orders.div_ceil(batch) as u64 * batch as u64, "every order came as far as it should");
}

/// Submits a batch of orders; what channels answer at once is taken in.
fn submit(
    bench: &mut Bench,
    adapters: &[Simulator],
    clock: &Arc<dyn Clock>,
    from: u64,
    batch: u64,
    merchants: &[AccountId],
    agents: &[AccountId],
) -> Vec<Answer> {
    let answers: Arc<Heard<Answer>> = Arc::new(Heard::default());
    let sink: Arc<dyn AnswerSink> = answers.clone();
    let now = clock.now();
    let began = Instant::now();
    let requests: Vec<Request> = (from..from + batch)
        .map(|n| Request {
            ticket: Ticket(n),
            command: Command::Create(Arc::new(terms(n, now, merchants, agents))),
        })
        .collect();
    bench.spent.terms += began.elapsed();
    time(&mut bench.spent.create, || bench.orders.on_requests(requests, &sink, &mut bench.wires));
    let asks = std::mem::take(&mut bench.wires.asks);
    time(&mut bench.spent.holds, || bench.balances.on_hold_asks(0, asks, &mut bench.wires));
    let holds = std::mem::take(&mut bench.wires.holds);
    time(&mut bench.spent.created, || bench.orders.on_holds(holds, &mut bench.wires));
    bench.commit();
    let heard: Arc<Heard<ChannelReport>> = Arc::new(Heard::default());
    let reports: Arc<dyn ReportSink> = heard.clone();
    let calls = std::mem::take(&mut bench.wires.calls);
    time(&mut bench.spent.channel, || {
        let mut by_channel: Vec<Vec<ChannelRequest>> = adapters.iter().map(|_| Vec::new()).collect();
        for call in calls {
            by_channel[usize::from(call.channel.0) - 1].push(call);
        }
        for (adapter, calls) in adapters.iter().zip(by_channel) {
            adapter.perform(now, calls, &reports);
        }
    });
    let reports = std::mem::take(&mut *heard.0.lock().expect("one thread"));
    time(&mut bench.spent.paid, || bench.orders.on_reports(reports, &mut bench.wires));
    bench.commit();
    std::mem::take(&mut *answers.0.lock().expect("one thread"))
}

/// Releases orders that were created, and forgets them.
fn release(bench: &mut Bench, created: Vec<Answer>) {
    let sink: Arc<dyn AnswerSink> = Arc::new(Heard::default());
    let releases = created.into_iter().map(|answer| {
        let Ok(Reply::Order(told)) = answer.result else { panic!("refused: {answer:?}") };
        let command =
            OrderCommand::Release { release_no: "".into(), sub_order: None, amount: None, payees: vec![] };
        let command = Command::Order { platform: Some(PLATFORM), order: OrderRef::Id(told.id), command };
        Request { ticket: answer.ticket, command }
    });
    let releases = releases.collect();
    time(&mut bench.spent.release, || bench.orders.on_requests(releases, &sink, &mut bench.wires));
    bench.commit();
    for finished in std::mem::take(&mut bench.wires.finished) {
        time(&mut bench.spent.archived, || bench.orders.on_archived(&finished.orders));
    }
    for lines in std::mem::take(&mut bench.wires.lines) {
        bench.balances.on_statements_archived(lines.no);
    }
}

/// 1.00 off every order, from the platform's coupon fund.
fn campaign() -> Campaign {
    let fund = AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, 0);
    Campaign {
        id: CampaignId(1),
        platform: PLATFORM,
        currency: Currency::Cny,
        worth: Worth::Face(Amount::from_minor(100)),
        minimum_spend: Amount::ZERO,
        valid_from: TimestampMs(0),
        valid_until: TimestampMs::NEVER,
        funders: [Funder { account: fund, bps: 10_000 }].into(),
        merchants: vec![],
        stock: None,
        per_customer: None,
        stackable: false,
        rank: 0,
        claimable: true,
    }
}

fn terms(n: u64, now: TimestampMs, merchants: &[AccountId], agents: &[AccountId]) -> OrderTerms {
    let amount = Amount::from_minor(1_000 + n % 400_000);
    let place = usize::try_from(n).expect("orders are counted in usize");
    let commission = AccountId::internal(AccountType::CommissionIncome, PLATFORM.0, Currency::Cny, 0);
    let sub_orders = [SubOrder { merchant: merchants[place % merchants.len()], amount }];
    OrderTerms {
        platform: PLATFORM,
        order_no: smol_str::format_smolstr!("P{n}"),
        payer: smol_str::format_smolstr!("B{}", n % 100_000),
        payer_account: None,
        amount,
        currency: Currency::Cny,
        kind: if n.is_multiple_of(2) { PayKind::Gateway } else { PayKind::QuickPay },
        bank: Bank::from_code("ICBC"),
        card_type: Some(CardType::Debit),
        agreement_no: "AGREE1".into(),
        description: "tea".into(),
        expires_at: now + DurationMs::from_days(1),
        escrow: true,
        virtual_goods: false,
        coupons: uses(&[&campaign()], &sub_orders),
        sub_orders: sub_orders.into(),
        splits: [
            SplitRule::new(commission, Share::Bps(500)),
            SplitRule::new(agents[place % agents.len()], Share::Bps(200)),
        ]
        .into(),
        callback: "".into(),
        metadata: vec![],
        attributes: None,
    }
}
