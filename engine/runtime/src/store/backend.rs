//! The seam between the store and what keeps its rows: sorted tables of bytes, with what is durable when.
//!
//! [`Disk`](super::disk::Disk) is the embedded engine; [`MemoryTables`](super::MemoryTables) the one for simulations, which
//! knows what a power cut would leave. `tests/backends.rs` puts both through the same list.

use std::ops::Bound;

use super::checkpoint::Table;
use super::{Bytes, StoreStats};

/// A table of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Finished orders by number.
    Orders,
    /// Numbers of finished orders by fingerprint.
    Keys,
    /// Finished orders of each platform by number: what a list tells them apart by.
    OrderIndex,
    /// Statement chunks by account and position.
    Statements,
    /// What malls are told, by platform and number.
    Announcements,
    /// How far malls were told: whatever whoever tells them keeps.
    Deliveries,
    /// A handful of rows about the store itself.
    Meta,
    /// A table of the checkpoint.
    Checkpoint(Table),
}

impl Space {
    /// Every table.
    pub const ALL: [Self; 12] = [
        Self::Orders,
        Self::Keys,
        Self::OrderIndex,
        Self::Statements,
        Self::Announcements,
        Self::Deliveries,
        Self::Meta,
        Self::Checkpoint(Table::Accounts),
        Self::Checkpoint(Table::Holds),
        Self::Checkpoint(Table::LiveOrders),
        Self::Checkpoint(Table::Directory),
        Self::Checkpoint(Table::Campaigns),
    ];

    /// Name on disk and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Keys => "keys",
            Self::OrderIndex => "order_index",
            Self::Statements => "statements",
            Self::Announcements => "announcements",
            Self::Deliveries => "deliveries",
            Self::Meta => "meta",
            Self::Checkpoint(table) => table.name(),
        }
    }
}

/// A row, or the removal of one.
pub type Change = (Bytes, Option<Bytes>);

/// Rows of a table in order.
pub type Rows<'a> = Box<dyn DoubleEndedIterator<Item = fjall::Result<(Bytes, Bytes)>> + 'a>;

/// Sorted tables of bytes.
///
/// Faults are those of the embedded engine, so that the store above tells them in one way.
pub trait Backend: Send + Sync {
    /// The value under a key.
    ///
    /// # Errors
    /// What the disk says; so for all operations below.
    fn get(&self, space: Space, key: &[u8]) -> fjall::Result<Option<Bytes>>;

    /// Rows between two keys, ascending, as they are at the call.
    fn range<'a>(&'a self, space: Space, from: Bound<Vec<u8>>, to: Bound<Vec<u8>>) -> Rows<'a>;

    /// Adds a run of rows whose keys ascend strictly. Durable when it returns, and with it everything that was written
    /// to the table before; after a failure nothing of it is there.
    ///
    /// # Errors
    /// See [`Backend::get`].
    fn ingest(&self, space: Space, rows: &mut dyn Iterator<Item = Change>) -> fjall::Result<()>;

    /// Writes rows together. Durable after [`Backend::sync`], though a crash may keep them: of writes since the
    /// last sync, those to any tables up to one point survive.
    ///
    /// # Errors
    /// See [`Backend::get`].
    fn write(&self, space: Space, rows: Vec<Change>) -> fjall::Result<()>;

    /// Makes everything durable that was written.
    ///
    /// # Errors
    /// See [`Backend::get`].
    fn sync(&self) -> fjall::Result<()>;

    /// Fails when an earlier failure forbids to write.
    ///
    /// # Errors
    /// See [`Backend::get`].
    fn check_writable(&self) -> fjall::Result<()>;

    /// The largest number of unmerged runs that a table of the archive has.
    fn unmerged(&self) -> usize;

    /// Figures.
    fn stats(&self) -> StoreStats;
}
