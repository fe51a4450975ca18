//! The live orders of a shard, densely.
//!
//! Orders that something happened to lately are kept *open*, as they are. An order that waits for its payer for hours is
//! *packed*: kept as the row that the checkpoint and the archive would hold, a third of its size, and opened again when
//! there is news. How many stay open is bounded; a shard with fewer live orders never packs any.
//!
//! An order that *ended* stays here, as the row that the archive gets, until the archive has it; one that is *coming*, of which
//! nothing is recorded while its holds are being placed, is here so that nobody else takes the platform's number. So an order
//! has one place from the first request until the archive has it, and is found by its number, once it is recorded, and by the
//! platform's through tables of eight bytes.

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

/// A packed row may have one part in so many of its length to spare: allocators hand room out in steps of an eighth, so that
/// little is gained by a copy.
const SPARE_PART: usize = 6;

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
    /// Nothing of it is recorded yet: its number by the platform's is taken.
    Coming,
    Open(Arc<Order>, OpenRow),
    /// Its marked row, whose mark says nothing.
    Packed(Vec<u8>),
    /// The marked row that the archive gets, complete up to a position of the log.
    Ended(Bytes, Lsn),
}

const NOT_HERE: &str = "an order that is coming is not found by its number";

/// Where an order is that was found or is expected, until it is forgotten or given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(u32);

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

    /// The same, taken away.
    fn take(&mut self, order: &Order) -> Vec<u8> {
        match std::mem::replace(self, Self::ToMake) {
            Self::Kept(row) => {
                assert_whole(&row, order);
                row
            }
            Self::Unborn | Self::ToMake => order_row(order),
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
    Packed(Vec<u8>),
}

impl Live {
    /// An order of which nothing is recorded yet.
    const fn coming(id: OrderId, key: [u64; 2]) -> Self {
        Self::of(id, key, TimestampMs::NEVER, Body::Coming)
    }

    pub(super) fn kept(facts: &OrderFacts, kept: Kept) -> Self {
        let body = match kept {
            Kept::Open(order) => Body::Open(order, OpenRow::ToMake),
            Kept::Packed(row) => Body::Packed(row),
        };
        Self::of(facts.id, halves(facts.key), facts.due, body)
    }

    const fn of(id: OrderId, key: [u64; 2], due: TimestampMs, body: Body) -> Self {
        Self {
            id,
            key,
            due,
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
            Body::Coming => unreachable!("{NOT_HERE}"),
            Body::Open(order, _) => Arc::clone(order),
            Body::Packed(row) => Arc::new(unpack(row)),
            Body::Ended(row, _) => Arc::new(unpack(row)),
        }
    }

    /// The row that a checkpoint takes, its mark to be filled in.
    pub(super) fn row(&self) -> Vec<u8> {
        match &self.body {
            Body::Coming => unreachable!("{NOT_HERE}"),
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
            let row = std::mem::take(row);
            self.body = Body::Open(Arc::new(unpack(&row)), OpenRow::Kept(row));
        }
        match &mut self.body {
            Body::Open(order, _) => order,
            Body::Coming | Body::Packed(_) | Body::Ended(..) => unreachable!("it was opened"),
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

    pub(super) const fn is_coming(&self) -> bool {
        matches!(self.body, Body::Coming)
    }

    const fn is_live(&self) -> bool {
        matches!(self.body, Body::Open(..) | Body::Packed(_))
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

/// A row that stays for long: one with much room to spare is copied, since a vector that shrinks keeps its room.
fn tight(row: Vec<u8>) -> Vec<u8> {
    if row.capacity() - row.len() > row.len() / SPARE_PART { row.as_slice().into() } else { row }
}

/// Where an order is, with part of what it is looked for by: so other orders are not touched in a search, nor all of them
/// when a table grows.
#[derive(Clone, Copy)]
struct Entry {
    tag: u32,
    place: u32,
}

impl Entry {
    fn hash(self) -> u64 {
        hash(self.tag)
    }
}

fn hash(tag: u32) -> u64 {
    FxBuildHasher.hash_one(tag)
}

/// Of the whole number: each of its parts alone repeats, a count every millisecond, the low bits of the instant every minute.
const fn id_tag(id: OrderId) -> u32 {
    /// 2⁶⁴ divided by the golden ratio: products of numbers that are near each other, or far apart in even steps, have high halves that differ.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    (id.0.wrapping_mul(SPREAD) >> 32) as u32
}

/// The bucket, which the orders of a shard share, is in the other half.
const fn key_tag(key: [u64; 2]) -> u32 {
    (key[1] & 0xffff_ffff) as u32
}

/// Orders by their number and by the platform's.
pub(super) struct LiveOrders {
    by_id: HashTable<Entry>,
    by_key: HashTable<Entry>,
    /// How many are live: neither coming nor ended.
    live: usize,
    pages: Vec<Vec<Option<Live>>>,
    free: Vec<u32>,
    /// Those that are open and their places, in the order in which they are looked at for packing; some have ended since.
    open: VecDeque<(OrderId, u32)>,
    open_max: usize,
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

    /// How many are live: neither coming nor ended.
    pub(super) const fn len(&self) -> usize {
        self.live
    }

    fn place(&self, id: OrderId) -> Option<u32> {
        let tag = id_tag(id);
        let is_it = |entry: &Entry| entry.tag == tag && at(&self.pages, entry.place).id == id;
        self.by_id.find(hash(tag), is_it).map(|entry| entry.place)
    }

    /// Where an order is that is live.
    pub(super) fn place_of(&self, id: OrderId) -> Option<Place> {
        self.place(id).filter(|place| at(&self.pages, *place).is_live()).map(Place)
    }

    /// What there is under a fingerprint of the platform's number, coming, live or ended.
    pub(super) fn find_by_key(&self, key: u128) -> Option<&Live> {
        let key = halves(key);
        let tag = key_tag(key);
        let is_it = |entry: &Entry| entry.tag == tag && at(&self.pages, entry.place).key == key;
        self.by_key.find(hash(tag), is_it).map(|found| at(&self.pages, found.place))
    }

    /// The number of an order, ended or not, by the fingerprint of the platform's.
    pub(super) fn id_of(&self, key: u128) -> Option<OrderId> {
        self.find_by_key(key).filter(|live| !live.is_coming()).map(Live::id)
    }

    /// Takes the fingerprint of the platform's number for an order of which nothing is recorded yet.
    pub(super) fn take_number(&mut self, id: OrderId, key: u128) -> Place {
        debug_assert!(self.find_by_key(key).is_none(), "an order comes once");
        Place(self.take_place(id, halves(key)))
    }

    /// A place for an order, under its fingerprint only.
    fn take_place(&mut self, id: OrderId, key: [u64; 2]) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| self.grow());
        let entry = Entry { tag: key_tag(key), place };
        self.by_key.insert_unique(entry.hash(), entry, |entry| entry.hash());
        let (page, slot) = split(place);
        self.pages[page][slot] = Some(Live::coming(id, key));
        place
    }

    /// The order that was expected came. It is recorded next, and has its time from that.
    pub(super) fn arrive(&mut self, Place(place): Place, order: Arc<Order>) -> &mut Live {
        let (id, key) = (order.id, at(&self.pages, place).key);
        self.list_by_id(id, place);
        self.put(Live::of(id, key, TimestampMs::NEVER, Body::Open(order, OpenRow::Unborn)), place)
    }

    /// The order that was expected will not come.
    pub(super) fn give_up(&mut self, Place(place): Place) {
        self.vacate(place);
    }

    fn vacate(&mut self, place: u32) {
        let tag = key_tag(at(&self.pages, place).key);
        if let Ok(found) = self.by_key.find_entry(hash(tag), |other| other.place == place) {
            found.remove();
        }
        let (page, slot) = split(place);
        self.pages[page][slot] = None;
        self.free.push(place);
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
        Some(self.open_at(self.place_of(id)?))
    }

    /// The order that is at a place, open.
    pub(super) fn open_at(&mut self, Place(place): Place) -> &mut Live {
        let (page, slot) = split(place);
        let live = self.pages[page][slot].as_mut().expect("a place that was found is taken");
        if live.is_packed() {
            live.order();
            self.open.push_back((live.id, place));
        }
        live.touched = true;
        live
    }

    /// Adds an order that is not there yet, or takes the place of the row with which it had ended.
    pub(super) fn insert(&mut self, live: Live) {
        let (id, key) = (live.id, live.key);
        let place = self.place(id).unwrap_or_else(|| {
            let place = self.take_place(id, key);
            self.list_by_id(id, place);
            place
        });
        self.put(live, place);
    }

    fn list_by_id(&mut self, id: OrderId, place: u32) {
        debug_assert!(self.place(id).is_none(), "numbers of new orders are new");
        let entry = Entry { tag: id_tag(id), place };
        self.by_id.insert_unique(entry.hash(), entry, |entry| entry.hash());
    }

    fn put(&mut self, live: Live, place: u32) -> &mut Live {
        if !live.is_packed() {
            self.open.push_back((live.id, place));
        }
        self.live += 1;
        let (page, slot) = split(place);
        self.pages[page][slot].insert(live)
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
        let place = self.place(id)?;
        let (page, slot) = split(place);
        let live = self.pages[page][slot].as_mut().filter(|live| !live.has_ended())?;
        let was_packed = live.is_packed();
        let Some(finished) = finish(live) else {
            if was_packed && !live.is_packed() {
                self.open.push_back((id, place));
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
            Body::Coming | Body::Open(..) | Body::Packed(_) => None,
        }
    }

    /// The archive has the row of an order; false when it stays, because it was brought back meanwhile, and may have
    /// ended again.
    pub(super) fn forget(&mut self, archived: &FinishedOrder) -> bool {
        let pages = &self.pages;
        let tag = id_tag(archived.id);
        let is_it = |entry: &Entry| entry.tag == tag && at(pages, entry.place).id == archived.id;
        let Ok(found) = self.by_id.find_entry(hash(tag), is_it) else { return false };
        let place = found.get().place;
        match at(pages, place).body {
            Body::Ended(_, applied) if applied == archived.applied => {}
            Body::Ended(..) | Body::Coming | Body::Open(..) | Body::Packed(_) => return false,
        }
        found.remove();
        self.vacate(place);
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

    /// All that are live, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Live> {
        self.pages.iter().flatten().flatten().filter(|live| live.is_live())
    }

    /// All that are live, in no order.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Live> {
        self.pages.iter_mut().flatten().flatten().filter(|live| live.is_live())
    }

    /// Packs the oldest open orders beyond the bound. One that was looked for since it last came up stays open.
    pub(super) fn pack(&mut self) {
        for _ in 0..self.open.len() {
            if self.open.len() <= self.open_max {
                return;
            }
            let Some((id, place)) = self.open.pop_front() else { return };
            let (page, slot) = split(place);
            let Some(live) = self.pages[page][slot].as_mut().filter(|live| live.id == id) else { continue };
            let Body::Open(order, row) = &mut live.body else { continue };
            if std::mem::take(&mut live.touched) {
                self.open.push_back((id, place));
                continue;
            }
            live.body = Body::Packed(tight(row.take(order)));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
