//! The demo's directory: whose it is, and the mall's own record of what was acknowledged.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::DemoFault;

const SEED_FILE: &str = "demo-seed";
const RECORD_FILE: &str = "acknowledged.txt";
const CHANNELS_FILE: &str = "channels.toml";

/// A directory in which a demo runs or ran.
#[derive(Debug)]
pub struct Directory {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it was made for this run alone.
    pub is_temporary: bool,
    /// Whether an earlier run left something in it.
    pub is_continued: bool,
}

impl Directory {
    /// Takes `path`, or a new temporary directory, for runs with `seed`.
    ///
    /// # Errors
    /// Trouble with the disk; a directory that holds something else, or a demo with another seed.
    pub fn take(path: Option<&Path>, seed: u64) -> Result<Self, DemoFault> {
        let (path, is_temporary) = match path {
            Some(path) => (path.to_owned(), false),
            None => (std::env::temp_dir().join(format!("suanpan-demo-{}", std::process::id())), true),
        };
        let fault = |source| DemoFault::Directory { path: path.clone(), source };
        fs::create_dir_all(&path).map_err(fault)?;
        let seed_file = path.join(SEED_FILE);
        let is_continued = seed_file.exists();
        if is_continued {
            let found = fs::read_to_string(&seed_file).map_err(fault)?;
            if found.trim() != seed.to_string() {
                return Err(DemoFault::OtherSeed { path, found: found.trim().to_owned(), seed });
            }
        } else if fs::read_dir(&path).map_err(fault)?.next().is_some() {
            return Err(DemoFault::NotADemo(path));
        } else {
            fs::write(&seed_file, format!("{seed}\n")).map_err(fault)?;
        }
        Ok(Self { path, is_temporary, is_continued })
    }

    /// Writes the descriptors of the channels and says where.
    ///
    /// # Errors
    /// Trouble with the disk.
    pub fn write_channels(&self, descriptors: &str) -> Result<PathBuf, DemoFault> {
        let path = self.path.join(CHANNELS_FILE);
        match fs::write(&path, descriptors) {
            Ok(()) => Ok(path),
            Err(source) => Err(DemoFault::Directory { path, source }),
        }
    }

    /// The mall's record.
    ///
    /// # Errors
    /// Trouble with the disk; a line that is no record.
    pub fn record(&self) -> Result<Record, DemoFault> {
        Record::open(&self.path.join(RECORD_FILE))
    }

    /// Removes a temporary directory.
    pub fn remove_if_temporary(&self) {
        if self.is_temporary
            && let Err(fault) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(dir = %self.path.display(), %fault, "the temporary directory stays");
        }
    }
}

/// Orders that were acknowledged: the mall's number and the engine's, a line each, written after the answer came.
#[derive(Debug)]
pub struct Record {
    file: File,
    path: PathBuf,
    orders: BTreeMap<String, String>,
}

impl Record {
    /// Opens a record, and cuts off a last line that was being written when the program ended.
    ///
    /// # Errors
    /// Trouble with the disk; a line that is no record.
    pub fn open(path: &Path) -> Result<Self, DemoFault> {
        let fault = |source| DemoFault::Directory { path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(fault)?;
        let text = fs::read_to_string(path).map_err(fault)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(fault)?;
        let line = |line: &str| line.split_once(' ').map(|(no, id)| (no.to_owned(), id.to_owned()));
        let orders = text[..whole].lines().map(line).collect::<Option<_>>();
        let orders = orders.ok_or_else(|| DemoFault::NotADemo(path.to_owned()))?;
        Ok(Self { file, path: path.to_owned(), orders })
    }

    /// Adds orders, each with the mall's number and the engine's. False when one of them was acknowledged before under
    /// another number of the engine's.
    ///
    /// # Errors
    /// Trouble with the disk.
    pub fn add(&mut self, orders: &[(String, String)]) -> Result<bool, DemoFault> {
        let mut lines = String::new();
        let mut agrees = true;
        for (no, id) in orders {
            match self.orders.get(no) {
                Some(known) => agrees &= known == id,
                None => {
                    lines.push_str(&format!("{no} {id}\n"));
                    self.orders.insert(no.clone(), id.clone());
                }
            }
        }
        let written = self.file.write_all(lines.as_bytes());
        written.map_err(|source| DemoFault::Directory { path: self.path.clone(), source })?;
        Ok(agrees)
    }

    /// Every acknowledged order: the mall's number and the engine's.
    #[must_use]
    pub const fn orders(&self) -> &BTreeMap<String, String> {
        &self.orders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_continued_and_a_torn_line_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record");
        let pair = |no: &str, id: &str| (no.to_owned(), id.to_owned());
        let mut record = Record::open(&path).unwrap();
        assert!(record.add(&[pair("a", "1"), pair("b", "2")]).unwrap());
        drop(record);
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("c 3");
        fs::write(&path, text).unwrap();
        let mut record = Record::open(&path).unwrap();
        assert_eq!(record.orders().len(), 2);
        assert!(record.add(&[pair("a", "1"), pair("d", "4")]).unwrap());
        assert!(!record.add(&[pair("a", "9")]).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a 1\nb 2\nd 4\n");
    }

    #[test]
    fn a_directory_belongs_to_one_seed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("demo");
        assert!(!Directory::take(Some(&path), 1).unwrap().is_continued);
        assert!(Directory::take(Some(&path), 1).unwrap().is_continued);
        assert!(matches!(Directory::take(Some(&path), 2), Err(DemoFault::OtherSeed { .. })));
        let other = dir.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("letter"), "dear").unwrap();
        assert!(matches!(Directory::take(Some(&other), 1), Err(DemoFault::NotADemo(_))));
    }
}
