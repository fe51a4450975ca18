//! A journal directory that is only read.

use std::any::Any;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use suanpan_runtime::haste::Haste;
use suanpan_runtime::journal::{Access, DiskStorage, Storage, StorageFile};

/// The file that an engine locks; its name is part of the directory's format.
const LOCK_FILE: &str = "LOCK";

/// A journal directory of which nothing is changed.
///
/// Opening a journal repeats the write of its last group and clears what stands behind it. Neither changes what a
/// replay reads, so these writes are dropped. What would make new files is refused.
#[derive(Debug)]
pub struct ReadOnly {
    disk: DiskStorage,
    lock: PathBuf,
}

impl ReadOnly {
    /// The directory `dir`.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { disk: DiskStorage::existing(dir), lock: dir.join(LOCK_FILE) }
    }

    /// Keeps engines from starting with the directory until the guard is dropped. Others may read it, too.
    ///
    /// # Errors
    /// `WouldBlock` when an engine has it.
    pub fn lock_out_engines(&self) -> io::Result<Option<File>> {
        match File::open(&self.lock) {
            Ok(file) => {
                file.try_lock_shared()?;
                Ok(Some(file))
            }
            // No engine has ever opened it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the directory is only being verified")
}

impl Storage for ReadOnly {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str, _access: Access) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(ReadOnlyFile(self.disk.open(name, Access::Read)?)))
    }

    fn create(&self, _name: &str) -> io::Result<Box<dyn StorageFile>> {
        Err(refused())
    }

    fn rename(&self, _from: &str, _to: &str) -> io::Result<()> {
        Err(refused())
    }

    fn remove(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn Any + Send>> {
        Ok(Box::new(self.lock_out_engines()?))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.disk.path(name)
    }
}

#[derive(Debug)]
struct ReadOnlyFile(Box<dyn StorageFile>);

impl StorageFile for ReadOnlyFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buf)
    }

    fn write_at(&self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn preallocate(&self, _bytes: u64, _haste: &Haste) -> io::Result<()> {
        Err(refused())
    }
}
