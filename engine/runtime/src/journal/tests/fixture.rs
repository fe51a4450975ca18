//! Files written in format version 1 by an earlier build. They must stay readable for ever: never rewrite them; a
//! new format gets a fixture of its own beside this one.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::support::{Owned, held, options, payload};
use crate::journal::{FaultyStorage, Journal, JournalOptions, SegmentJournal, Storage, inspect};

fn dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal-v1")
}

fn fixture_options() -> JournalOptions {
    JournalOptions { segment_bytes: 512, max_spares: 0, ..options() }
}

/// What the fixture holds: three segments, the first one already released.
fn groups() -> Vec<Owned> {
    let mut lsn = 1;
    (0..9_u32)
        .map(|n| {
            let group = (lsn, n % 4 + 1, payload(u64::from(n), 20 * n as usize));
            lsn += u64::from(group.1);
            group
        })
        .collect()
}

fn write(storage: Arc<dyn Storage>) -> SegmentJournal {
    let mut journal = SegmentJournal::open_in(storage, fixture_options()).unwrap();
    for (_, records, payload) in groups() {
        journal.append(records, &payload).unwrap();
    }
    journal.release_before(12).unwrap();
    journal
}

fn load() -> FaultyStorage {
    let storage = FaultyStorage::new(0);
    for entry in fs::read_dir(dir()).unwrap() {
        let entry = entry.unwrap();
        let bytes = fs::read(entry.path()).unwrap();
        storage.create(&entry.file_name().into_string().unwrap()).unwrap().write_at(0, &bytes).unwrap();
    }
    storage.sync_dir().unwrap();
    storage
}

#[test]
#[ignore = "writes the fixture; only for a new format version, into a directory of its own"]
fn write_fixture() {
    fs::create_dir_all(dir()).unwrap();
    let storage = FaultyStorage::new(0);
    drop(write(Arc::new(storage.clone())));
    for name in storage.list().unwrap() {
        fs::write(dir().join(&name), storage.contents(&name)).unwrap();
    }
}

#[test]
fn version_1_is_readable_and_can_be_continued() {
    let report = inspect(&dir()).unwrap();
    assert!(report.is_whole() && report.segments.iter().all(|segment| segment.version == 1));
    let storage = load();
    let mut journal = SegmentJournal::open_in(Arc::new(storage.clone()), fixture_options()).unwrap();
    assert!(journal.first_lsn() > 1);
    let mut expected: Vec<Owned> =
        groups().into_iter().filter(|group| group.0 >= journal.first_lsn()).collect();
    assert_eq!(held(&journal), expected);
    assert_eq!(journal.next_lsn(), 22);
    expected.push((journal.append(1, b"new").unwrap(), 1, b"new".to_vec()));
    drop(journal);
    let journal = SegmentJournal::open_in(Arc::new(storage), fixture_options()).unwrap();
    assert_eq!(held(&journal), expected);
}

#[test]
fn version_1_is_still_written_byte_for_byte() {
    let (written, fixture) = (FaultyStorage::new(0), load());
    drop(write(Arc::new(written.clone())));
    assert_eq!(written.list().unwrap(), fixture.list().unwrap());
    for name in fixture.list().unwrap() {
        assert!(written.contents(&name) == fixture.contents(&name), "{name}");
    }
}
