//! Giving money back: an order's own on request, parked money by itself; and what channels say of it.

use smallvec::{SmallVec, smallvec};
use smol_str::SmolStr;
use suanpan_model::command::RefundRequest;
use suanpan_model::order::Attempt;
use suanpan_model::refund::{Refund, RefundSource, RefundState, Unwinding};
use suanpan_model::time::DurationMs;
use suanpan_model::{
    Amount, AttemptNo, Order, OrderEvent, OrderStatus, Outcome, Reject, RejectCode, TimestampMs,
};

use super::create::push;
use super::release::{frozen_of_each, one, only, settle_if_empty, spread};
use super::unwind::{self, Undoing, cover, holds, holds_needed, left_over, unwinding};
use super::{Context, Decision, Events, Granted, entries};
use crate::split::sum;

/// Most refunds that one order can have.
const REFUNDS_MAX: usize = 200;

/// The mall asks for money back.
pub(super) fn decide_refund(
    order: &Order,
    context: &Context<'_>,
    request: &RefundRequest,
) -> Result<Decision, Reject> {
    if let Some(repeat) = known_refund(order, request)? {
        return Ok(repeat);
    }
    match order.status {
        OrderStatus::Frozen | OrderStatus::PartReleased | OrderStatus::Settled => {}
        OrderStatus::Created
        | OrderStatus::Routing
        | OrderStatus::Pending
        | OrderStatus::Paid
        | OrderStatus::Failed
        | OrderStatus::Closed
        | OrderStatus::Refunded
        | OrderStatus::Disputed => return Err(super::decide::illegal(order, "refunded")),
    }
    let (mut unwinding, to_payer) = unwinding(order, undoing(order, request)?);
    let needed = holds_needed(order, &unwinding);
    match context.granted {
        None if needed.is_empty() => {}
        None => return Ok(Decision::NeedsHolds(needed)),
        Some(Granted { refused: Some(reject), .. }) => return Err((*reject).clone()),
        Some(Granted { holds, .. }) => cover(&mut unwinding, holds),
    }
    let mut order = order.clone();
    let mut events = Events::new();
    start(&mut order, &mut events, context, request, unwinding, to_payer);
    Ok(Decision::Moved(events))
}

/// The answer to a refund that was asked for before.
pub(super) fn known_refund(order: &Order, request: &RefundRequest) -> Result<Option<Decision>, Reject> {
    if request.refund_no.is_empty() {
        let expected = "the platform's own number for the refund";
        return Err(Reject::new(RejectCode::MissingField, "refund_no", expected));
    }
    match order.refunds.iter().find(|refund| refund.refund_no == *request.refund_no) {
        None => Ok(None),
        Some(known) if known.request == fingerprint(request) => Ok(Some(Decision::Repeat)),
        Some(_) => {
            let expected = "the content of the first request with this number, or another number";
            Err(Reject::new(RejectCode::IdempotencyConflict, "refund_no", expected))
        }
    }
}

fn fingerprint(request: &RefundRequest) -> u64 {
    super::fingerprint([
        request.sub_order.map_or(u64::MAX, u64::from),
        request.amount.map_or(u64::MAX, Amount::minor),
    ])
}

/// What a request undoes of each sub-order: frozen money first, then what was released, each in proportion to what is
/// left of it.
pub(super) fn undoing(order: &Order, request: &RefundRequest) -> Result<Undoing, Reject> {
    let frozen = only(frozen_of_each(order), request.sub_order)?;
    let released = only(released_of_each(order), request.sub_order)?;
    let (all_frozen, all_released) = (sum(&frozen), sum(&released));
    let whole = all_frozen.plus(all_released);
    if request.amount.is_some_and(Amount::is_zero) {
        return Err(Reject::new(RejectCode::AmountZero, "amount", "an amount above zero"));
    }
    let amount = request.amount.unwrap_or(whole);
    if amount.is_zero() || amount > whole {
        let expected =
            format!("at most what can still be given back, {}", whole.to_text(order.terms.currency));
        return Err(Reject::new(RejectCode::ExceedsPaid, "amount", expected));
    }
    if order.refunds.len() >= REFUNDS_MAX {
        let expected = format!("at most {REFUNDS_MAX} refunds of one order");
        return Err(Reject::new(RejectCode::TooManySteps, "refund_no", expected));
    }
    let from_frozen = amount.min(all_frozen);
    Ok(Undoing {
        returned: spread(from_frozen, &frozen),
        reversed: spread(amount.minus(from_frozen), &released),
    })
}

/// What was released of each sub-order and not taken back.
pub(super) fn released_of_each(order: &Order) -> SmallVec<[Amount; 1]> {
    let of = |place| order.part(place).map_or(Amount::ZERO, |part| part.released.minus(part.reversed));
    (0..order.terms.sub_orders.len()).map(of).collect()
}

/// Starts a refund whose unwinding is covered; ends it at once where nobody needs to be asked.
pub(super) fn start(
    order: &mut Order,
    events: &mut Events,
    context: &Context<'_>,
    request: &RefundRequest,
    unwinding: Unwinding,
    to_payer: Amount,
) {
    let attempt = order.paid_by.unwrap_or(AttemptNo(0));
    let event = OrderEvent::RefundStarted {
        refund_no: request.refund_no.clone(),
        request: fingerprint(request),
        attempt,
        source: RefundSource::Order,
        amount: sum(&unwinding.returned).plus(sum(&unwinding.reversed)),
        to_payer,
        unwinding: Some(Box::new(unwinding)),
        due: context.now + timeout(order, attempt, context),
    };
    push(order, events, context.now, event);
    if attempt == AttemptNo(0) || to_payer.is_zero() {
        // Back to an e-account, or to the funders of coupons alone: no channel needs to be asked.
        let number = order.refunds.last().map_or(0, |refund| refund.no);
        succeed(order, events, context, number);
    }
}

/// The refund with this number went back to where the payment came from.
fn succeed(order: &mut Order, events: &mut Events, context: &Context<'_>, number: u8) {
    let refund = order.refund(number).expect("the refund was just looked up");
    let channel = order.attempt(refund.attempt).map(Attempt::channel);
    let entries = match &refund.unwinding {
        Some(unwinding) => {
            let payer = entries::source_of_payment(order, channel);
            refund_entries(order, refund, unwinding, payer, context.now)
        }
        None => {
            let channel = channel.expect("a parked payment came through a channel");
            smallvec![entries::late_refund(order, channel, refund.amount)]
        }
    };
    let voided = refund.unwinding.as_ref().map_or_else(SmallVec::new, |unwinding| left_over(unwinding));
    push(order, events, context.now, OrderEvent::RefundSucceeded { refund: number, entries, voided });
    settle_if_empty(order, events, context.now);
}

/// The entries of a refund of the order's money whose payer's part goes to `payer`; with it the coupons come back when
/// nothing of the order is left and they are still valid.
pub(super) fn refund_entries(
    order: &Order,
    refund: &Refund,
    unwinding: &Unwinding,
    payer: suanpan_model::AccountId,
    now: TimestampMs,
) -> SmallVec<[suanpan_model::Entry; 1]> {
    let mut entries = smallvec![entries::refund(order, unwinding, refund.to_payer, payer)];
    let others_over = order
        .refunds
        .iter()
        .filter(|other| other.unwinding.is_some() && other.no != refund.no)
        .all(|other| !other.state.is_open());
    if others_over && order.refunded() == order.terms.amount {
        entries.extend(entries::coupons_back(order, now));
    }
    entries
}

/// A parked payment goes back by itself.
pub(super) fn return_parked(
    order: &mut Order,
    events: &mut Events,
    context: &Context<'_>,
    attempt: AttemptNo,
    amount: Amount,
) {
    let event = OrderEvent::RefundStarted {
        refund_no: SmolStr::default(),
        request: 0,
        attempt,
        source: RefundSource::Suspense,
        amount,
        to_payer: amount,
        unwinding: None,
        due: context.now + timeout(order, attempt, context),
    };
    push(order, events, context.now, event);
}

fn timeout(order: &Order, attempt: AttemptNo, context: &Context<'_>) -> DurationMs {
    let capability = order.attempt(attempt).and_then(|attempt| context.router.capability(attempt.channel()));
    capability.map_or(DurationMs::from_secs(15), |known| known.call_timeout)
}

/// When to ask about a refund again.
fn next_query(order: &Order, refund: &Refund, context: &Context<'_>) -> TimestampMs {
    let capability =
        order.attempt(refund.attempt).and_then(|attempt| context.router.capability(attempt.channel()));
    context.now + capability.map_or(DurationMs::from_secs(60), |known| known.query_wait(refund.queries))
}

/// Asks about a refund whose answer is overdue, or sends it again.
pub(super) fn query(order: &Order, refund: &Refund, resend: bool, context: &Context<'_>) -> OrderEvent {
    OrderEvent::RefundQueried { refund: refund.no, resend, due: next_query(order, refund, context) }
}

/// The channel said something about a refund.
pub(super) fn decide_refund_report(
    order: &Order,
    context: &Context<'_>,
    number: u8,
    attempt: &Attempt,
    outcome: &Outcome,
) -> Result<Decision, Reject> {
    let Some(refund) = order.refund(number).filter(|refund| refund.attempt == attempt.no) else {
        return Err(Reject::new(RejectCode::UnknownAttempt, "refund", "a refund of this attempt"));
    };
    if !refund.state.is_open() {
        return Ok(on_ended(order, attempt, refund, outcome));
    }
    let is_stuck = refund.state == RefundState::Stuck;
    match outcome {
        Outcome::Succeeded { amount, .. } if *amount != refund.to_payer => {
            Ok(super::report::contradiction(order, refund.attempt, "refund_amount"))
        }
        Outcome::Succeeded { .. } => {
            let mut order = order.clone();
            let mut events = Events::new();
            succeed(&mut order, &mut events, context, number);
            Ok(Decision::Moved(events))
        }
        Outcome::Failed { code, .. } => Ok(refused(order, context, refund, code)),
        // It came back before we heard that it had gone: as if it had never gone.
        Outcome::Abnormal { code } | Outcome::Bounced { code, .. } if !is_stuck => {
            Ok(one(OrderEvent::RefundStuck { refund: number, code: code.clone() }))
        }
        // Of a query; of the refund call itself it says nothing that a query would not say again.
        Outcome::NotFound if refund.state == RefundState::InDoubt => {
            Ok(one(query(order, refund, true, context)))
        }
        // Accepted, under way, unknown, or the call did not leave us: the ladder asks again.
        Outcome::Accepted { .. }
        | Outcome::Processing
        | Outcome::Unknown(_)
        | Outcome::Closed
        | Outcome::NotFound
        | Outcome::NotSent(_)
        | Outcome::Abnormal { .. }
        | Outcome::Bounced { .. } => Ok(Decision::Repeat),
    }
}

/// The money of a refund is where it was before. The order may have waited for nothing else.
pub(super) fn fail(
    order: &Order,
    context: &Context<'_>,
    refund: &Refund,
    unwinding: &Unwinding,
    code: &SmolStr,
) -> Decision {
    let failed = OrderEvent::RefundFailed { refund: refund.no, code: code.clone(), voided: holds(unwinding) };
    let mut order = order.clone();
    let mut events = Events::new();
    push(&mut order, &mut events, context.now, failed);
    settle_if_empty(&mut order, &mut events, context.now);
    Decision::Moved(events)
}

/// A refusal for good: an order's money is where it was before; parked money has no such place, and an operator has to
/// find another.
fn refused(order: &Order, context: &Context<'_>, refund: &Refund, code: &SmolStr) -> Decision {
    match (&refund.unwinding, refund.state) {
        (Some(unwinding), _) => fail(order, context, refund, unwinding, code),
        (None, RefundState::Stuck) => Decision::Repeat,
        (None, _) => one(OrderEvent::RefundStuck { refund: refund.no, code: code.clone() }),
    }
}

/// The channel said something about a refund that ended. When it says that the end was another one, the money is
/// not where the books have it.
fn on_ended(order: &Order, attempt: &Attempt, refund: &Refund, outcome: &Outcome) -> Decision {
    use RefundState::{Bounced, Failed, Finished, InDoubt, Pending, Stuck, Succeeded};
    let said = match (refund.state, outcome) {
        (Succeeded, Outcome::Bounced { amount, code }) if *amount == refund.to_payer => {
            let entry = entries::refund_bounced(order, attempt.channel(), *amount);
            return one(OrderEvent::RefundBounced { refund: refund.no, code: code.clone(), entry });
        }
        (Succeeded, Outcome::Bounced { .. }) => "bounced_amount",
        (Failed, Outcome::Succeeded { .. }) => "refund_after_failure",
        (Finished, Outcome::Succeeded { .. }) => "refund_after_finish",
        (Succeeded, Outcome::Failed { .. }) => "refund_failed_after_success",
        (Succeeded, Outcome::Succeeded { amount, .. }) if *amount != refund.to_payer => "refund_amount",
        (Succeeded | Failed | Finished | Bounced, _) | (Pending | InDoubt | Stuck, _) => {
            return Decision::Repeat;
        }
    };
    super::report::contradiction(order, refund.attempt, said)
}

/// What a dispute holds of the money that receivers already got: all of it, as if everything were undone.
pub(super) fn everything_released(order: &Order) -> Unwinding {
    let nothing = SmallVec::from_elem(Amount::ZERO, order.terms.sub_orders.len());
    unwind::unwinding(order, Undoing { returned: nothing, reversed: released_of_each(order) }).0
}
