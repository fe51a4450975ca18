//! Recording an order: what is held first, what happens at once.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};
use suanpan_model::order::OrderHold;
use suanpan_model::time::DurationMs;
use suanpan_model::{
    Amount, AttemptNo, Order, OrderEvent, OrderId, OrderTerms, PayKind, PlatformPolicy, Reject, RejectCode,
    TimestampMs,
};

use super::release::release_all;
use super::{Context, Events, HoldNeed, apply, born, entries};
use crate::routing::RouteRequest;

/// Number of the hold on the payer's e-account; those of coupons follow.
const PAYER_HOLD: u16 = 1;

/// The holds that must be placed before an order with these terms is recorded.
#[must_use]
pub fn holds_needed(id: OrderId, terms: &OrderTerms) -> SmallVec<[HoldNeed; 2]> {
    let mut holds = SmallVec::new();
    if let (PayKind::Balance, Some(account)) = (terms.kind, terms.payer_account) {
        let hold = OrderHold { no: PAYER_HOLD, account, amount: terms.payable() };
        holds.push(HoldNeed::Money { hold, whole: true });
    }
    holds.extend(coupon_holds(id, terms, PAYER_HOLD + 1));
    holds
}

/// The holds for an order's coupons, numbered from `no` on: on their funders' accounts, and on the coupons themselves
/// where they are counted.
pub(super) fn coupon_holds(id: OrderId, terms: &OrderTerms, mut no: u16) -> SmallVec<[HoldNeed; 2]> {
    let mut holds = SmallVec::new();
    for coupon in &terms.coupons {
        for (account, amount) in coupon.funders.iter().filter(|(_, amount)| !amount.is_zero()) {
            let hold = OrderHold { no, account: entries::striped(*account, id), amount: *amount };
            holds.push(HoldNeed::Money { hold, whole: true });
            no = no.saturating_add(1);
        }
        if coupon.counted {
            holds.push(HoldNeed::Coupon { no, campaign: coupon.campaign });
            no = no.saturating_add(2);
        }
    }
    holds
}

/// Records an order whose terms were checked and whose holds were placed.
///
/// A balance payment is paid at once; any other gets its first attempt.
///
/// Returns the order as it stands after the events, so that the caller need not fold them again.
///
/// # Errors
/// `no_channel` when no channel is capable: the caller gives the holds back.
pub fn create(
    id: OrderId,
    terms: Arc<OrderTerms>,
    holds: SmallVec<[OrderHold; 1]>,
    context: &Context<'_>,
) -> Result<(Order, Events), Reject> {
    let policy = context.policy;
    let created = OrderEvent::Created { terms, holds, agreement: policy.agreement };
    let mut order = born(id, context.now, &created);
    let mut events: Events = smallvec![created];
    if order.terms.kind == PayKind::Balance {
        let entries = entries::balance_payment(&order);
        let paid =
            OrderEvent::Paid { attempt: AttemptNo(0), channel_no: "".into(), fee: Amount::ZERO, entries };
        push(&mut order, &mut events, context.now, paid);
        after_payment(&mut order, &mut events, context);
        return Ok((order, events));
    }
    let attempt = start_attempt(&order, context).map_err(|because| {
        Reject::new(RejectCode::NoChannel, "", format!("a payment that some channel takes; {because}"))
    })?;
    push(&mut order, &mut events, context.now, attempt);
    Ok((order, events))
}

/// Adds an event and folds it in, so that the next one can be decided.
pub(super) fn push(order: &mut Order, events: &mut Events, now: TimestampMs, event: OrderEvent) {
    apply(order, now, &event);
    events.push(event);
}

/// What follows a payment: the money is frozen, or given to its receivers at once.
pub(super) fn after_payment(order: &mut Order, events: &mut Events, context: &Context<'_>) {
    if order.terms.escrow {
        let due = context.now + auto_release(&order.terms, context.policy);
        push(order, events, context.now, OrderEvent::Frozen { due });
    } else {
        for event in release_all(order) {
            push(order, events, context.now, event);
        }
    }
}

/// After how long frozen money is released by itself.
pub(super) const fn auto_release(terms: &OrderTerms, policy: &PlatformPolicy) -> DurationMs {
    if terms.virtual_goods { policy.auto_release_virtual } else { policy.auto_release }
}

/// Chooses a channel that was not tried yet; the reason in words when there is none.
pub(super) fn start_attempt(order: &Order, context: &Context<'_>) -> Result<OrderEvent, String> {
    let terms = &order.terms;
    let tried: SmallVec<[_; 4]> = order.attempts.iter().map(suanpan_model::order::Attempt::channel).collect();
    let request = RouteRequest::of(terms, context.now, &tried);
    let route = context.router.take(&request, context.standing).map_err(|none| {
        let verdicts: Vec<String> = none
            .because
            .iter()
            .map(|candidate| {
                let name =
                    context.router.capability(candidate.channel).map_or("?", |known| known.name.as_str());
                format!("{name}: {}", candidate.verdict.name())
            })
            .collect();
        verdicts.join(", ")
    })?;
    let timeout = context
        .router
        .capability(route.channel)
        .map_or(DurationMs::from_secs(15), |known| known.call_timeout);
    Ok(OrderEvent::AttemptStarted { route: Arc::new(route), due: context.now + timeout })
}
