//! One record of a book file and its bytes.

use suanpan_model::channel::FailureKind;
use suanpan_model::{Amount, AttemptNo, Currency, OrderId, PayKind, TimestampMs};

use super::RECORD_LEN;
use crate::behaviour::FAILURE_KINDS;
use crate::book::{BookLine, LineStatus, PaymentKey, RefundLine, RefundStatus};

/// One change of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookRecord {
    /// A payment's line as it is from now on. What it says was refunded is not read back: refunds have records.
    Line(PaymentKey, BookLine),
    /// A refund as it is from now on, by its number under the payment.
    Refund(PaymentKey, u8, RefundLine),
}

const TYPE_LINE: u8 = 1;
const TYPE_REFUND: u8 = 2;
const FLAG_NOTICED: u8 = 1;
const KINDS: [PayKind; 3] = [PayKind::Gateway, PayKind::QuickPay, PayKind::Balance];

impl BookRecord {
    /// Its bytes.
    pub fn encode(&self) -> [u8; RECORD_LEN] {
        let mut bytes = [0; RECORD_LEN];
        let (kind, key, numbers) = match self {
            Self::Line(key, line) => {
                let (status, failure) = status_code(line.status);
                bytes[3] = status;
                bytes[4] = failure;
                bytes[5] = line.currency as u8;
                bytes[6] = line.kind as u8;
                bytes[7] = if line.noticed { FLAG_NOTICED } else { 0 };
                (TYPE_LINE, key, [line.amount.minor(), line.fee.minor(), line.changed_at.0, line.due.0])
            }
            Self::Refund(key, refund, line) => {
                bytes[2] = *refund;
                bytes[3] = refund_code(line.status);
                bytes[4] = line.tries;
                (TYPE_REFUND, key, [line.amount.minor(), 0, 0, line.due.0])
            }
        };
        bytes[0] = kind;
        bytes[1] = key.attempt.0;
        bytes[8..16].copy_from_slice(&key.order.0.to_le_bytes());
        for (at, number) in numbers.into_iter().enumerate() {
            bytes[16 + 8 * at..24 + 8 * at].copy_from_slice(&number.to_le_bytes());
        }
        let checksum = crc32c::crc32c(&bytes[..RECORD_LEN - 4]);
        bytes[RECORD_LEN - 4..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads what [`BookRecord::encode`] wrote; nothing else.
    pub fn decode(bytes: &[u8; RECORD_LEN]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        let key = PaymentKey { order: OrderId(number(8)), attempt: AttemptNo(bytes[1]) };
        let amount = Amount::from_minor(number(16));
        match bytes[0] {
            TYPE_LINE => {
                let line = BookLine {
                    amount,
                    refunded: Amount::ZERO,
                    fee: Amount::from_minor(number(24)),
                    changed_at: TimestampMs(number(32)),
                    due: TimestampMs(number(40)),
                    status: status_of(bytes[3], bytes[4])?,
                    currency: Currency::from_index(bytes[5])?,
                    kind: *KINDS.get(usize::from(bytes[6]))?,
                    noticed: bytes[7] & FLAG_NOTICED != 0,
                    asked: 0,
                };
                Some(Self::Line(key, line))
            }
            TYPE_REFUND => {
                let (status, due) = (refund_status_of(bytes[3])?, TimestampMs(number(40)));
                Some(Self::Refund(key, bytes[2], RefundLine { amount, status, tries: bytes[4], due }))
            }
            _ => None,
        }
    }
}

const fn status_code(status: LineStatus) -> (u8, u8) {
    match status {
        LineStatus::Processing => (1, 0),
        LineStatus::Waiting => (2, 0),
        LineStatus::WaitingSms => (3, 0),
        LineStatus::Paid => (4, 0),
        LineStatus::Failed(kind) => (5, failure_code(kind)),
        LineStatus::Closed => (6, 0),
    }
}

const fn refund_code(status: RefundStatus) -> u8 {
    match status {
        RefundStatus::Made => 1,
        RefundStatus::Refused => 2,
        RefundStatus::Stuck => 3,
        RefundStatus::Bounced => 4,
    }
}

const fn refund_status_of(status: u8) -> Option<RefundStatus> {
    Some(match status {
        1 => RefundStatus::Made,
        2 => RefundStatus::Refused,
        3 => RefundStatus::Stuck,
        4 => RefundStatus::Bounced,
        _ => return None,
    })
}

/// A failure's code on disk: its place in [`FAILURE_KINDS`].
const fn failure_code(kind: FailureKind) -> u8 {
    match kind {
        FailureKind::Payer => 0,
        FailureKind::Declined => 1,
        FailureKind::Risk => 2,
        FailureKind::Limit => 3,
        FailureKind::Channel => 4,
        FailureKind::Request => 5,
    }
}

fn status_of(status: u8, failure: u8) -> Option<LineStatus> {
    Some(match status {
        1 => LineStatus::Processing,
        2 => LineStatus::Waiting,
        3 => LineStatus::WaitingSms,
        4 => LineStatus::Paid,
        5 => LineStatus::Failed(*FAILURE_KINDS.get(usize::from(failure))?),
        6 => LineStatus::Closed,
        _ => return None,
    })
}
