//! One look at every order that was recovered: whether the invariants hold, which holds nobody relies on, and what shards must
//! know of the orders. Each is read from its row once for all of that, by several threads where there are many.

use std::panic::resume_unwind;
use std::thread::scope;

use rustc_hash::{FxHashMap, FxHashSet};
use suanpan_core::invariants::Invariant;
use suanpan_core::ledger::Hold;
use suanpan_model::order::OrderHold;
use suanpan_model::refund::{RefundSource, RefundState};
use suanpan_model::{AccountId, AccountType, Currency, HoldId, Order, OrderId};

use super::{Recovered, RecoveredOrder, Threads};
use crate::messages::VoidAsk;
use crate::order_shard::OrderFacts;

/// Orders from which a thread of its own is worth its cost.
const ORDERS_A_THREAD: usize = 10_000;

/// What a look at everything that was recovered tells.
#[derive(Default)]
pub struct Survey {
    /// Breaks of invariants; empty when all is well.
    pub breaks: Vec<String>,
    /// Holds that no live order relies on: the process ended before what they were for was recorded.
    pub orphans: Vec<VoidAsk>,
    /// What shards must know of each order, ascending by number.
    pub(crate) facts: Vec<OrderFacts>,
}

/// A hold of the ledger.
type Held<'a> = (&'a HoldId, &'a Hold);

/// What a look at some of the orders tells.
#[derive(Default)]
struct Part {
    breaks: Vec<String>,
    orphans: Vec<VoidAsk>,
    facts: Vec<OrderFacts>,
    /// What is owed to them, by account.
    owed: FxHashMap<AccountId, i128>,
}

impl Part {
    /// Looks at orders and at holds whose causes lie among them, both ascending by the order's number.
    fn of(orders: &[(OrderId, &RecoveredOrder)], mut holds: &[Held<'_>]) -> Self {
        let mut part = Self { facts: Vec::with_capacity(orders.len()), ..Self::default() };
        for (id, known) in orders {
            let before = holds.iter().take_while(|(hold, _)| hold.cause.0 < id.0).count();
            part.orphans.extend(holds[..before].iter().map(void));
            let own = holds[before..].iter().take_while(|(hold, _)| hold.cause.0 == id.0).count();
            match known.look() {
                Ok(order) => part.look(&order, &holds[before..before + own]),
                Err(fault) => {
                    let what = format_args!("order {id}: its row in the checkpoint cannot be read: {fault}");
                    part.breaks.push(Invariant::ReplayEqualsLive.broken(what));
                }
            }
            holds = &holds[before + own..];
        }
        part.orphans.extend(holds.iter().map(void));
        part
    }

    fn look(&mut self, order: &Order, holds: &[Held<'_>]) {
        self.facts.push(OrderFacts::of(order));
        self.breaks.extend(order_breaks(order));
        let account = |kind| AccountId::internal(kind, order.terms.platform.0, order.terms.currency, 0);
        *self.owed.entry(account(AccountType::Escrow)).or_default() += in_escrow(order);
        *self.owed.entry(account(AccountType::Suspense)).or_default() += in_suspense(order);
        self.orphans.extend(holds.iter().filter(|(id, _)| !order.relies_on(id.no)).map(void));
    }
}

fn void((id, hold): &Held<'_>) -> VoidAsk {
    let hold = OrderHold { no: id.no, account: hold.account, amount: hold.left };
    VoidAsk { order: OrderId(id.cause.0), hold }
}

impl Recovered {
    /// Looks at everything once.
    #[must_use]
    pub fn survey(&self, threads: Threads) -> Survey {
        self.survey_by(match threads {
            Threads::One => 0,
            Threads::Several => {
                let processors = std::thread::available_parallelism().map_or(1, usize::from);
                processors.min(self.orders.len() / ORDERS_A_THREAD).max(1)
            }
        })
    }

    /// Looks at everything once, at the orders in so many other threads; in this one when there are to be none.
    fn survey_by(&self, threads: usize) -> Survey {
        let mut orders: Vec<_> = self.orders.iter().map(|(id, known)| (*id, known)).collect();
        orders.sort_unstable_by_key(|(id, _)| *id);
        let mut holds: Vec<Held<'_>> =
            self.balances.iter().flat_map(|restored| restored.ledger.holds()).collect();
        holds.sort_unstable_by_key(|(id, _)| (id.cause.0, id.no));
        let mut survey = Survey { breaks: self.breaks.clone(), ..Survey::default() };
        let parts = if threads == 0 {
            self.check_books(&mut survey.breaks);
            vec![Part::of(&orders, &holds)]
        } else {
            parts(&orders, &holds, threads, || self.check_books(&mut survey.breaks))
        };
        let (mut owed, mut breaks) = (FxHashMap::default(), Vec::new());
        for part in parts {
            for (account, sum) in part.owed {
                *owed.entry(account).or_default() += sum;
            }
            survey.facts.extend(part.facts);
            survey.orphans.extend(part.orphans);
            breaks.extend(part.breaks);
        }
        self.check_custody(&owed, &mut survey.breaks);
        survey.breaks.extend(breaks);
        survey
    }

    /// Breaks of the invariants of the whole; empty when all is well.
    #[must_use]
    pub fn all_breaks(&self) -> Vec<String> {
        self.survey(Threads::One).breaks
    }

    fn check_books(&self, found: &mut Vec<String>) {
        let mut sums: FxHashMap<Currency, i128> = FxHashMap::default();
        for restored in &self.balances {
            found.extend(restored.ledger.breaks());
            for (currency, sum) in restored.ledger.trial_balance() {
                *sums.entry(currency).or_default() += sum;
            }
        }
        for (currency, sum) in sums.into_iter().filter(|(_, sum)| *sum != 0) {
            let what = format_args!("the books in {currency} do not sum to zero: {sum} minor units");
            found.push(Invariant::BooksBalance.broken(what));
        }
    }

    /// What is frozen for orders, and parked, is what the escrow and suspense accounts hold.
    fn check_custody(&self, owed: &FxHashMap<AccountId, i128>, found: &mut Vec<String>) {
        let mut held: FxHashMap<AccountId, i128> = FxHashMap::default();
        for account in self.balances.iter().flat_map(|restored| restored.ledger.accounts()) {
            if matches!(account.id.kind(), AccountType::Escrow | AccountType::Suspense) {
                *held.entry(account.id.unstriped()).or_default() += account.posted;
            }
        }
        let accounts: FxHashSet<AccountId> = owed.keys().chain(held.keys()).copied().collect();
        for account in accounts {
            let (owed, held) = (owed.get(&account).unwrap_or(&0), held.get(&account).unwrap_or(&0));
            if owed != held {
                let what =
                    format_args!("account {account}: holds {held} minor units, orders are owed {owed}");
                found.push(Invariant::Custody.broken(what));
            }
        }
    }
}

/// Looks at the orders in at most so many other threads, and in one at the least, and does `meanwhile` in this one.
fn parts(
    orders: &[(OrderId, &RecoveredOrder)],
    holds: &[Held<'_>],
    threads: usize,
    meanwhile: impl FnOnce(),
) -> Vec<Part> {
    let mut chunks = orders.chunks(orders.len().div_ceil(threads.max(1)).max(1)).peekable();
    let mut left = holds;
    scope(|scope| {
        let mut looking = Vec::with_capacity(threads);
        while let Some(chunk) = chunks.next() {
            let next = chunks.peek().and_then(|chunk| chunk.first());
            let own = left.partition_point(|(id, _)| next.is_none_or(|(next, _)| id.cause.0 < next.0));
            let (holds, rest) = left.split_at(own);
            left = rest;
            looking.push(scope.spawn(move || Part::of(chunk, holds)));
        }
        meanwhile();
        let mut parts: Vec<Part> = looking
            .into_iter()
            .map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect();
        // Without an order, every hold is one that nobody relies on.
        parts.push(Part::of(&[], left));
        parts
    })
}

/// What an order has in escrow: frozen, or set aside for refunds that are not over.
#[must_use]
pub fn in_escrow(order: &Order) -> i128 {
    let open = order.refunds.iter().filter(|refund| refund.state.is_open());
    let returned = open.flat_map(|refund| &refund.unwinding).flat_map(|unwinding| &unwinding.returned);
    order.frozen.signed() + returned.map(|amount| amount.signed()).sum::<i128>()
}

/// What an order has in suspense: parked payments, those on their way back, and refunds that came back.
#[must_use]
pub fn in_suspense(order: &Order) -> i128 {
    let parked = order.parked().map(|_| order.terms.payable().signed()).sum::<i128>();
    let refunds = order.refunds.iter().filter(|refund| match refund.source {
        RefundSource::Suspense => refund.state.is_open() || refund.state == RefundState::Bounced,
        RefundSource::Order => refund.state == RefundState::Bounced,
    });
    parked + refunds.map(|refund| refund.to_payer.signed()).sum::<i128>()
}

/// Breaks of the invariants of one order; empty when all is well.
#[must_use]
pub fn order_breaks(order: &Order) -> Vec<String> {
    let mut found = Vec::new();
    let id = order.id;
    if order.entries.iter().any(|entry| entry.imbalance() != 0) {
        found.push(
            Invariant::EntriesBalance.broken(format_args!("order {id}: an entry does not sum to zero")),
        );
    }
    if order.paid_by.is_some() {
        let returned = order.parts.iter().map(|part| part.returned.signed()).sum::<i128>();
        if order.frozen.signed() + order.released().signed() + returned != order.terms.amount.signed() {
            let what = format_args!("order {id}: frozen, released and returned do not add up to its amount");
            found.push(Invariant::OrderConserved.broken(what));
        }
        let back = order.refunds.iter().filter(|refund| refund.source != RefundSource::Suspense);
        let back = back.filter(|refund| refund.state != RefundState::Failed);
        let to_payer: i128 = back.map(|refund| refund.to_payer.signed()).sum();
        if to_payer > order.terms.payable().signed() || order.refunded() > order.terms.amount {
            let what = format_args!("order {id}: {to_payer} minor units go back, more than was paid");
            found.push(Invariant::RefundsWithinPaid.broken(what));
        }
        for (place, part) in order.parts.iter().enumerate() {
            let given = part.stakes.iter().map(|stake| stake.given.signed()).sum::<i128>();
            let taken = part.stakes.iter().map(|stake| stake.taken.signed()).sum::<i128>();
            let undone = part.undone.iter().map(|amount| amount.signed()).sum::<i128>();
            if given != part.released.signed() || taken != part.reversed.signed() {
                let what =
                    format_args!("order {id}: what receivers of sub-order {place} got does not add up");
                found.push(Invariant::OrderConserved.broken(what));
            }
            if undone != part.refunded().signed() {
                let what = format_args!("order {id}: what was undone of sub-order {place} does not add up");
                found.push(Invariant::OrderConserved.broken(what));
            }
        }
    }
    let alive = order.attempts.iter().filter(|attempt| attempt.state.is_alive()).count();
    if alive > 1 {
        let what = format_args!("order {id}: {alive} attempts are alive at once");
        found.push(Invariant::OneAttemptAlive.broken(what));
    }
    found
}

#[cfg(test)]
mod tests;
