//! One payment at a time: what is said, in which order.

use suanpan_model::{Amount, ChannelOp, Currency, PayKind};

use super::*;
use crate::conformance::{Bench, Payment};

fn bench(name: &str, kind: PayKind, behaviour: Behaviour) -> Bench {
    Bench::new(Arc::new(Simulator::new(descriptor(name, behaviour), 7)), kind)
}

/// What is said, as `source outcome`, until the channel is idle.
fn said(reports: &[ChannelReport]) -> Vec<String> {
    reports.iter().map(|report| format!("{:?} {}", report.source, report.outcome.name())).collect()
}

#[test]
fn a_gateway_payment_is_answered_paid_and_notified_in_one_batch() {
    let mut bench = bench("wechat", PayKind::Gateway, Behaviour::instant());
    let payment = bench.next_payment();
    let reports = bench.call_at_once(&[(payment, ChannelOp::Pay)]);
    assert_eq!(said(&reports), ["PayAnswer accepted", "PayNotice succeeded"]);
    let sums = bench.totals().of(Currency::Cny);
    // 30.00 yuan at 0.60 %.
    assert_eq!((sums.payments, sums.paid, sums.fees, sums.net()), (1, 3_000, 18, 2_982));
    let reports = bench.call_at_once(&[(payment, ChannelOp::Refund { refund: 1 })]);
    assert_eq!(said(&reports), ["Refund { refund: 1 } succeeded"]);
    let sums = bench.totals().of(Currency::Cny);
    assert_eq!((sums.refunds, sums.refunded, sums.net()), (1, 3_000, -18));
}

#[test]
fn quick_payments() {
    let table: [(&str, Behaviour, &[&str]); 6] = [
        ("plain", Behaviour::instant(), &["PayAnswer succeeded"]),
        (
            "with a notice",
            Behaviour { quick_pay_notice: true, ..Behaviour::instant() },
            &["PayAnswer succeeded", "PayNotice succeeded"],
        ),
        (
            "notice first",
            Behaviour { notice_before_answer: Rate::ALWAYS, ..Behaviour::instant() },
            &["PayNotice succeeded", "PayAnswer succeeded"],
        ),
        (
            "processing",
            Behaviour { processing: Rate::ALWAYS, pay: Latency::exactly(900), ..Behaviour::instant() },
            &["PayAnswer processing", "PayNotice succeeded"],
        ),
        ("code", Behaviour { sms: Rate::ALWAYS, ..Behaviour::instant() }, &["PayAnswer accepted"]),
        (
            "lost",
            Behaviour { timeout_not_done: Rate::ALWAYS, quick_pay_notice: true, ..Behaviour::instant() },
            &[],
        ),
    ];
    for (name, behaviour, expected) in table {
        let mut bench = bench("cmb", PayKind::QuickPay, behaviour);
        let payment = bench.next_payment();
        assert_eq!(said(&bench.call(payment, ChannelOp::Pay)), expected, "{name}");
    }
}

#[test]
fn a_code_is_typed() {
    let behaviour = Behaviour { sms: Rate::ALWAYS, ..Behaviour::instant() };
    let mut bench = bench("cmb", PayKind::QuickPay, behaviour);
    for (code, expected) in [("000000", "PayAnswer failed"), ("493021", "PayAnswer succeeded")] {
        let payment = bench.next_payment();
        bench.call(payment, ChannelOp::Pay);
        assert_eq!(bench.query(payment), suanpan_model::Outcome::Processing);
        let confirm = ChannelOp::Confirm { sms_code: code.into() };
        assert_eq!(said(&bench.call(payment, confirm.clone())), [expected]);
        assert_eq!(said(&bench.call(payment, confirm)), [expected], "typed twice");
    }
    assert_eq!(bench.totals().of(Currency::Cny).payments, 1);
}

#[test]
fn a_waiting_payment_answers_processing_then_paid() {
    let behaviour = Behaviour { think: Latency::exactly(5_000), ..Behaviour::instant() };
    let mut bench = bench("alipay", PayKind::Gateway, behaviour);
    let payment = bench.next_payment();
    let reports = bench.call_at_once(&[(payment, ChannelOp::Pay), (payment, ChannelOp::Query)]);
    assert_eq!(said(&reports), ["PayAnswer accepted", "QueryAnswer processing"]);
    let again = bench.call_at_once(&[(payment, ChannelOp::Pay)]);
    assert_eq!(said(&again), ["PayAnswer accepted"], "a repeated call gets the address again");
    let started = bench.now();
    assert_eq!(said(&bench.idle()), ["PayNotice succeeded"]);
    assert_eq!(bench.now().since(started).0, 5_000);
}

#[test]
fn a_call_sees_what_happened_before_it_although_nobody_advanced() {
    let behaviour =
        Behaviour { pay: Latency::exactly(1_000), create: Latency::exactly(1), ..Behaviour::instant() };
    let simulator = Simulator::new(descriptor("cmb", behaviour), 7);
    let recorder = Arc::new(crate::conformance::Recorder::default());
    let sink: Arc<dyn ReportSink> = recorder.clone();
    let mut bench = bench("cmb", PayKind::QuickPay, Behaviour::instant());
    let payment = bench.next_payment();
    let at = bench.now();
    simulator.perform(at, vec![bench.request(payment, ChannelOp::Pay)], &sink);
    let later = at + suanpan_model::DurationMs(2_000);
    simulator.perform(later, vec![bench.request(payment, ChannelOp::Query)], &sink);
    let reports: Vec<_> = recorder.take().into_iter().flatten().collect();
    assert_eq!(said(&reports), ["PayAnswer succeeded", "QueryAnswer succeeded"]);
    let line = simulator.payment(payment.order, payment.attempt).unwrap();
    assert_eq!(line.changed_at, at + suanpan_model::DurationMs(1_001), "things happen at their own instant");
}

#[test]
fn the_channel_checks_its_own_limits() {
    let fen = Amount::from_minor;
    // channel, amount, hour in Beijing, expected
    let table = [
        ("cmb", 20_000_000, 12, "PayAnswer succeeded"),
        ("cmb", 20_000_001, 12, "PayAnswer failed"),
        ("cmb", 0, 12, "PayAnswer failed"),
        ("cmb", 1_000, 0, "PayAnswer failed"),
        ("lianlian", 9, 12, "PayAnswer failed"),
    ];
    for (name, amount, hour, expected) in table {
        let simulator = Simulator::new(descriptor(name, Behaviour::instant()), 7);
        let recorder = Arc::new(crate::conformance::Recorder::default());
        let sink: Arc<dyn ReportSink> = recorder.clone();
        let mut bench = bench(name, PayKind::QuickPay, Behaviour::instant());
        let payment = Payment { amount: fen(amount), ..bench.next_payment() };
        let now = TimestampMs(bench.now().0 - 12 * 3_600_000 + hour * 3_600_000);
        simulator.perform(now, vec![bench.request(payment, ChannelOp::Pay)], &sink);
        let reports: Vec<_> = recorder.take().into_iter().flatten().collect();
        assert_eq!(said(&reports), [expected], "{name} {amount} {hour}");
    }
}

#[test]
fn the_daily_quota_runs_out_and_comes_back() {
    let mut descriptor = descriptor("lianlian", Behaviour::instant());
    descriptor.capability.daily_quota = Some(Amount::from_minor(7_000));
    let mut bench = Bench::new(Arc::new(Simulator::new(descriptor, 7)), PayKind::QuickPay);
    let mut answers = Vec::new();
    for _ in 0..3 {
        let payment = bench.next_payment();
        answers.extend(said(&bench.call(payment, ChannelOp::Pay)));
    }
    assert_eq!(answers, ["PayAnswer succeeded", "PayAnswer succeeded", "PayAnswer failed"]);
    bench.wait(suanpan_model::DurationMs::from_days(1));
    let payment = bench.next_payment();
    assert_eq!(said(&bench.call(payment, ChannelOp::Pay)), ["PayAnswer succeeded"]);
}

#[test]
fn a_forgetful_book_stays_bounded_with_exact_sums() {
    let behaviour = Behaviour { keep_lines: false, ..Behaviour::instant() };
    let simulator = Arc::new(Simulator::new(descriptor("wechat", behaviour), 7));
    let mut bench = Bench::new(simulator.clone(), PayKind::Gateway);
    let limit = crate::book::FINISHED_LINES;
    let first = bench.next_payment();
    bench.call_at_once(&[(first, ChannelOp::Pay)]);
    for _ in 0..limit / 256 + 1 {
        let calls: Vec<_> = (0..256).map(|_| (bench.next_payment(), ChannelOp::Pay)).collect();
        bench.call_at_once(&calls);
    }
    let sums = bench.totals().of(Currency::Cny);
    assert_eq!(sums.payments, limit as u64 + 257);
    assert_eq!(sums.paid, 3_000 * i128::from(sums.payments));
    assert_eq!(simulator.lines().len(), limit);
    assert_eq!(simulator.payment(first.order, first.attempt), None);
}

#[test]
fn a_stuck_refund_moves_no_money_until_it_is_sent_again() {
    let behaviour = Behaviour { refund_abnormal: Rate::from_percent(50), ..Behaviour::instant() };
    let mut bench = bench("wechat", PayKind::Gateway, behaviour);
    let payment = bench.next_payment();
    bench.call(payment, ChannelOp::Pay);
    let part = Payment { amount: Amount::from_minor(100), ..payment };
    let mut stuck_first = 0;
    for refund in 1..=20 {
        let before = bench.totals().of(Currency::Cny).refunded;
        let mut sent = 0;
        loop {
            sent += 1;
            assert!(sent < 40, "every try gets stuck");
            let answer = said(&bench.call(part, ChannelOp::Refund { refund }));
            let query = said(&bench.call(part, ChannelOp::QueryRefund { refund }));
            assert_eq!(answer, query, "a query tells the same");
            let moved = bench.totals().of(Currency::Cny).refunded - before;
            if answer == [format!("Refund {{ refund: {refund} }} succeeded")] {
                assert_eq!(moved, 100);
                break;
            }
            assert_eq!((answer, moved), (vec![format!("Refund {{ refund: {refund} }} abnormal")], 0));
        }
        stuck_first += usize::from(sent > 1);
        bench.call(part, ChannelOp::Refund { refund });
        assert_eq!(bench.totals().of(Currency::Cny).refunded - before, 100, "once made it is made once");
    }
    assert!((1..20).contains(&stuck_first), "{stuck_first} of 20");
}

#[test]
fn a_stuck_refund_that_was_not_answered_is_notified() {
    let behaviour = Behaviour {
        refund_abnormal: Rate::ALWAYS,
        refund_unknown: Rate::ALWAYS,
        notice: Latency::exactly(700),
        ..Behaviour::instant()
    };
    let mut bench = bench("wechat", PayKind::Gateway, behaviour);
    let payment = bench.next_payment();
    bench.call(payment, ChannelOp::Pay);
    let reports = bench.call(payment, ChannelOp::Refund { refund: 1 });
    assert_eq!(said(&reports), ["Refund { refund: 1 } unknown", "Refund { refund: 1 } abnormal"]);
    assert_eq!(bench.totals().of(Currency::Cny).refunds, 0);
}

#[test]
fn a_bounced_refund_brings_the_money_back_and_another_may_follow() {
    let behaviour =
        Behaviour { refund_bounced: Rate::ALWAYS, notice: Latency::exactly(5_000), ..Behaviour::instant() };
    let mut bench = bench("wechat", PayKind::Gateway, behaviour);
    let payment = bench.next_payment();
    bench.call(payment, ChannelOp::Pay);
    for refund in 1..=2 {
        let reports = bench.call_at_once(&[(payment, ChannelOp::Refund { refund })]);
        assert_eq!(said(&reports), [format!("Refund {{ refund: {refund} }} succeeded")]);
        let sums = bench.totals().of(Currency::Cny);
        assert_eq!((sums.refunds, sums.refunded), (1, 3_000));
        let started = bench.now();
        assert_eq!(said(&bench.idle()), [format!("Refund {{ refund: {refund} }} bounced")]);
        assert_eq!(bench.now().since(started).0, 5_000);
        let sums = bench.totals().of(Currency::Cny);
        assert_eq!((sums.refunds, sums.refunded, sums.net()), (0, 0, 2_982));
        for op in [ChannelOp::Refund { refund }, ChannelOp::QueryRefund { refund }] {
            let reports = bench.call(payment, op);
            assert_eq!(said(&reports), [format!("Refund {{ refund: {refund} }} bounced")], "and stays so");
        }
    }
}
