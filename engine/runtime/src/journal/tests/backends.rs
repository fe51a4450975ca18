//! The conformance suite over every backend, and what a real directory adds.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::support::{fill, held, open, options, payload, segments};
use crate::haste::Haste;
use crate::journal::{
    Access, DiskStorage, FaultyStorage, Journal, JournalFault, JournalOptions, MemoryJournal, ReleasePolicy,
    SegmentJournal, Storage, StorageFile, conformance, inspect,
};

#[test]
fn memory_conforms() {
    conformance::run(&mut || Box::new(MemoryJournal::new()), &mut |journal| journal);
}

fn segment_journal_conforms(options: &JournalOptions) {
    let root = tempfile::tempdir().unwrap();
    let made = Cell::new(0);
    let open = || -> Box<dyn Journal> {
        let dir = root.path().join(made.get().to_string());
        Box::new(SegmentJournal::open(&dir, options.clone()).unwrap())
    };
    let mut make = || {
        made.set(made.get() + 1);
        open()
    };
    conformance::run(&mut make, &mut |journal| {
        drop(journal);
        open()
    });
}

#[test]
fn segments_on_disk_conform() {
    segment_journal_conforms(&JournalOptions { segment_bytes: 4096, ..JournalOptions::default() });
}

#[test]
fn segments_on_disk_that_are_kept_conform() {
    let keep = ReleasePolicy::KeepAll;
    segment_journal_conforms(&JournalOptions { segment_bytes: 512, keep, ..JournalOptions::default() });
}

#[test]
fn segments_in_a_power_cut_before_each_restart_conform() {
    let storage = RefCell::new(FaultyStorage::new(1));
    let options = JournalOptions { max_group_bytes: 1 << 20, ..options() };
    let open = || -> Box<dyn Journal> {
        Box::new(SegmentJournal::open_in(Arc::new(storage.borrow().clone()), options.clone()).unwrap())
    };
    let mut make = || {
        storage.replace(FaultyStorage::new(2));
        open()
    };
    conformance::run(&mut make, &mut |journal| {
        storage.borrow().power_cut();
        drop(journal);
        open()
    });
}

#[test]
fn a_second_owner_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = SegmentJournal::open(dir.path(), options()).unwrap();
    let second = SegmentJournal::open(dir.path(), options());
    assert!(matches!(second, Err(JournalFault::Locked { .. })), "{second:?}");
    drop(first);
    SegmentJournal::open(dir.path(), options()).unwrap();
}

#[test]
fn groups_over_the_limit_are_refused_and_large_ones_get_their_own_segment() {
    let storage = FaultyStorage::new(0);
    let mut journal = open(&storage).unwrap();
    let mut expected = fill(&mut journal, 1, 100);
    let large = payload(9, 4096);
    expected.push((journal.append(1, &large).unwrap(), 1, large));
    let refused = journal.append(1, &payload(9, 4097));
    assert!(
        matches!(refused, Err(JournalFault::GroupTooLarge { bytes: 4097, max_bytes: 4096 })),
        "{refused:?}"
    );
    expected.extend(fill(&mut journal, 3, 100));
    assert_eq!(segments(&storage).len(), 3);
    drop(journal);
    assert_eq!(held(&open(&storage).unwrap()), expected);
}

#[test]
fn unusable_settings_are_refused() {
    for (segment_bytes, max_group_bytes) in [(248, 10), (1001, 10), (1024, (1 << 30) + 1)] {
        let options = JournalOptions { segment_bytes, max_group_bytes, ..options() };
        let answer = SegmentJournal::open_in(Arc::new(FaultyStorage::new(0)), options);
        assert!(matches!(answer, Err(JournalFault::Options { .. })), "{answer:?}");
    }
}

#[test]
fn released_segments_are_reused_and_their_groups_never_come_back() {
    let storage = FaultyStorage::new(0);
    let mut journal = open(&storage).unwrap();
    let mut expected = Vec::new();
    for round in 0..50 {
        expected.extend(fill(&mut journal, 4, 150 + round));
        journal.release_before(journal.next_lsn()).unwrap();
        expected.retain(|group| group.0 >= journal.first_lsn());
        // Every file now holds whole frames of earlier lives behind its end.
        drop(journal);
        journal = open(&storage).unwrap();
        assert_eq!(held(&journal), expected, "round {round}");
    }
    let files = storage.list().unwrap();
    assert!(files.len() <= 6, "files are reused, not piled up: {files:?}");
}

#[test]
fn kept_segments_are_renamed_and_left_alone() {
    let storage = FaultyStorage::new(0);
    let options = JournalOptions { keep: ReleasePolicy::KeepAll, ..options() };
    let mut journal = SegmentJournal::open_in(Arc::new(storage.clone()), options).unwrap();
    fill(&mut journal, 12, 200);
    let before: Vec<Vec<u8>> = segments(&storage).iter().map(|name| storage.contents(name)).collect();
    journal.release_before(journal.next_lsn()).unwrap();
    let done: Vec<String> =
        storage.list().unwrap().into_iter().filter(|name| name.ends_with(".done")).collect();
    assert_eq!(done.len(), before.len() - 1);
    for (name, bytes) in done.iter().zip(&before) {
        assert_eq!(storage.contents(name), *bytes);
    }
}

#[test]
fn a_spare_prepared_in_the_background_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions { prepare_in_background: true, ..options() };
    let mut journal = SegmentJournal::open(dir.path(), options.clone()).unwrap();
    let expected = fill(&mut journal, 100, 200);
    drop(journal);
    assert!(inspect(dir.path()).unwrap().is_whole());
    assert_eq!(held(&SegmentJournal::open(dir.path(), options).unwrap()), expected);
}

#[test]
fn a_file_is_filled_alike_at_leisure_and_in_haste() {
    let dir = tempfile::tempdir().unwrap();
    let storage = DiskStorage::create(dir.path()).unwrap();
    let bytes = (9 << 20) + 24;
    for (name, haste) in [("leisurely", Haste::default()), ("hasty", Haste::from_the_start())] {
        let file = storage.create(name).unwrap();
        // Space that is reserved reads as zeros as well; these have to be written over.
        file.write_at(0, &vec![7; usize::try_from(bytes).unwrap()]).unwrap();
        file.preallocate(bytes, &haste).unwrap();
        let written = std::fs::read(dir.path().join(name)).unwrap();
        assert_eq!(written.len() as u64, bytes, "{name}");
        assert!(written.iter().all(|byte| *byte == 0), "{name}");
    }
}

/// A disk on which files are filled only for somebody who waits.
#[derive(Debug, Clone)]
struct Unhurried {
    storage: FaultyStorage,
    /// How often nobody said that he waits.
    given_up: Arc<AtomicUsize>,
}

impl Storage for Unhurried {
    fn list(&self) -> io::Result<Vec<String>> {
        self.storage.list()
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        self.storage.open(name, access)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let file = self.storage.create(name)?;
        Ok(Box::new(UnhurriedFile { file, given_up: Arc::clone(&self.given_up) }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.storage.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.storage.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.storage.sync_dir()
    }

    fn lock(&self) -> io::Result<Box<dyn Any + Send>> {
        self.storage.lock()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.storage.path(name)
    }
}

#[derive(Debug)]
struct UnhurriedFile {
    file: Box<dyn StorageFile>,
    given_up: Arc<AtomicUsize>,
}

impl StorageFile for UnhurriedFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn preallocate(&self, bytes: u64, haste: &Haste) -> io::Result<()> {
        for _ in 0..2_000 {
            if haste.is_pressing() {
                return self.file.preallocate(bytes, haste);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.given_up.fetch_add(1, Ordering::Relaxed);
        Err(io::Error::other("nobody said that the file is waited for"))
    }
}

/// Both who appends and who closes the journal say that they wait.
#[test]
fn a_segment_that_is_waited_for_is_filled_in_haste() {
    let storage = Unhurried { storage: FaultyStorage::new(0), given_up: Arc::default() };
    let options = JournalOptions { prepare_in_background: true, ..options() };
    let mut journal = SegmentJournal::open_in(Arc::new(storage.clone()), options).unwrap();
    let expected = fill(&mut journal, 100, 200);
    assert!(segments(&storage.storage).len() > 3);
    drop(journal);
    assert_eq!(storage.given_up.load(Ordering::Relaxed), 0);
    let spares = storage.list().unwrap().into_iter().filter(|name| name.starts_with("spare"));
    assert_eq!(spares.count(), 1, "the next one was under way");
    assert_eq!(held(&open(&storage.storage).unwrap()), expected);
}
