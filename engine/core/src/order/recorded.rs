//! What a request with a number of the platform's own was answered when it was carried out. It follows from the steps of
//! the order alone, so a repeat gets the same answer, whatever has become of the order since.

use suanpan_model::event::EventKind;
use suanpan_model::order::Step;
use suanpan_model::{AttemptNo, Order, OrderCommand, OrderStatus};

/// Where the order stood when `command`, which has a number of the platform's own, had been carried out. Nothing for
/// commands without a number, and for numbers that are not known.
#[must_use]
pub fn answered_then(order: &Order, command: &OrderCommand) -> Option<OrderStatus> {
    match command {
        OrderCommand::Release { release_no, .. } if !release_no.is_empty() => {
            let nth = order.releases.iter().position(|release| release.release_no == *release_no)?;
            after_release(order, nth)
        }
        OrderCommand::Refund(request) | OrderCommand::ResolveDispute { refund: Some(request) } => {
            let nth = order.refunds.iter().position(|refund| refund.refund_no == *request.refund_no)?;
            after_refund(order, nth)
        }
        OrderCommand::Release { .. }
        | OrderCommand::ResolveDispute { refund: None }
        | OrderCommand::Report(_)
        | OrderCommand::ConfirmSms { .. }
        | OrderCommand::Close
        | OrderCommand::OpenDispute
        | OrderCommand::FinishRefund { .. }
        | OrderCommand::ReturnParked { .. }
        | OrderCommand::Reopen { .. }
        | OrderCommand::Wake
        | OrderCommand::Recover => None,
    }
}

/// A release is one step; where nothing was left, the order is settled with it.
fn after_release(order: &Order, nth: usize) -> Option<OrderStatus> {
    let (place, released) = step_of(order, EventKind::Released, nth)?;
    Some(settled_with(order, place).unwrap_or(released.status))
}

/// A refund is one step; where no channel needs to be asked it succeeds with it, and ends the order where nothing was left.
fn after_refund(order: &Order, nth: usize) -> Option<OrderStatus> {
    let (place, started) = step_of(order, EventKind::RefundStarted, nth)?;
    let refund = order.refunds.get(nth)?;
    if refund.attempt != AttemptNo(0) && !refund.to_payer.is_zero() {
        return Some(started.status);
    }
    let succeeded = order.steps.get(place + 1)?;
    Some(settled_with(order, place + 1).unwrap_or(succeeded.status))
}

fn step_of(order: &Order, kind: EventKind, nth: usize) -> Option<(usize, &Step)> {
    order.steps.iter().enumerate().filter(|(_, step)| step.kind == kind).nth(nth)
}

/// The end of the order, where it is the very next step: it never comes by itself, so it came with the one before it.
fn settled_with(order: &Order, place: usize) -> Option<OrderStatus> {
    let next = order.steps.get(place + 1)?;
    matches!(next.kind, EventKind::Settled | EventKind::Refunded).then_some(next.status)
}
