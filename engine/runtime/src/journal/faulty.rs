//! A storage in memory that can be told to fail, for tests of the journal and of what is built on it.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::storage::{Access, Storage, StorageFile};
use crate::haste::Haste;

/// Power goes between sectors of this size; a sector is written whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What can be told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// [`StorageFile::write_at`], also inside preallocation.
    Write,
    /// [`StorageFile::sync_data`], also inside preallocation.
    Sync,
    /// [`Storage::sync_dir`].
    SyncDir,
    /// [`Storage::create`].
    Create,
    /// [`Storage::rename`].
    Rename,
    /// [`Storage::remove`].
    Remove,
    /// [`StorageFile::read_at`].
    Read,
}

/// One planned failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What fails.
    pub operation: Operation,
    /// Which one from now on, counted from 1.
    pub nth: u64,
    /// With which error.
    pub kind: io::ErrorKind,
    /// How many bytes of a failing write still get through.
    pub short_bytes: usize,
}

/// A storage in memory that can be told to fail. Clones share the contents.
///
/// It knows what is durable: after a failed sync some sectors of the unsynced writes are durable and the others never
/// will be, while reads go on showing all of them, as the page cache of Linux does.
#[derive(Debug, Clone)]
pub struct FaultyStorage(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<u64, Contents>,
    next_file: u64,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    /// Every state of the names since the last sync of the directory.
    name_steps: Vec<BTreeMap<String, u64>>,
    faults: Vec<Fault>,
    capacity: Option<u64>,
    locked: bool,
    /// Operations that change something until the power goes.
    cut_off_after: Option<u64>,
    /// The power has gone; nothing works until [`FaultyStorage::power_cut`] says what was lost.
    cut_off: bool,
    /// Whether something failed since the last [`FaultyStorage::heal`].
    has_failed: bool,
    /// Whether unsynced bytes may survive a power cut with flipped bits.
    rots: bool,
    /// Counts power cuts; files opened before one are dead.
    life: u64,
    random: u64,
}

#[derive(Debug, Default)]
struct Contents {
    seen: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

impl Contents {
    /// Makes some sectors of the unsynced writes durable and forgets about the others. With `rots`, a sector that was
    /// being changed may come back with a flipped bit.
    fn lose_some(&mut self, random: &mut u64, rots: bool) {
        for (offset, bytes) in std::mem::take(&mut self.unsynced) {
            let mut at = 0;
            while at < bytes.len() {
                let end = ((offset + at) / SECTOR_BYTES + 1) * SECTOR_BYTES - offset;
                let end = end.min(bytes.len());
                if next_random(random).is_multiple_of(2) {
                    let before = self.durable.get(offset + at..offset + end);
                    let changes = before.is_none_or(|before| *before != bytes[at..end]);
                    put(&mut self.durable, offset + at, &bytes[at..end]);
                    if rots && changes && next_random(random).is_multiple_of(3) {
                        let place = usize::try_from(next_random(random) % (end - at) as u64).unwrap_or(0);
                        // Only what was being written: a byte that was there before is not touched.
                        self.durable[offset + at + place] ^= 1 << (next_random(random) % 8);
                    }
                }
                at = end;
            }
        }
    }
}

impl FaultyStorage {
    /// An empty storage; `seed` decides what a power cut loses.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State { random: seed, ..State::default() })))
    }

    /// Plans a failure, in addition to those planned.
    pub fn fail(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Forgets all planned failures.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.cut_off_after = None;
        state.has_failed = false;
    }

    /// After `operations` more that change something the power goes: everything fails from then on. What was lost is
    /// decided by [`FaultyStorage::power_cut`].
    pub fn cut_off_after(&self, operations: u64) {
        self.state().cut_off_after = Some(operations);
    }

    /// Whether the power has gone.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.state().cut_off
    }

    /// Whether something failed since the last [`FaultyStorage::heal`].
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.state().has_failed
    }

    /// Whether unsynced bytes that survive a power cut may have flipped bits.
    pub fn set_rot(&self, rots: bool) {
        self.state().rots = rots;
    }

    /// Limits the bytes of all files together; beyond, writes answer `StorageFull`.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Cuts a file, durably.
    ///
    /// # Panics
    /// When there is no such file; so for the functions below.
    pub fn cut_file(&self, name: &str, bytes: usize) {
        self.edit(name, |contents| contents.truncate(bytes));
    }

    /// Flips bits of one byte of a file, durably.
    ///
    /// # Panics
    /// See [`FaultyStorage::cut_file`].
    pub fn flip_bits(&self, name: &str, offset: usize, mask: u8) {
        self.edit(name, |contents| contents[offset] ^= mask);
    }

    /// Changes the bytes of a file, durably.
    ///
    /// # Panics
    /// See [`FaultyStorage::cut_file`].
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let id = state.names[name];
        let contents = state.files.get_mut(&id).expect("a name has a file");
        change(&mut contents.seen);
        contents.durable.clone_from(&contents.seen);
        contents.unsynced.clear();
    }

    /// Bytes of a file as reads show them.
    ///
    /// # Panics
    /// See [`FaultyStorage::cut_file`].
    #[must_use]
    pub fn contents(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.files[&state.names[name]].seen.clone()
    }

    /// An independent copy of everything, unlocked, without planned failures.
    #[must_use]
    pub fn copy(&self) -> Self {
        let state = self.state();
        let mut copy = State { random: state.random, next_file: state.next_file, ..State::default() };
        for (name, id) in &state.names {
            let seen = state.files[id].seen.clone();
            copy.files.insert(*id, Contents { durable: seen.clone(), seen, unsynced: Vec::new() });
            copy.names.insert(name.clone(), *id);
        }
        copy.durable_names.clone_from(&copy.names);
        Self(Arc::new(Mutex::new(copy)))
    }

    /// Cuts the power: of what was not synced, some sectors and the first few changes of names survive. Files
    /// that are open are dead, the lock is free.
    pub fn power_cut(&self) {
        let mut state = self.state();
        state.cut_off = false;
        state.cut_off_after = None;
        let State { files, random, rots, .. } = &mut *state;
        for contents in files.values_mut() {
            contents.lose_some(random, *rots);
            contents.seen.clone_from(&contents.durable);
        }
        let steps = std::mem::take(&mut state.name_steps);
        let survived = next_random(&mut state.random) % (steps.len() as u64 + 1);
        if let Some(names) = usize::try_from(survived).ok().and_then(|n| n.checked_sub(1)).map(|n| &steps[n])
        {
            state.durable_names.clone_from(names);
        }
        state.names = state.durable_names.clone();
        state.locked = false;
        state.life += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, state: &State, id: u64) -> Box<dyn StorageFile> {
        Box::new(FaultyFile { storage: self.clone(), id, life: state.life })
    }
}

impl State {
    /// Whether the operation fails now: the error, and how many bytes still get through.
    fn meet(&mut self, operation: Operation) -> Option<(io::Error, usize)> {
        let was_cut_off = self.cut_off;
        if operation != Operation::Read {
            self.cut_off |= self.cut_off_after == Some(0);
            self.cut_off_after = self.cut_off_after.map(|left| left.saturating_sub(1));
        }
        if self.cut_off {
            self.has_failed = true;
            // The operation that the power goes under may still have some effect.
            let short_bytes = if was_cut_off { 0 } else { usize::MAX };
            return Some((io::Error::other("the power has gone"), short_bytes));
        }
        let mut answer = None;
        self.faults.retain_mut(|fault| {
            if fault.operation != operation {
                return true;
            }
            fault.nth -= 1;
            if fault.nth == 0 {
                answer = Some((io::Error::from(fault.kind), fault.short_bytes));
            }
            fault.nth > 0
        });
        self.has_failed |= answer.is_some();
        answer
    }

    fn check(&mut self, operation: Operation) -> io::Result<()> {
        self.meet(operation).map_or(Ok(()), |(error, _)| Err(error))
    }

    fn find(&self, name: &str) -> io::Result<u64> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn step_names(&mut self) {
        self.name_steps.push(self.names.clone());
    }

    /// The contents of a file opened in `life`.
    fn contents(&mut self, id: u64, life: u64) -> io::Result<&mut Contents> {
        if life != self.life {
            return Err(io::Error::other("the power was cut"));
        }
        self.files.get_mut(&id).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn used(&self) -> u64 {
        self.names.values().map(|id| self.files[id].seen.len() as u64).sum()
    }
}

impl Storage for FaultyStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn open(&self, name: &str, _access: Access) -> io::Result<Box<dyn StorageFile>> {
        let state = self.state();
        Ok(self.handle(&state, state.find(name)?))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.state();
        state.check(Operation::Create)?;
        let id = state.next_file;
        state.next_file += 1;
        state.files.insert(id, Contents::default());
        state.names.insert(name.to_owned(), id);
        state.step_names();
        Ok(self.handle(&state, id))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check(Operation::Rename)?;
        let id = state.find(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), id);
        state.step_names();
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check(Operation::Remove)?;
        state.find(name)?;
        state.names.remove(name);
        state.step_names();
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.state();
        state.check(Operation::SyncDir)?;
        state.durable_names = state.names.clone();
        state.name_steps.clear();
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn Any + Send>> {
        let mut state = self.state();
        if state.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locked = true;
        Ok(Box::new(Lock { storage: self.clone(), life: state.life }))
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("memory").join(name)
    }
}

struct Lock {
    storage: FaultyStorage,
    life: u64,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.storage.state();
        if state.life == self.life {
            state.locked = false;
        }
    }
}

#[derive(Debug)]
struct FaultyFile {
    storage: FaultyStorage,
    id: u64,
    life: u64,
}

impl StorageFile for FaultyFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut state = self.storage.state();
        state.check(Operation::Read)?;
        let seen = &state.contents(self.id, self.life)?.seen;
        let rest = usize::try_from(offset).ok().and_then(|at| seen.get(at..)).unwrap_or_default();
        let bytes = rest.len().min(buf.len());
        buf[..bytes].copy_from_slice(&rest[..bytes]);
        Ok(bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.storage.state();
        let mut fault = state.meet(Operation::Write);
        let (capacity, used) = (state.capacity, state.used());
        let contents = state.contents(self.id, self.life)?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let grows = (offset + bytes.len()).saturating_sub(contents.seen.len()) as u64;
        if fault.is_none() && grows > 0 && capacity.is_some_and(|capacity| used + grows > capacity) {
            fault = Some((io::ErrorKind::StorageFull.into(), 0));
        }
        let through = fault.as_ref().map_or(bytes.len(), |(_, short)| bytes.len().min(*short));
        if through > 0 {
            put(&mut contents.seen, offset, &bytes[..through]);
            contents.unsynced.push((offset, bytes[..through].to_vec()));
        }
        state.has_failed |= fault.is_some();
        fault.map_or(Ok(()), |(error, _)| Err(error))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.storage.state();
        let fault = state.meet(Operation::Sync);
        let (mut random, rots) = (state.random, state.rots);
        let contents = state.contents(self.id, self.life)?;
        let Some((error, _)) = fault else {
            for (offset, bytes) in std::mem::take(&mut contents.unsynced) {
                put(&mut contents.durable, offset, &bytes);
            }
            return Ok(());
        };
        contents.lose_some(&mut random, rots);
        state.random = random;
        Err(error)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.storage.state().contents(self.id, self.life)?.seen.len() as u64)
    }

    fn preallocate(&self, bytes: u64, _: &Haste) -> io::Result<()> {
        self.write_at(0, &vec![0; usize::try_from(bytes).map_err(io::Error::other)?])?;
        self.sync_data()
    }
}

fn put(contents: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if contents.len() < end {
        contents.resize(end, 0);
    }
    contents[offset..end].copy_from_slice(bytes);
}

/// The step of `SplitMix64`.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
