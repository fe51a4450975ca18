//! The table of commands: an order in each situation × each command. Every situation is reached by real decisions.

use expect_test::expect_file;
use suanpan_model::channel::{NotSentWhy, UnknownWhy};
use suanpan_model::policy::LatePayment;
use suanpan_model::refund::FinishWay;
use suanpan_model::{
    AttemptNo, DurationMs, FailureKind, OrderCommand, Outcome, PayKind, PayerAction, ReportSource,
};

use super::build::*;

const SOURCES: [(&str, ReportSource); 4] = [
    ("pay", ReportSource::PayAnswer),
    ("notice", ReportSource::PayNotice),
    ("query", ReportSource::QueryAnswer),
    ("close", ReportSource::CloseAnswer),
];

fn outcomes(life: &Life) -> Vec<(&'static str, Outcome)> {
    let succeeded = |amount, channel_no: &str| Outcome::Succeeded {
        channel_no: channel_no.into(),
        amount: fen(amount),
        fee: None,
    };
    let payable = life.order.terms.payable().minor();
    vec![
        ("accepted (redirect)", accepted(redirect())),
        ("accepted (sms)", accepted(Some(PayerAction::SmsCode))),
        ("succeeded", succeeded(payable, "C-1")),
        ("succeeded, other number", succeeded(payable, "C-2")),
        ("succeeded, cent less", succeeded(payable - 1, "C-1")),
        ("failed (payer)", refused(FailureKind::Payer)),
        ("failed (limit)", refused(FailureKind::Limit)),
        ("processing", Outcome::Processing),
        ("unknown", Outcome::Unknown(UnknownWhy::BadSignature)),
        ("not found", Outcome::NotFound),
        ("closed", Outcome::Closed),
        ("not sent", Outcome::NotSent(NotSentWhy::Throttled)),
        ("abnormal", Outcome::Abnormal { code: "E2".into() }),
        ("bounced", Outcome::Bounced { amount: fen(payable), code: "E3".into() }),
    ]
}

fn commands() -> Vec<(&'static str, OrderCommand)> {
    vec![
        ("release all", release("", None, None)),
        ("release 1.00 of 0", release("L-9", Some(0), Some(100))),
        ("release L-1 again", release("L-1", None, Some(4_000))),
        ("release L-1, other", release("L-1", None, Some(3_999))),
        ("release sub-order 9", release("L-9", Some(9), None)),
        ("release 0.00", release("L-9", None, Some(0))),
        ("release 100.01", release("L-9", None, Some(10_001))),
        ("release part, unnamed", release("", None, Some(1))),
        ("close", OrderCommand::Close),
        ("refund all", refund("R-9", None, None)),
        ("refund 1.00", refund("R-9", None, Some(100))),
        ("refund R-1 again", refund("R-1", None, Some(1_000))),
        ("refund R-1, other", refund("R-1", None, Some(999))),
        ("refund 100.01", refund("R-9", None, Some(10_001))),
        ("refund unnamed", refund("", None, None)),
        ("confirm sms", OrderCommand::ConfirmSms { sms_code: "123456".into() }),
        ("open dispute", OrderCommand::OpenDispute),
        ("resolve dispute", OrderCommand::ResolveDispute { refund: None }),
        ("resolve by refund", OrderCommand::ResolveDispute { refund: Some(wanted("R-9", None, Some(100))) }),
        ("finish refund outside", finish(FinishWay::Outside)),
        ("finish refund by resending", finish(FinishWay::Resend)),
        ("give refund up", finish(FinishWay::GiveUp)),
        ("return parked", OrderCommand::ReturnParked { attempt: AttemptNo(1) }),
        ("reopen", OrderCommand::Reopen { attempt: AttemptNo(1) }),
        ("recover", OrderCommand::Recover),
    ]
}

fn finish(way: FinishWay) -> OrderCommand {
    OrderCommand::FinishRefund { refund: 1, way, note: "".into() }
}

fn describe(mut life: Life) -> String {
    let mut text = format!("  ({})\n", standing(&life.order));
    let attempts = u8::try_from(life.order.attempts.len()).unwrap();
    for no in 1..=attempts {
        for (what, outcome) in outcomes(&life) {
            let answer = |source| told(&life.decides(&report(&life.order, no, source, outcome.clone())));
            text += &line(&format!("{no} {what}"), SOURCES.map(|(name, source)| (name, answer(source))));
        }
    }
    for refund in &life.order.refunds {
        for (what, outcome) in outcomes(&life) {
            let outcome = match outcome {
                Outcome::Succeeded { channel_no, amount, fee } if what != "succeeded, cent less" => {
                    let _ = amount;
                    Outcome::Succeeded { channel_no, amount: refund.to_payer, fee }
                }
                Outcome::Bounced { code, .. } => Outcome::Bounced { amount: refund.to_payer, code },
                other => other,
            };
            let source = ReportSource::Refund { refund: refund.no };
            let answer = told(&life.decides(&report(&life.order, refund.attempt.0, source, outcome)));
            text += &format!("  {:<34}{answer}\n", format!("refund {} {what}", refund.no));
        }
    }
    for (what, command) in commands() {
        text += &format!("  {what:<34}{}\n", told(&life.decides(&command)));
    }
    text += &format!("  {:<34}{}\n", "wake", told(&life.decides(&OrderCommand::Wake)));
    let due = life.order.next_due();
    if due == suanpan_model::TimestampMs::NEVER {
        text += "  waits for nobody\n";
    } else {
        text +=
            &format!("  {:<34}{}\n", format!("wake after {} s", due.since(life.now).0 / 1000), life.wakes());
    }
    text
}

/// One line when all sources get the same answer, otherwise one per source.
fn line(what: &str, answers: [(&str, String); 4]) -> String {
    if answers.iter().all(|(_, answer)| *answer == answers[0].1) {
        return format!("  {what:<34}{}\n", answers[0].1);
    }
    let mut text = String::new();
    for (source, answer) in answers {
        text += &format!("  {:<34}{answer}\n", format!("{what}, {source}"));
    }
    text
}

fn quick() -> suanpan_model::OrderTerms {
    suanpan_model::OrderTerms { kind: PayKind::QuickPay, agreement_no: "AG-1".into(), ..terms() }
}

fn awaiting_code() -> Life {
    let mut life = Life::begin(quick());
    life.hears(1, ReportSource::PayAnswer, accepted(Some(PayerAction::SmsCode)));
    life
}

fn confirmed() -> Life {
    let mut life = awaiting_code();
    life.does(&OrderCommand::ConfirmSms { sms_code: "1".into() });
    life
}

fn in_doubt() -> Life {
    let mut life = Life::begin(terms());
    life.hears(1, ReportSource::PayAnswer, Outcome::Unknown(UnknownWhy::Timeout));
    life
}

fn contested() -> Life {
    let mut life = Life::redirected(terms());
    let amount = fen(life.order.terms.payable().minor() - 1);
    let less = Outcome::Succeeded { channel_no: "C-1".into(), amount, fee: None };
    life.hears(1, ReportSource::PayNotice, less);
    life
}

fn second_attempt() -> Life {
    let mut life = Life::begin(terms());
    life.hears(1, ReportSource::PayAnswer, refused(FailureKind::Channel));
    life
}

fn closing(steps: usize) -> Life {
    let mut life = Life::redirected(terms());
    life.does(&OrderCommand::Close);
    let news =
        [(ReportSource::QueryAnswer, Outcome::Processing), (ReportSource::CloseAnswer, Outcome::Closed)];
    for (source, outcome) in news.into_iter().take(steps) {
        life.hears(1, source, outcome);
    }
    life
}

fn closed() -> Life {
    let mut life = closing(2);
    life.hears(1, ReportSource::QueryAnswer, Outcome::NotFound);
    life
}

fn late(policy: LatePayment) -> Life {
    let mut shop = Shop::default();
    shop.policy.agreement.late_payment = policy;
    let mut life = Life::begin_in(shop, terms());
    life.hears(1, ReportSource::PayAnswer, refused(FailureKind::Payer));
    let outcome = paid_in_full(&life.order);
    life.hears(1, ReportSource::PayNotice, outcome);
    life
}

fn paid_then(change: impl FnOnce(&mut Life)) -> Life {
    let mut life = Life::paid(terms());
    change(&mut life);
    life
}

fn overtaken() -> Life {
    let mut life = second_attempt();
    let outcome = paid_in_full(&life.order);
    life.hears(1, ReportSource::PayNotice, outcome);
    life
}

#[test]
fn every_situation_meets_every_command() {
    let refunded = |life: &mut Life| {
        life.does(&refund("R-1", None, None));
        let back = paid_in_full(&life.order);
        life.hears_of_refund(1, back);
    };
    let refunding = |life: &mut Life| _ = life.refunds("R-1", 1_000);
    let situations: Vec<(&str, Life)> = vec![
        ("calling", Life::begin(terms())),
        ("waiting for the payer", Life::redirected(terms())),
        ("waiting for a code", awaiting_code()),
        ("code passed on", confirmed()),
        ("in doubt", in_doubt()),
        ("paid, but not the right sum", contested()),
        ("second attempt calling", second_attempt()),
        ("closing: asked", closing(0)),
        ("closing: closed there", closing(1)),
        ("closing: asked again", closing(2)),
        ("closed", closed()),
        ("failed, paid late, going back", late(LatePayment::Refund)),
        ("failed, paid late, parked", late(LatePayment::Park)),
        ("frozen", Life::paid(terms())),
        ("frozen by a dead attempt", overtaken()),
        ("part released", paid_then(|life| _ = life.releases(None, Some(4_000)))),
        ("frozen, refund under way", paid_then(refunding)),
        (
            "refund not known there",
            paid_then(|life| {
                refunding(life);
                life.wakes();
            }),
        ),
        (
            "refund refused",
            paid_then(|life| {
                refunding(life);
                life.hears_of_refund(1, refused(FailureKind::Payer));
            }),
        ),
        ("disputed", paid_then(|life| _ = life.does(&OrderCommand::OpenDispute))),
        ("settled", paid_then(|life| _ = life.releases(None, None))),
        (
            "settled, refund under way",
            paid_then(|life| {
                life.releases(None, None);
                life.refunds("R-1", 1_000);
            }),
        ),
        (
            "settled, disputed",
            paid_then(|life| {
                life.releases(None, None);
                life.does(&OrderCommand::OpenDispute);
            }),
        ),
        (
            "refund stuck",
            paid_then(|life| {
                refunding(life);
                life.hears_of_refund(1, Outcome::Abnormal { code: "E2".into() });
            }),
        ),
        (
            "refund bounced",
            paid_then(|life| {
                refunding(life);
                let back = Outcome::Succeeded { channel_no: "C-R".into(), amount: fen(1_000), fee: None };
                life.hears_of_refund(1, back);
                life.hears_of_refund(1, Outcome::Bounced { amount: fen(1_000), code: "E3".into() });
            }),
        ),
        ("failed, paid late, reopened", late(LatePayment::Reopen)),
        ("refunded", paid_then(refunded)),
    ];
    let mut text = String::new();
    for (name, life) in situations {
        text += &format!("{name}\n{}\n", describe(life));
    }
    expect_file!["commands.txt"].assert_eq(&text);
}

/// The clock of an order: silence everywhere, from creation to the channel's answer after expiry.
#[test]
fn silence_is_asked_about_on_the_ladder() {
    let mut life = Life::begin(terms());
    let mut text = String::new();
    for _ in 0..16 {
        let told = life.wakes();
        text += &format!("{:>5} s  {told}\n", life.now.since(NOW).0 / 1000);
    }
    expect_file!["silence.txt"].assert_eq(&text);
    assert!(life.now >= NOW + TTL + DurationMs::from_secs(1), "expiry was reached");
}
