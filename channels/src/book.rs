//! A simulated channel's own book: what it believes of each payment and refund, and the sums.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use suanpan_model::channel::FailureKind;
use suanpan_model::{Amount, AttemptNo, Currency, OrderId, PayKind, TimestampMs};

use crate::adapter::{BookTotals, CurrencyTotals};
use crate::book_file::{BookFile, BookFileFault, BookRecord};

/// How many finished lines a book keeps that is told not to keep them all.
pub const FINISHED_LINES: usize = 262_144;

/// Under which a channel knows a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentKey {
    pub order: OrderId,
    pub attempt: AttemptNo,
}

/// Where a payment stands in the channel's book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineStatus {
    /// The bank works on it.
    Processing,
    /// The payer was sent to the channel's page.
    Waiting,
    /// The payer was sent a code.
    WaitingSms,
    /// Paid.
    Paid,
    /// Refused for good.
    Failed(FailureKind),
    /// Closed unpaid.
    Closed,
}

impl LineStatus {
    /// Whether nothing more is expected to happen.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Paid | Self::Failed(_) | Self::Closed)
    }
}

/// One payment in the channel's book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookLine {
    /// What was asked for and, if so, paid, in minor units.
    pub amount: Amount,
    /// What was given back of it, in minor units.
    pub refunded: Amount,
    /// The channel's fee by its tariff, in minor units; owed once it is paid.
    pub fee: Amount,
    /// When it came to its present status.
    pub changed_at: TimestampMs,
    /// When the bank or the payer acts next; [`TimestampMs::NEVER`] when nobody will.
    pub due: TimestampMs,
    /// Where it stands.
    pub status: LineStatus,
    /// Currency of the amounts.
    pub currency: Currency,
    /// Kind of payment.
    pub kind: PayKind,
    /// Whether a notification of the payment has left.
    pub noticed: bool,
    /// How often the channel was asked about it (modulo 256); not kept on disk.
    pub(crate) asked: u8,
}

// A load run keeps millions of them.
const _: () = assert!(size_of::<BookLine>() <= 48);

/// Where a refund stands in the channel's book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundStatus {
    /// The payer has the money.
    Made,
    /// Refused for good.
    Refused,
    /// The channel cannot finish it by itself (退款异常); no money moved. Sent again it may go well.
    Stuck,
    /// It was made and the money came back (退票).
    Bounced,
}

/// One refund in the channel's book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefundLine {
    /// How much, in minor units.
    pub amount: Amount,
    /// Where it stands.
    pub status: RefundStatus,
    /// How often it was sent to the payer's bank, or refused before that.
    pub tries: u8,
    /// When it comes back; [`TimestampMs::NEVER`] when it stays as it is.
    pub due: TimestampMs,
}

impl RefundLine {
    /// Whether it stays as it is, whatever is called.
    const fn is_final(&self) -> bool {
        match self.status {
            RefundStatus::Made => self.due.0 == TimestampMs::NEVER.0,
            RefundStatus::Refused | RefundStatus::Bounced => true,
            RefundStatus::Stuck => false,
        }
    }

    const fn is_made(&self) -> bool {
        matches!(self.status, RefundStatus::Made)
    }
}

/// The book.
#[derive(Debug)]
pub struct Book {
    lines: FxHashMap<PaymentKey, BookLine>,
    refunds: FxHashMap<(PaymentKey, u8), RefundLine>,
    totals: [CurrencyTotals; Currency::ALL.len()],
    /// Day in Beijing and what was paid on it, for the daily quota.
    today: (u32, u64),
    keep_lines: bool,
    finished: VecDeque<PaymentKey>,
    finished_refunds: VecDeque<(PaymentKey, u8)>,
    file: Option<BookFile>,
}

impl Book {
    /// An empty book in memory.
    pub fn new(keep_lines: bool) -> Self {
        Self {
            lines: FxHashMap::default(),
            refunds: FxHashMap::default(),
            totals: Default::default(),
            today: (0, 0),
            keep_lines,
            finished: VecDeque::new(),
            finished_refunds: VecDeque::new(),
            file: None,
        }
    }

    /// The book that `records` tell, to be continued in `file`.
    pub fn restore(keep_lines: bool, file: BookFile, records: Vec<BookRecord>) -> Self {
        let mut book = Self::new(keep_lines);
        for record in records {
            match record {
                BookRecord::Line(key, line) => {
                    let refunded = book.line(key).map_or(line.refunded, |known| known.refunded);
                    book.put(key, BookLine { refunded, ..line });
                }
                BookRecord::Refund(key, refund, line) => book.put_refund(key, refund, line),
            }
        }
        book.file = Some(file);
        book
    }

    pub fn line(&self, key: PaymentKey) -> Option<&BookLine> {
        self.lines.get(&key)
    }

    pub fn lines(&self) -> impl Iterator<Item = (PaymentKey, &BookLine)> {
        self.lines.iter().map(|(key, line)| (*key, line))
    }

    pub fn refund(&self, key: PaymentKey, refund: u8) -> Option<RefundLine> {
        self.refunds.get(&(key, refund)).copied()
    }

    /// What was paid on a day in Beijing, in minor units; known for the latest day only.
    pub fn paid_on(&self, day: u32) -> u64 {
        if self.today.0 == day { self.today.1 } else { 0 }
    }

    pub fn refunds(&self) -> impl Iterator<Item = (PaymentKey, u8, &RefundLine)> {
        self.refunds.iter().map(|((key, refund), line)| (*key, *refund, line))
    }

    /// Counts a question about a payment; from 0.
    pub fn ask(&mut self, key: PaymentKey) -> u8 {
        self.lines.get_mut(&key).map_or(0, |line| {
            line.asked = line.asked.wrapping_add(1);
            line.asked
        })
    }

    /// Writes a new line or a new status of one.
    pub fn put(&mut self, key: PaymentKey, line: BookLine) {
        let before = self.lines.insert(key, line).map(|old| old.status);
        if line.status == LineStatus::Paid && before != Some(LineStatus::Paid) {
            let sums = &mut self.totals[line.currency as usize];
            sums.payments += 1;
            sums.paid += line.amount.signed();
            sums.fees += line.fee.signed();
            let day = line.changed_at.beijing_day();
            if self.today.0 != day {
                self.today = (day, 0);
            }
            self.today.1 = self.today.1.saturating_add(line.amount.minor());
        }
        if let Some(file) = &mut self.file {
            file.append(&BookRecord::Line(key, line));
        }
        if !self.keep_lines && line.status.is_final() && !before.is_some_and(LineStatus::is_final) {
            self.finished.push_back(key);
            if self.finished.len() > FINISHED_LINES {
                self.finished.pop_front().map(|oldest| self.lines.remove(&oldest));
            }
        }
    }

    /// Writes a refund, and into the payment's line what it gives back or brings back.
    pub fn put_refund(&mut self, key: PaymentKey, refund: u8, line: RefundLine) {
        let before = self.refunds.insert((key, refund), line);
        let was_made = before.is_some_and(|before| before.is_made());
        if let Some(payment) = self.lines.get_mut(&key)
            && was_made != line.is_made()
        {
            let sums = &mut self.totals[payment.currency as usize];
            if line.is_made() {
                payment.refunded = payment.refunded.plus(line.amount);
                sums.refunds += 1;
                sums.refunded += line.amount.signed();
            } else {
                payment.refunded = payment.refunded.minus(line.amount);
                sums.refunds -= 1;
                sums.refunded -= line.amount.signed();
            }
        }
        if let Some(file) = &mut self.file {
            file.append(&BookRecord::Refund(key, refund, line));
        }
        if !self.keep_lines && line.is_final() && !before.is_some_and(|before| before.is_final()) {
            self.finished_refunds.push_back((key, refund));
            if self.finished_refunds.len() > FINISHED_LINES {
                self.finished_refunds.pop_front().map(|oldest| self.refunds.remove(&oldest));
            }
        }
    }

    /// Notes that a notification of a payment leaves; gives the payment's line.
    pub fn notice(&mut self, key: PaymentKey) -> Option<BookLine> {
        let line = self.lines.get_mut(&key)?;
        if !line.noticed {
            line.noticed = true;
            if let Some(file) = &mut self.file {
                file.append(&BookRecord::Line(key, *line));
            }
        }
        Some(*line)
    }

    /// Writes what changed since the last flush to the file, if there is one.
    pub fn flush(&mut self) -> Result<(), BookFileFault> {
        self.file.as_mut().map_or(Ok(()), BookFile::flush)
    }

    pub fn totals(&self) -> BookTotals {
        let moved = |sums: &CurrencyTotals| *sums != CurrencyTotals::default();
        let currencies = Currency::ALL.into_iter().zip(self.totals).filter(|(_, sums)| moved(sums)).collect();
        BookTotals { currencies }
    }
}
