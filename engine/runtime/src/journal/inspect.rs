//! A look at a journal directory that changes nothing: `suanpan verify DIR`.

use std::fmt;
use std::path::{Path, PathBuf};

use super::storage::Storage;
use super::survey::{Segment, survey};
use super::{DiskStorage, JournalFault};

/// What is in a journal directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectReport {
    /// All segments, oldest first.
    pub segments: Vec<SegmentReport>,
    /// The first damage, if there is any.
    pub damage: Option<Damage>,
}

/// What is in one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentReport {
    /// The file.
    pub file: PathBuf,
    /// Version of its format; 0 when its header cannot be read.
    pub version: u16,
    /// Lsn of its first record; 0 when its header cannot be read.
    pub first_lsn: u64,
    /// Whole groups up to its end or its first damage.
    pub groups: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes up to the end of the last whole group, header included.
    pub bytes: u64,
    /// Length of the file in bytes.
    pub file_bytes: u64,
}

/// The first place where a journal is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment file, also when it is missing.
    pub file: PathBuf,
    /// Bytes from the start of the file.
    pub offset: u64,
    /// What is wrong.
    pub kind: DamageKind,
}

/// What is wrong at a place in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamageKind {
    /// The last group is not whole: it was being written when the process or the power went. Opening cuts it off.
    /// A running journal looks the same while it writes.
    TornTail {
        /// Last lsn before it; 0 when there is none.
        last_whole_lsn: u64,
    },
    /// A group is broken and records after it exist. The journal refuses to open.
    Middle {
        /// Last lsn before the damage; 0 when there is none.
        last_whole_lsn: u64,
        /// First lsn known to be in the log after the damage.
        next_whole_lsn: u64,
    },
    /// The header of the segment is broken. The journal refuses to open.
    Header,
    /// The segment was written by a newer program, in this version of the format.
    NewerVersion(u16),
    /// The file is not there while later ones are. The journal refuses to open.
    Missing,
}

impl InspectReport {
    /// Whether every group of the log is whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damage.is_none()
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: ", self.file.display(), self.offset)?;
        match self.kind {
            DamageKind::TornTail { last_whole_lsn } => {
                write!(f, "torn tail after record {last_whole_lsn}, cut off at the next start")
            }
            DamageKind::Middle { last_whole_lsn, next_whole_lsn } => {
                write!(
                    f,
                    "damage between record {last_whole_lsn} and record {next_whole_lsn}, restore from a copy"
                )
            }
            DamageKind::Header => write!(f, "broken segment header, restore from a copy"),
            DamageKind::NewerVersion(version) => write!(f, "format version {version} of a newer program"),
            DamageKind::Missing => write!(f, "segment file missing, restore from a copy"),
        }
    }
}

/// Looks at the journal in `dir` without changing or locking anything.
///
/// # Errors
///
/// [`JournalFault::Io`] when the directory or a file cannot be read.
pub fn inspect(dir: &Path) -> Result<InspectReport, JournalFault> {
    inspect_storage(&DiskStorage::existing(dir))
}

/// Looks at the journal in any storage. See [`inspect`].
///
/// # Errors
///
/// Those of [`inspect`].
pub fn inspect_storage(storage: &dyn Storage) -> Result<InspectReport, JournalFault> {
    let found = survey(storage)?;
    let torn = found.segments.last().filter(|_| found.torn_tail).map(|last| Damage {
        file: storage.path(&last.name()),
        offset: last.end,
        kind: DamageKind::TornTail { last_whole_lsn: last.next_lsn - 1 },
    });
    let damage = match found.damage {
        Some(fault) => Some(damage(fault)?),
        None => torn,
    };
    let segments = found.segments.iter().map(|segment| report(storage, segment)).collect();
    Ok(InspectReport { segments, damage })
}

fn report(storage: &dyn Storage, segment: &Segment) -> SegmentReport {
    SegmentReport {
        file: storage.path(&segment.name()),
        version: segment.version,
        first_lsn: segment.first_lsn,
        groups: segment.groups,
        records: segment.next_lsn - segment.first_lsn,
        bytes: segment.end,
        file_bytes: segment.file_bytes,
    }
}

fn damage(fault: JournalFault) -> Result<Damage, JournalFault> {
    Ok(match fault {
        JournalFault::DamagedMiddle { segment, offset, last_whole_lsn, next_whole_lsn } => {
            Damage { file: segment, offset, kind: DamageKind::Middle { last_whole_lsn, next_whole_lsn } }
        }
        JournalFault::BadHeader { path, .. } => Damage { file: path, offset: 0, kind: DamageKind::Header },
        JournalFault::UnknownVersion { path, version, .. } => {
            Damage { file: path, offset: 0, kind: DamageKind::NewerVersion(version) }
        }
        JournalFault::MissingSegment { path } => Damage { file: path, offset: 0, kind: DamageKind::Missing },
        other @ (JournalFault::Io { .. }
        | JournalFault::SyncFailed { .. }
        | JournalFault::EmptyGroup
        | JournalFault::GroupTooLarge { .. }
        | JournalFault::Locked { .. }
        | JournalFault::Released { .. }
        | JournalFault::Options { .. }) => return Err(other),
    })
}
