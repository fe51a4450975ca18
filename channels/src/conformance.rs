//! What every adapter and every simulator must do, whatever its latencies and faults.
//!
//! Each case of [`CASES`] takes a fresh adapter, calls it through the trait alone, moves a virtual clock until the adapter
//! is idle and panics with a sentence when the adapter breaks a rule. A case looks for payments that go well, so that a
//! channel may fail, lose and delay some; it may not do so to all of hundreds.

use suanpan_model::{ChannelOp, Outcome, ReportSource};

mod bench;

pub use bench::{Bench, Payment, Recorder};

/// One rule, checked on an adapter that nobody has called yet.
pub type Case = fn(&mut Bench);

/// Every rule, with its name.
pub const CASES: [(&str, Case); 11] = [
    ("answers_carry_our_ids", answers_carry_our_ids),
    ("a_payment_is_found_by_query", a_payment_is_found_by_query),
    ("paying_twice_pays_once", paying_twice_pays_once),
    ("calls_of_one_batch_are_one_payment", calls_of_one_batch_are_one_payment),
    ("attempts_are_apart", attempts_are_apart),
    ("an_unknown_payment_is_not_found", an_unknown_payment_is_not_found),
    ("a_closed_payment_stays_unpaid", a_closed_payment_stays_unpaid),
    ("closing_what_never_came_keeps_it_out", closing_what_never_came_keeps_it_out),
    ("a_paid_payment_cannot_be_closed", a_paid_payment_cannot_be_closed),
    ("refunds_stay_within_the_payment", refunds_stay_within_the_payment),
    ("what_is_said_of_a_refund_is_what_moved", what_is_said_of_a_refund_is_what_moved),
];

/// Runs every case, each on an adapter of its own, once per kind of payment that the channel takes.
///
/// # Panics
/// When a rule is broken.
pub fn check(make: impl Fn() -> std::sync::Arc<dyn crate::Adapter>) {
    for (_, case) in CASES {
        for kind in make().capability().kinds.clone() {
            case(&mut Bench::new(make(), kind));
        }
    }
}

fn answers_carry_our_ids(bench: &mut Bench) {
    let payment = bench.paid();
    for op in [ChannelOp::Pay, ChannelOp::Query, ChannelOp::Close, ChannelOp::Refund { refund: 7 }] {
        let source = match op {
            ChannelOp::Pay | ChannelOp::Confirm { .. } => ReportSource::PayAnswer,
            ChannelOp::Query => ReportSource::QueryAnswer,
            ChannelOp::Close => ReportSource::CloseAnswer,
            ChannelOp::Refund { refund } | ChannelOp::QueryRefund { refund } => {
                ReportSource::Refund { refund }
            }
        };
        let reports = bench.call(payment, op);
        for report in &reports {
            let ids = (report.channel, report.order, report.attempt);
            assert_eq!(
                ids,
                (bench.channel(), payment.order, payment.attempt),
                "a report is about our payment"
            );
        }
        // News of a refund that gets stuck or comes back is a notification.
        let is_news = |report: &&suanpan_model::ChannelReport| {
            matches!(report.outcome, Outcome::Abnormal { .. } | Outcome::Bounced { .. })
        };
        let said = reports.iter().filter(|report| report.source == source);
        let answers = said.filter(|report| !is_news(report)).count();
        assert!(answers <= 1, "one call has at most one answer, not {answers}");
    }
}

fn a_payment_is_found_by_query(bench: &mut Bench) {
    let payment = bench.paid();
    let Outcome::Succeeded { channel_no, amount, fee } = bench.query(payment) else {
        panic!("a paid payment is found paid");
    };
    assert!(!channel_no.is_empty(), "the channel has a number for the payment");
    assert_eq!(amount, payment.amount, "what was asked for was paid");
    if let Some(fee) = fee {
        let expected = bench.capability().tariff.fee(payment.amount, bench.terms(payment.amount).card_type);
        assert_eq!(fee, expected, "the fee is that of the tariff");
    }
}

fn paying_twice_pays_once(bench: &mut Bench) {
    let payment = bench.paid();
    let (before, first) = (bench.totals(), bench.query(payment));
    for _ in 0..3 {
        for report in bench.call(payment, ChannelOp::Pay) {
            assert_ne!(report.outcome.name(), "not_found", "a repeat hears of the payment");
        }
    }
    assert_eq!(bench.totals(), before, "a repeated call moves no money");
    assert_eq!(bench.query(payment), first, "a repeated call changes nothing");
}

fn calls_of_one_batch_are_one_payment(bench: &mut Bench) {
    let payment = bench.next_payment();
    bench.call_all(&[(payment, ChannelOp::Pay), (payment, ChannelOp::Pay), (payment, ChannelOp::Pay)]);
    bench.confirm(payment);
    let payments: u64 = bench.totals().currencies.iter().map(|(_, sums)| sums.payments).sum();
    assert!(payments <= 1, "three calls of one batch make one payment, not {payments}");
}

fn attempts_are_apart(bench: &mut Bench) {
    let first = bench.paid();
    let second = Payment { attempt: suanpan_model::AttemptNo(first.attempt.0 + 1), ..first };
    assert_eq!(bench.query(second), Outcome::NotFound, "another attempt is another payment");
}

fn an_unknown_payment_is_not_found(bench: &mut Bench) {
    let payment = bench.next_payment();
    assert_eq!(bench.query(payment), Outcome::NotFound, "nobody has paid it");
    let refund = ReportSource::Refund { refund: 1 };
    for op in [ChannelOp::QueryRefund { refund: 1 }, ChannelOp::Refund { refund: 1 }] {
        let answer = bench.answer(payment, op, refund);
        assert_eq!(answer, Some(Outcome::NotFound), "what was not paid is not given back");
    }
    assert!(bench.totals().currencies.is_empty(), "no money moved");
}

fn a_closed_payment_stays_unpaid(bench: &mut Bench) {
    for _ in 0..20 {
        let payment = bench.next_payment();
        bench.start(payment);
        let closed = bench.answer(payment, ChannelOp::Close, ReportSource::CloseAnswer);
        bench.call(payment, ChannelOp::Pay);
        match closed {
            Some(Outcome::Closed) => {
                assert_eq!(bench.query(payment), Outcome::Closed, "what is closed stays closed");
            }
            Some(outcome @ (Outcome::Succeeded { .. } | Outcome::Failed { .. })) => {
                assert_eq!(bench.query(payment), outcome, "a close that came too late tells the truth");
            }
            Some(Outcome::Processing | Outcome::Unknown(_) | Outcome::NotFound) | None => {}
            Some(
                outcome @ (Outcome::Accepted { .. }
                | Outcome::NotSent(_)
                | Outcome::Abnormal { .. }
                | Outcome::Bounced { .. }),
            ) => {
                panic!("{} is no answer to a close", outcome.name());
            }
        }
    }
}

fn closing_what_never_came_keeps_it_out(bench: &mut Bench) {
    let payment = bench.next_payment();
    if bench.answer(payment, ChannelOp::Close, ReportSource::CloseAnswer) == Some(Outcome::Closed) {
        bench.call(payment, ChannelOp::Pay);
        bench.confirm(payment);
        assert!(
            bench.totals().currencies.is_empty(),
            "a payment call that comes after its close is not paid"
        );
    }
}

fn a_paid_payment_cannot_be_closed(bench: &mut Bench) {
    let payment = bench.paid();
    let before = bench.totals();
    if let Some(outcome) = bench.answer(payment, ChannelOp::Close, ReportSource::CloseAnswer) {
        assert_eq!(outcome.name(), "succeeded", "closing a paid payment says that it is paid");
    }
    assert_eq!(bench.totals(), before, "a close moves no money");
    assert_eq!(bench.query(payment).name(), "succeeded", "it is still paid");
}

fn refunds_stay_within_the_payment(bench: &mut Bench) {
    let payment = bench.paid();
    let part = Payment { amount: suanpan_model::Amount::from_minor(payment.amount.minor() / 3), ..payment };
    let before = bench.totals();
    let mut given_back = suanpan_model::Amount::ZERO;
    for refund in 1..=20 {
        let op = ChannelOp::Refund { refund };
        bench.call_all(&[(part, op.clone()), (part, op.clone())]);
        bench.call(part, op);
        let known = bench.answer(part, ChannelOp::QueryRefund { refund }, ReportSource::Refund { refund });
        if let Some(Outcome::Succeeded { amount, .. }) = known {
            given_back = given_back.plus(amount);
        }
    }
    assert!(given_back <= payment.amount, "never more goes back than was paid");
    assert!(!given_back.is_zero(), "of twenty refunds some go well");
    let moved: i128 = bench.totals().currencies.iter().map(|(_, sums)| sums.refunded).sum();
    let moved_before: i128 = before.currencies.iter().map(|(_, sums)| sums.refunded).sum();
    assert_eq!(moved - moved_before, given_back.signed(), "each refund moves money once");
}

/// Stuck, refused and returned refunds move no money, and sending them again moves at most their own.
fn what_is_said_of_a_refund_is_what_moved(bench: &mut Bench) {
    let payment = bench.paid();
    let part = Payment { amount: suanpan_model::Amount::from_minor(payment.amount.minor() / 20), ..payment };
    let moved =
        |bench: &Bench| -> i128 { bench.totals().currencies.iter().map(|(_, sums)| sums.refunded).sum() };
    for refund in 1..=20 {
        let before = moved(bench);
        for _ in 0..3 {
            bench.call(part, ChannelOp::Refund { refund });
            let source = ReportSource::Refund { refund };
            let expected = match bench.answer(part, ChannelOp::QueryRefund { refund }, source) {
                Some(Outcome::Succeeded { amount, .. }) => amount.signed(),
                Some(Outcome::Failed { .. } | Outcome::Abnormal { .. } | Outcome::NotFound) => 0,
                Some(Outcome::Bounced { amount, .. }) => {
                    assert_eq!(amount, part.amount, "what went back came back whole");
                    0
                }
                Some(Outcome::Processing | Outcome::Unknown(_)) | None => continue,
                Some(outcome @ (Outcome::Accepted { .. } | Outcome::Closed | Outcome::NotSent(_))) => {
                    panic!("{} is no state of a refund", outcome.name())
                }
            };
            assert_eq!(moved(bench) - before, expected, "the book agrees with what is said of a refund");
        }
    }
}
