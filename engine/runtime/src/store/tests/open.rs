use std::path::{Path, PathBuf};

use super::super::{FORMAT, Space, Store, StoreFault, StoreOptions};
use super::{batch, dir, open};

fn refusal(dir: &Path) -> StoreFault {
    match Store::open(dir, StoreOptions::default()) {
        Ok(_) => panic!("opened"),
        Err(fault) => fault,
    }
}

#[test]
fn a_store_in_use_is_refused_and_let_go_with_the_last_handle() {
    let dir = dir();
    let store = open(dir.path());
    let clone = store.clone();
    drop(store);
    let fault = refusal(dir.path());
    assert!(matches!(fault, StoreFault::InUse { .. }), "{fault:?}");
    assert!(fault.to_string().contains("in use by another process"));
    drop(clone);
    open(dir.path());
}

#[test]
fn a_newer_format_is_refused() {
    let dir = dir();
    let newer = FORMAT + 1;
    open(dir.path()).put_meta_durably("test", b"format", &newer.to_le_bytes()).unwrap();
    match refusal(dir.path()) {
        StoreFault::NewerFormat { found, supported, .. } => assert_eq!((found, supported), (newer, FORMAT)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_format_from_before_the_first_release_is_refused() {
    let dir = dir();
    open(dir.path()).put_meta_durably("test", b"format", &1_u32.to_le_bytes()).unwrap();
    let fault = refusal(dir.path());
    assert!(matches!(fault, StoreFault::OlderFormat { found: 1, supported: FORMAT, .. }), "{fault:?}");
    assert!(fault.to_string().contains("start with an empty one"), "{fault}");
}

#[test]
fn a_directory_that_cannot_be_is_a_fault_that_names_it() {
    let dir = dir();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let fault = refusal(&file.join("store"));
    assert!(matches!(fault, StoreFault::Engine { .. }), "{fault:?}");
    assert!(fault.to_string().contains("file/store"), "{fault}");
}

#[test]
fn a_row_of_the_wrong_length_is_corrupt() {
    let dir = dir();
    let store = open(dir.path());
    let row = ([7; 16].into(), Some([1].into()));
    store.inner.tables.write(Space::Keys, vec![row]).unwrap();
    let fault = store.order_id_by_key(u128::from_be_bytes([7; 16])).unwrap_err();
    assert!(matches!(fault, StoreFault::Corrupt { table: "keys", .. }), "{fault:?}");
}

#[test]
fn stats_see_the_tables() {
    let dir = dir();
    let store = open(dir.path());
    store.ingest(batch(0..1_000, "a")).unwrap();
    let stats = store.stats();
    assert!(stats.table_bytes > 0 && stats.journal_bytes > 0);
    let orders = &stats.keyspaces[0];
    assert_eq!((orders.name.as_str(), orders.tables, orders.rows_about), ("orders", 1, 1_000));
}

#[test]
fn a_start_that_was_killed_while_it_made_the_store_is_made_good() {
    let dir = dir();
    let path = dir.path().join("store");
    let unfinished = dir.path().join("store.unfinished");
    // Whatever there is of it by then.
    std::fs::create_dir(&unfinished).unwrap();
    std::fs::write(unfinished.join("version"), b"FJ").unwrap();
    let store = open(&path);
    store.ingest(batch(0..3, "a")).unwrap();
    drop(store);
    assert!(!unfinished.exists());
    assert!(open(&path).order(2).unwrap().is_some());
}

/// Whoever sees the store in its place sees all of it, at whatever moment the process may be killed.
#[test]
fn a_store_is_whole_when_it_comes_into_its_place() {
    fn folders(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders(&path, found);
                found.push(path);
            }
        }
    }
    let all = |path: &Path| {
        let mut found = Vec::new();
        folders(path, &mut found);
        found.sort_unstable();
        found
    };
    let dir = dir();
    let path = dir.path().join("store");
    let first_seen = std::thread::scope(|scope| {
        let opening = scope.spawn(|| drop(open(&path)));
        while !path.exists() && !opening.is_finished() {
            std::thread::yield_now();
        }
        let seen = all(&path);
        opening.join().unwrap();
        seen
    });
    assert_eq!(first_seen, all(&path));
    assert!(first_seen.len() >= Space::ALL.len(), "a folder for each table: {first_seen:?}");
}
