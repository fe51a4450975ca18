//! What a request with a number of the platform's own was answered when it was carried out. It follows from the steps of
//! the order alone, so a repeat gets the same answer, whatever has become of the order since.

use suanpan_model::event::EventKind;
use suanpan_model::order::Step;
use suanpan_model::{AttemptNo, Order, OrderCommand, OrderStatus};

/// The platform's own number for what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformNumber<'a> {
    /// Of a release.
    Release(&'a str),
    /// Of a refund.
    Refund(&'a str),
}

/// The platform's own number for a command: its repeat gets the first answer. Nothing for commands without one.
#[must_use]
pub fn platform_number(command: &OrderCommand) -> Option<PlatformNumber<'_>> {
    match command {
        OrderCommand::Release { release_no, .. } if !release_no.is_empty() => {
            Some(PlatformNumber::Release(release_no))
        }
        OrderCommand::Refund(request) | OrderCommand::ResolveDispute { refund: Some(request) } => {
            Some(PlatformNumber::Refund(&request.refund_no))
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

/// Where the order stood when `command`, which has a number of the platform's own, had been carried out. Nothing for
/// commands without a number, and for numbers that are not known.
#[must_use]
pub fn answered_then(order: &Order, command: &OrderCommand) -> Option<OrderStatus> {
    match platform_number(command)? {
        PlatformNumber::Release(release_no) => {
            after_release(order, order.releases.iter().position(|release| release.release_no == release_no)?)
        }
        PlatformNumber::Refund(refund_no) => {
            after_refund(order, order.refunds.iter().position(|refund| refund.refund_no == refund_no)?)
        }
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
