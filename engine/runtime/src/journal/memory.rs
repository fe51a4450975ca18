//! A journal in memory, for tests of everything above it.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::{Group, Journal, JournalFault, JournalOptions};

/// A journal in memory: the contract without the disk.
#[derive(Debug, Clone)]
pub struct MemoryJournal {
    groups: VecDeque<(u64, u32, Vec<u8>)>,
    next_lsn: u64,
    max_group_bytes: u64,
}

impl MemoryJournal {
    /// An empty journal with the default limit for a group.
    #[must_use]
    pub fn new() -> Self {
        Self {
            groups: VecDeque::new(),
            next_lsn: 1,
            max_group_bytes: JournalOptions::default().max_group_bytes,
        }
    }

    /// An empty journal that refuses payloads over `max_group_bytes`.
    #[must_use]
    pub fn with_max_group_bytes(max_group_bytes: u64) -> Self {
        Self { max_group_bytes, ..Self::new() }
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl Journal for MemoryJournal {
    fn append(&mut self, records: u32, payload: &[u8]) -> Result<u64, JournalFault> {
        let bytes = payload.len() as u64;
        if records == 0 {
            return Err(JournalFault::EmptyGroup);
        }
        if bytes > self.max_group_bytes {
            return Err(JournalFault::GroupTooLarge { bytes, max_bytes: self.max_group_bytes });
        }
        let first_lsn = self.next_lsn;
        self.groups.push_back((first_lsn, records, payload.to_vec()));
        self.next_lsn += u64::from(records);
        Ok(first_lsn)
    }

    fn next_lsn(&self) -> u64 {
        self.next_lsn
    }

    fn first_lsn(&self) -> u64 {
        self.groups.front().map_or(self.next_lsn, |(first_lsn, ..)| *first_lsn)
    }

    fn replay(
        &self,
        from: u64,
        visit: &mut dyn FnMut(Group<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalFault> {
        let from = from.max(1);
        if from < self.first_lsn() {
            return Err(JournalFault::Released { from, first_lsn: self.first_lsn() });
        }
        for (first_lsn, records, payload) in &self.groups {
            let group = Group { first_lsn: *first_lsn, records: *records, payload };
            if group.last_lsn() >= from && visit(group).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn release_before(&mut self, lsn: u64) -> Result<(), JournalFault> {
        while let Some((first_lsn, records, _)) = self.groups.front()
            && first_lsn + u64::from(*records) <= lsn
        {
            self.groups.pop_front();
        }
        Ok(())
    }
}
