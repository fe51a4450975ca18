//! One shard of orders: its live orders, what waits for the log, and what leaves once the log has it.
//!
//! No actor and no thread is in here: an actor feeds it messages and carries out what it hands to [`Outside`]. Every
//! decision is the core's.

mod listing;
mod live;
mod outbox;
mod requests;
mod upkeep;

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use arc_swap::Guard;
use rustc_hash::{FxHashMap, FxHashSet};
use slab::Slab;
use smallvec::SmallVec;
use suanpan_core::order::{self, AccountFacts, Context, Decision, Directory, Events, Granted, HoldNeed};
use suanpan_core::routing::Router;
use suanpan_model::{
    AccountId, Campaign, CampaignId, ChannelReport, ChannelRequest, Lsn, Order, OrderCommand, OrderEvent,
    OrderId, OrderStatus, PlatformId, PlatformPolicy, Record, Reject, RejectCode, TimestampMs,
};

use crate::api::OrderSummary;
use crate::codec::{decode_order_row, step_of};
use crate::messages::{Finished, HoldAsk, LogBatch, Rows, VoidAsk};
use crate::registry::{Campaigns, Policies, Registry};
use crate::shared::{Shared, count};
use crate::store::KeyFilter;
use crate::timers::Timers;

pub use listing::InMemory;
pub(crate) use live::Kept;
pub use live::OrderFacts;
#[cfg(test)]
pub(crate) use live::tests::order as any_order;
use live::{Live, LiveOrders, Place};
use outbox::Tally;
pub use outbox::{Outbox, announced};
use requests::{Purpose, Reserving, Waiter};
use upkeep::{Captured, Checkpointing};

/// Reports that may wait for the archive to be readable.
const POSTPONED_MAX: usize = 65_536;

/// What a shard can make happen outside itself.
pub trait Outside {
    /// Hands a batch to the log writer.
    fn log(&mut self, batch: LogBatch);
    /// Asks balance shard `shard` for holds.
    fn hold(&mut self, shard: usize, asks: Vec<HoldAsk>);
    /// Gives holds back that no order will use.
    fn void(&mut self, shard: usize, asks: Vec<VoidAsk>);
    /// Makes channel calls.
    fn call(&mut self, calls: Vec<ChannelRequest>);
    /// Hands finished orders to the archive.
    fn archive(&mut self, finished: Finished);
    /// Hands checkpoint rows to the store.
    fn checkpoint(&mut self, rows: Rows);
    /// Whether the store keeps up, so that more rows may be captured.
    fn has_room_for_rows(&self) -> bool;
}

/// What accounts and campaigns are, as far as orders asked. Each shard keeps its own copy, so that neither an index nor
/// a count of references is contended for.
#[derive(Default)]
struct FactsCache {
    /// They never change.
    accounts: RefCell<FxHashMap<AccountId, AccountFacts>>,
    campaigns: RefCell<OwnCampaigns>,
}

/// Copies of campaigns, and the state of all of which they are copies.
#[derive(Default)]
struct OwnCampaigns {
    of: Option<Arc<Campaigns>>,
    copies: FxHashMap<CampaignId, Arc<Campaign>>,
}

impl OwnCampaigns {
    fn get(&mut self, id: CampaignId, now: &Arc<Campaigns>) -> Option<Arc<Campaign>> {
        if !self.of.as_ref().is_some_and(|known| Arc::ptr_eq(known, now)) {
            *self = Self { of: Some(Arc::clone(now)), copies: FxHashMap::default() };
        }
        if let Some(own) = self.copies.get(&id) {
            return Some(Arc::clone(own));
        }
        let (campaign, _) = now.get(&id)?;
        let own = Arc::new(Campaign::clone(campaign));
        self.copies.insert(id, Arc::clone(&own));
        Some(own)
    }
}

/// What the decisions of one message read, looked up once for all of them: the settings as they are when it comes. Accounts are
/// not among them, since those never change.
struct Scene {
    now: TimestampMs,
    policies: Guard<Arc<Policies>>,
    campaigns: Guard<Arc<Campaigns>>,
    router: Guard<Arc<Router>>,
    /// Whether anybody wants to be told what happens.
    has_subscribers: bool,
}

impl Scene {
    fn policy(&self, platform: PlatformId) -> Result<&PlatformPolicy, Reject> {
        self.policies.get(&platform).map(|policy| &**policy).ok_or_else(unknown_platform)
    }

    fn directory<'a>(&'a self, registry: &'a Registry, cache: &'a FactsCache) -> Known<'a> {
        Known { registry, campaigns: &self.campaigns, cache }
    }
}

/// The shared registry behind a shard's own copy.
struct Known<'a> {
    registry: &'a Registry,
    campaigns: &'a Arc<Campaigns>,
    cache: &'a FactsCache,
}

impl Directory for Known<'_> {
    fn account(&self, id: AccountId) -> Option<AccountFacts> {
        let known = self.cache.accounts.borrow().get(&id).copied();
        known.or_else(|| {
            let facts = self.registry.account(id)?;
            self.cache.accounts.borrow_mut().insert(id, facts);
            Some(facts)
        })
    }

    fn campaign(&self, id: CampaignId) -> Option<Arc<Campaign>> {
        self.cache.campaigns.borrow_mut().get(id, self.campaigns)
    }
}

/// One shard of orders.
pub struct OrderShard {
    index: usize,
    shared: Arc<Shared>,
    /// Those that are coming, those that are live, and those that ended and wait for the archive.
    live: LiveOrders,
    /// Room to encode rows in.
    row_buffer: Vec<u8>,
    /// The orders in memory by platform and number, for lists.
    listed: BTreeSet<(PlatformId, OrderId)>,
    /// Orders that came in this message and are to be listed.
    unlisted: Vec<(PlatformId, OrderId)>,
    archived: KeyFilter,
    /// Decisions that wait for holds.
    reserving: Slab<Reserving>,
    /// Recorded orders with such a decision.
    deciding: FxHashSet<OrderId>,
    /// Holds to ask for, by balance shard.
    asks: Vec<Vec<HoldAsk>>,
    /// Holds to ask for once the batch with this number is durable, oldest first.
    later_asks: VecDeque<(u64, HoldAsk)>,
    /// Orders whose money waits for an operator.
    needing_operator: BTreeSet<OrderId>,
    facts: FactsCache,
    last_id: OrderId,
    timers: Timers,
    outbox: Outbox,
    /// Checkpoint rows of orders that are in the archive and have to go.
    rows_to_delete: Vec<OrderId>,
    /// Orders that were live before the restart and were not looked at yet.
    recovering: Vec<OrderId>,
    checkpoints: VecDeque<Checkpointing>,
    captured: Option<Captured>,
    /// Reports about archived orders that wait until the archive can be read.
    postponed: VecDeque<ChannelReport>,
    shards: usize,
}

impl OrderShard {
    /// An empty shard; `archived` knows the keys of archived orders, and the log is durable up to `durable`.
    #[must_use]
    pub fn new(
        index: usize,
        shards: usize,
        shared: Arc<Shared>,
        archived: KeyFilter,
        last_id: OrderId,
        durable: Lsn,
    ) -> Self {
        let open_max = shared.limits.open_orders.div_ceil(shards);
        Self {
            index,
            shared,
            live: LiveOrders::new(open_max),
            row_buffer: Vec::new(),
            listed: BTreeSet::new(),
            unlisted: Vec::new(),
            archived,
            reserving: Slab::new(),
            deciding: FxHashSet::default(),
            asks: (0..shards).map(|_| Vec::new()).collect(),
            later_asks: VecDeque::new(),
            needing_operator: BTreeSet::new(),
            facts: FactsCache::default(),
            last_id,
            timers: Timers::default(),
            outbox: Outbox::new(shards, durable),
            rows_to_delete: Vec::new(),
            recovering: Vec::new(),
            checkpoints: VecDeque::new(),
            captured: None,
            postponed: VecDeque::new(),
            shards,
        }
    }

    /// Puts an order in memory, of which news arrived when only the archive had it.
    fn bring_back(&mut self, order: Order) {
        let facts = OrderFacts::of(&order);
        self.take_over(&facts, Kept::Open(Arc::new(order)), false, true);
    }

    /// Puts an order in memory, as it is or as its row: at a recovery, or brought back.
    pub(crate) fn take_over(&mut self, facts: &OrderFacts, kept: Kept, has_row: bool, dirty: bool) {
        self.last_id = self.last_id.max(facts.id);
        self.listed.insert((facts.platform, facts.id));
        self.shared.gate.orders_came(1);
        if facts.needs_operator {
            self.needing_operator.insert(facts.id);
        }
        let mut live = Live::kept(facts, kept);
        (live.dirty, live.has_row, live.scheduled) = (dirty, has_row, live.due);
        self.timers.set(live.due, live.id());
        self.live.insert(live);
        self.live.pack();
    }

    /// Remembers to delete a checkpoint row, because the archive has the order.
    pub fn delete_row(&mut self, id: OrderId) {
        self.rows_to_delete.push(id);
    }

    /// Starts work after a recovery: calls that were under way are asked about, finished orders go to the archive.
    pub fn recover(&mut self, outside: &mut dyn Outside) {
        self.recovering = self.live.iter().map(Live::id).collect();
        self.recover_some(&self.scene(), outside);
    }

    /// Recovers some of the orders, so that millions of them make neither one endless batch nor a long silence.
    fn recover_some(&mut self, scene: &Scene, outside: &mut dyn Outside) {
        let from = self.recovering.len().saturating_sub(self.shared.limits.recovered_at_once);
        // To recover may need holds: an order of which a decision waits for some has its turn after the others.
        let (later, now): (Vec<_>, Vec<_>) =
            self.recovering.split_off(from).into_iter().partition(|id| self.deciding.contains(id));
        self.recovering.splice(..0, later);
        for id in now {
            let ended = self.live.open(id).is_some_and(|live| live.order().is_finished());
            if ended {
                self.outbox.finished.push(id);
            } else if let Err(reject) = self.act(id, &OrderCommand::Recover, scene, None) {
                tracing::error!(order = %id, %reject, "an order cannot be recovered");
            }
        }
        self.settle(outside);
    }

    /// Channels said something.
    pub fn on_reports(&mut self, reports: Vec<ChannelReport>, outside: &mut dyn Outside) {
        let scene = self.scene();
        for report in reports {
            self.hear(report, &scene);
        }
        self.settle(outside);
    }

    /// Orders whose money waits for an operator, oldest first.
    #[must_use]
    pub fn needing_operator(&self) -> Vec<Arc<Order>> {
        let orders = self.needing_operator.iter();
        orders.filter_map(|id| self.live.get(*id).map(Live::look)).collect()
    }

    /// Takes in a report; false when the archive, which has the order, cannot be read just now: the report may tell of
    /// money, so it waits.
    fn hear(&mut self, report: ChannelReport, scene: &Scene) -> bool {
        let (id, channel) = (report.order, report.channel);
        let command = OrderCommand::Report(report);
        let Err(reject) = self.act(id, &command, scene, None) else { return true };
        if reject.code == RejectCode::Unavailable
            && self.postponed.len() < POSTPONED_MAX
            && let OrderCommand::Report(report) = command
        {
            self.postponed.push_back(report);
            return false;
        }
        count(&self.shared.counters.unmatched_reports, 1);
        tracing::warn!(order = %id, %channel, %reject, "a channel's report changes nothing");
        true
    }

    /// Takes in reports that had to wait, until one has to wait again.
    fn hear_postponed(&mut self, scene: &Scene) {
        for _ in 0..self.postponed.len() {
            let Some(report) = self.postponed.pop_front() else { return };
            if !self.hear(report, scene) {
                return;
            }
        }
    }

    /// Decides a command and folds in what happens; `None` when the answer has to wait for holds, which `waiter` then
    /// gets.
    fn act(
        &mut self,
        id: OrderId,
        command: &OrderCommand,
        scene: &Scene,
        waiter: Option<Waiter>,
    ) -> Result<Option<OrderSummary>, Reject> {
        if self.deciding.contains(&id) && waits_its_turn(command) {
            return Err(in_progress("order"));
        }
        match self.decide(id, command, scene, None)? {
            Decided::Told(told) => Ok(Some(told)),
            Decided::Needs(needed) => {
                let alone = self.deciding.insert(id);
                debug_assert!(alone, "one decision of an order at a time waits for holds");
                self.reserve(id, Purpose::Deciding(command.clone()), needed, waiter);
                Ok(None)
            }
        }
    }

    fn decide(
        &mut self,
        id: OrderId,
        command: &OrderCommand,
        scene: &Scene,
        granted: Option<Granted<'_>>,
    ) -> Result<Decided, Reject> {
        if let Some(place) = self.live.place_of(id) {
            return self.decide_live(place, command, scene, granted);
        }
        self.revive(id)?;
        let place = self.live.place_of(id).ok_or_else(unknown_order)?;
        let decided = self.decide_live(place, command, scene, granted);
        if self.live.open(id).is_some_and(|live| live.order().is_finished()) {
            // It goes back to where it came from.
            self.outbox.finished.push(id);
        }
        decided
    }

    fn decide_live(
        &mut self,
        place: Place,
        command: &OrderCommand,
        scene: &Scene,
        granted: Option<Granted<'_>>,
    ) -> Result<Decided, Reject> {
        let live = self.live.open_at(place);
        let (id, now) = (live.id(), scene.now);
        let order = live.order();
        let policy = scene.policy(order.terms.platform)?;
        let directory = scene.directory(&self.shared.registry, &self.facts);
        let standing = self.shared.learner.board();
        let context =
            Context { now, policy, router: &scene.router, standing, directory: &directory, granted };
        let events = match order::decide(order, command, &context)? {
            Decision::Repeat => return Ok(Decided::Told(repeated(order, command))),
            Decision::NeedsHolds(needed) => return Ok(Decided::Needs(needed)),
            Decision::Moved(events) => events,
        };
        let order = Arc::make_mut(order);
        for event in &events {
            order::apply(order, now, event);
        }
        let sms_code =
            if let OrderCommand::ConfirmSms { sms_code } = command { Some(sms_code) } else { None };
        for event in &events {
            order::effects(order, event, sms_code, &mut |call| self.outbox.calls.push(call));
        }
        let told = summary(order, false);
        if order.needs_operator() {
            self.needing_operator.insert(id);
        } else if !self.needing_operator.is_empty() {
            self.needing_operator.remove(&id);
        }
        record(live, scene, policy, events, &self.shared, &mut self.timers, &mut self.outbox);
        Ok(Decided::Told(told))
    }

    /// The settings as they are.
    fn scene(&self) -> Scene {
        let Shared { clock, registry, router, feed, .. } = &*self.shared;
        Scene {
            now: clock.now(),
            policies: registry.policies(),
            campaigns: registry.campaigns(),
            router: router.load(),
            has_subscribers: feed.has_subscribers(),
        }
    }

    /// Brings an archived order back, because there is news of it. A row of it may be in the checkpoint, older than
    /// what is known here, so it counts as changed.
    fn revive(&mut self, id: OrderId) -> Result<(), Reject> {
        let order = self.ended_order(id)?.ok_or_else(unknown_order)?;
        self.bring_back(order);
        Ok(())
    }

    /// An order that ended: it waits for the archive, or is in it.
    fn ended_order(&self, id: OrderId) -> Result<Option<Order>, Reject> {
        let unavailable = |what: String| {
            tracing::error!(order = %id, %what, "the archive cannot be read");
            Reject::new(RejectCode::Unavailable, "", "an archive that can be read; try again later")
        };
        let row = match self.live.ended(id) {
            Some(row) => Some(row.clone()),
            None => self.shared.store.order(id.0).map_err(|fault| unavailable(fault.to_string()))?,
        };
        let order = row.map(|bytes| decode_order_row(&bytes).map(|(_, order)| order)).transpose();
        order.map_err(|fault| unavailable(fault.to_string()))
    }
}

/// What a decision came to.
enum Decided {
    /// It is made.
    Told(OrderSummary),
    /// It needs these holds first.
    Needs(SmallVec<[HoldNeed; 2]>),
}

/// Whether a command has to wait while another decision about its order waits for holds: it might move the same money.
const fn waits_its_turn(command: &OrderCommand) -> bool {
    match command {
        OrderCommand::Release { .. }
        | OrderCommand::Refund(_)
        | OrderCommand::OpenDispute
        | OrderCommand::ResolveDispute { .. }
        | OrderCommand::FinishRefund { .. }
        | OrderCommand::ReturnParked { .. }
        | OrderCommand::Reopen { .. }
        | OrderCommand::Recover
        | OrderCommand::Wake => true,
        OrderCommand::Report(_) | OrderCommand::ConfirmSms { .. } | OrderCommand::Close => false,
    }
}

fn in_progress(field: &'static str) -> Reject {
    let expected = "the answer to an earlier request for this order; ask again in a second";
    Reject::new(RejectCode::InProgress, field, expected)
}

/// Takes the events of one decision into the open batch; the order has them folded in already.
fn record(
    live: &mut Live,
    scene: &Scene,
    policy: &PlatformPolicy,
    events: Events,
    shared: &Shared,
    timers: &mut Timers,
    outbox: &mut Outbox,
) {
    let now = scene.now;
    live.dirty = true;
    live.last_batch = outbox.sent() + 1;
    let scheduled = live.scheduled;
    let order = &**live.order();
    for event in &events {
        meter(shared, order, event, &mut outbox.tally);
        outbox.observe(order, event, now);
    }
    let due = order.next_due();
    if due < scheduled {
        timers.set(due, order.id);
    }
    if order.is_finished() {
        outbox.finished.push(order.id);
        outbox.tally.ended[order.status as usize] += 1;
    }
    if policy.announces {
        outbox.announce(order, &events);
    }
    if scene.has_subscribers {
        outbox.tell(order, now, &events);
    }
    let id = order.id;
    live.take_over(step_of(outbox.write(&Record::Order { order: id, at: now, events })));
    (live.due, live.scheduled) = (due, scheduled.min(due));
}

/// Counts what happens to orders.
fn meter(shared: &Shared, order: &Order, event: &OrderEvent, tally: &mut Tally) {
    match event {
        OrderEvent::Contradicted { attempt, said } => {
            count(&shared.counters.contradictions, 1);
            tracing::warn!(order = %order.id, %attempt, %said, "a channel contradicts what is known");
        }
        OrderEvent::Created { .. } => tally.created += 1,
        OrderEvent::AttemptStarted { .. }
        | OrderEvent::AttemptAccepted { .. }
        | OrderEvent::AttemptFailed { .. }
        | OrderEvent::AttemptNotSent { .. }
        | OrderEvent::AttemptClosed { .. }
        | OrderEvent::SmsConfirmed { .. }
        | OrderEvent::AttemptInDoubt { .. }
        | OrderEvent::AttemptQueried { .. }
        | OrderEvent::Paid { .. }
        | OrderEvent::Frozen { .. }
        | OrderEvent::Released { .. }
        | OrderEvent::Settled
        | OrderEvent::Failed { .. }
        | OrderEvent::ClosingAdvanced { .. }
        | OrderEvent::Closed { .. }
        | OrderEvent::LatePaid { .. }
        | OrderEvent::RefundStarted { .. }
        | OrderEvent::RefundQueried { .. }
        | OrderEvent::RefundSucceeded { .. }
        | OrderEvent::RefundFailed { .. }
        | OrderEvent::Refunded
        | OrderEvent::DisputeOpened { .. }
        | OrderEvent::DisputeResolved { .. }
        | OrderEvent::RefundStuck { .. }
        | OrderEvent::RefundBounced { .. }
        | OrderEvent::RefundFinished { .. }
        | OrderEvent::Reopened { .. }
        | OrderEvent::ReopeningPlanned { .. } => {}
    }
}

fn unknown_platform() -> Reject {
    Reject::new(RejectCode::UnknownPlatform, "platform", "a platform of the configuration")
}

fn unknown_order() -> Reject {
    Reject::new(RejectCode::UnknownOrder, "order", "the number of an order of this platform")
}

/// The answer to a repeat: that of the first time where the command has a number of the platform's own, else where the
/// order stands now.
fn repeated(order: &Order, command: &OrderCommand) -> OrderSummary {
    match order::answered_then(order, command) {
        Some(status) => OrderSummary { id: order.id, status, repeat: true, action: None },
        None => summary(order, true),
    }
}

fn summary(order: &Order, repeat: bool) -> OrderSummary {
    let action = match order.alive().map(|attempt| &attempt.state) {
        Some(suanpan_model::order::AttemptState::Waiting { action })
            if order.status == OrderStatus::Pending =>
        {
            action.clone()
        }
        Some(_) | None => None,
    };
    OrderSummary { id: order.id, status: order.status, repeat, action }
}
