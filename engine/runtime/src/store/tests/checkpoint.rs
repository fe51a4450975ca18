use std::collections::BTreeMap;

use super::super::{CheckpointRows, Store, StoreFault, Table};
use super::{crashed, dir, open};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn load(store: &Store, table: Table) -> Rows {
    let mut rows = Rows::new();
    let count = store.load_rows::<StoreFault>(table, |key, value| {
        rows.insert(key.to_vec(), value.to_vec());
        Ok(())
    });
    assert_eq!(count.unwrap(), rows.len() as u64);
    rows
}

/// Accounts `ids` at `version`; from 1024 rows on it goes in as a sorted run, below by the journal.
fn accounts(ids: std::ops::Range<u64>, version: &str) -> CheckpointRows {
    let mut rows = CheckpointRows::new(Table::Accounts);
    for id in ids {
        rows.upsert(id.to_be_bytes(), version);
    }
    rows
}

fn without(ids: std::ops::Range<u64>) -> CheckpointRows {
    let mut rows = CheckpointRows::new(Table::Accounts);
    for id in ids {
        rows.delete(id.to_be_bytes());
    }
    rows
}

fn expected(parts: &[(std::ops::Range<u64>, &str)]) -> Rows {
    let rows = parts.iter().flat_map(|(ids, version)| {
        ids.clone().map(|id| (id.to_be_bytes().to_vec(), version.as_bytes().to_vec()))
    });
    rows.collect()
}

#[test]
fn rows_of_each_table_come_back() {
    let dir = dir();
    let store = open(dir.path());
    assert_eq!(store.checkpoint_meta().unwrap(), None);
    for table in Table::ALL {
        let mut rows = CheckpointRows::new(table);
        rows.upsert("old", "1");
        rows.upsert("name", table.name());
        rows.upsert("gone", "1");
        rows.delete("gone");
        rows.delete("never there");
        rows.delete("back");
        rows.upsert("back", "");
        rows.upsert("old", "2");
        store.write_rows(&mut rows).unwrap();
    }
    store.seal_checkpoint(b"lsn 1").unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.checkpoint_meta().unwrap().unwrap(), b"lsn 1");
    for table in Table::ALL {
        let rows = [("back", ""), ("name", table.name()), ("old", "2")];
        let rows = rows.map(|(k, v)| (k.as_bytes().to_vec(), v.as_bytes().to_vec()));
        assert_eq!(load(&store, table), Rows::from(rows));
    }
}

/// Small chunks take the journal, large ones are runs: whatever the mix, the last change counts,
/// live, after a crash and after reopening.
#[test]
fn chunks_of_every_size_apply_in_turn() {
    let dir = dir();
    let store = open(dir.path());
    type Step = (fn() -> CheckpointRows, fn() -> Rows);
    #[rustfmt::skip]
    let steps: [Step; 7] = [
        (|| accounts(0..10, "a"), || expected(&[(0..10, "a")])),
        (|| accounts(5..3_000, "b"), || expected(&[(0..5, "a"), (5..3_000, "b")])),
        (|| accounts(2..8, "c"), || expected(&[(0..2, "a"), (2..8, "c"), (8..3_000, "b")])),
        (|| without(4..2_000), || expected(&[(0..2, "a"), (2..4, "c"), (2_000..3_000, "b")])),
        (|| accounts(10..20, "d"), || expected(&[(0..2, "a"), (2..4, "c"), (10..20, "d"), (2_000..3_000, "b")])),
        (|| without(0..15), || expected(&[(15..20, "d"), (2_000..3_000, "b")])),
        (|| accounts(0..2_500, "e"), || expected(&[(0..2_500, "e"), (2_500..3_000, "b")])),
    ];
    for (i, (change, expected)) in steps.iter().enumerate() {
        store.write_rows(&mut change()).unwrap();
        assert_eq!(load(&store, Table::Accounts), expected(), "step {i}");
        store.seal_checkpoint(&[u8::try_from(i).unwrap()]).unwrap();
        let copy = crashed(&store);
        let survivor = open(copy.path());
        assert_eq!(load(&survivor, Table::Accounts), expected(), "crash {i}");
        assert_eq!(survivor.checkpoint_meta().unwrap().unwrap(), [u8::try_from(i).unwrap()]);
    }
    drop(store);
    let store = open(dir.path());
    assert_eq!(load(&store, Table::Accounts), steps[6].1());
}

#[test]
fn without_a_seal_the_previous_checkpoint_counts() {
    let dir = dir();
    let store = open(dir.path());
    store.write_rows(&mut accounts(0..2_000, "a")).unwrap();
    store.seal_checkpoint(b"lsn 1").unwrap();
    store.write_rows(&mut accounts(0..1_500, "b")).unwrap();
    store.write_rows(&mut accounts(1_990..1_995, "b")).unwrap();

    let copy = crashed(&store);
    let survivor = open(copy.path());
    assert_eq!(survivor.checkpoint_meta().unwrap().unwrap(), b"lsn 1");
    // Fuzzy: each row is of the checkpoint or newer, and none is missing.
    let rows = load(&survivor, Table::Accounts);
    assert_eq!(rows.len(), 2_000);
    assert!(rows.values().all(|v| v == b"a" || v == b"b"));

    drop(store);
    let reopened = open(dir.path());
    assert_eq!(reopened.checkpoint_meta().unwrap().unwrap(), b"lsn 1");
    assert_eq!(load(&reopened, Table::Accounts).len(), 2_000);
}

#[test]
fn loading_stops_at_the_callers_error() {
    #[derive(Debug)]
    enum Stop {
        Store(StoreFault),
        Bad(Vec<u8>),
    }
    impl From<StoreFault> for Stop {
        fn from(fault: StoreFault) -> Self {
            Stop::Store(fault)
        }
    }
    let dir = dir();
    let store = open(dir.path());
    store.write_rows(&mut accounts(0..10, "a")).unwrap();
    let mut seen = 0;
    let stopped = store.load_rows(Table::Accounts, |key, _| {
        seen += 1;
        if seen == 4 {
            return Err(Stop::Bad(key.to_vec()));
        }
        Ok(())
    });
    match stopped {
        Err(Stop::Bad(key)) => assert_eq!(key, 3_u64.to_be_bytes()),
        Err(Stop::Store(fault)) => panic!("{fault}"),
        Ok(count) => panic!("{count} rows"),
    }
    assert_eq!(seen, 4);
}
