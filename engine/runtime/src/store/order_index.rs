//! Which finished orders a platform has: rows by platform and number, and so by the time of creation.

use std::ops::Bound;

use super::backend::{Change, Space};
use super::sorted::sort_unique;
use super::{Bytes, Store, StoreFault};

const META_INDEXED: &[u8] = b"orders_indexed";

/// Platform and order id.
pub type OrderIndexKey = (u32, u64);

impl Store {
    /// Adds rows; of rows with one key the last given counts, also over an earlier one. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreFault::DiskFull`], [`StoreFault::Poisoned`] after an earlier disk failure, else what the disk says.
    pub fn index_orders(&self, mut rows: Vec<(OrderIndexKey, Bytes)>) -> Result<(), StoreFault> {
        sort_unique(&mut rows);
        let mut rows = rows.into_iter().map(|(key, row)| -> Change { (key_bytes(key).into(), Some(row)) });
        let added = self.inner.tables.ingest(Space::OrderIndex, &mut rows);
        added.map_err(|e| self.fault("index orders", e))
    }

    /// Finished orders of a platform from the number `from` to below `before`, newest first, with their rows.
    pub fn indexed_orders(
        &self,
        platform: u32,
        from: u64,
        before: u64,
    ) -> impl Iterator<Item = Result<(u64, Bytes), StoreFault>> {
        let from = Bound::Included(key_bytes((platform, from)).to_vec());
        let to = Bound::Excluded(key_bytes((platform, before)).to_vec());
        let is_empty = matches!((&from, &to), (Bound::Included(from), Bound::Excluded(to)) if from >= to);
        let rows = (!is_empty).then(|| self.inner.tables.range(Space::OrderIndex, from, to).rev());
        rows.into_iter().flatten().map(|row| {
            let (key, row) = row.map_err(|e| self.fault("read the index of orders", e))?;
            let key: [u8; 12] = self.array("order_index", &key)?;
            let [_, _, _, _, id @ ..] = key;
            Ok((u64::from_be_bytes(id), row))
        })
    }

    /// Whether every finished order has a row in the index. Stores of earlier versions begin without them.
    ///
    /// # Errors
    /// What the disk says.
    pub fn are_orders_indexed(&self) -> Result<bool, StoreFault> {
        Ok(self.meta_row("read whether orders are indexed", META_INDEXED)?.is_some())
    }

    /// Notes that every finished order has a row in the index.
    ///
    /// # Errors
    /// What the disk says.
    pub fn orders_are_indexed(&self) -> Result<(), StoreFault> {
        self.put_meta_durably("write that orders are indexed", META_INDEXED, &[1])
    }
}

fn key_bytes((platform, id): OrderIndexKey) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&platform.to_be_bytes());
    bytes[4..].copy_from_slice(&id.to_be_bytes());
    bytes
}
