//! The live orders of a shard, densely.
//!
//! Orders that something happened to lately are kept *open*, as they are. An order that waits for its payer for hours is
//! *packed*: kept as the row that the checkpoint and the archive would hold, a third of its size, and opened again when
//! there is news. How many stay open is bounded; a shard with fewer live orders never packs any.
//!
//! An order that *ended* stays here, as the row that the archive gets, until the archive has it. So an order has one place
//! from its creation until then, and is found by its number and by the platform's through tables of four bytes.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use suanpan_model::{Lsn, Order, OrderId, PlatformId, TimestampMs};

use crate::codec::{add_step, begin_order_row, decode_order_row, order_row};
use crate::messages::FinishedOrder;
use crate::store::Bytes;

/// Slots of a page.
const PAGE_SLOTS: usize = 1 << PAGE_BITS;
const PAGE_BITS: u32 = 10;

/// An order in memory.
#[derive(Debug)]
pub(super) struct Live {
    id: OrderId,
    /// The fingerprint of the platform's number, in two halves.
    key: [u64; 2],
    body: Body,
    /// When it wants to be woken.
    pub(super) due: TimestampMs,
    /// The earliest timer that is set for it.
    pub(super) scheduled: TimestampMs,
    /// The batch that holds its last record.
    pub(super) last_batch: u64,
    /// Whether it changed since the last checkpoint.
    pub(super) dirty: bool,
    /// Whether a checkpoint row of it exists.
    pub(super) has_row: bool,
    /// Whether it was looked for since it came up for packing.
    touched: bool,
}

#[derive(Debug)]
enum Body {
    Open(Arc<Order>, OpenRow),
    /// Its marked row, whose mark says nothing.
    Packed(Box<[u8]>),
    /// The marked row that the archive gets, complete up to a position of the log.
    Ended(Bytes, Lsn),
}

/// The row of an open order.
#[derive(Debug)]
enum OpenRow {
    /// Nothing of the order is recorded yet.
    Unborn,
    /// It takes over every step that is recorded.
    Kept(Vec<u8>),
    /// It is made when it is wanted.
    ToMake,
}

impl OpenRow {
    /// The order's marked row, whose mark says nothing.
    fn of(&self, order: &Order) -> Cow<'_, [u8]> {
        match self {
            Self::Kept(row) => {
                assert_whole(row, order);
                Cow::Borrowed(row)
            }
            Self::Unborn | Self::ToMake => Cow::Owned(order_row(order)),
        }
    }
}

fn assert_whole(row: &[u8], order: &Order) {
    debug_assert!(unpack(row) == *order, "a row takes over every step of its order");
}

/// What a shard must know of an order to keep it, packed or not.
#[derive(Clone, Copy, Debug)]
pub struct OrderFacts {
    /// Its number.
    pub id: OrderId,
    /// Its platform.
    pub platform: PlatformId,
    /// The fingerprint of the platform's number.
    pub key: u128,
    /// When it wants to be woken.
    pub due: TimestampMs,
    /// Whether it waits for an operator.
    pub needs_operator: bool,
}

impl OrderFacts {
    /// Those of an order.
    #[must_use]
    pub fn of(order: &Order) -> Self {
        Self {
            id: order.id,
            platform: order.terms.platform,
            key: order.terms.key(),
            due: order.next_due(),
            needs_operator: order.needs_operator(),
        }
    }
}

/// An order that a shard takes over.
pub(crate) enum Kept {
    /// As it is.
    Open(Arc<Order>),
    /// As its marked row.
    Packed(Box<[u8]>),
}

impl Live {
    /// An order that is new, and recorded next.
    pub(super) fn unborn(order: Arc<Order>) -> Self {
        let facts = OrderFacts::of(&order);
        Self::of(&facts, Body::Open(order, OpenRow::Unborn))
    }

    pub(super) fn kept(facts: &OrderFacts, kept: Kept) -> Self {
        let body = match kept {
            Kept::Open(order) => Body::Open(order, OpenRow::ToMake),
            Kept::Packed(row) => Body::Packed(row),
        };
        Self::of(facts, body)
    }

    fn of(facts: &OrderFacts, body: Body) -> Self {
        Self {
            id: facts.id,
            key: halves(facts.key),
            due: facts.due,
            body,
            scheduled: TimestampMs::NEVER,
            last_batch: 0,
            dirty: true,
            has_row: false,
            touched: false,
        }
    }

    pub(super) const fn id(&self) -> OrderId {
        self.id
    }

    /// The order; read from its row when it is packed, and packed still.
    pub(super) fn look(&self) -> Arc<Order> {
        match &self.body {
            Body::Open(order, _) => Arc::clone(order),
            Body::Packed(row) => Arc::new(unpack(row)),
            Body::Ended(row, _) => Arc::new(unpack(row)),
        }
    }

    /// The row that a checkpoint takes, its mark to be filled in.
    pub(super) fn row(&self) -> Vec<u8> {
        match &self.body {
            Body::Open(order, row) => match row.of(order) {
                Cow::Borrowed(row) => copy(row),
                Cow::Owned(row) => row,
            },
            Body::Packed(row) => copy(row),
            Body::Ended(row, _) => copy(row),
        }
    }

    /// The order, opened for good.
    pub(super) fn order(&mut self) -> &mut Arc<Order> {
        if let Body::Packed(row) = &mut self.body {
            let row = std::mem::take(row).into_vec();
            self.body = Body::Open(Arc::new(unpack(&row)), OpenRow::Kept(row));
        }
        match &mut self.body {
            Body::Open(order, _) => order,
            Body::Packed(_) | Body::Ended(..) => unreachable!("it was opened"),
        }
    }

    /// Takes over what was recorded of the order, which has it folded in. Until it is paid, it may wait for days, as its row;
    /// from then on most orders end soon, and one encoding at the end costs less than to carry a row along.
    pub(super) fn take_over(&mut self, step: &[u8]) {
        debug_assert!(!step.is_empty(), "what is recorded of an order is a step of it");
        let Body::Open(order, row) = &mut self.body else { unreachable!("it was opened to be changed") };
        match row {
            _ if !order.status.is_unpaid() => *row = OpenRow::ToMake,
            OpenRow::Unborn => *row = OpenRow::Kept(begin_order_row(self.id, step)),
            OpenRow::Kept(row) => add_step(row, step),
            OpenRow::ToMake => {}
        }
    }

    const fn is_packed(&self) -> bool {
        matches!(self.body, Body::Packed(_))
    }

    const fn has_ended(&self) -> bool {
        matches!(self.body, Body::Ended(..))
    }
}

const fn halves(key: u128) -> [u64; 2] {
    [(key & 0xffff_ffff_ffff_ffff) as u64, (key >> 64) as u64]
}

/// A copy that goes with its checkpoint. It takes room of another size than the row, which stays: allocators keep what is of one size
/// together, and rows that go would leave holes between those that stay.
fn copy(row: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((row.len() + 1).next_power_of_two());
    bytes.extend_from_slice(row);
    bytes
}

fn unpack(row: &[u8]) -> Order {
    let (_, order) = decode_order_row(row).expect("a row that was made here can be read");
    order
}

/// Orders by their number and by the platform's.
pub(super) struct LiveOrders {
    by_id: HashTable<u32>,
    by_key: HashTable<u32>,
    /// How many have not ended.
    live: usize,
    pages: Vec<Vec<Option<Live>>>,
    free: Vec<u32>,
    /// Those that are open, in the order in which they are looked at for packing; some have ended since.
    open: VecDeque<OrderId>,
    open_max: usize,
}

fn hash(id: OrderId) -> u64 {
    FxBuildHasher.hash_one(id)
}

const fn split(place: u32) -> (usize, usize) {
    ((place >> PAGE_BITS) as usize, place as usize & (PAGE_SLOTS - 1))
}

fn at(pages: &[Vec<Option<Live>>], place: u32) -> &Live {
    let (page, slot) = split(place);
    pages[page][slot].as_ref().expect("a place in a table is taken")
}

impl LiveOrders {
    /// None yet; at most `open_max` will stay open.
    pub(super) fn new(open_max: usize) -> Self {
        Self {
            by_id: HashTable::new(),
            by_key: HashTable::new(),
            live: 0,
            pages: Vec::new(),
            free: Vec::new(),
            open: VecDeque::new(),
            open_max,
        }
    }

    /// How many have not ended.
    pub(super) const fn len(&self) -> usize {
        self.live
    }

    fn place(&self, id: OrderId) -> Option<u32> {
        self.by_id.find(hash(id), |place| at(&self.pages, *place).id == id).copied()
    }

    /// The number of an order, ended or not, by the fingerprint of the platform's.
    pub(super) fn id_of(&self, key: u128) -> Option<OrderId> {
        let key = halves(key);
        let place = self.by_key.find(key[1], |place| at(&self.pages, *place).key == key)?;
        Some(at(&self.pages, *place).id)
    }

    pub(super) fn get(&self, id: OrderId) -> Option<&Live> {
        Some(at(&self.pages, self.place(id)?)).filter(|live| !live.has_ended())
    }

    /// The order as it is, packed or not.
    pub(super) fn get_mut(&mut self, id: OrderId) -> Option<&mut Live> {
        let (page, slot) = split(self.place(id)?);
        self.pages[page][slot].as_mut().filter(|live| !live.has_ended())
    }

    /// The order, open.
    pub(super) fn open(&mut self, id: OrderId) -> Option<&mut Live> {
        let (page, slot) = split(self.place(id)?);
        let live = self.pages[page][slot].as_mut().filter(|live| !live.has_ended())?;
        if live.is_packed() {
            live.order();
            self.open.push_back(id);
        }
        live.touched = true;
        Some(live)
    }

    /// Adds an order that is not there yet, or takes the place of the row with which it had ended.
    pub(super) fn insert(&mut self, live: Live) {
        let (id, key) = (live.id, live.key);
        if !live.is_packed() {
            self.open.push_back(id);
        }
        self.live += 1;
        if let Some(place) = self.place(id) {
            let (page, slot) = split(place);
            self.pages[page][slot] = Some(live);
            return;
        }
        let place = self.free.pop().unwrap_or_else(|| self.grow());
        let (page, slot) = split(place);
        self.pages[page][slot] = Some(live);
        let pages = &self.pages;
        self.by_id.insert_unique(hash(id), place, |place| hash(at(pages, *place).id));
        self.by_key.insert_unique(key[1], place, |place| at(pages, *place).key[1]);
    }

    fn grow(&mut self) -> u32 {
        if self.pages.last().is_none_or(|page| page.len() == PAGE_SLOTS) {
            self.pages.push(Vec::with_capacity(PAGE_SLOTS));
        }
        let page = self.pages.len() - 1;
        self.pages[page].push(None);
        u32::try_from(page << PAGE_BITS | (self.pages[page].len() - 1)).expect("live orders are bounded")
    }

    /// Ends an order: the row that `finish` makes is all that is kept of it. Without a row it goes on.
    pub(super) fn end(
        &mut self,
        id: OrderId,
        finish: impl FnOnce(&mut Live) -> Option<FinishedOrder>,
    ) -> Option<FinishedOrder> {
        let live = self.get_mut(id)?;
        let was_packed = live.is_packed();
        let Some(finished) = finish(live) else {
            if was_packed && !live.is_packed() {
                self.open.push_back(id);
            }
            return None;
        };
        live.body = Body::Ended(finished.row.clone(), finished.applied);
        self.live -= 1;
        Some(finished)
    }

    /// The row of an order that ended and waits for the archive.
    pub(super) fn ended(&self, id: OrderId) -> Option<&Bytes> {
        match &at(&self.pages, self.place(id)?).body {
            Body::Ended(row, _) => Some(row),
            Body::Open(..) | Body::Packed(_) => None,
        }
    }

    /// The archive has the row of an order; false when it stays, because it was brought back meanwhile, and may have
    /// ended again.
    pub(super) fn forget(&mut self, archived: &FinishedOrder) -> bool {
        let pages = &self.pages;
        let is_it = |place: &u32| at(pages, *place).id == archived.id;
        let Ok(found) = self.by_id.find_entry(hash(archived.id), is_it) else { return false };
        let place = *found.get();
        match at(pages, place).body {
            Body::Ended(_, applied) if applied == archived.applied => {}
            Body::Ended(..) | Body::Open(..) | Body::Packed(_) => return false,
        }
        found.remove();
        let key = at(pages, place).key;
        if let Ok(found) = self.by_key.find_entry(key[1], |other| *other == place) {
            found.remove();
        }
        let (page, slot) = split(place);
        self.pages[page][slot] = None;
        self.free.push(place);
        true
    }

    /// Whether the order is here, ended or not.
    pub(super) fn holds(&self, id: OrderId) -> bool {
        self.place(id).is_some()
    }

    /// The order as it is, whether it has ended or not.
    pub(super) fn look(&self, id: OrderId) -> Option<Arc<Order>> {
        Some(at(&self.pages, self.place(id)?).look())
    }

    /// All that have not ended, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Live> {
        self.pages.iter().flatten().flatten().filter(|live| !live.has_ended())
    }

    /// All that have not ended, in no order.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Live> {
        self.pages.iter_mut().flatten().flatten().filter(|live| !live.has_ended())
    }

    /// Packs the oldest open orders beyond the bound. One that was looked for since it last came up stays open.
    pub(super) fn pack(&mut self) {
        for _ in 0..self.open.len() {
            if self.open.len() <= self.open_max {
                return;
            }
            let Some(id) = self.open.pop_front() else { return };
            let Some(place) = self.place(id) else { continue };
            let (page, slot) = split(place);
            let Some(live) = self.pages[page][slot].as_mut() else { continue };
            let Body::Open(order, row) = &live.body else { continue };
            if std::mem::take(&mut live.touched) {
                self.open.push_back(id);
                continue;
            }
            // Copied, since a vector that shrinks keeps its room.
            let row = row.of(order).as_ref().into();
            live.body = Body::Packed(row);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
