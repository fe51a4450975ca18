//! What records say beside the state of their orders: about channels, and to malls.

use rustc_hash::FxHashMap;
use suanpan_core::routing::learning::{Learning, observe};
use suanpan_model::order::Step;
use suanpan_model::{
    Announced, ChannelId, Conditions, Lsn, Order, OrderEvent, OrderId, PlatformPolicy, TimestampMs,
};

use crate::keeper::CheckpointMeta;
use crate::order_shard::announced;

/// What was learned about channels, and what malls are told.
pub(super) struct Hindsight<'a> {
    conditions: &'a FxHashMap<ChannelId, Conditions>,
    policies: &'a [PlatformPolicy],
    /// Of orders whose row is newer than what is replayed: how many steps of their life were replayed.
    behind: FxHashMap<OrderId, usize>,
    learned_upto: Lsn,
    /// What was learned about channels.
    pub learning: Learning,
    /// What malls are told of the log's tail, as far as the store may lack it.
    pub announced: Vec<Announced>,
}

impl<'a> Hindsight<'a> {
    /// Goes on from what a checkpoint knew, which is taken out of `meta`.
    pub fn new(
        conditions: &'a FxHashMap<ChannelId, Conditions>,
        policies: &'a [PlatformPolicy],
        meta: &mut CheckpointMeta,
    ) -> Self {
        Self {
            conditions,
            policies,
            behind: FxHashMap::default(),
            learned_upto: meta.learned_upto,
            learning: std::mem::take(&mut meta.learning),
            announced: Vec::new(),
        }
    }

    /// Takes a record of `order`, which is complete up to `applied`.
    pub fn take(&mut self, lsn: Lsn, at: TimestampMs, events: &[OrderEvent], order: &Order, applied: Lsn) {
        // A row that is newer than this record has later steps, too: what was known then is what stood up to it.
        let upto = if lsn <= applied {
            let from = self.behind.get(&order.id).copied().unwrap_or(0);
            let is_this = |steps: &[Step]| {
                steps.iter().zip(events).all(|(step, event)| step.at == at && step.kind == event.kind())
            };
            let found = order.steps[from..].windows(events.len().max(1)).position(is_this);
            let upto = found.map_or(from, |place| from + place) + events.len();
            self.behind.insert(order.id, upto);
            upto.min(order.steps.len())
        } else {
            order.steps.len()
        };
        if lsn > self.learned_upto {
            for seen in events.iter().filter_map(|event| observe(order, upto, event, at)) {
                if let Some(conditions) = self.conditions.get(&seen.channel) {
                    self.learning.fold(&seen, conditions);
                }
            }
        }
        let platform = order.terms.platform;
        if self.policies.iter().any(|policy| policy.id == platform && policy.announces) {
            self.announced.extend(announced(order, upto, events, lsn));
        }
    }
}
