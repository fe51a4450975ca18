//! Giving frozen money to its receivers.

use smallvec::SmallVec;
use smol_str::SmolStr;
use suanpan_model::event::Payee;
use suanpan_model::{
    Amount, Order, OrderEvent, OrderStatus, Reject, RejectCode, Share, SplitRule, TimestampMs,
};

use super::check::check_receivers;
use super::create::push;
use super::plan::{Plan, receiver, shares, shares_of_release};
use super::{Context, Decision, Events, entries};
use crate::split::{advance, allocate, sum};

/// Most releases that one order can have.
const RELEASES_MAX: usize = 200;

/// What a mall asks to be released.
pub(super) struct Wanted<'a> {
    pub(super) release_no: &'a SmolStr,
    pub(super) sub_order: Option<u8>,
    pub(super) amount: Option<Amount>,
    pub(super) payees: &'a [SplitRule],
}

impl Wanted<'_> {
    fn is_everything(&self) -> bool {
        self.sub_order.is_none() && self.amount.is_none() && self.payees.is_empty()
    }

    /// Fingerprint by which a repeat is told from a conflict.
    fn request(&self) -> u64 {
        let mut words =
            vec![self.sub_order.map_or(u64::MAX, u64::from), self.amount.map_or(u64::MAX, Amount::minor)];
        for rule in self.payees {
            words.extend([rule.receiver.raw(), rule.within.map_or(u64::MAX, u64::from)]);
            match &rule.share {
                Share::Bps(bps) => words.extend([0, u64::from(*bps)]),
                Share::Fixed(amount) => words.extend([1, amount.minor()]),
                Share::Tiered(tiers) => {
                    words.push(2);
                    words.extend(tiers.iter().flat_map(|tier| [tier.from.minor(), u64::from(tier.bps)]));
                }
                Share::Remainder => words.push(3),
            }
        }
        super::fingerprint(words)
    }
}

/// The buyer confirmed all or part.
pub(super) fn decide_release(
    order: &Order,
    context: &Context<'_>,
    wanted: &Wanted<'_>,
) -> Result<Decision, Reject> {
    if let Some(known) = known_release(order, wanted)? {
        return Ok(known);
    }
    match order.status {
        OrderStatus::Frozen | OrderStatus::PartReleased => {}
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
    if order.releases.len() >= RELEASES_MAX {
        let expected = format!("at most {RELEASES_MAX} releases of one order");
        return Err(Reject::new(RejectCode::TooManySteps, "release_no", expected));
    }
    let amounts = amounts_to_release(order, wanted.sub_order, wanted.amount)?;
    if wanted.payees.is_empty() {
        let (release_no, request) = (wanted.release_no.clone(), wanted.request());
        return Ok(Decision::Moved(release(order, release_no, request, amounts)));
    }
    check_receivers(wanted.payees, "payees", sum(&amounts), &order.terms, context)?;
    let Some(plan) = shares_of_release(order, &amounts, wanted.payees) else {
        let expected = "payees that together take no more than is released";
        return Err(Reject::new(RejectCode::SplitOverWhole, "payees", expected));
    };
    Ok(Decision::Moved(release_to_payees(order, wanted, amounts, &plan)))
}

/// The answer to a release that was carried out before.
fn known_release(order: &Order, wanted: &Wanted<'_>) -> Result<Option<Decision>, Reject> {
    if wanted.release_no.is_empty() {
        if !wanted.is_everything() {
            let expected = "the platform's own number for a release of part";
            return Err(Reject::new(RejectCode::MissingField, "release_no", expected));
        }
        // What is on its way back to the payer is still frozen, but no longer to be released.
        let nothing_left = sum(&frozen_of_each(order)).is_zero();
        let is_over = nothing_left && order.releases.iter().any(|one| one.release_no.is_empty());
        return Ok(is_over.then_some(Decision::Repeat));
    }
    let known = order.releases.iter().find(|release| release.release_no == *wanted.release_no);
    match known {
        None => Ok(None),
        Some(known) if known.request == wanted.request() => Ok(Some(Decision::Repeat)),
        Some(_) => {
            let expected = "the content of the first request with this number, or another number";
            Err(Reject::new(RejectCode::IdempotencyConflict, "release_no", expected))
        }
    }
}

fn amounts_to_release(
    order: &Order,
    sub_order: Option<u8>,
    amount: Option<Amount>,
) -> Result<SmallVec<[Amount; 1]>, Reject> {
    let left = only(frozen_of_each(order), sub_order)?;
    let total = sum(&left);
    match amount {
        Some(amount) if amount.is_zero() => {
            Err(Reject::new(RejectCode::AmountZero, "amount", "an amount above zero"))
        }
        Some(amount) if amount > total => {
            let expected = format!("at most what is frozen, {}", total.to_text(order.terms.currency));
            Err(Reject::new(RejectCode::ExceedsFrozen, "amount", expected))
        }
        Some(amount) => Ok(spread(amount, &left)),
        None if total.is_zero() => {
            let field = if sub_order.is_some() { "sub_order" } else { "" };
            Err(Reject::new(RejectCode::ExceedsFrozen, field, "something that is still frozen"))
        }
        None => Ok(left),
    }
}

/// The amounts of one sub-order only, if one is named.
pub(super) fn only(
    mut amounts: SmallVec<[Amount; 1]>,
    sub_order: Option<u8>,
) -> Result<SmallVec<[Amount; 1]>, Reject> {
    let Some(index) = sub_order.map(usize::from) else { return Ok(amounts) };
    if index >= amounts.len() {
        let expected = "the place of a sub-order in the order, counted from 0";
        return Err(Reject::new(RejectCode::InvalidField, "sub_order", expected));
    }
    for (_, amount) in amounts.iter_mut().enumerate().filter(|(place, _)| *place != index) {
        *amount = Amount::ZERO;
    }
    Ok(amounts)
}

/// What is frozen of each sub-order and not promised to a refund.
pub(super) fn frozen_of_each(order: &Order) -> SmallVec<[Amount; 1]> {
    (0..order.terms.sub_orders.len()).map(|place| order.frozen_of(place)).collect()
}

/// Spreads `amount` over what is left of each sub-order, in proportion.
pub(super) fn spread(amount: Amount, left: &[Amount]) -> SmallVec<[Amount; 1]> {
    let weights: SmallVec<[u64; 8]> = left.iter().map(|part| part.minor()).collect();
    allocate(amount, &weights).into_iter().collect()
}

/// Releases all that is left.
pub(super) fn release_all(order: &Order) -> Events {
    let everything = Wanted { release_no: &SmolStr::default(), sub_order: None, amount: None, payees: &[] };
    release(order, SmolStr::default(), everything.request(), frozen_of_each(order))
}

fn release(order: &Order, release_no: SmolStr, request: u64, amounts: SmallVec<[Amount; 1]>) -> Events {
    let plan = shares(order);
    let columns = plan.columns();
    let mut given: SmallVec<[Amount; 4]> = SmallVec::with_capacity(columns * amounts.len());
    for (place, amount) in amounts.iter().enumerate() {
        let so_far: SmallVec<[Amount; 4]> = match order.part(place).filter(|part| !part.stakes.is_empty()) {
            Some(part) => part.stakes[..columns].iter().map(|stake| stake.given).collect(),
            None => SmallVec::from_elem(Amount::ZERO, columns),
        };
        given.extend(advance(plan.row(place), &so_far, sum(&so_far).plus(*amount)));
    }
    let entry = entries::release(order, &amounts, &given, columns);
    ended(order, OrderEvent::Released { release_no, request, amounts, given, payees: Vec::new(), entry })
}

/// A release whose payees are named: the plan of the order's own splits does not move.
fn release_to_payees(
    order: &Order,
    wanted: &Wanted<'_>,
    amounts: SmallVec<[Amount; 1]>,
    plan: &Plan,
) -> Events {
    let mut payees: Vec<Payee> = Vec::new();
    for place in (0..amounts.len()).filter(|place| !amounts[*place].is_zero()) {
        let own = order.terms.splits.len();
        let [fee, merchant] = [own, own + 1].map(|column| receiver(order, place, column));
        let accounts = wanted.payees.iter().map(|rule| rule.receiver).chain([fee, merchant]);
        for (account, amount) in accounts.zip(plan.row(place)).filter(|(_, amount)| !amount.is_zero()) {
            let sub_order = u8::try_from(place).expect("an order has few sub-orders");
            payees.push(Payee { sub_order, account, amount: *amount });
        }
    }
    let entry = entries::release_to_payees(order, &payees);
    let (release_no, request) = (wanted.release_no.clone(), wanted.request());
    ended(order, OrderEvent::Released { release_no, request, amounts, given: SmallVec::new(), payees, entry })
}

/// The release, and the end of the order when nothing is frozen or on its way back any more.
fn ended(order: &Order, released: OrderEvent) -> Events {
    let total = match &released {
        OrderEvent::Released { amounts, .. } => sum(amounts),
        other => unreachable!("{} is no release", other.kind().name()),
    };
    let mut events = Events::new();
    events.push(released);
    if order.frozen == total && !is_returning(order) {
        events.push(OrderEvent::Settled);
    }
    events
}

/// Whether money that was frozen is promised to a refund that is not over.
fn is_returning(order: &Order) -> bool {
    let open = order.refunds.iter().filter(|refund| refund.state.is_open());
    open.filter_map(|refund| refund.unwinding.as_ref()).any(|unwinding| !sum(&unwinding.returned).is_zero())
}

/// Ends an order after a refund: when everything was undone, or nothing is frozen or on its way back any more.
pub(super) fn settle_if_empty(order: &mut Order, events: &mut Events, now: TimestampMs) {
    let is_over = !order.refunds.iter().any(|refund| refund.state.is_open() && refund.unwinding.is_some());
    if is_over && order.refunded() == order.terms.amount {
        match order.status {
            OrderStatus::Frozen
            | OrderStatus::PartReleased
            | OrderStatus::Settled
            | OrderStatus::Disputed => push(order, events, now, OrderEvent::Refunded),
            OrderStatus::Created
            | OrderStatus::Routing
            | OrderStatus::Pending
            | OrderStatus::Paid
            | OrderStatus::Failed
            | OrderStatus::Closed
            | OrderStatus::Refunded => {}
        }
    } else if order.status == OrderStatus::PartReleased && order.frozen.is_zero() && !is_returning(order) {
        push(order, events, now, OrderEvent::Settled);
    }
}

/// The events of one plain event.
pub(super) fn one(event: OrderEvent) -> Decision {
    Decision::Moved(smallvec::smallvec![event])
}
