//! Lists of orders: what is asked for, and by which row of the index a finished order is told from others.
//!
//! Numbers of orders rise with time, so a list is a walk along numbers, newest first: over the orders in memory of every
//! shard and over the index of the archive. Nothing older than the walk's place can be added later, so pages neither skip
//! nor repeat an order while others come.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;
use suanpan_model::{AccountId, Order, OrderId, OrderStatus, PlatformId, TimestampMs};

use crate::codec::{CodecFault, append_row, decode_order_row, decode_row};
use crate::fault::EngineFault;
use crate::store::{Bytes, OrderIndexKey, Store};

/// Rows of the index that are made at once for a store that has none.
const INDEXED_AT_ONCE: usize = 100_000;

/// Which orders a list has.
#[derive(Clone, Debug)]
pub struct OrderQuery {
    /// Whose.
    pub platform: PlatformId,
    /// Only orders with a lower number: the cursor.
    pub before: Option<OrderId>,
    /// Only those created at or after this instant.
    pub from: TimestampMs,
    /// Only those created before this instant.
    pub until: TimestampMs,
    /// Only those that stand here.
    pub status: Option<OrderStatus>,
    /// Only those of which this account gets money as merchant.
    pub merchant: Option<AccountId>,
    /// Only those of this payer.
    pub payer: Option<SmolStr>,
    /// Most orders of the page.
    pub limit: usize,
}

impl OrderQuery {
    /// The lowest number that is wanted, and the one before which all wanted ones are.
    #[must_use]
    pub fn numbers(&self) -> (OrderId, OrderId) {
        let until = OrderId::lowest_at(self.until);
        (OrderId::lowest_at(self.from), self.before.map_or(until, |before| before.min(until)))
    }

    /// Whether an order is wanted that has a wanted number.
    #[must_use]
    pub fn takes(&self, order: &Order) -> bool {
        order.terms.platform == self.platform && self.fits(&Indexed::of(order))
    }

    /// The same, by its row of the index.
    #[must_use]
    pub fn fits(&self, indexed: &Indexed) -> bool {
        self.status.is_none_or(|status| status == indexed.status)
            && self.merchant.is_none_or(|merchant| indexed.merchants.contains(&merchant))
            && self.payer.as_ref().is_none_or(|payer| *payer == indexed.payer)
    }
}

/// What a list tells a finished order apart by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indexed {
    status: OrderStatus,
    payer: SmolStr,
    merchants: SmallVec<[AccountId; 1]>,
}

impl Indexed {
    /// Of an order.
    #[must_use]
    pub fn of(order: &Order) -> Self {
        let merchants = order.terms.sub_orders.iter().map(|sub_order| sub_order.merchant);
        Self { status: order.status, payer: order.terms.payer.clone(), merchants: merchants.collect() }
    }

    /// Its row; `buffer` is room to work in.
    #[must_use]
    pub fn row(&self, buffer: &mut Vec<u8>) -> Bytes {
        buffer.clear();
        append_row(self, buffer);
        Bytes::from(buffer.as_slice())
    }

    /// Reads a row.
    ///
    /// # Errors
    /// When the row is of a newer format or damaged.
    pub fn read(row: &[u8]) -> Result<Self, CodecFault> {
        decode_row(row)
    }
}

/// The key of an order in the index.
#[must_use]
pub fn index_key(order: &Order) -> OrderIndexKey {
    (order.terms.platform.0, order.id.0)
}

/// Makes the index of a store that was written before there was one.
///
/// # Errors
/// What the disk says; rows that cannot be read.
pub fn complete_index(store: &Store) -> Result<(), EngineFault> {
    if store.are_orders_indexed()? {
        return Ok(());
    }
    let (mut rows, mut buffer, mut failed) = (Vec::new(), Vec::new(), None);
    let orders = store.for_each_order(&mut |id, row| {
        let indexed = decode_order_row(row)
            .map_err(|fault| EngineFault::Replay {
                lsn: 0,
                what: format!("order {id} cannot be read: {fault}"),
            })
            .map(|(_, order): (_, Order)| {
                rows.push((index_key(&order), Indexed::of(&order).row(&mut buffer)))
            });
        let written = indexed.and_then(|()| match rows.len() {
            INDEXED_AT_ONCE.. => Ok(store.index_orders(std::mem::take(&mut rows))?),
            _ => Ok(()),
        });
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(fault) => {
                failed = Some(fault);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(fault) = failed {
        return Err(fault);
    }
    store.index_orders(rows)?;
    store.orders_are_indexed()?;
    if orders > 0 {
        tracing::info!(orders, "orders of the archive were indexed");
    }
    Ok(())
}
