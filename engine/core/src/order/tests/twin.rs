//! A naive model of the books, written from the rules of the domain: balances by name, one plain function per
//! fact. It sees what happened, how much was asked for and what was held, never the engine's entries, shares or fees.

use std::collections::{BTreeMap, HashMap};

use suanpan_model::order::Attempt;
use suanpan_model::policy::{FeeBearer, RefundedFee, Shortfall};
use suanpan_model::refund::{RefundSource, Unwinding};
use suanpan_model::{
    AccountId, Amount, LedgerEvent, Order, OrderEvent, OrderId, PayKind, Share, SplitRule, TimestampMs,
};

use super::build::{agent, merchant, name};

/// One sub-order: what each receiver is to get, got and gave back; what payer and funders paid and got back.
#[derive(Clone, Default)]
struct Sub {
    shares: Vec<(String, i128)>,
    given: Vec<i128>,
    taken: Vec<i128>,
    /// Payees that releases named: they stand behind the planned receivers.
    paid_in: Vec<i128>,
    got_back: Vec<i128>,
}

/// A refund that is not over.
#[derive(Clone, Default)]
struct Back {
    payer: i128,
    funders: Vec<i128>,
    undone: Vec<Vec<i128>>,
    taken: Vec<Vec<i128>>,
    takes: BTreeMap<String, i128>,
    held: BTreeMap<String, i128>,
    owes: BTreeMap<String, String>,
    from_escrow: i128,
}

#[derive(Default)]
struct Life {
    fee: i128,
    subs: Vec<Sub>,
    backs: BTreeMap<u8, Back>,
    undone: i128,
    pieces_used: bool,
}

#[derive(Default)]
pub(super) struct Twin {
    balances: BTreeMap<String, i128>,
    lives: HashMap<OrderId, Life>,
}

fn amount(amount: Amount) -> i128 {
    amount.signed()
}

impl Twin {
    pub(super) fn balances(&self) -> &BTreeMap<String, i128> {
        &self.balances
    }

    pub(super) fn moves(&mut self, account: &str, change: i128) {
        let balance = self.balances.entry(account.to_owned()).or_insert(0);
        *balance += change;
        if *balance == 0 {
            self.balances.remove(account);
        }
    }

    /// `order` is the order after the event, which happened at `now`.
    pub(super) fn sees(&mut self, order: &Order, event: &OrderEvent, now: TimestampMs) {
        let price = amount(order.terms.amount);
        let subsidy: i128 = order.terms.coupons.iter().map(|coupon| amount(coupon.subsidy)).sum();
        let through = |no| order.attempt(no).map(Attempt::channel).map(|channel| channel.0);
        match event {
            OrderEvent::Paid { attempt, fee, .. } => {
                match through(*attempt) {
                    Some(channel) => self.arrives(channel, price - subsidy, amount(*fee)),
                    None => self.moves(&payer(order), subsidy - price),
                }
                self.begins(order, amount(*fee));
            }
            OrderEvent::LatePaid { attempt, fee, .. } => {
                let channel = through(*attempt).expect("late money comes through a channel");
                self.arrives(channel, price - subsidy, amount(*fee));
                self.moves("suspense", price - subsidy);
            }
            OrderEvent::Reopened { attempt, .. } => {
                let fee = order.attempt(*attempt).map_or(0, |attempt| amount(attempt.fee));
                self.moves("suspense", subsidy - price);
                self.begins(order, fee);
            }
            OrderEvent::Released { amounts, payees, .. } => {
                self.moves("escrow", -amounts.iter().copied().map(amount).sum::<i128>());
                if payees.is_empty() {
                    self.releases(order, amounts);
                }
                for payee in payees {
                    self.moves(&name(payee.account), amount(payee.amount));
                    let planned = order.terms.splits.len() + 2;
                    let sub = &mut self.life(order).subs[usize::from(payee.sub_order)];
                    let known =
                        sub.shares[planned..].iter().position(|(known, _)| *known == name(payee.account));
                    if let Some(place) = known {
                        sub.given[planned + place] += amount(payee.amount);
                        continue;
                    }
                    sub.shares.push((name(payee.account), amount(payee.amount)));
                    sub.given.push(amount(payee.amount));
                    sub.taken.push(0);
                }
            }
            OrderEvent::RefundStarted { source: RefundSource::Order, unwinding: Some(unwinding), .. } => {
                self.unwinds(order, unwinding);
            }
            OrderEvent::RefundFailed { refund, .. } => {
                let life = self.life(order);
                let back = life.backs.remove(refund).expect("a refund that began");
                life.undone -= back.payer + back.funders.iter().sum::<i128>();
                for (sub, (undone, taken)) in life.subs.iter_mut().zip(back.undone.iter().zip(&back.taken)) {
                    sub.got_back.iter_mut().zip(undone).for_each(|(sum, part)| *sum -= part);
                    sub.taken.iter_mut().zip(taken).for_each(|(sum, part)| *sum -= part);
                }
            }
            OrderEvent::RefundSucceeded { refund, .. } => {
                let known = order.refund(*refund).expect("a refund that began");
                let to = through(known.attempt)
                    .map_or_else(|| payer(order), |channel| format!("clearing {channel}"));
                let sign = if to.starts_with("clearing") { -1 } else { 1 };
                match known.source {
                    RefundSource::Order => self.goes_back(order, *refund, &to, sign, now),
                    RefundSource::Suspense => {
                        self.moves("suspense", -amount(known.to_payer));
                        self.moves(&to, -amount(known.to_payer));
                    }
                }
            }
            OrderEvent::RefundBounced { refund, .. } => {
                let known = order.refund(*refund).expect("a refund that began");
                let channel = through(known.attempt).expect("a channel said so");
                self.moves(&format!("clearing {channel}"), amount(known.to_payer));
                self.moves("suspense", amount(known.to_payer));
            }
            // Only ever paid outside, in these lives: against the funding account, which is clearing 0.
            OrderEvent::RefundFinished { refund, entries, .. } if !entries.is_empty() => {
                let known = order.refund(*refund).expect("a refund that began");
                if self.life(order).backs.contains_key(refund) {
                    self.goes_back(order, *refund, "clearing 0", -1, now);
                } else {
                    self.moves("suspense", -amount(known.to_payer));
                    self.moves("clearing 0", -amount(known.to_payer));
                }
            }
            _ => {}
        }
    }

    fn life(&mut self, order: &Order) -> &mut Life {
        self.lives.entry(order.id).or_default()
    }

    fn arrives(&mut self, channel: u16, amount: i128, fee: i128) {
        self.moves(&format!("clearing {channel}"), amount - fee);
        self.moves(&format!("fee expense {channel}"), fee);
    }

    /// The price is in escrow; funders gave their part, coupons are used up.
    fn begins(&mut self, order: &Order, fee: i128) {
        for (account, part) in order.terms.coupons.iter().flat_map(|coupon| &coupon.funders) {
            self.moves(&name(*account), -amount(*part));
        }
        self.moves("escrow", amount(order.terms.amount));
        let uses_pieces = order.terms.coupons.iter().any(|coupon| coupon.counted);
        if uses_pieces {
            self.pieces(-1);
        }
        let life = self.life(order);
        life.fee = fee;
        life.pieces_used = uses_pieces;
        life.subs = plan(order, fee);
    }

    fn pieces(&mut self, change: i128) {
        self.moves("coupon_stock", change);
        self.moves("coupon_allowance", change);
        self.moves("coupon_pool", 2 * change);
    }

    fn releases(&mut self, order: &Order, amounts: &[Amount]) {
        let planned = order.terms.splits.len() + 2;
        for (place, released) in amounts.iter().enumerate() {
            let sub = &mut self.life(order).subs[place];
            let shares: Vec<i128> = sub.shares[..planned].iter().map(|(_, share)| *share).collect();
            let more = step(&shares, &sub.given[..planned], amount(*released));
            let names: Vec<String> = sub.shares.iter().map(|(name, _)| name.clone()).collect();
            sub.given.iter_mut().zip(&more).for_each(|(sum, part)| *sum += part);
            names.iter().zip(more).for_each(|(name, part)| self.moves(name, part));
        }
    }

    fn unwinds(&mut self, order: &Order, unwinding: &Unwinding) {
        let fee = order.terms.splits.len();
        let number = u8::try_from(order.refunds.len()).unwrap();
        let mut back = Back::default();
        for take in &unwinding.takes {
            let held = take.hold.map_or(0, |hold| amount(hold.amount));
            back.held.insert(name(take.account), held);
            let owes = match order.agreement.shortfall {
                Shortfall::Debt | Shortfall::Refuse => take.account.receivable(),
                Shortfall::Advance => take.account.advanced(),
            };
            back.owes.insert(name(take.account), name(owes));
        }
        for place in 0..order.terms.sub_orders.len() {
            let frozen = unwinding.returned.get(place).copied().map_or(0, amount);
            let released = unwinding.reversed.get(place).copied().map_or(0, amount);
            let sub = &mut self.life(order).subs[place];
            let undone = step(&sub.paid_in, &sub.got_back, frozen + released);
            sub.got_back.iter_mut().zip(&undone).for_each(|(sum, part)| *sum += part);
            let mut shares = sub.given.clone();
            if order.agreement.refunded_fee == RefundedFee::Keep {
                for place in 0..shares.len() {
                    if sub.shares[place].0 == "fees" {
                        shares[fee + 1] += std::mem::take(&mut shares[place]);
                    }
                }
            }
            let taken =
                if released == 0 { vec![0; shares.len()] } else { step(&shares, &sub.taken, released) };
            sub.taken.iter_mut().zip(&taken).for_each(|(sum, part)| *sum += part);
            for ((receiver, _), part) in sub.shares.iter().zip(&taken) {
                *back.takes.entry(receiver.clone()).or_insert(0) += part;
            }
            back.payer += undone[0];
            back.funders.resize(undone.len() - 1, 0);
            back.funders.iter_mut().zip(&undone[1..]).for_each(|(sum, part)| *sum += part);
            back.from_escrow += frozen;
            back.undone.push(undone);
            back.taken.push(taken);
        }
        let life = self.life(order);
        life.undone += back.payer + back.funders.iter().sum::<i128>();
        life.backs.insert(number, back);
    }

    fn goes_back(&mut self, order: &Order, refund: u8, to: &str, sign: i128, now: TimestampMs) {
        let back = self.life(order).backs.remove(&refund).expect("a refund that began");
        self.moves("escrow", -back.from_escrow);
        for (receiver, part) in &back.takes {
            let internal = receiver == "house" || receiver == "fees";
            let there =
                if internal { *part } else { (*part).min(back.held.get(receiver).copied().unwrap_or(0)) };
            self.moves(receiver, -there);
            if there < *part {
                self.moves(&back.owes[receiver], part - there);
                if order.agreement.shortfall == Shortfall::Advance {
                    self.moves("house", there - part);
                    self.moves("advance", part - there);
                }
            }
        }
        self.moves(to, sign * back.payer);
        let funders = order.terms.coupons.iter().flat_map(|coupon| &coupon.funders);
        for ((account, _), part) in funders.zip(&back.funders) {
            self.moves(&name(*account), *part);
        }
        let life = self.life(order);
        let is_whole = life.backs.is_empty() && life.undone == amount(order.terms.amount);
        let valid = order.terms.coupons.iter().any(|coupon| coupon.counted && now < coupon.valid_until);
        if is_whole && valid && std::mem::take(&mut life.pieces_used) {
            self.pieces(1);
        }
    }

    /// The ledger takes from a debtor what it has, up to what it owes.
    pub(super) fn recovers(&mut self, events: &[LedgerEvent]) {
        for event in events {
            let LedgerEvent::EntryPosted { entry, .. } = event else { continue };
            let debtor = entry.postings[0].account;
            let taken = amount(entry.postings[0].amount);
            let owed = |debt: AccountId, twin: &Self| twin.balances.get(&name(debt)).copied().unwrap_or(0);
            let debt =
                if owed(debtor.receivable(), self) > 0 { debtor.receivable() } else { debtor.advanced() };
            assert!(taken <= owed(debt, self), "no more is recovered than is owed");
            self.moves(&name(debtor), -taken);
            self.moves(&name(debt), -taken);
            if debt == debtor.advanced() {
                self.moves("advance", -taken);
                self.moves("house", taken);
            }
        }
    }
}

fn payer(order: &Order) -> String {
    name(order.terms.payer_account.expect("paid from an e-account"))
}

/// What is to become of each sub-order's price.
fn plan(order: &Order, fee: i128) -> Vec<Sub> {
    let prices: Vec<i128> = order.terms.sub_orders.iter().map(|sub| amount(sub.amount)).collect();
    let total: i128 = prices.iter().sum();
    let parts = parts_of(total, &order.terms.splits);
    let bears = order.agreement.fee_bearer == FeeBearer::Merchant && order.terms.kind != PayKind::Balance;
    let fees = divide(if bears { fee.min(total) } else { 0 }, &prices);
    let deducted = divide(parts.iter().sum(), &prices);
    let given = fill(&deducted, &parts);
    let mut subs = Vec::new();
    for (place, price) in prices.iter().enumerate() {
        let mut shares: Vec<(String, i128)> = order
            .terms
            .splits
            .iter()
            .zip(&given)
            .map(|(split, column)| (name(split.receiver), column[place]))
            .collect();
        let left = price - deducted[place];
        let fee = fees[place].min(left);
        shares.push(("fees".to_owned(), fee));
        shares.push((name(order.terms.sub_orders[place].merchant), left - fee));
        let mut paid_in = vec![*price];
        for coupon in &order.terms.coupons {
            paid_in[0] -= amount(coupon.shares[place]);
        }
        let nothing = vec![0; shares.len()];
        subs.push(Sub { shares, given: nothing.clone(), taken: nothing, got_back: Vec::new(), paid_in });
    }
    for coupon in &order.terms.coupons {
        let rows: Vec<i128> = coupon.shares.iter().copied().map(amount).collect();
        let parts: Vec<i128> = coupon.funders.iter().map(|(_, part)| amount(*part)).collect();
        for column in fill(&rows, &parts) {
            subs.iter_mut().zip(column).for_each(|(sub, part)| sub.paid_in.push(part));
        }
    }
    subs.iter_mut().for_each(|sub| sub.got_back = vec![0; sub.paid_in.len()]);
    subs
}

/// Columns of a table with these sums of rows and columns: each column is one more step along the rows.
fn fill(rows: &[i128], columns: &[i128]) -> Vec<Vec<i128>> {
    let mut filled = vec![0; rows.len()];
    let mut table = Vec::new();
    for column in columns {
        let more = step(rows, &filled, *column);
        filled.iter_mut().zip(&more).for_each(|(sum, part)| *sum += part);
        table.push(more);
    }
    table
}

/// What each split takes, level by level.
fn parts_of(total: i128, splits: &[SplitRule]) -> Vec<i128> {
    let mut parts = vec![0; splits.len()];
    level(total, splits, None, &mut parts);
    for place in 0..splits.len() {
        let within = Some(u8::try_from(place).unwrap());
        if splits.iter().any(|split| split.within == within) {
            parts[place] = level(parts[place], splits, within, &mut parts);
        }
    }
    parts
}

fn level(total: i128, splits: &[SplitRule], within: Option<u8>, parts: &mut [i128]) -> i128 {
    let rate = |split: &SplitRule| match &split.share {
        Share::Bps(bps) => i128::from(*bps),
        Share::Tiered(tiers) => {
            let mut reached = tiers.iter().rev().filter(|tier| amount(tier.from) <= total);
            reached.next().map_or(0, |tier| i128::from(tier.bps))
        }
        Share::Fixed(_) | Share::Remainder => 0,
    };
    let own: Vec<usize> = (0..splits.len()).filter(|place| splits[*place].within == within).collect();
    let mut weights: Vec<i128> = own.iter().map(|place| rate(&splits[*place])).collect();
    weights.push(10_000 - weights.iter().sum::<i128>());
    let shares = divide(total, &weights);
    let mut left = shares[own.len()];
    for (place, share) in own.iter().zip(&shares) {
        parts[*place] = match &splits[*place].share {
            Share::Fixed(fixed) => {
                left -= amount(*fixed);
                amount(*fixed)
            }
            Share::Bps(_) | Share::Tiered(_) | Share::Remainder => *share,
        };
    }
    for place in own {
        if splits[place].share == Share::Remainder {
            parts[place] = std::mem::take(&mut left);
        }
    }
    left
}

/// `more` along `shares`: up to the cumulative targets, cents left over or missing settled in declared order.
fn step(shares: &[i128], given: &[i128], more: i128) -> Vec<i128> {
    let upto = given.iter().sum::<i128>() + more;
    let targets = divide(upto, shares);
    let mut parts: Vec<i128> = (0..shares.len())
        .map(|place| targets[place].clamp(given[place], shares[place]) - given[place])
        .collect();
    while parts.iter().sum::<i128>() > more {
        let last = parts.iter().rposition(|part| *part > 0).expect("somebody got too much");
        parts[last] -= 1;
    }
    while parts.iter().sum::<i128>() < more {
        let has_room = |place: &usize| given[*place] + parts[*place] < shares[*place];
        let first = (0..shares.len()).find(has_room).expect("somebody has room");
        parts[first] += 1;
    }
    parts
}

/// Floors first; then cent by cent to the largest remainder that got none, the earliest of equals.
fn divide(total: i128, weights: &[i128]) -> Vec<i128> {
    let sum: i128 = weights.iter().sum();
    if sum == 0 {
        return weights.iter().enumerate().map(|(index, _)| if index == 0 { total } else { 0 }).collect();
    }
    let mut parts: Vec<i128> = weights.iter().map(|weight| total * weight / sum).collect();
    let mut remainders: Vec<i128> = weights.iter().map(|weight| total * weight % sum).collect();
    while parts.iter().sum::<i128>() < total {
        let largest = *remainders.iter().max().expect("there are parts");
        let place = remainders.iter().position(|remainder| *remainder == largest).expect("it is there");
        parts[place] += 1;
        remainders[place] = -1;
    }
    parts
}

/// Accounts whose owners can owe.
pub(super) fn receivers() -> Vec<AccountId> {
    (1..=3).flat_map(|number| [merchant(number), agent(number)]).collect()
}
