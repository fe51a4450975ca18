//! The checkpoint: rows of dirty accounts, holds and live orders up to a log position.

use std::ops::Bound;

use super::backend::{Change, Space};
use super::sorted::sort_unique;
use super::{Store, StoreFault};

const META_CHECKPOINT: &[u8] = b"checkpoint";

/// From this many rows on, a chunk goes in as a sorted run; below, the syncs of a run (about six)
/// and its table file cost more than the journal does.
const RUN_FROM_ROWS: usize = 1024;

/// A table of the checkpoint. Keys and values are the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Balances and limits.
    Accounts,
    /// Money held.
    Holds,
    /// Orders that are not finished.
    LiveOrders,
    /// What is looked up by name: platforms, merchants, settings.
    Directory,
    /// Coupon campaigns.
    Campaigns,
}

impl Table {
    /// Every table.
    pub const ALL: [Table; 5] =
        [Table::Accounts, Table::Holds, Table::LiveOrders, Table::Directory, Table::Campaigns];

    /// Name on disk and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Accounts => "accounts",
            Table::Holds => "holds",
            Table::LiveOrders => "live_orders",
            Table::Directory => "directory",
            Table::Campaigns => "campaigns",
        }
    }
}

/// Changes of one table. They need no order; of changes of one key the last given counts.
#[derive(Debug, Clone)]
pub struct CheckpointRows {
    /// The table they belong to.
    pub table: Table,
    /// Key and new value; `None` deletes the row. Keys are 1 to 65 535 bytes.
    pub changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl CheckpointRows {
    /// No changes yet.
    pub fn new(table: Table) -> Self {
        CheckpointRows { table, changes: Vec::new() }
    }

    /// Adds a new or changed row.
    pub fn upsert(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.changes.push((key.into(), Some(value.into())));
    }

    /// Removes a row; one that is not there is fine.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) {
        self.changes.push((key.into(), None));
    }
}

impl Store {
    /// Writes a chunk of the next checkpoint (some 10 000 to 100 000 rows at a time), and takes it out of `rows`, which
    /// stay when it fails. Durable only after the seal, though a crash may keep it: rows newer than the meta row are
    /// part of the design (see [`super`]).
    ///
    /// # Errors
    ///
    /// [`StoreFault::DiskFull`], [`StoreFault::Poisoned`] after an earlier disk failure, else what
    /// the disk says. The last sealed checkpoint stays good.
    pub fn write_rows(&self, rows: &mut CheckpointRows) -> Result<(), StoreFault> {
        let space = Space::Checkpoint(rows.table);
        sort_unique(&mut rows.changes);
        let is_run = rows.changes.len() >= RUN_FROM_ROWS;
        let bytes = |(key, value): &(Vec<u8>, Option<Vec<u8>>)| -> Change {
            (key.as_slice().into(), value.as_deref().map(Into::into))
        };
        let mut changes = rows.changes.iter().map(bytes);
        let tables = &self.inner.tables;
        if is_run { tables.ingest(space, &mut changes) } else { tables.write(space, changes.collect()) }
            .map_err(|e| self.fault("write checkpoint rows", e))?;
        rows.changes.clear();
        Ok(())
    }

    /// Makes everything written so far durable, then the meta row (log position and whatever the
    /// caller needs to start from it), durable too. One checkpoint at a time.
    ///
    /// # Errors
    ///
    /// As [`write_rows`](Self::write_rows); the previous meta row stays.
    pub fn seal_checkpoint(&self, meta: &[u8]) -> Result<(), StoreFault> {
        let operation = "seal the checkpoint";
        self.sync(operation)?;
        self.put_meta_durably(operation, META_CHECKPOINT, meta)
    }

    /// The meta row of the last sealed checkpoint; `None` before the first.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn checkpoint_meta(&self) -> Result<Option<Vec<u8>>, StoreFault> {
        let row = self.meta_row("read the checkpoint", META_CHECKPOINT)?;
        Ok(row.map(|row| row.to_vec()))
    }

    /// Calls `f` with every row of a table, ascending by key, and returns how many there are. Rows may be
    /// newer than the meta row.
    ///
    /// # Errors
    ///
    /// What the disk says, or the first error of `f`, which ends the scan.
    pub fn load_rows<E: From<StoreFault>>(
        &self,
        table: Table,
        mut f: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut count = 0;
        let space = Space::Checkpoint(table);
        for row in self.inner.tables.range(space, Bound::Unbounded, Bound::Unbounded) {
            let (key, value) = row.map_err(|e| self.fault("load checkpoint rows", e))?;
            f(&key, &value)?;
            count += 1;
        }
        Ok(count)
    }
}
