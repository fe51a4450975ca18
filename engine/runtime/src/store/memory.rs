//! Tables in memory that know what a power cut would leave, and can be told to fail: for simulations.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::backend::{Backend, Change, Rows, Space};
use super::{Bytes, StoreStats};

type Tables = BTreeMap<Space, BTreeMap<Bytes, Bytes>>;

/// Tables in memory. Clones share the contents.
///
/// As with the embedded engine, a run is durable when it is in, and with it every earlier write to its table; of other
/// writes since the last sync a power cut leaves those up to some point.
#[derive(Clone, Default)]
pub struct MemoryTables(Arc<Mutex<State>>);

impl std::fmt::Debug for MemoryTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryTables").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    seen: Tables,
    durable: Tables,
    /// Writes since the last sync, oldest first.
    unsynced: Vec<(Space, Vec<Change>)>,
    /// Operations that still succeed before the storage fails, and with what. `None`: it works.
    writes_fail_after: Option<(u64, io::ErrorKind)>,
    reads_fail_after: Option<(u64, io::ErrorKind)>,
    /// Writing operations until the power goes.
    cut_off_after: Option<u64>,
    /// The power has gone; nothing works until [`MemoryTables::power_cut`] says what was lost.
    cut_off: bool,
    has_failed: bool,
    /// How many writing operations there were.
    writes: u64,
}

impl MemoryTables {
    /// Empty tables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// After `operations` more writes, runs or syncs every one fails with `kind`, until [`MemoryTables::heal`].
    pub fn fail_writes(&self, operations: u64, kind: io::ErrorKind) {
        self.state().writes_fail_after = Some((operations, kind));
    }

    /// After `operations` more reads every one fails with `kind`, until [`MemoryTables::heal`].
    pub fn fail_reads(&self, operations: u64, kind: io::ErrorKind) {
        self.state().reads_fail_after = Some((operations, kind));
    }

    /// Forgets all failures that were planned.
    pub fn heal(&self) {
        self.accept();
        let mut state = self.state();
        state.cut_off_after = None;
        state.has_failed = false;
    }

    /// Reads and writes no longer fail.
    pub fn accept(&self) {
        let mut state = self.state();
        state.writes_fail_after = None;
        state.reads_fail_after = None;
    }

    /// After `operations` more writes, runs or syncs the power goes: everything fails from then on.
    pub fn cut_off_after(&self, operations: u64) {
        self.state().cut_off_after = Some(operations);
    }

    /// Whether the power has gone.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.state().cut_off
    }

    /// Whether something failed since the last [`MemoryTables::heal`].
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.state().has_failed
    }

    /// How many writing operations there were, failed ones included.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// How many writes a power cut might lose.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.state().unsynced.len()
    }

    /// Cuts the power: of the writes since the last sync the first `kept` survive.
    pub fn power_cut(&self, kept: usize) {
        let mut state = self.state();
        state.cut_off = false;
        state.cut_off_after = None;
        let unsynced = std::mem::take(&mut state.unsynced);
        for (space, rows) in unsynced.into_iter().take(kept) {
            put(&mut state.durable, space, &rows);
        }
        state.seen = state.durable.clone();
    }

    /// An independent copy of everything, without failures.
    #[must_use]
    pub fn copy(&self) -> Self {
        let state = self.state();
        let (seen, durable) = (state.seen.clone(), state.durable.clone());
        let unsynced = state.unsynced.clone();
        Self(Arc::new(Mutex::new(State { seen, durable, unsynced, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self) -> fjall::Result<()> {
        self.writes += 1;
        self.cut_off |= self.cut_off_after == Some(0);
        self.cut_off_after = self.cut_off_after.map(|left| left.saturating_sub(1));
        self.check_power()?;
        meet(&mut self.writes_fail_after).inspect_err(|_| self.has_failed = true)
    }

    fn read(&mut self) -> fjall::Result<()> {
        self.check_power()?;
        meet(&mut self.reads_fail_after).inspect_err(|_| self.has_failed = true)
    }

    fn check_power(&mut self) -> fjall::Result<()> {
        if !self.cut_off {
            return Ok(());
        }
        self.has_failed = true;
        Err(io::Error::other("the power has gone").into())
    }
}

fn meet(fails: &mut Option<(u64, io::ErrorKind)>) -> fjall::Result<()> {
    match fails {
        Some((0, kind)) => Err(io::Error::from(*kind).into()),
        Some((left, _)) => {
            *left -= 1;
            Ok(())
        }
        None => Ok(()),
    }
}

fn put(tables: &mut Tables, space: Space, rows: &[Change]) {
    let table = tables.entry(space).or_default();
    for (key, value) in rows {
        match value {
            Some(value) => drop(table.insert(key.clone(), value.clone())),
            None => drop(table.remove(key)),
        }
    }
}

impl Backend for MemoryTables {
    fn get(&self, space: Space, key: &[u8]) -> fjall::Result<Option<Bytes>> {
        let mut state = self.state();
        state.read()?;
        Ok(state.seen.get(&space).and_then(|table| table.get(key)).cloned())
    }

    fn range<'a>(&'a self, space: Space, from: Bound<Vec<u8>>, to: Bound<Vec<u8>>) -> Rows<'a> {
        let mut state = self.state();
        if let Err(fault) = state.read() {
            return Box::new(std::iter::once(Err(fault)));
        }
        let Some(table) = state.seen.get(&space) else { return Box::new(std::iter::empty()) };
        let bounds = (from.map(Bytes::from), to.map(Bytes::from));
        let rows: Vec<_> = table.range(bounds).map(|(key, value)| Ok((key.clone(), value.clone()))).collect();
        Box::new(rows.into_iter())
    }

    fn ingest(&self, space: Space, rows: &mut dyn Iterator<Item = Change>) -> fjall::Result<()> {
        let rows: Vec<Change> = rows.collect();
        if rows.is_empty() {
            return Ok(());
        }
        assert!(rows.is_sorted_by(|one, next| one.0 < next.0), "the keys of a run ascend");
        let mut state = self.state();
        state.write()?;
        let (earlier, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.unsynced).into_iter().partition(|(written, _)| *written == space);
        state.unsynced = others;
        for (_, rows) in &earlier {
            put(&mut state.durable, space, rows);
        }
        put(&mut state.durable, space, &rows);
        put(&mut state.seen, space, &rows);
        Ok(())
    }

    fn write(&self, space: Space, rows: Vec<Change>) -> fjall::Result<()> {
        let mut state = self.state();
        state.write()?;
        put(&mut state.seen, space, &rows);
        state.unsynced.push((space, rows));
        Ok(())
    }

    fn sync(&self) -> fjall::Result<()> {
        let mut state = self.state();
        state.write()?;
        for (space, rows) in std::mem::take(&mut state.unsynced) {
            put(&mut state.durable, space, &rows);
        }
        Ok(())
    }

    fn check_writable(&self) -> fjall::Result<()> {
        Ok(())
    }

    fn unmerged(&self) -> usize {
        0
    }

    fn stats(&self) -> StoreStats {
        StoreStats {
            table_bytes: 0,
            journal_bytes: 0,
            merges_running: 0,
            merges_done: 0,
            merging_us: 0,
            keyspaces: Vec::new(),
        }
    }
}
