//! Giving frozen money to its receivers.

use smallvec::{SmallVec, smallvec};
use suanpan_model::policy::FeeBearer;
use suanpan_model::{Amount, Order, OrderEvent, OrderStatus, Reject, RejectCode, TimestampMs};

use super::create::push;
use super::{Decision, Events, entries};
use crate::split::{proportion, shares, sum};

/// The buyer confirmed all or part.
pub(super) fn decide_release(
    order: &Order,
    sub_order: Option<u8>,
    amount: Option<Amount>,
) -> Result<Decision, Reject> {
    match order.status {
        OrderStatus::Frozen | OrderStatus::PartReleased => {}
        OrderStatus::Settled if sub_order.is_none() && amount.is_none() => return Ok(Decision::Repeat),
        OrderStatus::Created
        | OrderStatus::Routing
        | OrderStatus::Pending
        | OrderStatus::Paid
        | OrderStatus::Settled
        | OrderStatus::Failed
        | OrderStatus::Closed
        | OrderStatus::Refunded
        | OrderStatus::Disputed => return Err(super::decide::illegal(order, "released")),
    }
    Ok(Decision::Moved(release(order, amounts_to_release(order, sub_order, amount)?)))
}

fn amounts_to_release(
    order: &Order,
    sub_order: Option<u8>,
    amount: Option<Amount>,
) -> Result<SmallVec<[Amount; 1]>, Reject> {
    let mut left = left_of_each(order);
    if let Some(index) = sub_order {
        let index = usize::from(index);
        if index >= left.len() {
            let expected = "the place of a sub-order in the order, counted from 0";
            return Err(Reject::new(RejectCode::InvalidField, "sub_order", expected));
        }
        left.iter_mut()
            .enumerate()
            .filter(|(place, _)| *place != index)
            .for_each(|(_, part)| *part = Amount::ZERO);
    }
    let total = sum(&left);
    match amount {
        Some(amount) if amount.is_zero() => {
            Err(Reject::new(RejectCode::AmountZero, "amount", "an amount above zero"))
        }
        Some(amount) if amount > total => {
            let expected = format!("at most what is left, {}", total.to_text(order.terms.currency));
            Err(Reject::new(RejectCode::ExceedsFrozen, "amount", expected))
        }
        Some(amount) => Ok(spread(amount, &left)),
        None if total.is_zero() => {
            Err(Reject::new(RejectCode::ExceedsFrozen, "sub_order", "a sub-order of which something is left"))
        }
        None => Ok(left),
    }
}

/// What is neither released nor given back nor on its way back of each sub-order.
pub(super) fn left_of_each(order: &Order) -> SmallVec<[Amount; 1]> {
    order
        .terms
        .sub_orders
        .iter()
        .enumerate()
        .map(|(index, sub_order)| sub_order.amount.minus(order.released[index]).minus(order.refunded[index]))
        .collect()
}

/// Spreads `amount` over what is left of each sub-order, in proportion.
pub(super) fn spread(amount: Amount, left: &[Amount]) -> SmallVec<[Amount; 1]> {
    let weights: SmallVec<[u64; 8]> = left.iter().map(|part| part.minor()).collect();
    crate::split::allocate(amount, &weights).into_iter().collect()
}

/// Releases all that is left.
pub(super) fn release_all(order: &Order) -> Events {
    release(order, left_of_each(order))
}

fn release(order: &Order, amounts: SmallVec<[Amount; 1]>) -> Events {
    let total = sum(&amounts);
    let shares = shares(order, &amounts, fee_due(order, total));
    let entry = entries::release(order, total, &shares);
    let mut events = Events::new();
    events.push(OrderEvent::Released { amounts, fixed: shares.fixed, fee: shares.fee, entry });
    if order.frozen == total && !is_returning(order) {
        events.push(OrderEvent::Settled);
    }
    events
}

fn is_returning(order: &Order) -> bool {
    order.refunds.iter().any(|refund| refund.state.is_alive() && !refund.amounts.is_empty())
}

/// The merchants' part of the channel's fee for a release of `total`: cumulative target less what was taken, so
/// that the last release closes to the cent.
fn fee_due(order: &Order, total: Amount) -> Amount {
    let paid_by = order.paid_by.and_then(|no| order.attempt(no));
    match (order.fee_bearer, paid_by) {
        (FeeBearer::Merchant, Some(attempt)) => {
            let so_far = sum(&order.released).plus(total);
            proportion(attempt.fee, so_far, order.terms.amount)
                .checked_sub(order.fee_taken)
                .unwrap_or(Amount::ZERO)
        }
        (FeeBearer::Merchant, None) | (FeeBearer::Platform, _) => Amount::ZERO,
    }
}

/// Ends an order after a refund, when nothing is frozen and nothing is on its way back.
pub(super) fn settle_if_empty(order: &mut Order, events: &mut Events, now: TimestampMs) {
    if !order.frozen.is_zero() || is_returning(order) {
        return;
    }
    match order.status {
        OrderStatus::PartReleased => push(order, events, now, OrderEvent::Settled),
        OrderStatus::Frozen => push(order, events, now, OrderEvent::Refunded),
        // A disputed order ends when the dispute does, unless everything went back.
        OrderStatus::Disputed if sum(&order.released).is_zero() => {
            push(order, events, now, OrderEvent::Refunded)
        }
        OrderStatus::Created
        | OrderStatus::Routing
        | OrderStatus::Pending
        | OrderStatus::Paid
        | OrderStatus::Settled
        | OrderStatus::Failed
        | OrderStatus::Closed
        | OrderStatus::Refunded
        | OrderStatus::Disputed => {}
    }
}

/// The events of one plain event.
pub(super) fn one(event: OrderEvent) -> Decision {
    Decision::Moved(smallvec![event])
}
