//! A storage that fails: every operation, one after the other; a full disk; both, then a power cut.

use std::io::ErrorKind;

use super::support::{Owned, held, open, payload, segments};
use crate::journal::{Fault, FaultyStorage, Journal, JournalFault, Operation, SegmentJournal, Storage};

const OPERATIONS: [Operation; 6] = [
    Operation::Write,
    Operation::Sync,
    Operation::SyncDir,
    Operation::Create,
    Operation::Rename,
    Operation::Remove,
];

/// Appends until it works, as a caller does. Returns how often it failed.
fn append_stubbornly(journal: &mut SegmentJournal, acked: &mut Vec<Owned>, bytes: usize) -> usize {
    let lsn = journal.next_lsn();
    let payload = payload(lsn, bytes);
    for failed in 0..10 {
        match journal.append(2, &payload) {
            Ok(first_lsn) => {
                assert_eq!(first_lsn, lsn, "a failed group takes no number");
                acked.push((first_lsn, 2, payload));
                return failed;
            }
            Err(fault) => {
                assert!(fault.is_retryable(), "{fault}");
                assert_eq!(journal.next_lsn(), lsn);
                assert_eq!(held(journal), *acked, "nothing of a failed group counts");
            }
        }
    }
    panic!("still failing");
}

#[test]
fn any_single_failure_is_survived_by_repeating() {
    for operation in OPERATIONS {
        for nth in 1..60 {
            for short_bytes in [0, 40, 100] {
                let storage = FaultyStorage::new(nth);
                let mut journal = open(&storage).unwrap();
                storage.fail(Fault { operation, nth, kind: ErrorKind::Other, short_bytes });
                let mut acked = Vec::new();
                for n in 0..14 {
                    append_stubbornly(&mut journal, &mut acked, 60 + n * 40);
                    if n == 9 && journal.release_before(10).is_err() {
                        journal.release_before(10).unwrap();
                    }
                    acked.retain(|group| group.0 >= journal.first_lsn());
                }
                storage.heal();
                drop(journal);
                let reopened = open(&storage).unwrap_or_else(|fault| panic!("{operation:?} {nth}: {fault}"));
                assert_eq!(held(&reopened), acked, "{operation:?} {nth}");
                drop(reopened);
                storage.power_cut();
                assert_eq!(held(&open(&storage).unwrap()), acked, "{operation:?} {nth}, power cut");
            }
        }
    }
}

#[test]
fn after_any_failure_a_restart_finds_the_group_whole_or_not_at_all() {
    let mut seen = [false; 2];
    for operation in OPERATIONS {
        for nth in 1..40 {
            for power_cut in [false, true] {
                let storage = FaultyStorage::new(nth);
                let mut journal = open(&storage).unwrap();
                storage.fail(Fault { operation, nth, kind: ErrorKind::Other, short_bytes: 77 });
                let mut acked: Vec<Owned> = Vec::new();
                let in_doubt = (0..20).find_map(|n| {
                    let payload = payload(n, 180);
                    match journal.append(1, &payload) {
                        Ok(lsn) => {
                            acked.push((lsn, 1, payload));
                            None
                        }
                        Err(_) => Some((journal.next_lsn(), 1, payload)),
                    }
                });
                if power_cut {
                    storage.power_cut();
                }
                drop(journal);
                storage.heal();
                for round in 0..3 {
                    let journal = open(&storage).unwrap();
                    let found = held(&journal);
                    if found.len() > acked.len() {
                        acked.extend(in_doubt.clone().filter(|_| round == 0));
                    }
                    assert_eq!(found, acked, "{operation:?} {nth}, round {round}");
                    seen[usize::from(acked.len() == 20)] = true;
                    drop(journal);
                    // What a restart has found must not depend on pages that were never written.
                    storage.power_cut();
                }
            }
        }
    }
    assert_eq!(seen, [true, true]);
}

#[test]
fn after_a_failed_sync_the_group_goes_to_a_fresh_segment() {
    let storage = FaultyStorage::new(0);
    let mut journal = open(&storage).unwrap();
    let mut acked = Vec::new();
    append_stubbornly(&mut journal, &mut acked, 100);
    storage.fail(Fault { operation: Operation::Sync, nth: 1, kind: ErrorKind::Other, short_bytes: 0 });
    let answer = journal.append(2, &payload(3, 200));
    assert!(matches!(answer, Err(JournalFault::SyncFailed { .. })), "{answer:?}");
    append_stubbornly(&mut journal, &mut acked, 100);
    assert_eq!(segments(&storage).len(), 2);
    // The failed group, whole in the page cache, is behind the end of the first segment.
    drop(journal);
    assert_eq!(held(&open(&storage).unwrap()), acked);
}

#[test]
fn a_disk_on_which_every_sync_fails_is_not_filled() {
    let storage = FaultyStorage::new(0);
    let mut journal = open(&storage).unwrap();
    let mut acked = Vec::new();
    append_stubbornly(&mut journal, &mut acked, 100);
    for nth in 1..200 {
        storage.fail(Fault { operation: Operation::Sync, nth, kind: ErrorKind::Other, short_bytes: 0 });
    }
    for _ in 0..30 {
        assert!(journal.append(1, b"again").is_err());
    }
    storage.heal();
    append_stubbornly(&mut journal, &mut acked, 100);
    assert!(storage.list().unwrap().len() <= 3, "{:?}", storage.list());
    drop(journal);
    assert_eq!(held(&open(&storage).unwrap()), acked);
}

#[test]
fn a_full_disk_stops_appends_until_there_is_space_again() {
    let storage = FaultyStorage::new(0);
    let mut journal = open(&storage).unwrap();
    storage.set_capacity(Some(3000));
    let mut acked = Vec::new();
    let fault = loop {
        let payload = payload(journal.next_lsn(), 100);
        match journal.append(1, &payload) {
            Ok(lsn) => acked.push((lsn, 1, payload)),
            Err(fault) => break fault,
        }
    };
    assert!(fault.to_string().contains("free space"), "{fault}");
    for _ in 0..5 {
        let answer = journal.append(1, b"no space");
        let full = matches!(&answer, Err(JournalFault::Io { source, .. }) if source.kind() == ErrorKind::StorageFull);
        assert!(full, "{answer:?}");
    }
    // A restart on the full disk works, too.
    drop(journal);
    let mut journal = open(&storage).unwrap();
    assert_eq!(held(&journal), acked);
    assert!(journal.append(1, &payload(1, 900)).is_err());
    // Releasing gives space back without the disk growing.
    let keep = journal.next_lsn();
    journal.release_before(keep).unwrap();
    acked.retain(|group| group.0 >= journal.first_lsn());
    append_stubbornly(&mut journal, &mut acked, 900);
    storage.set_capacity(None);
    for _ in 0..20 {
        append_stubbornly(&mut journal, &mut acked, 300);
    }
    drop(journal);
    assert_eq!(held(&open(&storage).unwrap()), acked);
}

#[test]
fn a_smaller_group_after_a_failed_change_of_segment_is_not_lost() {
    for operation in OPERATIONS {
        for nth in 1..6 {
            let storage = FaultyStorage::new(nth);
            let mut journal = open(&storage).unwrap();
            let mut acked = Vec::new();
            append_stubbornly(&mut journal, &mut acked, 100);
            storage.fail(Fault { operation, nth, kind: ErrorKind::Other, short_bytes: 0 });
            // Does not fit this segment; the caller gives up on it and appends something that would.
            if journal.append(1, &payload(0, 900)).is_ok() {
                acked.push((3, 1, payload(0, 900)));
            }
            storage.heal();
            append_stubbornly(&mut journal, &mut acked, 10);
            storage.power_cut();
            drop(journal);
            assert_eq!(held(&open(&storage).unwrap()), acked, "{operation:?} {nth}");
        }
    }
}

#[test]
fn a_segment_whose_name_was_not_durable_is_made_so_by_a_restart() {
    for seed in 0..20 {
        let storage = FaultyStorage::new(seed);
        let mut journal = open(&storage).unwrap();
        let mut acked = Vec::new();
        append_stubbornly(&mut journal, &mut acked, 100);
        storage.fail(Fault { operation: Operation::SyncDir, nth: 1, kind: ErrorKind::Other, short_bytes: 0 });
        assert!(journal.append(1, &payload(0, 900)).is_err());
        // The process ends here, the machine goes on; the power goes later.
        drop(journal);
        let mut journal = open(&storage).unwrap();
        append_stubbornly(&mut journal, &mut acked, 10);
        drop(journal);
        storage.power_cut();
        assert_eq!(held(&open(&storage).unwrap()), acked, "seed {seed}");
    }
}
