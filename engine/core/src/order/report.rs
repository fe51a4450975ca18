//! What a channel says about a payment: moved, repeat, or contradiction. Nothing is ever refused silently.

use smallvec::smallvec;
use smol_str::SmolStr;
use suanpan_model::channel::{PayerAction, UnknownWhy};
use suanpan_model::event::EventKind;
use suanpan_model::order::{Attempt, AttemptState, CloseReason, OrderFailure};
use suanpan_model::{
    Amount, AttemptNo, ChannelReport, Order, OrderEvent, OrderStatus, Outcome, Reject, RejectCode,
    ReportSource, TimestampMs,
};

use super::create::{after_payment, auto_release, push, start_attempt};
use super::parked::late;
use super::refund::decide_refund_report;
use super::release::one;
use super::{Context, Decision, Events, closing, entries};

/// A report that contradicts what is known counts as one break; more of them are told to nobody.
const CONTRADICTIONS_MAX: u16 = 16;

/// Decides what a report changes.
///
/// # Errors
/// `unknown_attempt` when the report is about an attempt (or refund) that this order does not have, or names
/// another channel than the attempt's.
pub(super) fn decide_report(
    order: &Order,
    context: &Context<'_>,
    report: &ChannelReport,
) -> Result<Decision, Reject> {
    let Some(attempt) = order.attempt(report.attempt).filter(|attempt| attempt.channel() == report.channel)
    else {
        let expected = "an attempt of this order at this channel";
        return Err(Reject::new(RejectCode::UnknownAttempt, "attempt", expected));
    };
    if let ReportSource::Refund { refund } = report.source {
        return decide_refund_report(order, context, refund, attempt, &report.outcome);
    }
    Ok(match &attempt.state {
        AttemptState::InDoubt(UnknownWhy::Contradicted) => {
            on_contested(order, context, attempt, report.source, &report.outcome)
        }
        AttemptState::Calling | AttemptState::Waiting { .. } | AttemptState::InDoubt(_) => {
            on_alive(order, context, attempt, report.source, &report.outcome)
        }
        AttemptState::Succeeded => on_succeeded(order, attempt, &report.outcome),
        AttemptState::Failed { .. } | AttemptState::NotSent(_) | AttemptState::Closed => {
            on_dead(order, context, attempt, &report.outcome)
        }
    })
}

fn on_alive(
    order: &Order,
    context: &Context<'_>,
    attempt: &Attempt,
    source: ReportSource,
    outcome: &Outcome,
) -> Decision {
    let waits = matches!(attempt.state, AttemptState::Waiting { .. });
    let calling = matches!(attempt.state, AttemptState::Calling);
    match outcome {
        Outcome::Succeeded { channel_no, amount, fee } => {
            success(order, context, attempt, channel_no, *amount, *fee)
        }
        // The close was refused: what became of the payment has to be asked.
        Outcome::Failed { .. } if source == ReportSource::CloseAnswer => Decision::Repeat,
        Outcome::Failed { kind, code } => {
            let failed = OrderEvent::AttemptFailed { attempt: attempt.no, kind: *kind, code: code.clone() };
            after_failure(order, context, failed, kind.may_fail_over())
        }
        // Of a payment call it is proof that nothing was booked; of a query or close it says nothing.
        Outcome::NotSent(why) if source == ReportSource::PayAnswer && !waits && !passes_on_code(order) => {
            let not_sent = OrderEvent::AttemptNotSent { attempt: attempt.no, why: *why };
            after_failure(order, context, not_sent, true)
        }
        Outcome::Closed => closing::closed_there(order, context, attempt, source),
        Outcome::NotSent(_) | Outcome::NotFound | Outcome::Unknown(_) if order.closing.is_some() => {
            closing::not_paid(order, context, attempt, source, outcome)
        }
        Outcome::Accepted { .. } | Outcome::Processing
            if order.closing.is_some() && source != ReportSource::PayAnswer =>
        {
            closing::not_paid(order, context, attempt, source, outcome)
        }
        // The channel has the payment and waits for the code, which the payer can type again.
        Outcome::NotSent(_) if source == ReportSource::PayAnswer && !waits => {
            one(OrderEvent::AttemptAccepted {
                attempt: attempt.no,
                channel_no: attempt.channel_no.clone(),
                action: Some(PayerAction::SmsCode),
                due: next_query(attempt, context),
            })
        }
        Outcome::Accepted { .. } | Outcome::Processing if waits && !brings_page(attempt, outcome) => {
            Decision::Repeat
        }
        Outcome::Accepted { channel_no, action } => one(OrderEvent::AttemptAccepted {
            attempt: attempt.no,
            channel_no: channel_no.clone(),
            action: action.clone(),
            due: next_query(attempt, context),
        }),
        Outcome::Processing => one(OrderEvent::AttemptAccepted {
            attempt: attempt.no,
            channel_no: attempt.channel_no.clone(),
            action: None,
            due: next_query(attempt, context),
        }),
        Outcome::Unknown(why) if calling => in_doubt(attempt, context, *why),
        // Not found is still unknown until the channel's deadline and a close: the ladder asks again.
        Outcome::NotSent(_) | Outcome::NotFound | Outcome::Unknown(_) => Decision::Repeat,
        // Said of refunds only.
        Outcome::Abnormal { .. } | Outcome::Bounced { .. } => Decision::Repeat,
    }
}

/// The channel said that money moved, though not the sum that it was asked for: one of the two is wrong, and the payer may
/// have paid. From then on its word counts only as the right sum or as an answer to a question; a failure or a close that it tells
/// unasked is the other half of the contradiction. Even when it answers "failed", no other channel is tried.
fn on_contested(
    order: &Order,
    context: &Context<'_>,
    attempt: &Attempt,
    source: ReportSource,
    outcome: &Outcome,
) -> Decision {
    let was_asked = matches!(source, ReportSource::QueryAnswer | ReportSource::CloseAnswer);
    match outcome {
        Outcome::Succeeded { channel_no, amount, fee } => {
            success(order, context, attempt, channel_no, *amount, *fee)
        }
        Outcome::Failed { .. } if source == ReportSource::CloseAnswer => Decision::Repeat,
        Outcome::Failed { .. } if !was_asked => contradiction(order, attempt.no, "failed_after_success"),
        Outcome::Failed { kind, code } => {
            let failed = OrderEvent::AttemptFailed { attempt: attempt.no, kind: *kind, code: code.clone() };
            after_failure(order, context, failed, false)
        }
        Outcome::Closed if !was_asked => contradiction(order, attempt.no, "closed_after_success"),
        Outcome::Closed => closing::closed_there(order, context, attempt, source),
        Outcome::Accepted { .. }
        | Outcome::Processing
        | Outcome::NotSent(_)
        | Outcome::NotFound
        | Outcome::Unknown(_) => closing::not_paid(order, context, attempt, source, outcome),
        // Said of refunds only.
        Outcome::Abnormal { .. } | Outcome::Bounced { .. } => Decision::Repeat,
    }
}

/// Whether the call under way passes on a code: the channel took the payment in before.
fn passes_on_code(order: &Order) -> bool {
    let of_attempt = order.steps.iter().rev().take_while(|step| step.kind != EventKind::AttemptStarted);
    of_attempt.map(|step| step.kind).any(|kind| kind == EventKind::SmsConfirmed)
}

/// Whether an acceptance that was overtaken by other news brings the page that the payer waits for.
fn brings_page(attempt: &Attempt, outcome: &Outcome) -> bool {
    attempt.state == AttemptState::Waiting { action: None }
        && matches!(outcome, Outcome::Accepted { action: Some(PayerAction::Redirect(_)), .. })
}

pub(super) fn in_doubt(attempt: &Attempt, context: &Context<'_>, why: UnknownWhy) -> Decision {
    one(OrderEvent::AttemptInDoubt { attempt: attempt.no, why, due: next_query(attempt, context) })
}

/// When the channel is asked (again) what became of an attempt.
pub(super) fn next_query(attempt: &Attempt, context: &Context<'_>) -> TimestampMs {
    due_before_query(attempt, attempt.queries, context)
}

/// When the channel is asked again after a query that is made now.
pub(super) fn query_after_this(attempt: &Attempt, context: &Context<'_>) -> TimestampMs {
    due_before_query(attempt, attempt.queries.saturating_add(1), context)
}

fn due_before_query(attempt: &Attempt, number: u16, context: &Context<'_>) -> TimestampMs {
    let wait = context.router.capability(attempt.channel()).map(|known| known.query_wait(number));
    context.now + wait.unwrap_or(suanpan_model::time::DurationMs::from_secs(60))
}

fn success(
    order: &Order,
    context: &Context<'_>,
    attempt: &Attempt,
    channel_no: &SmolStr,
    amount: Amount,
    fee: Option<Amount>,
) -> Decision {
    if amount != order.terms.payable() {
        return wrong_sum(order, context, attempt);
    }
    let fee = fee.unwrap_or(attempt.fee);
    if !order.status.is_unpaid() {
        return late(order, context, attempt, channel_no, fee);
    }
    let paid = OrderEvent::Paid {
        attempt: attempt.no,
        channel_no: channel_no.clone(),
        fee,
        entries: entries::payment(order, attempt.channel(), fee),
    };
    if order.terms.escrow {
        let due = context.now + auto_release(&order.terms, context.policy);
        let frozen = OrderEvent::Frozen { due };
        return Decision::Moved(smallvec![paid, frozen]);
    }
    let mut order = order.clone();
    let mut events = Events::new();
    push(&mut order, &mut events, context.now, paid);
    after_payment(&mut order, &mut events, context);
    Decision::Moved(events)
}

/// Money moved, but not as much as was asked for: until the channel was asked, nobody knows what became of a payment that
/// could still be made.
fn wrong_sum(order: &Order, context: &Context<'_>, attempt: &Attempt) -> Decision {
    let noted = contradiction(order, attempt.no, "amount");
    let is_contested = attempt.state == AttemptState::InDoubt(UnknownWhy::Contradicted);
    if is_contested || !attempt.state.is_alive() {
        return noted;
    }
    let mut events = match noted {
        Decision::Moved(events) => events,
        Decision::Repeat | Decision::NeedsHolds(_) => Events::new(),
    };
    let (why, due) = (UnknownWhy::Contradicted, next_query(attempt, context));
    events.push(OrderEvent::AttemptInDoubt { attempt: attempt.no, why, due });
    Decision::Moved(events)
}

fn on_succeeded(order: &Order, attempt: &Attempt, outcome: &Outcome) -> Decision {
    match outcome {
        Outcome::Succeeded { channel_no, amount, .. } => {
            if *amount != order.terms.payable() {
                contradiction(order, attempt.no, "amount")
            } else if *channel_no != attempt.channel_no {
                contradiction(order, attempt.no, "channel_no")
            } else {
                Decision::Repeat
            }
        }
        Outcome::Failed { .. } => contradiction(order, attempt.no, "failed_after_success"),
        Outcome::Closed => contradiction(order, attempt.no, "closed_after_success"),
        // Older news, overtaken on the way.
        Outcome::Accepted { .. }
        | Outcome::Processing
        | Outcome::Unknown(_)
        | Outcome::NotFound
        | Outcome::NotSent(_)
        | Outcome::Abnormal { .. }
        | Outcome::Bounced { .. } => Decision::Repeat,
    }
}

fn on_dead(order: &Order, context: &Context<'_>, attempt: &Attempt, outcome: &Outcome) -> Decision {
    match outcome {
        // The channel said no and took the money all the same: what counts is the money.
        Outcome::Succeeded { channel_no, amount, fee } => {
            success(order, context, attempt, channel_no, *amount, *fee)
        }
        Outcome::Failed { .. }
        | Outcome::Closed
        | Outcome::Accepted { .. }
        | Outcome::Processing
        | Outcome::Unknown(_)
        | Outcome::NotFound
        | Outcome::NotSent(_)
        | Outcome::Abnormal { .. }
        | Outcome::Bounced { .. } => Decision::Repeat,
    }
}

/// A break for reconciliation: recorded, alarmed, changes nothing else.
pub(super) fn contradiction(order: &Order, attempt: AttemptNo, said: &str) -> Decision {
    if order.contradictions >= CONTRADICTIONS_MAX {
        return Decision::Repeat;
    }
    one(OrderEvent::Contradicted { attempt, said: said.into() })
}

/// What follows when an attempt is proved dead: the next one, or the end.
fn after_failure(order: &Order, context: &Context<'_>, event: OrderEvent, may_fail_over: bool) -> Decision {
    let mut order = order.clone();
    let mut events = Events::new();
    push(&mut order, &mut events, context.now, event);
    if !order.status.is_unpaid() || order.alive().is_some() {
        return Decision::Moved(events);
    }
    let next = next_step(&order, context, may_fail_over);
    events.push(next);
    Decision::Moved(events)
}

fn next_step(order: &Order, context: &Context<'_>, may_fail_over: bool) -> OrderEvent {
    let voided = order.holds.clone();
    if let Some(closing) = order.closing {
        return OrderEvent::Closed { reason: closing.reason, voided };
    }
    let failed = |reason| OrderEvent::Failed { reason, voided: voided.clone() };
    if !may_fail_over {
        return failed(OrderFailure::Refused);
    }
    if order.attempts.len() >= usize::from(context.policy.attempts_max) {
        return failed(OrderFailure::AttemptsUsedUp);
    }
    if order.terms.expires_at <= context.now {
        return OrderEvent::Closed { reason: CloseReason::Expired, voided };
    }
    start_attempt(order, context).unwrap_or_else(|_| failed(OrderFailure::NoChannel))
}

/// The channel closed the payment by itself, without a close of ours.
pub(super) fn lapsed(order: &Order, context: &Context<'_>, attempt: &Attempt) -> Decision {
    after_failure(order, context, OrderEvent::AttemptClosed { attempt: attempt.no }, false)
}

/// Whether the order can take a payer's SMS code now.
pub(super) fn awaits_code(order: &Order) -> Option<&Attempt> {
    let waiting = |attempt: &&Attempt| {
        let action = Some(PayerAction::SmsCode);
        order.status == OrderStatus::Pending
            && order.closing.is_none()
            && attempt.state == AttemptState::Waiting { action }
    };
    order.alive().filter(waiting)
}
