//! Single lives, step by step: each test is one rule that must not break.

use suanpan_model::channel::{NotSentWhy, UnknownWhy};
use suanpan_model::{
    AttemptNo, ChannelReport, DurationMs, FailureKind, OrderCommand, OrderStatus, OrderTerms, Outcome,
    PayKind, PayerAction, ReportSource, TimestampMs,
};

use super::build::*;

use ReportSource::{CloseAnswer, PayAnswer, PayNotice, QueryAnswer};

fn awaiting_code() -> Life {
    let quick = OrderTerms { kind: PayKind::QuickPay, agreement_no: "AG-1".into(), ..terms() };
    let mut life = Life::begin(quick);
    life.hears(1, PayAnswer, accepted(Some(PayerAction::SmsCode)));
    life
}

fn confirm() -> OrderCommand {
    OrderCommand::ConfirmSms { sms_code: "123456".into() }
}

/// The channel has the payment: only the code did not get there. Another channel might be a second payment.
#[test]
fn a_code_that_was_not_sent_is_asked_for_again() {
    let mut life = awaiting_code();
    assert_eq!(life.does(&confirm()), "sms_confirmed");
    assert_eq!(life.hears(1, PayAnswer, Outcome::NotSent(NotSentWhy::QueueFull)), "attempt_accepted");
    assert_eq!(standing(&life.order), "pending, attempt 1 waiting(sms)");
    assert_eq!(life.does(&confirm()), "sms_confirmed");
    // Also when the answer was given up in the meantime.
    assert_eq!(life.wakes(), "attempt_in_doubt");
    assert_eq!(life.hears(1, PayAnswer, Outcome::NotSent(NotSentWhy::Throttled)), "attempt_accepted");
    assert_eq!(standing(&life.order), "pending, attempt 1 waiting(sms)");
}

#[test]
fn an_order_that_is_being_closed_takes_no_code() {
    let mut life = awaiting_code();
    assert_eq!(life.does(&OrderCommand::Close), "closing_advanced(ask)");
    assert_eq!(life.does(&confirm()), "! illegal_state");
}

/// A refused close (for example because the payment was just made) is no word about the payment.
#[test]
fn a_refused_close_is_not_a_failed_payment() {
    let mut life = Life::redirected(terms());
    life.does(&OrderCommand::Close);
    life.hears(1, QueryAnswer, Outcome::Processing);
    assert_eq!(life.hears(1, CloseAnswer, refused(FailureKind::Request)), "repeat");
    assert_eq!(life.wakes(), "closing_advanced(ask)");
    let paid = paid_in_full(&life.order);
    assert_eq!(life.hears(1, QueryAnswer, paid), "paid(1) + frozen");
}

/// The payment call overtaken by the close opens the payment after all: it is closed there once more.
#[test]
fn a_payment_that_opens_after_the_close_is_closed_again() {
    let mut life = Life::begin(terms());
    life.hears(1, PayAnswer, Outcome::Unknown(UnknownWhy::Timeout));
    life.does(&OrderCommand::Close);
    assert_eq!(life.hears(1, QueryAnswer, Outcome::NotFound), "closing_advanced(close there)");
    assert_eq!(life.hears(1, CloseAnswer, Outcome::NotFound), "closing_advanced(ask again)");
    assert_eq!(life.hears(1, QueryAnswer, Outcome::Processing), "repeat");
    assert_eq!(life.wakes(), "closing_advanced(ask)");
    assert_eq!(life.hears(1, QueryAnswer, Outcome::Processing), "closing_advanced(close there)");
    assert_eq!(life.hears(1, CloseAnswer, Outcome::Closed), "closing_advanced(ask again)");
    assert_eq!(life.hears(1, QueryAnswer, Outcome::Closed), "attempt_closed + closed(cancelled)");
}

/// "Not found" while our own payment call is on its way says only that the query was faster.
#[test]
fn not_found_closes_nothing_while_the_payment_call_is_under_way() {
    let mut life = Life::begin(terms());
    life.does(&OrderCommand::Close);
    life.hears(1, QueryAnswer, Outcome::NotFound);
    life.hears(1, CloseAnswer, Outcome::NotFound);
    assert_eq!(life.hears(1, QueryAnswer, Outcome::NotFound), "repeat");
    // Its deadline over, the same three answers close the order.
    while life.now < NOW + DurationMs::from_secs(5) {
        assert_eq!(life.wakes(), "closing_advanced(ask)");
    }
    life.hears(1, QueryAnswer, Outcome::NotFound);
    life.hears(1, CloseAnswer, Outcome::NotFound);
    assert_eq!(life.hears(1, QueryAnswer, Outcome::NotFound), "attempt_closed + closed(cancelled)");
}

#[test]
fn bad_answers_never_close() {
    let bad = [
        Outcome::Unknown(UnknownWhy::BadSignature),
        Outcome::Unknown(UnknownWhy::Timeout),
        Outcome::NotSent(NotSentWhy::Refused),
    ];
    for source in [PayAnswer, PayNotice, QueryAnswer, CloseAnswer] {
        for outcome in bad.clone() {
            for steps in 0..3 {
                let mut life = Life::redirected(terms());
                life.does(&OrderCommand::Close);
                let news = [(QueryAnswer, Outcome::Processing), (CloseAnswer, Outcome::Closed)];
                for (source, outcome) in news.into_iter().take(steps) {
                    life.hears(1, source, outcome);
                }
                assert_eq!(
                    life.hears(1, source, outcome.clone()),
                    "repeat",
                    "{source:?} {outcome:?} {steps}"
                );
            }
        }
    }
}

/// A failure that arrives after the order's time starts no payment that the payer was promised would not come.
#[test]
fn an_expired_order_tries_no_other_channel() {
    let mut life = Life::redirected(terms());
    life.now = NOW + TTL;
    let answer = life.hears(1, PayNotice, refused(FailureKind::Channel));
    assert_eq!(answer, "attempt_failed + closed(expired)");
}

#[test]
fn the_payers_page_is_not_lost_to_an_overtaking_answer() {
    let mut life = Life::begin(terms());
    assert_eq!(life.hears(1, QueryAnswer, Outcome::Processing), "attempt_accepted");
    assert_eq!(life.hears(1, PayAnswer, accepted(redirect())), "attempt_accepted");
    assert_eq!(standing(&life.order), "pending, attempt 1 waiting(redirect)");
    assert_eq!(life.hears(1, PayAnswer, accepted(redirect())), "repeat");
}

/// Query ladder: 2, 3, 5, 10 seconds after the payment was taken in.
#[test]
fn queries_follow_the_ladder() {
    let mut life = Life::redirected(terms());
    let mut seconds = Vec::new();
    for _ in 0..5 {
        assert_eq!(life.wakes(), "attempt_queried");
        seconds.push(life.now.since(NOW).0 / 1000);
    }
    assert_eq!(seconds, [2, 5, 10, 20, 40]);
}

/// The coupon fund paid nearly everything: a small refund gives the payer nothing, and no channel is asked for it.
#[test]
fn a_refund_of_nothing_to_the_payer_needs_no_channel() {
    let small = OrderTerms { amount: fen(100), sub_orders: smallvec::smallvec![sold(1, 100)], ..terms() };
    let mut life = Life::paid(less(99, small));
    // .49 for the payer against 48.51 for the fund.
    assert_eq!(life.refunds("R-1", 49), "refund_started + refund_succeeded");
    assert_eq!(life.order.refunds[0].to_payer, fen(0));
    assert_eq!(life.order.entries.last().map(suanpan_model::Entry::imbalance), Some(0));
    assert_eq!(life.refunds("R-2", 51), "refund_started");
    assert_eq!(life.order.refunds[1].to_payer, fen(1));
    let back = Outcome::Succeeded { channel_no: "C".into(), amount: fen(1), fee: None };
    assert_eq!(life.hears_of_refund(2, back), "refund_succeeded + refunded");
}

/// A channel that knows neither the refund nor the payment is not asked as fast as it answers.
#[test]
fn an_unknown_refund_is_sent_again_once_for_each_query() {
    let mut life = Life::paid(terms());
    life.refunds("R-1", 1_000);
    assert_eq!(life.hears_of_refund(1, Outcome::NotFound), "repeat", "the first call is still under way");
    assert_eq!(life.wakes(), "refund_queried");
    assert_eq!(life.hears_of_refund(1, Outcome::NotFound), "refund_queried(resend)");
    assert_eq!(life.hears_of_refund(1, Outcome::NotFound), "repeat");
    assert_eq!(life.wakes(), "refund_queried");
    assert_eq!(life.hears_of_refund(1, Outcome::NotFound), "refund_queried(resend)");
}

#[test]
fn a_refund_that_ended_otherwise_is_a_contradiction() {
    let back = |amount| Outcome::Succeeded { channel_no: "C".into(), amount: fen(amount), fee: None };
    let mut life = Life::paid(terms());
    life.refunds("R-1", 1_000);
    life.hears_of_refund(1, refused(FailureKind::Payer));
    assert_eq!(life.hears_of_refund(1, refused(FailureKind::Payer)), "repeat");
    assert_eq!(life.hears_of_refund(1, back(1_000)), "contradicted(refund_after_failure)");
    assert_eq!(life.order.frozen, fen(10_000), "and nothing else");
    life.refunds("R-2", 1_000);
    life.hears_of_refund(2, back(1_000));
    assert_eq!(life.hears_of_refund(2, back(1_000)), "repeat");
    assert_eq!(life.hears_of_refund(2, Outcome::Processing), "repeat");
    assert_eq!(life.hears_of_refund(2, back(999)), "contradicted(refund_amount)");
    assert_eq!(
        life.hears_of_refund(2, refused(FailureKind::Payer)),
        "contradicted(refund_failed_after_success)"
    );
}

/// Only the channel that was paid can say that it paid back.
#[test]
fn a_refund_is_reported_by_its_own_attempt() {
    let mut life = Life::begin(terms());
    life.hears(1, PayAnswer, refused(FailureKind::Limit));
    let paid = paid_in_full(&life.order);
    life.hears(2, PayNotice, paid.clone());
    life.refunds("R-1", 10_000);
    assert_eq!(life.hears(1, ReportSource::Refund { refund: 1 }, paid.clone()), "! unknown_attempt");
    assert_eq!(life.hears(2, ReportSource::Refund { refund: 2 }, paid.clone()), "! unknown_attempt");
    assert_eq!(life.hears(2, ReportSource::Refund { refund: 1 }, paid), "refund_succeeded + refunded");
}

#[test]
fn strangers_are_not_believed() {
    let mut life = Life::redirected(terms());
    let outcome = paid_in_full(&life.order);
    let order = life.order.id;
    let wrong_channel =
        ChannelReport { channel: BETA, order, attempt: AttemptNo(1), source: PayNotice, outcome };
    assert_eq!(life.does(&OrderCommand::Report(wrong_channel.clone())), "! unknown_attempt");
    for attempt in [0, 2, 255] {
        let report = ChannelReport { channel: ALPHA, attempt: AttemptNo(attempt), ..wrong_channel.clone() };
        assert_eq!(life.does(&OrderCommand::Report(report)), "! unknown_attempt", "attempt {attempt}");
    }
}

#[test]
fn a_dispute_remembers_where_it_began_and_stops_the_clock() {
    for (released, before) in [(None, OrderStatus::Frozen), (Some(400), OrderStatus::PartReleased)] {
        let mut life = Life::paid(terms());
        if released.is_some() {
            life.releases(None, released);
        }
        life.does(&OrderCommand::OpenDispute);
        assert_eq!(life.order.dispute.as_ref().map(|dispute| dispute.before), Some(before));
        assert_eq!(life.order.next_due(), TimestampMs::NEVER);
        life.now = life.now + DurationMs::from_days(30);
        assert_eq!(life.does(&OrderCommand::Wake), "repeat");
        assert_eq!(life.does(&OrderCommand::ResolveDispute { refund: None }), "dispute_resolved");
        assert_eq!((life.order.status, life.order.dispute.is_none()), (before, true));
        assert_eq!(life.order.next_due(), life.now + life.shop.policy.auto_release);
        assert_eq!(life.wakes(), "released + settled");
    }
}

#[test]
fn with_nothing_left_there_is_nothing_to_refund() {
    let mut life = Life::paid(terms());
    life.refunds("R-1", 10_000);
    assert_eq!(life.does(&refund("R-2", None, None)), "! exceeds_paid");
}

/// Attempts follow one another, never beside one another, and no further than agreed.
#[test]
fn attempts_end_with_channels_or_with_patience() {
    let mut life = Life::begin(terms());
    assert_eq!(
        life.hears(1, PayAnswer, Outcome::NotSent(NotSentWhy::Refused)),
        "attempt_not_sent + attempt_started(2)"
    );
    assert_eq!(life.hears(2, PayAnswer, refused(FailureKind::Limit)), "attempt_failed + failed(no_channel)");
    let mut shop = Shop::default();
    shop.policy.attempts_max = 1;
    let mut life = Life::begin_in(shop, terms());
    assert_eq!(
        life.hears(1, PayAnswer, refused(FailureKind::Limit)),
        "attempt_failed + failed(attempts_used_up)"
    );
}

/// Contradictions are counted, not journalled without end.
#[test]
fn a_channel_that_keeps_contradicting_is_heard_sixteen_times() {
    let mut life = Life::redirected(terms());
    assert_eq!(life.hears(1, PayNotice, cent_less(&life.order)), "contradicted(amount) + attempt_in_doubt");
    for _ in 1..16 {
        assert_eq!(life.hears(1, PayNotice, cent_less(&life.order)), "contradicted(amount)");
    }
    assert_eq!(life.hears(1, PayNotice, cent_less(&life.order)), "repeat");
    assert_eq!(standing(&life.order), "pending, attempt 1 in_doubt(contradicted)");
}

/// Attempts whose channel said that money moved, though not the right sum: one whose call is under way, one whose
/// payer was sent to the channel, one that was in doubt before.
fn contested() -> Vec<Life> {
    let mut in_doubt = Life::begin(terms());
    in_doubt.hears(1, PayAnswer, Outcome::Unknown(UnknownWhy::Timeout));
    let lives = [Life::begin(terms()), Life::redirected(terms()), in_doubt];
    lives
        .into_iter()
        .map(|mut life| {
            let told = life.hears(1, PayNotice, cent_less(&life.order));
            assert_eq!(told, "contradicted(amount) + attempt_in_doubt");
            life
        })
        .collect()
}

/// Money may have moved: whatever the channel says next unasked, no other channel is tried and nothing ends.
#[test]
fn a_contested_payment_is_believed_to_have_failed_only_when_its_channel_was_asked() {
    let unasked = [
        (refused(FailureKind::Channel), "contradicted(failed_after_success)"),
        (refused(FailureKind::Payer), "contradicted(failed_after_success)"),
        (Outcome::Closed, "contradicted(closed_after_success)"),
        (Outcome::NotSent(NotSentWhy::Refused), "repeat"),
        (accepted(redirect()), "repeat"),
        (Outcome::Processing, "repeat"),
        (Outcome::NotFound, "repeat"),
    ];
    for source in [PayAnswer, PayNotice] {
        for (outcome, expected) in &unasked {
            for mut life in contested() {
                assert_eq!(life.hears(1, source, outcome.clone()), *expected, "{source:?} {outcome:?}");
                assert_eq!(standing(&life.order), "pending, attempt 1 in_doubt(contradicted)");
            }
        }
    }
    for mut life in contested() {
        assert_eq!(life.wakes(), "attempt_queried");
        assert_eq!(life.hears(1, QueryAnswer, Outcome::NotFound), "repeat");
        assert_eq!(life.hears(1, QueryAnswer, Outcome::Processing), "repeat");
        // No other channel: it said itself that money moved.
        let told = life.hears(1, QueryAnswer, refused(FailureKind::Channel));
        assert_eq!(told, "attempt_failed + failed(refused)");
    }
}

#[test]
fn a_contested_payment_is_paid_when_its_channel_tells_the_right_sum() {
    for source in [PayAnswer, PayNotice, QueryAnswer, CloseAnswer] {
        for mut life in contested() {
            let paid = paid_in_full(&life.order);
            assert_eq!(life.hears(1, source, paid), "paid(1) + frozen");
        }
    }
}

/// Its close asks, closes and asks again like any other, and only answers to those count.
#[test]
fn a_contested_payment_can_be_closed() {
    for mut life in contested() {
        assert_eq!(life.does(&OrderCommand::Close), "closing_advanced(ask)");
        assert_eq!(life.hears(1, PayNotice, Outcome::Closed), "contradicted(closed_after_success)");
        assert_eq!(life.hears(1, QueryAnswer, Outcome::Processing), "closing_advanced(close there)");
        assert_eq!(life.hears(1, CloseAnswer, refused(FailureKind::Request)), "repeat");
        assert_eq!(life.hears(1, CloseAnswer, Outcome::Closed), "closing_advanced(ask again)");
        assert_eq!(life.hears(1, QueryAnswer, Outcome::Closed), "attempt_closed + closed(cancelled)");
        let paid = paid_in_full(&life.order);
        assert!(
            life.hears(1, PayNotice, paid).starts_with("late_paid"),
            "and what comes all the same goes back"
        );
    }
}

/// An attempt that another one overtook can be contested, too: it is asked about until its channel has closed it.
#[test]
fn an_overtaken_attempt_can_be_contested() {
    let mut life = Life::redirected(terms());
    life.hears(1, PayNotice, refused(FailureKind::Channel));
    let paid = paid_in_full(&life.order);
    life.hears(1, PayNotice, paid);
    assert_eq!(life.hears(2, PayNotice, cent_less(&life.order)), "contradicted(amount) + attempt_in_doubt");
    assert_eq!(life.hears(2, PayAnswer, refused(FailureKind::Channel)), "contradicted(failed_after_success)");
    assert_eq!(life.hears(2, CloseAnswer, Outcome::Closed), "attempt_closed");
}

fn cent_less(order: &suanpan_model::Order) -> Outcome {
    let amount = fen(order.terms.payable().minor() - 1);
    Outcome::Succeeded { channel_no: "C-1".into(), amount, fee: None }
}
