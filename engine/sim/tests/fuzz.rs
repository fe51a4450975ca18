//! Bytes of any kind where bytes are read, and commands in any order. `cargo test` replays the corpora beside this file
//! (`__fuzz__`) and goes on from there for a bounded number of inputs; `cargo bolero test` goes on for as long as it may.
#![expect(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use suanpan_channels::{BUILTIN_CHANNELS, load_descriptors};
use suanpan_core::ledger::{Account, Hold};
use suanpan_model::{AccountId, AccountType, HoldId, OrderId, Record};
use suanpan_runtime::codec::{
    add_step, begin_order_row, decode_marked_row, decode_order_row, decode_records, decode_row,
    encode_record, order_row, step_of,
};
use suanpan_runtime::journal::{
    FaultyStorage, Journal, JournalOptions, SegmentJournal, Storage, inspect_storage,
};
use suanpan_runtime::keeper::CheckpointMeta;
use suanpan_runtime::statements::read_chunks;
use suanpan_sim::{Plan, Report, live, live_plan};

/// Inputs of each target in one run.
const INPUTS: usize = 2_000;

/// Bytes that are right, with three bytes an edit: where, how, and what.
fn edited(right: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = right.to_vec();
    for [place, how, value] in edits.as_chunks::<3>().0.iter().take(16) {
        let place = usize::from(*place) * 7 % bytes.len().max(1);
        match how % 4 {
            _ if bytes.is_empty() => break,
            0 | 1 => bytes[place] = *value,
            2 => bytes.insert(place, *value),
            _ => drop(bytes.drain(place..(place + usize::from(*value)).min(bytes.len()))),
        }
    }
    bytes
}

#[test]
fn records() {
    let right: Vec<Vec<u8>> = live(1, true).log.into_iter().map(|(_, _, payload)| payload).collect();
    bolero::check!().with_iterations(INPUTS).for_each(|bytes: &[u8]| {
        read_records(bytes);
        let chosen = usize::from(bytes.first().copied().unwrap_or(0)) % right.len();
        read_records(&edited(&right[chosen], bytes));
    });
}

fn read_records(bytes: &[u8]) {
    let mut found: Vec<Record> = Vec::new();
    let read = decode_records(bytes, |record| found.push(record));
    let mut again = Vec::new();
    found.iter().for_each(|record| encode_record(record, &mut again));
    let mut same: Vec<Record> = Vec::new();
    decode_records(&again, |record| same.push(record)).unwrap();
    assert_eq!(found, same, "what was read is written and read again; the first reading: {read:?}");
}

/// Rows of the orders of a life, as they stood at its end and as they took over what happened.
fn order_rows(report: &Report) -> Vec<Vec<u8>> {
    let mut histories: BTreeMap<OrderId, Vec<u8>> = BTreeMap::new();
    for (_, _, payload) in &report.log {
        decode_records(payload, |record| {
            let Record::Order { order, .. } = record else { return };
            let mut bytes = Vec::new();
            encode_record(&record, &mut bytes);
            let step = step_of(&bytes);
            histories
                .entry(order)
                .and_modify(|row| add_step(row, step))
                .or_insert_with(|| begin_order_row(order, step));
        })
        .unwrap();
    }
    for order in &report.lives {
        let (_, read) = decode_order_row(&histories[&order.id]).unwrap();
        assert_eq!(read, **order, "its row takes over everything that the log tells of it");
    }
    report.lives.iter().map(|order| order_row(order)).chain(histories.into_values()).collect()
}

#[test]
fn rows() {
    let right = order_rows(&live(1, true));
    bolero::check!().with_iterations(INPUTS).for_each(|bytes: &[u8]| {
        read_rows(bytes);
        let chosen = usize::from(bytes.first().copied().unwrap_or(0)) % right.len();
        read_rows(&edited(&right[chosen], bytes));
    });
}

fn read_rows(bytes: &[u8]) {
    // None of them may do more than refuse.
    drop(decode_order_row(bytes));
    drop(decode_marked_row::<Account>(bytes));
    drop(decode_marked_row::<(HoldId, Hold)>(bytes));
    drop(decode_row::<CheckpointMeta>(bytes));
    let account = AccountId::opened(AccountType::Cash, 1, 1);
    let (one, other) = bytes.split_at(bytes.len() / 2);
    drop(read_chunks(account, [one, other], |_| ControlFlow::Continue(())));
}

fn options() -> JournalOptions {
    JournalOptions {
        segment_bytes: 1_024,
        prepare_in_background: false,
        id_if_new: Some(1),
        ..JournalOptions::default()
    }
}

/// A journal of three segments.
fn sound() -> FaultyStorage {
    let storage = FaultyStorage::new(1);
    let mut journal = SegmentJournal::open_in(Arc::new(storage.clone()), options()).unwrap();
    for group in 0..16_u8 {
        journal.append(1 + u32::from(group % 3), &[group; 120]).unwrap();
    }
    storage
}

/// Three bytes an edit: which segment and a place in it, and what to write there; an odd number of bytes cuts the last
/// segment. A journal that opens can be replayed and goes on; one that does not says where it is broken.
#[test]
fn journal_files() {
    let original = sound();
    bolero::check!().with_iterations(INPUTS).for_each(|bytes: &[u8]| {
        let storage = original.copy();
        let names: Vec<String> =
            storage.list().unwrap().into_iter().filter(|name| name.ends_with(".log")).collect();
        let (edits, rest) = bytes.as_chunks::<3>();
        for [high, low, value] in edits.iter().take(16) {
            let place = usize::from(*high) << 8 | usize::from(*low);
            let name = &names[place % names.len()];
            storage.edit(name, |file| {
                if let Some(byte) = file.get_mut(place / names.len() % 1_024) {
                    *byte = *value;
                }
            });
        }
        if let [cut, ..] = rest {
            storage.cut_file(names.last().unwrap(), usize::from(*cut) * 4);
        }
        let report = inspect_storage(&storage).unwrap();
        match SegmentJournal::open_in(Arc::new(storage.clone()), options()) {
            Ok(mut journal) => {
                let next = journal.next_lsn();
                journal.replay(journal.first_lsn(), &mut |_| ControlFlow::Continue(())).unwrap();
                assert_eq!(journal.append(2, b"more").unwrap(), next);
                drop(journal);
                assert!(inspect_storage(&storage).unwrap().is_whole());
            }
            Err(fault) => assert!(!report.is_whole(), "a whole journal does not open: {fault}"),
        }
    });
}

#[test]
fn channel_descriptors() {
    let lines: Vec<&str> = BUILTIN_CHANNELS.lines().collect();
    bolero::check!().with_iterations(INPUTS / 4).for_each(|bytes: &[u8]| {
        drop(load_descriptors(&String::from_utf8_lossy(bytes)));
        // The file of the program with some of its lines gone, doubled or moved, and bytes put in.
        let mut text = String::new();
        for (place, line) in lines.iter().enumerate() {
            match bytes.get(place % bytes.len().max(1)).map(|byte| byte % 32) {
                Some(0) => {}
                Some(1) => text.push_str(&format!("{line}\n{line}\n")),
                Some(2) => text.push_str(&format!("{line}{}\n", String::from_utf8_lossy(bytes))),
                Some(_) | None => text.push_str(&format!("{line}\n")),
            }
        }
        drop(load_descriptors(&text));
    });
}

/// Commands in any order, in a world without faults, against the naive ledger and everything else that a life checks.
#[test]
fn commands() {
    bolero::check!().with_iterations(40).for_each(|bytes: &[u8]| {
        let report = live_plan(Plan::of_script(bytes), false);
        assert_eq!(report.breaks, [""; 0]);
    });
}

/// Writes the corpora anew from what a few lives leave, after the format of the log has changed:
/// `cargo test -p suanpan-sim --test fuzz -- --ignored write_corpora`.
#[test]
#[ignore = "writes the corpora"]
fn write_corpora() {
    use suanpan_runtime::codec::encode_row;
    let write = |target: &str, name: String, bytes: &[u8]| {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/__fuzz__")
            .join(target)
            .join("corpus");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    };
    for seed in [1, 2, 5, 9] {
        let report = live(seed, true);
        for (place, (_, _, payload)) in report.log.iter().enumerate().step_by(report.log.len() / 6 + 1) {
            write("records", format!("life-{seed}-{place}"), payload);
        }
        let rows = order_rows(&report);
        for (place, row) in rows.iter().take(3).chain(rows.iter().rev().take(3)).enumerate() {
            write("rows", format!("order-{seed}-{place}"), row);
        }
    }
    write("rows", "meta".to_owned(), &encode_row(&CheckpointMeta::default()));
    write("journal_files", "flip".to_owned(), &[0, 200, 255, 1, 17, 3]);
    write("journal_files", "cut".to_owned(), &[120]);
    write("channel_descriptors", "builtin".to_owned(), BUILTIN_CHANNELS.as_bytes());
    write("commands", "all".to_owned(), &(0..240_u8).collect::<Vec<u8>>());
}
