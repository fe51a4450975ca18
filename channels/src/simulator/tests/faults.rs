//! Every fault form really occurs, and the book stays true under all of them.

use std::collections::{BTreeMap, BTreeSet};

use suanpan_model::channel::FailureKind;
use suanpan_model::{Amount, ChannelOp, Outcome, PayKind, ReportSource};

use super::*;
use crate::book::{LineStatus, RefundStatus};
use crate::conformance::{Bench, Payment};

const PAYMENTS: usize = 10_000;

/// Forms seen in a life, by name. The names are what the test is about; each is defined where it is noted.
#[derive(Default)]
struct Seen(BTreeMap<&'static str, usize>);

impl Seen {
    fn note(&mut self, form: &'static str, happened: bool) {
        *self.0.entry(form).or_default() += usize::from(happened);
    }
}

struct Life {
    simulator: Arc<Simulator>,
    bench: Bench,
    seen: Seen,
}

impl Life {
    fn new(behaviour: Behaviour) -> Self {
        let mut descriptor = descriptor("cpcn", behaviour);
        descriptor.capability.hours = None;
        let simulator = Arc::new(Simulator::new(descriptor, 42));
        let bench = Bench::new(simulator.clone(), PayKind::Gateway);
        Self { simulator, bench, seen: Seen::default() }
    }

    /// One life of ten thousand payments: asked for, some closed at once, all queried, some given back.
    fn live(mut self, kind: PayKind) -> Seen {
        self.bench = Bench::new(self.simulator.clone(), kind);
        let payments: Vec<Payment> = (0..PAYMENTS).map(|_| self.bench.next_payment()).collect();
        let deadline = self.bench.now() + self.simulator.capability.call_timeout;
        let mut reports = Vec::new();
        for chunk in payments.chunks(100) {
            let calls: Vec<_> = chunk.iter().map(|payment| (*payment, ChannelOp::Pay)).collect();
            reports.extend(self.bench.call_at_once(&calls));
        }
        reports.extend(self.bench.until(deadline));
        let in_time: BTreeSet<OrderId> =
            answers(&reports, ReportSource::PayAnswer).map(|report| report.order).collect();
        let waits_for_code: Vec<_> = answers(&reports, ReportSource::PayAnswer)
            .filter(|report| is_code(&report.outcome))
            .map(|report| report.order)
            .collect();
        for payment in payments.iter().filter(|payment| waits_for_code.contains(&payment.order)) {
            let confirm = ChannelOp::Confirm { sms_code: "123456".into() };
            reports.extend(self.bench.call_at_once(&[(*payment, confirm)]));
        }
        for payment in payments.iter().step_by(4) {
            reports.extend(self.bench.call_at_once(&[(*payment, ChannelOp::Close)]));
        }
        reports.extend(self.bench.idle());
        for payment in &payments {
            reports.extend(self.bench.call_at_once(&[(*payment, ChannelOp::Query)]));
        }
        for payment in payments.iter().step_by(3) {
            let part = Payment { amount: Amount::from_minor(1_000), ..*payment };
            reports.extend(self.bench.call_at_once(&[(part, ChannelOp::Refund { refund: 1 })]));
        }
        reports.extend(self.bench.idle());
        self.observe(&payments, &reports, &in_time);
        self.check_books(&payments);
        self.seen
    }

    fn observe(&mut self, payments: &[Payment], reports: &[ChannelReport], in_time: &BTreeSet<OrderId>) {
        let mut by_order: BTreeMap<OrderId, Vec<&ChannelReport>> = BTreeMap::new();
        for report in reports {
            by_order.entry(report.order).or_default().push(report);
        }
        for payment in payments {
            let own = by_order.get(&payment.order).map_or(&[][..], Vec::as_slice);
            let line = self.simulator.payment(payment.order, payment.attempt);
            let paid = line.is_some_and(|line| line.status == LineStatus::Paid);
            let heard = in_time.contains(&payment.order);
            let notices: Vec<_> =
                own.iter().filter(|report| report.source == ReportSource::PayNotice).collect();
            let good: Vec<_> = notices
                .iter()
                .filter_map(|report| match report.outcome {
                    Outcome::Succeeded { amount, .. } => Some(amount),
                    _ => None,
                })
                .collect();
            let place = |source| own.iter().position(|report| report.source == source);
            let answer = place(ReportSource::PayAnswer);
            let says = |name: &str| own.iter().any(|report| report.outcome.name() == name);
            let closed = own.iter().any(|report| {
                report.source == ReportSource::CloseAnswer && report.outcome == Outcome::Closed
            });
            let failed_notice = notices.iter().any(|report| report.outcome.name() == "failed");
            let seen = &mut self.seen;
            seen.note("refused", says("not_sent"));
            seen.note("timeout_not_done", answer.is_none() && line.is_none());
            seen.note("timeout_done, answered late", paid && !heard && answer.is_some());
            seen.note("timeout_done, never answered", paid && !heard && answer.is_none());
            for kind in crate::FAILURE_KINDS {
                seen.note(
                    failure_name(kind),
                    line.is_some_and(|line| line.status == LineStatus::Failed(kind)),
                );
            }
            seen.note("sms", own.iter().any(|report| is_code(&report.outcome)));
            let is_processing = |report: &&&ChannelReport| {
                report.source == ReportSource::PayAnswer && report.outcome == Outcome::Processing
            };
            seen.note("processing", own.iter().find(is_processing).is_some());
            seen.note("never pays", line.is_some_and(|line| line.status == LineStatus::Waiting));
            seen.note("notice lost", paid && good.is_empty());
            seen.note("notice duplicate", good.len() > 1 && good.len() <= 6);
            seen.note("notice too often", good.len() > 6);
            let early =
                place(ReportSource::PayNotice).zip(answer).is_some_and(|(notice, answer)| notice < answer);
            seen.note("notice before answer", early);
            seen.note("lie", paid && good.iter().any(|amount| *amount != payment.amount));
            seen.note("contradiction", paid && failed_notice);
            seen.note("paid after close", paid && closed);
            let asked = |report: &&ChannelReport| report.source == ReportSource::QueryAnswer;
            seen.note(
                "query unknown",
                own.iter().any(|report| asked(report) && report.outcome.name() == "unknown"),
            );
            let refund = self.simulator.refund(payment.order, payment.attempt, 1);
            let has_status = |status| refund.is_some_and(|refund| refund.status == status);
            seen.note("refund abnormal", has_status(RefundStatus::Stuck) && says("abnormal"));
            seen.note("refund bounced", has_status(RefundStatus::Bounced) && says("bounced"));
            seen.note("refund failure", has_status(RefundStatus::Refused));
            let refund_answer =
                own.iter().find(|report| matches!(report.source, ReportSource::Refund { .. }));
            let unknown = refund_answer.is_some_and(|report| report.outcome.name() == "unknown");
            seen.note("refund unknown", unknown && has_status(RefundStatus::Made));
        }
        let paid_notices: Vec<_> = reports
            .iter()
            .filter(|report| report.source == ReportSource::PayNotice && report.outcome.name() == "succeeded")
            .filter_map(|report| self.simulator.payment(report.order, report.attempt))
            .map(|line| line.changed_at)
            .collect();
        self.seen.note("notices out of order", !paid_notices.is_sorted());
    }

    /// The sums are those of the lines, and nobody got more back than was paid.
    fn check_books(&self, payments: &[Payment]) {
        let lines = self.simulator.lines();
        assert!(lines.len() <= payments.len());
        let mut sums = crate::CurrencyTotals::default();
        for (_, _, line) in lines.iter().filter(|(_, _, line)| line.status == LineStatus::Paid) {
            assert!(line.refunded <= line.amount);
            sums.payments += 1;
            sums.paid += line.amount.signed();
            sums.fees += line.fee.signed();
            sums.refunds += u64::from(!line.refunded.is_zero());
            sums.refunded += line.refunded.signed();
        }
        assert_eq!(self.bench.totals().of(suanpan_model::Currency::Cny), sums);
    }
}

fn answers(reports: &[ChannelReport], source: ReportSource) -> impl Iterator<Item = &ChannelReport> {
    reports.iter().filter(move |report| report.source == source)
}

fn is_code(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { action: Some(suanpan_model::PayerAction::SmsCode), .. })
}

fn failure_name(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Payer => "failed payer",
        FailureKind::Declined => "failed declined",
        FailureKind::Risk => "failed risk",
        FailureKind::Limit => "failed limit",
        FailureKind::Channel => "failed channel",
        FailureKind::Request => "failed request",
    }
}

/// Forms that one kind of payment cannot show.
const GATEWAY_ONLY: [&str; 2] = ["never pays", "paid after close"];
const QUICK_PAY_ONLY: [&str; 2] = ["sms", "processing"];

#[test]
fn every_fault_form_occurs() {
    for (kind, absent) in [(PayKind::Gateway, QUICK_PAY_ONLY), (PayKind::QuickPay, GATEWAY_ONLY)] {
        let seen = Life::new(Behaviour::hostile()).live(kind);
        for (form, count) in &seen.0 {
            let expected = !absent.contains(form) && *form != "notice too often";
            assert_eq!(*count > 0, expected, "{kind:?}: {form} occurred {count} times");
        }
    }
}

/// The canary: the same observer sees nothing where nothing is wrong.
#[test]
fn no_fault_form_occurs_in_a_faultless_channel() {
    for kind in [PayKind::Gateway, PayKind::QuickPay] {
        let seen = Life::new(Behaviour { quick_pay_notice: true, ..Behaviour::instant() }).live(kind);
        assert!(seen.0.values().all(|count| *count == 0), "{kind:?}: {:?}", seen.0);
    }
}

/// Each rate does what its name says and nothing else: switched on alone, it shows its own form.
#[test]
fn each_rate_shows_its_own_form() {
    let often = Rate::from_percent(50);
    let slow = Behaviour { think: Latency { p50_ms: 30_000, p99_ms: 60_000 }, ..Behaviour::instant() };
    let late = ["notice before answer", "timeout_done, answered late", "timeout_done, never answered"];
    let table: [(&[&str], Behaviour); 11] = [
        (&late, Behaviour { timeout_done: often, ..Behaviour::instant() }),
        (&["refused"], Behaviour { refused: often, ..Behaviour::instant() }),
        (&["timeout_not_done"], Behaviour { timeout_not_done: often, ..Behaviour::instant() }),
        (&["notice lost"], Behaviour { notice_lost: often, ..Behaviour::instant() }),
        (&["notice duplicate"], Behaviour { notice_duplicate: often, ..Behaviour::instant() }),
        (&["notice before answer"], Behaviour { notice_before_answer: often, ..Behaviour::instant() }),
        (&["lie"], Behaviour { lie_amount: often, ..Behaviour::instant() }),
        (&["contradiction"], Behaviour { contradiction: often, ..Behaviour::instant() }),
        (&["paid after close"], Behaviour { paid_after_close: often, ..slow }),
        (&["refund abnormal"], Behaviour { refund_abnormal: often, ..Behaviour::instant() }),
        (&["refund bounced"], Behaviour { refund_bounced: often, ..Behaviour::instant() }),
    ];
    for (forms, behaviour) in table {
        let seen = Life::new(behaviour).live(PayKind::Gateway);
        let shown: Vec<_> = seen.0.iter().filter(|(_, count)| **count > 0).map(|(form, _)| *form).collect();
        assert_eq!(shown, forms);
    }
}
