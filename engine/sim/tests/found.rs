//! Bugs that the simulation found, each played step by step, so that they stay found whatever becomes of the seeds.
#![expect(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use suanpan_core::ledger::LedgerCommand;
use suanpan_model::command::{OrderRef, RefundRequest};
use suanpan_model::*;
use suanpan_runtime::Limits;
use suanpan_runtime::api::{Answer, AnswerSink, Command, Reply, Request};
use suanpan_runtime::clock::ManualClock;
use suanpan_runtime::log_writer::LogMessage;
use suanpan_runtime::messages::{AccountCommand, KeeperMessage};
use suanpan_sim::Plan;
use suanpan_sim::dice::Dice;
use suanpan_sim::plan::{Crashes, Disks, Network, PLATFORM};
use suanpan_sim::process::{Actor, Ground, Message, Process};

const NOW: TimestampMs = TimestampMs(1_795_327_536_000);
const ORDERS: Actor = Actor::Orders(0);

#[derive(Default)]
struct Told(Mutex<Vec<Answer>>);

impl AnswerSink for Told {
    fn deliver(&self, answers: Vec<Answer>) {
        self.0.lock().unwrap().extend(answers);
    }
}

/// One shard of each kind, a merchant, and a mall.
struct Stage {
    plan: Plan,
    ground: Ground,
    process: Process,
    dice: Dice,
    told: Arc<Told>,
    merchant: AccountId,
}

impl Stage {
    fn new() -> Self {
        let plan = Plan {
            shards: 1,
            causal: true,
            limits: Limits::USUAL,
            backlog: 1,
            checkpoint_every_bytes: u64::MAX,
            gate: (1_000, 1_000, 1_000),
            policy: PlatformPolicy::defaults(PLATFORM),
            network: Network::default(),
            crashes: Crashes::default(),
            disks: Disks::default(),
            ..Plan::of(1)
        };
        let clock = Arc::new(ManualClock::default());
        clock.set(NOW);
        let ground = Ground::of(&plan, clock, 1);
        let process = Process::start(&plan, &ground).unwrap_or_else(|_| panic!("it starts"));
        let merchant = AccountId::opened(AccountType::Settlement, 1, 1);
        let mut stage = Self { plan, ground, process, dice: Dice::new(1), told: Arc::default(), merchant };
        let open = LedgerCommand::Open {
            account: merchant,
            platform: PLATFORM,
            reference: "m".into(),
            currency: Currency::Cny,
            parent: None,
            credit_limit: Amount::ZERO,
        };
        let message = Message::Commands(vec![(AccountCommand::Ledger(open), Box::new(|_| {}))]);
        stage.process.deliver(Actor::Balances(0), None, message);
        stage.process.run_dry(&mut stage.dice);
        stage
    }

    fn terms(&self, order_no: &str) -> OrderTerms {
        let amount = Amount::from_minor(1_000);
        OrderTerms {
            platform: PLATFORM,
            order_no: order_no.into(),
            payer: "b".into(),
            payer_account: None,
            amount,
            currency: Currency::Cny,
            kind: PayKind::Gateway,
            bank: Bank::from_code("ICBC"),
            card_type: Some(CardType::Debit),
            agreement_no: "".into(),
            description: "".into(),
            expires_at: NOW + DurationMs::from_secs(600),
            escrow: true,
            virtual_goods: false,
            coupons: vec![],
            sub_orders: [SubOrder { merchant: self.merchant, amount }].into(),
            splits: smallvec::SmallVec::new(),
            callback: "".into(),
            metadata: vec![],
            attributes: None,
        }
    }

    /// Puts a request into the inbox of the shard.
    fn asks(&mut self, command: Command) {
        self.process.shared.gate.took_in(1);
        let sink = Arc::clone(&self.told) as Arc<dyn AnswerSink>;
        let requests = vec![Request { ticket: Ticket(0), command }];
        self.process.deliver(ORDERS, None, Message::Requests(requests, sink));
    }

    fn does(&mut self, id: OrderId, command: OrderCommand) {
        self.asks(Command::Order { platform: None, order: OrderRef::Id(id), command });
    }

    fn run(&mut self) -> Vec<ChannelRequest> {
        self.process.run_dry(&mut self.dice)
    }

    fn hears(&mut self, call: &ChannelRequest, outcome: Outcome) {
        let ChannelRequest { channel, order, attempt, .. } = *call;
        let report = ChannelReport { channel, order, attempt, source: ReportSource::PayNotice, outcome };
        self.process.deliver(ORDERS, None, Message::Reports(vec![report]));
    }

    /// An order that is frozen; the call that was made for it.
    fn frozen(&mut self, order_no: &str) -> ChannelRequest {
        let terms = self.terms(order_no);
        self.asks(Command::Create(Arc::new(terms)));
        let call = self.run().pop().unwrap();
        self.hears(&call, paid(&call));
        self.run();
        call
    }

    fn status(&mut self, id: OrderId) -> OrderStatus {
        self.told.0.lock().unwrap().clear();
        self.asks(Command::Query { platform: None, order: OrderRef::Id(id) });
        self.run();
        match self.told.0.lock().unwrap().pop().unwrap().result.unwrap() {
            Reply::Life(order) => order.status,
            Reply::Order(told) => told.status,
        }
    }

    /// The process is killed and started again.
    fn restarts(self) -> Self {
        let Self { plan, ground, process, dice, told, merchant } = self;
        drop(process);
        let process = Process::start(&plan, &ground).unwrap_or_else(|fault| panic!("{fault:?}"));
        let mut stage = Self { plan, ground, process, dice, told, merchant };
        stage.run();
        stage
    }
}

fn paid(call: &ChannelRequest) -> Outcome {
    Outcome::Succeeded { channel_no: "C-1".into(), amount: call.amount, fee: None }
}

/// A checkpoint has a row of a frozen order. The order settles and is archived. The next checkpoint is to delete the row, but
/// has to wait, and meanwhile a request that is refused brings the order back for a moment. The row must go all the
/// same: with it, a restart took the order for frozen, found the escrow account empty, and refused to start.
#[test]
fn the_old_row_of_an_order_that_was_brought_back_goes() {
    let mut stage = Stage::new();
    let call = stage.frozen("A-1");
    stage.process.deliver(Actor::Log, None, Message::Log(LogMessage::Checkpoint));
    stage.run();
    stage.does(
        call.order,
        OrderCommand::Release { release_no: "".into(), sub_order: None, amount: None, payees: vec![] },
    );
    stage.run();
    stage.process.feed();
    stage.run();
    // The keeper is busy: no room for rows.
    let (done, _flushed) = crossbeam::channel::unbounded();
    stage.process.deliver(Actor::Keeper, None, Message::Keeper(KeeperMessage::Flush(done)));
    stage.process.deliver(Actor::Log, None, Message::Log(LogMessage::Checkpoint));
    assert!(stage.process.take_one(Actor::Log, &mut stage.dice));
    stage.process.deliver_post();
    assert!(stage.process.take_one(ORDERS, &mut stage.dice));
    // Another order's batch is on its way to the log, and keeps in memory what is brought back now.
    let other = stage.terms("A-2");
    stage.asks(Command::Create(Arc::new(other)));
    stage.does(
        call.order,
        OrderCommand::Refund(RefundRequest { refund_no: "R".into(), sub_order: None, amount: None }),
    );
    assert!(stage.process.take_one(ORDERS, &mut stage.dice));
    assert!(stage.process.take_one(ORDERS, &mut stage.dice));
    // The keeper has room again: the rows are captured while the order is in memory.
    assert!(stage.process.take_one(Actor::Keeper, &mut stage.dice));
    stage.process.tick(0);
    stage.run();
    stage.process.feed();
    stage.run();
    assert_eq!(stage.process.shared.counters.checkpoints.load(std::sync::atomic::Ordering::Relaxed), 2);
    let mut stage = stage.restarts();
    assert_eq!(stage.status(call.order), OrderStatus::Settled);
}

/// A channel tells of a payment of an order that was closed and archived, while the archive cannot be read: the news waits.
#[test]
fn news_of_an_archived_order_waits_until_the_archive_can_be_read() {
    let mut stage = Stage::new();
    let terms = stage.terms("A-1");
    stage.asks(Command::Create(Arc::new(terms)));
    let call = stage.run().pop().unwrap();
    stage.hears(&call, Outcome::Failed { kind: FailureKind::Payer, code: "NO".into() });
    stage.run();
    stage.process.feed();
    stage.run();
    assert_eq!(stage.status(call.order), OrderStatus::Failed);
    stage.ground.tables.fail_reads(0, ErrorKind::Other);
    stage.hears(&call, paid(&call));
    assert!(stage.run().is_empty());
    stage.process.tick(0);
    assert!(stage.run().is_empty(), "still not to be read");
    stage.ground.tables.heal();
    stage.process.tick(0);
    let calls = stage.run();
    assert!(calls.iter().any(|call| matches!(call.op, ChannelOp::Refund { .. })), "{calls:?}");
}
