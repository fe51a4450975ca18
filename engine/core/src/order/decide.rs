//! Commands to an order that exists.

use suanpan_model::channel::UnknownWhy;
use suanpan_model::order::{AttemptState, CloseReason};
use suanpan_model::{Order, OrderCommand, OrderEvent, OrderStatus, Reject, RejectCode};

use super::closing::{begin, decide_close, repeat_stage};
use super::dispute::{decide_dispute, decide_resolution};
use super::parked::{decide_finish, decide_reopen, decide_return, reopen_by_itself};
use super::refund::{self, decide_refund};
use super::release::{Wanted, decide_release, one, release_all};
use super::report::{awaits_code, decide_report, in_doubt, query_after_this};
use super::{Context, Decision, Events};

/// Decides a command; changes nothing.
///
/// # Errors
/// `illegal_state` names the state that the order is in; further rejects are those of the command.
pub fn decide(order: &Order, command: &OrderCommand, context: &Context<'_>) -> Result<Decision, Reject> {
    match command {
        OrderCommand::Report(report) => decide_report(order, context, report),
        OrderCommand::Release { release_no, sub_order, amount, payees } => {
            let wanted = Wanted { release_no, sub_order: *sub_order, amount: *amount, payees };
            decide_release(order, context, &wanted)
        }
        OrderCommand::Close => decide_close(order, context),
        OrderCommand::Refund(request) => decide_refund(order, context, request),
        OrderCommand::ConfirmSms { .. } => decide_confirm(order, context),
        OrderCommand::OpenDispute => decide_dispute(order, context),
        OrderCommand::ResolveDispute { refund } => decide_resolution(order, context, refund.as_ref()),
        OrderCommand::FinishRefund { refund, way, note } => decide_finish(order, context, *refund, way, note),
        OrderCommand::ReturnParked { attempt } => decide_return(order, context, *attempt),
        OrderCommand::Reopen { attempt } => decide_reopen(order, context, *attempt),
        OrderCommand::Wake => Ok(decide_wake(order, context)),
        OrderCommand::Recover => Ok(decide_recover(order, context)),
    }
}

/// The reject of a command that the order's state does not allow.
pub(super) fn illegal(order: &Order, what: &str) -> Reject {
    let expected = format!("an order that can be {what}; this one is {}", order.status);
    Reject::new(RejectCode::IllegalState, "status", expected)
}

fn decide_confirm(order: &Order, context: &Context<'_>) -> Result<Decision, Reject> {
    let attempt = awaits_code(order).ok_or_else(|| illegal(order, "confirmed with an SMS code"))?;
    let timeout = context.router.capability(attempt.channel()).map(|known| known.call_timeout);
    let due = context.now + timeout.unwrap_or(suanpan_model::time::DurationMs::from_secs(15));
    Ok(one(OrderEvent::SmsConfirmed { attempt: attempt.no, due }))
}

/// Whatever is due: the next step of a close, expiry, a query, release by time, a refund's query.
fn decide_wake(order: &Order, context: &Context<'_>) -> Decision {
    let now = context.now;
    if order.reopen_at <= now {
        return reopen_by_itself(order, context);
    }
    let mut events = Events::new();
    if let Some(closing) = order.closing {
        if closing.due <= now {
            events.extend(repeat_stage(order, context));
        }
    } else if order.status.is_unpaid() && order.terms.expires_at <= now {
        events.push(begin(order, context, CloseReason::Expired));
    } else if let Some(attempt) = order.alive().filter(|attempt| attempt.due <= now) {
        if attempt.state == AttemptState::Calling {
            if let Decision::Moved(doubt) = in_doubt(attempt, context, UnknownWhy::Timeout) {
                events.extend(doubt);
            }
        } else {
            events.push(OrderEvent::AttemptQueried {
                attempt: attempt.no,
                due: query_after_this(attempt, context),
            });
        }
    }
    let overdue = order.refunds.iter().filter(|refund| refund.state.is_alive() && refund.due <= now);
    events.extend(overdue.map(|refund| refund::query(order, refund, false, context)));
    let may_release = matches!(order.status, OrderStatus::Frozen | OrderStatus::PartReleased);
    if may_release && !order.frozen.is_zero() && order.release_at <= now {
        events.extend(release_all(order));
    }
    if events.is_empty() { Decision::Repeat } else { Decision::Moved(events) }
}

/// After a restart nobody awaits the answers to calls that were under way.
fn decide_recover(order: &Order, context: &Context<'_>) -> Decision {
    let calling = order.alive().filter(|attempt| attempt.state == AttemptState::Calling);
    let Some(attempt) = calling else { return decide_wake(order, context) };
    let why = UnknownWhy::Restart;
    one(OrderEvent::AttemptInDoubt { attempt: attempt.no, why, due: context.now })
}
