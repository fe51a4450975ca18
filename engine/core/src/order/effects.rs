//! The channel calls that follow from an event. Live they are made once the event is durable; after a restart the
//! order's own state tells what is outstanding (see [`OrderCommand::Recover`](suanpan_model::OrderCommand)).

use smol_str::SmolStr;
use suanpan_model::order::ClosingStage;
use suanpan_model::{Amount, AttemptNo, ChannelOp, ChannelRequest, Order, OrderEvent, TimestampMs};

/// Hands each call that follows from `event` to `call`. `order` is the order after the decision; `sms_code` is what
/// the payer typed, which is kept nowhere else.
///
/// # Panics
/// When the event names an attempt or refund that the order does not have: a bug.
pub fn effects(
    order: &Order,
    event: &OrderEvent,
    sms_code: Option<&SmolStr>,
    call: &mut dyn FnMut(ChannelRequest),
) {
    match event {
        OrderEvent::AttemptStarted { due, .. } => {
            let attempt = AttemptNo(u8::try_from(order.attempts.len()).expect("an order has few attempts"));
            call(payment_call(order, attempt, ChannelOp::Pay, *due));
        }
        OrderEvent::SmsConfirmed { attempt, due } => {
            let sms_code = sms_code.cloned().unwrap_or_default();
            call(payment_call(order, *attempt, ChannelOp::Confirm { sms_code }, *due));
        }
        OrderEvent::AttemptQueried { attempt, due } => {
            call(payment_call(order, *attempt, ask(order, *attempt), *due));
        }
        OrderEvent::ClosingAdvanced { stage, due, .. } => {
            let op = match stage {
                ClosingStage::AskFirst | ClosingStage::AskAgain => ChannelOp::Query,
                ClosingStage::CloseThere => ChannelOp::Close,
            };
            if let Some(attempt) = order.alive() {
                call(payment_call(order, attempt.no, op, *due));
            }
        }
        OrderEvent::RefundStarted { attempt, to_payer, due, .. }
            if *attempt != AttemptNo(0) && !to_payer.is_zero() =>
        {
            let refund = order.refunds.last().expect("the refund was just added").no;
            call(refund_call(order, refund, ChannelOp::Refund { refund }, *due));
        }
        OrderEvent::RefundQueried { refund, resend, due } => {
            let refund = *refund;
            let op = if *resend { ChannelOp::Refund { refund } } else { ChannelOp::QueryRefund { refund } };
            call(refund_call(order, refund, op, *due));
        }
        OrderEvent::Created { .. }
        | OrderEvent::AttemptAccepted { .. }
        | OrderEvent::AttemptInDoubt { .. }
        | OrderEvent::AttemptFailed { .. }
        | OrderEvent::AttemptNotSent { .. }
        | OrderEvent::AttemptClosed { .. }
        | OrderEvent::Paid { .. }
        | OrderEvent::Frozen { .. }
        | OrderEvent::Released { .. }
        | OrderEvent::Settled
        | OrderEvent::Failed { .. }
        | OrderEvent::Closed { .. }
        | OrderEvent::LatePaid { .. }
        | OrderEvent::RefundStarted { .. }
        | OrderEvent::RefundSucceeded { .. }
        | OrderEvent::RefundFailed { .. }
        | OrderEvent::Refunded
        | OrderEvent::DisputeOpened { .. }
        | OrderEvent::DisputeResolved { .. }
        | OrderEvent::Contradicted { .. }
        | OrderEvent::RefundStuck { .. }
        | OrderEvent::RefundBounced { .. }
        | OrderEvent::RefundFinished { .. }
        | OrderEvent::Reopened { .. }
        | OrderEvent::ReopeningPlanned { .. } => {}
    }
}

/// How a channel is asked what became of an attempt. Nobody waits any more for an attempt of an order that was paid by
/// another one: it is closed there, so that it cannot be paid, too, and every other time asked about, because a close that is
/// refused does not say what became of it. A query alone would go on for ever about a call that never arrived.
fn ask(order: &Order, attempt: AttemptNo) -> ChannelOp {
    let asked = order.attempt(attempt).map_or(0, |known| known.queries);
    if order.status.is_unpaid() || asked.is_multiple_of(2) { ChannelOp::Query } else { ChannelOp::Close }
}

fn payment_call(order: &Order, attempt: AttemptNo, op: ChannelOp, deadline: TimestampMs) -> ChannelRequest {
    request(order, attempt, op, order.terms.payable(), deadline)
}

fn refund_call(order: &Order, number: u8, op: ChannelOp, deadline: TimestampMs) -> ChannelRequest {
    let refund = order.refund(number).expect("the event names a refund of the order");
    request(order, refund.attempt, op, refund.to_payer, deadline)
}

fn request(
    order: &Order,
    attempt: AttemptNo,
    op: ChannelOp,
    amount: Amount,
    deadline: TimestampMs,
) -> ChannelRequest {
    let known = order.attempt(attempt).expect("the event names an attempt of the order");
    ChannelRequest {
        channel: known.channel(),
        order: order.id,
        attempt,
        op,
        amount,
        deadline,
        terms: order.terms.clone(),
    }
}
