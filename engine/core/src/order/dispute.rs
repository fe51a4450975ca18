//! Disputes: the clock stops, what can still be given back is held, and only the resolution moves it.

use smallvec::SmallVec;
use suanpan_model::command::RefundRequest;
use suanpan_model::event::EventKind;
use suanpan_model::order::{Dispute, OrderHold};
use suanpan_model::policy::Shortfall;
use suanpan_model::{Order, OrderEvent, OrderStatus, Reject, RejectCode, TimestampMs};

use super::create::push;
use super::refund::{everything_released, known_refund, start, undoing};
use super::release::{one, settle_if_empty};
use super::unwind::{cover, holds_needed, unwinding};
use super::{Context, Decision, Events, Granted, HoldNeed};

/// Somebody disputes the order.
pub(super) fn decide_dispute(order: &Order, context: &Context<'_>) -> Result<Decision, Reject> {
    match order.status {
        OrderStatus::Frozen | OrderStatus::PartReleased | OrderStatus::Settled => {}
        OrderStatus::Disputed => return Ok(Decision::Repeat),
        OrderStatus::Created
        | OrderStatus::Routing
        | OrderStatus::Pending
        | OrderStatus::Paid
        | OrderStatus::Failed
        | OrderStatus::Closed
        | OrderStatus::Refunded => return Err(super::decide::illegal(order, "disputed")),
    }
    // As far as it goes: what a receiver has spent cannot be held, and becomes its debt if the money goes back.
    let needed: SmallVec<[HoldNeed; 2]> = holds_needed(order, &everything_released(order))
        .into_iter()
        .map(HoldNeed::as_far_as_possible)
        .collect();
    match context.granted {
        None if needed.is_empty() => Ok(one(OrderEvent::DisputeOpened { holds: Vec::new() })),
        None => Ok(Decision::NeedsHolds(needed)),
        Some(Granted { refused: Some(reject), .. }) => Err((*reject).clone()),
        Some(Granted { holds, .. }) => Ok(one(OrderEvent::DisputeOpened { holds: holds.to_vec() })),
    }
}

/// The dispute ends: the order goes on, after a refund if there is one.
pub(super) fn decide_resolution(
    order: &Order,
    context: &Context<'_>,
    refund: Option<&RefundRequest>,
) -> Result<Decision, Reject> {
    let Some(dispute) = order.dispute.as_deref().filter(|_| order.status == OrderStatus::Disputed) else {
        return repeated_resolution(order, refund);
    };
    if refund.map(|request| known_refund(order, request)).transpose()?.flatten().is_some() {
        let expected = "another number: an earlier refund has this one";
        return Err(Reject::new(RejectCode::IdempotencyConflict, "refund_no", expected));
    }
    let undone = match refund {
        Some(request) => {
            let (mut unwinding, to_payer) = unwinding(order, undoing(order, request)?);
            cover(&mut unwinding, &dispute.holds);
            let is_short = unwinding.takes.iter().any(|take| !take.short().is_zero());
            if is_short && order.agreement.shortfall == Shortfall::Refuse {
                let expected = "a refund of at most what the dispute holds of the receivers' money; or end the dispute \
                                without one, and refund when they have more";
                return Err(Reject::new(RejectCode::InsufficientFunds, "refund", expected));
            }
            Some((request, unwinding, to_payer))
        }
        None => None,
    };
    let used = |hold: &OrderHold| {
        let takes = undone.iter().flat_map(|(_, unwinding, _)| &unwinding.takes);
        takes.filter_map(|take| take.hold).any(|held| held.no == hold.no)
    };
    let voided = dispute.holds.iter().copied().filter(|hold| !used(hold)).collect();
    let resolved = OrderEvent::DisputeResolved { due: next_release(order, dispute, context), voided };
    let mut order = order.clone();
    let mut events = Events::new();
    push(&mut order, &mut events, context.now, resolved);
    if let Some((request, unwinding, to_payer)) = undone {
        start(&mut order, &mut events, context, request, unwinding, to_payer);
    } else {
        settle_if_empty(&mut order, &mut events, context.now);
    }
    Ok(Decision::Moved(events))
}

/// A resolution of a dispute that is over: the same one again, or none.
fn repeated_resolution(order: &Order, refund: Option<&RefundRequest>) -> Result<Decision, Reject> {
    let was_resolved = order.steps.iter().any(|step| step.kind == EventKind::DisputeResolved);
    let is_known = match refund {
        Some(request) => known_refund(order, request)?.is_some(),
        None => was_resolved,
    };
    if is_known { Ok(Decision::Repeat) } else { Err(super::decide::illegal(order, "taken out of a dispute")) }
}

/// The clock begins anew where something is frozen.
fn next_release(order: &Order, dispute: &Dispute, context: &Context<'_>) -> TimestampMs {
    match dispute.before {
        OrderStatus::Frozen | OrderStatus::PartReleased => {
            context.now + super::create::auto_release(&order.terms, context.policy)
        }
        OrderStatus::Created
        | OrderStatus::Routing
        | OrderStatus::Pending
        | OrderStatus::Paid
        | OrderStatus::Settled
        | OrderStatus::Failed
        | OrderStatus::Closed
        | OrderStatus::Refunded
        | OrderStatus::Disputed => TimestampMs::NEVER,
    }
}
