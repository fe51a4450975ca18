//! The one seam between the journal and a disk: everything durable goes through it, and tests break it here.

use std::any::Any;
use std::fmt::Debug;
use std::io;
use std::path::PathBuf;

use super::JournalFault;
use crate::haste::Haste;

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading alone.
    Read,
    /// Reading and writing in place.
    ReadWrite,
}

/// One flat directory of files.
pub trait Storage: Send + Sync + Debug {
    /// Names of all files.
    ///
    /// # Errors
    /// Those of the underlying storage; so for all operations below.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens an existing file.
    ///
    /// # Errors
    /// See [`Storage::list`].
    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>>;
    /// Creates an empty file, in place of one of that name.
    ///
    /// # Errors
    /// See [`Storage::list`].
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;
    /// Renames a file, in place of one named `to`. Durable after [`Storage::sync_dir`].
    ///
    /// # Errors
    /// See [`Storage::list`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file. Durable after [`Storage::sync_dir`].
    ///
    /// # Errors
    /// See [`Storage::list`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes names durable.
    ///
    /// # Errors
    /// See [`Storage::list`].
    fn sync_dir(&self) -> io::Result<()>;
    /// Locks the directory for one owner until the guard is dropped.
    ///
    /// # Errors
    /// `WouldBlock` when it has an owner.
    fn lock(&self) -> io::Result<Box<dyn Any + Send>>;
    /// Path of a file for messages; the directory itself for an empty name.
    fn path(&self, name: &str) -> PathBuf;
}

/// An open file.
pub trait StorageFile: Send + Debug {
    /// Reads up to `buf.len()` bytes at `offset`; 0 at the end of the file.
    ///
    /// # Errors
    /// Those of the underlying storage; so for all operations below.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes all bytes at `offset`. After an error any part of them may have been written.
    ///
    /// # Errors
    /// See [`StorageFile::read_at`].
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes the contents durable.
    ///
    /// # Errors
    /// See [`StorageFile::read_at`]. After an error it is unknown which writes since the last success are durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Length in bytes.
    ///
    /// # Errors
    /// See [`StorageFile::read_at`].
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// See [`StorageFile::read_at`].
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills the file, just created, with `bytes` zeros in real blocks and makes them durable, so that later
    /// writes and syncs inside it change no metadata and need no space. At leisure unless `haste` is pressing.
    ///
    /// # Errors
    /// See [`StorageFile::read_at`].
    fn preallocate(&self, bytes: u64, haste: &Haste) -> io::Result<()>;
}

/// Reads exactly `buf.len()` bytes unless the file ends before; returns how many there were.
pub(super) fn read_full(file: &dyn StorageFile, mut offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match file.read_at(offset, &mut buf[done..])? {
            0 => break,
            n => {
                done += n;
                offset += n as u64;
            }
        }
    }
    Ok(done)
}

/// Turns an error of the storage into a fault with its context.
pub(super) fn io_fault<'a>(
    storage: &'a dyn Storage,
    operation: &'static str,
    name: &'a str,
) -> impl FnOnce(io::Error) -> JournalFault + 'a {
    // The path is built only when there is an error: an append allocates nothing.
    move |source| JournalFault::Io { operation, path: storage.path(name), source }
}
