//! Checking a data directory without changing it: the journal, what recovery makes of it, the archive, and the books of
//! simulated channels.
//!
//! Journal files are read in place, through a storage that drops what opening would write. The store has no such way
//! in: it is opened as a copy, in which table files, which are never written twice, are links.

use std::path::{Path, PathBuf};

use suanpan_core::invariants::Invariant;
use suanpan_runtime::journal::{
    DamageKind, InspectReport, JournalFault, JournalOptions, SegmentJournal, inspect,
};
use suanpan_runtime::recovery::{Purpose, Recovered, recover};
use suanpan_runtime::store::{Store, StoreOptions};

mod archive;
mod channels;
mod findings;
mod ledger;
mod read_only;
mod scratch;

use findings::Findings;
use read_only::ReadOnly;
use scratch::Scratch;

/// Why a directory cannot be verified, or what is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum VerifyFault {
    /// There is no journal in it.
    #[error("{} is not a data directory: it has no journal; name the directory of `data.dir`", .0.display())]
    NotData(PathBuf),
    /// An engine works with it.
    #[error("{} is in use by a running engine; stop it first", .0.display())]
    InUse(PathBuf),
    /// The disk.
    #[error("{}: {source}", path.display())]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The journal cannot be read at all.
    #[error(transparent)]
    Journal(#[from] JournalFault),
    /// Checks failed.
    #[error("{0} checks failed; keep the directory as it is")]
    Failed(usize),
}

/// Verifies the data directory `dir` without changing anything in it, and prints what it finds.
///
/// A last group that was being written when the process ended is no fault: it was never acknowledged. It is told.
///
/// # Errors
/// Not a data directory, one in use, trouble with the disk; then checks that failed.
pub fn run(dir: &Path) -> Result<(), VerifyFault> {
    let journal_dir = dir.join("journal");
    if !journal_dir.is_dir() {
        return Err(VerifyFault::NotData(dir.to_owned()));
    }
    let storage = ReadOnly::new(&journal_dir);
    // Held until the end, so that no engine starts meanwhile.
    let _lock = storage.lock_out_engines().map_err(|source| match source.kind() {
        std::io::ErrorKind::WouldBlock => VerifyFault::InUse(dir.to_owned()),
        _ => VerifyFault::Disk { path: journal_dir.clone(), source },
    })?;
    let report = inspect(&journal_dir)?;
    if report.segments.is_empty() && report.damage.is_none() {
        return Err(VerifyFault::NotData(dir.to_owned()));
    }
    let mut findings = Findings::default();
    if check_journal(&report, &mut findings) {
        let scratch = Scratch::new()?;
        check_state(dir, storage, &scratch, &mut findings)?;
    } else {
        findings.note("the rest cannot be checked without a whole journal");
    }
    findings.print();
    match findings.failed() {
        0 => Ok(()),
        failed => Err(VerifyFault::Failed(failed)),
    }
}

/// Prints the segments; whether the journal can be replayed.
fn check_journal(report: &InspectReport, findings: &mut Findings) -> bool {
    println!("journal");
    for segment in &report.segments {
        let name = segment.file.file_name().map(|name| name.to_string_lossy().into_owned());
        println!(
            "  {}: format {}, from record {}, {} records in {} groups, {} of {} bytes used",
            name.unwrap_or_default(),
            segment.version,
            segment.first_lsn,
            segment.records,
            segment.groups,
            segment.bytes,
            segment.file_bytes
        );
    }
    let records: u64 = report.segments.iter().map(|segment| segment.records).sum();
    let counts = format!("{} segments, {records} records", report.segments.len());
    match &report.damage {
        None => findings.check("journal is whole", counts, Vec::new()),
        Some(damage) if matches!(damage.kind, DamageKind::TornTail { .. }) => {
            findings.check("journal is whole", counts, Vec::new());
            findings.note(&damage.to_string());
        }
        Some(damage) => {
            let faults = vec![Invariant::NoGaps.broken(damage)];
            findings.check("journal is whole", counts, faults);
            return false;
        }
    }
    true
}

/// Recovers the state as a start would, and checks it.
fn check_state(
    dir: &Path,
    storage: ReadOnly,
    scratch: &Scratch,
    findings: &mut Findings,
) -> Result<(), VerifyFault> {
    let store_dir = scratch.path().join("store");
    if dir.join("store").is_dir() {
        scratch::copy_store(&dir.join("store"), &store_dir)?;
    }
    let store = match Store::open(&store_dir, StoreOptions::default()) {
        Ok(store) => store,
        Err(fault) => {
            findings.check("store opens", String::new(), vec![fault.to_string()]);
            return Ok(());
        }
    };
    let Some(recovered) = replay(storage, &store, findings) else { return Ok(()) };
    ledger::check(&recovered, findings);
    archive::check(&store, &|id| recovered.orders.contains_key(&id), findings);
    channels::check(&dir.join("channels"), scratch, &recovered, &store, findings)
}

fn replay(storage: ReadOnly, store: &Store, findings: &mut Findings) -> Option<Recovered> {
    let options = JournalOptions { prepare_in_background: false, ..JournalOptions::default() };
    let opened = SegmentJournal::open_in(std::sync::Arc::new(storage), options);
    let recovered = opened
        .map_err(|fault| fault.to_string())
        .and_then(|journal| recover(store, &journal, 1, Purpose::Verify).map_err(|fault| fault.to_string()));
    match recovered {
        Ok(recovered) => {
            let counts =
                format!("{} records after position {}", recovered.replayed, recovered.meta.replay_from.0);
            findings.check("journal can be replayed", counts, Vec::new());
            Some(recovered)
        }
        Err(fault) => {
            let faults = vec![Invariant::ReplayEqualsLive.broken(fault)];
            findings.check("journal can be replayed", String::new(), faults);
            None
        }
    }
}
