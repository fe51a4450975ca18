//! Data written by earlier versions of the program stays readable: journals and rows of checkpoint and archive, kept as
//! `engine/runtime/tests/fixtures/engine-v*`, and what they must come to.
//!
//! When the format of the log or of rows changes on purpose, add a new folder and leave the old ones as they are:
//! `SUANPAN_FIXTURE=2 cargo test -p suanpan-sim --test fixtures -- --ignored write_fixture`.
#![expect(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::fmt::Write as _;
use std::fs;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use suanpan_runtime::codec::decode_order_row;
use suanpan_runtime::journal::{FaultyStorage, Journal, JournalOptions, SegmentJournal, Storage};
use suanpan_runtime::order_list::{Indexed, complete_index};
use suanpan_runtime::recovery::{Purpose, recover};
use suanpan_runtime::store::{Backend, MemoryTables, Space, Store, StoreOptions};
use suanpan_sim::{Plan, live_plan};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/tests/fixtures")
}

fn options() -> JournalOptions {
    JournalOptions { segment_bytes: 4_096, prepare_in_background: false, ..JournalOptions::default() }
}

/// Rows of one table: length of key, key, length of value, value, and so on; lengths are four bytes, little-endian.
fn write_rows(tables: &MemoryTables, space: Space) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut part = |part: &[u8]| {
        bytes.extend(u32::try_from(part.len()).unwrap().to_le_bytes());
        bytes.extend(part);
    };
    for row in tables.range(space, Bound::Unbounded, Bound::Unbounded) {
        let (key, value) = row.unwrap();
        part(&key);
        part(&value);
    }
    bytes
}

fn read_rows(tables: &MemoryTables, space: Space, mut bytes: &[u8]) {
    let mut part = || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        bytes = rest;
        Some(part)
    };
    while let Some(key) = part() {
        let value = part().unwrap();
        tables.write(space, vec![(key.into(), Some(value.into()))]).unwrap();
    }
}

/// What the data comes to, in words: live orders, archived orders, balances.
fn summary(storage: FaultyStorage, tables: MemoryTables) -> String {
    let journal = SegmentJournal::open_in(Arc::new(storage), options()).unwrap();
    let store = Store::open_on(Box::new(tables), Path::new("fixture"), StoreOptions::default()).unwrap();
    let recovered = recover(&store, &journal, 2, Purpose::Verify).unwrap();
    assert_eq!(recovered.all_breaks(), [""; 0]);
    let mut text = format!("log from {} to {}\n", journal.first_lsn(), journal.next_lsn() - 1);
    let mut orders: Vec<_> = recovered.orders.values().map(|known| known.look().unwrap()).collect();
    orders.sort_by_key(|order| order.id);
    for order in orders {
        writeln!(text, "live {} {} {}", order.terms.order_no, order.id, order.status).unwrap();
    }
    store
        .for_each_order(&mut |_, row| {
            let (_, order): (_, suanpan_model::Order) = decode_order_row(row).unwrap();
            writeln!(text, "archived {} {} {}", order.terms.order_no, order.id, order.status).unwrap();
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    let mut accounts: Vec<_> =
        recovered.balances.iter().flat_map(|restored| restored.ledger.accounts()).collect();
    accounts.sort_by_key(|account| account.id);
    for account in accounts {
        writeln!(text, "account {} {} {}", account.id, account.posted, account.held.minor()).unwrap();
    }
    text
}

fn load(folder: &Path) -> (FaultyStorage, MemoryTables) {
    let (storage, tables) = (FaultyStorage::new(0), MemoryTables::new());
    for entry in fs::read_dir(folder.join("journal")).unwrap() {
        let entry = entry.unwrap();
        let bytes = fs::read(entry.path()).unwrap();
        let file = storage.create(&entry.file_name().into_string().unwrap()).unwrap();
        file.write_at(0, &bytes).unwrap();
        file.sync_data().unwrap();
    }
    storage.sync_dir().unwrap();
    for space in Space::ALL {
        // A version that is older than a table has no rows of it.
        if let Ok(rows) = fs::read(folder.join(format!("{}.rows", space.name()))) {
            read_rows(&tables, space, &rows);
        }
    }
    tables.sync().unwrap();
    (storage, tables)
}

#[test]
fn data_of_every_version_is_read() {
    let mut read = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("engine-v")) {
            let (storage, tables) = load(&path);
            let expected = fs::read_to_string(path.join("expected.txt")).unwrap();
            assert_eq!(summary(storage, tables), expected, "{}", path.display());
            read += 1;
        }
    }
    assert!(read > 0, "there is no fixture");
}

#[test]
fn data_of_before_there_was_an_index_of_orders_gets_one() {
    let (_, tables) = load(&folder().join("engine-v2"));
    let store = Store::open_on(Box::new(tables), Path::new("fixture"), StoreOptions::default()).unwrap();
    let (mut archived, mut indexed, mut platform) = (Vec::new(), Vec::new(), 0);
    store
        .for_each_order(&mut |id, row| {
            let (_, order): (_, suanpan_model::Order) = decode_order_row(row).unwrap();
            platform = order.terms.platform.0;
            archived.push((id, Indexed::of(&order)));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert!(!archived.is_empty() && !store.are_orders_indexed().unwrap());
    complete_index(&store).unwrap();
    for row in store.indexed_orders(platform, 0, u64::MAX) {
        let (id, row) = row.unwrap();
        indexed.push((id, Indexed::read(&row).unwrap()));
    }
    indexed.reverse();
    assert_eq!(indexed, archived);
    assert!(store.are_orders_indexed().unwrap());
}

#[test]
#[ignore = "writes a fixture; for a new format, into a folder of its own"]
fn write_fixture() {
    let version = std::env::var("SUANPAN_FIXTURE").unwrap_or_else(|_| "1".to_owned());
    let folder = folder().join(format!("engine-v{version}"));
    // A life with a checkpoint or more, orders in the archive, and a log whose beginning was released.
    let plan = |seed| Plan { segment_bytes: 4_096, checkpoint_every_bytes: 10_000, ..Plan::of(seed) };
    let fits = |seed: &u64| {
        let report = live_plan(plan(*seed), true);
        let Some((disk, _)) = &report.disks else { return false };
        let journal = SegmentJournal::open_in(Arc::new(disk.copy()), options()).unwrap();
        report.breaks.is_empty() && report.orders >= 8 && report.records < 400 && journal.first_lsn() > 1
    };
    let seed = (1..2_000).find(fits).unwrap();
    let (disk, tables) = live_plan(plan(seed), true).disks.unwrap();
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(folder.join("journal")).unwrap();
    for name in disk.list().unwrap().into_iter().filter(|name| name.ends_with(".log")) {
        fs::write(folder.join("journal").join(&name), disk.contents(&name)).unwrap();
    }
    for space in Space::ALL {
        fs::write(folder.join(format!("{}.rows", space.name())), write_rows(&tables, space)).unwrap();
    }
    let (storage, tables) = load(&folder);
    fs::write(folder.join("expected.txt"), summary(storage, tables)).unwrap();
}
