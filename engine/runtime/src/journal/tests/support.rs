//! What the tests of the journal share.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::journal::{FaultyStorage, Journal, JournalFault, JournalOptions, SegmentJournal};

/// A group as appended: first lsn, records, payload.
pub type Owned = (u64, u32, Vec<u8>);

/// Small segments, no thread of its own, a fixed identity: the same run every time.
pub fn options() -> JournalOptions {
    JournalOptions {
        segment_bytes: 1024,
        max_group_bytes: 4096,
        prepare_in_background: false,
        id_if_new: Some(0x5EED),
        ..JournalOptions::default()
    }
}

pub fn open(storage: &FaultyStorage) -> Result<SegmentJournal, JournalFault> {
    SegmentJournal::open_in(Arc::new(storage.clone()), options())
}

/// A payload that tells groups apart and is no multiple of 8 long.
pub fn payload(seed: u64, bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|n| (seed.wrapping_mul(31).wrapping_add(n * 7 + 1) % 251) as u8).collect()
}

/// Appends `count` groups of `bytes` bytes each and returns them.
pub fn fill(journal: &mut SegmentJournal, count: usize, bytes: usize) -> Vec<Owned> {
    (0..count)
        .zip([1, 2, 3].into_iter().cycle())
        .map(|(_, records)| {
            let payload = payload(journal.next_lsn(), bytes);
            (journal.append(records, &payload).unwrap(), records, payload)
        })
        .collect()
}

pub fn held(journal: &dyn Journal) -> Vec<Owned> {
    let mut groups = Vec::new();
    journal
        .replay(journal.first_lsn(), &mut |group| {
            groups.push((group.first_lsn, group.records, group.payload.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    groups
}

/// Segment file names, oldest first.
pub fn segments(storage: &FaultyStorage) -> Vec<String> {
    use crate::journal::Storage;
    storage.list().unwrap().into_iter().filter(|name| name.ends_with(".log")).collect()
}
