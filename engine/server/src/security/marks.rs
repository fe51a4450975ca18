//! What was admitted ahead of the clock, so that a restart opens no hole for replays.
//!
//! Nonces are lost with the process. Whatever was signed up to the start is therefore refused ("sign again"). A caller
//! whose clock is ahead signs times beyond the start, though: the latest of them is written to a file, for each key,
//! before the first such request is admitted, and after a restart nothing up to it is admitted again. Clocks that are right
//! never come here.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use smol_str::SmolStr;

use super::fault::SecurityFault;

/// How much more is written than needed, in seconds, so that a clock that is ahead costs the disk little.
const STEP_S: u64 = 10;

/// Latest signed times by key.
#[derive(Debug)]
pub struct Marks {
    path: PathBuf,
    start_s: u64,
    /// As they were at the start.
    before: HashMap<SmolStr, u64>,
    /// As they stand in the file.
    written: Mutex<HashMap<SmolStr, u64>>,
}

impl Marks {
    /// Reads the file; none is one without marks.
    pub(super) fn open(path: &Path, start_s: u64) -> Result<Self, SecurityFault> {
        let text = match std::fs::read_to_string(path) {
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|source| SecurityFault::File {
                key: "signed-ahead".to_owned(),
                path: path.to_owned(),
                source,
            })?,
        };
        let mut before = HashMap::new();
        for (place, line) in text.lines().enumerate() {
            let mark = line.split_once(' ').and_then(|(id, mark_s)| Some((id, mark_s.parse().ok()?)));
            let wrong = || SecurityFault::Marks { path: path.to_owned(), line: place + 1 };
            let (id, mark_s): (&str, u64) = mark.ok_or_else(wrong)?;
            // What lies behind the start is of no use any more.
            if mark_s > start_s {
                before.insert(id.into(), mark_s);
            }
        }
        Ok(Self { path: path.to_owned(), start_s, written: Mutex::new(before.clone()), before })
    }

    /// Nothing that the key signed up to this second is admitted.
    pub(super) fn floor_s(&self, key_id: &str) -> u64 {
        self.before.get(key_id).copied().unwrap_or(0).max(self.start_s)
    }

    /// Whether a request of this time may be admitted without writing.
    pub(super) fn covers(&self, key_id: &str, now_s: u64, timestamp_s: u64) -> bool {
        timestamp_s <= now_s || self.lock().get(key_id).is_some_and(|written_s| *written_s >= timestamp_s)
    }

    /// Writes that requests of this time are admitted. Waits for the disk.
    pub(super) fn raise(&self, key_id: &str, now_s: u64, timestamp_s: u64) -> std::io::Result<()> {
        if self.covers(key_id, now_s, timestamp_s) {
            return Ok(());
        }
        let mut written = self.lock();
        let mut next = written.clone();
        next.retain(|_, mark_s| *mark_s > now_s);
        next.insert(key_id.into(), timestamp_s + STEP_S);
        replace(&self.path, &next)?;
        *written = next;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SmolStr, u64>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts another file in the place of the first, so that a crash leaves one of the two.
fn replace(path: &Path, marks: &HashMap<SmolStr, u64>) -> std::io::Result<()> {
    let text: String = marks.iter().map(|(id, mark_s)| format!("{id} {mark_s}\n")).collect();
    let draft = path.with_extension("new");
    let mut file = File::create(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    File::open(path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
}
