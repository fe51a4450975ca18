//! Commits, timers, archive and checkpoint.

use suanpan_model::{DurationMs, Lsn, OrderCommand, OrderId};

use super::outbox::Waiting;
use super::{Live, OrderShard, Outside};
use crate::codec::mark_row;
use crate::messages::{Finished, FinishedOrder, Rows, Source};
use crate::store::{CheckpointRows, Table};

/// A checkpoint on its way: the orders that had changed when it was wanted.
pub(super) struct Checkpointing {
    epoch: u64,
    replay_from: Lsn,
    left: Vec<OrderId>,
    deleted: Vec<OrderId>,
}

/// Rows captured for a checkpoint, of which the log does not have everything yet.
pub(super) struct Captured {
    /// The batch that holds the last record contained in the rows.
    after_batch: u64,
    rows: Rows,
}

impl OrderShard {
    /// A batch of this shard is durable.
    pub fn on_committed(&mut self, first: Lsn, payload: Vec<u8>, outside: &mut dyn Outside) {
        let waiting = self.outbox.commit(first, payload);
        self.ask_what_waited();
        self.let_go(waiting, outside);
        self.hand_over_captured(outside);
        self.settle(outside);
        self.capture(outside);
    }

    /// Asks for holds that waited for a batch which is durable now.
    fn ask_what_waited(&mut self) {
        let committed = self.outbox.committed();
        while let Some((_, ask)) = self.later_asks.pop_front_if(|(after, _)| *after <= committed) {
            self.asks[ask.home().shard(self.shards)].push(ask);
        }
    }

    /// Hands what can go to the log writer and answers what waits for nothing.
    pub(super) fn settle(&mut self, outside: &mut dyn Outside) {
        self.listed.extend(self.unlisted.drain(..));
        self.live.pack();
        self.outbox.tally.count(&self.shared);
        for (shard, asks) in self.asks.iter_mut().enumerate().filter(|(_, asks)| !asks.is_empty()) {
            outside.hold(shard, std::mem::take(asks));
        }
        if let Some(batch) = self.outbox.take_batch(self.index) {
            outside.log(batch);
        } else if let Some(waiting) = self.outbox.take_idle() {
            self.let_go(waiting, outside);
        }
    }

    fn let_go(&mut self, waiting: Waiting, outside: &mut dyn Outside) {
        let Waiting { answers, calls, notices, finished } = waiting;
        // First: who hears of an end finds it counted.
        self.shared.gate.orders_finished(finished.len());
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

    /// Hands orders that were counted as finished to the archive.
    fn archive_finished(&mut self, ids: Vec<OrderId>, outside: &mut dyn Outside) {
        let counted = ids.len();
        let mut orders = Vec::with_capacity(counted);
        for id in ids {
            // News may have come since: then the order is handed over when that is durable, too.
            let (committed, durable) = (self.outbox.committed(), self.outbox.durable());
            orders.extend(self.live.end(id, |live| {
                if live.last_batch > committed || !live.order().is_finished() {
                    return None;
                }
                if live.has_row {
                    self.rows_to_delete.push(id);
                }
                Some(FinishedOrder::new(live.order(), durable, &mut self.row_buffer))
            }));
        }
        self.shared.gate.orders_went_on(counted - orders.len());
        if !orders.is_empty() {
            outside.archive(Finished { shard: self.index, orders });
        }
    }

    /// The archive has these orders.
    pub fn on_archived(&mut self, orders: &[FinishedOrder]) {
        self.shared.gate.orders_archived(orders.len());
        for order in orders {
            if self.live.forget(order) {
                self.listed.remove(&(order.platform, order.id));
            }
            self.archived.insert(order.key);
        }
    }

    /// Time passed.
    pub fn on_tick(&mut self, outside: &mut dyn Outside) {
        let scene = self.scene();
        let now = scene.now;
        if !self.recovering.is_empty() {
            self.recover_some(&scene, outside);
        }
        if self.shared.gate.is_poisoned() {
            self.give_up_reserving();
        }
        self.hear_postponed(&scene);
        for id in self.timers.take_due(now, self.shared.limits.wakes_at_once) {
            let Some(live) = self.live.get_mut(id) else { continue };
            let due = live.due;
            live.scheduled = due;
            if due > now {
                self.timers.set(due, id);
            } else if self.deciding.contains(&id) {
                self.timers.set(now + DurationMs::from_secs(1), id);
            } else if let Err(reject) = self.act(id, &OrderCommand::Wake, &scene, None) {
                tracing::error!(order = %id, %reject, "an order cannot be woken; trying again in a minute");
                self.timers.set(now + DurationMs::from_secs(60), id);
            } else if let Some(live) = self.live.get_mut(id) {
                live.scheduled = live.due;
                self.timers.set(live.due, id);
            }
        }
        if self.timers.is_stale(self.live.len()) {
            self.timers.clear();
            for live in self.live.iter_mut() {
                live.scheduled = live.due;
                self.timers.set(live.due, live.id());
            }
        }
        self.settle(outside);
        self.capture(outside);
    }

    /// A checkpoint is wanted; `durable` is the position up to which the whole log is. Everything of this shard up to
    /// there is in the orders that changed by now, so the log is needed from there on only.
    pub fn on_checkpoint(&mut self, epoch: u64, durable: Lsn, outside: &mut dyn Outside) {
        let changed = self.live.iter().filter(|live| live.dirty).map(Live::id);
        self.checkpoints.push_back(Checkpointing {
            epoch,
            replay_from: durable.max(self.outbox.durable()),
            left: changed.collect(),
            deleted: std::mem::take(&mut self.rows_to_delete),
        });
        self.settle(outside);
        self.capture(outside);
    }

    /// Captures the next orders of a checkpoint, between two batches. They are handed over once all that is in them is
    /// durable; only then the next ones are captured.
    fn capture(&mut self, outside: &mut dyn Outside) {
        while self.captured.is_none() && self.outbox.is_flushed() && outside.has_room_for_rows() {
            let Some(checkpoint) = self.checkpoints.front_mut() else { return };
            let mut rows = CheckpointRows::new(Table::LiveOrders);
            let from = checkpoint.left.len().saturating_sub(self.shared.limits.rows_at_once);
            for id in checkpoint.left.drain(from..) {
                let Some(live) = self.live.get_mut(id) else {
                    // It ended since: the archive has it before these rows are written, and an older row must go.
                    rows.delete(id.0.to_be_bytes());
                    continue;
                };
                live.dirty = false;
                live.has_row = true;
                rows.upsert(id.0.to_be_bytes(), live.row());
            }
            let is_last = checkpoint.left.is_empty();
            // An order that was brought back since keeps the row that was captured after that, and only that: an older one
            // knows less than the archive.
            let has_newer = |id: &OrderId| self.live.get(*id).is_some_and(|live| live.has_row);
            for id in checkpoint.deleted.drain(..).filter(|id| !has_newer(id)) {
                rows.delete(id.0.to_be_bytes());
            }
            let rows = Rows {
                source: Source::Orders(self.index),
                epoch: checkpoint.epoch,
                tables: vec![rows],
                is_last,
                waits_for_archive: true,
                replay_from: checkpoint.replay_from,
                last_id: self.last_id,
            };
            if is_last {
                self.checkpoints.pop_front();
            }
            self.captured = Some(Captured { after_batch: self.outbox.sent(), rows });
            self.hand_over_captured(outside);
        }
    }

    fn hand_over_captured(&mut self, outside: &mut dyn Outside) {
        if let Some(Captured { mut rows, .. }) =
            self.captured.take_if(|captured| captured.after_batch <= self.outbox.committed())
        {
            let applied = rows.replay_from.max(self.outbox.durable());
            let changes = rows.tables.iter_mut().flat_map(|table| &mut table.changes);
            for bytes in changes.filter_map(|(_, row)| row.as_mut()) {
                mark_row(bytes, applied);
            }
            outside.checkpoint(rows);
        }
    }
}
