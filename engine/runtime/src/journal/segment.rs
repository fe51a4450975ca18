//! The embedded default: numbered segment files of fixed size, written front to back.

use std::any::Any;
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::format::{
    self, FRAME_HEADER_BYTES, FrameKey, NEWEST_VERSION, SEGMENT_HEADER_BYTES, SegmentHeader, v1,
};
use super::options::ReleasePolicy;
use super::reader::{SegmentReader, Step};
use super::spare::Spares;
use super::storage::{Access, Storage, StorageFile, io_fault, read_full};
use super::survey::{Segment, survey};
use super::{DiskStorage, Group, Journal, JournalFault, JournalOptions};

/// A journal in numbered segment files of one directory.
///
/// An append is one positioned write into blocks that exist already, and one `fdatasync`.
///
/// # After a failed sync
///
/// When `fdatasync` fails, the kernel may have dropped the dirty pages and marked them clean: a second sync of the
/// same file succeeds without having written anything, and a read shows bytes that are not on the disk. So the
/// segment is closed at its last acknowledged group and the next append begins a fresh one, which is written and
/// synced from nothing. The header of the fresh segment carries its first lsn, and whatever lies behind
/// that lsn in the segment before does not count, whole or not. For the same reason, opening a journal writes the last
/// group again and syncs it before it counts.
#[derive(Debug)]
pub struct SegmentJournal {
    storage: Arc<dyn Storage>,
    options: JournalOptions,
    journal_id: u64,
    /// Oldest first; the last one is the one `active` belongs to.
    segments: VecDeque<Segment>,
    active: Active,
    /// The frame being written; reused, so that an append allocates nothing.
    frame: Vec<u8>,
    spares: Spares,
    // Dropped last: nobody else may come in while the spares are still at work.
    _lock: Box<dyn Any + Send>,
}

#[derive(Debug)]
struct Active {
    file: Box<dyn StorageFile>,
    key: FrameKey,
    name: String,
    /// Nothing more may be written to this segment.
    closed: bool,
}

impl SegmentJournal {
    /// Opens the journal in `dir`, creating both when they are not there.
    ///
    /// # Errors
    ///
    /// [`JournalFault::Locked`], [`JournalFault::Options`], [`JournalFault::UnknownVersion`], and, when records are
    /// missing or damaged, [`JournalFault::BadHeader`], [`JournalFault::MissingSegment`],
    /// [`JournalFault::DamagedMiddle`]; [`JournalFault::Io`] for the disk. None of them changes the records.
    pub fn open(dir: &Path, options: JournalOptions) -> Result<Self, JournalFault> {
        let storage = DiskStorage::create(dir).map_err(|source| JournalFault::Io {
            operation: "create",
            path: dir.to_owned(),
            source,
        })?;
        Self::open_in(Arc::new(storage), options)
    }

    /// Opens the journal in any storage. See [`SegmentJournal::open`].
    ///
    /// # Errors
    ///
    /// Those of [`SegmentJournal::open`].
    pub fn open_in(storage: Arc<dyn Storage>, options: JournalOptions) -> Result<Self, JournalFault> {
        options.check()?;
        let lock = storage.lock().map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => JournalFault::Locked { dir: storage.path("") },
            _ => JournalFault::Io { operation: "lock", path: storage.path(""), source },
        })?;
        let found = survey(&*storage)?;
        if let Some(damage) = found.damage {
            return Err(damage);
        }
        let mut spares = Spares::new(Arc::clone(&storage), &found.spares, &options)?;
        let journal_id = found.journal_id.or(options.id_if_new).unwrap_or_else(random_id);
        let mut segments = VecDeque::from(found.segments);
        let active = match segments.back() {
            Some(last) => reopen(&*storage, journal_id, last, found.torn_tail)?,
            None => {
                let header = SegmentHeader { version: NEWEST_VERSION, journal_id, segment: 1, first_lsn: 1 };
                let (segment, active) = begin(&*storage, &mut spares, &header, options.segment_bytes)?;
                segments.push_back(segment);
                active
            }
        };
        spares.order();
        Ok(Self { storage, options, journal_id, segments, active, frame: Vec::new(), spares, _lock: lock })
    }

    fn last(&self) -> &Segment {
        self.segments.back().expect("a journal has an active segment from its opening on")
    }

    /// Begins the next segment, with room for a frame of `frame_bytes`.
    #[cold]
    fn roll(&mut self, frame_bytes: u64) -> Result<(), JournalFault> {
        // From here on the file of the next segment may exist, whatever fails, and a restart takes its first lsn
        // for the end of this one: nothing more may be acknowledged here.
        self.active.closed = true;
        let last = self.last();
        // A segment without an acknowledged group is replaced, so that a disk on which every sync fails
        // is not filled with empty segments by the repetitions.
        let replaces = last.groups == 0;
        let header = SegmentHeader {
            version: NEWEST_VERSION,
            journal_id: self.journal_id,
            segment: if replaces { last.number } else { last.number + 1 },
            first_lsn: last.next_lsn,
        };
        let (segment, active) =
            begin(&*self.storage, &mut self.spares, &header, SEGMENT_HEADER_BYTES + frame_bytes)?;
        if replaces {
            self.segments.pop_back();
        }
        self.segments.push_back(segment);
        self.active = active;
        self.spares.order();
        Ok(())
    }

    /// Gives up the oldest segment.
    fn release_first(&mut self, number: u64) -> Result<(), JournalFault> {
        let name = format::segment_name(number);
        let to = match self.options.keep {
            ReleasePolicy::Recycle => self.spares.new_name(),
            ReleasePolicy::KeepAll => format::done_name(number),
        };
        self.storage.rename(&name, &to).map_err(io_fault(&*self.storage, "release", &name))?;
        self.segments.pop_front();
        // One sync for each: a spare must not be written to before its old name is gone for good, and the segments
        // must go in order, or a power cut could leave a gap.
        self.storage.sync_dir().map_err(io_fault(&*self.storage, "sync", ""))?;
        if self.options.keep == ReleasePolicy::Recycle {
            self.spares.keep(to);
        }
        Ok(())
    }
}

impl Journal for SegmentJournal {
    fn append(&mut self, records: u32, payload: &[u8]) -> Result<u64, JournalFault> {
        let bytes = payload.len() as u64;
        if records == 0 {
            return Err(JournalFault::EmptyGroup);
        }
        if bytes > self.options.max_group_bytes {
            return Err(JournalFault::GroupTooLarge { bytes, max_bytes: self.options.max_group_bytes });
        }
        let frame_bytes = v1::frame_bytes(bytes);
        if self.active.closed || self.last().end + frame_bytes > self.last().file_bytes {
            self.roll(frame_bytes)?;
        }
        let (offset, first_lsn) = (self.last().end, self.last().next_lsn);
        v1::encode_frame(&mut self.frame, self.active.key, first_lsn, records, payload);
        // A write that fails may be repeated at the same place: it covers all bytes again, and no sync was lost.
        let active = &mut self.active;
        active.file.write_at(offset, &self.frame).map_err(io_fault(
            &*self.storage,
            "write a group to",
            &active.name,
        ))?;
        if let Err(source) = active.file.sync_data() {
            active.closed = true;
            return Err(JournalFault::SyncFailed { path: self.storage.path(&active.name), source });
        }
        if let Some(last) = self.segments.back_mut() {
            last.groups += 1;
            last.last_frame = Some(offset);
            last.end = offset + frame_bytes;
            last.next_lsn = first_lsn + u64::from(records);
        }
        Ok(first_lsn)
    }

    fn next_lsn(&self) -> u64 {
        self.last().next_lsn
    }

    fn first_lsn(&self) -> u64 {
        self.segments.front().map_or(self.next_lsn(), |segment| segment.first_lsn)
    }

    fn replay(
        &self,
        from: u64,
        visit: &mut dyn FnMut(Group<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalFault> {
        let from = from.max(1);
        if from < self.first_lsn() {
            return Err(JournalFault::Released { from, first_lsn: self.first_lsn() });
        }
        for segment in self.segments.iter().filter(|segment| segment.next_lsn > from) {
            if replay_segment(&*self.storage, self.journal_id, segment, from, visit)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn release_before(&mut self, lsn: u64) -> Result<(), JournalFault> {
        while self.segments.len() > 1
            && let Some(first) = self.segments.front()
            && first.next_lsn <= lsn
        {
            self.release_first(first.number)?;
        }
        Ok(())
    }
}

/// Makes a spare file the segment of `header`. The name comes last, when the header is durable.
fn begin(
    storage: &dyn Storage,
    spares: &mut Spares,
    header: &SegmentHeader,
    bytes: u64,
) -> Result<(Segment, Active), JournalFault> {
    let spare = spares.take(bytes)?;
    let name = format::segment_name(header.segment);
    let written = storage.open(&spare, Access::ReadWrite).and_then(|file| {
        file.write_at(0, &v1::encode_segment_header(header))?;
        file.sync_data()?;
        let file_bytes = file.len()?;
        storage.rename(&spare, &name)?;
        Ok((file, file_bytes))
    });
    let (file, file_bytes) = written.map_err(|source| {
        // After a failed sync its pages are not to be trusted, so another file is tried next time.
        spares.discard(&spare);
        io_fault(storage, "begin segment", &name)(source)
    })?;
    // If this fails the file has its name already; the next attempt puts another in its place.
    storage.sync_dir().map_err(io_fault(storage, "sync", ""))?;
    let key = FrameKey::new(header.journal_id, header.segment);
    Ok((Segment::begun(header, file_bytes), Active { file, key, name, closed: false }))
}

/// Takes up writing after the last whole group of the last segment.
fn reopen(
    storage: &dyn Storage,
    journal_id: u64,
    last: &Segment,
    torn: bool,
) -> Result<Active, JournalFault> {
    let name = last.name();
    let file = storage.open(&name, Access::ReadWrite).map_err(io_fault(storage, "open", &name))?;
    if torn {
        tracing::warn!(
            segment = %storage.path(&name).display(), offset = last.end, last_whole_lsn = last.next_lsn - 1,
            "journal: the last group was cut off before it was acknowledged; the log ends before it"
        );
    }
    settle_tail(&*file, last).map_err(io_fault(storage, "make durable the end of", &name))?;
    // The file may have got its name just before a crash, and the name not be durable yet.
    storage.sync_dir().map_err(io_fault(storage, "sync", ""))?;
    let key = FrameKey::new(journal_id, last.number);
    Ok(Active { file, key, name, closed: last.version != NEWEST_VERSION })
}

/// Makes sure that the end of the log as it was read is also the end on the disk. The last group may have been read
/// from a page that was never written out; a broken one behind it may read as whole another time.
fn settle_tail(file: &dyn StorageFile, last: &Segment) -> io::Result<()> {
    let mut dirty = false;
    if let Some(offset) = last.last_frame {
        let mut frame = vec![0; usize::try_from(last.end - offset).unwrap_or(usize::MAX)];
        read_full(file, offset, &mut frame)?;
        file.write_at(offset, &frame)?;
        dirty = true;
    }
    let mut header = [0; FRAME_HEADER_BYTES];
    let read = read_full(file, last.end, &mut header)?;
    if header.iter().any(|byte| *byte != 0) {
        file.write_at(last.end, &[0; FRAME_HEADER_BYTES][..read])?;
        dirty = true;
    }
    if dirty { file.sync_data() } else { Ok(()) }
}

fn replay_segment(
    storage: &dyn Storage,
    journal_id: u64,
    segment: &Segment,
    from: u64,
    visit: &mut dyn FnMut(Group<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, JournalFault> {
    let name = segment.name();
    let fail = || io_fault(storage, "read", &name);
    let file = storage.open(&name, Access::Read).map_err(fail())?;
    let key = FrameKey::new(journal_id, segment.number);
    let mut reader = SegmentReader::new(&*file, key, segment.first_lsn).map_err(fail())?;
    while reader.expected_lsn() < segment.next_lsn {
        let (offset, expected) = (reader.offset(), reader.expected_lsn());
        match reader.step().map_err(fail())? {
            Step::Group { group, .. } => {
                if group.last_lsn() >= from && visit(group).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Step::Stop { .. } => {
                return Err(JournalFault::DamagedMiddle {
                    segment: storage.path(&name),
                    offset,
                    last_whole_lsn: expected - 1,
                    next_whole_lsn: segment.next_lsn,
                });
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The keys of a hasher are the standard library's only source of randomness.
fn random_id() -> u64 {
    RandomState::new().build_hasher().finish()
}
