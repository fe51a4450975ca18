//! Undoing part of an order to the cent: the payer's money, the coupons' subsidies, the receivers' shares.
//!
//! Everything follows one rule: what is undone now is the target of all that was undone by then, less what was undone
//! before ([`advance`]). So the last partial refund closes to the cent. Source: peers.md, Split.

use smallvec::SmallVec;
use suanpan_model::order::{OrderHold, Part};
use suanpan_model::policy::{RefundedFee, Shortfall};
use suanpan_model::refund::{Take, Unwinding};
use suanpan_model::{AccountId, AccountType, Amount, Order};

use super::plan::{Plan, funders, funds, own_lines};
use super::{HoldNeed, entries};
use crate::split::{advance, sum};

/// What a refund undoes of each sub-order.
pub(super) struct Undoing {
    /// Out of frozen money.
    pub(super) returned: SmallVec<[Amount; 1]>,
    /// Out of released money.
    pub(super) reversed: SmallVec<[Amount; 1]>,
}

/// Works out how `undoing` is undone, and what of it goes to the payer. Nothing is held yet.
pub(super) fn unwinding(order: &Order, undoing: Undoing) -> (Unwinding, Amount) {
    let Undoing { returned, reversed } = undoing;
    let plan = funds(order);
    let nothing = Part::default();
    let mut undone: SmallVec<[Amount; 2]> = SmallVec::with_capacity(plan.columns() * returned.len());
    let mut stakes: SmallVec<[u8; 4]> = SmallVec::new();
    let mut taken = Vec::new();
    let mut takes: Vec<Take> = Vec::new();
    for place in 0..returned.len() {
        let part = order.part(place).unwrap_or(&nothing);
        undone.extend(undo(part, &plan, place, returned[place].plus(reversed[place])));
        let back = take_back(order, part, reversed[place]);
        for (stake, amount) in part.stakes.iter().zip(&back).filter(|(_, amount)| !amount.is_zero()) {
            let account = entries::striped(stake.account, order.id);
            match takes.iter_mut().find(|take| take.account == account) {
                Some(take) => take.amount = take.amount.plus(*amount),
                None => takes.push(Take { account, amount: *amount, hold: None }),
            }
        }
        stakes.push(u8::try_from(back.len()).expect("the number of payees is bounded"));
        taken.extend(back);
    }
    let column = |place: usize| sum_of(undone.iter().skip(place).step_by(plan.columns()));
    let to_payer = column(0);
    let mut to_funders: SmallVec<[(AccountId, Amount); 1]> = SmallVec::new();
    for (place, account) in funders(order).enumerate() {
        let amount = column(place + 1);
        if !amount.is_zero() {
            to_funders.push((entries::striped(account, order.id), amount));
        }
    }
    if sum(&reversed).is_zero() {
        stakes.clear();
        taken.clear();
    }
    (Unwinding { returned, reversed, undone, stakes, taken, takes, funders: to_funders }, to_payer)
}

fn sum_of<'a>(amounts: impl Iterator<Item = &'a Amount>) -> Amount {
    amounts.fold(Amount::ZERO, |sum, amount| sum.plus(*amount))
}

fn undo(part: &Part, plan: &Plan, place: usize, amount: Amount) -> SmallVec<[Amount; 4]> {
    let before: SmallVec<[Amount; 4]> = match part.undone.is_empty() {
        true => SmallVec::from_elem(Amount::ZERO, plan.columns()),
        false => part.undone.iter().copied().collect(),
    };
    advance(plan.row(place), &before, sum(&before).plus(amount))
}

/// What each stake of a sub-order gives back when `amount` more of its released money is undone.
fn take_back(order: &Order, part: &Part, amount: Amount) -> SmallVec<[Amount; 4]> {
    let mut shares: SmallVec<[Amount; 4]> = part.stakes.iter().map(|stake| stake.given).collect();
    if shares.is_empty() {
        return shares;
    }
    let merchant = own_lines(order) - 1;
    match order.agreement.refunded_fee {
        RefundedFee::Return => {}
        RefundedFee::Keep => {
            for (place, stake) in part.stakes.iter().enumerate() {
                if stake.account.kind() == AccountType::FeeIncome {
                    let fee = std::mem::take(&mut shares[place]);
                    shares[merchant] = shares[merchant].plus(fee);
                }
            }
        }
    }
    let before: SmallVec<[Amount; 4]> = part.stakes.iter().map(|stake| stake.taken).collect();
    advance(&shares, &before, sum(&before).plus(amount))
}

/// The holds that the takes of an unwinding need; internal accounts need none.
pub(super) fn holds_needed(order: &Order, unwinding: &Unwinding) -> SmallVec<[HoldNeed; 2]> {
    let whole = order.agreement.shortfall == Shortfall::Refuse;
    let opened = unwinding.takes.iter().filter(|take| !take.account.kind().is_internal());
    opened
        .zip(order.last_hold.saturating_add(1)..)
        .map(|(take, no)| HoldNeed::Money {
            hold: OrderHold { no, account: take.account, amount: take.amount },
            whole,
        })
        .collect()
}

/// Notes what was held for the takes.
pub(super) fn cover(unwinding: &mut Unwinding, holds: &[OrderHold]) {
    for take in &mut unwinding.takes {
        take.hold = holds.iter().find(|hold| hold.account == take.account).copied();
    }
}

/// The holds of which something is left when the unwinding is posted.
pub(super) fn left_over(unwinding: &Unwinding) -> SmallVec<[OrderHold; 1]> {
    let holds = unwinding.takes.iter().filter_map(|take| Some((take, take.hold?)));
    holds.filter(|(take, hold)| hold.amount > take.amount).map(|(_, hold)| hold).collect()
}

/// All holds of an unwinding.
pub(super) fn holds(unwinding: &Unwinding) -> SmallVec<[OrderHold; 1]> {
    unwinding.takes.iter().filter_map(|take| take.hold).collect()
}
