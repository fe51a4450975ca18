//! Reads all of a journal directory and says what is there. Changes nothing; opening and inspection share it.

use std::collections::BTreeMap;

use super::format::{self, FrameKey, Named, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::reader::{SegmentReader, Step};
use super::storage::{Access, Storage, StorageFile, io_fault, read_full};
use super::{JournalFault, format::segment_name};

/// What is known of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub number: u64,
    pub version: u16,
    pub first_lsn: u64,
    /// One after its last whole record.
    pub next_lsn: u64,
    /// Where its last whole frame ends, in bytes.
    pub end: u64,
    /// Where its last whole frame starts.
    pub last_frame: Option<u64>,
    pub file_bytes: u64,
    pub groups: u64,
}

/// What is in a journal directory.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub journal_id: Option<u64>,
    /// Oldest first. One with an unreadable header has version 0.
    pub segments: Vec<Segment>,
    /// Number and name of the spare files.
    pub spares: Vec<(u64, String)>,
    /// The last segment ends in a group that was begun and is not whole.
    pub torn_tail: bool,
    /// The first damage that forbids to open the journal.
    pub damage: Option<JournalFault>,
}

impl Survey {
    fn note(&mut self, fault: JournalFault) {
        self.damage.get_or_insert(fault);
    }
}

type Opened = (Box<dyn StorageFile>, SegmentHeader);

/// Reads the directory.
///
/// # Errors
///
/// [`JournalFault::Io`] alone; damage is part of the answer.
pub(super) fn survey(storage: &dyn Storage) -> Result<Survey, JournalFault> {
    let mut found = Survey::default();
    let mut files = BTreeMap::new();
    let mut last_done = None;
    for name in storage.list().map_err(io_fault(storage, "list", ""))? {
        match format::parse_name(&name) {
            Named::Segment(number) => drop(files.insert(number, name)),
            Named::Spare(count) => found.spares.push((count, name)),
            Named::Done(number) => last_done = last_done.max(Some(number)),
            Named::Other => {}
        }
    }
    // The active segment is never released.
    if let (Some(done), true) = (last_done, files.is_empty()) {
        found.note(JournalFault::MissingSegment { path: storage.path(&segment_name(done + 1)) });
    }
    let files: Vec<(u64, String)> = files.into_iter().collect();
    let mut opened = match files.first() {
        Some((number, name)) => Some(open_segment(storage, name, *number)?),
        None => None,
    };
    for (index, (number, name)) in files.iter().enumerate() {
        let next = match files.get(index + 1) {
            Some((next_number, next_name)) => Some(open_segment(storage, next_name, *next_number)?),
            None => None,
        };
        let gap = files.get(index + 1).is_some_and(|(next_number, _)| *next_number != number + 1);
        // A segment ends where the next one begins.
        let limit = match &next {
            Some(Ok((_, header))) if !gap => Some(header.first_lsn),
            Some(_) | None => None,
        };
        match opened {
            Some(Ok((file, header))) => {
                let id = *found.journal_id.get_or_insert(header.journal_id);
                if id != header.journal_id {
                    found.note(bad_header(storage, name, "it belongs to another journal"));
                }
                walk(storage, name, &*file, &header, limit, next.is_none(), &mut found)?;
            }
            Some(Err(fault)) => {
                found.note(fault);
                found.segments.push(Segment::unreadable(*number));
            }
            None => {}
        }
        if gap {
            found.note(JournalFault::MissingSegment { path: storage.path(&segment_name(number + 1)) });
        }
        opened = next;
    }
    Ok(found)
}

impl Segment {
    /// A segment just begun.
    pub(super) fn begun(header: &SegmentHeader, file_bytes: u64) -> Self {
        Self {
            number: header.segment,
            version: header.version,
            first_lsn: header.first_lsn,
            next_lsn: header.first_lsn,
            end: SEGMENT_HEADER_BYTES,
            last_frame: None,
            file_bytes,
            groups: 0,
        }
    }

    fn unreadable(number: u64) -> Self {
        let header = SegmentHeader { version: 0, journal_id: 0, segment: number, first_lsn: 0 };
        Self { end: 0, ..Self::begun(&header, 0) }
    }

    /// File name of the segment.
    pub(super) fn name(&self) -> String {
        segment_name(self.number)
    }
}

fn bad_header(storage: &dyn Storage, name: &str, reason: &'static str) -> JournalFault {
    JournalFault::BadHeader { path: storage.path(name), reason }
}

/// Opens a segment file and reads its header: outer error of the storage, inner one of the bytes.
fn open_segment(
    storage: &dyn Storage,
    name: &str,
    number: u64,
) -> Result<Result<Opened, JournalFault>, JournalFault> {
    let file = storage.open(name, Access::Read).map_err(io_fault(storage, "open", name))?;
    let mut bytes = [0; 64];
    let read = read_full(&*file, 0, &mut bytes).map_err(io_fault(storage, "read", name))?;
    Ok(match format::decode_segment_header(&bytes[..read], &storage.path(name)) {
        Ok(header) if header.segment != number => {
            Err(bad_header(storage, name, "its number is not that of the file name"))
        }
        Ok(header) => Ok((file, header)),
        Err(fault) => Err(fault),
    })
}

/// Walks the groups of one segment up to record `limit`, where the next segment begins.
fn walk(
    storage: &dyn Storage,
    name: &str,
    file: &dyn StorageFile,
    header: &SegmentHeader,
    limit: Option<u64>,
    is_last: bool,
    found: &mut Survey,
) -> Result<(), JournalFault> {
    let fail = || io_fault(storage, "read", name);
    let key = FrameKey::new(header.journal_id, header.segment);
    let mut segment = Segment::begun(header, file.len().map_err(fail())?);
    let mut reader = SegmentReader::new(file, key, header.first_lsn).map_err(fail())?;
    let mut begun = false;
    // What lies behind the limit is a group that failed here and was repeated in the next segment.
    while limit.is_none_or(|limit| reader.expected_lsn() < limit) {
        match reader.step().map_err(fail())? {
            Step::Group { group, offset } => {
                segment.groups += 1;
                segment.next_lsn = group.last_lsn() + 1;
                segment.last_frame = Some(offset);
            }
            Step::Stop { begun: this } => {
                begun = this;
                break;
            }
        }
    }
    segment.end = reader.offset();
    let damaged = |next_whole_lsn| JournalFault::DamagedMiddle {
        segment: storage.path(name),
        offset: segment.end,
        last_whole_lsn: segment.next_lsn - 1,
        next_whole_lsn,
    };
    if is_last || limit.is_some_and(|limit| limit != segment.next_lsn) {
        match (reader.find_later().map_err(fail())?, limit) {
            (Some(later), limit) => found.note(damaged(limit.map_or(later, |limit| limit.min(later)))),
            (None, Some(limit)) => found.note(damaged(limit)),
            (None, None) => found.torn_tail = begun,
        }
    }
    found.segments.push(segment);
    Ok(())
}
