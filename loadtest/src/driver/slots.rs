//! Orders under way. A ticket names a slot, its turn and the step, so an answer finds its order without a search and
//! an answer that comes twice is seen.

use rustc_hash::FxHashMap;
use suanpan_model::{OrderId, Ticket};

/// What is awaited of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The slot is free.
    Free,
    /// The answer to its creation.
    Create,
    /// The notice that its money is frozen.
    Freeze,
    /// The answer to its release.
    Release,
}

/// One order under way.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// What is awaited.
    pub step: Step,
    /// How often the slot was used.
    turn: u32,
    /// Which order of the run it is.
    pub count: u64,
    /// From when its latency counts.
    pub start_ns: u64,
    /// The engine's number, once it is known.
    pub order: OrderId,
}

/// Orders under way.
#[derive(Debug, Default)]
pub struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_order: FxHashMap<OrderId, u32>,
}

const TURN_BITS: u32 = 31;
const RELEASE: u64 = 1 << 63;

impl Slots {
    /// How many orders are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether no order is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A slot for order `count` and the ticket of its creation.
    pub fn open(&mut self, count: u64, start_ns: u64) -> Ticket {
        let index = self.free.pop().unwrap_or_else(|| {
            let free = Slot { step: Step::Free, turn: 0, count: 0, start_ns: 0, order: OrderId(0) };
            self.slots.push(free);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let slot = &mut self.slots[index as usize];
        slot.step = Step::Create;
        slot.turn = (slot.turn + 1) & ((1 << TURN_BITS) - 1);
        (slot.count, slot.start_ns) = (count, start_ns);
        Ticket(u64::from(slot.turn) << 32 | u64::from(index))
    }

    /// The slot that a ticket of `step` names; nothing when that is not awaited.
    pub fn awaited(&mut self, ticket: Ticket, step: Step) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(place(ticket))?;
        let turn = ticket.0 >> 32 & ((1 << TURN_BITS) - 1);
        (slot.step == step && u64::from(slot.turn) == turn).then_some(slot)
    }

    /// The creation was acknowledged as `order`: its notice is awaited now.
    pub fn created(&mut self, ticket: Ticket, order: OrderId) {
        let slot = &mut self.slots[place(ticket)];
        (slot.step, slot.order) = (Step::Freeze, order);
        self.by_order.insert(order, u32::try_from(place(ticket)).unwrap_or(u32::MAX));
    }

    /// The order whose notice came, with the ticket of its release; nothing when it is not known (yet).
    pub fn frozen(&mut self, order: OrderId) -> Option<Ticket> {
        let index = self.by_order.remove(&order)?;
        let slot = &mut self.slots[index as usize];
        slot.step = Step::Release;
        Some(Ticket(RELEASE | u64::from(slot.turn) << 32 | u64::from(index)))
    }

    /// The order that ended without being frozen, if it is known.
    pub fn lost(&mut self, order: OrderId) -> bool {
        let Some(index) = self.by_order.remove(&order) else { return false };
        self.close_at(index);
        true
    }

    /// The order of `ticket` is over.
    pub fn close(&mut self, ticket: Ticket) {
        self.close_at(u32::try_from(place(ticket)).unwrap_or(u32::MAX));
    }

    fn close_at(&mut self, index: u32) {
        self.slots[index as usize].step = Step::Free;
        self.free.push(index);
    }
}

/// Whether the ticket is that of a release.
#[must_use]
pub const fn is_release(ticket: Ticket) -> bool {
    ticket.0 & RELEASE != 0
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is the place")]
const fn place(ticket: Ticket) -> usize {
    ticket.0 as u32 as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_goes_through_its_steps_once() {
        let mut slots = Slots::default();
        let create = slots.open(0, 10);
        assert!(!is_release(create));
        assert!(slots.frozen(OrderId(9)).is_none(), "not known yet");
        assert_eq!(slots.awaited(create, Step::Create).unwrap().start_ns, 10);
        slots.created(create, OrderId(9));
        assert!(slots.awaited(create, Step::Create).is_none(), "answered twice");
        let release = slots.frozen(OrderId(9)).unwrap();
        assert!(is_release(release));
        assert!(slots.frozen(OrderId(9)).is_none(), "noticed twice");
        assert_eq!(slots.awaited(release, Step::Release).unwrap().order, OrderId(9));
        slots.close(release);
        assert!(slots.is_empty() && slots.awaited(release, Step::Release).is_none());
        let next = slots.open(1, 20);
        assert_ne!(next, create, "the same slot, another turn");
        assert!(slots.awaited(create, Step::Create).is_none());
        slots.created(next, OrderId(10));
        assert!(slots.lost(OrderId(10)) && slots.is_empty());
    }
}
