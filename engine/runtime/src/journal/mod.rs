//! The ordered, durable log of a partition, as bytes.
//!
//! A *record* is one position of the log, an *lsn*, counted from 1 without gaps. Records are appended in
//! *groups*: one group is one write and one sync, and it is either wholly in the log or not at all. What the
//! bytes of a group mean is not the journal's business.
//!
//! [`SegmentJournal`] is the embedded default, [`MemoryJournal`] the one for tests; [`conformance`] lists what
//! every backend must do. [`inspect`] looks at a directory without changing it.
//!
//! # Invariants
//!
//! * A group is acknowledged only after the storage has said that it is durable.
//! * At most one group is in doubt at any time: the one whose append failed or was cut off. After a restart
//!   it is either whole or gone.
//! * A file named as a segment always has a durable header: it is written and synced before the file gets
//!   its name. The header's first lsn also says where the segment before it ends.
//! * A group found broken with a whole later one behind it is damage, never a torn tail: the journal refuses to
//!   open rather than lose acknowledged records.

use std::ops::ControlFlow;

pub mod conformance;
mod disk;
mod fault;
mod faulty;
mod format;
mod inspect;
mod memory;
mod options;
mod reader;
mod segment;
mod spare;
mod storage;
mod survey;
#[cfg(test)]
mod tests;

pub use disk::DiskStorage;
pub use fault::JournalFault;
pub use faulty::{Fault, FaultyStorage, Operation};
pub use inspect::{Damage, DamageKind, InspectReport, SegmentReport, inspect, inspect_storage};
pub use memory::MemoryJournal;
pub use options::{JournalOptions, ReleasePolicy};
pub use segment::SegmentJournal;
pub use storage::{Access, Storage, StorageFile};

/// One group of records as it was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group<'a> {
    /// Lsn of the first record of the group.
    pub first_lsn: u64,
    /// How many log positions the group covers; at least 1.
    pub records: u32,
    /// The bytes as given to [`Journal::append`].
    pub payload: &'a [u8],
}

impl Group<'_> {
    /// Lsn of the last record of the group.
    #[must_use]
    pub fn last_lsn(&self) -> u64 {
        self.first_lsn + u64::from(self.records) - 1
    }
}

/// An ordered, durable log with one writer.
pub trait Journal: Send {
    /// Appends one group covering `records` log positions and returns its first lsn once it is durable.
    ///
    /// # Errors
    ///
    /// [`JournalFault::EmptyGroup`] when `records` is 0, [`JournalFault::GroupTooLarge`] when the payload is over
    /// the limit: nothing was written. Any other fault: the group does not count and `next_lsn` has not moved;
    /// the same group may be appended again until it works. If the process ends before that, the group is *in doubt*:
    /// the next start finds it whole or not at all. Append the *same* group again, not another: of several that were
    /// tried and failed at one place, the next start may find any.
    fn append(&mut self, records: u32, payload: &[u8]) -> Result<u64, JournalFault>;

    /// Lsn that the first record of the next group will get; 1 in an empty journal.
    fn next_lsn(&self) -> u64;

    /// Oldest lsn still held; equals `next_lsn` when nothing is held.
    fn first_lsn(&self) -> u64;

    /// Visits in order all groups whose last lsn is `from` or later, until `visit` breaks. A group that
    /// contains `from` in its middle is visited whole. A `from` at or after `next_lsn` visits nothing; 0 means 1.
    ///
    /// # Errors
    ///
    /// [`JournalFault::Released`] when `from` is before `first_lsn`: a caller that went on would miss records.
    /// [`JournalFault::Io`] and [`JournalFault::DamagedMiddle`] when bytes that were whole no longer can be read.
    fn replay(
        &self,
        from: u64,
        visit: &mut dyn FnMut(Group<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalFault>;

    /// Releases the oldest part of the log as far as it holds only records before `lsn`. How much that is, is the
    /// backend's choice; a record at or after `lsn` is never released.
    ///
    /// # Errors
    ///
    /// [`JournalFault::Io`]; the journal stays usable and the call may be repeated.
    fn release_before(&mut self, lsn: u64) -> Result<(), JournalFault>;
}
