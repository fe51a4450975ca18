//! A disk that ends, played by the limit of a process on the size of its files: the test starts
//! itself again under that limit.

use std::process::Command;

use super::super::{ArchiveBatch, Store, StoreFault};
use super::{batch, dir, open, row};

const DIR: &str = "STORE_TEST_SMALL_DISK";
/// The store preallocates journals of 64 MiB, so the limit stands a little above.
const LIMIT_MIB: u64 = 66;

/// An order no table has room for.
fn too_large() -> ArchiveBatch {
    let mut state = 1_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let row = (0..10 << 20).flat_map(|_| noise()).collect();
    let mut batch = batch(1_000..2_000, "b");
    batch.orders.push((500, row));
    batch
}

fn assert_as_before(store: &Store) {
    assert_eq!(store.archived_up_to().unwrap(), 1_000);
    assert_eq!(*store.order(500).unwrap().unwrap(), *row(500, "a"));
    assert_eq!(store.order(1_500).unwrap(), None);
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    if let Some(path) = std::env::var_os(DIR) {
        let store = open(path.as_ref());
        let fault = store.ingest(too_large()).unwrap_err();
        assert!(matches!(fault, StoreFault::DiskFull { .. }), "{fault:?}");
        assert_as_before(&store);
        // What fits still goes in.
        store.ingest(batch(1_000..1_001, "b")).unwrap();
        assert_eq!(*store.order(1_000).unwrap().unwrap(), *row(1_000, "b"));
        return;
    }
    let dir = dir();
    open(dir.path()).ingest(batch(0..1_000, "a")).unwrap();
    let name = std::thread::current().name().unwrap().to_owned();
    // An ignored signal stays ignored in the program started: the write fails instead of the process.
    let limit = format!("trap '' XFSZ; ulimit -f {} && exec \"$0\" \"$@\"", LIMIT_MIB * 1024);
    let output = Command::new("bash")
        .args(["-c", &limit])
        .arg(std::env::current_exe().unwrap())
        .args([&name, "--exact", "--nocapture"])
        .env(DIR, dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let cried = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{cried}");
    assert!(said.contains("1 passed"), "the test was not found: {said}");

    let store = open(dir.path());
    assert_eq!(*store.order(500).unwrap().unwrap(), *row(500, "a"));
    assert_eq!(store.archived_up_to().unwrap(), 1_001);
}
