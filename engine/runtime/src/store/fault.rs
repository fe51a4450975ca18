//! What can go wrong between the store and the disk.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A failure of the store. The log has everything the store has, so no fault here loses money;
/// each message says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// Another process, or another handle in this one, has the directory open.
    #[error("store {path} is in use by another process: stop it, or give this node a directory of its own")]
    InUse {
        /// Directory of the store.
        path: PathBuf,
    },
    /// The store was written by a newer program.
    #[error(
        "store {path} has format {found}, this program knows up to {supported}: start the newer program, \
         or move the directory away and let the store be rebuilt from the log"
    )]
    NewerFormat {
        /// Directory of the store.
        path: PathBuf,
        /// Format in the store.
        found: u32,
        /// Highest format of this program.
        supported: u32,
    },
    /// The store was written by a program from before the first release, whose events this one cannot read.
    #[error(
        "store {path} has format {found}, from before the first release, which this program (format {supported}) cannot \
         read: move the whole data directory away and start with an empty one"
    )]
    OlderFormat {
        /// Directory of the store.
        path: PathBuf,
        /// Format in the store.
        found: u32,
        /// Format of this program.
        supported: u32,
    },
    /// The disk, the quota or the file size limit is exhausted. What was durable stays so.
    #[error(
        "store {path}: no space left to {operation}: free space and try again; restart to drop half-written tables"
    )]
    DiskFull {
        /// What was being done.
        operation: &'static str,
        /// Directory of the store.
        path: PathBuf,
        /// What the storage engine said.
        source: fjall::Error,
    },
    /// An earlier write or merge failed, so the store takes no more writes. Reads go on.
    #[error(
        "store {path}: {operation} refused after an earlier disk failure: check disk and free space, then restart"
    )]
    Poisoned {
        /// What was being done.
        operation: &'static str,
        /// Directory of the store.
        path: PathBuf,
    },
    /// Bytes that cannot be ours.
    #[error(
        "store {path}, table {table}: {detail}: move the directory away and let the store be rebuilt from the log"
    )]
    Corrupt {
        /// Directory of the store.
        path: PathBuf,
        /// Table with the bad row.
        table: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// Any other failure of the storage engine.
    #[error(
        "store {path}: cannot {operation}: check the disk and its permissions, then restart; \
         if it persists, move the directory away and let the store be rebuilt from the log"
    )]
    Engine {
        /// What was being done.
        operation: &'static str,
        /// Directory of the store.
        path: PathBuf,
        /// What the storage engine said.
        source: fjall::Error,
    },
}

impl StoreFault {
    pub(super) fn from_engine(operation: &'static str, path: &Path, source: fjall::Error) -> Self {
        let path = path.to_owned();
        match source {
            fjall::Error::Locked => StoreFault::InUse { path },
            fjall::Error::Poisoned => StoreFault::Poisoned { operation, path },
            source if is_full(&source) => StoreFault::DiskFull { operation, path, source },
            source => StoreFault::Engine { operation, path, source },
        }
    }
}

fn is_full(fault: &fjall::Error) -> bool {
    let io = match fault {
        fjall::Error::Io(io) | fjall::Error::Storage(fjall::LsmError::Io(io)) => io,
        _ => return false,
    };
    matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}
