//! Requests: creation with its holds, commands, queries.

use std::sync::Arc;

use smallvec::SmallVec;
use suanpan_core::order::{self, Context, Directory, Granted, HoldNeed};
use suanpan_model::command::OrderRef;
use suanpan_model::order::OrderHold;
use suanpan_model::{Order, OrderCommand, OrderId, OrderTerms, PlatformId, Reject, RejectCode, Ticket};

use super::{Decided, OrderShard, Outside, Place, Scene, in_progress, record, summary, unknown_order};
use crate::api::{Answer, AnswerSink, Command, OrderSummary, Reply, Request};
use crate::messages::{Asked, HoldAnswer, HoldAsk, VoidAsk};
use crate::shared::busy;

/// Whom to answer.
pub(super) type Waiter = (Ticket, Arc<dyn AnswerSink>);

/// What holds are placed for.
pub(super) enum Purpose {
    /// An order of which nothing is recorded yet, and its place.
    Creating(Arc<OrderTerms>, Place),
    /// A command to an order that exists.
    Deciding(OrderCommand),
}

/// A decision that waits for holds.
pub(super) struct Reserving {
    order: OrderId,
    purpose: Purpose,
    needed: SmallVec<[HoldNeed; 2]>,
    /// Holds that were granted.
    granted: SmallVec<[OrderHold; 2]>,
    unanswered: usize,
    refused: Option<Reject>,
    waiter: Option<Waiter>,
}

impl OrderShard {
    /// Requests of one caller.
    pub fn on_requests(
        &mut self,
        requests: Vec<Request>,
        sink: &Arc<dyn AnswerSink>,
        outside: &mut dyn Outside,
    ) {
        let scene = self.scene();
        for Request { ticket, command } in requests {
            let told = match command {
                Command::Create(terms) => self.begin_create(terms, ticket, sink, &scene),
                Command::Order { platform, order, command } => self
                    .find(platform, order)
                    .and_then(|id| self.act(id, &command, &scene, Some((ticket, Arc::clone(sink))))),
                Command::Query { platform, order } => {
                    let result = self.query(platform, order).map(Reply::Life);
                    self.outbox.answer(sink, Answer { ticket, result });
                    continue;
                }
            };
            // Without an answer yet: it has to wait for holds.
            if let Some(result) = told.transpose() {
                self.outbox.answer(sink, Answer { ticket, result: result.map(Reply::Order) });
            }
        }
        self.settle(outside);
    }

    /// Checks a new order and asks for its holds; `None` when the answer has to wait for them.
    fn begin_create(
        &mut self,
        terms: Arc<OrderTerms>,
        ticket: Ticket,
        sink: &Arc<dyn AnswerSink>,
        scene: &Scene,
    ) -> Result<Option<OrderSummary>, Reject> {
        let key = terms.key();
        if let Some(known) = self.known(key)? {
            return repeat_or_conflict(&known, &terms).map(Some);
        }
        if !self.shared.gate.has_room_for_orders(self.outbox.tally.came) {
            return Err(busy());
        }
        let directory = scene.directory(&self.shared.registry, &self.facts);
        order::check(&terms, scene.now, scene.policy(terms.platform)?, &scene.router, &directory)?;
        let id = OrderId::following(self.last_id, scene.now, (key & 0xff) as u8);
        self.last_id = id;
        let place = self.live.take_number(id, key);
        let needed = order::holds_needed(id, &terms);
        if needed.is_empty() {
            let created = self.create(id, terms, place, SmallVec::new(), scene);
            return created.map(Some).inspect_err(|_| self.live.give_up(place));
        }
        self.reserve(id, Purpose::Creating(terms, place), needed, Some((ticket, Arc::clone(sink))));
        Ok(None)
    }

    /// Asks for the holds that a decision needs.
    pub(super) fn reserve(
        &mut self,
        id: OrderId,
        purpose: Purpose,
        needed: SmallVec<[HoldNeed; 2]>,
        waiter: Option<Waiter>,
    ) {
        // What the order has just given its receivers must reach them before it is held there: until the log has it, they
        // would seem to have spent it.
        let (terms, after) = match &purpose {
            Purpose::Creating(terms, _) => (Some(Arc::clone(terms)), 0),
            Purpose::Deciding(_) => {
                let live = self.live.open(id);
                live.map_or((None, 0), |live| (Some(Arc::clone(&live.order().terms)), live.last_batch))
            }
        };
        let at_once = after <= self.outbox.committed();
        let slot = self.reserving.vacant_key();
        let asks = terms.iter().flat_map(|terms| needed.iter().map(|need| self.ask(id, slot, need, terms)));
        let asks: SmallVec<[_; 4]> = asks.collect();
        let mut reserving = Reserving {
            order: id,
            purpose,
            unanswered: 0,
            needed,
            granted: SmallVec::new(),
            refused: None,
            waiter,
        };
        for ask in asks {
            match ask {
                Ok(ask) => {
                    reserving.unanswered += 1;
                    if at_once {
                        self.asks[ask.home().shard(self.shards)].push(ask);
                    } else {
                        self.later_asks.push_back((after, ask));
                    }
                }
                Err(reject) => reserving.refused = Some(reject),
            }
        }
        debug_assert!(reserving.unanswered > 0, "a decision waits for a hold, or it would wait for good");
        self.reserving.insert(reserving);
    }

    fn ask(
        &self,
        order: OrderId,
        slot: usize,
        need: &HoldNeed,
        terms: &OrderTerms,
    ) -> Result<HoldAsk, Reject> {
        match *need {
            HoldNeed::Money { hold: OrderHold { no, account, amount }, whole } => {
                let asked = Asked::Money { account, amount, currency: terms.currency, whole };
                Ok(HoldAsk { order, slot, no, asked })
            }
            HoldNeed::Coupon { no, campaign } => {
                let registry = &self.shared.registry;
                let unknown = || {
                    let expected = "a campaign of this platform";
                    Reject::new(RejectCode::UnknownCampaign, "coupons", expected)
                };
                let stock = registry.stock_of(campaign).ok_or_else(unknown)?;
                let campaign = registry.campaign(campaign).ok_or_else(unknown)?;
                let asked = Asked::Coupon { campaign, stock, customer: terms.payer.clone() };
                Ok(HoldAsk { order, slot, no, asked })
            }
        }
    }

    /// Records an order; one that is refused leaves its place to be given up.
    fn create(
        &mut self,
        id: OrderId,
        terms: Arc<OrderTerms>,
        place: Place,
        holds: SmallVec<[OrderHold; 1]>,
        scene: &Scene,
    ) -> Result<OrderSummary, Reject> {
        let (now, policy, router) = (scene.now, scene.policy(terms.platform)?, &**scene.router);
        let directory = scene.directory(&self.shared.registry, &self.facts);
        let standing = self.shared.learner.board();
        let context = Context { now, policy, router, standing, directory: &directory, granted: None };
        let (order, events) = order::create(id, terms, holds, &context)?;
        for event in &events {
            order::effects(&order, event, None, &mut |call| self.outbox.calls.push(call));
        }
        let told = summary(&order, false);
        self.unlisted.push((order.terms.platform, id));
        self.outbox.tally.came += 1;
        let live = self.live.arrive(place, Arc::new(order));
        record(live, scene, policy, events, &self.shared, &mut self.timers, &mut self.outbox);
        Ok(told)
    }

    /// Tells everybody who waits for a hold that no answer will come, because a shard was stopped by a bug.
    pub(super) fn give_up_reserving(&mut self) {
        self.deciding.clear();
        self.later_asks.clear();
        for reserving in self.reserving.drain() {
            if let Purpose::Creating(_, place) = reserving.purpose {
                self.live.give_up(place);
            }
            if let Some((ticket, sink)) = reserving.waiter {
                let expected = "an engine that was restarted; nothing was recorded";
                let result = Err(Reject::new(RejectCode::Unavailable, "", expected));
                self.outbox.answer(&sink, Answer { ticket, result });
            }
        }
    }

    /// Balance shards answered.
    pub fn on_holds(&mut self, answers: Vec<HoldAnswer>, outside: &mut dyn Outside) {
        let scene = self.scene();
        for HoldAnswer { order, slot, no, result } in answers {
            let reserving = self.reserving.get_mut(slot);
            let Some(reserving) = reserving.filter(|reserving| reserving.order == order) else { continue };
            reserving.unanswered -= 1;
            match result {
                Ok(placed) => reserving.granted.extend(placed),
                Err(reject) => {
                    let creating = matches!(reserving.purpose, Purpose::Creating(..));
                    let reject = if creating { name_field(reject, no) } else { reject };
                    reserving.refused = reserving.refused.take().or(Some(reject));
                }
            }
            if reserving.unanswered == 0 {
                self.finish_reserving(slot, &scene, outside);
            }
        }
        self.settle(outside);
    }

    /// All holds of a decision are answered: it is made, or they are given back.
    fn finish_reserving(&mut self, slot: usize, scene: &Scene, outside: &mut dyn Outside) {
        let mut reserving = self.reserving.remove(slot);
        reserving.granted.sort_unstable_by_key(|hold| hold.no);
        let Reserving { order: id, purpose, needed, granted, refused, waiter, .. } = reserving;
        let (result, used) = match purpose {
            Purpose::Creating(terms, place) => {
                let result = match refused {
                    Some(reject) => Err(reject),
                    None => self.create(id, terms, place, granted.iter().copied().collect(), scene),
                };
                let used = result.is_ok();
                if !used {
                    self.live.give_up(place);
                }
                (result, used)
            }
            Purpose::Deciding(command) => {
                self.deciding.remove(&id);
                self.decide_again(id, &command, scene, &needed, &granted, refused.as_ref())
            }
        };
        if !used {
            for hold in granted {
                outside.void(hold.account.shard(self.shards), vec![VoidAsk { order: id, hold }]);
            }
        }
        if let Some((ticket, sink)) = waiter {
            self.outbox.answer(&sink, Answer { ticket, result: result.map(Reply::Order) });
        } else if let Err(reject) = result {
            tracing::warn!(order = %id, %reject, "an order cannot go on by itself yet");
        }
    }

    /// Makes the decision for which holds were placed; tells whether they are used. Where the order has changed in the
    /// meantime, so that other holds would be needed, nothing happens.
    fn decide_again(
        &mut self,
        id: OrderId,
        command: &OrderCommand,
        scene: &Scene,
        needed: &[HoldNeed],
        granted: &[OrderHold],
        refused: Option<&Reject>,
    ) -> (Result<OrderSummary, Reject>, bool) {
        match self.decide(id, command, scene, None) {
            Ok(Decided::Needs(still)) if still[..] == *needed => {}
            Ok(Decided::Needs(_)) => return (Err(in_progress("order")), false),
            Ok(Decided::Told(told)) => return (Ok(told), false),
            Err(reject) => return (Err(reject), false),
        }
        let is_refused = refused.is_some();
        let answer = Granted { holds: granted, refused };
        match self.decide(id, command, scene, Some(answer)) {
            Ok(Decided::Told(told)) => {
                let used = !told.repeat && !is_refused;
                (Ok(told), used)
            }
            Ok(Decided::Needs(_)) => (Err(in_progress("order")), false),
            Err(reject) => (Err(reject), false),
        }
    }

    /// The order with this key, wherever it is; `in_progress` while its holds are being placed.
    fn known(&self, key: u128) -> Result<Option<Arc<Order>>, Reject> {
        let id = match self.live.find_by_key(key) {
            Some(live) if live.is_coming() => {
                let expected = "the answer to the first request with this number; ask again in a second";
                return Err(Reject::new(RejectCode::InProgress, "order_no", expected));
            }
            Some(live) => Some(live.id()),
            None if self.archived.contains(key) => self.archived_id(key)?,
            None => None,
        };
        id.map_or(Ok(None), |id| self.order(id))
    }

    /// The order with this number, wherever it is.
    fn order(&self, id: OrderId) -> Result<Option<Arc<Order>>, Reject> {
        match self.live.get(id) {
            Some(live) => Ok(Some(live.look())),
            None => Ok(self.ended_order(id)?.map(Arc::new)),
        }
    }

    fn archived_id(&self, key: u128) -> Result<Option<OrderId>, Reject> {
        let id = self.shared.store.order_id_by_key(key).map_err(|fault| {
            tracing::error!(%fault, "the archive cannot be read");
            Reject::new(RejectCode::Unavailable, "", "an archive that can be read; try again later")
        })?;
        Ok(id.map(OrderId))
    }

    /// The number of the order that a caller names, when it is the caller's.
    fn find(&mut self, platform: Option<PlatformId>, order: OrderRef) -> Result<OrderId, Reject> {
        let id = match order {
            OrderRef::Id(id) => id,
            OrderRef::Key(key) => match self.live.id_of(key) {
                Some(id) => id,
                None => self.archived_id(key)?.ok_or_else(unknown_order)?,
            },
        };
        let Some(platform) = platform else { return Ok(id) };
        let owner = match self.live.open(id) {
            Some(live) => live.order().terms.platform,
            None => self.ended_order(id)?.ok_or_else(unknown_order)?.terms.platform,
        };
        if owner == platform { Ok(id) } else { Err(unknown_order()) }
    }

    fn query(&mut self, platform: Option<PlatformId>, order: OrderRef) -> Result<Arc<Order>, Reject> {
        let id = self.find(platform, order)?;
        self.order(id)?.ok_or_else(unknown_order)
    }
}

fn repeat_or_conflict(known: &Order, terms: &OrderTerms) -> Result<OrderSummary, Reject> {
    if *known.terms == *terms {
        return Ok(summary(known, true));
    }
    let expected = "the content of the first request with this number, or another number";
    Err(Reject::new(RejectCode::IdempotencyConflict, "order_no", expected))
}

/// A refused hold is told in the caller's words: the payer's account, or the coupon.
fn name_field(reject: Reject, hold_no: u16) -> Reject {
    Reject { field: if hold_no == 1 { "payer" } else { "coupons" }, ..reject }
}
