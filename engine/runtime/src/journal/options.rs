//! Settings of the segment journal.

use super::JournalFault;
use super::format::{MIN_SEGMENT_BYTES, V1_MAX_PAYLOAD_BYTES};

/// What happens to a segment when all its records are released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleasePolicy {
    /// The file becomes a spare for a later segment.
    Recycle,
    /// The file is renamed to `*.done` and left for an archiver.
    KeepAll,
}

/// Settings of [`SegmentJournal`](super::SegmentJournal).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalOptions {
    /// Size of a new segment file in bytes; 64 MiB by default. Existing files keep theirs.
    pub segment_bytes: u64,
    /// Largest payload of one group in bytes; 64 MiB by default. A group that does not fit a segment gets a larger
    /// segment of its own.
    pub max_group_bytes: u64,
    /// What happens to released segments; recycled by default.
    pub keep: ReleasePolicy,
    /// How many spare files are kept for reuse; 4 by default.
    pub max_spares: usize,
    /// Whether the next segment file is prepared by a thread of its own; true by default. Off, it is prepared
    /// when it is needed, so that tests are repeatable.
    pub prepare_in_background: bool,
    /// Identity given to a new journal, mixed into every checksum, so that the files of another journal or bytes
    /// that look like a group are not taken for its own. `None`, the default: chosen at random.
    pub id_if_new: Option<u64>,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            max_group_bytes: 64 << 20,
            keep: ReleasePolicy::Recycle,
            max_spares: 4,
            prepare_in_background: true,
            id_if_new: None,
        }
    }
}

impl JournalOptions {
    /// Refuses settings that the format cannot carry.
    pub(super) fn check(&self) -> Result<(), JournalFault> {
        if self.segment_bytes < MIN_SEGMENT_BYTES {
            return Err(JournalFault::Options { reason: "segment_bytes is below 256" });
        }
        if !self.segment_bytes.is_multiple_of(8) {
            return Err(JournalFault::Options { reason: "segment_bytes is not a multiple of 8" });
        }
        if self.max_group_bytes > V1_MAX_PAYLOAD_BYTES {
            return Err(JournalFault::Options { reason: "max_group_bytes is above 1 GiB" });
        }
        Ok(())
    }
}
