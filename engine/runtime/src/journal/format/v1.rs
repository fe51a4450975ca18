//! Version 1 of the segment format. All numbers are little endian.
//!
//! ```text
//! segment header, 64 bytes             group frame, 8-byte aligned
//!  0  magic "SUANPANJ"                  0  u32 crc32c of what follows, padding included
//!  8  u16 version = 1                   4  u32 payload length in bytes
//! 10  u16 zero                          8  u64 first lsn
//! 12  u32 crc32c of all other bytes    16  u32 records
//! 16  u64 journal id                   20  u32 zero
//! 24  u64 segment number               24  u64 segment number
//! 32  u64 first lsn                    32  payload, then zeros up to a multiple of 8
//! 40  zeros
//! ```
//!
//! The checksum of a frame starts from the checksum of journal id and segment number: a frame left behind by the
//! former use of a recycled file, by another journal, or made up inside a payload does not pass for a live one.

use super::{MAGIC, SegmentHeader};

/// Length of the segment header in bytes; the first frame follows.
pub(in super::super) const SEGMENT_HEADER_BYTES: u64 = 64;
/// Length of a frame's header in bytes.
pub(in super::super) const FRAME_HEADER_BYTES: usize = 32;
/// Largest payload of a frame in bytes.
pub(in super::super) const MAX_PAYLOAD_BYTES: u64 = 1 << 30;

/// Writes a segment header.
pub(in super::super) fn encode_segment_header(header: &SegmentHeader) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[0..8].copy_from_slice(MAGIC);
    bytes[8..10].copy_from_slice(&1_u16.to_le_bytes());
    bytes[16..24].copy_from_slice(&header.journal_id.to_le_bytes());
    bytes[24..32].copy_from_slice(&header.segment.to_le_bytes());
    bytes[32..40].copy_from_slice(&header.first_lsn.to_le_bytes());
    let crc = segment_header_crc(&bytes);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Reads a segment header; the answer to a broken one is what is wrong with it.
pub(super) fn decode_segment_header(bytes: &[u8]) -> Result<SegmentHeader, &'static str> {
    let Some(bytes) = bytes.first_chunk::<64>() else { return Err("the file is too short") };
    if u32_at(bytes, 12) != segment_header_crc(bytes) {
        return Err("its checksum is wrong");
    }
    Ok(SegmentHeader {
        version: 1,
        journal_id: u64_at(bytes, 16),
        segment: u64_at(bytes, 24),
        first_lsn: u64_at(bytes, 32),
    })
}

fn segment_header_crc(bytes: &[u8; 64]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

/// What a live frame of one segment of one journal must carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct FrameKey {
    segment: u64,
    seed: u32,
}

impl FrameKey {
    pub(in super::super) fn new(journal_id: u64, segment: u64) -> Self {
        let seed = crc32c::crc32c_append(crc32c::crc32c(&journal_id.to_le_bytes()), &segment.to_le_bytes());
        Self { segment, seed }
    }

    /// Whether all bytes of a frame are as they were written for this segment.
    pub(in super::super) fn verify(self, frame: &[u8]) -> bool {
        let header = FrameHeader::read(frame);
        header.may_be_live(self) && header.crc == crc32c::crc32c_append(self.seed, &frame[4..])
    }
}

/// The header of a frame as read, not yet believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct FrameHeader {
    crc: u32,
    pub payload_bytes: u32,
    pub first_lsn: u64,
    pub records: u32,
    zero: u32,
    segment: u64,
}

impl FrameHeader {
    /// Reads the header from the first 32 bytes.
    pub(in super::super) fn read(bytes: &[u8]) -> Self {
        Self {
            crc: u32_at(bytes, 0),
            payload_bytes: u32_at(bytes, 4),
            first_lsn: u64_at(bytes, 8),
            records: u32_at(bytes, 16),
            zero: u32_at(bytes, 20),
            segment: u64_at(bytes, 24),
        }
    }

    /// Whether a frame with this header can be a live one; cheap, before the checksum is computed.
    pub(in super::super) fn may_be_live(&self, key: FrameKey) -> bool {
        self.segment == key.segment
            && self.records > 0
            && self.zero == 0
            && u64::from(self.payload_bytes) <= MAX_PAYLOAD_BYTES
    }

    /// Whether this was begun as the frame of record `expected`, although it is broken: one of the two
    /// numbers is right. Zeros and the bytes of a former use have neither.
    pub(in super::super) fn looks_begun(&self, key: FrameKey, expected: u64) -> bool {
        self.segment == key.segment || self.first_lsn == expected
    }

    /// Length of the whole frame in bytes.
    pub(in super::super) fn frame_bytes(&self) -> u64 {
        frame_bytes(u64::from(self.payload_bytes))
    }
}

/// Length in bytes of the frame of a payload.
pub(in super::super) fn frame_bytes(payload_bytes: u64) -> u64 {
    (FRAME_HEADER_BYTES as u64 + payload_bytes).next_multiple_of(8)
}

/// Writes a frame into `buf`, in place of what it held. `payload` is at most [`MAX_PAYLOAD_BYTES`] long.
pub(in super::super) fn encode_frame(
    buf: &mut Vec<u8>,
    key: FrameKey,
    first_lsn: u64,
    records: u32,
    payload: &[u8],
) {
    let payload_bytes = u32::try_from(payload.len()).expect("the journal has checked the size of the group");
    buf.clear();
    buf.extend_from_slice(&[0; 4]);
    buf.extend_from_slice(&payload_bytes.to_le_bytes());
    buf.extend_from_slice(&first_lsn.to_le_bytes());
    buf.extend_from_slice(&records.to_le_bytes());
    buf.extend_from_slice(&[0; 4]);
    buf.extend_from_slice(&key.segment.to_le_bytes());
    buf.extend_from_slice(payload);
    buf.resize(buf.len().next_multiple_of(8), 0);
    let crc = crc32c::crc32c_append(key.seed, &buf[4..]);
    buf[..4].copy_from_slice(&crc.to_le_bytes());
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}
