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
    /// The answer to an action, counted from 1.
    Act(u8),
    /// The notice that its refund was made; the action was answered.
    Refund(u8),
}

/// One order under way.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// What is awaited.
    pub step: Step,
    /// How often the slot was used.
    turn: u32,
    /// Whether the refund was made before its request was answered.
    pub refunded: bool,
    /// Which order of the run it is.
    pub count: u64,
    /// From when its latency counts.
    pub start_ns: u64,
    /// When the last action was asked for.
    pub asked_ns: u64,
    /// When the last request was handed over: later than that if it was refused for now before.
    pub handed_ns: u64,
    /// How often its present request was refused for now.
    refusals: u8,
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

const TURN_BITS: u32 = 30;
const ACTION_SHIFT: u32 = 62;

/// Which step a ticket belongs to: 0 for the creation, then the number of the action.
#[must_use]
pub fn action_of(ticket: Ticket) -> u8 {
    u8::try_from(ticket.0 >> ACTION_SHIFT).unwrap_or(0)
}

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
            let order = OrderId(0);
            let (step, refunded) = (Step::Free, false);
            let (start_ns, asked_ns, handed_ns, refusals) = (0, 0, 0, 0);
            let count = 0;
            self.slots.push(Slot {
                step,
                turn: 0,
                refunded,
                count,
                start_ns,
                asked_ns,
                handed_ns,
                refusals,
                order,
            });
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let slot = &mut self.slots[index as usize];
        slot.step = Step::Create;
        slot.refunded = false;
        slot.refusals = 0;
        slot.turn = (slot.turn + 1) & ((1 << TURN_BITS) - 1);
        (slot.count, slot.start_ns) = (count, start_ns);
        ticket(slot.turn, index, 0)
    }

    /// The slot whose answer a ticket is; nothing when no such answer is awaited.
    pub fn awaited(&mut self, ticket: Ticket) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(place(ticket))?;
        let turn = ticket.0 >> 32 & ((1 << TURN_BITS) - 1);
        let step = match action_of(ticket) {
            0 => Step::Create,
            action => Step::Act(action),
        };
        (slot.step == step && u64::from(slot.turn) == turn).then_some(slot)
    }

    /// The request of `ticket` is handed over, perhaps not for the first time.
    pub fn handed(&mut self, ticket: Ticket, now_ns: u64) {
        self.slots[place(ticket)].handed_ns = now_ns;
    }

    /// The request of `ticket` was refused for now; the answer is how often it had been before.
    pub fn was_refused(&mut self, ticket: Ticket) -> u8 {
        let refusals = &mut self.slots[place(ticket)].refusals;
        *refusals = refusals.saturating_add(1);
        *refusals - 1
    }

    /// The creation was acknowledged as `order`: its notice is awaited now.
    pub fn created(&mut self, ticket: Ticket, order: OrderId) {
        let slot = &mut self.slots[place(ticket)];
        (slot.step, slot.order) = (Step::Freeze, order);
        self.by_order.insert(order, u32::try_from(place(ticket)).unwrap_or(u32::MAX));
    }

    /// The slot of an order that was acknowledged and has not ended.
    pub fn of(&mut self, order: OrderId) -> Option<&mut Slot> {
        let index = *self.by_order.get(&order)?;
        self.slots.get_mut(index as usize)
    }

    /// Orders that were acknowledged and whose money is not frozen.
    #[must_use]
    pub fn awaiting_payment(&self) -> Vec<OrderId> {
        self.slots.iter().filter(|slot| slot.step == Step::Freeze).map(|slot| slot.order).collect()
    }

    /// Goes on with action `action` of an order, at `now_ns`; the answer is its ticket.
    pub fn act(&mut self, order: OrderId, action: u8, now_ns: u64) -> Option<Ticket> {
        let index = *self.by_order.get(&order)?;
        let slot = &mut self.slots[index as usize];
        (slot.step, slot.asked_ns, slot.refunded, slot.refusals) = (Step::Act(action), now_ns, false, 0);
        Some(ticket(slot.turn, index, action))
    }

    /// The order of `ticket`, which was never acknowledged, is over.
    pub fn refused(&mut self, ticket: Ticket) {
        let order = self.slots[place(ticket)].order;
        if action_of(ticket) > 0 {
            self.by_order.remove(&order);
        }
        self.free_at(u32::try_from(place(ticket)).unwrap_or(u32::MAX));
    }

    /// An order is over; false when it was not known.
    pub fn close(&mut self, order: OrderId) -> bool {
        let Some(index) = self.by_order.remove(&order) else { return false };
        self.free_at(index);
        true
    }

    fn free_at(&mut self, index: u32) {
        self.slots[index as usize].step = Step::Free;
        self.free.push(index);
    }
}

fn ticket(turn: u32, index: u32, action: u8) -> Ticket {
    Ticket(u64::from(action) << ACTION_SHIFT | u64::from(turn) << 32 | u64::from(index))
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
        assert_eq!(action_of(create), 0);
        assert!(slots.of(OrderId(9)).is_none(), "not known yet");
        assert_eq!(slots.awaited(create).unwrap().start_ns, 10);
        slots.created(create, OrderId(9));
        assert!(slots.awaited(create).is_none(), "answered twice");
        assert_eq!(slots.awaiting_payment(), [OrderId(9)]);
        let release = slots.act(OrderId(9), 1, 15).unwrap();
        assert_eq!(action_of(release), 1);
        assert!(slots.awaiting_payment().is_empty());
        assert_eq!(slots.awaited(release).unwrap().order, OrderId(9));
        let refund = slots.act(OrderId(9), 2, 17).unwrap();
        assert!(slots.awaited(release).is_none(), "answered twice");
        assert_eq!((slots.awaited(refund).unwrap().asked_ns, action_of(refund)), (17, 2));
        assert!(slots.close(OrderId(9)) && !slots.close(OrderId(9)));
        assert!(slots.is_empty() && slots.awaited(refund).is_none());
        let next = slots.open(1, 20);
        assert_ne!(next, create, "the same slot, another turn");
        assert!(slots.awaited(create).is_none());
        slots.refused(next);
        assert!(slots.is_empty());
    }
}
