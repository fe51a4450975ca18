//! What the store weighs and how far merging is behind.

use super::Store;

/// Figures of the whole store, for metrics and the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStats {
    /// All table files, in bytes.
    pub table_bytes: u64,
    /// Journal files, in bytes. Preallocated, so the disk may hold less.
    pub journal_bytes: u64,
    /// Merges running now.
    pub merges_running: usize,
    /// Merge steps since the store was opened, those with nothing to do included.
    pub merges_done: usize,
    /// Time spent merging since the store was opened, in microseconds.
    pub merging_us: u64,
    /// One row a keyspace.
    pub keyspaces: Vec<KeyspaceStats>,
}

/// Figures of one keyspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyspaceStats {
    /// Name on disk.
    pub name: String,
    /// Table files, in bytes.
    pub table_bytes: u64,
    /// Table files.
    pub tables: usize,
    /// Table files not merged yet; a lookup asks each of them.
    pub unmerged_tables: usize,
    /// Rows, overwritten and deleted ones that are not merged yet included.
    pub rows_about: usize,
}

impl Store {
    /// Figures as they are now. Cheap: no disk access but for the size of the journal.
    pub fn stats(&self) -> StoreStats {
        self.inner.tables.stats()
    }
}
