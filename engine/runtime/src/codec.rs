//! Bytes of log records and stored rows: one version byte, then postcard; rows of orders have more to them (`order_row`).
//!
//! A log group's payload is a run of records, each complete in itself, so that a group needs no index.

mod encoder;
mod order_row;

use serde::Serialize;
use serde::de::DeserializeOwned;
use suanpan_model::{Lsn, Record};

pub(crate) use encoder::Encoder;
pub use order_row::{add_step, begin_order_row, decode_order_row, order_row, step_of, write_order_row};

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
    /// Of an order, with steps that do not follow from each other.
    #[error("the row tells of what cannot happen to an order")]
    Impossible,
}

/// Appends `value` to `bytes`.
///
/// # Panics
/// Never: encoding into memory has no way to fail for these types.
fn append<T: Serialize>(value: &T, bytes: &mut Vec<u8>) {
    let mut encoder = Encoder::onto(std::mem::take(bytes));
    value.serialize(&mut encoder).expect("rows and records can always be encoded");
    *bytes = encoder.into_bytes();
}

/// Appends a record to a group's payload.
pub fn encode_record(record: &Record, payload: &mut Vec<u8>) {
    append(record, payload);
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
#[must_use]
pub fn encode_row<T: Serialize>(row: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    append_row(row, &mut bytes);
    bytes
}

/// Appends a row of the store to others.
pub fn append_row<T: Serialize>(row: &T, bytes: &mut Vec<u8>) {
    bytes.push(ROW_VERSION);
    append(row, bytes);
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

/// Writes a marked row into `buffer`: the log position up to which it is complete, then the row.
pub fn write_marked_row<T: Serialize>(row: &T, applied: Lsn, buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.extend_from_slice(&applied.0.to_le_bytes());
    buffer.push(ROW_VERSION);
    append(row, buffer);
}

/// Fills in the position of a marked row.
pub fn mark_row(bytes: &mut [u8], applied: Lsn) {
    if let Some(mark) = bytes.first_chunk_mut::<8>() {
        *mark = applied.0.to_le_bytes();
    }
}

/// Up to which log position a marked row is complete.
#[must_use]
pub fn row_mark(bytes: &[u8]) -> Option<Lsn> {
    bytes.first_chunk::<8>().map(|mark| Lsn(u64::from_le_bytes(*mark)))
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

/// Takes a number that [`Encoder::number`] or [`Encoder::long_number`] wrote off the front.
///
/// # Errors
/// When the bytes end too early or the number is too long.
pub fn take_varint(bytes: &mut &[u8]) -> Result<u128, CodecFault> {
    let mut number = 0_u128;
    for ((place, byte), shift) in bytes.iter().enumerate().zip((0_u32..).step_by(7)).take(19) {
        number |= u128::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            *bytes = &bytes[place + 1..];
            return Ok(number);
        }
    }
    Err(CodecFault::Postcard(postcard::Error::DeserializeUnexpectedEnd))
}

/// A signed number as an unsigned one that is small when the number is near zero.
#[must_use]
pub const fn zigzag(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)).cast_unsigned()
}

/// The number that [`zigzag`] made unsigned.
#[must_use]
pub const fn unzigzag(number: u128) -> i128 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_read_back(number: i128, small in 0_u64..300) {
            let mut encoder = Encoder::with_room(Vec::new(), 0);
            encoder.long_number(zigzag(number));
            encoder.number(small);
            let bytes = encoder.into_bytes();
            let mut rest = bytes.as_slice();
            prop_assert_eq!(take_varint(&mut rest).map(unzigzag).ok(), Some(number));
            prop_assert_eq!(take_varint(&mut rest).ok(), Some(u128::from(small)));
            prop_assert!(rest.is_empty());
            for cut in 0..bytes.len() - 1 {
                let mut rest = &bytes[..cut];
                let first = take_varint(&mut rest);
                prop_assert!(first.is_err() || take_varint(&mut rest).is_err());
            }
        }
    }
}
