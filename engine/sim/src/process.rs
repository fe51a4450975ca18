//! The engine as one process of the simulation: the real shards, log writer, keeper and recovery, with inboxes instead of
//! actors and threads.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, unbounded};
use hdrhistogram::Histogram;
use rustc_hash::FxHashMap;
use suanpan_core::routing::{Router, RoutingRules};
use suanpan_model::{ChannelId, ChannelReport, ChannelRequest, Conditions, Lsn};
use suanpan_runtime::api::{AnswerSink, Request};
use suanpan_runtime::balance_shard::{self, BalanceShard, Told};
use suanpan_runtime::clock::Clock;
use suanpan_runtime::journal::{FaultyStorage, JournalFault, JournalOptions, SegmentJournal};
use suanpan_runtime::keeper::{self, Keeper};
use suanpan_runtime::learner::{Folded, Learner};
use suanpan_runtime::log_writer::{self, LogMessage, LogWriter, TrialSender};
use suanpan_runtime::messages::{
    AccountCommand, AnnouncedRows, Finished, FinishedOrder, HoldAnswer, HoldAsk, Instructions, KeeperMessage,
    LogBatch, Rows, Source, VoidAsk,
};
use suanpan_runtime::order_shard::{self, OrderShard};
use suanpan_runtime::recovery::{Purpose, Settings, Threads, recover_with};
use suanpan_runtime::registry::Registry;
use suanpan_runtime::retention::Expiry;
use suanpan_runtime::rulebook::RuleBook;
use suanpan_runtime::shared::{Counters, Feed, Gate, Shared, Tidings};
use suanpan_runtime::statements::HandOver;
use suanpan_runtime::store::{MemoryTables, Store, StoreOptions};

use crate::plan::Plan;
use crate::tap::{Tap, TapJournal};

/// Who gets messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// A shard of orders.
    Orders(usize),
    /// A shard of accounts.
    Balances(usize),
    /// The log writer.
    Log,
    /// The store keeper.
    Keeper,
}

/// Who sends messages: an actor, or the world.
pub type Sender = Option<Actor>;

/// A message to an actor.
pub enum Message {
    /// To orders: requests of malls.
    Requests(Vec<Request>, Arc<dyn AnswerSink>),
    /// To orders: channels said something.
    Reports(Vec<ChannelReport>),
    /// To orders: what became of holds.
    Holds(Vec<HoldAnswer>),
    /// To shards: a batch is durable.
    Committed(Lsn, Vec<u8>),
    /// To orders: the archive has them.
    Archived(Vec<FinishedOrder>),
    /// To shards: a checkpoint is wanted.
    Checkpoint(u64, Lsn),
    /// To accounts: more rows of a checkpoint are to be captured.
    GoOn,
    /// To shards: work can begin.
    Recover,
    /// To accounts: holds are wanted.
    HoldAsks(usize, Vec<HoldAsk>),
    /// To accounts: holds are given back.
    Voids(Vec<VoidAsk>),
    /// To accounts: openings and top-ups.
    Commands(Vec<(AccountCommand, Told)>),
    /// To accounts: what the log tells to do.
    Instruct(Vec<(Lsn, Instructions)>, Lsn),
    /// To accounts: the archive has statement lines.
    StatementsArchived(u64),
    /// To the log writer.
    Log(LogMessage),
    /// To the keeper.
    Keeper(KeeperMessage),
}

/// What actors sent and nobody delivered yet.
#[derive(Default)]
pub struct Post {
    /// Messages, oldest first.
    pub messages: Vec<(Actor, Sender, Message)>,
    /// Channel calls.
    pub calls: Vec<ChannelRequest>,
}

type SharedPost = Arc<Mutex<Post>>;

/// The way out of an actor.
#[derive(Clone)]
struct Ports {
    me: Actor,
    post: SharedPost,
    has_room: bool,
}

impl Ports {
    fn send(&self, to: Actor, message: Message) {
        let mut post = self.post.lock().unwrap_or_else(PoisonError::into_inner);
        post.messages.push((to, Some(self.me), message));
    }

    fn index(&self) -> usize {
        match self.me {
            Actor::Orders(index) | Actor::Balances(index) => index,
            Actor::Log | Actor::Keeper => 0,
        }
    }
}

impl order_shard::Outside for Ports {
    fn log(&mut self, batch: LogBatch) {
        self.send(Actor::Log, Message::Log(LogMessage::Batch(batch)));
    }

    fn hold(&mut self, shard: usize, asks: Vec<HoldAsk>) {
        self.send(Actor::Balances(shard), Message::HoldAsks(self.index(), asks));
    }

    fn void(&mut self, shard: usize, asks: Vec<VoidAsk>) {
        self.send(Actor::Balances(shard), Message::Voids(asks));
    }

    fn call(&mut self, calls: Vec<ChannelRequest>) {
        self.post.lock().unwrap_or_else(PoisonError::into_inner).calls.extend(calls);
    }

    fn archive(&mut self, finished: Finished) {
        self.send(Actor::Keeper, Message::Keeper(KeeperMessage::Finished(finished)));
    }

    fn checkpoint(&mut self, rows: Rows) {
        self.send(Actor::Keeper, Message::Keeper(KeeperMessage::Checkpoint(rows)));
    }

    fn has_room_for_rows(&self) -> bool {
        self.has_room
    }
}

impl balance_shard::Outside for Ports {
    fn log(&mut self, batch: LogBatch) {
        self.send(Actor::Log, Message::Log(LogMessage::Batch(batch)));
    }

    fn answer_holds(&mut self, shard: usize, answers: Vec<HoldAnswer>) {
        self.send(Actor::Orders(shard), Message::Holds(answers));
    }

    fn archive(&mut self, shard: usize, lines: HandOver) {
        self.send(Actor::Keeper, Message::Keeper(KeeperMessage::Statements { shard, lines }));
    }

    fn checkpoint(&mut self, rows: Rows) {
        self.send(Actor::Keeper, Message::Keeper(KeeperMessage::Checkpoint(rows)));
    }

    fn go_on(&mut self) {
        self.send(self.me, Message::GoOn);
    }
}

/// Tells actors what the log writer and the keeper have to say.
struct Herald {
    ports: Ports,
    shards: usize,
}

impl log_writer::Listeners for Herald {
    fn instruct(&self, shard: usize, chunks: Vec<(Lsn, Instructions)>, durable: Lsn) {
        self.ports.send(Actor::Balances(shard), Message::Instruct(chunks, durable));
    }

    fn committed(&self, source: Source, first: Lsn, payload: Vec<u8>) {
        let to = match source {
            Source::Orders(shard) => Actor::Orders(shard),
            Source::Balances(shard) => Actor::Balances(shard),
        };
        self.ports.send(to, Message::Committed(first, payload));
    }

    fn announced(&self, announced: Vec<AnnouncedRows>) {
        self.ports.send(Actor::Keeper, Message::Keeper(KeeperMessage::Announced(announced)));
    }

    fn checkpoint(&self, epoch: u64, durable: Lsn) {
        for shard in 0..self.shards {
            self.ports.send(Actor::Orders(shard), Message::Checkpoint(epoch, durable));
        }
        for shard in 0..self.shards {
            self.ports.send(Actor::Balances(shard), Message::Checkpoint(epoch, durable));
        }
    }

    fn trial(&self, _to: &TrialSender) {}

    fn broken(&self, _fault: &JournalFault) {}
}

impl keeper::Listeners for Herald {
    fn archived(&self, shard: usize, orders: Vec<FinishedOrder>) {
        self.ports.send(Actor::Orders(shard), Message::Archived(orders));
    }

    fn statements_archived(&self, shard: usize, hand_over: u64) {
        self.ports.send(Actor::Balances(shard), Message::StatementsArchived(hand_over));
    }
}

/// Messages that wait for an actor: in the order of sending, or in that of each sender.
#[derive(Default)]
struct Inbox {
    queues: Vec<(Sender, VecDeque<Message>)>,
}

impl Inbox {
    fn push(&mut self, from: Sender, message: Message) {
        match self.queues.iter_mut().find(|(sender, _)| *sender == from) {
            Some((_, queue)) => queue.push_back(message),
            None => self.queues.push((from, VecDeque::from([message]))),
        }
    }

    fn len(&self) -> usize {
        self.queues.iter().map(|(_, queue)| queue.len()).sum()
    }

    fn pop(&mut self, dice: &mut crate::dice::Dice) -> Option<Message> {
        let full = self.queues.iter().filter(|(_, queue)| !queue.is_empty()).count();
        let chosen = dice.place(full);
        let queue = self.queues.iter_mut().filter(|(_, queue)| !queue.is_empty()).nth(chosen);
        queue.and_then(|(_, queue)| queue.pop_front())
    }
}

/// What the process is started on and with.
pub struct Ground {
    /// The journal's disk.
    pub disk: FaultyStorage,
    /// The store's disk.
    pub tables: MemoryTables,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Channels and rules.
    pub router: Router,
    /// Sees what is written to the log.
    pub tap: Arc<Mutex<Tap>>,
}

impl Ground {
    /// Empty disks; `losses` decides what power cuts lose.
    ///
    /// # Panics
    /// When the channels of the plan cannot be routed over: a bug of the plan.
    #[must_use]
    pub fn of(plan: &Plan, clock: Arc<dyn Clock>, losses: u64) -> Self {
        let capabilities = plan.channels.iter().map(|one| one.capability.clone()).collect();
        let rules = RoutingRules {
            version: 1,
            order: vec![plan.strategy],
            seed: plan.seed,
            ..RoutingRules::default()
        };
        let disk = FaultyStorage::new(losses);
        disk.set_rot(plan.disks.rots);
        Self {
            disk,
            tables: MemoryTables::new(),
            clock,
            router: Router::new(capabilities, rules, vec![]).expect("the rules of all lives are right"),
            tap: Arc::new(Mutex::new(Tap::default())),
        }
    }

    /// Under which conditions each channel's results count.
    #[must_use]
    pub fn conditions(&self) -> FxHashMap<ChannelId, Conditions> {
        self.router.capabilities().iter().map(|known| (known.id, known.conditions.clone())).collect()
    }
}

/// Why the process does not start.
#[derive(Debug)]
pub enum NoStart {
    /// A disk: it may work the next time.
    Disk(String),
    /// The state is not what it must be.
    Broken(Vec<String>),
}

/// The running engine.
pub struct Process {
    /// What actors share.
    pub shared: Arc<Shared>,
    /// Shards of orders.
    pub orders: Vec<OrderShard>,
    /// Shards of accounts.
    pub balances: Vec<BalanceShard>,
    writer: LogWriter<Herald>,
    keeper: Keeper<Herald>,
    from_keeper: Receiver<LogMessage>,
    post: SharedPost,
    inboxes: Vec<(Actor, Inbox)>,
    causal: bool,
    backlog: usize,
    /// The log writer, or the keeper, takes nothing until its disk works again.
    pub log_refused: bool,
    /// See `log_refused`.
    pub keeper_refused: bool,
}

/// Settings of the journal of a life; also for whoever looks at its files.
#[must_use]
pub fn journal_options(plan: &Plan) -> JournalOptions {
    JournalOptions {
        segment_bytes: plan.segment_bytes,
        prepare_in_background: false,
        id_if_new: Some(plan.seed | 1),
        max_spares: 2,
        ..JournalOptions::default()
    }
}

impl Process {
    /// Opens the disks, recovers, and starts the actors.
    pub fn start(plan: &Plan, ground: &Ground) -> Result<Self, NoStart> {
        let disk = |fault: &dyn std::fmt::Display| NoStart::Disk(fault.to_string());
        let journal = SegmentJournal::open_in(Arc::new(ground.disk.clone()), journal_options(plan))
            .map_err(|fault| disk(&fault))?;
        let store =
            Store::open_on(Box::new(ground.tables.clone()), Path::new("memory"), StoreOptions::default())
                .map_err(|fault| disk(&fault))?;
        let conditions = ground.conditions();
        let settings = Settings {
            limits: plan.limits,
            conditions: &conditions,
            policies: std::slice::from_ref(&plan.policy),
            threads: Threads::One,
        };
        let mut recovered = recover_with(settings, &store, &journal, plan.shards, Purpose::Start)
            .map_err(|fault| disk(&fault))?;
        let folded =
            Folded { upto: recovered.durable, learning: std::mem::take(&mut recovered.meta.learning) };
        let survey = recovered.survey(Threads::One);
        if !survey.breaks.is_empty() {
            return Err(NoStart::Broken(survey.breaks));
        }
        let (in_flight, live, lag) = plan.gate;
        let shared = Arc::new(Shared {
            clock: Arc::clone(&ground.clock),
            registry: Registry::new(vec![plan.policy.clone()]),
            learner: Learner::new(ground.router.capabilities(), folded),
            rules: RuleBook::in_memory(),
            router: ArcSwap::from_pointee(ground.router.clone()),
            gate: Gate::new(in_flight, live, lag),
            feed: Feed::default(),
            announced: Tidings::default(),
            counters: Counters::default(),
            store,
            limits: plan.limits,
        });
        shared.counters.durable_lsn.store(recovered.durable.0, std::sync::atomic::Ordering::Release);
        let (orders, mut balances) = suanpan_runtime::shards_of(plan.shards, &shared, recovered, &survey)
            .map_err(|fault| disk(&fault))?;
        let post = SharedPost::default();
        let herald =
            |me| Herald { ports: Ports { me, post: Arc::clone(&post), has_room: true }, shards: plan.shards };
        let micros = Arc::new(Mutex::new(Histogram::new(1).expect("one digit is allowed")));
        let tapped = TapJournal::new(journal, Arc::clone(&ground.tap));
        let (to_log, from_keeper) = unbounded();
        let writer = LogWriter::new(
            Box::new(tapped),
            herald(Actor::Log),
            Arc::clone(&shared),
            plan.shards,
            plan.checkpoint_every_bytes,
            micros,
        );
        let keeper = Keeper::new(Arc::clone(&shared), herald(Actor::Keeper), to_log, 2 * plan.shards);
        let shards = 0..plan.shards;
        let actors = shards.clone().map(Actor::Orders).chain(shards.map(Actor::Balances));
        let inboxes =
            actors.chain([Actor::Log, Actor::Keeper]).map(|actor| (actor, Inbox::default())).collect();
        // In the real process, too, they wait in the mailboxes before anybody else can send anything: the numbers of
        // these holds are given out again.
        for orphan in survey.orphans {
            let shard = orphan.hold.account.shard(plan.shards);
            let mut ports = Ports { me: Actor::Balances(shard), post: Arc::clone(&post), has_room: true };
            balances[shard].on_voids(vec![orphan], &mut ports);
        }
        for shard in 0..plan.shards {
            lock(&post).messages.push((Actor::Orders(shard), None, Message::Recover));
        }
        for shard in 0..plan.shards {
            lock(&post).messages.push((Actor::Balances(shard), None, Message::Recover));
        }
        Ok(Self {
            shared,
            orders,
            balances,
            writer,
            keeper,
            from_keeper,
            post,
            inboxes,
            causal: plan.causal,
            backlog: plan.backlog,
            log_refused: false,
            keeper_refused: false,
        })
    }

    /// Lets every actor take what waits for it until nothing does; the calls to channels that came of it.
    pub fn run_dry(&mut self, dice: &mut crate::dice::Dice) -> Vec<ChannelRequest> {
        let actors: Vec<Actor> = self.inboxes.iter().map(|(actor, _)| *actor).collect();
        let mut calls = Vec::new();
        loop {
            calls.extend(self.deliver_post());
            if !actors.iter().any(|actor| self.take_one(*actor, dice)) {
                return calls;
            }
        }
    }

    /// Delivers what was sent; the calls to channels among it.
    pub fn deliver_post(&mut self) -> Vec<ChannelRequest> {
        let post = self.take_post();
        for (to, from, message) in post.messages {
            self.deliver(to, from, message);
        }
        post.calls
    }

    /// Puts a message into an actor's inbox.
    pub fn deliver(&mut self, to: Actor, from: Sender, message: Message) {
        // One queue feeds the log writer and the keeper in the real process, too: what was sent first comes first.
        let one_queue = self.causal || matches!(to, Actor::Log | Actor::Keeper);
        let from = if one_queue { None } else { from };
        self.inbox(to).push(from, message);
    }

    fn inbox(&mut self, actor: Actor) -> &mut Inbox {
        let found = self.inboxes.iter_mut().find(|(known, _)| *known == actor);
        &mut found.expect("every actor has an inbox").1
    }

    /// How many messages wait for an actor.
    pub fn waiting(&mut self, actor: Actor) -> usize {
        self.inbox(actor).len()
    }

    /// Whether nothing waits for anybody.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.inboxes.iter().all(|(_, inbox)| inbox.len() == 0)
            && !self.log_refused
            && !self.keeper_refused
            && !self.keeper.has_gathered()
            && lock(&self.post).messages.is_empty()
    }

    /// What was sent since the last look.
    pub fn take_post(&mut self) -> Post {
        while let Ok(message) = self.from_keeper.try_recv() {
            lock(&self.post).messages.push((Actor::Log, Some(Actor::Keeper), Message::Log(message)));
        }
        std::mem::take(&mut lock(&self.post))
    }

    fn ports(&mut self, me: Actor) -> Ports {
        let has_room = self.waiting(Actor::Keeper) < self.backlog;
        Ports { me, post: Arc::clone(&self.post), has_room }
    }

    /// An actor takes one message; false when there is none, or when it has to wait for its disk.
    pub fn take_one(&mut self, actor: Actor, dice: &mut crate::dice::Dice) -> bool {
        match actor {
            Actor::Log => return self.step_log(dice),
            Actor::Keeper => return self.step_keeper(dice),
            Actor::Orders(_) | Actor::Balances(_) => {}
        }
        let Some(message) = self.inbox(actor).pop(dice) else { return false };
        let mut ports = self.ports(actor);
        match actor {
            Actor::Orders(shard) => orders_take(&mut self.orders[shard], message, &mut ports),
            Actor::Balances(shard) => balances_take(&mut self.balances[shard], message, &mut ports),
            Actor::Log | Actor::Keeper => {}
        }
        true
    }

    /// The log writer gathers some messages and takes a step.
    fn step_log(&mut self, dice: &mut crate::dice::Dice) -> bool {
        if !self.log_refused {
            let mut gathered = 0;
            while self.writer.has_room() && (gathered == 0 || dice.below(4) != 0) {
                match self.inbox(Actor::Log).pop(dice) {
                    Some(Message::Log(message)) => self.writer.take(message),
                    Some(_) | None => break,
                }
                gathered += 1;
            }
            if gathered == 0 {
                return false;
            }
        }
        self.log_refused = self.writer.step() == log_writer::Step::Refused;
        !self.log_refused
    }

    fn step_keeper(&mut self, dice: &mut crate::dice::Dice) -> bool {
        if !self.keeper_refused {
            match self.inbox(Actor::Keeper).pop(dice) {
                Some(Message::Keeper(message)) => {
                    self.keeper.take(message);
                    self.keeper.announce();
                }
                Some(_) | None => return false,
            }
        }
        self.keeper_refused = self.keeper.step() == keeper::Step::Refused;
        !self.keeper_refused
    }

    /// The keeper has waited long enough for more.
    pub fn feed(&mut self) {
        if self.keeper.has_gathered() && !self.keeper_refused {
            self.keeper.feed();
            self.keeper_refused = self.keeper.step() == keeper::Step::Refused;
        }
    }

    /// Whoever tells malls lets the keeper remove a portion of what is old.
    pub fn expire(&mut self, expiry: Expiry) {
        if !self.keeper_refused {
            self.keeper.take(KeeperMessage::expire(expiry).0);
            self.keeper_refused = self.keeper.step() == keeper::Step::Refused;
        }
    }

    /// Whether the keeper gathers.
    #[must_use]
    pub fn has_gathered(&self) -> bool {
        self.keeper.has_gathered()
    }

    /// A shard looks at its timers.
    pub fn tick(&mut self, shard: usize) {
        let mut ports = self.ports(Actor::Orders(shard));
        self.orders[shard].on_tick(&mut ports);
    }

    /// A shard of accounts hands its statement lines over.
    pub fn hand_over(&mut self, shard: usize) {
        let mut ports = self.ports(Actor::Balances(shard));
        self.balances[shard].hand_over_statements(&mut ports);
    }

    /// Asks a shard of orders something at once, past its inbox.
    pub fn ask(&mut self, shard: usize, requests: Vec<Request>, sink: &Arc<dyn AnswerSink>) {
        let mut ports = self.ports(Actor::Orders(shard));
        self.orders[shard].on_requests(requests, sink, &mut ports);
    }
}

fn lock(post: &SharedPost) -> std::sync::MutexGuard<'_, Post> {
    post.lock().unwrap_or_else(PoisonError::into_inner)
}

fn orders_take(shard: &mut OrderShard, message: Message, ports: &mut Ports) {
    match message {
        Message::Requests(requests, sink) => shard.on_requests(requests, &sink, ports),
        Message::Reports(reports) => shard.on_reports(reports, ports),
        Message::Holds(answers) => shard.on_holds(answers, ports),
        Message::Committed(first, payload) => shard.on_committed(first, payload, ports),
        Message::Archived(orders) => shard.on_archived(&orders),
        Message::Checkpoint(epoch, durable) => shard.on_checkpoint(epoch, durable, ports),
        Message::Recover => shard.recover(ports),
        Message::HoldAsks(..)
        | Message::Voids(_)
        | Message::Commands(_)
        | Message::Instruct(..)
        | Message::StatementsArchived(_)
        | Message::GoOn
        | Message::Log(_)
        | Message::Keeper(_) => unreachable!("not a message to a shard of orders"),
    }
}

fn balances_take(shard: &mut BalanceShard, message: Message, ports: &mut Ports) {
    match message {
        Message::HoldAsks(from, asks) => shard.on_hold_asks(from, asks, ports),
        Message::Voids(asks) => shard.on_voids(asks, ports),
        Message::Commands(commands) => shard.on_commands(commands, ports),
        Message::Instruct(chunks, durable) => shard.on_instructions(chunks, durable, ports),
        Message::Committed(..) => shard.on_committed(ports),
        Message::StatementsArchived(hand_over) => shard.on_statements_archived(hand_over),
        Message::Checkpoint(epoch, _) => shard.on_checkpoint(epoch, ports),
        Message::GoOn => shard.capture(ports),
        Message::Recover => shard.recover_all_debts(ports),
        Message::Requests(..)
        | Message::Reports(_)
        | Message::Holds(_)
        | Message::Archived(_)
        | Message::Log(_)
        | Message::Keeper(_) => unreachable!("not a message to a shard of accounts"),
    }
}
