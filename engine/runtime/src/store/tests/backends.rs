//! Both kinds of tables do the same.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use super::super::disk::Disk;
use super::super::{
    ArchiveBatch, Backend, Change, CheckpointRows, Expired, MemoryTables, Space, Store, StoreOptions, Table,
};
use super::dir;
use crate::haste::Haste;

fn put(key: &str, value: &str) -> Change {
    (key.as_bytes().into(), Some(value.as_bytes().into()))
}

fn rows(tables: &dyn Backend, space: Space, from: Bound<&str>, to: Bound<&str>) -> Vec<(String, String)> {
    let bound = |bound: Bound<&str>| bound.map(|key| key.as_bytes().to_vec());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    tables
        .range(space, bound(from), bound(to))
        .map(|row| row.map(|(key, value)| (text(&key), text(&value))).unwrap())
        .collect()
}

fn both(check: impl Fn(Box<dyn Backend>)) {
    let dir = dir();
    check(Box::new(
        Disk::open(dir.path(), &StoreOptions::default(), &Arc::new(Haste::from_the_start())).unwrap(),
    ));
    check(Box::new(MemoryTables::new()));
}

#[test]
fn rows_are_read_in_order_and_the_last_write_counts() {
    both(|tables| {
        let space = Space::Checkpoint(Table::Accounts);
        tables.write(space, vec![put("b", "1"), put("a", "1"), put("c", "1")]).unwrap();
        tables.ingest(space, &mut vec![put("b", "2"), put("d", "2")].into_iter()).unwrap();
        tables.write(space, vec![("a".as_bytes().into(), None), put("e", "3")]).unwrap();
        let all = rows(&*tables, space, Bound::Unbounded, Bound::Unbounded);
        let expected = [("b", "2"), ("c", "1"), ("d", "2"), ("e", "3")];
        assert_eq!(all, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let some = rows(&*tables, space, Bound::Included("b"), Bound::Included("c"));
        assert_eq!(some.len(), 2);
        let last = tables.range(space, Bound::Unbounded, Bound::Included(b"cc".to_vec())).next_back();
        assert_eq!(&*last.unwrap().unwrap().0, b"c");
        assert_eq!(tables.get(space, b"a").unwrap(), None);
        assert_eq!(tables.get(space, b"e").unwrap().as_deref(), Some(&b"3"[..]));
        assert!(rows(&*tables, Space::Orders, Bound::Unbounded, Bound::Unbounded).is_empty());
        tables.ingest(Space::Keys, &mut std::iter::empty()).unwrap();
        tables.sync().unwrap();
        tables.check_writable().unwrap();
    });
}

#[test]
fn the_store_above_them_is_the_same() {
    both(|tables| {
        let store = Store::open_on(tables, Path::new("tables"), StoreOptions::default()).unwrap();
        let batch = ArchiveBatch {
            orders: vec![(2, b"two".into()), (1, b"one".into())],
            keys: vec![(20, 2), (10, 1)],
            index: vec![((7, 2), b"b".into()), ((8, 1), b"c".into()), ((7, 1), b"a".into())],
            statements: vec![((7, 5), b"five".to_vec()), ((7, 1), b"first".to_vec())],
            watermark: 9,
        };
        store.ingest(batch.clone()).unwrap();
        store.ingest(batch).unwrap();
        assert_eq!(store.order(2).unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(store.order_id_by_key(10).unwrap(), Some(1));
        assert_eq!(store.statement(7, 2, 9, 10).unwrap().len(), 2, "the chunk that reaches in is told");
        let indexed = |from, before| -> Vec<u64> {
            store.indexed_orders(7, from, before).map(|row| row.unwrap().0).collect()
        };
        assert_eq!(indexed(0, u64::MAX), [2, 1], "newest first, and of one platform");
        assert_eq!((indexed(2, 9), indexed(0, 2), indexed(2, 2)), (vec![2], vec![1], vec![]));
        assert_eq!(store.archived_up_to().unwrap(), 9);
        let mut changes = CheckpointRows::new(Table::Holds);
        changes.upsert(*b"k", *b"v");
        store.write_rows(&mut changes).unwrap();
        store.seal_checkpoint(b"meta").unwrap();
        assert_eq!(store.checkpoint_meta().unwrap().as_deref(), Some(&b"meta"[..]));
        let mut seen = 0;
        store
            .load_rows(Table::Holds, |key, value| -> Result<(), super::super::StoreFault> {
                assert_eq!((key, value), (&b"k"[..], &b"v"[..]));
                seen += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, 1);
    });
}

/// What a power cut leaves of tables in memory is what the contract says.
#[test]
fn a_power_cut_leaves_runs_and_synced_writes() {
    let tables = MemoryTables::new();
    let (one, other) = (Space::Checkpoint(Table::Accounts), Space::Checkpoint(Table::Holds));
    tables.write(one, vec![put("synced", "1")]).unwrap();
    tables.sync().unwrap();
    tables.write(one, vec![put("before a run", "1")]).unwrap();
    tables.write(other, vec![put("first", "1")]).unwrap();
    tables.write(other, vec![put("second", "1")]).unwrap();
    tables.ingest(one, &mut vec![put("run", "1")].into_iter()).unwrap();
    assert_eq!(tables.unsynced(), 2);
    tables.power_cut(1);
    let left = |space| rows(&tables, space, Bound::Unbounded, Bound::Unbounded).len();
    assert_eq!((left(one), left(other)), (3, 1));
    tables.fail_writes(1, std::io::ErrorKind::StorageFull);
    tables.sync().unwrap();
    tables.sync().unwrap_err();
    tables.heal();
    tables.sync().unwrap();
}

#[test]
fn of_what_expired_the_store_says_so_before_anything_is_gone() {
    both(|tables| {
        let store = Store::open_on(tables, Path::new("tables"), StoreOptions::default()).unwrap();
        let row = |lsn| ((7, lsn, 0), b"told".to_vec());
        store.announce(vec![row(1), row(2), row(3), ((8, 1, 0), b"other".to_vec())]).unwrap();
        assert_eq!(store.announcements_expired(7).unwrap(), Expired::default());
        store.expire_announcements(7, (2, 0), &[(7, 1, 0)]).unwrap();
        let left = |platform| {
            let rows = store.announcements(platform, (0, 0), 9).unwrap();
            rows.iter().map(|((_, lsn, _), _)| *lsn).collect::<Vec<_>>()
        };
        assert_eq!((left(7), left(8)), (vec![2, 3], vec![1]));
        assert_eq!(store.announcements_expired(7).unwrap(), Expired { removed: (0, 0), upto: (2, 0) });
        store.expire_announcements(7, (3, 255), &[(7, 3, 0)]).unwrap();
        assert_eq!(store.announcements_expired(7).unwrap(), Expired { removed: (2, 0), upto: (3, 255) });
        assert_eq!(store.announcements_expired(8).unwrap(), Expired::default());
    });
    // A note that could not be synced is made again, and so is what it was to be followed by.
    let tables = MemoryTables::new();
    let open =
        || Store::open_on(Box::new(tables.clone()), Path::new("tables"), StoreOptions::default()).unwrap();
    let store = open();
    store.announce((1..5).map(|lsn| ((7, lsn, 0), b"told".to_vec())).collect()).unwrap();
    for fails_at in 1..4 {
        tables.fail_writes(fails_at, std::io::ErrorKind::StorageFull);
        let expire = || store.expire_announcements(7, (2, 0), &[(7, 1, 0), (7, 2, 0)]);
        let failed = (0..9).map(|_| expire()).find(Result::is_err);
        tables.heal();
        assert!(failed.is_some(), "write {fails_at}");
    }
    store.expire_announcements(7, (4, 0), &[(7, 1, 0), (7, 2, 0), (7, 3, 0), (7, 4, 0)]).unwrap();
    tables.power_cut(0);
    assert_eq!(open().announcements_expired(7).unwrap(), Expired { removed: (2, 0), upto: (4, 0) });
    assert_eq!(open().announcements(7, (0, 0), 9).unwrap().len(), 2, "what goes last is lost with the power");
    // A run makes durable what was written to its table before, and nothing of other tables.
    let tables = MemoryTables::new();
    let open =
        || Store::open_on(Box::new(tables.clone()), Path::new("tables"), StoreOptions::default()).unwrap();
    let store = open();
    store.announce(vec![((7, 1, 0), b"told".to_vec())]).unwrap();
    store.expire_announcements(7, (1, 0), &[(7, 1, 0)]).unwrap();
    tables.ingest(Space::Announcements, &mut std::iter::empty()).unwrap();
    tables.power_cut(0);
    assert_eq!(open().announcements_expired(7).unwrap().upto, (1, 0));
}
