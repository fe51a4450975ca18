//! Rows of whoever tells malls what happened: how far it is, and what it has to try again. Keys and values are its own.

use std::ops::Bound;

use super::backend::{Change, Space};
use super::{Bytes, Store, StoreFault};

impl Store {
    /// Writes and removes rows together. A crash may lose the latest of them: what they say may then happen again.
    ///
    /// # Errors
    /// [`StoreFault::DiskFull`], [`StoreFault::Poisoned`] after an earlier disk failure, else what the disk says.
    pub fn write_deliveries(&self, changes: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<(), StoreFault> {
        let changes =
            changes.into_iter().map(|(key, row)| -> Change { (key.into(), row.map(Into::into)) }).collect();
        let written = self.inner.tables.write(Space::Deliveries, changes);
        written.map_err(|e| self.fault("write deliveries", e))
    }

    /// The row under a key.
    ///
    /// # Errors
    /// What the disk says.
    pub fn delivery(&self, key: &[u8]) -> Result<Option<Bytes>, StoreFault> {
        let row = self.inner.tables.get(Space::Deliveries, key);
        row.map_err(|e| self.fault("read a delivery", e))
    }

    /// Rows between two keys, ascending, at most `limit`.
    ///
    /// # Errors
    /// What the disk says.
    pub fn deliveries(
        &self,
        from: Bound<Vec<u8>>,
        to: Bound<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreFault> {
        let rows = self.inner.tables.range(Space::Deliveries, from, to).take(limit);
        rows.map(|row| row.map_err(|e| self.fault("read deliveries", e))).collect()
    }
}
