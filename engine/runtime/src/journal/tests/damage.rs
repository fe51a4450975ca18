//! Files cut and bits flipped.

use super::support::{Owned, fill, held, open, segments};
use crate::journal::{DamageKind, FaultyStorage, Journal, JournalFault, Storage, inspect_storage};

/// A journal of three segments, the groups in it and where the frames of the last segment start.
fn three_segments() -> (FaultyStorage, Vec<Owned>, Vec<(u64, usize)>) {
    let storage = FaultyStorage::new(3);
    let mut journal = open(&storage).unwrap();
    let groups = fill(&mut journal, 12, 150);
    drop(journal);
    assert_eq!(segments(&storage).len(), 3);
    let first = inspect_storage(&storage).unwrap().segments[2].first_lsn;
    let starts: Vec<(u64, usize)> = groups
        .iter()
        .filter(|group| group.0 >= first)
        .enumerate()
        .map(|(n, group)| (group.0, 64 + n * 184))
        .collect();
    assert!(starts.len() >= 2);
    (storage, groups, starts)
}

fn up_to(groups: &[Owned], lsn: u64) -> Vec<Owned> {
    groups.iter().filter(|group| group.0 < lsn).cloned().collect()
}

#[test]
fn cut_at_every_byte_leaves_the_whole_groups_and_can_go_on() {
    let (original, groups, starts) = three_segments();
    let name = segments(&original)[2].clone();
    let end = starts.last().unwrap().1 + 184;
    for bytes in 64..=end {
        let storage = original.copy();
        storage.cut_file(&name, bytes);
        let lost = starts.iter().find(|(_, start)| start + 184 > bytes);
        let mut expected = lost.map_or(groups.clone(), |(lsn, _)| up_to(&groups, *lsn));
        let mut journal = open(&storage).unwrap();
        assert_eq!(held(&journal), expected, "cut at {bytes}");
        expected.extend(fill(&mut journal, 3, 99));
        drop(journal);
        assert_eq!(held(&open(&storage).unwrap()), expected, "cut at {bytes}, then appended");
    }
}

#[test]
fn a_file_cut_inside_its_header_or_not_the_last_is_refused() {
    let (original, ..) = three_segments();
    for bytes in 0..64 {
        let storage = original.copy();
        storage.cut_file(&segments(&original)[2], bytes);
        let answer = open(&storage);
        assert!(matches!(answer, Err(JournalFault::BadHeader { .. })), "cut at {bytes}: {answer:?}");
    }
    for bytes in [64, 65, 300, 64 + 184] {
        let storage = original.copy();
        storage.cut_file(&segments(&original)[1], bytes);
        let answer = open(&storage);
        assert!(matches!(answer, Err(JournalFault::DamagedMiddle { .. })), "cut at {bytes}: {answer:?}");
    }
}

/// Flips one bit of every byte of `name` up to `end` and hands each result to `check`.
fn flip_each(original: &FaultyStorage, name: &str, end: usize, check: impl Fn(usize, &FaultyStorage)) {
    for offset in 0..end {
        let storage = original.copy();
        storage.flip_bits(name, offset, 1 << (offset % 8));
        check(offset, &storage);
        assert_eq!(
            storage.copy().contents(name).len(),
            original.contents(name).len(),
            "a look at a damaged file does not change it"
        );
    }
}

#[test]
fn a_flipped_bit_before_the_last_group_is_refused_with_its_place() {
    let (original, groups, starts) = three_segments();
    let names = segments(&original);
    let first_of = |index: usize| inspect_storage(&original).unwrap().segments[index].first_lsn;
    let whole = 64 + 184 * 5;
    for (index, end) in [(0, whole), (1, whole), (2, starts.last().unwrap().1)] {
        let in_segment: Vec<&Owned> = groups.iter().filter(|group| group.0 >= first_of(index)).collect();
        flip_each(&original, &names[index], end, |at, storage| {
            let (report, answer) = (inspect_storage(storage).unwrap(), open(storage));
            let found = report.damage.unwrap();
            assert!(found.file.ends_with(&names[index]));
            let Some(group) = at.checked_sub(64).map(|rest| rest / 184) else {
                let expected = matches!(
                    answer,
                    Err(JournalFault::BadHeader { .. } | JournalFault::UnknownVersion { .. })
                );
                assert!(expected, "byte {at}: {answer:?}");
                return;
            };
            let Err(JournalFault::DamagedMiddle { offset, last_whole_lsn, next_whole_lsn, .. }) = answer
            else {
                panic!("byte {at} of {}: {answer:?}", names[index]);
            };
            assert_eq!(offset, 64 + 184 * group as u64, "byte {at}");
            assert_eq!(last_whole_lsn + 1, in_segment[group].0, "byte {at}");
            assert_eq!(next_whole_lsn, in_segment[group + 1].0, "byte {at}");
            assert_eq!(found.offset, offset);
            assert_eq!(found.kind, DamageKind::Middle { last_whole_lsn, next_whole_lsn });
            assert_eq!(storage.list().unwrap(), original.list().unwrap(), "a refusal changes nothing");
        });
    }
}

#[test]
fn a_flipped_bit_in_the_last_group_cuts_it_off_for_good() {
    let (original, groups, starts) = three_segments();
    let name = segments(&original)[2].clone();
    let (lsn, start) = *starts.last().unwrap();
    for offset in start..start + 184 {
        let storage = original.copy();
        storage.flip_bits(&name, offset, 0x10);
        let damage = inspect_storage(&storage).unwrap().damage.unwrap();
        assert_eq!(
            (damage.offset, damage.kind),
            (start as u64, DamageKind::TornTail { last_whole_lsn: lsn - 1 })
        );
        assert_eq!(held(&open(&storage).unwrap()), up_to(&groups, lsn), "byte {offset}");
        assert!(inspect_storage(&storage).unwrap().is_whole(), "the tail is cut off once");
        // The bit comes back: a bad cell read well for once. The group must stay gone.
        storage.flip_bits(&name, offset, 0x10);
        assert_eq!(held(&open(&storage).unwrap()), up_to(&groups, lsn), "byte {offset}");
    }
}

#[test]
fn a_missing_segment_is_refused() {
    let (original, ..) = three_segments();
    let storage = original.copy();
    storage.remove(&segments(&original)[1]).unwrap();
    let answer = open(&storage);
    assert!(matches!(answer, Err(JournalFault::MissingSegment { .. })), "{answer:?}");
    assert_eq!(inspect_storage(&storage).unwrap().damage.unwrap().kind, DamageKind::Missing);
}

#[test]
fn segments_that_are_not_ours_are_refused() {
    let (original, ..) = three_segments();
    let names = segments(&original);
    // One segment under the name of another.
    let storage = original.copy();
    let other = original.contents(&names[0]);
    storage.edit(&names[1], |bytes| *bytes = other);
    assert!(matches!(open(&storage), Err(JournalFault::BadHeader { .. })));
    // A segment of another journal with the same number.
    let foreign = FaultyStorage::new(0);
    let options = crate::journal::JournalOptions { id_if_new: Some(77), ..super::support::options() };
    let mut journal =
        crate::journal::SegmentJournal::open_in(std::sync::Arc::new(foreign.clone()), options).unwrap();
    fill(&mut journal, 12, 150);
    let other = foreign.contents(&names[1]);
    storage.edit(&names[1], |bytes| *bytes = other);
    assert!(
        matches!(open(&storage), Err(JournalFault::BadHeader { reason, .. }) if reason.contains("another"))
    );
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let (storage, ..) = three_segments();
    storage.edit(&segments(&storage)[2], |bytes| bytes[8] = 2);
    let answer = open(&storage);
    assert!(matches!(answer, Err(JournalFault::UnknownVersion { version: 2, newest: 1, .. })), "{answer:?}");
    assert!(answer.unwrap_err().to_string().contains("start a newer version"));
    assert_eq!(inspect_storage(&storage).unwrap().damage.unwrap().kind, DamageKind::NewerVersion(2));
}

#[test]
fn a_frame_inside_a_payload_is_not_taken_for_a_group() {
    let (twin, ..) = three_segments();
    let frames = twin.contents(&segments(&twin)[0])[64..].to_vec();
    let storage = FaultyStorage::new(0);
    let options = crate::journal::JournalOptions { id_if_new: Some(78), ..super::support::options() };
    let mut journal =
        crate::journal::SegmentJournal::open_in(std::sync::Arc::new(storage.clone()), options.clone())
            .unwrap();
    journal.append(1, &frames[..800]).unwrap();
    drop(journal);
    storage.flip_bits(&segments(&storage)[0], 64, 1);
    let journal = crate::journal::SegmentJournal::open_in(std::sync::Arc::new(storage), options).unwrap();
    assert_eq!(journal.next_lsn(), 1, "the only group is a torn tail, whatever its payload looks like");
}

#[test]
fn damage_under_a_running_journal_is_a_fault_of_replay() {
    let (storage, ..) = three_segments();
    let journal = open(&storage).unwrap();
    storage.flip_bits(&segments(&storage)[1], 100, 4);
    let answer = journal.replay(1, &mut |_| std::ops::ControlFlow::Continue(()));
    assert!(matches!(answer, Err(JournalFault::DamagedMiddle { offset: 64, .. })), "{answer:?}");
}
