//! What malls are told, over whole lives.

use suanpan_model::OrderTerms;
use suanpan_model::command::OrderCommand;
use suanpan_model::event::EventKind;

use super::build::*;
use crate::order::announce;

/// Everything that the mall was told: number, what, amount in minor units, the mall's number.
fn heard(life: &Life) -> Vec<(u32, &'static str, u64, String)> {
    let told = life.announced.iter().filter_map(|(_, _, told)| told.as_ref());
    told.map(|told| (told.sequence, told.kind.name(), told.amount.minor(), told.number.to_string())).collect()
}

/// A replay looks at the order as it is at the end and says of every event what was said at once.
fn assert_the_same_later(life: &Life) {
    for (place, event, told) in &life.announced {
        assert_eq!(announce(&life.order, *place, event), *told, "{event:?}");
    }
}

#[test]
fn the_mall_hears_of_money_and_of_nothing_else() {
    let mut life = Life::paid(OrderTerms {
        sub_orders: smallvec::smallvec![sold(1, 10_000)],
        amount: fen(10_000),
        ..terms()
    });
    life.does(&release("L-1", None, Some(4_000)));
    life.refunds("R-1", 1_000);
    life.hears_of_refund(1, paid_in_full(&life.order));
    life.does(&OrderCommand::OpenDispute);
    let told: Vec<(u32, &str, u64, String)> = heard(&life);
    let expected =
        [(1, "paid", 10_000, ""), (2, "released", 4_000, "L-1"), (3, "refund_started", 1_000, "R-1")];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(no, what, amount, number)| (no, what, amount, number.to_owned()))
        .collect();
    assert_eq!(told[..3], expected);
    assert!(told.iter().map(|told| told.0).eq(1..=u32::try_from(told.len()).unwrap()), "{told:?}");
    assert_eq!(told.last().unwrap().1, "dispute_opened");
    assert!(life.announced.len() > told.len(), "some steps are nobody's business");
    assert_the_same_later(&life);
}

#[test]
fn a_closed_order_is_told_once() {
    let mut life = Life::begin(terms());
    for _ in 0..8 {
        life.does(&OrderCommand::Close);
        life.hears(1, suanpan_model::ReportSource::QueryAnswer, suanpan_model::Outcome::Closed);
        life.wakes();
    }
    let told = heard(&life);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].0, told[0].1), (1, "closed"));
    assert_the_same_later(&life);
}

/// Whoever adds a kind of event says whether malls hear of it; these are all that they do.
#[test]
fn the_list_of_what_is_told() {
    let told: Vec<&str> =
        EventKind::ALL.iter().filter(|kind| kind.is_announced()).map(|kind| kind.name()).collect();
    let expected = [
        "paid",
        "released",
        "settled",
        "failed",
        "closed",
        "late_paid",
        "refund_started",
        "refund_succeeded",
        "refund_failed",
        "refunded",
        "dispute_opened",
        "dispute_resolved",
        "refund_stuck",
        "refund_bounced",
        "refund_finished",
        "reopened",
    ];
    assert_eq!(told, expected);
}
