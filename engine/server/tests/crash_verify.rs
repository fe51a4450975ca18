//! `suanpan verify` finds what was damaged or falsified, and changes nothing.
#![expect(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use suanpan_model::{
    AccountId, AccountType, Amount, CauseId, Currency, Entry, EntryCode, LedgerEvent, Lsn, Order, Posting,
    Record, TimestampMs,
};
use suanpan_runtime::codec::{decode_order_row, encode_record, mark_row, order_row};
use suanpan_runtime::journal::{Journal, JournalOptions, SegmentJournal, inspect};
use suanpan_runtime::store::{ArchiveBatch, Store, StoreOptions};

fn program(arguments: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_suanpan"));
    command.args(arguments);
    command.arg(dir);
    command
}

const DEMO: [&str; 8] =
    ["demo", "--orders", "200", "--order-ttl-s", "3", "--listen", "127.0.0.1:0", "--data"];

fn verify(dir: &Path) -> (bool, String) {
    told(&program(&["verify"], dir).output().unwrap())
}

fn told(output: &Output) -> (bool, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

/// A directory in which a demo ran to its end; each caller gets a copy.
fn finished() -> tempfile::TempDir {
    static ORIGINAL: OnceLock<tempfile::TempDir> = OnceLock::new();
    let original = ORIGINAL.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let output = program(&DEMO, &dir.path().join("demo")).arg("--exit").output().unwrap();
        assert!(output.status.success(), "{}", told(&output).1);
        dir
    });
    let dir = tempfile::tempdir().unwrap();
    copy(&original.path().join("demo"), dir.path());
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every file with its content.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(contents(&path));
        } else {
            files.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

/// The last segment of the journal and how many of its bytes are used.
fn used(dir: &Path) -> (PathBuf, u64) {
    let report = inspect(&dir.join("journal")).unwrap();
    let last = report.segments.last().unwrap();
    (last.file.clone(), last.bytes)
}

fn patch(path: &Path, offset: u64, change: impl Fn(u8) -> u8, count: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = usize::try_from(offset).unwrap();
    bytes[at..at + count].iter_mut().for_each(|byte| *byte = change(*byte));
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_sound_directory_passes_and_stays_as_it_is() {
    let dir = finished();
    let before = contents(dir.path());
    let (ok, text) = verify(dir.path());
    assert!(ok, "{text}");
    assert!(text.contains("sum to zero") && text.contains("what its book says"), "{text}");
    assert!(before == contents(dir.path()), "verifying has changed a file");
}

#[test]
fn a_flipped_byte_in_the_middle_of_the_journal_is_found() {
    let dir = finished();
    let (segment, bytes) = used(dir.path());
    patch(&segment, bytes / 2, |byte| byte ^ 0x10, 1);
    let (ok, text) = verify(dir.path());
    assert!(!ok, "{text}");
    let name = segment.file_name().unwrap().to_string_lossy();
    assert!(text.contains("FAILED") && text.contains(&*name) && text.contains("at byte"), "{text}");
}

#[test]
fn a_torn_tail_is_told_and_is_no_fault() {
    let dir = finished();
    {
        let path = dir.path().join("journal");
        let mut journal = SegmentJournal::open(&path, JournalOptions::default()).unwrap();
        journal.append(1, &[7; 200]).unwrap();
    }
    // The end of the last group never reached the disk.
    let (segment, bytes) = used(dir.path());
    patch(&segment, bytes - 100, |_| 0, 100);
    let before = contents(dir.path());
    let (ok, text) = verify(dir.path());
    assert!(ok, "{text}");
    assert!(text.contains("torn tail"), "{text}");
    assert!(before == contents(dir.path()), "verifying has changed a file");
}

#[test]
fn a_falsified_posting_in_the_archive_is_found() {
    let dir = finished();
    {
        let store = Store::open(&dir.path().join("store"), StoreOptions::default()).unwrap();
        let mut falsified = None;
        store
            .for_each_order(&mut |_, row| {
                let (_, order): (Lsn, Order) = decode_order_row(row).unwrap();
                if order.entries.is_empty() {
                    return std::ops::ControlFlow::Continue(());
                }
                falsified = Some(order);
                std::ops::ControlFlow::Break(())
            })
            .unwrap();
        let mut order = falsified.unwrap();
        let posting = &mut order.entries[0].postings[0];
        posting.amount = posting.amount.plus(Amount::from_minor(1));
        let mut row = order_row(&order);
        mark_row(&mut row, Lsn(u64::MAX));
        let orders = vec![(order.id.0, row.into())];
        store.ingest(ArchiveBatch { orders, ..ArchiveBatch::default() }).unwrap();
    }
    let (ok, text) = verify(dir.path());
    assert!(!ok, "{text}");
    assert!(text.contains("does not sum to zero"), "{text}");
}

#[test]
fn a_falsified_record_in_the_log_is_found() {
    let dir = finished();
    {
        let mut journal =
            SegmentJournal::open(&dir.path().join("journal"), JournalOptions::default()).unwrap();
        let fund = AccountId::internal(AccountType::CouponFund, 9001, Currency::Cny, 0);
        let entry = Entry::new(EntryCode::TopUp, Currency::Cny, CauseId(7))
            .with(Posting::credit(fund, Amount::from_minor(100)));
        let event = LedgerEvent::EntryPosted { entry, reference: "out of nothing".into() };
        let mut payload = Vec::new();
        encode_record(&Record::Ledger { at: TimestampMs(1), event }, &mut payload);
        journal.append(1, &payload).unwrap();
    }
    let (ok, text) = verify(dir.path());
    assert!(!ok, "{text}");
    assert!(text.contains("books in CNY sum to zero"), "{text}");
    assert!(text.contains("debits less credits: -1.00 CNY"), "{text}");
}

#[test]
fn payments_that_the_channel_does_not_know_are_found() {
    let dir = finished();
    let path = dir.path().join("channels/own_bank.book");
    let bytes = fs::read(&path).unwrap();
    // The channel forgets the second half of its book: a header of 24 bytes, then records of 56.
    let half = (bytes.len() - 24) / 56 / 2;
    fs::write(&path, &bytes[..24 + half * 56]).unwrap();
    let (ok, text) = verify(dir.path());
    assert!(!ok, "{text}");
    assert!(text.matches("FAILED").count() == 1 && text.contains("unexplained"), "{text}");
}

#[test]
fn a_directory_in_use_or_without_data_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (ok, text) = verify(dir.path());
    assert!(!ok && text.contains("is not a data directory"), "{text}");

    let data = dir.path().join("demo");
    let mut child =
        program(&DEMO, &data).arg("--exit").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.starts_with("serving:")), "the demo does not serve");
    let (ok, text) = verify(&data);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!ok && text.contains("is in use"), "{text}");
}
