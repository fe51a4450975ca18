//! What every journal must do, whatever it is made of. A backend's test calls [`run`].

use std::ops::ControlFlow;

use super::{Group, Journal, JournalFault};

/// Makes an empty journal; each check gets a fresh one.
pub type Make<'a> = &'a mut dyn FnMut() -> Box<dyn Journal>;
/// Closes a journal made last and opens it again.
pub type Reopen<'a> = &'a mut dyn FnMut(Box<dyn Journal>) -> Box<dyn Journal>;

/// Runs every check.
///
/// # Panics
///
/// When the backend fails one; the message says which promise it breaks.
pub fn run(make: Make<'_>, reopen: Reopen<'_>) {
    empty(make(), reopen);
    numbers(make());
    payloads(make(), reopen);
    replay_from_anywhere(make());
    replay_stops(make());
    refusals_change_nothing(make());
    reopened_goes_on(make(), reopen);
    release(make(), reopen);
}

type Owned = (u64, u32, Vec<u8>);

fn all(journal: &dyn Journal, from: u64) -> Vec<Owned> {
    let mut groups = Vec::new();
    let answer = journal.replay(from, &mut |group: Group<'_>| {
        groups.push((group.first_lsn, group.records, group.payload.to_vec()));
        ControlFlow::Continue(())
    });
    assert!(answer.is_ok(), "a whole journal must replay from {from}: {answer:?}");
    groups
}

fn append(journal: &mut dyn Journal, records: u32, payload: &[u8]) -> u64 {
    match journal.append(records, payload) {
        Ok(lsn) => lsn,
        Err(fault) => panic!("a healthy journal must take a group: {fault}"),
    }
}

fn empty(journal: Box<dyn Journal>, reopen: Reopen<'_>) {
    let journal = reopen(journal);
    assert_eq!((journal.first_lsn(), journal.next_lsn()), (1, 1), "an empty journal starts at 1");
    assert_eq!(all(&*journal, 0), [], "an empty journal replays nothing");
    assert_eq!(all(&*journal, 7), [], "replay behind the end visits nothing");
}

fn numbers(mut journal: Box<dyn Journal>) {
    let mut expected = 1;
    for records in [1, 2, 500, 1, u32::MAX, 3] {
        assert_eq!(journal.next_lsn(), expected, "next_lsn is where the next group goes");
        assert_eq!(append(&mut *journal, records, b"x"), expected, "records are numbered without gaps");
        expected += u64::from(records);
    }
    assert_eq!((journal.first_lsn(), journal.next_lsn()), (1, expected));
}

fn payloads(mut journal: Box<dyn Journal>, reopen: Reopen<'_>) {
    let mut expected = Vec::new();
    for bytes in [0, 1, 7, 8, 9, 31, 32, 33, 4095, 4096, 70_000, 3] {
        let payload: Vec<u8> = (0..=255).cycle().take(bytes).collect();
        expected.push((append(&mut *journal, 2, &payload), 2, payload));
    }
    assert_eq!(all(&*journal, 1), expected, "a payload of any size comes back as it was");
    assert_eq!(all(&*reopen(journal), 1), expected, "also after a restart");
}

fn replay_from_anywhere(mut journal: Box<dyn Journal>) {
    let groups: Vec<Owned> =
        (1..=20_u8).map(|n| (append(&mut *journal, u32::from(n), &[n]), u32::from(n), vec![n])).collect();
    for from in 0..=journal.next_lsn() + 1 {
        let expected: Vec<Owned> =
            groups.iter().filter(|(first, records, _)| first + u64::from(*records) > from).cloned().collect();
        assert_eq!(all(&*journal, from), expected, "replay from {from} starts with the group that holds it");
    }
}

fn replay_stops(mut journal: Box<dyn Journal>) {
    for n in 0..5 {
        append(&mut *journal, 1, &[n]);
    }
    let mut visited = 0;
    let answer = journal.replay(1, &mut |_| {
        visited += 1;
        if visited == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(answer.is_ok() && visited == 2, "replay ends when the visitor breaks, without a fault");
}

fn refusals_change_nothing(mut journal: Box<dyn Journal>) {
    append(&mut *journal, 1, b"before");
    let answer = journal.append(0, b"nothing");
    assert!(matches!(answer, Err(JournalFault::EmptyGroup)), "a group of no records is refused: {answer:?}");
    assert_eq!(append(&mut *journal, 1, b"after"), 2, "a refusal uses up no number");
    assert_eq!(all(&*journal, 1), [(1, 1, b"before".to_vec()), (2, 1, b"after".to_vec())]);
}

fn reopened_goes_on(mut journal: Box<dyn Journal>, reopen: Reopen<'_>) {
    let mut expected = Vec::new();
    for n in 0..30_u8 {
        let payload = vec![n; usize::from(n) * 11];
        expected.push((append(&mut *journal, 3, &payload), 3, payload));
        if n % 4 == 0 {
            journal = reopen(journal);
        }
        assert_eq!(journal.next_lsn(), 3 * (u64::from(n) + 1) + 1, "a restart changes no number");
    }
    assert_eq!(all(&*journal, 1), expected, "groups before and after a restart are one log");
}

fn release(mut journal: Box<dyn Journal>, reopen: Reopen<'_>) {
    let mut groups = Vec::new();
    for round in 0..40_u8 {
        let payload = vec![round; 50];
        groups.push((append(&mut *journal, 5, &payload), 5, payload));
        let keep_from = journal.next_lsn().saturating_sub(23);
        let released = journal.release_before(keep_from);
        assert!(released.is_ok(), "release must work: {released:?}");
        assert!(journal.first_lsn() <= keep_from.max(1), "a record at or after the bound is never released");
        if round % 7 == 0 {
            let (first, next) = (journal.first_lsn(), journal.next_lsn());
            journal = reopen(journal);
            assert_eq!(
                (journal.first_lsn(), journal.next_lsn()),
                (first, next),
                "a restart changes no number"
            );
        }
        let first = journal.first_lsn();
        let held: Vec<Owned> = groups.iter().filter(|group| group.0 >= first).cloned().collect();
        assert_eq!(all(&*journal, first), held, "what is held replays, and nothing older comes back");
        if first > 1 {
            let answer = journal.replay(first - 1, &mut |_| ControlFlow::Continue(()));
            assert!(
                matches!(answer, Err(JournalFault::Released { from, first_lsn }) if (from, first_lsn) == (first - 1, first)),
                "replay of released records is a fault, not a gap: {answer:?}"
            );
        }
    }
    let next = journal.next_lsn();
    let released = journal.release_before(next);
    assert!(released.is_ok(), "everything may be released: {released:?}");
    assert_eq!(reopen(journal).next_lsn(), next, "numbers go on even when everything was released");
}
