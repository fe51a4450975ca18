//! Folding events into an order. Cannot fail: what does not fit is a bug.

use smallvec::SmallVec;
use smol_str::SmolStr;
use suanpan_model::order::{Attempt, AttemptState, Closing, Dispute, OrderHold, Part, Release, Stake, Step};
use suanpan_model::refund::{Refund, RefundState, Unwinding};
use suanpan_model::{Amount, AttemptNo, Order, OrderEvent, OrderId, OrderStatus, TimestampMs};

use super::next_status;
use super::plan::{own_lines, receiver};
use crate::split::sum;

/// An order's first moment.
///
/// # Panics
/// When the event is not [`OrderEvent::Created`]: a bug, or a log that was tampered with.
#[must_use]
pub fn born(id: OrderId, at: TimestampMs, event: &OrderEvent) -> Order {
    let OrderEvent::Created { terms, holds, agreement } = event else {
        panic!("the first event of order {id} is not its creation");
    };
    let mut steps = Vec::with_capacity(8);
    steps.push(Step { at, kind: event.kind(), status: OrderStatus::Created });
    Order {
        id,
        status: OrderStatus::Created,
        dispute: None,
        closing: None,
        failure: None,
        closed: None,
        agreement: *agreement,
        last_hold: last_of(holds),
        holds: holds.clone(),
        attempts: SmallVec::new(),
        paid_by: None,
        frozen: Amount::ZERO,
        parts: Vec::new(),
        releases: Vec::new(),
        refunds: Vec::new(),
        release_at: TimestampMs::NEVER,
        reopen_at: TimestampMs::NEVER,
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
        OrderEvent::Released { .. } => apply_release(order, event),
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
        | OrderEvent::RefundFailed { .. }
        | OrderEvent::RefundStuck { .. }
        | OrderEvent::RefundBounced { .. }
        | OrderEvent::RefundFinished { .. } => apply_refund(order, event),
        OrderEvent::DisputeOpened { holds } => {
            order.last_hold = order.last_hold.max(last_of(holds));
            order.dispute = Some(Box::new(Dispute { before, holds: holds.clone() }));
            order.release_at = TimestampMs::NEVER;
        }
        OrderEvent::DisputeResolved { due, .. } => {
            order.release_at = *due;
            order.status = order.dispute.take().map_or(status, |dispute| dispute.before);
        }
        OrderEvent::Reopened { attempt, entries } => {
            // The holds of its coupons are used at once; their numbers are not given out again.
            let used = entries.iter().flat_map(|entry| &entry.postings).map(|line| line.hold_no).max();
            order.last_hold = order.last_hold.max(used.unwrap_or_default());
            order.paid_by = Some(*attempt);
            order.frozen = order.terms.amount;
            order.reopen_at = TimestampMs::NEVER;
            order.failure = None;
            order.closed = None;
        }
        OrderEvent::ReopeningPlanned { due } => order.reopen_at = *due,
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

fn apply_release(order: &mut Order, event: &OrderEvent) {
    let OrderEvent::Released { release_no, request, amounts, given, payees, .. } = event else {
        unreachable!("{} is no release", event.kind().name());
    };
    with_parts(order);
    let columns = own_lines(order);
    for (place, amount) in amounts.iter().enumerate() {
        order.frozen = order.frozen.minus(*amount);
        with_stakes(order, place);
        let part = &mut order.parts[place];
        part.released = part.released.plus(*amount);
        let more = given.get(place * columns..(place + 1) * columns).unwrap_or_default();
        for (stake, more) in part.stakes.iter_mut().zip(more) {
            stake.given = stake.given.plus(*more);
        }
    }
    for payee in payees {
        let stakes = &mut order.parts[usize::from(payee.sub_order)].stakes;
        match stakes[columns..].iter_mut().find(|stake| stake.account == payee.account) {
            Some(stake) => stake.given = stake.given.plus(payee.amount),
            None => stakes.push(Stake { account: payee.account, given: payee.amount, taken: Amount::ZERO }),
        }
    }
    order.releases.push(Release { release_no: release_no.clone(), request: *request, amount: sum(amounts) });
}

fn with_parts(order: &mut Order) {
    if order.parts.is_empty() {
        order.parts = vec![Part::default(); order.terms.sub_orders.len()];
    }
}

/// One stake for each column of the plan.
fn with_stakes(order: &mut Order, place: usize) {
    if !order.parts[place].stakes.is_empty() {
        return;
    }
    let columns = own_lines(order);
    let stake = |column| {
        let account = receiver(order, place, column);
        Stake { account, given: Amount::ZERO, taken: Amount::ZERO }
    };
    order.parts[place].stakes = (0..columns).map(stake).collect();
}

fn apply_refund(order: &mut Order, event: &OrderEvent) {
    match event {
        OrderEvent::RefundStarted {
            refund_no,
            request,
            attempt,
            source,
            amount,
            to_payer,
            unwinding,
            due,
        } => {
            let no = u8::try_from(order.refunds.len() + 1).expect("the number of refunds is bounded");
            if let Some(unwinding) = unwinding {
                unwind(order, unwinding, Direction::Forth);
            }
            order.reopen_at = TimestampMs::NEVER;
            order.refunds.push(Refund {
                no,
                refund_no: refund_no.clone(),
                request: *request,
                attempt: *attempt,
                source: *source,
                amount: *amount,
                to_payer: *to_payer,
                state: RefundState::Pending,
                note: "".into(),
                queries: 0,
                due: *due,
                unwinding: unwinding.clone(),
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
        OrderEvent::RefundFailed { refund, code, .. } => {
            let unwinding = ends(order, *refund, RefundState::Failed, code).unwinding.clone();
            if let Some(unwinding) = unwinding {
                unwind(order, &unwinding, Direction::Back);
            }
        }
        OrderEvent::RefundStuck { refund, code } => {
            ends(order, *refund, RefundState::Stuck, code);
        }
        OrderEvent::RefundBounced { refund, code, .. } => {
            ends(order, *refund, RefundState::Bounced, code);
        }
        OrderEvent::RefundFinished { refund, note, .. } => {
            ends(order, *refund, RefundState::Finished, note);
        }
        other => unreachable!("{} is not about a refund", other.kind().name()),
    }
}

fn ends<'a>(order: &'a mut Order, no: u8, state: RefundState, note: &SmolStr) -> &'a mut Refund {
    let refund = the_refund(order, no);
    refund.state = state;
    refund.note = note.clone();
    refund
}

#[derive(Clone, Copy)]
enum Direction {
    Forth,
    Back,
}

/// Takes what a refund undoes out of the order's sums, or puts it back.
fn unwind(order: &mut Order, unwinding: &Unwinding, direction: Direction) {
    with_parts(order);
    let step = |sum: &mut Amount, amount: Amount| match direction {
        Direction::Forth => *sum = sum.plus(amount),
        Direction::Back => *sum = sum.minus(amount),
    };
    let returned = sum(&unwinding.returned);
    order.frozen = match direction {
        Direction::Forth => order.frozen.minus(returned),
        Direction::Back => order.frozen.plus(returned),
    };
    let last = unwinding.takes.iter().filter_map(|take| take.hold).map(|hold| hold.no).max();
    order.last_hold = order.last_hold.max(last.unwrap_or_default());
    let columns = unwinding.undone.len() / order.parts.len();
    let mut taken = unwinding.taken.iter();
    for (place, part) in order.parts.iter_mut().enumerate() {
        step(&mut part.returned, unwinding.returned.get(place).copied().unwrap_or_default());
        step(&mut part.reversed, unwinding.reversed.get(place).copied().unwrap_or_default());
        if part.undone.is_empty() {
            part.undone = SmallVec::from_elem(Amount::ZERO, columns);
        }
        let row = &unwinding.undone[place * columns..(place + 1) * columns];
        part.undone.iter_mut().zip(row).for_each(|(sum, amount)| step(sum, *amount));
        // Payees of later releases may have come since: those were not there when the refund was worked out, and stand
        // at the end of their sub-order. Refunds say how many stakes each sub-order had.
        let stakes = unwinding.stakes.get(place).copied().map_or(0, usize::from);
        for stake in part.stakes.iter_mut().take(stakes) {
            step(&mut stake.taken, taken.next().copied().unwrap_or_default());
        }
    }
}

fn last_of(holds: &[OrderHold]) -> u16 {
    holds.iter().map(|hold| hold.no).max().unwrap_or_default()
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
