use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::{ArchiveBatch, Store};
use super::{batch, crashed, dir, fingerprint, open, row};

/// Every order with its row, in the order of a scan.
fn scan(store: &Store) -> Vec<(u64, Vec<u8>)> {
    let mut rows = Vec::new();
    let count = store.for_each_order(&mut |id, row| {
        rows.push((id, row.to_vec()));
        ControlFlow::Continue(())
    });
    assert_eq!(count.unwrap(), rows.len() as u64);
    rows
}

fn expected(parts: &[(std::ops::Range<u64>, &str)]) -> Vec<(u64, Vec<u8>)> {
    let rows = parts.iter().flat_map(|(ids, version)| ids.clone().map(|id| (id, row(id, version))));
    rows.collect()
}

#[test]
fn what_goes_in_comes_out() {
    let dir = dir();
    let store = open(dir.path());
    assert_eq!(store.archived_up_to().unwrap(), 0);
    let mut backwards = batch(1..501, "a");
    backwards.orders.reverse();
    backwards.statements.reverse();
    store.ingest(backwards).unwrap();

    assert_eq!(store.archived_up_to().unwrap(), 501);
    assert_eq!(*store.order(7).unwrap().unwrap(), *row(7, "a"));
    assert_eq!(store.order(501).unwrap(), None);
    assert_eq!(store.order_id_by_key(fingerprint(7)).unwrap(), Some(7));
    assert_eq!(store.order_id_by_key(fingerprint(501)).unwrap(), None);
    assert_eq!(scan(&store), expected(&[(1..501, "a")]));

    let mut seen = Vec::new();
    assert_eq!(store.for_each_key(&mut |key| seen.push(key)).unwrap(), 500);
    let mut keys: Vec<_> = (1..501).map(fingerprint).collect();
    keys.sort_unstable();
    assert_eq!(seen, keys);
}

#[test]
fn what_goes_in_at_leisure_comes_out_as_well() {
    let dir = dir();
    let store = open(dir.path());
    store.haste().relax();
    // Several steps of each table, and one that is newer than what is there.
    store.ingest(batch(1..40_001, "a")).unwrap();
    store.ingest(batch(39_000..40_002, "b")).unwrap();
    assert_eq!(scan(&store), expected(&[(1..39_000, "a"), (39_000..40_002, "b")]));
    let after = crashed(&store);
    assert_eq!(scan(&open(after.path())), scan(&store));
}

#[test]
fn a_scan_can_be_broken_off() {
    let dir = dir();
    let store = open(dir.path());
    store.ingest(batch(0..100, "a")).unwrap();
    let mut last = None;
    let count = store.for_each_order(&mut |id, _| {
        last = Some(id);
        if id == 9 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((count.unwrap(), last), (10, Some(9)));
}

#[test]
fn of_rows_with_one_key_the_last_counts() {
    let dir = dir();
    let store = open(dir.path());
    let twice = ArchiveBatch {
        orders: vec![(2, b"x".into()), (1, b"old".into()), (1, b"mid".into()), (1, b"new".into())],
        keys: vec![(9, 1), (9, 2)],
        ..ArchiveBatch::default()
    };
    store.ingest(twice).unwrap();
    assert_eq!(scan(&store), [(1, b"new".to_vec()), (2, b"x".to_vec())].to_vec());
    assert_eq!(store.order_id_by_key(9).unwrap(), Some(2));
}

#[test]
fn the_same_batch_again_changes_nothing() {
    let dir = dir();
    let store = open(dir.path());
    for _ in 0..3 {
        store.ingest(batch(0..2_000, "a")).unwrap();
    }
    assert_eq!(scan(&store), expected(&[(0..2_000, "a")]));
    assert_eq!(store.for_each_key(&mut |_| {}).unwrap(), 2_000);
    assert_eq!(store.statement(3, 0, u64::MAX, 1_000).unwrap().len(), 40);
    store.ingest(ArchiveBatch::default()).unwrap();
    assert_eq!(store.archived_up_to().unwrap(), 2_000, "never falls");
}

/// A run must be newer than what lies there, also when "what lies there" was read back from disk.
#[test]
fn later_batches_win_before_and_after_reopening() {
    let dir = dir();
    {
        let store = open(dir.path());
        store.ingest(batch(0..1_000, "a")).unwrap();
        store.ingest(batch(500..1_500, "b")).unwrap();
        assert_eq!(scan(&store), expected(&[(0..500, "a"), (500..1_500, "b")]));
    }
    for version in ["c", "d", "e"] {
        let store = open(dir.path());
        store.ingest(batch(900..1_600, version)).unwrap();
        let all = [(0..500, "a"), (500..900, "b"), (900..1_600, version)];
        assert_eq!(scan(&store), expected(&all));
        assert_eq!(*store.order(950).unwrap().unwrap(), *row(950, version));
    }
}

#[test]
fn a_batch_is_durable_when_the_call_returns() {
    let dir = dir();
    let store = open(dir.path());
    for n in 0..5 {
        store.ingest(batch(n * 300..(n + 2) * 300, "a")).unwrap();
        let copy = crashed(&store);
        let survivor = open(copy.path());
        assert_eq!(survivor.archived_up_to().unwrap(), (n + 2) * 300);
        assert_eq!(scan(&survivor), expected(&[(0..(n + 2) * 300, "a")]));
    }
}

/// Orders in, keys and watermark not: the batch comes again and completes.
#[test]
fn half_a_batch_is_completed_by_feeding_it_again() {
    let dir = dir();
    let store = open(dir.path());
    let whole = batch(0..800, "a");
    let half = ArchiveBatch { orders: whole.orders.clone(), ..ArchiveBatch::default() };
    store.ingest(half).unwrap();
    let copy = crashed(&store);
    let survivor = open(copy.path());
    assert_eq!(survivor.archived_up_to().unwrap(), 0);
    survivor.ingest(whole).unwrap();
    assert_eq!(survivor.archived_up_to().unwrap(), 800);
    assert_eq!(scan(&survivor), expected(&[(0..800, "a")]));
    assert_eq!(survivor.order_id_by_key(fingerprint(799)).unwrap(), Some(799));
}

#[test]
fn statements_by_range() {
    let dir = dir();
    let store = open(dir.path());
    let chunk = |account: u64, lsn: u64| ((account, lsn), lsn.to_string().into_bytes());
    for (first, second) in [(10, 20), (30, 40), (50, 60)] {
        let statements =
            vec![chunk(6, 1), chunk(7, first), chunk(8, 5), chunk(7, second), chunk(u64::MAX, u64::MAX)];
        let batch = ArchiveBatch { statements, ..ArchiveBatch::default() };
        store.ingest(batch).unwrap();
    }
    #[rustfmt::skip]
    let table: &[(u64, u64, u64, usize, &[u64])] = &[
        // account, from, to, limit, first positions of the chunks
        (7, 0, u64::MAX, 9, &[10, 20, 30, 40, 50, 60]),
        (7, 10, 30, 9, &[10, 20, 30]),
        (7, 29, 30, 9, &[20, 30]), // 20 may reach to 29
        (7, 30, 30, 9, &[30]),
        (7, 31, 39, 9, &[30]),
        (7, 0, 9, 9, &[]),
        (7, 61, u64::MAX, 9, &[60]),
        (7, 0, u64::MAX, 2, &[10, 20]),
        (7, 35, u64::MAX, 2, &[30, 40]),
        (7, 35, u64::MAX, 1, &[30]),
        (7, 35, u64::MAX, 0, &[]),
        (7, 40, 39, 9, &[]),
        (6, 0, u64::MAX, 9, &[1]),
        (9, 0, u64::MAX, 9, &[]), // the chunk before is another account's
        (u64::MAX, u64::MAX, u64::MAX, 9, &[u64::MAX]),
    ];
    for &(account, from, to, limit, expected) in table {
        let chunks = store.statement(account, from, to, limit).unwrap();
        let got: Vec<_> = chunks.iter().map(|c| c.first_lsn).collect();
        assert_eq!(got, expected, "{account} {from}..={to} limit {limit}");
        for chunk in chunks {
            assert_eq!(*chunk.postings, *chunk.first_lsn.to_string().as_bytes());
        }
    }
}

/// Random keys overlap every earlier run: without merging there would be as many tables as runs.
#[test]
fn tables_do_not_pile_up() {
    let dir = dir();
    let store = open(dir.path());
    for n in 0..120 {
        store.ingest(batch(n * 50..n * 50 + 100, "a")).unwrap();
    }
    let patience = std::time::Instant::now();
    let backlog = || {
        let stats = store.stats();
        stats.keyspaces.into_iter().take(3).map(|k| k.tables).max()
    };
    while backlog() > Some(40) && patience.elapsed().as_secs() < 5 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(backlog() <= Some(40), "{:?}", store.stats());
    assert_eq!(scan(&store), expected(&[(0..6_050, "a")]));
}

/// Readers see all of a run or nothing of it, and never an older row after a newer one.
#[test]
fn reads_go_on_while_batches_come_in() {
    let dir = dir();
    let store = open(dir.path());
    store.ingest(batch(0..500, "000")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut newest = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let rows = scan(&store);
                assert_eq!(rows.len(), 500);
                let version = |i: usize| rows[i].1[rows[i].1.len() - 3..].to_vec();
                assert!((0..500).all(|i| version(i) == version(0)), "half a run");
                assert!(version(0) >= newest);
                newest = version(0);
                let row = store.order(123).unwrap().unwrap();
                assert!(row[row.len() - 3..] >= newest[..]);
            }
        });
        for n in 1..40 {
            store.ingest(batch(0..500, &format!("{n:03}"))).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert_eq!(scan(&store), expected(&[(0..500, "039")]));
}
