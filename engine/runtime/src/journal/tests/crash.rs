//! Power cuts at any operation of a busy life.

use std::io::ErrorKind;

use super::support::{Owned, held, open, payload};
use crate::journal::{Fault, FaultyStorage, Journal, Operation};

/// Runs a life of appends and releases until something fails, cuts the power there, and goes on with the next life.
fn lives(seed: u64, operation: Operation) {
    let storage = FaultyStorage::new(seed);
    let mut acked: Vec<Owned> = Vec::new();
    let mut in_doubt: Option<Owned> = None;
    for life in 0..12_u64 {
        let mut journal = match open(&storage) {
            Ok(journal) => journal,
            // A failure planned in the last life met the start of this one.
            Err(fault) => {
                assert!(fault.is_retryable(), "seed {seed}, life {life}: {fault}");
                storage.power_cut();
                storage.heal();
                open(&storage).unwrap()
            }
        };
        acked.retain(|group| group.0 >= journal.first_lsn());
        let found = held(&journal);
        if found.len() > acked.len() {
            acked.extend(in_doubt.take());
        }
        assert_eq!(found, acked, "{operation:?}, seed {seed}, life {life}");
        in_doubt = None;
        let nth = (seed.wrapping_mul(7) + life * 5) % 23 + 1;
        storage.fail(Fault { operation, nth, kind: ErrorKind::Other, short_bytes: 64 });
        for n in 0..25_u64 {
            let payload = payload(life * 100 + n, ((seed + n * 97) % 700) as usize);
            match journal.append(1, &payload) {
                Ok(lsn) => acked.push((lsn, 1, payload)),
                Err(_) => {
                    in_doubt = Some((journal.next_lsn(), 1, payload));
                    break;
                }
            }
            if n % 8 == 7 {
                // A release that failed is repeated by the next one.
                let _ = journal.release_before(journal.next_lsn().saturating_sub(4));
            }
        }
        storage.power_cut();
    }
}

#[test]
fn every_acknowledged_group_survives_power_cuts() {
    for operation in
        [Operation::Write, Operation::Sync, Operation::SyncDir, Operation::Rename, Operation::Create]
    {
        for seed in 0..60 {
            lives(seed, operation);
        }
    }
}
