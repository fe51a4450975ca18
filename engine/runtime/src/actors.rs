//! The actors: thin shells that feed shards with messages and carry out what they hand back.
//!
//! A shard that panics is poisoned: it is dropped, the engine says that it is unavailable, and the state is rebuilt
//! from the log at the next start. Nothing that was acknowledged is in danger: the log has it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use crossbeam::channel::Sender;
use rustc_hash::FxHashMap;
use suanpan_channels::{Adapter, ReportSink};
use suanpan_model::{
    AccountId, ChannelId, ChannelReport, ChannelRequest, Lsn, Order, OrderId, Reject, RejectCode, TimestampMs,
};
use tokio::sync::oneshot;

use crate::api::{Answer, AnswerSink, Balance, Request, StatementLine, StatementQuery};
use crate::balance_shard::{self, BalanceShard, Told};
use crate::bell::Bell;
use crate::journal::JournalFault;
use crate::log_writer::{self, LogMessage, TrialSender};
use crate::messages::{
    AccountCommand, AnnouncedRows, Finished, FinishedOrder, HoldAnswer, HoldAsk, Instructions, KeeperMessage,
    LogBatch, Rows, Source, VoidAsk,
};
use crate::order_list::OrderQuery;
use crate::order_shard::{self, InMemory, OrderShard};
use crate::shared::Shared;
use crate::statements::HandOver;
use crate::{clock::Clock, keeper};

/// How often timers are looked at.
const TICK: Duration = Duration::from_millis(50);

/// With this many messages before the store keeper, shards of orders capture no more rows of a checkpoint.
const KEEPER_BACKLOG: usize = 16;

/// Archived orders that shards forget in one go, and the pause after that.
const FORGOTTEN_AT_ONCE: usize = 1_000;
const FORGETTING_PAUSE: Duration = Duration::from_millis(1);

/// How often quiet shards hand their statement lines over.
const STATEMENTS: Duration = Duration::from_secs(1);

/// Addresses of everybody, known once all are started.
pub struct Wiring {
    /// Order actors, by shard.
    pub orders: Vec<Addr<OrderActor>>,
    /// Balance actors, by shard.
    pub balances: Vec<Addr<BalanceActor>>,
    /// Channel actors.
    pub channels: FxHashMap<ChannelId, ChannelAddress>,
    /// The log writer.
    pub log: Sender<LogMessage>,
    /// The store keeper.
    pub keeper: Sender<KeeperMessage>,
}

/// Where calls of a channel go.
pub struct ChannelAddress {
    actor: Addr<ChannelActor>,
    bell: Arc<Bell<ChannelRequest>>,
}

impl ChannelAddress {
    /// The address of an actor.
    #[must_use]
    pub fn new(actor: Addr<ChannelActor>) -> Self {
        Self { actor, bell: Arc::default() }
    }

    fn call(&self, calls: Vec<ChannelRequest>) {
        if self.bell.add(calls) {
            self.actor.do_send(Calls { bell: Arc::clone(&self.bell) });
        }
    }
}

/// Addresses that are filled in when all actors are started. Nobody sends before that.
pub type LateWiring = Arc<OnceLock<Wiring>>;

macro_rules! message {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }

        impl Message for $name {
            type Result = ();
        }
    };
}

message!(
    /// Requests of one caller.
    Requests {
        /// The requests.
        requests: Vec<Request>,
        /// Where answers go.
        sink: Arc<dyn AnswerSink>,
    }
);
message!(
    /// Channels said something.
    Reports {
        /// What.
        bell: Arc<Bell<ChannelReport>>,
    }
);
message!(
    /// Balance shards answered.
    HoldAnswers {
        /// The answers.
        answers: Vec<HoldAnswer>,
    }
);
message!(
    /// A batch is durable.
    Committed {
        /// Position of its first record.
        first: Lsn,
        /// Its buffer, to be used again.
        payload: Vec<u8>,
    }
);
message!(
    /// The archive has orders.
    Archived {
        /// The orders.
        orders: Vec<FinishedOrder>,
    }
);
message!(
    /// A checkpoint is due.
    Checkpoint {
        /// Its number.
        epoch: u64,
        /// Position up to which the log is durable.
        durable: Lsn,
    }
);
message!(
    /// More rows of a checkpoint are to be captured.
    GoOn {}
);
message!(
    /// Work can begin.
    Recover {}
);
message!(
    /// Debts that stood before the restart can be looked at.
    RecoverDebts {}
);
message!(
    /// Orders that need an operator are wanted.
    NeedingOperator {
        /// By whom.
        to: oneshot::Sender<Vec<Arc<Order>>>,
    }
);
message!(
    /// Orders in memory are wanted for a page of a list.
    Listing {
        /// Which.
        query: Arc<OrderQuery>,
        /// By whom.
        to: oneshot::Sender<InMemory>,
    }
);
message!(
    /// It is asked which of these orders are in memory.
    Holding {
        /// The orders.
        ids: Vec<OrderId>,
        /// By whom.
        to: oneshot::Sender<Vec<OrderId>>,
    }
);
message!(
    /// An order shard needs holds.
    HoldAsks {
        /// Which shard.
        from: usize,
        /// The holds.
        asks: Vec<HoldAsk>,
    }
);
message!(
    /// Holds that no order will use.
    Voids {
        /// The holds.
        asks: Vec<VoidAsk>,
    }
);
message!(
    /// Commands of the in-process API.
    Commands {
        /// Each with whom to tell.
        commands: Vec<(AccountCommand, Told)>,
    }
);
message!(
    /// The log tells what to do.
    Instruct {
        /// Instructions with the position of their batch.
        chunks: Vec<(Lsn, Instructions)>,
        /// Position of the last record.
        durable: Lsn,
    }
);
message!(
    /// The archive has statement lines.
    StatementsArchived {
        /// Up to this hand-over.
        hand_over: u64,
    }
);
message!(
    /// The trial balance is wanted.
    Trial {
        /// By whom.
        to: TrialSender,
    }
);
message!(
    /// Balances are wanted.
    Balances {
        /// Of these accounts.
        accounts: Vec<AccountId>,
        /// By whom.
        to: oneshot::Sender<Vec<Option<Balance>>>,
    }
);
message!(
    /// A statement is wanted.
    Statement {
        /// Which.
        query: StatementQuery,
        /// By whom.
        to: oneshot::Sender<Result<Vec<StatementLine>, Reject>>,
    }
);
message!(
    /// Channel calls.
    Calls {
        /// The calls.
        bell: Arc<Bell<ChannelRequest>>,
    }
);

/// The way out of a shard.
pub struct Ports {
    index: usize,
    wiring: LateWiring,
}

impl Ports {
    /// Ports of shard `index`.
    #[must_use]
    pub fn new(index: usize, wiring: LateWiring) -> Self {
        Self { index, wiring }
    }

    fn wiring(&self) -> &Wiring {
        self.wiring.get().expect("actors are wired before the first message")
    }

    /// A thread that has ended takes nothing any more; the engine is stopping then.
    fn to_log(&self, batch: LogBatch) {
        let _ = self.wiring().log.send(LogMessage::Batch(batch));
    }

    fn to_keeper(&self, message: KeeperMessage) {
        let _ = self.wiring().keeper.send(message);
    }
}

impl order_shard::Outside for Ports {
    fn log(&mut self, batch: LogBatch) {
        self.to_log(batch);
    }

    fn hold(&mut self, shard: usize, asks: Vec<HoldAsk>) {
        self.wiring().balances[shard].do_send(HoldAsks { from: self.index, asks });
    }

    fn void(&mut self, shard: usize, asks: Vec<VoidAsk>) {
        self.wiring().balances[shard].do_send(Voids { asks });
    }

    fn call(&mut self, calls: Vec<ChannelRequest>) {
        let mut by_channel: FxHashMap<ChannelId, Vec<ChannelRequest>> = FxHashMap::default();
        for call in calls {
            by_channel.entry(call.channel).or_default().push(call);
        }
        for (channel, calls) in by_channel {
            match self.wiring().channels.get(&channel) {
                Some(address) => address.call(calls),
                None => tracing::error!(%channel, "there is no adapter for a channel of the routing table"),
            }
        }
    }

    fn archive(&mut self, finished: Finished) {
        self.to_keeper(KeeperMessage::Finished(finished));
    }

    fn checkpoint(&mut self, rows: Rows) {
        self.to_keeper(KeeperMessage::Checkpoint(rows));
    }

    fn has_room_for_rows(&self) -> bool {
        self.wiring().keeper.len() < KEEPER_BACKLOG
    }
}

impl balance_shard::Outside for Ports {
    fn log(&mut self, batch: LogBatch) {
        self.to_log(batch);
    }

    fn answer_holds(&mut self, shard: usize, answers: Vec<HoldAnswer>) {
        self.wiring().orders[shard].do_send(HoldAnswers { answers });
    }

    fn archive(&mut self, shard: usize, lines: HandOver) {
        self.to_keeper(KeeperMessage::Statements { shard, lines });
    }

    fn checkpoint(&mut self, rows: Rows) {
        self.to_keeper(KeeperMessage::Checkpoint(rows));
    }

    /// Not at once: a mailbox is emptied in one go, and the shard of orders on this thread has to have its turn.
    fn go_on(&mut self) {
        let address = self.wiring().balances[self.index].clone();
        actix::spawn(async move {
            tokio::task::yield_now().await;
            address.do_send(GoOn {});
        });
    }
}

/// A shard that runs, or the memory that it had to be dropped.
struct Guarded<S> {
    name: &'static str,
    shard: Option<S>,
    ports: Ports,
    shared: Arc<Shared>,
}

impl<S> Guarded<S> {
    /// Runs what the clock asks for. On a slow machine time passes also while the other actors are being started.
    fn tick(&mut self, work: impl FnOnce(&mut S, &mut Ports)) {
        if self.ports.wiring.get().is_some() {
            self.run(work);
        }
    }

    fn run(&mut self, work: impl FnOnce(&mut S, &mut Ports)) {
        let Some(shard) = &mut self.shard else { return };
        let ports = &mut self.ports;
        if catch_unwind(AssertUnwindSafe(|| work(shard, ports))).is_err() {
            self.shard = None;
            let (name, index) = (self.name, self.ports.index);
            tracing::error!(name, index, "a bug stopped a shard; restart to rebuild it from the log");
            self.shared
                .gate
                .poison(format!("a bug stopped {name} shard {index}; restart to rebuild it from the log"));
        }
    }
}

/// Order actor: one shard of orders.
pub struct OrderActor(Guarded<OrderShard>);

impl OrderActor {
    /// An actor around a shard.
    #[must_use]
    pub fn new(shard: OrderShard, ports: Ports, shared: Arc<Shared>) -> Self {
        Self(Guarded { name: "order", shard: Some(shard), ports, shared })
    }
}

impl Actor for OrderActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(0);
        context.run_interval(TICK, |actor, _| actor.0.tick(|shard, ports| shard.on_tick(ports)));
    }
}

impl Handler<Requests> for OrderActor {
    type Result = ();

    fn handle(&mut self, message: Requests, _: &mut Self::Context) {
        let Requests { requests, sink } = message;
        if self.0.shard.is_none() {
            let expected =
                "an engine that was restarted; the outcome of this request is not known, query it then";
            let reject = Reject::new(RejectCode::Unavailable, "", expected);
            let answer = |request: Request| Answer { ticket: request.ticket, result: Err(reject.clone()) };
            self.0.shared.gate.answered(requests.len());
            sink.deliver(requests.into_iter().map(answer).collect());
            return;
        }
        self.0.run(|shard, ports| shard.on_requests(requests, &sink, ports));
    }
}

macro_rules! forward {
    ($actor:ty, $message:ty, |$shard:ident, $received:ident, $ports:ident| $body:expr) => {
        impl Handler<$message> for $actor {
            type Result = ();

            fn handle(&mut self, $received: $message, _: &mut Self::Context) {
                self.0.run(|$shard, $ports| $body);
            }
        }
    };
}

forward!(OrderActor, Reports, |shard, message, ports| shard.on_reports(message.bell.take(), ports));
forward!(OrderActor, HoldAnswers, |shard, message, ports| shard.on_holds(message.answers, ports));
forward!(OrderActor, Committed, |shard, message, ports| {
    shard.on_committed(message.first, message.payload, ports);
});
forward!(OrderActor, Archived, |shard, message, _ports| shard.on_archived(&message.orders));
forward!(OrderActor, Checkpoint, |shard, message, ports| {
    shard.on_checkpoint(message.epoch, message.durable, ports);
});
forward!(OrderActor, Recover, |shard, _message, ports| shard.recover(ports));
// Whoever asked may have given up waiting: then nobody takes the answer.
forward!(OrderActor, NeedingOperator, |shard, message, _ports| {
    let _ = message.to.send(shard.needing_operator());
});
forward!(OrderActor, Listing, |shard, message, _ports| {
    let _ = message.to.send(shard.list(&message.query));
});
forward!(OrderActor, Holding, |shard, message, _ports| {
    let _ = message.to.send(shard.holding(message.ids));
});

/// Balance actor: one shard of accounts.
pub struct BalanceActor(Guarded<BalanceShard>);

impl BalanceActor {
    /// An actor around a shard.
    #[must_use]
    pub fn new(shard: BalanceShard, ports: Ports, shared: Arc<Shared>) -> Self {
        Self(Guarded { name: "balance", shard: Some(shard), ports, shared })
    }
}

impl Actor for BalanceActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(0);
        context.run_interval(STATEMENTS, |actor, _| {
            actor.0.tick(|shard, ports| shard.hand_over_statements(ports));
        });
    }
}

forward!(BalanceActor, HoldAsks, |shard, message, ports| {
    shard.on_hold_asks(message.from, message.asks, ports);
});
forward!(BalanceActor, Voids, |shard, message, ports| shard.on_voids(message.asks, ports));
forward!(BalanceActor, Commands, |shard, message, ports| shard.on_commands(message.commands, ports));
forward!(BalanceActor, Instruct, |shard, message, ports| {
    shard.on_instructions(message.chunks, message.durable, ports);
});
forward!(BalanceActor, RecoverDebts, |shard, _message, ports| shard.recover_all_debts(ports));
forward!(BalanceActor, Committed, |shard, _message, ports| shard.on_committed(ports));
forward!(BalanceActor, StatementsArchived, |shard, message, _ports| {
    shard.on_statements_archived(message.hand_over);
});
forward!(BalanceActor, Checkpoint, |shard, message, ports| shard.on_checkpoint(message.epoch, ports));
forward!(BalanceActor, GoOn, |shard, _message, ports| shard.capture(ports));
// Whoever asked may have given up waiting: then nobody takes the answer.
forward!(BalanceActor, Trial, |shard, message, _ports| {
    let _ = message.to.send(shard.trial());
});
forward!(BalanceActor, Balances, |shard, message, _ports| {
    let _ = message.to.send(message.accounts.iter().map(|account| shard.balance(*account)).collect());
});
forward!(BalanceActor, Statement, |shard, message, _ports| {
    let _ = message.to.send(shard.statement(&message.query));
});

/// Channel actor: calls one adapter and keeps its timers.
pub struct ChannelActor {
    adapter: Arc<dyn Adapter>,
    sink: Arc<dyn ReportSink>,
    clock: Arc<dyn Clock>,
    /// The timer that is set, and for when.
    armed: Option<(actix::SpawnHandle, TimestampMs)>,
}

impl ChannelActor {
    /// An actor around an adapter, whose reports go to `sink`.
    #[must_use]
    pub fn new(adapter: Arc<dyn Adapter>, sink: Arc<dyn ReportSink>, clock: Arc<dyn Clock>) -> Self {
        Self { adapter, sink, clock, armed: None }
    }

    fn advance(&mut self, context: &mut Context<Self>) {
        let now = self.clock.now();
        let next = self.adapter.advance(now, &self.sink);
        if next.is_some() && next == self.armed.map(|(_, at)| at) {
            return;
        }
        if let Some((handle, _)) = self.armed.take() {
            context.cancel_future(handle);
        }
        if let Some(next) = next {
            let wait = Duration::from_millis(next.since(now).0.max(1));
            let handle = context.run_later(wait, |actor, context| {
                actor.armed = None;
                actor.advance(context);
            });
            self.armed = Some((handle, next));
        }
    }
}

impl Actor for ChannelActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(0);
        self.advance(context);
    }
}

impl Handler<Calls> for ChannelActor {
    type Result = ();

    fn handle(&mut self, message: Calls, context: &mut Self::Context) {
        self.adapter.perform(self.clock.now(), message.bell.take(), &self.sink);
        self.advance(context);
    }
}

/// Takes reports to the shards of their orders.
pub struct ReportRouter {
    wiring: LateWiring,
    /// What waits for each shard of orders.
    bells: Vec<Arc<Bell<ChannelReport>>>,
}

impl ReportRouter {
    /// A router to so many shards.
    #[must_use]
    pub fn new(shards: usize, wiring: LateWiring) -> Self {
        Self { wiring, bells: (0..shards).map(|_| Arc::default()).collect() }
    }
}

impl ReportSink for ReportRouter {
    fn deliver(&self, reports: Vec<ChannelReport>) {
        let Some(wiring) = self.wiring.get() else { return };
        let shards = self.bells.len();
        let mut by_shard: Vec<Vec<ChannelReport>> = (0..shards).map(|_| Vec::new()).collect();
        for report in reports {
            by_shard[report.order.shard(shards)].push(report);
        }
        for (shard, reports) in by_shard.into_iter().enumerate() {
            let bell = &self.bells[shard];
            if !reports.is_empty() && bell.add(reports) {
                wiring.orders[shard].do_send(Reports { bell: Arc::clone(bell) });
            }
        }
    }
}

/// Tells actors what the log writer and the keeper have to say.
pub struct Herald {
    wiring: LateWiring,
    /// Orders that shards were told to forget since they were last given time for other things.
    forgotten: Cell<usize>,
}

impl Herald {
    /// A herald to these addresses.
    #[must_use]
    pub fn new(wiring: LateWiring) -> Self {
        Self { wiring, forgotten: Cell::new(0) }
    }

    fn wiring(&self) -> &Wiring {
        self.wiring.get().expect("threads are started after the actors")
    }
}

impl log_writer::Listeners for Herald {
    fn instruct(&self, shard: usize, chunks: Vec<(Lsn, Instructions)>, durable: Lsn) {
        self.wiring().balances[shard].do_send(Instruct { chunks, durable });
    }

    fn committed(&self, source: Source, first: Lsn, payload: Vec<u8>) {
        let wiring = self.wiring();
        match source {
            Source::Orders(shard) => wiring.orders[shard].do_send(Committed { first, payload }),
            Source::Balances(shard) => wiring.balances[shard].do_send(Committed { first, payload }),
        }
    }

    fn announced(&self, announced: Vec<AnnouncedRows>) {
        // A keeper that has ended takes nothing any more; the log has it.
        let _ = self.wiring().keeper.send(KeeperMessage::Announced(announced));
    }

    fn checkpoint(&self, epoch: u64, durable: Lsn) {
        let wiring = self.wiring();
        wiring.orders.iter().for_each(|address| address.do_send(Checkpoint { epoch, durable }));
        wiring.balances.iter().for_each(|address| address.do_send(Checkpoint { epoch, durable }));
    }

    fn trial(&self, to: &TrialSender) {
        self.wiring().balances.iter().for_each(|address| address.do_send(Trial { to: to.clone() }));
    }

    fn broken(&self, fault: &JournalFault) {
        tracing::error!(%fault, "restart once the disk is well again");
    }
}

impl keeper::Listeners for Herald {
    fn archived(&self, shard: usize, orders: Vec<FinishedOrder>) {
        let forgotten = self.forgotten.get() + orders.len();
        self.wiring().orders[shard].do_send(Archived { orders });
        // A feed archives tens of thousands at once: forgotten in one go, they would hold up everybody else's orders.
        self.forgotten.set(forgotten % FORGOTTEN_AT_ONCE);
        if forgotten >= FORGOTTEN_AT_ONCE {
            std::thread::sleep(FORGETTING_PAUSE);
        }
    }

    fn statements_archived(&self, shard: usize, hand_over: u64) {
        self.wiring().balances[shard].do_send(StatementsArchived { hand_over });
    }
}
