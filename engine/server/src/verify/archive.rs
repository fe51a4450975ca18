//! Checks of the archive: every order can be read, has ended, holds its invariants, and is found by its number.

use std::ops::ControlFlow;

use suanpan_core::invariants::Invariant;
use suanpan_model::{Lsn, Order};
use suanpan_runtime::codec::decode_marked_row;
use suanpan_runtime::recovery::order_breaks;
use suanpan_runtime::store::Store;

use super::findings::Findings;

/// Reads the whole archive.
pub fn check(store: &Store, findings: &mut Findings) {
    let mut orders = Vec::new();
    let mut keys = Vec::new();
    let read = store.for_each_order(&mut |id, row| {
        match decode_marked_row::<Order>(row) {
            Ok((_, order)) => {
                order_faults(id, &order, &mut orders);
                key_faults(store, &order, &mut keys);
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
        Ok(known) if known != count => keys.push(format!("{known} keys, {count} orders")),
        Ok(_) => {}
        Err(fault) => keys.push(fault.to_string()),
    }
    findings.check("archived orders are found by their numbers", format!("{count} keys"), keys);
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

fn key_faults(store: &Store, order: &Order, faults: &mut Vec<String>) {
    match store.order_id_by_key(order.terms.key()) {
        Ok(Some(id)) if id == order.id.0 => {}
        Ok(found) => faults.push(format!("order {}: its number leads to {found:?}", order.id)),
        Err(fault) => faults.push(fault.to_string()),
    }
}

/// An order of the archive.
pub fn order(store: &Store, id: u64) -> Option<Order> {
    let row = store.order(id).ok().flatten()?;
    decode_marked_row(&row).map(|(_, order): (Lsn, Order)| order).ok()
}
