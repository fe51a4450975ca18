//! The archive: finished orders, their platform order numbers, and statements of accounts.

use std::ops::{Bound, ControlFlow};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::backend::{Change, Space};
use super::order_index::OrderIndexKey;
use super::sorted::sort_unique;
use super::{Bytes, Store, StoreFault};

const META_ARCHIVED_UP_TO: &[u8] = b"archived_up_to";

/// What a sealed stretch of the log adds to the archive. The vectors need no order; of rows with
/// one key the last given counts.
#[derive(Debug, Clone, Default)]
pub struct ArchiveBatch {
    /// Order id and its encoded row.
    pub orders: Vec<(u64, Bytes)>,
    /// Fingerprint of the platform's order number, and the order id.
    pub keys: Vec<(u128, u64)>,
    /// Platform and order id, and what a list tells the order apart by.
    pub index: Vec<(OrderIndexKey, Bytes)>,
    /// Account and log position of the first posting in the chunk, and the packed postings. A log
    /// stretch cut a second time must be cut into the same chunks, or postings show twice.
    pub statements: Vec<((u64, u64), Vec<u8>)>,
    /// Log position up to which the archive is complete once this batch is in.
    pub watermark: u64,
}

/// Consecutive postings of one account, packed by the caller.
#[derive(Debug, Clone, PartialEq)]
pub struct StatementChunk {
    /// Log position of the first posting in the chunk.
    pub first_lsn: u64,
    /// The packed postings.
    pub postings: Bytes,
}

impl Store {
    /// Adds a batch; durable when it returns. Feeding a batch again changes nothing. If it fails or
    /// the process dies half-way, part of the batch may be visible but the watermark has not
    /// moved: feed it again.
    ///
    /// Meant for a thread of its own and for large batches (from some 10 000 orders): a call
    /// costs a fixed dozen or two of disk syncs. It waits while merging is far behind.
    ///
    /// # Errors
    ///
    /// [`StoreFault::DiskFull`], [`StoreFault::Poisoned`] after an earlier disk failure, else what
    /// the disk says. Nothing already durable is lost.
    pub fn ingest(&self, batch: ArchiveBatch) -> Result<(), StoreFault> {
        let fault = |e| self.fault("ingest into the archive", e);
        let _feeding = self.inner.feeding.lock().unwrap_or_else(PoisonError::into_inner);
        let to = &self.inner.tables;
        to.check_writable().map_err(fault)?;
        self.wait_for_merging();

        let ArchiveBatch { mut orders, mut keys, index, mut statements, watermark } = batch;
        sort_unique(&mut orders);
        sort_unique(&mut statements);
        sort_unique(&mut keys);
        // The key row comes last: whoever finds an order id by key finds the order.
        let mut rows = orders.into_iter().map(|(id, row)| -> Change { (id.to_be_bytes().into(), Some(row)) });
        to.ingest(Space::Orders, &mut rows).map_err(fault)?;
        self.index_orders(index)?;
        let mut rows = statements.into_iter().map(|((account, lsn), row)| -> Change {
            (statement_key(account, lsn).into(), Some(row.into()))
        });
        to.ingest(Space::Statements, &mut rows).map_err(fault)?;
        let mut rows = keys
            .into_iter()
            .map(|(key, id)| -> Change { (key.to_be_bytes().into(), Some(id.to_le_bytes().into())) });
        to.ingest(Space::Keys, &mut rows).map_err(fault)?;

        if watermark > self.archived_up_to()? {
            self.put_meta_durably(
                "write the archive's watermark",
                META_ARCHIVED_UP_TO,
                &watermark.to_le_bytes(),
            )?;
        }
        Ok(())
    }

    /// Log position up to which the archive is complete; 0 before the first batch. Never falls.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn archived_up_to(&self) -> Result<u64, StoreFault> {
        match self.meta_row("read the archive's watermark", META_ARCHIVED_UP_TO)? {
            Some(row) => Ok(u64::from_le_bytes(self.array("meta", &row)?)),
            None => Ok(0),
        }
    }

    /// The row of a finished order.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn order(&self, order_id: u64) -> Result<Option<Bytes>, StoreFault> {
        let row = self.inner.tables.get(Space::Orders, &order_id.to_be_bytes());
        row.map_err(|e| self.fault("read an order", e))
    }

    /// The order id behind the fingerprint of a platform's order number.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn order_id_by_key(&self, fingerprint: u128) -> Result<Option<u64>, StoreFault> {
        let row = self.inner.tables.get(Space::Keys, &fingerprint.to_be_bytes());
        match row.map_err(|e| self.fault("look an order key up", e))? {
            Some(row) => Ok(Some(u64::from_le_bytes(self.array("keys", &row)?))),
            None => Ok(None),
        }
    }

    /// Chunks of `account` that may hold postings from `from_lsn` to `to_lsn`, both included,
    /// ascending, at most `limit`. The store does not know where a chunk ends, so the first one may
    /// be one that begins *and* ends before `from_lsn`: the caller drops postings outside the range.
    /// To go on after a full answer, ask from the last posting of the last chunk + 1, with a
    /// `limit` of at least 2.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn statement(
        &self,
        account: u64,
        from_lsn: u64,
        to_lsn: u64,
        limit: usize,
    ) -> Result<Vec<StatementChunk>, StoreFault> {
        if limit == 0 || from_lsn > to_lsn {
            return Ok(Vec::new());
        }
        let rows = |from: u64, to: u64| {
            let bound = |lsn| Bound::Included(statement_key(account, lsn).to_vec());
            self.inner.tables.range(Space::Statements, bound(from), bound(to))
        };
        let fault = |e| self.fault("read a statement", e);
        let mut begin = from_lsn;
        if from_lsn > 0 {
            // A chunk that begins earlier may reach into the range; chunks do not overlap, so only one.
            if let Some(row) = rows(0, from_lsn).next_back() {
                begin = self.chunk(row.map_err(fault)?)?.first_lsn;
            }
        }
        rows(begin, to_lsn).take(limit).map(|row| self.chunk(row.map_err(fault)?)).collect()
    }

    /// The newest chunk of `account`.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn last_chunk(&self, account: u64) -> Result<Option<StatementChunk>, StoreFault> {
        let bound = |lsn| Bound::Included(statement_key(account, lsn).to_vec());
        let last = self.inner.tables.range(Space::Statements, bound(0), bound(u64::MAX)).next_back();
        let chunk = |row: Result<_, _>| self.chunk(row.map_err(|e| self.fault("read a statement", e))?);
        last.map(chunk).transpose()
    }

    /// Calls `f` with the finished orders from `first` to `last`, descending by id, at most `limit`.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn for_orders_between(
        &self,
        first: u64,
        last: u64,
        limit: usize,
        f: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), StoreFault> {
        let bound = |id: u64| Bound::Included(id.to_be_bytes().to_vec());
        for row in self.inner.tables.range(Space::Orders, bound(first), bound(last)).rev().take(limit) {
            let (key, value) = row.map_err(|e| self.fault("scan orders", e))?;
            f(u64::from_be_bytes(self.array("orders", &key)?), &value);
        }
        Ok(())
    }

    /// Calls `f` with every fingerprint in the archive, ascending, and returns how many there are.
    /// Used to rebuild the [`KeyFilter`](super::KeyFilter) at start.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn for_each_key(&self, f: &mut dyn FnMut(u128)) -> Result<u64, StoreFault> {
        let mut count = 0;
        for row in self.inner.tables.range(Space::Keys, Bound::Unbounded, Bound::Unbounded) {
            let (key, _) = row.map_err(|e| self.fault("scan order keys", e))?;
            f(u128::from_be_bytes(self.array("keys", &key)?));
            count += 1;
        }
        Ok(count)
    }

    /// Calls `f` with every finished order, ascending by id, until it breaks off; returns how many
    /// it was called with. Sees the archive as it was at the call.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn for_each_order(
        &self,
        f: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<u64, StoreFault> {
        let mut count = 0;
        for row in self.inner.tables.range(Space::Orders, Bound::Unbounded, Bound::Unbounded) {
            let (key, value) = row.map_err(|e| self.fault("scan orders", e))?;
            count += 1;
            if f(u64::from_be_bytes(self.array("orders", &key)?), &value).is_break() {
                break;
            }
        }
        Ok(count)
    }

    fn chunk(&self, (key, postings): (Bytes, Bytes)) -> Result<StatementChunk, StoreFault> {
        let key = u128::from_be_bytes(self.array("statements", &key)?);
        #[expect(clippy::cast_possible_truncation, reason = "the low half of the key is the log position")]
        let first_lsn = key as u64;
        Ok(StatementChunk { first_lsn, postings })
    }

    /// Ingestion has no brake of its own, and every unmerged table makes reads slower. The wait is
    /// bounded, since a merge step is only asked for by the next ingestion.
    fn wait_for_merging(&self) {
        let options = &self.inner.options;
        let begun = Instant::now();
        let longest = Duration::from_millis(options.stall_ms);
        let behind = || self.inner.tables.unmerged();
        while behind() > options.stall_tables {
            if begun.elapsed() >= longest {
                tracing::warn!(
                    tables = behind(),
                    waited_ms = options.stall_ms,
                    "merging of the archive is behind"
                );
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Account first, so that a statement is one range.
fn statement_key(account: u64, lsn: u64) -> [u8; 16] {
    ((u128::from(account) << 64) | u128::from(lsn)).to_be_bytes()
}
