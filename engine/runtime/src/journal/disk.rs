//! A directory on a real disk.

use std::any::Any;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::storage::{Access, Storage, StorageFile};
use crate::haste::{Haste, STEP_BYTES};

const LOCK_FILE: &str = "LOCK";
const ZEROS: &[u8] = &[0; 1 << 20];
/// Zeros are made durable in steps of this size when somebody waits for them.
const HASTY_STEP_BYTES: u64 = 8 << 20;

/// A directory on a real disk.
#[derive(Debug, Clone)]
pub struct DiskStorage {
    dir: PathBuf,
}

impl DiskStorage {
    /// Opens the directory, creating it durably when it is not there.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(dir: &Path) -> io::Result<Self> {
        if !dir.is_dir() {
            fs::create_dir_all(dir)?;
            let absolute = dir.canonicalize()?;
            if let Some(parent) = absolute.parent() {
                File::open(parent)?.sync_all()?;
            }
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// Names an existing directory without touching it.
    #[must_use]
    pub fn existing(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }
}

impl Storage for DiskStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            // A name that is not text is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let file =
            OpenOptions::new().read(true).write(access == Access::ReadWrite).open(self.dir.join(name))?;
        Ok(Box::new(DiskFile(file)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(self.dir.join(name))?;
        Ok(Box::new(DiskFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.dir.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    fn lock(&self) -> io::Result<Box<dyn Any + Send>> {
        let path = self.dir.join(LOCK_FILE);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.try_lock()?;
        Ok(Box::new(file))
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.dir.clone() } else { self.dir.join(name) }
    }
}

#[derive(Debug)]
struct DiskFile(File);

impl StorageFile for DiskFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read_at(buf, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn preallocate(&self, bytes: u64, haste: &Haste) -> io::Result<()> {
        // Asks for the space in one piece and fails early when the disk is full. Allocated blocks are still
        // "unwritten", and the first write into each would change metadata, so real zeros follow.
        match rustix::fs::fallocate(&self.0, rustix::fs::FallocateFlags::empty(), 0, bytes) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
        let mut offset = 0;
        while offset < bytes {
            let step = if haste.is_pressing() { HASTY_STEP_BYTES } else { STEP_BYTES };
            let end = bytes.min(offset + step);
            while offset < end {
                let left = usize::try_from(end - offset).unwrap_or(usize::MAX);
                let part = &ZEROS[..left.min(ZEROS.len())];
                self.0.write_all_at(part, offset)?;
                offset += part.len() as u64;
            }
            self.0.sync_data()?;
            haste.pause();
        }
        self.0.sync_all()
    }
}
