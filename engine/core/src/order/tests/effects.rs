//! The channel calls that follow from events.

use suanpan_model::channel::UnknownWhy;
use suanpan_model::{
    FailureKind, Order, OrderCommand, OrderTerms, Outcome, PayKind, PayerAction, ReportSource,
};

use super::build::*;
use crate::order::{Decision, effects};

/// Carries a command out; what the channels are asked then, one line a call.
fn calls(life: &mut Life, command: &OrderCommand) -> Vec<String> {
    let Ok(Decision::Moved(events)) = life.decides(command) else { return Vec::new() };
    life.does(command);
    let mut calls = Vec::new();
    for event in &events {
        effects(&life.order, event, Some(&"123456".into()), &mut |request| {
            calls.push(format!(
                "{:?} at {} attempt {} of {} until {} s",
                request.op,
                request.channel,
                request.attempt,
                request.amount.minor(),
                request.deadline.since(NOW).0 / 1000
            ));
        });
    }
    calls
}

fn heard(order: &Order, outcome: Outcome) -> OrderCommand {
    report(order, u8::try_from(order.attempts.len()).unwrap(), ReportSource::PayAnswer, outcome)
}

#[test]
fn a_payment_is_called_confirmed_asked_about_and_closed() {
    let quick = OrderTerms { kind: PayKind::QuickPay, agreement_no: "AG".into(), ..terms() };
    let quick = less(1_000, quick);
    let mut life = Life::begin(quick);
    let next = heard(&life.order, refused(FailureKind::Limit));
    assert_eq!(calls(&mut life, &next), ["Pay at 2 attempt 2 of 9000 until 5 s"]);
    let sms = heard(&life.order, accepted(Some(PayerAction::SmsCode)));
    assert_eq!(calls(&mut life, &sms), [""; 0]);
    let confirm = OrderCommand::ConfirmSms { sms_code: "123456".into() };
    assert_eq!(
        calls(&mut life, &confirm),
        ["Confirm { sms_code: \"123456\" } at 2 attempt 2 of 9000 until 5 s"]
    );
    let lost = heard(&life.order, Outcome::Unknown(UnknownWhy::Timeout));
    assert_eq!(calls(&mut life, &lost), [""; 0], "it is asked when it is due, not at once");
    life.now = life.order.next_due();
    assert_eq!(calls(&mut life, &OrderCommand::Wake), ["Query at 2 attempt 2 of 9000 until 5 s"]);
    assert_eq!(calls(&mut life, &OrderCommand::Close), ["Query at 2 attempt 2 of 9000 until 5 s"]);
    let open = report(&life.order, 2, ReportSource::QueryAnswer, Outcome::Processing);
    assert_eq!(calls(&mut life, &open), ["Close at 2 attempt 2 of 9000 until 7 s"]);
    let shut = report(&life.order, 2, ReportSource::CloseAnswer, Outcome::Closed);
    assert_eq!(calls(&mut life, &shut), ["Query at 2 attempt 2 of 9000 until 12 s"]);
}

#[test]
fn a_refund_asks_the_channel_that_was_paid_for_the_payers_part() {
    let mut life = Life::paid(less(1_000, terms()));
    let wanted = refund("R-1", None, Some(5_000));
    assert_eq!(calls(&mut life, &wanted), ["Refund { refund: 1 } at 1 attempt 1 of 4500 until 5 s"]);
    life.now = life.order.next_due();
    assert_eq!(
        calls(&mut life, &OrderCommand::Wake),
        ["QueryRefund { refund: 1 } at 1 attempt 1 of 4500 until 7 s"]
    );
    let not_known = report(&life.order, 1, ReportSource::Refund { refund: 1 }, Outcome::NotFound);
    assert_eq!(calls(&mut life, &not_known), ["Refund { refund: 1 } at 1 attempt 1 of 4500 until 8 s"]);
}

#[test]
fn nobody_is_asked_to_pay_back_nothing() {
    let small = OrderTerms { amount: fen(100), sub_orders: smallvec::smallvec![sold(1, 100)], ..terms() };
    let mut life = Life::paid(less(99, small));
    let wanted = refund("R-1", None, Some(49));
    assert_eq!(calls(&mut life, &wanted), [""; 0]);
    // From an e-account: the ledger is enough.
    let mut life =
        Life::begin(OrderTerms { kind: PayKind::Balance, payer_account: Some(buyer(1)), ..terms() });
    let wanted = refund("R-1", None, Some(49));
    assert_eq!(calls(&mut life, &wanted), [""; 0]);
}

#[test]
fn a_late_payment_is_sent_back_to_where_it_came_from() {
    let mut life = Life::begin(terms());
    let first = heard(&life.order, refused(FailureKind::Limit));
    calls(&mut life, &first);
    let last = heard(&life.order, refused(FailureKind::Payer));
    calls(&mut life, &last);
    let late = report(&life.order, 1, ReportSource::PayNotice, paid_in_full(&life.order));
    assert_eq!(calls(&mut life, &late), ["Refund { refund: 1 } at 1 attempt 1 of 10000 until 5 s"]);
}
