//! Random lives of a journal against a list.

use std::io::ErrorKind;

use proptest::prelude::*;

use super::support::{Owned, held, open, payload};
use crate::journal::{Fault, FaultyStorage, Journal, Operation, inspect_storage};

#[derive(Debug, Clone)]
enum Act {
    Append { records: u32, bytes: usize },
    FailedAppend { operation: Operation, nth: u64, bytes: usize },
    Reopen,
    PowerCut,
    Release { back: u64 },
}

fn act() -> impl Strategy<Value = Act> {
    let operation = prop_oneof![Just(Operation::Write), Just(Operation::Sync), Just(Operation::SyncDir)];
    prop_oneof![
        8 => (1..50_u32, 0..900_usize).prop_map(|(records, bytes)| Act::Append { records, bytes }),
        2 => (operation, 1..4_u64, 0..900_usize)
            .prop_map(|(operation, nth, bytes)| Act::FailedAppend { operation, nth, bytes }),
        1 => Just(Act::Reopen),
        1 => Just(Act::PowerCut),
        2 => (0..100_u64).prop_map(|back| Act::Release { back }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_journal_is_the_list_of_acknowledged_groups(seed: u64, acts in prop::collection::vec(act(), 1..60)) {
        let storage = FaultyStorage::new(seed);
        let mut journal = open(&storage).unwrap();
        let mut acked: Vec<Owned> = Vec::new();
        // Every group that was tried at the present end: a restart may find any of them, whole.
        let mut in_doubt: Vec<Owned> = Vec::new();
        for act in acts {
            match act {
                Act::Append { records, bytes } => {
                    let payload = payload(journal.next_lsn(), bytes);
                    acked.push((journal.append(records, &payload).unwrap(), records, payload));
                    in_doubt.clear();
                }
                Act::FailedAppend { operation, nth, bytes } => {
                    storage.fail(Fault { operation, nth, kind: ErrorKind::Other, short_bytes: bytes / 2 });
                    let payload = payload(journal.next_lsn(), bytes);
                    let group = (journal.next_lsn(), 1, payload);
                    match journal.append(1, &group.2) {
                        Ok(_) => {
                            acked.push(group);
                            in_doubt.clear();
                        }
                        Err(_) => in_doubt.push(group),
                    }
                    storage.heal();
                }
                Act::Reopen | Act::PowerCut => {
                    if matches!(act, Act::PowerCut) {
                        storage.power_cut();
                    }
                    drop(journal);
                    journal = open(&storage).unwrap();
                    acked.extend(held(&journal).last().filter(|group| in_doubt.contains(group)).cloned());
                    in_doubt.clear();
                }
                Act::Release { back } => {
                    let (before, bound) = (journal.first_lsn(), journal.next_lsn().saturating_sub(back));
                    journal.release_before(bound).unwrap();
                    prop_assert!(journal.first_lsn() <= before.max(bound));
                    acked.retain(|group| group.0 >= journal.first_lsn());
                }
            }
            let next = acked.last().map_or(journal.next_lsn(), |group| group.0 + u64::from(group.1));
            prop_assert_eq!(journal.next_lsn(), next);
            prop_assert_eq!(&held(&journal), &acked);
        }
        prop_assert!(!inspect_storage(&storage).unwrap().segments.is_empty());
    }
}
