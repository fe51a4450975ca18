//! What a mall is told of an event.

use suanpan_model::{Amount, Announcement, Order, OrderEvent};

/// What the mall is told of `event`, which is the step of the order's life at `place`; nothing of most. Later steps are
/// not looked at, so that a replay over a later state says the same.
#[must_use]
pub fn announce(order: &Order, place: usize, event: &OrderEvent) -> Option<Announcement> {
    let step = order.steps.get(place)?;
    if !step.kind.is_announced() {
        return None;
    }
    let told = order.steps.get(..=place)?.iter().filter(|step| step.kind.is_announced()).count();
    let (amount, number) = match event {
        OrderEvent::Paid { .. } | OrderEvent::LatePaid { .. } | OrderEvent::Reopened { .. } => {
            (order.terms.payable(), "")
        }
        OrderEvent::Released { release_no, amounts, .. } => {
            (amounts.iter().fold(Amount::ZERO, |sum, amount| sum.plus(*amount)), release_no.as_str())
        }
        OrderEvent::RefundStarted { refund_no, amount, .. } => (*amount, refund_no.as_str()),
        OrderEvent::RefundSucceeded { refund, .. }
        | OrderEvent::RefundFailed { refund, .. }
        | OrderEvent::RefundStuck { refund, .. }
        | OrderEvent::RefundBounced { refund, .. }
        | OrderEvent::RefundFinished { refund, .. } => {
            let refund = order.refund(*refund)?;
            (refund.amount, refund.refund_no.as_str())
        }
        OrderEvent::Settled
        | OrderEvent::Failed { .. }
        | OrderEvent::Closed { .. }
        | OrderEvent::Refunded
        | OrderEvent::DisputeOpened { .. }
        | OrderEvent::DisputeResolved { .. } => (Amount::ZERO, ""),
        OrderEvent::Created { .. }
        | OrderEvent::AttemptStarted { .. }
        | OrderEvent::AttemptAccepted { .. }
        | OrderEvent::SmsConfirmed { .. }
        | OrderEvent::AttemptInDoubt { .. }
        | OrderEvent::AttemptQueried { .. }
        | OrderEvent::AttemptFailed { .. }
        | OrderEvent::AttemptNotSent { .. }
        | OrderEvent::AttemptClosed { .. }
        | OrderEvent::Frozen { .. }
        | OrderEvent::ClosingAdvanced { .. }
        | OrderEvent::RefundQueried { .. }
        | OrderEvent::Contradicted { .. }
        | OrderEvent::ReopeningPlanned { .. } => return None,
    };
    Some(Announcement {
        order: order.id,
        order_no: order.terms.order_no.clone(),
        sequence: u32::try_from(told).unwrap_or(u32::MAX),
        at: step.at,
        kind: step.kind,
        status: step.status,
        amount,
        currency: order.terms.currency,
        number: number.into(),
        callback: order.terms.callback.clone(),
    })
}
