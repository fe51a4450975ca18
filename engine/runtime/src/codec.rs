//! Bytes of log records and stored rows: one version byte, then postcard.
//!
//! A log group's payload is a run of records, each complete in itself, so that a group needs no index.

use serde::Serialize;
use serde::de::DeserializeOwned;
use suanpan_model::{Lsn, Record};

/// Version of rows in the store. Rows of older versions are decoded by their own code, kept for good.
const ROW_VERSION: u8 = 1;

/// Bytes that are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum CodecFault {
    /// Written by a newer program.
    #[error("the row has format {0}, which this program does not know; use the program that wrote it")]
    NewerRow(u8),
    /// Cut short, or damaged.
    #[error("bytes cannot be decoded: {0}")]
    Postcard(#[from] postcard::Error),
}

/// Appends a record to a group's payload.
///
/// # Panics
/// Never: encoding into memory has no way to fail for these types.
pub fn encode_record(record: &Record, payload: &mut Vec<u8>) {
    let appended = postcard::to_extend(record, std::mem::take(payload));
    *payload = appended.expect("a record can always be encoded");
}

/// Hands each record of a group's payload to `visit`, in order.
///
/// # Errors
/// When the bytes are not records.
pub fn decode_records(mut payload: &[u8], mut visit: impl FnMut(Record)) -> Result<(), CodecFault> {
    while !payload.is_empty() {
        let (record, rest) = postcard::take_from_bytes(payload)?;
        payload = rest;
        visit(record);
    }
    Ok(())
}

/// A row of the store.
///
/// # Panics
/// Never: encoding into memory has no way to fail for these types.
#[must_use]
pub fn encode_row<T: Serialize>(row: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    bytes.push(ROW_VERSION);
    postcard::to_extend(row, bytes).expect("a row can always be encoded")
}

/// Reads a row of the store.
///
/// # Errors
/// When the row is of a newer format or damaged.
pub fn decode_row<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecFault> {
    match bytes.split_first() {
        Some((&ROW_VERSION, rest)) => Ok(postcard::from_bytes(rest)?),
        Some((version, _)) => Err(CodecFault::NewerRow(*version)),
        None => Err(CodecFault::Postcard(postcard::Error::DeserializeUnexpectedEnd)),
    }
}

/// A row of the checkpoint: the log position up to which it is complete, filled in later, and the row.
#[must_use]
pub fn marked_row<T: Serialize>(row: &T) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    bytes.append(&mut encode_row(row));
    bytes
}

/// Fills in the position of a marked row.
pub fn mark_row(bytes: &mut [u8], applied: Lsn) {
    if let Some(mark) = bytes.first_chunk_mut::<8>() {
        *mark = applied.0.to_le_bytes();
    }
}

/// Reads a marked row.
///
/// # Errors
/// When the row is of a newer format or damaged.
pub fn decode_marked_row<T: DeserializeOwned>(bytes: &[u8]) -> Result<(Lsn, T), CodecFault> {
    let cut = CodecFault::Postcard(postcard::Error::DeserializeUnexpectedEnd);
    let (mark, row) = bytes.split_first_chunk::<8>().ok_or(cut)?;
    Ok((Lsn(u64::from_le_bytes(*mark)), decode_row(row)?))
}
