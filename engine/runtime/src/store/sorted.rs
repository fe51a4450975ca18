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

use std::fs::File;

use fjall::Keyspace;

use super::backend::Change;
use crate::haste::{Haste, STEP_BYTES};

/// Where the embedded engine keeps the table files of a keyspace, each named by its number.
const TABLES_DIR: &str = "tables";

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
///
/// At leisure, what was written is synced step by step. The engine would do it once, when the table is finished, and the log
/// would wait for all of it.
pub(super) fn ingest_run(
    keyspace: &Keyspace,
    rows: &mut dyn Iterator<Item = Change>,
    haste: &Haste,
) -> fjall::Result<()> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        // An empty ingestion would leave an empty file behind.
        return Ok(());
    }
    let mut run = keyspace.start_ingestion()?;
    let is_leisurely = !haste.is_pressing();
    let mut step_bytes = 0;
    for (key, value) in rows {
        step_bytes += (key.len() + value.as_ref().map_or(0, |value| value.len())) as u64;
        if is_leisurely && step_bytes >= STEP_BYTES {
            step_bytes = 0;
            // Looked for each time: a long run goes on in another file.
            if let Some(table) = newest_table(keyspace) {
                table.sync_data()?;
            }
            haste.pause();
        }
        match value {
            Some(value) => run.write(key, value)?,
            None => run.write_tombstone(key)?,
        }
    }
    run.finish()
}

/// The table file that was begun last: the run's own, or that of a merge that goes on beside it. `None` when there is none to be
/// found: the engine syncs each file itself when it is finished, and that is what counts.
fn newest_table(keyspace: &Keyspace) -> Option<File> {
    let files = std::fs::read_dir(keyspace.path().join(TABLES_DIR)).ok()?;
    let numbered =
        |file: std::fs::DirEntry| Some((file.file_name().to_str()?.parse::<u64>().ok()?, file.path()));
    let (_, path) = files.filter_map(Result::ok).filter_map(numbered).max()?;
    File::open(path).ok()
}

#[cfg(test)]
mod tests {
    use fjall::{Database, KeyspaceCreateOptions};

    use super::*;

    /// The embedded engine may one day keep its tables elsewhere; runs would still go in, but the log would wait for them.
    #[test]
    fn the_table_that_is_being_written_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::builder(dir.path()).open().unwrap();
        let keyspace = db.keyspace("rows", KeyspaceCreateOptions::default).unwrap();
        for run in 0..12_u8 {
            let mut ingestion = keyspace.start_ingestion().unwrap();
            let unfinished = newest_table(&keyspace).unwrap();
            for row in 0..2_000_u16 {
                ingestion.write([&[run][..], &row.to_be_bytes()].concat(), vec![7; 100]).unwrap();
            }
            assert!(unfinished.metadata().unwrap().len() > 100_000, "run {run}");
            ingestion.finish().unwrap();
        }
    }
}
