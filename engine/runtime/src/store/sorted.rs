//! Sorted runs: the one way bulk data enters the store.
//!
//! What fjall 3.1 asks of an ingestion and what it gives, read from its source:
//!
//! * Keys must ascend strictly; a repeated or smaller key *panics*. So runs are sorted and made
//!   unique here, never by the caller.
//! * Rows become table files directly, past journal and memtable. `finish` syncs each file, its
//!   directory and the version that lists it: when it returns, the run is durable, and no
//!   `persist` is needed. A crash before that leaves files in no version, removed at the next open.
//! * `finish` first writes out the keyspace's memtable and then takes the next sequence number for
//!   the whole run, so the run is newer than every earlier write: existing keys are overwritten,
//!   readers see all of the run or nothing of it, and open iterators keep their snapshot.
//! * It holds the journal lock meanwhile: writers to *any* keyspace wait for these syncs.
//! * It is atomic in one keyspace, not across several.
//! * It asks for one merge step and never waits for it; see `Store::wait_for_merging`.
//! * A failed run leaves its half-written file behind until the next open.

use fjall::Keyspace;

use super::backend::Change;

/// Sorts by key and keeps, of rows with one key, the one given last.
pub(super) fn sort_unique<K: Ord, V>(rows: &mut Vec<(K, V)>) {
    // Stable, so that the last given of equal keys stands last; nearly free on sorted input.
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
}

/// Writes rows as one run; `None` deletes. The keys must ascend strictly. Durable when it returns.
pub(super) fn ingest_run(keyspace: &Keyspace, rows: &mut dyn Iterator<Item = Change>) -> fjall::Result<()> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        // An empty ingestion would leave an empty file behind.
        return Ok(());
    }
    let mut run = keyspace.start_ingestion()?;
    for (key, value) in rows {
        match value {
            Some(value) => run.write(key, value)?,
            None => run.write_tombstone(key)?,
        }
    }
    run.finish()
}
