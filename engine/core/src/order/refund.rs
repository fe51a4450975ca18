//! Giving money back: frozen money on request, parked money by itself.

use smallvec::SmallVec;
use smol_str::SmolStr;
use suanpan_model::order::{Attempt, Refund, RefundSource, RefundState};
use suanpan_model::time::DurationMs;
use suanpan_model::{
    Amount, AttemptNo, Order, OrderEvent, OrderStatus, Outcome, Reject, RejectCode, TimestampMs,
};

use super::create::push;
use super::release::{left_of_each, settle_if_empty, spread};
use super::{Context, Decision, Events, entries};
use crate::split::proportion;

/// Most refunds that one order can have.
const REFUNDS_MAX: usize = 200;

/// The mall asks for money back.
pub(super) fn decide_refund(
    order: &Order,
    context: &Context<'_>,
    refund_no: &SmolStr,
    amount: Option<Amount>,
) -> Result<Decision, Reject> {
    if refund_no.is_empty() {
        let expected = "the platform's own number for the refund";
        return Err(Reject::new(RejectCode::MissingField, "refund_no", expected));
    }
    if let Some(known) = order.refunds.iter().find(|refund| refund.refund_no == *refund_no) {
        return if amount.is_none_or(|amount| amount == known.amount) {
            Ok(Decision::Repeat)
        } else {
            let expected = "the amount of the first request with this number, or another number";
            Err(Reject::new(RejectCode::IdempotencyConflict, "refund_no", expected))
        };
    }
    match order.status {
        OrderStatus::Frozen | OrderStatus::PartReleased | OrderStatus::Disputed => {}
        OrderStatus::Created
        | OrderStatus::Routing
        | OrderStatus::Pending
        | OrderStatus::Paid
        | OrderStatus::Settled
        | OrderStatus::Failed
        | OrderStatus::Closed
        | OrderStatus::Refunded => return Err(super::decide::illegal(order, "refunded")),
    }
    let everything = amount.is_none();
    let amount = amount.unwrap_or(order.frozen);
    if amount.is_zero() && !everything {
        return Err(Reject::new(RejectCode::AmountZero, "amount", "an amount above zero"));
    }
    if amount.is_zero() || amount > order.frozen || order.refunds.len() >= REFUNDS_MAX {
        let expected = format!("at most what is frozen, {}", order.frozen.to_text(order.terms.currency));
        return Err(Reject::new(RejectCode::ExceedsFrozen, "amount", expected));
    }
    let mut order = order.clone();
    let mut events = Events::new();
    start(&mut order, &mut events, context, refund_no, amount);
    Ok(Decision::Moved(events))
}

fn start(order: &mut Order, events: &mut Events, context: &Context<'_>, refund_no: &SmolStr, amount: Amount) {
    let attempt = order.paid_by.unwrap_or(AttemptNo(0));
    let to_payer = payer_part(order, amount);
    let event = OrderEvent::RefundStarted {
        refund_no: refund_no.clone(),
        attempt,
        source: RefundSource::Escrow,
        amounts: spread(amount, &left_of_each(order)),
        amount,
        to_payer,
        due: context.now + timeout(order, attempt, context),
    };
    push(order, events, context.now, event);
    if attempt == AttemptNo(0) || to_payer.is_zero() {
        // Back to an e-account, or to the coupon fund alone: nobody needs to be asked.
        let number = order.refunds.last().map_or(0, |refund| refund.no);
        let channel = order.attempt(attempt).map(Attempt::channel);
        let entry = entries::refund(order, channel, amount, to_payer);
        push(order, events, context.now, OrderEvent::RefundSucceeded { refund: number, entry });
        settle_if_empty(order, events, context.now);
    }
}

/// What the payer gets of a refund of `amount`: cumulative target less what earlier refunds gave, so that the last
/// one closes to the cent. Source: peers.md, Split, reversal.
fn payer_part(order: &Order, amount: Amount) -> Amount {
    let counted = order
        .refunds
        .iter()
        .filter(|refund| refund.source == RefundSource::Escrow)
        .filter(|refund| refund.state != RefundState::Failed);
    let (mut undone, mut given) = (amount, Amount::ZERO);
    for refund in counted {
        undone = undone.plus(refund.amount);
        given = given.plus(refund.to_payer);
    }
    let target = proportion(order.terms.payable(), undone, order.terms.amount);
    target.checked_sub(given).unwrap_or(Amount::ZERO).min(amount)
}

/// A parked payment goes back by itself.
pub(super) fn return_late_payment(
    order: &mut Order,
    events: &mut Events,
    context: &Context<'_>,
    attempt: AttemptNo,
) {
    let amount = order.terms.payable();
    let event = OrderEvent::RefundStarted {
        refund_no: SmolStr::default(),
        attempt,
        source: RefundSource::Suspense,
        amounts: SmallVec::new(),
        amount,
        to_payer: amount,
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

/// Asks about a refund whose answer is overdue.
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
    if !refund.state.is_alive() {
        return Ok(on_ended(order, refund, outcome));
    }
    let channel = attempt.channel();
    match outcome {
        Outcome::Succeeded { amount, .. } if *amount != refund.to_payer => {
            Ok(super::report::contradiction(order, refund.attempt, "refund_amount"))
        }
        Outcome::Succeeded { .. } => {
            let entry = match refund.source {
                RefundSource::Escrow => entries::refund(order, Some(channel), refund.amount, refund.to_payer),
                RefundSource::Suspense => entries::late_refund(order, channel, refund.amount),
            };
            let mut order = order.clone();
            let mut events = Events::new();
            push(&mut order, &mut events, context.now, OrderEvent::RefundSucceeded { refund: number, entry });
            settle_if_empty(&mut order, &mut events, context.now);
            Ok(Decision::Moved(events))
        }
        Outcome::Failed { code, .. } => {
            Ok(super::release::one(OrderEvent::RefundFailed { refund: number, code: code.clone() }))
        }
        // Of a query; of the refund call itself it says nothing that a query would not say again.
        Outcome::NotFound if refund.state == RefundState::InDoubt => {
            Ok(super::release::one(query(order, refund, true, context)))
        }
        // Accepted, under way, unknown, or the call did not leave us: the ladder asks again.
        Outcome::Accepted { .. }
        | Outcome::Processing
        | Outcome::Unknown(_)
        | Outcome::Closed
        | Outcome::NotFound
        | Outcome::NotSent(_) => Ok(Decision::Repeat),
    }
}

/// The channel said something about a refund that ended. When it says that the end was another one, the money is
/// not where the books have it.
fn on_ended(order: &Order, refund: &Refund, outcome: &Outcome) -> Decision {
    let said = match (refund.state, outcome) {
        (RefundState::Failed, Outcome::Succeeded { .. }) => "refund_after_failure",
        (RefundState::Succeeded, Outcome::Failed { .. }) => "refund_failed_after_success",
        (RefundState::Succeeded, Outcome::Succeeded { amount, .. }) if *amount != refund.to_payer => {
            "refund_amount"
        }
        (RefundState::Succeeded | RefundState::Failed, _)
        | (RefundState::Pending | RefundState::InDoubt, _) => return Decision::Repeat,
    };
    super::report::contradiction(order, refund.attempt, said)
}
