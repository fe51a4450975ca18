//! A naive model of the books, written from the rules of the domain: balances by name, one plain function per
//! fact. It sees what happened and how much was asked for, never the engine's entries, shares or fees.

use std::collections::{BTreeMap, HashMap};

use suanpan_model::order::{RefundSource, Share};
use suanpan_model::policy::FeeBearer;
use suanpan_model::{Amount, Order, OrderEvent, OrderId, PayKind};

use super::build::name;

#[derive(Default)]
struct Life {
    fee: i128,
    fee_taken: i128,
    released: i128,
    fixed_given: HashMap<usize, i128>,
    /// Refunds of frozen money by number: part of the price, part for the payer, whether they count.
    refunds: BTreeMap<usize, (i128, i128, bool)>,
}

#[derive(Default)]
pub(super) struct Twin {
    balances: BTreeMap<String, i128>,
    lives: HashMap<OrderId, Life>,
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

    /// `order` is the order after the event.
    pub(super) fn sees(&mut self, order: &Order, event: &OrderEvent) {
        let price = order.terms.amount.signed();
        let subsidy = order.terms.coupon.map_or(0, |coupon| coupon.subsidy.signed());
        let through = |no| order.attempt(no).map(|attempt| attempt.channel().0);
        match event {
            OrderEvent::Paid { attempt, fee, .. } => {
                match through(*attempt) {
                    Some(channel) => self.arrives(channel, price - subsidy, fee.signed()),
                    None => self.moves(&payer(order), subsidy - price),
                }
                self.moves("fund", -subsidy);
                self.moves("escrow", price);
                self.lives.entry(order.id).or_default().fee = fee.signed();
            }
            OrderEvent::LatePaid { attempt, fee, .. } => {
                let channel = through(*attempt).expect("late money comes through a channel");
                self.arrives(channel, price - subsidy, fee.signed());
                self.moves("suspense", price - subsidy);
            }
            OrderEvent::Released { amounts, .. } => self.releases(order, amounts),
            OrderEvent::RefundStarted { source: RefundSource::Escrow, amount, .. } => {
                let life = self.lives.entry(order.id).or_default();
                let counted = life.refunds.values().filter(|(_, _, counts)| *counts);
                let (undone, given) = counted.fold((amount.signed(), 0), |(undone, given), refund| {
                    (undone + refund.0, given + refund.1)
                });
                // The payer's share of all that is undone so far, less what was given before.
                let share = (undone * (price - subsidy) / price - given).clamp(0, amount.signed());
                life.refunds.insert(order.refunds.len(), (amount.signed(), share, true));
            }
            OrderEvent::RefundFailed { refund, .. } => {
                let life = self.lives.entry(order.id).or_default();
                if let Some(refund) = life.refunds.get_mut(&usize::from(*refund)) {
                    refund.2 = false;
                }
            }
            OrderEvent::RefundSucceeded { refund, .. } => {
                let known = order.refund(*refund).expect("a refund that began");
                let channel = through(known.attempt);
                match self.lives.entry(order.id).or_default().refunds.get(&usize::from(*refund)).copied() {
                    Some((amount, share, _)) => {
                        self.moves("escrow", -amount);
                        self.moves("fund", amount - share);
                        match channel {
                            Some(channel) => self.moves(&format!("clearing {channel}"), -share),
                            None => self.moves(&payer(order), share),
                        }
                    }
                    None => {
                        let channel = channel.expect("late money goes back through its channel");
                        self.moves("suspense", subsidy - price);
                        self.moves(&format!("clearing {channel}"), subsidy - price);
                    }
                }
            }
            _ => {}
        }
    }

    fn arrives(&mut self, channel: u16, amount: i128, fee: i128) {
        self.moves(&format!("clearing {channel}"), amount - fee);
        self.moves(&format!("fee expense {channel}"), fee);
    }

    fn releases(&mut self, order: &Order, amounts: &[Amount]) {
        let amounts: Vec<i128> = amounts.iter().map(|amount| amount.signed()).collect();
        let total: i128 = amounts.iter().sum();
        let life = self.lives.entry(order.id).or_default();
        life.released += total;
        // Shares in percent first, by largest remainder against what stays with the merchants.
        let percent = |share: &Share| match share {
            Share::Bps(bps) => i128::from(*bps),
            Share::Fixed(_) => 0,
        };
        let splits = &order.terms.splits;
        let mut weights: Vec<i128> = splits.iter().map(|split| percent(&split.share)).collect();
        weights.push(10_000 - weights.iter().sum::<i128>());
        let mut given = divide(total, &weights);
        let mut left = given.pop().expect("the merchants' part");
        // Then fixed sums, as far as it reaches; then the fee that is due by now.
        for (index, split) in splits.iter().enumerate() {
            if let Share::Fixed(whole) = split.share {
                let before = life.fixed_given.entry(index).or_insert(0);
                let part = (whole.signed() - *before).min(left);
                *before += part;
                left -= part;
                given[index] += part;
            }
        }
        let mut fee = 0;
        if order.fee_bearer == FeeBearer::Merchant && order.terms.kind != PayKind::Balance {
            fee = (life.fee * life.released / order.terms.amount.signed() - life.fee_taken).clamp(0, left);
            life.fee_taken += fee;
        }
        let borne = divide(total - left + fee, &amounts);
        for ((sub_order, amount), borne) in order.terms.sub_orders.iter().zip(&amounts).zip(borne) {
            self.moves(&name(sub_order.merchant), amount - borne);
        }
        for (split, part) in splits.iter().zip(given) {
            self.moves(&name(split.receiver), part);
        }
        self.moves("fees", fee);
        self.moves("escrow", -total);
    }
}

fn payer(order: &Order) -> String {
    name(order.terms.payer_account.expect("paid from an e-account"))
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
