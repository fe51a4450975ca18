//! Money that waits for somebody: payments that came after their order ended or was paid already, and refunds that
//! their channel cannot finish.

use smallvec::smallvec;
use smol_str::{SmolStr, format_smolstr};
use suanpan_model::order::Attempt;
use suanpan_model::policy::LatePayment;
use suanpan_model::refund::{FinishWay, Refund, RefundState};
use suanpan_model::{AccountId, Amount, AttemptNo, Order, OrderEvent, OrderStatus, Reject, RejectCode};

use super::create::{after_payment, coupon_holds, push};
use super::refund::{fail, query, refund_entries, return_parked};
use super::release::settle_if_empty;
use super::unwind::left_over;
use super::{Context, Decision, Events, Granted, entries};

/// A payment arrived that the order no longer waits for.
pub(super) fn late(
    order: &Order,
    context: &Context<'_>,
    attempt: &Attempt,
    channel_no: &SmolStr,
    fee: Amount,
) -> Decision {
    let parked = OrderEvent::LatePaid {
        attempt: attempt.no,
        channel_no: channel_no.clone(),
        fee,
        entries: entries::late_payment(order, attempt.channel(), fee),
    };
    let mut order = order.clone();
    let mut events = Events::new();
    push(&mut order, &mut events, context.now, parked);
    let ended_unpaid = matches!(order.status, OrderStatus::Closed | OrderStatus::Failed);
    match order.agreement.late_payment {
        // Paid twice: the second payment always goes back by itself.
        LatePayment::Park | LatePayment::Reopen | LatePayment::Refund if !ended_unpaid => {
            return_parked_payment(&mut order, &mut events, context, attempt.no);
        }
        LatePayment::Refund => return_parked_payment(&mut order, &mut events, context, attempt.no),
        LatePayment::Park => {}
        LatePayment::Reopen if order.terms.coupons.is_empty() => {
            reopen(&mut order, &mut events, context, attempt.no);
        }
        LatePayment::Reopen => events.push(OrderEvent::ReopeningPlanned { due: context.now }),
    }
    Decision::Moved(events)
}

fn return_parked_payment(order: &mut Order, events: &mut Events, context: &Context<'_>, attempt: AttemptNo) {
    let amount = order.terms.payable();
    return_parked(order, events, context, attempt, amount);
}

fn reopen(order: &mut Order, events: &mut Events, context: &Context<'_>, attempt: AttemptNo) {
    let held = context.granted.map_or(&[][..], |granted| granted.holds);
    let entries = entries::reopening(order, held);
    push(order, events, context.now, OrderEvent::Reopened { attempt, entries });
    after_payment(order, events, context);
}

/// The parked payment of an attempt.
fn the_parked(order: &Order, attempt: AttemptNo) -> Result<&Attempt, Reject> {
    order.parked().find(|parked| parked.no == attempt).ok_or_else(|| {
        let expected = "an attempt whose payment is parked and not on its way back";
        Reject::new(RejectCode::UnknownAttempt, "attempt", expected)
    })
}

/// A parked payment is to go back.
pub(super) fn decide_return(
    order: &Order,
    context: &Context<'_>,
    attempt: AttemptNo,
) -> Result<Decision, Reject> {
    if order.refunds.iter().any(|refund| refund.attempt == attempt && refund.unwinding.is_none()) {
        return Ok(Decision::Repeat);
    }
    the_parked(order, attempt)?;
    let mut order = order.clone();
    let mut events = Events::new();
    return_parked_payment(&mut order, &mut events, context, attempt);
    Ok(Decision::Moved(events))
}

/// A parked payment is to be taken into its order.
pub(super) fn decide_reopen(
    order: &Order,
    context: &Context<'_>,
    attempt: AttemptNo,
) -> Result<Decision, Reject> {
    if order.paid_by == Some(attempt) {
        return Ok(Decision::Repeat);
    }
    if !matches!(order.status, OrderStatus::Closed | OrderStatus::Failed) {
        return Err(super::decide::illegal(order, "reopened"));
    }
    the_parked(order, attempt)?;
    let needed = coupon_holds(order.id, &order.terms, order.last_hold.saturating_add(1));
    match context.granted {
        None if !needed.is_empty() => return Ok(Decision::NeedsHolds(needed)),
        Some(Granted { refused: Some(reject), .. }) => return Err((*reject).clone()),
        None | Some(_) => {}
    }
    let mut order = order.clone();
    let mut events = Events::new();
    reopen(&mut order, &mut events, context, attempt);
    Ok(Decision::Moved(events))
}

/// The time to reopen came; where the coupons are gone the payment goes back.
pub(super) fn reopen_by_itself(order: &Order, context: &Context<'_>) -> Decision {
    let Some(attempt) = order.parked().next().map(|attempt| attempt.no) else { return Decision::Repeat };
    decide_reopen(order, context, attempt).unwrap_or_else(|_| {
        let mut order = order.clone();
        let mut events = Events::new();
        return_parked_payment(&mut order, &mut events, context, attempt);
        Decision::Moved(events)
    })
}

/// An operator ends a refund that its channel cannot finish.
pub(super) fn decide_finish(
    order: &Order,
    context: &Context<'_>,
    number: u8,
    way: &FinishWay,
    note: &SmolStr,
) -> Result<Decision, Reject> {
    let Some(refund) = order.refund(number) else {
        return Err(Reject::new(RejectCode::UnknownAttempt, "refund", "a refund of this order"));
    };
    let noted = noted(way, note);
    if refund.state == RefundState::Finished && refund.note == noted {
        return Ok(Decision::Repeat);
    }
    if !refund.state.needs_operator() {
        let expected = format!("a refund that is stuck or bounced; this one is {}", refund.state.name());
        return Err(Reject::new(RejectCode::IllegalState, "state", expected));
    }
    let destination = match way {
        FinishWay::ToAccount(account) => Some(checked_account(order, context, *account)?),
        FinishWay::Outside => Some(entries::funding(order)),
        FinishWay::Resend | FinishWay::GiveUp => None,
    };
    let mut known = order.clone();
    let mut events = Events::new();
    match (destination, way) {
        (Some(account), _) => finish(&mut known, &mut events, context, refund, account, noted),
        (None, FinishWay::Resend) => resend(&mut known, &mut events, context, refund, noted),
        (None, _) => return give_up(order, context, refund, note),
    }
    Ok(Decision::Moved(events))
}

fn noted(way: &FinishWay, note: &SmolStr) -> SmolStr {
    if note.is_empty() { way.name().into() } else { format_smolstr!("{}: {note}", way.name()) }
}

fn finish(
    order: &mut Order,
    events: &mut Events,
    context: &Context<'_>,
    refund: &Refund,
    account: AccountId,
    note: SmolStr,
) {
    let (entries, voided) = match (&refund.unwinding, refund.state) {
        (Some(unwinding), RefundState::Stuck) => {
            (refund_entries(order, refund, unwinding, account, context.now), left_over(unwinding))
        }
        (Some(_) | None, _) => {
            (smallvec![entries::bounced_refund(order, refund.to_payer, account)], smallvec![])
        }
    };
    let finished = OrderEvent::RefundFinished { refund: refund.no, note, entries, voided };
    push(order, events, context.now, finished);
    settle_if_empty(order, events, context.now);
}

/// The channel is asked once more: with the same refund when it never went, with a new one when it came back.
fn resend(order: &mut Order, events: &mut Events, context: &Context<'_>, refund: &Refund, note: SmolStr) {
    if refund.state == RefundState::Stuck {
        let again = query(order, refund, true, context);
        return push(order, events, context.now, again);
    }
    let finished =
        OrderEvent::RefundFinished { refund: refund.no, note, entries: smallvec![], voided: smallvec![] };
    push(order, events, context.now, finished);
    return_parked(order, events, context, refund.attempt, refund.to_payer);
}

fn give_up(
    order: &Order,
    context: &Context<'_>,
    refund: &Refund,
    note: &SmolStr,
) -> Result<Decision, Reject> {
    match (&refund.unwinding, refund.state) {
        (Some(unwinding), RefundState::Stuck) => Ok(fail(order, context, refund, unwinding, note)),
        (Some(_) | None, _) => {
            let expected = "to_account, outside or resend: the money has no place to go back to";
            Err(Reject::new(RejectCode::InvalidField, "way", expected))
        }
    }
}

/// An account of the platform in the order's currency, onto which a refund can go.
fn checked_account(order: &Order, context: &Context<'_>, account: AccountId) -> Result<AccountId, Reject> {
    let facts = context.directory.account(account).filter(|facts| facts.platform == order.terms.platform);
    let Some(facts) = facts else {
        let expected = "an account that was opened on this platform";
        return Err(Reject::new(RejectCode::UnknownAccount, "account", expected));
    };
    if facts.currency != order.terms.currency {
        let expected = format!("an account in {}", order.terms.currency);
        return Err(Reject::new(RejectCode::CurrencyMismatch, "account", expected));
    }
    if !account.kind().may_pay_orders() {
        let expected = "a cash account, which is a payer's";
        return Err(Reject::new(RejectCode::AccountTypeNotAllowed, "account", expected));
    }
    Ok(account)
}
