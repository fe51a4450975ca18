use std::collections::BTreeMap;

use proptest::prelude::*;
use smallvec::smallvec;
use suanpan_core::order::{apply, born};
use suanpan_model::order::{OrderFailure, SubOrder};
use suanpan_model::policy::Agreement;
use suanpan_model::{
    AccountId, AccountType, Amount, AttemptNo, Currency, OrderEvent, OrderStatus, OrderTerms, PayKind,
    PlatformId, Record,
};

use super::*;
use crate::codec::{encode_record, step_of};

/// An order with this number, and with the number above its bucket.
pub(crate) fn order(number: u64) -> Order {
    let amount = Amount::from_minor(100 + number);
    let merchant = AccountId::opened(AccountType::Settlement, 1, 1);
    let terms = OrderTerms {
        platform: PlatformId(1),
        order_no: number.to_string().into(),
        payer: "B1".into(),
        payer_account: None,
        amount,
        currency: Currency::Cny,
        kind: PayKind::Gateway,
        bank: None,
        card_type: None,
        agreement_no: "".into(),
        description: "tea".into(),
        expires_at: TimestampMs(1_000),
        escrow: true,
        virtual_goods: false,
        coupons: vec![],
        sub_orders: smallvec![SubOrder { merchant, amount }],
        splits: smallvec![],
        callback: "".into(),
        metadata: vec![],
        attributes: None,
    };
    let created = creation(Arc::new(terms));
    born(OrderId(number << 8), TimestampMs(number), &created)
}

fn creation(terms: Arc<OrderTerms>) -> OrderEvent {
    OrderEvent::Created { terms, holds: smallvec![], agreement: Agreement::default() }
}

fn failure() -> OrderEvent {
    OrderEvent::Failed { reason: OrderFailure::NoChannel, voided: smallvec![] }
}

/// What an order's row takes over of a record.
fn step(at: u64, event: OrderEvent) -> Vec<u8> {
    let record = Record::Order { order: OrderId(1), at: TimestampMs(at), events: smallvec![event] };
    let mut bytes = Vec::new();
    encode_record(&record, &mut bytes);
    step_of(&bytes).to_vec()
}

fn open_live(order: Order) -> Live {
    Live::kept(&OrderFacts::of(&order), Kept::Open(Arc::new(order)))
}

fn finished(order: &Order, applied: u64) -> FinishedOrder {
    FinishedOrder::new(order, Lsn(applied), &mut Vec::new())
}

/// What may be done to an order.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Insert,
    Come,
    Arrive,
    GiveUp,
    Change,
    Look,
    End,
    Forget,
    ForgetOlder,
    Pack,
}

const DEEDS: [Deed; 10] = [
    Deed::Insert,
    Deed::Come,
    Deed::Arrive,
    Deed::GiveUp,
    Deed::Change,
    Deed::Look,
    Deed::End,
    Deed::Forget,
    Deed::ForgetOlder,
    Deed::Pack,
];

/// The plainest twin: an order, and whether it has ended.
type Twin = BTreeMap<u64, (Order, Option<u64>)>;

fn compare(orders: &LiveOrders, twin: &Twin) {
    for number in 0..12 {
        let (id, key) = (OrderId(number << 8), order(number).terms.key());
        let known = twin.get(&number);
        let live = known.filter(|(_, ended)| ended.is_none()).map(|(order, _)| order);
        assert_eq!(orders.get(id).map(|live| (*live.look()).clone()).as_ref(), live, "{number}");
        let ended = orders.ended(id).map(|row| decode_order_row(row).unwrap());
        let known_end = known.and_then(|(order, ended)| Some((Lsn((*ended)?), order.clone())));
        assert_eq!(ended, known_end, "{number}");
        assert_eq!(orders.id_of(key), known.map(|_| id), "{number}");
    }
    let mut live: Vec<_> = orders.iter().map(Live::id).collect();
    live.sort_unstable();
    let known = twin.iter().filter(|(_, (_, ended))| ended.is_none());
    assert_eq!(live, known.map(|(number, _)| OrderId(number << 8)).collect::<Vec<_>>());
    assert_eq!(orders.len(), live.len());
}

proptest! {
    #[test]
    fn orders_are_what_a_plain_map_says(
        open_max in 0_usize..4,
        deeds in proptest::collection::vec((0_u64..12, 0_usize..DEEDS.len()), 0..120),
    ) {
        let (mut orders, mut twin) = (LiveOrders::new(open_max), Twin::new());
        let mut coming = BTreeMap::new();
        for (applied, (number, deed)) in (1_u64..).zip(deeds) {
            let id = OrderId(number << 8);
            match DEEDS[deed] {
                Deed::Insert if coming.contains_key(&number) => {}
                Deed::Insert => {
                    if twin.get(&number).is_none_or(|(_, ended)| ended.is_some()) {
                        let again = twin.get(&number).map_or_else(|| order(number), |(order, _)| order.clone());
                        orders.insert(open_live(again.clone()));
                        twin.insert(number, (again, None));
                    }
                }
                Deed::Come if coming.contains_key(&number) || twin.contains_key(&number) => {}
                Deed::Come => {
                    let key = order(number).terms.key();
                    coming.insert(number, orders.take_number(id, key));
                }
                Deed::Arrive => {
                    if let Some(place) = coming.remove(&number) {
                        let new = order(number);
                        let live = orders.arrive(place, Arc::new(new.clone()));
                        live.take_over(&step(number, creation(new.terms.clone())));
                        twin.insert(number, (new, None));
                    }
                }
                Deed::GiveUp => {
                    if let Some(place) = coming.remove(&number) {
                        orders.give_up(place);
                    }
                }
                Deed::Change => {
                    let live = orders.open(id);
                    let known = twin.get_mut(&number).filter(|(_, ended)| ended.is_none());
                    assert_eq!(live.is_some(), known.is_some());
                    if let (Some(live), Some((order, _))) = (live, known) {
                        let event = match order.status {
                            OrderStatus::Created => failure(),
                            _ => OrderEvent::Contradicted { attempt: AttemptNo(1), said: "paid".into() },
                        };
                        apply(order, TimestampMs(applied), &event);
                        apply(Arc::make_mut(live.order()), TimestampMs(applied), &event);
                        live.take_over(&step(applied, event));
                    }
                }
                Deed::Look => compare(&orders, &twin),
                Deed::End => {
                    if let Some((_, ended)) = twin.get_mut(&number).filter(|(_, ended)| ended.is_none()) {
                        orders.end(id, |live| Some(finished(live.order(), applied))).unwrap();
                        *ended = Some(applied);
                    }
                }
                Deed::Forget => {
                    if let Some((order, Some(applied))) = twin.get(&number) {
                        assert!(orders.forget(&finished(order, *applied)), "its last row is what it ended with");
                        twin.remove(&number);
                    }
                }
                Deed::ForgetOlder => assert!(!orders.forget(&finished(&order(number), 0)), "it ended later"),
                Deed::Pack => orders.pack(),
            }
        }
        compare(&orders, &twin);
        orders.pack();
        compare(&orders, &twin);
        for number in 0..12 {
            let known = orders.find_by_key(order(number).terms.key());
            assert_eq!(known.is_some_and(Live::is_coming), coming.contains_key(&number), "{number}");
        }
    }
}

#[test]
fn orders_are_told_apart_at_any_rate() {
    for apart in [1, 1 << 8, 1 << 16, 1 << 24, 1 << 30, 1 << 40, (1 << 24) + (1 << 8)] {
        let tags: std::collections::BTreeSet<u32> =
            (0..50_000).map(|nth| id_tag(OrderId(nth * apart))).collect();
        assert!(tags.len() > 49_900, "{apart} between two numbers: {} tags", tags.len());
    }
}

#[test]
fn what_was_not_looked_for_is_packed_first() {
    let mut orders = LiveOrders::new(2);
    for number in 0..4 {
        orders.insert(open_live(order(number)));
    }
    orders.open(OrderId(0)).unwrap();
    orders.pack();
    let packed: Vec<_> = orders.iter().filter(|live| live.is_packed()).map(|live| live.id().0 >> 8).collect();
    assert_eq!(packed, [1, 2]);
    orders.open(OrderId(1 << 8)).unwrap();
    orders.pack();
    let packed: Vec<_> = orders.iter().filter(|live| live.is_packed()).map(|live| live.id().0 >> 8).collect();
    assert_eq!(packed, [2, 3]);
}

#[test]
fn an_order_that_was_opened_to_be_ended_and_goes_on_is_packed_again() {
    let mut orders = LiveOrders::new(0);
    let id = order(1).id;
    orders.insert(open_live(order(1)));
    orders.pack();
    assert!(orders.get(id).unwrap().is_packed());
    assert!(orders.end(id, |live| (live.order().id != id).then(|| finished(&order(1), 1))).is_none());
    assert!(!orders.get(id).unwrap().is_packed());
    orders.pack();
    assert!(orders.get(id).unwrap().is_packed());
}

#[test]
fn an_order_that_is_taken_over_as_its_row_is_found_and_opened() {
    let mut orders = LiveOrders::new(2);
    let taken: Vec<Order> = (1..=5).map(order).collect();
    for order in &taken {
        let row = order_row(order);
        orders.insert(Live::kept(&OrderFacts::of(order), Kept::Packed(row)));
    }
    for order in &taken {
        assert_eq!(orders.id_of(order.terms.key()), Some(order.id));
        let live = orders.get(order.id).unwrap();
        assert!(live.is_packed() && live.due == order.next_due());
        assert_eq!(*live.look(), *order);
        assert_eq!(**orders.open(order.id).unwrap().order(), *order);
        assert!(!orders.get(order.id).unwrap().is_packed());
    }
    orders.pack();
    orders.pack();
    assert_eq!(orders.iter().filter(|live| live.is_packed()).count(), 3, "what was opened is packed again");
}
