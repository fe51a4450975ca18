//! A tap on the log: everything that was acknowledged, and what is in doubt. From it the naive ledger is kept, and
//! after each crash the log is compared with it.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use suanpan_core::invariants::Invariant;
use suanpan_model::{OrderEvent, Record};
use suanpan_runtime::codec::decode_records;
use suanpan_runtime::journal::{Group, Journal, JournalFault};

use crate::oracle::ledger::NaiveLedger;

/// A group as it was written: first position, records, bytes.
pub type Written = (u64, u32, Vec<u8>);

/// What the log was told, and what must be in it.
#[derive(Default)]
pub struct Tap {
    /// Groups that were acknowledged, oldest first, from the first of the life on.
    pub acknowledged: Vec<Written>,
    /// Groups that were tried at the present end and not acknowledged: a restart may find any of them.
    in_doubt: Vec<Written>,
    /// What the acknowledged groups come to.
    pub ledger: NaiveLedger,
    /// Breaks that were seen on the way.
    pub breaks: Vec<String>,
    /// Bytes of everything, mixed: equal for equal lives.
    pub hash: u64,
    /// A planted bug: every tenth record counts twice.
    pub counts_twice: bool,
    /// A planted bug: every tenth group counts one record more.
    pub skips_positions: bool,
    /// A planted bug: no channel ever said no.
    pub forgets_failures: bool,
}

/// Locks a tap.
pub fn lock(tap: &Arc<Mutex<Tap>>) -> MutexGuard<'_, Tap> {
    tap.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tap {
    fn next(&self) -> u64 {
        self.acknowledged.last().map_or(1, |(first, records, _)| first + u64::from(*records))
    }

    fn acknowledge(&mut self, group: Written) {
        let (first, records, payload) = &group;
        if *first != self.next() {
            let what = format!("a group got position {first}, the one before ends at {}", self.next() - 1);
            self.breaks.push(Invariant::NoGaps.broken(what));
        }
        for byte in payload {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let mut lsn = *first;
        let ledger = &mut self.ledger;
        let (counts_twice, forgets_failures) = (self.counts_twice, self.forgets_failures);
        let decoded = decode_records(payload, |mut record| {
            if let (Record::Order { events, .. }, true) = (&mut record, forgets_failures) {
                events.retain(|event| !matches!(event, OrderEvent::AttemptFailed { .. }));
            }
            ledger.fold(lsn, &record);
            if counts_twice && lsn.is_multiple_of(10) {
                ledger.fold(lsn, &record);
            }
            lsn += 1;
        });
        if decoded.is_err() || lsn != first + u64::from(*records) {
            self.breaks
                .push(Invariant::NoGaps.broken(format!("the group at {first} is not {records} records")));
        }
        self.acknowledged.push(group);
        self.in_doubt.clear();
        self.breaks.append(&mut self.ledger.breaks);
    }

    /// Compares a log that was just opened with what was acknowledged, and takes in what was in doubt and is there.
    pub fn reopened(&mut self, journal: &dyn Journal) {
        let next = journal.next_lsn();
        if next < self.next() {
            let what = format!("acknowledged up to {}, found up to {}", self.next() - 1, next - 1);
            self.breaks.push(Invariant::AnsweredIsDurable.broken(what));
            return;
        }
        let mut found: Vec<Written> = Vec::new();
        // A read may be planned to fail, and fails once.
        for _ in 0..10 {
            found.clear();
            let outcome = journal.replay(journal.first_lsn(), &mut |group: Group<'_>| {
                found.push((group.first_lsn, group.records, group.payload.to_vec()));
                ControlFlow::Continue(())
            });
            if outcome.is_ok() {
                break;
            }
        }
        for group in found {
            if group.0 < self.next() {
                let known = self.acknowledged.binary_search_by_key(&group.0, |known| known.0);
                if !known.is_ok_and(|place| self.acknowledged[place] == group) {
                    let what = format!("the group at {} is not the one that was acknowledged", group.0);
                    self.breaks.push(Invariant::AnsweredIsDurable.broken(what));
                }
            } else if self.in_doubt.contains(&group) {
                self.acknowledge(group);
            } else {
                let what = format!("the group at {} was never written", group.0);
                self.breaks.push(Invariant::NoGaps.broken(what));
            }
        }
        self.in_doubt.clear();
    }
}

/// A journal that tells a tap.
pub struct TapJournal<J> {
    inner: J,
    tap: Arc<Mutex<Tap>>,
}

impl<J: Journal> TapJournal<J> {
    /// Compares the opened journal with what the tap knows, and goes on.
    pub fn new(inner: J, tap: Arc<Mutex<Tap>>) -> Self {
        lock(&tap).reopened(&inner);
        Self { inner, tap }
    }
}

impl<J: Journal> Journal for TapJournal<J> {
    fn append(&mut self, records: u32, payload: &[u8]) -> Result<u64, JournalFault> {
        let skips = lock(&self.tap).skips_positions && self.inner.next_lsn().is_multiple_of(10);
        let answer = self.inner.append(records + u32::from(skips), payload);
        let mut tap = lock(&self.tap);
        match &answer {
            Ok(first) => tap.acknowledge((*first, records, payload.to_vec())),
            Err(_) => tap.in_doubt.push((self.inner.next_lsn(), records, payload.to_vec())),
        }
        answer
    }

    fn next_lsn(&self) -> u64 {
        self.inner.next_lsn()
    }

    fn first_lsn(&self) -> u64 {
        self.inner.first_lsn()
    }

    fn replay(
        &self,
        from: u64,
        visit: &mut dyn FnMut(Group<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalFault> {
        self.inner.replay(from, visit)
    }

    fn release_before(&mut self, lsn: u64) -> Result<(), JournalFault> {
        self.inner.release_before(lsn)
    }
}
