//! The faults end; then everything must, and everything that must be true is looked at.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use suanpan_channels::Simulator;
use suanpan_core::invariants::Invariant;
use suanpan_model::command::OrderRef;
use suanpan_model::{Amount, Order, OrderId, OrderStatus, Outcome, Ticket};
use suanpan_runtime::api::{AnswerSink, Command, Reply, Request};

use super::Life;
use super::agenda::Item;
use super::channels::Bounce;
use super::requests::Counter;
use crate::mall::{Intent, refund};
use crate::oracle::{announcements, answers, books, final_state};
use crate::plan::PLATFORM;
use crate::process::Process;
use crate::tap;

impl Life {
    pub(super) fn heal(&mut self) {
        self.tell(|| "the faults end".to_owned());
        self.healed = true;
        self.ground.disk.heal();
        self.ground.disk.set_capacity(None);
        self.ground.tables.heal();
        if self.process.is_none() {
            self.start();
        }
        // Banks tell of what came back until they are heard.
        let bounces: Vec<Bounce> = self.fates.bounces.values().flatten().cloned().collect();
        for Bounce { at, report } in bounces {
            // Not before the news of the refund itself, however slow that was.
            let at = at.max(self.now) + self.plan.network.slow_ms + 60_000;
            self.told_by = self.told_by.max(at + 1);
            self.at(at, Item::Report(report));
        }
    }

    pub(super) fn is_quiet(life: &mut Self) -> bool {
        life.process.as_ref().is_some_and(Process::is_quiet)
    }

    /// Everything is final and nothing is under way. Disputes that a full engine did not let the mall end are tried again.
    pub(super) fn has_ended(&mut self) -> bool {
        let has_room = |process: &Process| {
            process.shared.gate.live_orders() == 0 && process.shared.gate.archive_lag() == 0
        };
        let all_archived = self.process.as_ref().is_some_and(has_room);
        if !Self::is_quiet(self) {
            return false;
        }
        let orders = self.ask_all();
        for order in &orders {
            if order.status == OrderStatus::Disputed {
                let place =
                    self.mall.orders.iter().position(|placed| placed.terms.key() == order.terms.key());
                let Some(place) = place else { continue };
                let with = self.dice.below(2) == 0;
                let wanted = with.then(|| refund(&mut self.dice, &self.mall.orders[place]));
                self.send_request(place, Intent::ResolveDispute(wanted));
            }
            if order.needs_operator() {
                self.operate(order);
            }
        }
        let known = tap::lock(&self.ground.tap).ledger.orders.len();
        all_archived
            && self.now >= self.told_by
            && orders.len() == known
            && orders.iter().all(|order| order.is_finished())
    }

    /// The lives of all orders that the log knows, asked past the inboxes.
    fn ask_all(&mut self) -> Vec<Arc<Order>> {
        let ids: Vec<OrderId> = tap::lock(&self.ground.tap).ledger.orders.keys().copied().collect();
        ids.into_iter().filter_map(|id| self.ask(OrderRef::Id(id)).ok()).collect()
    }

    fn ask(&mut self, order: OrderRef) -> Result<Arc<Order>, suanpan_model::RejectCode> {
        let sink: Arc<Counter> = Arc::new(Counter::default());
        let Some(process) = &mut self.process else { return Err(suanpan_model::RejectCode::Unavailable) };
        let request =
            Request { ticket: Ticket(u64::MAX), command: Command::Query { platform: Some(PLATFORM), order } };
        let shard = usize::from(order.bucket()) & (self.plan.shards - 1);
        // As if it had been let in: the shard counts the answer.
        process.shared.gate.took_in(1);
        process.ask(shard, vec![request], &(Arc::clone(&sink) as Arc<dyn AnswerSink>));
        let answer = sink.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match answer.map(|answer| answer.result) {
            Some(Ok(Reply::Life(order))) => Ok(order),
            Some(Ok(Reply::Order(_))) | None => Err(suanpan_model::RejectCode::Unavailable),
            Some(Err(reject)) => Err(reject.code),
        }
    }

    /// After a restart: everything that the mall was promised is there.
    pub(super) fn check_promises(&mut self) {
        for place in 0..self.mall.orders.len() {
            let key = OrderRef::Key(self.mall.orders[place].terms.key());
            let life = self.ask(key);
            let life = match &life {
                Ok(order) => Ok(&**order),
                Err(code) => Err(*code),
            };
            answers::kept(&self.mall.orders[place], life, &mut self.report.breaks);
        }
    }

    pub(super) fn check_the_end(&mut self) {
        let orders = self.ask_all();
        let known = tap::lock(&self.ground.tap).ledger.orders.len();
        let mut breaks = Vec::new();
        let mut stuck = |what: String| breaks.push(Invariant::EverythingEnds.broken(what));
        if orders.len() != known {
            stuck(format!("{} of {known} orders can be asked about", orders.len()));
        }
        for order in orders.iter().filter(|order| !order.is_finished()) {
            stuck(format!(
                "order {} is still {}: {:?}",
                order.id,
                order.status,
                order.attempts.last().map(|a| a.state.name())
            ));
        }
        if !Self::is_quiet(self) {
            stuck("messages are still under way".to_owned());
        }
        if let Some(process) = &self.process {
            let gate = &process.shared.gate;
            if gate.in_flight() != 0 || gate.archive_lag() != 0 || gate.live_orders() != 0 {
                stuck(format!(
                    "the gate counts {} requests, {} orders, {} for the archive",
                    gate.in_flight(),
                    gate.live_orders(),
                    gate.archive_lag()
                ));
            }
        }
        if self.answered != self.admitted {
            let what = format!("{} requests since the last start, {} answers", self.admitted, self.answered);
            breaks.push(Invariant::AnsweredOnce.broken(what));
        }
        self.report.breaks.extend(breaks);
        for order in &orders {
            self.report.coverage.order(order);
        }
        self.check_promises();
        if self.tells {
            self.report.lives.clone_from(&orders);
            self.report.disks = Some((self.ground.disk.copy(), self.ground.tables.copy()));
        }
        let Some(process) = &self.process else { return };
        let tap = tap::lock(&self.ground.tap);
        let breaks = &mut self.report.breaks;
        for (hold, (account, left)) in &tap.ledger.holds {
            let what = format!("{left} minor units are held on {account} for {} at the end", hold.cause);
            breaks.push(Invariant::HoldsHaveOrders.broken(what));
        }
        answers::refused_is_nothing(&self.mall, &tap.ledger, breaks);
        final_state::ledger(&process.balances, &tap.ledger, breaks);
        let may_owe =
            self.plan.spends || !self.plan.causal || final_state::keeps_fees(self.plan.policy.agreement);
        final_state::debts(&process.balances, &tap.ledger, may_owe, breaks);
        final_state::custody(&tap.ledger, breaks);
        let page = if self.plan.seed.is_multiple_of(2) { 3 } else { 1_000 };
        final_state::statements(&process.balances, &tap.ledger, page, breaks);
        let lives: Vec<&Order> = orders.iter().map(|order| &**order).collect();
        let came_back = self.fates.bounces.iter().filter_map(|(key, bounce)| Some((*key, bounce.as_ref()?)));
        let came_back = came_back.map(|(key, bounce)| match bounce.report.outcome {
            Outcome::Bounced { amount, .. } => (key, amount),
            _ => (key, Amount::ZERO),
        });
        let came_back: BTreeMap<books::RefundKey, Amount> = came_back.collect();
        let channels: Vec<&Simulator> = self.channels.iter().collect();
        let unheard = books::compare(&channels, &lives, &self.heard, &came_back, &tap.ledger, breaks);
        for _ in 0..unheard {
            self.report.coverage.fault("payment that no report told of");
        }
        final_state::replays(
            &self.plan,
            &self.ground.disk,
            &self.ground.tables,
            &tap.acknowledged,
            &orders,
            &process.balances,
            breaks,
        );
        announcements::compare(&process.shared.store, &tap.acknowledged, breaks);
        for id in final_state::archived(&process.shared.store) {
            if !tap.ledger.orders.contains_key(&id) {
                breaks.push(Invariant::NoGaps.broken(format!("order {id} is archived and not in the log")));
            }
        }
    }
}
