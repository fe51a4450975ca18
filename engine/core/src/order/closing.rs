//! Closing an unpaid order: ask the channel, close there, ask again, and only then close here.

use smallvec::smallvec;
use suanpan_model::order::{Attempt, AttemptState, CloseReason, ClosingStage};
use suanpan_model::{Order, OrderEvent, OrderStatus, Outcome, Reject, ReportSource};

use super::release::one;
use super::report::{lapsed, next_query};
use super::{Context, Decision};

/// The mall cancels.
pub(super) fn decide_close(order: &Order, context: &Context<'_>) -> Result<Decision, Reject> {
    match order.status {
        OrderStatus::Created | OrderStatus::Routing | OrderStatus::Pending if order.closing.is_some() => {
            Ok(Decision::Repeat)
        }
        OrderStatus::Created | OrderStatus::Routing | OrderStatus::Pending => {
            Ok(one(begin(order, context, CloseReason::Cancelled)))
        }
        OrderStatus::Closed => Ok(Decision::Repeat),
        OrderStatus::Paid
        | OrderStatus::Frozen
        | OrderStatus::PartReleased
        | OrderStatus::Settled
        | OrderStatus::Failed
        | OrderStatus::Refunded
        | OrderStatus::Disputed => Err(super::decide::illegal(order, "closed")),
    }
}

/// The first step: ask, when money may still move; close, when it cannot.
pub(super) fn begin(order: &Order, context: &Context<'_>, reason: CloseReason) -> OrderEvent {
    match order.alive() {
        Some(attempt) => advance(attempt, context, reason, ClosingStage::AskFirst),
        None => OrderEvent::Closed { reason, voided: order.holds.clone() },
    }
}

fn advance(attempt: &Attempt, context: &Context<'_>, reason: CloseReason, stage: ClosingStage) -> OrderEvent {
    OrderEvent::ClosingAdvanced { reason, stage, due: next_query(attempt, context) }
}

/// Nothing certain was heard of the last step: the close begins anew, so that a payment which opened at the
/// channel in the meantime is closed there too.
pub(super) fn repeat_stage(order: &Order, context: &Context<'_>) -> Option<OrderEvent> {
    let closing = order.closing?;
    let attempt = order.alive()?;
    Some(advance(attempt, context, closing.reason, ClosingStage::AskFirst))
}

/// The channel says that the payment is closed there.
pub(super) fn closed_there(
    order: &Order,
    context: &Context<'_>,
    attempt: &Attempt,
    source: ReportSource,
) -> Decision {
    let Some(closing) = order.closing else { return lapsed(order, context, attempt) };
    match (closing.stage, source) {
        (ClosingStage::CloseThere, ReportSource::CloseAnswer) => {
            one(advance(attempt, context, closing.reason, ClosingStage::AskAgain))
        }
        (ClosingStage::AskFirst | ClosingStage::CloseThere | ClosingStage::AskAgain, _) => {
            lapsed(order, context, attempt)
        }
    }
}

/// The channel says anything but "paid", "failed" or "closed" while the order is being closed.
pub(super) fn not_paid(
    order: &Order,
    context: &Context<'_>,
    attempt: &Attempt,
    source: ReportSource,
    outcome: &Outcome,
) -> Decision {
    let Some(closing) = order.closing else { return Decision::Repeat };
    let knows_nothing_of_it = matches!(outcome, Outcome::NotFound);
    // A query may be faster than our own call.
    let call_under_way = attempt.state == AttemptState::Calling && context.now < attempt.due;
    let is_certain = !matches!(outcome, Outcome::Unknown(_) | Outcome::NotSent(_));
    match (closing.stage, source) {
        (ClosingStage::AskFirst, ReportSource::QueryAnswer) if is_certain => {
            one(advance(attempt, context, closing.reason, ClosingStage::CloseThere))
        }
        (ClosingStage::CloseThere, ReportSource::CloseAnswer) if knows_nothing_of_it => {
            one(advance(attempt, context, closing.reason, ClosingStage::AskAgain))
        }
        (ClosingStage::AskAgain, ReportSource::QueryAnswer) if knows_nothing_of_it && !call_under_way => {
            let closed = OrderEvent::AttemptClosed { attempt: attempt.no };
            let end = OrderEvent::Closed { reason: closing.reason, voided: order.holds.clone() };
            Decision::Moved(smallvec![closed, end])
        }
        (ClosingStage::AskFirst | ClosingStage::CloseThere | ClosingStage::AskAgain, _) => Decision::Repeat,
    }
}
