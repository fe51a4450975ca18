//! The embedded store: archive of finished orders and entries, and the checkpoint.
//!
//! It knows bytes and keys, not the types of the domain; the caller encodes and decodes, and wraps
//! the plain integers in ids.
//!
//! Two users, two ways in:
//!
//! * The **archive** is fed by [`Store::ingest`] in sorted runs that become table files directly,
//!   past journal and memtable. A random put of an order with its statement rows costs more CPU
//!   than the order itself; a sorted run costs a small fraction of that. A batch is durable when the call
//!   returns, and feeding it again changes nothing.
//! * The **checkpoint** is written by [`Store::write_rows`] in chunks and made valid by
//!   [`Store::seal_checkpoint`]. It is *fuzzy*: after a crash, rows newer than the meta row may be
//!   there. Each row carries its own log position, put there by the caller, who skips log records
//!   at or below it when he replays the tail.
//!
//! Nothing here is the truth: the log is. Everything in the store can be rebuilt from it.

mod announcements;
mod archive;
mod backend;
mod checkpoint;
mod deliveries;
mod disk;
mod fault;
mod key_filter;
mod keyspaces;
mod memory;
mod order_index;
mod sorted;
mod stats;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub use announcements::{AnnouncementKey, Expired};
pub use archive::{ArchiveBatch, StatementChunk};
pub use backend::{Backend, Change, Rows, Space};
pub use checkpoint::{CheckpointRows, Table};
pub use fault::StoreFault;
pub use key_filter::KeyFilter;
pub use memory::MemoryTables;
pub use order_index::OrderIndexKey;
pub use stats::{KeyspaceStats, StoreStats};

/// A value as the store holds it: cheap to clone, derefs to `[u8]`.
pub use fjall::Slice as Bytes;

use disk::Disk;

use crate::haste::Haste;

/// Layout of keys and rows in this store. A store with a higher number is refused; so is 1, of which nothing was ever
/// released.
pub const FORMAT: u32 = 2;

const META_FORMAT: &[u8] = b"format";

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Block cache, shared by all tables, in bytes. Default 64 MiB.
    pub cache_bytes: u64,
    /// Table files held open. Default 256; one ingest makes at most a few.
    pub open_files: usize,
    /// [`Store::ingest`] waits while a keyspace has more than this many unmerged tables, up to
    /// [`stall_ms`](Self::stall_ms). Default 64.
    pub stall_tables: usize,
    /// Longest wait of one [`Store::ingest`] for merging to catch up, in milliseconds. Default 2000.
    pub stall_ms: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions { cache_bytes: 64 * 1024 * 1024, open_files: 256, stall_tables: 64, stall_ms: 2_000 }
    }
}

/// Handle to the store of one node; clones share it. The directory is released when the last one
/// is dropped.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    options: StoreOptions,
    tables: Box<dyn Backend>,
    /// Batches go in one after another: the watermark of a batch must not be stored before the
    /// tables of an earlier one.
    feeding: Mutex<()>,
    haste: Arc<Haste>,
}

impl Store {
    /// Opens the store in `dir`, creating it if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreFault::InUse`] if another process (or another handle in this one) has it open,
    /// [`StoreFault::NewerFormat`] if a newer program wrote it, else what the disk says.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Store, StoreFault> {
        let haste = Arc::new(Haste::from_the_start());
        let disk = Disk::open(dir, &options, &haste).map_err(|e| StoreFault::from_engine("open", dir, e))?;
        Self::open_with(Box::new(disk), dir, options, haste)
    }

    /// Opens the store on any tables; `path` is what messages call it.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn open_on(
        tables: Box<dyn Backend>,
        path: &Path,
        options: StoreOptions,
    ) -> Result<Store, StoreFault> {
        Self::open_with(tables, path, options, Arc::new(Haste::from_the_start()))
    }

    fn open_with(
        tables: Box<dyn Backend>,
        path: &Path,
        options: StoreOptions,
        haste: Arc<Haste>,
    ) -> Result<Store, StoreFault> {
        let inner = Inner { path: path.to_owned(), options, tables, feeding: Mutex::new(()), haste };
        let store = Store { inner: Arc::new(inner) };
        store.check_format()?;
        Ok(store)
    }

    /// Whether runs of rows go in at once, as they do at first, or at leisure.
    #[must_use]
    pub fn haste(&self) -> &Haste {
        &self.inner.haste
    }

    /// Where the store lives.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    fn check_format(&self) -> Result<(), StoreFault> {
        let Some(row) = self.meta_row("read format", META_FORMAT)? else {
            return self.put_meta_durably("write format", META_FORMAT, &FORMAT.to_le_bytes());
        };
        let found = u32::from_le_bytes(self.array("meta", &row)?);
        if found > FORMAT {
            return Err(StoreFault::NewerFormat { path: self.inner.path.clone(), found, supported: FORMAT });
        }
        if found < FORMAT {
            return Err(StoreFault::OlderFormat { path: self.inner.path.clone(), found, supported: FORMAT });
        }
        Ok(())
    }

    fn meta_row(&self, operation: &'static str, key: &[u8]) -> Result<Option<Bytes>, StoreFault> {
        let row = self.inner.tables.get(Space::Meta, key);
        row.map_err(|e| self.fault(operation, e))
    }

    fn put_meta_durably(&self, operation: &'static str, key: &[u8], value: &[u8]) -> Result<(), StoreFault> {
        let put = self.inner.tables.write(Space::Meta, vec![(key.into(), Some(value.into()))]);
        put.map_err(|e| self.fault(operation, e))?;
        self.sync(operation)
    }

    fn sync(&self, operation: &'static str) -> Result<(), StoreFault> {
        let synced = self.inner.tables.sync();
        synced.map_err(|e| self.fault(operation, e))
    }

    fn fault(&self, operation: &'static str, source: fjall::Error) -> StoreFault {
        StoreFault::from_engine(operation, &self.inner.path, source)
    }

    fn array<const N: usize>(&self, table: &'static str, bytes: &[u8]) -> Result<[u8; N], StoreFault> {
        bytes.try_into().map_err(|_| StoreFault::Corrupt {
            path: self.inner.path.clone(),
            table,
            detail: format!("{} bytes where {N} belong", bytes.len()),
        })
    }
}
