//! Rows of orders: how an order stood once, or only its number, and then what has happened to it since.
//!
//! What happens to an order is encoded once, for the log; the row of an order that waits for its payer takes the same bytes
//! over, so that it is packed, and captured for a checkpoint, by copying what is there already. Whoever wants the order folds
//! the row, as a recovery folds the log.

use std::panic::{AssertUnwindSafe, catch_unwind};

use suanpan_core::order::{Events, apply, born};
use suanpan_model::{Lsn, Order, OrderId, TimestampMs};

use super::{CodecFault, Encoder, ROW_VERSION, write_marked_row};

/// Version of rows that are the order as it stood: the form of every row, see [`write_marked_row`]. All were of it, before rows took
/// steps over.
const STOOD: u8 = 1;
const _: () = assert!(STOOD == ROW_VERSION, "rows of orders as they stand are written like other rows");

/// Version of rows that begin with the order's number: the first step is its creation.
const BORN: u8 = 2;

/// Version of rows that begin with the order as it stood once. A program that does not know of steps must not take it for
/// how the order stands.
const STOOD_ONCE: u8 = 3;

/// Where the version stands: behind the mark.
const VERSION_AT: usize = 8;

/// Room in which a number is written, two words: where there is less, the encoder makes more.
const NUMBER_ROOM: usize = 16;

/// Room for what an order hears while it waits for its payer, so that its row seldom grows twice.
const ROOM_TO_WAIT: usize = 96;

/// Writes the row of an order as it stands into `buffer`, complete up to `applied`.
pub fn write_order_row(order: &Order, applied: Lsn, buffer: &mut Vec<u8>) {
    write_marked_row(order, applied, buffer);
}

/// The row of an order as it stands; its mark is filled in by [`mark_row`](super::mark_row).
#[must_use]
pub fn order_row(order: &Order) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    write_order_row(order, Lsn(0), &mut bytes);
    bytes
}

/// The row of an order that is created in `step`.
#[must_use]
pub fn begin_order_row(id: OrderId, step: &[u8]) -> Vec<u8> {
    // The mark, the version, the number.
    let mut bytes = Vec::with_capacity(8 + 1 + NUMBER_ROOM + step.len() + ROOM_TO_WAIT);
    bytes.extend_from_slice(&[0; 8]);
    bytes.push(BORN);
    let mut encoder = Encoder::with_room(bytes, NUMBER_ROOM);
    encoder.number(id.0);
    let mut bytes = encoder.into_bytes();
    bytes.extend_from_slice(step);
    bytes
}

/// What a record says of its order, without the order's number: what the order's row takes over. Nothing where it is not
/// about an order.
#[must_use]
pub fn step_of(record: &[u8]) -> &[u8] {
    let Some((0, number)) = record.split_first().map(|(kind, rest)| (*kind, rest)) else { return &[] };
    let last = number.iter().position(|byte| byte & 0x80 == 0);
    last.and_then(|last| number.get(last + 1..)).unwrap_or_default()
}

/// Adds what happened since to an order's row.
pub fn add_step(row: &mut Vec<u8>, step: &[u8]) {
    if let Some(version) = row.get_mut(VERSION_AT)
        && *version == STOOD
    {
        *version = STOOD_ONCE;
    }
    row.reserve_exact(step.len());
    row.extend_from_slice(step);
}

/// Reads the row of an order.
///
/// # Errors
/// When the row is of a newer format, damaged, or tells of what cannot happen.
pub fn decode_order_row(bytes: &[u8]) -> Result<(Lsn, Order), CodecFault> {
    let cut = || CodecFault::Postcard(postcard::Error::DeserializeUnexpectedEnd);
    let (mark, row) = bytes.split_first_chunk::<8>().ok_or_else(cut)?;
    let (version, rest) = row.split_first().ok_or_else(cut)?;
    let (stood, id, steps) = match *version {
        STOOD | STOOD_ONCE => {
            let (order, steps) = postcard::take_from_bytes::<Order>(rest)?;
            (Some(order), OrderId(0), steps)
        }
        BORN => {
            let (id, steps) = postcard::take_from_bytes::<OrderId>(rest)?;
            (None, id, steps)
        }
        newer => return Err(CodecFault::NewerRow(newer)),
    };
    // Folding what fits no order is a bug and panics; here it may as well be damage.
    let folded = catch_unwind(AssertUnwindSafe(|| fold(stood, id, steps)));
    let order = folded.unwrap_or(Err(CodecFault::Impossible))?.ok_or_else(cut)?;
    Ok((Lsn(u64::from_le_bytes(*mark)), order))
}

fn fold(mut order: Option<Order>, id: OrderId, mut steps: &[u8]) -> Result<Option<Order>, CodecFault> {
    while !steps.is_empty() {
        let ((at, events), rest) = postcard::take_from_bytes::<(TimestampMs, Events)>(steps)?;
        steps = rest;
        for event in &events {
            match &mut order {
                None => order = Some(born(id, at, event)),
                Some(order) => apply(order, at, event),
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use smallvec::{SmallVec, smallvec};
    use suanpan_model::order::CloseReason;
    use suanpan_model::policy::Agreement;
    use suanpan_model::{OrderEvent, Record};

    use super::*;
    use crate::codec::{decode_row, encode_record, mark_row};
    use crate::order_shard::any_order;

    const AT: TimestampMs = TimestampMs(1_700_000_000_000);

    fn step(events: SmallVec<[OrderEvent; 2]>) -> Vec<u8> {
        let mut record = b"another record".to_vec();
        let from = record.len();
        encode_record(&Record::Order { order: OrderId(u64::MAX), at: AT, events }, &mut record);
        step_of(&record[from..]).to_vec()
    }

    fn creation(order: &Order) -> OrderEvent {
        OrderEvent::Created {
            terms: order.terms.clone(),
            holds: smallvec![],
            agreement: Agreement::default(),
        }
    }

    fn closing() -> OrderEvent {
        OrderEvent::Closed { reason: CloseReason::Expired, voided: smallvec![] }
    }

    #[test]
    fn a_row_takes_over_what_happened_since_it_was_made_or_since_the_creation() {
        for number in [1, 300, u64::MAX >> 8] {
            let mut order = any_order(number);
            let mut stood = order_row(&order);
            let mut born = begin_order_row(order.id, &step(smallvec![creation(&order)]));
            order.steps[0].at = AT;
            apply(&mut order, AT, &closing());
            add_step(&mut born, &step(smallvec![closing()]));
            add_step(&mut stood, &step(smallvec![closing()]));
            mark_row(&mut born, Lsn(77));
            assert_eq!(decode_order_row(&born).unwrap(), (Lsn(77), order.clone()));
            assert!(
                decode_row::<Order>(&stood[VERSION_AT..]).is_err(),
                "an older program would take it for current"
            );
            let (mark, mut read) = decode_order_row(&stood).unwrap();
            read.steps[0].at = AT;
            assert_eq!((mark, read), (Lsn(0), order));
        }
    }

    #[test]
    fn a_row_of_what_cannot_happen_is_refused() {
        let order = any_order(3);
        let twice = begin_order_row(order.id, &step(smallvec![creation(&order), creation(&order)]));
        let mut after_the_end = order_row(&order);
        (0..2).for_each(|_| add_step(&mut after_the_end, &step(smallvec![closing()])));
        let unborn = begin_order_row(order.id, &step(smallvec![closing()]));
        for row in [twice, after_the_end, unborn] {
            assert!(matches!(decode_order_row(&row), Err(CodecFault::Impossible)), "{row:?}");
        }
        let newer = [0, 0, 0, 0, 0, 0, 0, 0, STOOD_ONCE + 1];
        assert!(matches!(decode_order_row(&newer), Err(CodecFault::NewerRow(4))));
    }

    #[test]
    fn a_row_that_is_cut_within_a_step_is_refused() {
        let order = any_order(3);
        let (first, second) = (step(smallvec![creation(&order)]), step(smallvec![closing()]));
        let mut row = begin_order_row(order.id, &first);
        let begun = row.len();
        add_step(&mut row, &second);
        for cut in 0..row.len() {
            assert_eq!(decode_order_row(&row[..cut]).is_ok(), cut == begun, "cut at {cut} of {}", row.len());
        }
    }
}
