//! Folding events into an order. Cannot fail: what does not fit is a bug.

use smallvec::SmallVec;
use suanpan_model::order::{Attempt, AttemptState, Closing, Refund, RefundSource, RefundState, Step};
use suanpan_model::{Amount, AttemptNo, Order, OrderEvent, OrderId, OrderStatus, TimestampMs};

use super::next_status;

/// An order's first moment.
///
/// # Panics
/// When the event is not [`OrderEvent::Created`]: a bug, or a log that was tampered with.
#[must_use]
pub fn born(id: OrderId, at: TimestampMs, event: &OrderEvent) -> Order {
    let OrderEvent::Created { terms, holds, fee_bearer, late_payment } = event else {
        panic!("the first event of order {id} is not its creation");
    };
    let parts = terms.sub_orders.len();
    let mut steps = Vec::with_capacity(8);
    steps.push(Step { at, kind: event.kind(), status: OrderStatus::Created });
    Order {
        id,
        status: OrderStatus::Created,
        before_dispute: None,
        closing: None,
        failure: None,
        closed: None,
        fee_bearer: *fee_bearer,
        late_payment: *late_payment,
        holds: holds.clone(),
        attempts: SmallVec::new(),
        paid_by: None,
        frozen: Amount::ZERO,
        released: SmallVec::from_elem(Amount::ZERO, parts),
        refunded: SmallVec::from_elem(Amount::ZERO, parts),
        fee_taken: Amount::ZERO,
        fixed_given: SmallVec::from_elem(Amount::ZERO, terms.splits.len()),
        refunds: Vec::new(),
        release_at: TimestampMs::NEVER,
        contradictions: 0,
        steps,
        entries: Vec::new(),
        terms: terms.clone(),
    }
}

/// Folds one event in.
///
/// # Panics
/// When the event cannot happen in the order's state: a bug, or a log that was tampered with.
pub fn apply(order: &mut Order, at: TimestampMs, event: &OrderEvent) {
    let kind = event.kind();
    let Some(status) = next_status(order.status, kind) else {
        panic!("order {}: {} cannot happen to an order that is {}", order.id, kind.name(), order.status);
    };
    let before = std::mem::replace(&mut order.status, status);
    match event {
        OrderEvent::Created { .. } => unreachable!("the table of states refuses it"),
        OrderEvent::AttemptStarted { .. }
        | OrderEvent::AttemptAccepted { .. }
        | OrderEvent::SmsConfirmed { .. }
        | OrderEvent::AttemptInDoubt { .. }
        | OrderEvent::AttemptQueried { .. }
        | OrderEvent::AttemptFailed { .. }
        | OrderEvent::AttemptNotSent { .. }
        | OrderEvent::AttemptClosed { .. } => apply_attempt(order, at, event),
        OrderEvent::Paid { attempt, channel_no, fee, .. } => {
            succeed(order, *attempt, channel_no, *fee);
            order.paid_by = Some(*attempt);
            order.frozen = order.terms.amount;
            order.holds.clear();
            order.closing = None;
        }
        OrderEvent::Frozen { due } => order.release_at = *due,
        OrderEvent::Released { amounts, fixed, fee, .. } => {
            for (index, amount) in amounts.iter().enumerate() {
                order.released[index] = order.released[index].plus(*amount);
                order.frozen = order.frozen.minus(*amount);
            }
            for (given, more) in order.fixed_given.iter_mut().zip(fixed) {
                *given = given.plus(*more);
            }
            order.fee_taken = order.fee_taken.plus(*fee);
        }
        OrderEvent::Settled | OrderEvent::Refunded => {}
        OrderEvent::Failed { reason, .. } => {
            order.failure = Some(*reason);
            order.holds.clear();
        }
        OrderEvent::ClosingAdvanced { reason, stage, due } => {
            order.closing = Some(Closing { reason: *reason, stage: *stage, due: *due });
            if let Some(attempt) = order.attempts.iter_mut().rev().find(|attempt| attempt.state.is_alive()) {
                attempt.queries = attempt.queries.saturating_add(1);
            }
        }
        OrderEvent::Closed { reason, .. } => {
            order.closed = Some(*reason);
            order.closing = None;
            order.holds.clear();
        }
        OrderEvent::LatePaid { attempt, channel_no, fee, .. } => succeed(order, *attempt, channel_no, *fee),
        OrderEvent::RefundStarted { .. }
        | OrderEvent::RefundQueried { .. }
        | OrderEvent::RefundSucceeded { .. }
        | OrderEvent::RefundFailed { .. } => apply_refund(order, event),
        OrderEvent::DisputeOpened => {
            order.before_dispute = Some(before);
            order.release_at = TimestampMs::NEVER;
        }
        OrderEvent::DisputeResolved { due } => {
            order.release_at = *due;
            order.status = order.before_dispute.take().unwrap_or(status);
        }
        OrderEvent::Contradicted { .. } => order.contradictions += 1,
    }
    order.steps.push(Step { at, kind, status: order.status });
    order.entries.extend(event.entries().iter().cloned());
}

fn apply_attempt(order: &mut Order, at: TimestampMs, event: &OrderEvent) {
    match event {
        OrderEvent::AttemptStarted { route, due } => {
            let no = u8::try_from(order.attempts.len() + 1).expect("an order has few attempts");
            order.attempts.push(Attempt {
                no: AttemptNo(no),
                state: AttemptState::Calling,
                started_at: at,
                queries: 0,
                due: *due,
                channel_no: "".into(),
                fee: route.fee,
                route: route.clone(),
            });
        }
        OrderEvent::AttemptAccepted { attempt, channel_no, action, due } => {
            let attempt = the_attempt(order, *attempt);
            attempt.state = AttemptState::Waiting { action: action.clone() };
            attempt.channel_no = channel_no.clone();
            attempt.due = *due;
        }
        OrderEvent::SmsConfirmed { attempt, due } => {
            let attempt = the_attempt(order, *attempt);
            attempt.state = AttemptState::Calling;
            attempt.due = *due;
        }
        OrderEvent::AttemptInDoubt { attempt, why, due } => {
            let attempt = the_attempt(order, *attempt);
            attempt.state = AttemptState::InDoubt(*why);
            attempt.due = *due;
        }
        OrderEvent::AttemptQueried { attempt, due } => {
            let attempt = the_attempt(order, *attempt);
            attempt.queries = attempt.queries.saturating_add(1);
            attempt.due = *due;
        }
        OrderEvent::AttemptFailed { attempt, kind, code } => {
            the_attempt(order, *attempt).state = AttemptState::Failed { kind: *kind, code: code.clone() };
        }
        OrderEvent::AttemptNotSent { attempt, why } => {
            the_attempt(order, *attempt).state = AttemptState::NotSent(*why);
        }
        OrderEvent::AttemptClosed { attempt } => the_attempt(order, *attempt).state = AttemptState::Closed,
        other => unreachable!("{} is not about an attempt", other.kind().name()),
    }
}

fn apply_refund(order: &mut Order, event: &OrderEvent) {
    match event {
        OrderEvent::RefundStarted { refund_no, attempt, source, amounts, amount, to_payer, due } => {
            let no = u8::try_from(order.refunds.len() + 1).expect("the number of refunds is bounded");
            for (index, part) in amounts.iter().enumerate() {
                order.refunded[index] = order.refunded[index].plus(*part);
                order.frozen = order.frozen.minus(*part);
            }
            order.refunds.push(Refund {
                no,
                refund_no: refund_no.clone(),
                attempt: *attempt,
                source: *source,
                amount: *amount,
                to_payer: *to_payer,
                state: RefundState::Pending,
                queries: 0,
                due: *due,
                amounts: amounts.clone(),
            });
        }
        OrderEvent::RefundQueried { refund, resend, due } => {
            let refund = the_refund(order, *refund);
            refund.state = if *resend { RefundState::Pending } else { RefundState::InDoubt };
            refund.queries = refund.queries.saturating_add(1);
            refund.due = *due;
        }
        OrderEvent::RefundSucceeded { refund, .. } => {
            the_refund(order, *refund).state = RefundState::Succeeded
        }
        OrderEvent::RefundFailed { refund, .. } => {
            let refund = the_refund(order, *refund);
            refund.state = RefundState::Failed;
            let (source, amounts) = (refund.source, refund.amounts.clone());
            if source == RefundSource::Escrow {
                for (index, part) in amounts.iter().enumerate() {
                    order.refunded[index] = order.refunded[index].minus(*part);
                    order.frozen = order.frozen.plus(*part);
                }
            }
        }
        other => unreachable!("{} is not about a refund", other.kind().name()),
    }
}

fn succeed(order: &mut Order, attempt: AttemptNo, channel_no: &str, fee: Amount) {
    if attempt == AttemptNo(0) {
        return;
    }
    let attempt = the_attempt(order, attempt);
    attempt.state = AttemptState::Succeeded;
    attempt.channel_no = channel_no.into();
    attempt.fee = fee;
}

fn the_attempt(order: &mut Order, no: AttemptNo) -> &mut Attempt {
    let id = order.id;
    let index = usize::from(no.0).wrapping_sub(1);
    order.attempts.get_mut(index).unwrap_or_else(|| panic!("order {id} has no attempt {no}"))
}

fn the_refund(order: &mut Order, no: u8) -> &mut Refund {
    let id = order.id;
    let index = usize::from(no).wrapping_sub(1);
    order.refunds.get_mut(index).unwrap_or_else(|| panic!("order {id} has no refund {no}"))
}
