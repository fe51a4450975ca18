//! A disk that stands still, or is full, for a while: the engine's journal on a storage with a fault.

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::Result;
use suanpan_runtime::haste::Haste;
use suanpan_runtime::journal::{
    Access, DiskStorage, Journal, JournalOptions, SegmentJournal, Storage, StorageFile,
};

use crate::driver::Tick;
use crate::report::Incident;
use crate::run::Disturbance;

/// What is wrong with the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// Nothing is written or synced; whoever asks waits.
    Stall,
    /// Every write fails for want of space.
    Full,
}

/// Whether the fault is there now. Clones are one switch.
#[derive(Clone, Debug, Default)]
struct State(Arc<AtomicU8>);

const WELL: u8 = 0;
const STALLED: u8 = 1;
const FULL: u8 = 2;

impl State {
    fn set(&self, fault: Option<DiskFault>) {
        let state = match fault {
            None => WELL,
            Some(DiskFault::Stall) => STALLED,
            Some(DiskFault::Full) => FULL,
        };
        self.0.store(state, Ordering::Release);
    }

    /// Waits while the disk stands still.
    fn wait(&self) {
        const PAUSE: Duration = Duration::from_millis(1);
        while self.0.load(Ordering::Acquire) == STALLED {
            std::thread::sleep(PAUSE);
        }
    }

    fn room(&self) -> io::Result<()> {
        self.wait();
        match self.0.load(Ordering::Acquire) {
            FULL => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

/// A directory on a disk with a fault.
#[derive(Debug)]
struct FaultyDisk {
    disk: DiskStorage,
    state: State,
}

impl FaultyDisk {
    fn file(&self, file: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        Box::new(FaultyFile { file, state: self.state.clone() })
    }
}

impl Storage for FaultyDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(self.disk.open(name, access)?))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.state.room()?;
        Ok(self.file(self.disk.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.state.wait();
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state.wait();
        self.disk.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.state.wait();
        self.disk.sync_dir()
    }

    fn lock(&self) -> io::Result<Box<dyn Any + Send>> {
        self.disk.lock()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.disk.path(name)
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Box<dyn StorageFile>,
    state: State,
}

impl StorageFile for FaultyFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.state.room()?;
        self.file.write_at(offset, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state.wait();
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn preallocate(&self, bytes: u64, haste: &Haste) -> io::Result<()> {
        self.state.room()?;
        self.file.preallocate(bytes, haste)
    }
}

/// A fault of the disk from one time of the run to another.
#[derive(Debug)]
pub struct DiskChaos {
    fault: DiskFault,
    from: Duration,
    until: Duration,
    state: State,
    began: Option<Duration>,
    ended: Option<Duration>,
}

impl DiskChaos {
    /// `fault` from `from` to `until` after the first order.
    #[must_use]
    pub fn new(fault: DiskFault, from: Duration, until: Duration) -> Self {
        Self { fault, from, until, state: State::default(), began: None, ended: None }
    }
}

impl Disturbance for DiskChaos {
    fn journal(&mut self, dir: &Path) -> Result<Option<Box<dyn Journal>>> {
        /// As the engine opens its own.
        const GROUP_BYTES_MAX: u64 = 1 << 30;
        let disk = DiskStorage::create(&dir.join("journal"))?;
        let options = JournalOptions { max_group_bytes: GROUP_BYTES_MAX, ..JournalOptions::default() };
        let faulty = FaultyDisk { disk, state: self.state.clone() };
        Ok(Some(Box::new(SegmentJournal::open_in(Arc::new(faulty), options)?)))
    }

    fn at(&mut self, tick: &Tick) {
        let now = tick.elapsed;
        if self.began.is_none() && now >= self.from {
            self.state.set(Some(self.fault));
            self.began = Some(now);
        } else if self.began.is_some() && self.ended.is_none() && now >= self.until {
            self.state.set(None);
            self.ended = Some(now);
        }
    }

    fn incidents(&self) -> Vec<Incident> {
        let what = match self.fault {
            DiskFault::Stall => "disk stands still",
            DiskFault::Full => "disk is full",
        };
        let Some(from) = self.began else { return Vec::new() };
        let until = self.ended.unwrap_or(self.until);
        vec![Incident::new(what.to_owned(), from.as_secs_f64(), until.as_secs_f64())]
    }
}

impl Drop for DiskChaos {
    fn drop(&mut self) {
        // Whoever waits for the disk may go on, whatever ended the run.
        self.state.set(None);
    }
}
