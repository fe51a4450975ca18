//! Commits, timers, archive and checkpoint.

use suanpan_model::{Lsn, OrderCommand, OrderId};

use super::outbox::Waiting;
use super::{OrderShard, Outside};
use crate::codec::{mark_row, marked_row};
use crate::messages::{Finished, FinishedOrder, Rows, Source};
use crate::store::{CheckpointRows, Table};

/// Orders woken in one go, so that a flood of timers does not hold up other messages.
const WAKES_AT_ONCE: usize = 4_096;

/// Rows captured for a checkpoint, of which the log does not have everything yet.
pub(super) struct Captured {
    /// The batch that holds the last record contained in the rows.
    after_batch: u64,
    rows: CheckpointRows,
    epoch: u64,
    durable: Lsn,
}

impl OrderShard {
    /// A batch of this shard is durable.
    pub fn on_committed(&mut self, first: Lsn, payload: Vec<u8>, outside: &mut dyn Outside) {
        let waiting = self.outbox.commit(first, payload);
        self.let_go(waiting, outside);
        self.hand_over_captured(outside);
        self.settle(outside);
        self.capture(outside);
    }

    /// Hands what can go to the log writer and answers what waits for nothing.
    pub(super) fn settle(&mut self, outside: &mut dyn Outside) {
        if let Some(batch) = self.outbox.take_batch(self.index) {
            outside.log(batch);
        } else if let Some(waiting) = self.outbox.take_idle() {
            self.let_go(waiting, outside);
        }
    }

    fn let_go(&mut self, waiting: Waiting, outside: &mut dyn Outside) {
        let Waiting { answers, calls, notices, finished } = waiting;
        for (sink, answers) in answers {
            self.shared.gate.answered(answers.len());
            sink.deliver(answers);
        }
        if !calls.is_empty() {
            outside.call(calls);
        }
        self.shared.feed.publish(notices);
        self.archive_finished(finished, outside);
    }

    fn archive_finished(&mut self, ids: Vec<OrderId>, outside: &mut dyn Outside) {
        let mut orders = Vec::with_capacity(ids.len());
        for id in ids {
            // News may have come since: then the order is handed over when it ends again.
            if self.live.get(&id).is_none_or(|live| !live.order.is_finished()) {
                continue;
            }
            let Some(live) = self.live.remove(&id) else { continue };
            if live.has_row {
                self.rows_to_delete.push(id);
            }
            let finished = FinishedOrder::new(&live.order, self.outbox.durable(), &mut self.row_buffer);
            self.finished.insert(id, finished.clone());
            orders.push(finished);
        }
        if !orders.is_empty() {
            self.shared.gate.orders_finished(orders.len());
            outside.archive(Finished { shard: self.index, orders });
        }
    }

    /// The archive has these orders.
    pub fn on_archived(&mut self, orders: &[FinishedOrder]) {
        self.shared.gate.orders_archived(orders.len());
        for order in orders {
            // An order that was brought back meanwhile, and may have ended again, stays.
            if self.finished.get(&order.id).is_some_and(|known| known.applied == order.applied) {
                self.finished.remove(&order.id);
                self.by_key.remove(&order.key);
            }
            self.archived.insert(order.key);
        }
    }

    /// Time passed.
    pub fn on_tick(&mut self, outside: &mut dyn Outside) {
        let now = self.shared.clock.now();
        for id in self.timers.take_due(now, WAKES_AT_ONCE) {
            let Some(live) = self.live.get_mut(&id) else { continue };
            let due = live.order.next_due();
            live.scheduled = due;
            if due > now {
                self.timers.set(due, id);
            } else if let Err(reject) = self.act(id, &OrderCommand::Wake, now) {
                tracing::error!(order = %id, %reject, "an order cannot be woken");
            } else if let Some(live) = self.live.get_mut(&id) {
                let due = live.order.next_due();
                live.scheduled = due;
                self.timers.set(due, id);
            }
        }
        if self.timers.is_stale(self.live.len()) {
            self.timers.clear();
            for (id, live) in &mut self.live {
                live.scheduled = live.order.next_due();
                self.timers.set(live.scheduled, *id);
            }
        }
        self.settle(outside);
    }

    /// A checkpoint is wanted; `durable` is the position up to which the whole log is.
    pub fn on_checkpoint(&mut self, epoch: u64, durable: Lsn, outside: &mut dyn Outside) {
        self.checkpoint_wanted = Some((epoch, durable));
        self.settle(outside);
        self.capture(outside);
    }

    /// Captures the orders that changed since the last checkpoint, between two batches. They are handed over once
    /// all that is in them is durable.
    fn capture(&mut self, outside: &mut dyn Outside) {
        if !self.outbox.is_flushed() {
            return;
        }
        let Some((epoch, durable)) = self.checkpoint_wanted.take() else { return };
        let mut rows = CheckpointRows::new(Table::LiveOrders);
        for (id, live) in &mut self.live {
            if std::mem::take(&mut live.dirty) {
                live.has_row = true;
                rows.upsert(id.0.to_be_bytes(), marked_row(&*live.order));
            }
        }
        for id in std::mem::take(&mut self.rows_to_delete) {
            if !self.live.contains_key(&id) {
                rows.delete(id.0.to_be_bytes());
            }
        }
        self.captured.push_back(Captured { after_batch: self.outbox.sent(), rows, epoch, durable });
        self.hand_over_captured(outside);
    }

    fn hand_over_captured(&mut self, outside: &mut dyn Outside) {
        while let Some(captured) =
            self.captured.pop_front_if(|captured| captured.after_batch <= self.outbox.committed())
        {
            let Captured { mut rows, epoch, durable, .. } = captured;
            let replay_from = durable.max(self.outbox.durable());
            for bytes in rows.changes.iter_mut().filter_map(|(_, row)| row.as_mut()) {
                mark_row(bytes, replay_from);
            }
            let source = Source::Orders(self.index);
            outside.checkpoint(Rows {
                source,
                epoch,
                tables: vec![rows],
                replay_from,
                last_id: self.last_id,
            });
        }
    }
}
