//! Reads the groups of one segment in order.

use std::io;

use super::Group;
use super::format::v1::FrameHeader;
use super::format::{FRAME_HEADER_BYTES, FrameKey, SEGMENT_HEADER_BYTES};
use super::storage::{StorageFile, read_full};

const CHUNK_BYTES: usize = 1 << 20;

/// Reads the groups of one segment in order, as far as they are whole and follow each other.
#[derive(Debug)]
pub(super) struct SegmentReader<'f> {
    file: &'f dyn StorageFile,
    key: FrameKey,
    file_bytes: u64,
    offset: u64,
    expected: u64,
    buf: Vec<u8>,
    /// Where in the file `buf` starts.
    buf_offset: u64,
}

/// What comes next in a segment.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// A whole group and where its frame starts.
    Group { group: Group<'a>, offset: u64 },
    /// No whole group with the expected lsn starts here. `begun`: one was, and is broken.
    Stop { begun: bool },
}

impl<'f> SegmentReader<'f> {
    /// Starts before the first group of a segment, which must have lsn `first_lsn`.
    pub(super) fn new(file: &'f dyn StorageFile, key: FrameKey, first_lsn: u64) -> io::Result<Self> {
        Ok(Self {
            file,
            key,
            file_bytes: file.len()?,
            offset: SEGMENT_HEADER_BYTES,
            expected: first_lsn,
            buf: Vec::new(),
            buf_offset: 0,
        })
    }

    /// Lsn that the next group must start with.
    pub(super) fn expected_lsn(&self) -> u64 {
        self.expected
    }

    /// Where the next frame starts.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next group.
    pub(super) fn step(&mut self) -> io::Result<Step<'_>> {
        let Some(at) = self.fill(FRAME_HEADER_BYTES)? else { return Ok(Step::Stop { begun: false }) };
        let header = FrameHeader::read(&self.buf[at..]);
        let begun = header.looks_begun(self.key, self.expected);
        if !header.may_be_live(self.key) || header.first_lsn != self.expected {
            return Ok(Step::Stop { begun });
        }
        let frame_bytes = usize::try_from(header.frame_bytes()).unwrap_or(usize::MAX);
        let Some(at) = self.fill(frame_bytes)? else { return Ok(Step::Stop { begun }) };
        let frame = &self.buf[at..at + frame_bytes];
        if !self.key.verify(frame) {
            return Ok(Step::Stop { begun });
        }
        let offset = self.offset;
        self.offset += header.frame_bytes();
        self.expected += u64::from(header.records);
        let end = FRAME_HEADER_BYTES + header.payload_bytes as usize;
        let payload = &frame[FRAME_HEADER_BYTES..end];
        Ok(Step::Group {
            group: Group { first_lsn: header.first_lsn, records: header.records, payload },
            offset,
        })
    }

    /// First whole group from the current place to the end of the file with the expected lsn or a later one. Frames
    /// start at multiples of 8, and where a broken one ends is not known.
    pub(super) fn find_later(&mut self) -> io::Result<Option<u64>> {
        let (broken_at, mut found) = (self.offset, None);
        while let Some(at) = self.fill(FRAME_HEADER_BYTES)? {
            let header = FrameHeader::read(&self.buf[at..]);
            if header.may_be_live(self.key) && header.first_lsn >= self.expected {
                let frame_bytes = usize::try_from(header.frame_bytes()).unwrap_or(usize::MAX);
                if let Some(at) = self.fill(frame_bytes)?
                    && self.key.verify(&self.buf[at..at + frame_bytes])
                {
                    found = Some(header.first_lsn);
                    break;
                }
            }
            self.offset += 8;
        }
        self.offset = broken_at;
        self.buf.clear();
        Ok(found)
    }

    /// Makes `bytes` bytes from the current place available in `buf`; `None` when the file ends before. Returns
    /// where in `buf` they start.
    fn fill(&mut self, bytes: usize) -> io::Result<Option<usize>> {
        if self.offset.checked_add(bytes as u64).is_none_or(|end| end > self.file_bytes) {
            return Ok(None);
        }
        let buf_end = self.buf_offset + self.buf.len() as u64;
        if self.offset >= self.buf_offset && self.offset + bytes as u64 <= buf_end {
            return Ok(usize::try_from(self.offset - self.buf_offset).ok());
        }
        let kept = if self.offset >= self.buf_offset && self.offset < buf_end {
            let skip = usize::try_from(self.offset - self.buf_offset).unwrap_or(self.buf.len());
            self.buf.drain(..skip);
            self.buf.len()
        } else {
            0
        };
        let left = usize::try_from(self.file_bytes - self.offset).unwrap_or(usize::MAX);
        self.buf.resize(bytes.max(CHUNK_BYTES).min(left), 0);
        self.buf_offset = self.offset;
        let read = read_full(self.file, self.offset + kept as u64, &mut self.buf[kept..])?;
        self.buf.truncate(kept + read);
        Ok((self.buf.len() >= bytes).then_some(0))
    }
}
