//! The archive: finished orders, their platform order numbers, and statements of accounts.

use std::ops::ControlFlow;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use fjall::PersistMode;

use super::sorted::{ingest_run, sort_unique};
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
        // An ingestion does not look whether the store is poisoned; without merging, tables would pile up.
        self.inner.db.persist(PersistMode::Buffer).map_err(fault)?;
        self.wait_for_merging();

        let ArchiveBatch { mut orders, mut keys, mut statements, watermark } = batch;
        let to = &self.inner.keyspaces;
        sort_unique(&mut orders);
        sort_unique(&mut statements);
        sort_unique(&mut keys);
        // The key row comes last: whoever finds an order id by key finds the order.
        let rows = orders.into_iter().map(|(id, row)| (id.to_be_bytes(), Some(row)));
        ingest_run(&to.orders, rows).map_err(fault)?;
        let rows =
            statements.into_iter().map(|((account, lsn), row)| (statement_key(account, lsn), Some(row)));
        ingest_run(&to.statements, rows).map_err(fault)?;
        let rows = keys.into_iter().map(|(key, id)| (key.to_be_bytes(), Some(id.to_le_bytes())));
        ingest_run(&to.keys, rows).map_err(fault)?;

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
        let row = self.inner.keyspaces.orders.get(order_id.to_be_bytes());
        row.map_err(|e| self.fault("read an order", e))
    }

    /// The order id behind the fingerprint of a platform's order number.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn order_id_by_key(&self, fingerprint: u128) -> Result<Option<u64>, StoreFault> {
        let row = self.inner.keyspaces.keys.get(fingerprint.to_be_bytes());
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
        let statements = &self.inner.keyspaces.statements;
        let fault = |e| self.fault("read a statement", e);
        let mut begin = from_lsn;
        if from_lsn > 0 {
            // A chunk that begins earlier may reach into the range; chunks do not overlap, so only one.
            let before = statement_key(account, 0)..=statement_key(account, from_lsn);
            if let Some(row) = statements.range(before).next_back() {
                begin = self.chunk(row.into_inner().map_err(fault)?)?.first_lsn;
            }
        }
        let rows = statements.range(statement_key(account, begin)..=statement_key(account, to_lsn));
        rows.take(limit).map(|row| self.chunk(row.into_inner().map_err(fault)?)).collect()
    }

    /// Calls `f` with every fingerprint in the archive, ascending, and returns how many there are.
    /// Used to rebuild the [`KeyFilter`](super::KeyFilter) at start.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn for_each_key(&self, f: &mut dyn FnMut(u128)) -> Result<u64, StoreFault> {
        let mut count = 0;
        for row in self.inner.keyspaces.keys.iter() {
            let key = row.key().map_err(|e| self.fault("scan order keys", e))?;
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
        for row in self.inner.keyspaces.orders.iter() {
            let row = row.into_inner();
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
        let behind = || {
            let archive = self.inner.keyspaces.archive();
            let tables = archive.into_iter().map(fjall::Keyspace::l0_table_count);
            tables.max().unwrap_or(0)
        };
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
