//! What the mall and its operator ask, and what they hear.

use std::sync::{Arc, Mutex, PoisonError};

use suanpan_model::refund::{FinishWay, RefundState};
use suanpan_model::{AttemptNo, Order, OrderStatus, Ticket, TimestampMs};
use suanpan_runtime::admission;
use suanpan_runtime::api::{Answer, AnswerSink, Reply, Request};

use super::Life;
use super::agenda::Item;
use crate::dice::Dice;
use crate::mall::{Asked, Intent, draw_terms, finish_way};
use crate::oracle::answers;
use crate::plan::Sabotage;
use crate::process::{Actor, Message};
use crate::tap;

/// Gathers answers that the engine lets go.
#[derive(Default)]
pub(super) struct Counter(pub(super) Mutex<Vec<Answer>>);

impl AnswerSink for Counter {
    fn deliver(&self, answers: Vec<Answer>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(answers);
    }
}

impl Life {
    pub(super) fn place(&mut self) {
        let number = self.mall.orders.len();
        let now = TimestampMs(self.now);
        // Two orders placed at once must still differ in their terms by time.
        self.placed_at = self.placed_at.max(now);
        let terms = draw_terms(&mut self.dice, &self.plan, &self.cast, number, now);
        let order = self.mall.place(terms);
        self.send_request(order, Intent::Create);
    }

    pub(super) fn act(&mut self) {
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
    pub(super) fn operate(&mut self, order: &Order) {
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

    pub(super) fn send_request(&mut self, order: usize, intent: Intent) {
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

    pub(super) fn request_arrives(&mut self, ticket: u64) {
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

    pub(super) fn answer(&mut self, answer: &Answer) {
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
}
