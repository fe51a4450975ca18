//! A book on disk outlives the process.

use std::fs;

use suanpan_model::{ChannelOp, Currency, PayKind};
use tempfile::TempDir;

use super::*;
use crate::book::{LineStatus, RefundStatus};
use crate::book_file::{HEADER_LEN, RECORD_LEN};
use crate::conformance::{Bench, Payment};

const SEED: u64 = 9;

fn open(folder: &TempDir, behaviour: Behaviour) -> Result<Arc<Simulator>, BookFileFault> {
    let path = folder.path().join("unionpay.book");
    Simulator::open(descriptor("unionpay", behaviour), SEED, &path).map(Arc::new)
}

/// Pays `count` times in a channel with a book on disk and ends the process without ceremony.
fn pay(folder: &TempDir, behaviour: Behaviour, count: usize) -> (Vec<Payment>, Arc<Simulator>) {
    let simulator = open(folder, behaviour).unwrap();
    let mut bench = Bench::new(simulator.clone(), PayKind::Gateway);
    let payments: Vec<_> = (0..count).map(|_| bench.next_payment()).collect();
    for payment in &payments {
        bench.call_at_once(&[(*payment, ChannelOp::Pay)]);
    }
    (payments, simulator)
}

#[test]
fn the_book_is_the_same_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let behaviour = Behaviour { notice: Latency::exactly(500), ..Behaviour::instant() };
    let (payments, before) = pay(&folder, behaviour.clone(), 20);
    let mut bench = Bench::new(before.clone(), PayKind::Gateway);
    let part = Payment { amount: suanpan_model::Amount::from_minor(1_000), ..payments[3] };
    // The notification leaves after the refund and must not undo it.
    bench.call(part, ChannelOp::Refund { refund: 1 });
    let after = open(&folder, behaviour).unwrap();
    assert_eq!(after.book(), before.book());
    assert_eq!(after.lines().len(), 20);
    for (order, attempt, line) in after.lines() {
        assert_eq!(Some(BookLine { asked: 0, ..line }), before.payment(order, attempt));
    }
    assert_eq!(after.refund(part.order, part.attempt, 1), before.refund(part.order, part.attempt, 1));
    assert_eq!(after.advance(bench.now(), &(Arc::new(conformance::Recorder::default()) as _)), None);
}

#[test]
fn stuck_and_returned_refunds_outlive_a_restart() {
    let folder = TempDir::new().unwrap();
    let stuck = Behaviour { refund_abnormal: Rate::ALWAYS, ..Behaviour::instant() };
    let bouncing =
        Behaviour { refund_bounced: Rate::ALWAYS, notice: Latency::exactly(9_000), ..Behaviour::instant() };
    let (payments, _) = pay(&folder, Behaviour::instant(), 3);
    let call = |simulator: &Arc<Simulator>, payment: Payment| {
        let mut bench = Bench::new(simulator.clone(), PayKind::Gateway);
        bench.call_at_once(&[(payment, ChannelOp::Refund { refund: 1 })]);
    };
    let status = |simulator: &Simulator, payment: Payment| {
        simulator.refund(payment.order, payment.attempt, 1).map(|line| (line.status, line.tries))
    };
    call(&open(&folder, stuck.clone()).unwrap(), payments[0]);
    call(&open(&folder, bouncing).unwrap(), payments[1]);
    let after = open(&folder, stuck).unwrap();
    assert_eq!(status(&after, payments[0]), Some((RefundStatus::Stuck, 1)));
    assert_eq!(status(&after, payments[1]), Some((RefundStatus::Made, 1)));
    assert_eq!(after.book().unwrap().of(Currency::Cny).refunds, 1);
    // The second comes back although the process ended in between, and the first can still be sent again.
    let reports = Bench::new(after.clone(), PayKind::Gateway).idle();
    assert_eq!(reports.iter().map(|report| report.outcome.name()).collect::<Vec<_>>(), ["bounced"]);
    let last = open(&folder, Behaviour::instant()).unwrap();
    assert_eq!(status(&last, payments[1]), Some((RefundStatus::Bounced, 1)));
    assert_eq!(last.book(), after.book());
    call(&last, payments[0]);
    assert_eq!(status(&last, payments[0]), Some((RefundStatus::Made, 2)));
    assert_eq!(last.book().unwrap().of(Currency::Cny).refunded, payments[0].amount.signed());
}

/// Reads the book whenever something is said, as a process would that is killed and restarted at that moment.
struct Witness {
    path: PathBuf,
    records: Mutex<Vec<usize>>,
}

impl ReportSink for Witness {
    fn deliver(&self, _reports: Vec<ChannelReport>) {
        let length = fs::metadata(&self.path).unwrap().len();
        self.records.lock().unwrap().push((usize::try_from(length).unwrap() - HEADER_LEN) / RECORD_LEN);
    }
}

#[test]
fn the_book_is_written_before_anybody_hears_of_it() {
    let folder = TempDir::new().unwrap();
    let simulator = open(&folder, Behaviour::instant()).unwrap();
    let mut bench = Bench::new(simulator.clone(), PayKind::QuickPay);
    let witness =
        Arc::new(Witness { path: folder.path().join("unionpay.book"), records: Mutex::new(Vec::new()) });
    let sink: Arc<dyn ReportSink> = witness.clone();
    for _ in 0..3 {
        let payment = bench.next_payment();
        simulator.perform(bench.now(), vec![bench.request(payment, ChannelOp::Pay)], &sink);
    }
    assert_eq!(*witness.records.lock().unwrap(), [1, 2, 3]);
}

#[test]
fn payers_and_notices_go_on_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let behaviour = Behaviour {
        think: Latency::exactly(60_000),
        notice: Latency::exactly(1_000),
        never_pays: Rate::from_percent(30),
        ..Behaviour::instant()
    };
    let (payments, before) = pay(&folder, behaviour.clone(), 30);
    drop(before);
    let after = open(&folder, behaviour.clone()).unwrap();
    let mut bench = Bench::new(after.clone(), PayKind::Gateway);
    let start = bench.now();
    // The payers pay; the process ends before their notifications leave.
    assert!(bench.until(start + suanpan_model::DurationMs(60_500)).is_empty());
    drop((bench, after));
    let last = open(&folder, behaviour).unwrap();
    let mut bench = Bench::new(last.clone(), PayKind::Gateway);
    let notices = bench.idle().len();
    let paid = last.lines().iter().filter(|(_, _, line)| line.status == LineStatus::Paid).count();
    let waiting = last.lines().iter().filter(|(_, _, line)| line.status == LineStatus::Waiting).count();
    assert_eq!(notices, paid);
    assert_eq!(paid + waiting, payments.len());
    assert!(paid > 0 && waiting > 0, "{paid} paid, {waiting} waiting");
}

#[test]
fn a_quick_payment_under_way_is_finished_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let behaviour = Behaviour { pay: Latency::exactly(900), quick_pay_notice: true, ..Behaviour::instant() };
    let simulator = open(&folder, behaviour.clone()).unwrap();
    let mut bench = Bench::new(simulator, PayKind::QuickPay);
    let payment = bench.next_payment();
    assert!(bench.call_at_once(&[(payment, ChannelOp::Pay)]).is_empty());
    let mut bench = Bench::new(open(&folder, behaviour).unwrap(), PayKind::QuickPay);
    let reports = bench.idle();
    assert_eq!(reports.len(), 1, "a notification, and no answer to a call that nobody remembers");
    assert_eq!(bench.totals().of(Currency::Cny).payments, 1);
}

#[test]
fn a_book_cut_in_its_last_record_reopens() {
    let folder = TempDir::new().unwrap();
    let (payments, whole) = pay(&folder, Behaviour::instant(), 5);
    let path = folder.path().join("unionpay.book");
    let bytes = fs::read(&path).unwrap();
    let records = (bytes.len() - HEADER_LEN) / RECORD_LEN;
    assert_eq!(bytes.len(), HEADER_LEN + records * RECORD_LEN);
    let last = bytes.len() - RECORD_LEN;
    let at_last = {
        fs::write(&path, &bytes[..last]).unwrap();
        open(&folder, Behaviour::instant()).unwrap().lines()
    };
    for cut in last..bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        assert_eq!(open(&folder, Behaviour::instant()).unwrap().lines(), at_last, "cut at {cut}");
        assert_eq!(fs::metadata(&path).unwrap().len(), last as u64, "the torn record is gone");
        let mut flipped = bytes.clone();
        flipped[cut] ^= 0x10;
        fs::write(&path, &flipped).unwrap();
        assert_eq!(open(&folder, Behaviour::instant()).unwrap().lines(), at_last, "flipped at {cut}");
    }
    fs::write(&path, &bytes).unwrap();
    let reopened = open(&folder, Behaviour::instant()).unwrap();
    assert_eq!(reopened.book(), whole.book());
    assert_eq!(reopened.lines().len(), payments.len());
}

#[test]
fn other_damage_is_refused() {
    let folder = TempDir::new().unwrap();
    drop(pay(&folder, Behaviour::instant(), 5));
    let path = folder.path().join("unionpay.book");
    let bytes = fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let fault = open(&folder, Behaviour::instant()).unwrap_err();
        fault.kind.to_string()
    };
    let mut middle = bytes.clone();
    middle[HEADER_LEN + RECORD_LEN + 9] ^= 1;
    assert_eq!(refused(&middle), "record 1 is damaged");
    assert_eq!(refused(b"something else entirely, longer than a header"), "not a book file of version 2");
    let mut header = bytes.clone();
    header[9] ^= 1;
    assert_eq!(refused(&header), "not a book file of version 2");
    fs::write(&path, &bytes).unwrap();
    let fault = Simulator::open(descriptor("unionpay", Behaviour::instant()), SEED + 1, &path).unwrap_err();
    assert_eq!(fault.kind.to_string(), "kept for channel 6 with seed 9");
    for cut in 0..HEADER_LEN {
        fs::write(&path, &bytes[..cut]).unwrap();
        let lines = open(&folder, Behaviour::instant()).unwrap().lines();
        assert!(lines.is_empty(), "a header cut at {cut} is written anew");
    }
}

#[test]
fn simulators_continue_their_books() {
    let folder = TempDir::new().unwrap();
    for _ in 0..2 {
        let channels =
            simulators_with_books(crate::BUILTIN_CHANNELS, SEED, &folder.path().join("books")).unwrap();
        assert_eq!(channels.len(), load_descriptors(crate::BUILTIN_CHANNELS).unwrap().len());
    }
    assert_eq!(fs::read_dir(folder.path().join("books")).unwrap().count(), 9);
}
