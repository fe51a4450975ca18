//! One order's way through its course.

use suanpan_model::{OrderId, OrderStatus, Ticket};
use suanpan_runtime::api::OrderSummary;

use super::Driver;
use super::slots::{Slot, Step, action_of};
use crate::clock::Clock;
use crate::operation::{Action, Operation};
use crate::target::Target;

impl<T: Target, C: Clock> Driver<'_, T, C> {
    pub(super) fn created(&mut self, ticket: Ticket, slot: &Slot, summary: &OrderSummary, now: u64) {
        self.repeated(summary);
        self.tally.acknowledged += 1;
        self.accepted_ns = now;
        if self.is_measured(slot.start_ns) {
            self.tally.took(Operation::Submit, now.saturating_sub(slot.start_ns));
            // Without refusals it is the same once more.
            if self.tally.busy > 0 {
                self.tally.took(Operation::Accept, now.saturating_sub(slot.handed_ns));
            }
        }
        self.slots.created(ticket, summary.id);
    }

    pub(super) fn acted(&mut self, ticket: Ticket, slot: &Slot, summary: &OrderSummary, now: u64) {
        self.repeated(summary);
        let number = action_of(ticket);
        let course = self.workload.course_of(slot.count);
        if summary.id != slot.order {
            self.tally.strange(|| format!("asked about {} and was told of {summary:?}", slot.order));
        }
        match course.action(number) {
            Some(Action::Release(amount)) => {
                let status = if amount.is_some() { OrderStatus::PartReleased } else { OrderStatus::Settled };
                if summary.status != status {
                    self.tally.strange(|| format!("released {} and is now {summary:?}", slot.order));
                }
                if self.is_measured(slot.start_ns) {
                    self.tally.took(Operation::Release, now.saturating_sub(slot.asked_ns));
                }
                self.go_on(slot, number + 1, now);
            }
            Some(Action::Refund(_)) if slot.refunded => self.refunded(slot, now),
            Some(Action::Refund(_)) => {
                if let Some(slot) = self.slots.of(slot.order) {
                    slot.step = Step::Refund(number);
                }
            }
            None => self.tally.strange(|| format!("an answer to no action: {summary:?}")),
        }
    }

    /// The money of the last action went back.
    pub(super) fn refunded(&mut self, slot: &Slot, now: u64) {
        if self.is_measured(slot.start_ns) {
            self.tally.took(Operation::Refund, now.saturating_sub(slot.asked_ns));
        }
        let (Step::Act(number) | Step::Refund(number)) = slot.step else { return };
        self.go_on(slot, number + 1, now);
    }

    /// Takes action `number` of the order's course, or ends it when there is none.
    pub(super) fn go_on(&mut self, slot: &Slot, number: u8, now: u64) {
        let order = slot.order;
        if let Some(action) = self.workload.course_of(slot.count).action(number) {
            if let Some(ticket) = self.slots.act(order, number, now) {
                self.push(ticket, self.workload.command(order, action), now);
            }
            return;
        }
        let took = now.saturating_sub(slot.start_ns);
        self.tally.finish(order, slot.count, self.workload.template_of(slot.count));
        self.recent.record_ns(took);
        if self.is_measured(slot.start_ns) {
            self.tally.took(Operation::Order, took);
        }
        if self.window.0 <= now && now < self.window.1 {
            self.orders += 1;
            self.tally.ended_in((now - self.window.0) / 1_000_000_000);
        }
        self.last = order;
        self.slots.close(order);
    }

    pub(super) fn unpaid(&mut self, order: OrderId) {
        self.slots.close(order);
        self.tally.unpaid += 1;
        if !self.workload.may_end_unpaid() {
            self.tally.strange(|| format!("order {order} ended without being paid"));
        }
    }

    pub(super) fn repeated(&mut self, summary: &OrderSummary) {
        if !summary.repeat {
            return;
        }
        if self.rides_out {
            self.tally.repeats += 1;
        } else {
            self.tally.strange(|| format!("a repeat, although nothing was asked twice: {summary:?}"));
        }
    }
}
