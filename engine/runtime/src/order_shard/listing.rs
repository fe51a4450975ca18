//! Which orders are in memory, for lists.

use suanpan_model::OrderId;

use super::OrderShard;
use crate::order_list::OrderQuery;

/// Orders that are looked at for one page: a millisecond or two at worst, when all of them are kept as rows.
const LOOKED_AT_MAX: usize = 500;

/// Orders in memory, as a list wants them.
#[derive(Clone, Debug, Default)]
pub struct InMemory {
    /// Those that were looked at, newest first, and whether they seem to be wanted. What is told of them may not be
    /// durable yet, so whoever shows them asks for them.
    pub orders: Vec<(OrderId, bool)>,
    /// The lowest number that was looked at, when there may be more below it.
    pub down_to: Option<OrderId>,
}

impl OrderShard {
    /// Orders in memory for a page of a list.
    #[must_use]
    pub fn list(&self, query: &OrderQuery) -> InMemory {
        let (from, before) = query.numbers();
        let mut found = InMemory::default();
        if from >= before {
            return found;
        }
        let mut wanted = 0;
        for (_, id) in self.listed.range((query.platform, from)..(query.platform, before)).rev() {
            if wanted == query.limit || found.orders.len() == LOOKED_AT_MAX {
                found.down_to = found.orders.last().map(|(id, _)| *id);
                break;
            }
            let fits = self.live.look(*id).is_some_and(|order| query.takes(&order));
            wanted += usize::from(fits);
            found.orders.push((*id, fits));
        }
        found
    }

    /// Those of `ids` that are in memory.
    #[must_use]
    pub fn holding(&self, mut ids: Vec<OrderId>) -> Vec<OrderId> {
        ids.retain(|id| self.live.holds(*id));
        ids
    }
}
