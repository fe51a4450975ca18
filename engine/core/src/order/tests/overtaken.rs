//! An attempt that another one overtook: nobody waits for it, and it must not be paid, too, nor asked about for ever.

use suanpan_model::{AttemptNo, ChannelOp, FailureKind, OrderEvent, Outcome, ReportSource};

use super::build::*;
use crate::order::effects;

/// The channel of attempt 1 said "failed" and took the money all the same, when attempt 2 was under way.
fn overtaken() -> Life {
    let mut life = Life::redirected(terms());
    life.hears(1, ReportSource::PayNotice, refused(FailureKind::Channel));
    let paid = paid_in_full(&life.order);
    life.hears(1, ReportSource::PayNotice, paid);
    assert_eq!(standing(&life.order).split(',').next(), Some("frozen"));
    assert!(life.order.alive().is_some_and(|attempt| attempt.no == AttemptNo(2)));
    life
}

/// What the channel is asked when the order asks what became of attempt 2.
fn asked(life: &Life) -> Option<ChannelOp> {
    let due = life.order.next_due();
    let event = OrderEvent::AttemptQueried { attempt: AttemptNo(2), due };
    let mut ops = Vec::new();
    effects(&life.order, &event, None, &mut |call| ops.push(call.op));
    ops.pop()
}

#[test]
fn it_is_closed_at_its_channel_and_asked_about_in_turn() {
    let mut life = overtaken();
    assert_eq!(life.wakes(), "attempt_in_doubt");
    let mut ops = Vec::new();
    for _ in 0..4 {
        assert_eq!(life.wakes(), "attempt_queried");
        ops.push(asked(&life));
    }
    let (close, query) = (Some(ChannelOp::Close), Some(ChannelOp::Query));
    assert_eq!(ops, [close.clone(), query.clone(), close, query]);
}

#[test]
fn it_ends_when_its_channel_has_closed_it() {
    let mut life = overtaken();
    assert_eq!(life.wakes(), "attempt_in_doubt");
    assert_eq!(life.hears(2, ReportSource::QueryAnswer, Outcome::NotFound), "repeat");
    assert_eq!(life.hears(2, ReportSource::CloseAnswer, Outcome::Closed), "attempt_closed");
    assert!(life.order.alive().is_none());
}

#[test]
fn an_order_that_waits_for_its_payment_asks_and_does_not_close() {
    let mut life = Life::redirected(terms());
    for _ in 0..3 {
        life.wakes();
        let event = OrderEvent::AttemptQueried { attempt: AttemptNo(1), due: life.order.next_due() };
        let mut ops = Vec::new();
        effects(&life.order, &event, None, &mut |call| ops.push(call.op));
        assert_eq!(ops, [ChannelOp::Query]);
    }
}
