//! Requests: creation with its holds, commands, queries.

use std::sync::Arc;

use smallvec::SmallVec;
use suanpan_core::order::{self, Context};
use suanpan_model::command::OrderRef;
use suanpan_model::order::OrderHold;
use suanpan_model::{Order, OrderId, OrderTerms, PlatformId, Reject, RejectCode, Ticket, TimestampMs};

use super::{Known, Live, OrderShard, Outside, record, summary, unknown_order, unknown_platform};
use crate::api::{Answer, AnswerSink, Command, OrderSummary, Reply, Request};
use crate::messages::{HoldAnswer, HoldAsk};
use crate::shared::busy;

/// An order whose holds are being placed; nothing of it is recorded yet.
pub(super) struct Reserving {
    terms: Arc<OrderTerms>,
    holds: SmallVec<[OrderHold; 1]>,
    /// Holds that were granted.
    granted: SmallVec<[OrderHold; 1]>,
    unanswered: usize,
    refused: Option<Reject>,
    ticket: Ticket,
    sink: Arc<dyn AnswerSink>,
}

impl OrderShard {
    /// Requests of one caller.
    pub fn on_requests(
        &mut self,
        requests: Vec<Request>,
        sink: &Arc<dyn AnswerSink>,
        outside: &mut dyn Outside,
    ) {
        let now = self.shared.clock.now();
        let mut asks: Vec<Vec<HoldAsk>> = (0..self.shards).map(|_| Vec::new()).collect();
        for Request { ticket, command } in requests {
            let result = match command {
                Command::Create(terms) => match self.begin_create(terms, ticket, sink, now, &mut asks) {
                    Ok(None) => continue,
                    Ok(Some(told)) => Ok(Reply::Order(told)),
                    Err(reject) => Err(reject),
                },
                Command::Order { platform, order, command } => {
                    self.find(platform, order).and_then(|id| self.act(id, &command, now)).map(Reply::Order)
                }
                Command::Query { platform, order } => self.query(platform, order).map(Reply::Life),
            };
            self.outbox.answer(sink, Answer { ticket, result });
        }
        for (shard, asks) in asks.into_iter().enumerate() {
            if !asks.is_empty() {
                outside.hold(shard, asks);
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
        now: TimestampMs,
        asks: &mut [Vec<HoldAsk>],
    ) -> Result<Option<OrderSummary>, Reject> {
        let key = terms.key();
        if let Some(known) = self.known(key)? {
            return repeat_or_conflict(&known, &terms).map(Some);
        }
        if !self.shared.gate.has_room_for_orders() {
            return Err(busy());
        }
        let policies = self.shared.registry.policies();
        let policy = policies.get(&terms.platform).ok_or_else(unknown_platform)?;
        let directory = Known { registry: &self.shared.registry, cache: &self.facts };
        order::check(&terms, now, policy, &self.shared.router.load(), &directory)?;
        let id = OrderId::following(self.last_id, now, (key & 0xff) as u8);
        self.last_id = id;
        let holds = order::holds_needed(id, &terms);
        if holds.is_empty() {
            return self.create(id, terms, holds, now).map(Some);
        }
        for hold in &holds {
            asks[hold.account.shard(self.shards)].push(HoldAsk {
                order: id,
                no: hold.no,
                account: hold.account,
                amount: hold.amount,
                currency: terms.currency,
            });
        }
        self.by_key.insert(key, id);
        let unanswered = holds.len();
        let sink = Arc::clone(sink);
        let granted = SmallVec::new();
        self.reserving
            .insert(id, Reserving { terms, holds, granted, unanswered, refused: None, ticket, sink });
        Ok(None)
    }

    fn create(
        &mut self,
        id: OrderId,
        terms: Arc<OrderTerms>,
        holds: SmallVec<[OrderHold; 1]>,
        now: TimestampMs,
    ) -> Result<OrderSummary, Reject> {
        let policies = self.shared.registry.policies();
        let policy = policies.get(&terms.platform).ok_or_else(unknown_platform)?;
        let router = self.shared.router.load();
        let context = Context { now, policy, router: &router, standing: self.shared.learner.board() };
        let (order, events) = order::create(id, terms, holds, &context)?;
        for event in &events {
            order::effects(&order, event, None, &mut |call| self.outbox.calls.push(call));
        }
        let told = summary(&order, false);
        self.by_key.insert(order.terms.key(), id);
        self.shared.gate.orders_came(1);
        let order = Arc::new(order);
        let mut live =
            Live { order, scheduled: TimestampMs::NEVER, dirty: true, has_row: false, last_batch: 0 };
        record(&mut live, now, events, &self.shared, &mut self.timers, &mut self.outbox);
        self.live.insert(id, live);
        Ok(told)
    }

    /// Tells everybody who waits for a hold that no answer will come, because a shard was stopped by a bug.
    pub(super) fn give_up_reserving(&mut self) {
        for (_, reserving) in self.reserving.drain() {
            self.by_key.remove(&reserving.terms.key());
            let expected = "an engine that was restarted; nothing was recorded";
            let result = Err(Reject::new(RejectCode::Unavailable, "", expected));
            self.outbox.answer(&reserving.sink, Answer { ticket: reserving.ticket, result });
        }
    }

    /// Balance shards answered.
    pub fn on_holds(&mut self, answers: Vec<HoldAnswer>, outside: &mut dyn Outside) {
        let now = self.shared.clock.now();
        for HoldAnswer { order, no, result } in answers {
            let Some(reserving) = self.reserving.get_mut(&order) else { continue };
            reserving.unanswered -= 1;
            match result {
                Ok(()) => {
                    reserving.granted.extend(reserving.holds.iter().find(|hold| hold.no == no).copied())
                }
                Err(reject) => reserving.refused = reserving.refused.take().or(Some(name_field(reject, no))),
            }
            if reserving.unanswered == 0 {
                self.finish_create(order, now, outside);
            }
        }
        self.settle(outside);
    }

    fn finish_create(&mut self, id: OrderId, now: TimestampMs, outside: &mut dyn Outside) {
        let Some(reserving) = self.reserving.remove(&id) else { return };
        let key = reserving.terms.key();
        let currency = reserving.terms.currency;
        let result = match reserving.refused {
            Some(reject) => Err(reject),
            None => self.create(id, reserving.terms, reserving.holds, now),
        };
        if result.is_err() {
            self.by_key.remove(&key);
            for OrderHold { no, account, amount } in reserving.granted {
                let ask = HoldAsk { order: id, no, account, amount, currency };
                outside.void(account.shard(self.shards), vec![ask]);
            }
        }
        let result = result.map(Reply::Order);
        self.outbox.answer(&reserving.sink, Answer { ticket: reserving.ticket, result });
    }

    /// The order with this key, wherever it is; `in_progress` while its holds are being placed.
    fn known(&self, key: u128) -> Result<Option<Arc<Order>>, Reject> {
        let id = match self.by_key.get(&key) {
            Some(id) if self.reserving.contains_key(id) => {
                let expected = "the answer to the first request with this number; ask again in a second";
                return Err(Reject::new(RejectCode::InProgress, "order_no", expected));
            }
            Some(id) => Some(*id),
            None if self.archived.contains(key) => self.archived_id(key)?,
            None => None,
        };
        id.map_or(Ok(None), |id| self.order(id))
    }

    /// The order with this number, wherever it is.
    fn order(&self, id: OrderId) -> Result<Option<Arc<Order>>, Reject> {
        match self.live.get(&id) {
            Some(live) => Ok(Some(Arc::clone(&live.order))),
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
    fn find(&self, platform: Option<PlatformId>, order: OrderRef) -> Result<OrderId, Reject> {
        let id = match order {
            OrderRef::Id(id) => id,
            OrderRef::Key(key) => match self.by_key.get(&key) {
                Some(id) => *id,
                None => self.archived_id(key)?.ok_or_else(unknown_order)?,
            },
        };
        let Some(platform) = platform else { return Ok(id) };
        let owner = match self.live.get(&id) {
            Some(live) => live.order.terms.platform,
            None => self.ended_order(id)?.ok_or_else(unknown_order)?.terms.platform,
        };
        if owner == platform { Ok(id) } else { Err(unknown_order()) }
    }

    fn query(&self, platform: Option<PlatformId>, order: OrderRef) -> Result<Arc<Order>, Reject> {
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
fn name_field(reject: Reject, hold_no: u8) -> Reject {
    Reject { field: if hold_no == 1 { "payer" } else { "coupon" }, ..reject }
}
