//! A simulated channel's book on disk: an append-only file of fixed-size records, one per change.
//!
//! It stands for the outside world, which goes on when the engine is killed. A record is handed to the operating system
//! before anybody hears of the change, which survives the end of the process; it is not synced, because a crash of the
//! machine takes the simulated outside world along.
//!
//! ```text
//! header, 24 bytes: "SPBOOK\0" version:u8  seed:u64  channel:u16 zero:[u8;2] crc32c:u32
//! record, 56 bytes: type:u8 attempt:u8 refund:u8 status:u8 failure_or_tries:u8 currency:u8 kind:u8 flags:u8
//!                   order:u64 amount:u64 fee:u64 changed_at:u64 due:u64 zero:[u8;4] crc32c:u32
//! ```
//! All numbers are little-endian; the checksum covers what stands before it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use suanpan_model::ChannelId;

mod record;

pub use record::BookRecord;

/// Length of the header in bytes.
pub const HEADER_LEN: usize = 24;
/// Length of a record in bytes.
pub const RECORD_LEN: usize = 56;
const MAGIC: &[u8; 7] = b"SPBOOK\0";
const VERSION: u8 = 2;

/// What is wrong with a book file.
#[derive(Debug, thiserror::Error)]
#[error("book file {}: {kind}", path.display())]
pub struct BookFileFault {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub kind: BookFileFaultKind,
}

/// Kinds of trouble with a book file.
#[derive(Debug, thiserror::Error)]
pub enum BookFileFaultKind {
    /// The operating system says no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not a book, or one of a later version.
    #[error("not a book file of version {VERSION}")]
    NotABook,
    /// The book of another channel or of a run with another seed.
    #[error("kept for channel {channel} with seed {seed}")]
    Foreign {
        /// Its channel.
        channel: ChannelId,
        /// Its seed.
        seed: u64,
    },
    /// A record that is not the last cannot be read.
    #[error("record {index} is damaged")]
    Damaged {
        /// Which one, from 0.
        index: usize,
    },
}

/// The file, opened for appending.
#[derive(Debug)]
pub struct BookFile {
    file: File,
    path: PathBuf,
    pending: Vec<u8>,
}

impl BookFile {
    /// Opens or creates the book of `channel` in a run with `seed`, and reads its records. A torn or damaged *last*
    /// record is dropped from the file: it was being written when the process ended, so nobody has heard of it.
    ///
    /// # Errors
    /// Trouble with the file, a file that is no book, a book of another channel or seed, a damaged record before the
    /// last.
    pub fn open(
        path: &Path,
        channel: ChannelId,
        seed: u64,
    ) -> Result<(Self, Vec<BookRecord>), BookFileFault> {
        Self::read(path, channel, seed).map_err(|kind| BookFileFault { path: path.to_owned(), kind })
    }

    fn read(
        path: &Path,
        channel: ChannelId,
        seed: u64,
    ) -> Result<(Self, Vec<BookRecord>), BookFileFaultKind> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let header = header(channel, seed);
        if bytes.len() < HEADER_LEN && header.starts_with(&bytes) {
            file.set_len(0)?;
            file.write_all(&header)?;
            return Ok((Self { file, path: path.to_owned(), pending: Vec::new() }, Vec::new()));
        }
        check_header(&bytes, &header)?;
        let (whole, torn) = bytes[HEADER_LEN..].as_chunks::<RECORD_LEN>();
        let mut records = Vec::with_capacity(whole.len());
        let mut damaged = false;
        for (index, chunk) in whole.iter().enumerate() {
            match BookRecord::decode(chunk) {
                Some(record) => records.push(record),
                None if index + 1 == whole.len() && torn.is_empty() => damaged = true,
                None => return Err(BookFileFaultKind::Damaged { index }),
            }
        }
        if damaged || !torn.is_empty() {
            file.set_len((HEADER_LEN + records.len() * RECORD_LEN) as u64)?;
        }
        Ok((Self { file, path: path.to_owned(), pending: Vec::new() }, records))
    }

    /// Adds a record to what the next flush writes.
    pub(crate) fn append(&mut self, record: &BookRecord) {
        self.pending.extend_from_slice(&record.encode());
    }

    /// Hands everything added to the operating system.
    pub(crate) fn flush(&mut self) -> Result<(), BookFileFault> {
        let written = self.file.write_all(&self.pending);
        self.pending.clear();
        written.map_err(|error| BookFileFault { path: self.path.clone(), kind: error.into() })
    }
}

fn header(channel: ChannelId, seed: u64) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..7].copy_from_slice(MAGIC);
    header[7] = VERSION;
    header[8..16].copy_from_slice(&seed.to_le_bytes());
    header[16..18].copy_from_slice(&channel.0.to_le_bytes());
    let checksum = crc32c::crc32c(&header[..HEADER_LEN - 4]);
    header[HEADER_LEN - 4..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Accepts a file that begins with exactly the header it should have.
fn check_header(bytes: &[u8], expected: &[u8; HEADER_LEN]) -> Result<(), BookFileFaultKind> {
    let Some(found) = bytes.first_chunk::<HEADER_LEN>() else {
        return Err(BookFileFaultKind::NotABook);
    };
    if found == expected {
        return Ok(());
    }
    let seed = u64::from_le_bytes(std::array::from_fn(|at| found[8 + at]));
    let channel = ChannelId(u16::from_le_bytes([found[16], found[17]]));
    if *found == header(channel, seed) {
        Err(BookFileFaultKind::Foreign { channel, seed })
    } else {
        Err(BookFileFaultKind::NotABook)
    }
}
