//! Checks of the archive: every order can be read, has ended, holds its invariants, and is found by its number.

use std::ops::ControlFlow;

use suanpan_core::invariants::Invariant;
use suanpan_model::{Lsn, Order, OrderId};
use suanpan_runtime::codec::decode_order_row;
use suanpan_runtime::order_list::Indexed;
use suanpan_runtime::recovery::order_breaks;
use suanpan_runtime::store::Store;

use super::findings::Findings;

/// Reads the whole archive. `is_fed_again` says of which orders the log's tail tells, so that a start feeds them once more:
/// a process that ends while it feeds leaves orders whose numbers, which go in last, are not there yet.
pub fn check(store: &Store, is_fed_again: &dyn Fn(OrderId) -> bool, findings: &mut Findings) {
    let mut orders = Vec::new();
    let mut keys = Vec::new();
    let (mut index, mut half_fed) = (Vec::new(), 0_u64);
    // One of an earlier version gets its index with the next start.
    let is_indexed = store.are_orders_indexed().unwrap_or(true);
    let read = store.for_each_order(&mut |id, row| {
        match decode_order_row(row) {
            Ok((_, order)) => {
                order_faults(id, &order, &mut orders);
                if !key_faults(store, &order, is_fed_again, &mut keys) {
                    half_fed += 1;
                }
                if is_indexed && !is_fed_again(order.id) {
                    index.extend(index_fault(store, &order));
                }
            }
            Err(fault) => orders.push(format!("order {id}: {fault}")),
        }
        ControlFlow::Continue(())
    });
    let count = read.unwrap_or_else(|fault| {
        orders.push(fault.to_string());
        0
    });
    findings.check("archived orders can be read and have ended", format!("{count} orders"), orders);
    match store.for_each_key(&mut |_| {}) {
        // Every order has its key, so more keys than orders are keys that lead nowhere.
        Ok(known) if known + half_fed != count => keys.push(format!("{known} keys, {count} orders")),
        Ok(_) => {}
        Err(fault) => keys.push(fault.to_string()),
    }
    findings.check("archived orders are found by their numbers", format!("{} keys", count - half_fed), keys);
    if is_indexed {
        findings.check(
            "archived orders are in the lists of their platforms",
            format!("{count} orders"),
            index,
        );
    } else {
        findings.note("the store was written before lists of orders: the next start makes their index");
    }
    if half_fed > 0 {
        let what = format!(
            "the process ended while it fed the archive: the next start feeds {half_fed} orders again"
        );
        findings.note(&what);
    }
}

fn order_faults(id: u64, order: &Order, faults: &mut Vec<String>) {
    faults.extend(order_breaks(order));
    if order.id.0 != id {
        faults.push(format!("order {id}: its row says that it is order {}", order.id));
    }
    if !order.is_finished() || !order.frozen.is_zero() {
        let frozen = order.frozen.to_text(order.terms.currency);
        let what = format_args!("order {id}: {}, {frozen} frozen, but archived", order.status);
        faults.push(Invariant::EverythingEnds.broken(what));
    }
}

/// Looks for the key of an order; false when it is still to be fed.
fn key_faults(
    store: &Store,
    order: &Order,
    is_fed_again: &dyn Fn(OrderId) -> bool,
    faults: &mut Vec<String>,
) -> bool {
    match store.order_id_by_key(order.terms.key()) {
        Ok(Some(id)) if id == order.id.0 => {}
        Ok(None) if is_fed_again(order.id) => return false,
        Ok(found) => faults.push(format!("order {}: its number leads to {found:?}", order.id)),
        Err(fault) => faults.push(fault.to_string()),
    }
    true
}

/// Looks for an order in the index that lists walk along.
fn index_fault(store: &Store, order: &Order) -> Option<String> {
    let OrderId(id) = order.id;
    let row = store.indexed_orders(order.terms.platform.0, id, id + 1).next();
    match row.map(|row| row.map(|(_, row)| Indexed::read(&row))) {
        Some(Ok(Ok(known))) if known == Indexed::of(order) => None,
        Some(Ok(Ok(known))) => Some(format!("order {id}: the index has {known:?}")),
        Some(Ok(Err(fault))) => Some(format!("order {id}: {fault}")),
        Some(Err(fault)) => Some(fault.to_string()),
        None => Some(format!("order {id}: the index does not have it")),
    }
}

/// An order of the archive.
pub fn order(store: &Store, id: u64) -> Option<Order> {
    let row = store.order(id).ok().flatten()?;
    decode_order_row(&row).map(|(_, order): (Lsn, Order)| order).ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use suanpan_core::order::{apply, born};
    use suanpan_model::order::CloseReason;
    use suanpan_model::policy::Agreement;
    use suanpan_model::{
        AccountId, AccountType, Amount, Currency, OrderEvent, OrderTerms, PayKind, PlatformId, SubOrder,
        TimestampMs,
    };
    use suanpan_runtime::codec::order_row;
    use suanpan_runtime::store::{Backend, MemoryTables, Space, StoreOptions};

    use super::*;

    fn closed(id: u64) -> Order {
        let merchant = AccountId::opened(AccountType::Settlement, 1, 0);
        let terms = OrderTerms {
            platform: PlatformId(7),
            order_no: format!("A-{id}").as_str().into(),
            payer: "b".into(),
            payer_account: None,
            amount: Amount::from_minor(100),
            currency: Currency::Cny,
            kind: PayKind::Gateway,
            coupons: Vec::new(),
            sub_orders: [SubOrder { merchant, amount: Amount::from_minor(100) }].into_iter().collect(),
            splits: Vec::new().into(),
            bank: None,
            card_type: None,
            agreement_no: "".into(),
            description: "".into(),
            expires_at: TimestampMs(9),
            escrow: true,
            virtual_goods: false,
            callback: "".into(),
            metadata: Vec::new(),
            attributes: None,
        };
        let holds = std::iter::empty().collect();
        let created = OrderEvent::Created { terms: Arc::new(terms), holds, agreement: Agreement::default() };
        let mut order = born(OrderId(id), TimestampMs(1), &created);
        let voided = std::iter::empty().collect();
        apply(&mut order, TimestampMs(2), &OrderEvent::Closed { reason: CloseReason::Expired, voided });
        order
    }

    /// A feed that was cut off leaves orders without their keys: no fault while the log feeds them again, else one.
    #[test]
    fn a_feed_that_was_cut_off_is_no_fault_while_the_log_has_it() {
        let tables = MemoryTables::new();
        let store =
            Store::open_on(Box::new(tables.clone()), Path::new("memory"), StoreOptions::default()).unwrap();
        for id in [1, 2] {
            let row = order_row(&closed(id));
            tables.write(Space::Orders, vec![(id.to_be_bytes().into(), Some(row.into()))]).unwrap();
        }
        let key = closed(1).terms.key().to_be_bytes();
        tables.write(Space::Keys, vec![(key.into(), Some(1_u64.to_le_bytes().into()))]).unwrap();
        for (in_log, failed) in [(true, 0), (false, 1)] {
            let mut findings = Findings::default();
            check(&store, &|id| in_log && id == OrderId(2), &mut findings);
            assert_eq!(findings.failed(), failed, "{findings:?}");
        }
    }
}
