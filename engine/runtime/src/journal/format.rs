//! Bytes of a segment file.
//!
//! Each version of the format decodes in a module of its own, so that old files stay readable; new segments are
//! written in the newest version. The first ten bytes, magic and version, are the same for ever.

pub(super) mod v1;

use std::path::Path;

use super::JournalFault;

pub(super) use v1::{
    FRAME_HEADER_BYTES, FrameKey, MAX_PAYLOAD_BYTES as V1_MAX_PAYLOAD_BYTES, SEGMENT_HEADER_BYTES,
};

/// Version in which segments are written.
pub(super) const NEWEST_VERSION: u16 = 1;
/// Smallest segment that is worth a file: a header and a few small groups.
pub(super) const MIN_SEGMENT_BYTES: u64 = 256;
const MAGIC: &[u8; 8] = b"SUANPANJ";

/// What the start of a segment file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub version: u16,
    pub journal_id: u64,
    /// Number of the segment, from 1, without gaps.
    pub segment: u64,
    /// Lsn of its first record; where the segment before it ends.
    pub first_lsn: u64,
}

/// Reads the header of any known version. `bytes` are the first bytes of the file, fewer when it is shorter.
pub(super) fn decode_segment_header(bytes: &[u8], path: &Path) -> Result<SegmentHeader, JournalFault> {
    let bad = |reason| JournalFault::BadHeader { path: path.to_owned(), reason };
    let Some((magic, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(bad("the file is too short"));
    };
    if magic != MAGIC {
        return Err(bad("it does not start with the mark of a journal segment"));
    }
    let Some(version) = rest.first_chunk::<2>().copied().map(u16::from_le_bytes) else {
        return Err(bad("the file is too short"));
    };
    match version {
        1 => v1::decode_segment_header(bytes).map_err(bad),
        // Version 0 was never written; a flipped bit is more likely than a visitor from the past.
        0 => Err(bad("format version 0 does not exist")),
        newer => Err(JournalFault::UnknownVersion {
            path: path.to_owned(),
            version: newer,
            newest: NEWEST_VERSION,
        }),
    }
}

/// Name of the file of segment `number`.
pub(super) fn segment_name(number: u64) -> String {
    format!("{number:016}.log")
}

/// Name of the file of segment `number` once it is released and kept.
pub(super) fn done_name(number: u64) -> String {
    format!("{number:016}.done")
}

/// Name of the `count`-th spare file.
pub(super) fn spare_name(count: u64) -> String {
    format!("spare-{count:016}")
}

/// What a file name in the directory stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Segment(u64),
    Done(u64),
    Spare(u64),
    Other,
}

/// Reads a file name.
pub(super) fn parse_name(name: &str) -> Named {
    let number = |digits: &str| digits.parse::<u64>().ok().filter(|_| digits.len() >= 16);
    let parsed = if let Some(rest) = name.strip_suffix(".log") {
        number(rest).map(Named::Segment)
    } else if let Some(rest) = name.strip_suffix(".done") {
        number(rest).map(Named::Done)
    } else if let Some(rest) = name.strip_prefix("spare-") {
        number(rest).map(Named::Spare)
    } else {
        None
    };
    parsed.unwrap_or(Named::Other)
}
