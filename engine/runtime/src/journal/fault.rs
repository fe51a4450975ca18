//! What can go wrong with a journal: disk, bytes, settings.

use std::io;
use std::path::PathBuf;

/// A fault of the journal. The message says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum JournalFault {
    /// The storage refused an operation. Nothing of a group being appended counts; the same append may be repeated.
    #[error("journal: could not {operation} {}: {source}; free space or repair the disk, the operation can be repeated", path.display())]
    Io {
        /// What was attempted, as an infinitive.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The answer of the storage.
        source: io::Error,
    },
    /// The group was written but the storage could not say that it is durable. The group does not count; the next
    /// append goes to a fresh segment, because after a failed sync a second sync of the same file proves nothing.
    #[error("journal: could not sync a group to {}: {source}; the group does not count, repeat it; it will go to a fresh segment", path.display())]
    SyncFailed {
        /// The segment file.
        path: PathBuf,
        /// The answer of the storage.
        source: io::Error,
    },
    /// A group must cover at least one record.
    #[error("journal: a group of 0 records cannot be appended")]
    EmptyGroup,
    /// The group is over `max_group_bytes`.
    #[error(
        "journal: a group of {bytes} bytes is over the limit of {max_bytes}; append it in smaller groups"
    )]
    GroupTooLarge {
        /// Size of the refused payload in bytes.
        bytes: u64,
        /// The limit in bytes.
        max_bytes: u64,
    },
    /// Another process has the journal open.
    #[error("journal: {} is in use by another process; stop it, or choose another data directory", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// Written by a newer program.
    #[error("journal: {} has format version {version}, this program reads up to {newest}; start a newer version of suanpan", path.display())]
    UnknownVersion {
        /// The segment file.
        path: PathBuf,
        /// Version found.
        version: u16,
        /// Newest version this program knows.
        newest: u16,
    },
    /// The header of a segment is not what it must be.
    #[error("journal: the header of {} is damaged ({reason}); nothing was changed, run `suanpan verify {}`", path.display(), dir(path))]
    BadHeader {
        /// The segment file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A group is broken and whole groups follow: acknowledged records are damaged.
    #[error("journal: {} is damaged at byte {offset}: whole up to record {last_whole_lsn} and again from record {next_whole_lsn}; nothing was changed, run `suanpan verify {}` and restore the file from a copy", segment.display(), dir(segment))]
    DamagedMiddle {
        /// The segment file.
        segment: PathBuf,
        /// Where the first broken group starts, in bytes from the start of the file.
        offset: u64,
        /// Last lsn before the damage; 0 when there is none.
        last_whole_lsn: u64,
        /// First lsn known to be in the log after the damage.
        next_whole_lsn: u64,
    },
    /// A segment in the sequence is not there.
    #[error("journal: segment file {} is missing while later ones exist; nothing was changed, run `suanpan verify {}` and restore the file from a copy", path.display(), dir(path))]
    MissingSegment {
        /// The file that should be there.
        path: PathBuf,
    },
    /// The records asked for are no longer held.
    #[error("journal: replay from record {from} was asked, but the log starts at record {first_lsn}; start from a checkpoint at or after record {}", first_lsn.saturating_sub(1))]
    Released {
        /// Lsn asked for.
        from: u64,
        /// Oldest lsn held.
        first_lsn: u64,
    },
    /// The settings cannot be used.
    #[error("journal: the settings cannot be used: {reason}")]
    Options {
        /// Which setting, and why.
        reason: &'static str,
    },
}

impl JournalFault {
    /// Whether the same call may succeed later without anything else being changed: space freed, disk back.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::SyncFailed { .. })
    }
}

fn dir(path: &std::path::Path) -> std::path::Display<'_> {
    path.parent().unwrap_or(path).display()
}
