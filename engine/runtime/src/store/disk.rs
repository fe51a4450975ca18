//! The embedded engine (fjall) behind the seam.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use fjall::{Database, PersistMode};

use super::backend::{Backend, Change, Rows, Space};
use super::keyspaces::Keyspaces;
use super::sorted::ingest_run;
use super::{Bytes, KeyspaceStats, StoreOptions, StoreStats};
use crate::haste::Haste;

/// Ending of the directory in which a store is made.
const UNFINISHED: &str = "unfinished";

/// Tables in the embedded engine.
pub(super) struct Disk {
    // Field order is drop order: the keyspaces hold references into the database.
    keyspaces: Keyspaces,
    db: Database,
    haste: Arc<Haste>,
}

impl Disk {
    /// Opens the tables in `dir`. Where there are none, they are made beside it and moved into their place when they are whole: a
    /// process that is killed in between leaves nothing that a later start would take for a store and could not open.
    pub(super) fn open(dir: &Path, options: &StoreOptions, haste: &Arc<Haste>) -> fjall::Result<Self> {
        if !dir.try_exists()? {
            let aside = dir.with_extension(UNFINISHED);
            if aside.try_exists()? {
                std::fs::remove_dir_all(&aside)?;
            }
            let made = Self::at(&aside, options, haste)?;
            made.db.persist(PersistMode::SyncAll)?;
            drop(made);
            std::fs::rename(&aside, dir)?;
            if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                std::fs::File::open(parent)?.sync_all()?;
            }
        }
        Self::at(dir, options, haste)
    }

    fn at(dir: &Path, options: &StoreOptions, haste: &Arc<Haste>) -> fjall::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let db = Database::builder(dir)
            .cache_size(options.cache_bytes)
            .max_cached_files(Some(options.open_files.max(10)))
            // One worker: with more, the first spins on a merge request it may not serve itself
            // for as long as another merge runs. Merging is off the hot path anyway.
            .worker_threads(1)
            // Writes are synced where we say so, at a seal or a watermark.
            .manual_journal_persist(true)
            .max_journaling_size(128 * 1024 * 1024)
            .open()?;
        Ok(Self { keyspaces: Keyspaces::open(&db)?, db, haste: Arc::clone(haste) })
    }
}

impl Backend for Disk {
    fn get(&self, space: Space, key: &[u8]) -> fjall::Result<Option<Bytes>> {
        self.keyspaces.of(space).get(key)
    }

    fn range<'a>(&'a self, space: Space, from: Bound<Vec<u8>>, to: Bound<Vec<u8>>) -> Rows<'a> {
        Box::new(self.keyspaces.of(space).range::<Vec<u8>, _>((from, to)).map(fjall::Guard::into_inner))
    }

    fn ingest(&self, space: Space, rows: &mut dyn Iterator<Item = Change>) -> fjall::Result<()> {
        ingest_run(self.keyspaces.of(space), rows, &self.haste)
    }

    fn write(&self, space: Space, rows: Vec<Change>) -> fjall::Result<()> {
        let table = self.keyspaces.of(space);
        let mut batch = self.db.batch();
        for (key, value) in rows {
            match value {
                Some(value) => batch.insert(table, key, value),
                None => batch.remove(table, key),
            }
        }
        batch.commit()
    }

    fn sync(&self) -> fjall::Result<()> {
        self.db.persist(PersistMode::SyncAll)
    }

    fn check_writable(&self) -> fjall::Result<()> {
        // An ingestion does not look whether the database is poisoned; without merging, tables would pile up.
        self.db.persist(PersistMode::Buffer)
    }

    fn unmerged(&self) -> usize {
        self.keyspaces.archive().into_iter().map(fjall::Keyspace::l0_table_count).max().unwrap_or(0)
    }

    fn stats(&self) -> StoreStats {
        let keyspaces: Vec<_> = self
            .keyspaces
            .all()
            .map(|keyspace| KeyspaceStats {
                name: keyspace.name().to_string(),
                table_bytes: keyspace.disk_space(),
                tables: keyspace.table_count(),
                unmerged_tables: keyspace.l0_table_count(),
                rows_about: keyspace.approximate_len(),
            })
            .collect();
        StoreStats {
            table_bytes: keyspaces.iter().map(|keyspace| keyspace.table_bytes).sum(),
            journal_bytes: self.db.journal_disk_space().unwrap_or(0),
            merges_running: self.db.active_compactions(),
            merges_done: self.db.compactions_completed(),
            merging_us: u64::try_from(self.db.time_compacting().as_micros()).unwrap_or(u64::MAX),
            keyspaces,
        }
    }
}
