use suanpan_model::{Amount, CauseId, Entry, EntryCode, Lsn, Posting, TimestampMs};

use super::super::Body;
use super::*;
use crate::order_shard::any_order;

fn hold(order: OrderId, no: u16) -> (HoldId, Hold) {
    let account = AccountId::internal(AccountType::CouponFund, 1, Currency::Cny, 0);
    let amount = Amount::from_minor(u64::from(no));
    let (expires_at, applied) = (TimestampMs::NEVER, Lsn(0));
    let hold = Hold { account, left: amount, placed: amount, expires_at, applied };
    (HoldId { cause: CauseId(order.0), no }, hold)
}

#[test]
fn holds_that_nobody_relies_on_are_found_by_any_number_of_threads() {
    let (mut orders, mut holds, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=23 {
        let mut order = any_order(number);
        let own = hold(order.id, 1);
        order.holds.push(OrderHold { no: 1, account: own.1.account, amount: own.1.left });
        let (id, before) = (order.id, hold(OrderId(order.id.0 - 1), 7));
        // Every third has a hold too many, every fifth stands behind one of an order that was never recorded.
        if number % 5 == 0 {
            expected.push((before.0.cause.0, 7));
            holds.push(before);
        }
        holds.push(own);
        if number % 3 == 0 {
            expected.push((id.0, 2));
            holds.push(hold(id, 2));
        }
        let body = if number % 2 == 0 {
            Body::Open(Box::new(order))
        } else {
            Body::Row(crate::codec::order_row(&order).into())
        };
        let (applied, changed) = (Lsn(1), Lsn(1));
        orders.push((id, RecoveredOrder { body, applied, changed, has_row: true, dirty: false }));
    }
    let after = hold(OrderId(u64::MAX), 1);
    expected.push((u64::MAX, 1));
    holds.push(after);
    let orders: Vec<_> = orders.iter().map(|(id, known)| (*id, known)).collect();
    let holds: Vec<Held<'_>> = holds.iter().map(|(id, hold)| (id, hold)).collect();
    for threads in [0, 1, 2, 3, 7, 23, 40] {
        let parts = parts(&orders, &holds, threads, || {});
        assert!(parts.iter().all(|part| part.breaks.is_empty()));
        let orphans = parts.iter().flat_map(|part| &part.orphans);
        let orphans: Vec<_> = orphans.map(|orphan| (orphan.order.0, orphan.hold.no)).collect();
        assert_eq!(orphans, expected, "{threads} threads");
        let facts = parts.iter().flat_map(|part| &part.facts).map(|facts| facts.id);
        assert!(facts.eq(orders.iter().map(|(id, _)| *id)), "{threads} threads");
    }
}

#[test]
fn a_row_that_cannot_be_read_is_told_and_not_taken_for_an_order() {
    let order = any_order(1);
    let mut row = crate::codec::order_row(&order);
    row.truncate(row.len() - 3);
    let known = RecoveredOrder {
        body: Body::Row(row.into()),
        applied: Lsn(1),
        changed: Lsn(1),
        has_row: true,
        dirty: false,
    };
    let recovered = Recovered { orders: [(order.id, known)].into_iter().collect(), ..Recovered::default() };
    for threads in [Threads::One, Threads::Several] {
        let survey = recovered.survey(threads);
        assert!(survey.facts.is_empty());
        let [told] = &survey.breaks[..] else { panic!("{:?}", survey.breaks) };
        assert!(
            told.contains(&format!("order {}: its row in the checkpoint cannot be read", order.id)),
            "{told}"
        );
    }
}

/// What is owed to orders of several threads is added up, and what each of them finds is told.
#[test]
fn any_number_of_threads_tells_the_same() {
    let mut recovered = Recovered::default();
    for number in 1..=11 {
        let mut order = any_order(number);
        order.frozen = Amount::from_minor(number);
        if number % 4 == 0 {
            let escrow = AccountId::internal(AccountType::Escrow, 1, Currency::Cny, 0);
            let entry = Entry::new(EntryCode::Payment, Currency::Cny, CauseId(order.id.0));
            order.entries.push(entry.with(Posting::debit(escrow, Amount::from_minor(number))));
        }
        let (applied, changed) = (Lsn(1), Lsn(1));
        let body = Body::Open(Box::new(order.clone()));
        let known = RecoveredOrder { body, applied, changed, has_row: true, dirty: false };
        recovered.orders.insert(order.id, known);
    }
    let told = |threads| {
        let survey = recovered.survey_by(threads);
        (survey.breaks, survey.facts.iter().map(|facts| facts.id).collect::<Vec<_>>())
    };
    let (breaks, facts) = told(0);
    assert_eq!(facts.len(), 11);
    let owed = (1..=11).sum::<u64>();
    assert!(breaks.iter().any(|told| told.contains(&format!("orders are owed {owed}"))), "{breaks:?}");
    let broken = breaks.iter().filter(|told| told.contains("does not sum to zero")).count();
    assert_eq!((broken, breaks.len()), (2, 3), "{breaks:?}");
    for threads in [1, 2, 3, 11, 40] {
        assert_eq!(told(threads), (breaks.clone(), facts.clone()), "{threads} threads");
    }
}
