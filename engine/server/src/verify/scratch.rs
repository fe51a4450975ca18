//! A temporary directory for copies of what cannot be read in place.

use std::fs;
use std::path::{Path, PathBuf};

use super::VerifyFault;

/// The folder of a table's files inside a store. They are written once.
const TABLES: &str = "tables";

/// A directory that is removed at the end.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new directory.
    ///
    /// # Errors
    /// Trouble with the disk.
    pub fn new() -> Result<Self, VerifyFault> {
        let path = std::env::temp_dir().join(format!("suanpan-verify-{}", std::process::id()));
        match fs::create_dir_all(&path) {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(VerifyFault::Disk { path, source }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(fault) = fs::remove_dir_all(&self.0) {
            tracing::warn!(dir = %self.0.display(), %fault, "a temporary directory stays");
        }
    }
}

/// Copies the store in `from`. Table files become links where the file system allows it.
///
/// # Errors
/// Trouble with the disk.
pub fn copy_store(from: &Path, to: &Path) -> Result<(), VerifyFault> {
    let fault = |path: &Path| {
        let path = path.to_owned();
        move |source| VerifyFault::Disk { path, source }
    };
    fs::create_dir_all(to).map_err(fault(to))?;
    let is_of_tables = from.file_name().is_some_and(|name| name == TABLES);
    for entry in fs::read_dir(from).map_err(fault(from))? {
        let entry = entry.map_err(fault(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(fault(&source))?.is_dir() {
            copy_store(&source, &target)?;
        } else if !is_of_tables || fs::hard_link(&source, &target).is_err() {
            fs::copy(&source, &target).map_err(fault(&source))?;
        }
    }
    Ok(())
}
