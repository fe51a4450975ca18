//! The channels' own books beside what the engine believes of each payment.

use std::collections::{BTreeMap, BTreeSet};

use suanpan_channels::{LineStatus, RefundStatus, Simulator};
use suanpan_core::invariants::Invariant;
use suanpan_model::order::AttemptState;
use suanpan_model::refund::RefundState;
use suanpan_model::{AccountId, AccountType, Amount, AttemptNo, Currency, Order, OrderId, OrderStatus};

use super::ledger::NaiveLedger;

/// A payment at a channel.
pub type Payment = (OrderId, AttemptNo);

/// A refund at a channel.
pub type RefundKey = (OrderId, AttemptNo, u8);

/// Refunds whose money came back after the channel had made them, which its book does not say.
pub type CameBack = BTreeMap<RefundKey, Amount>;

/// What came back of the refunds of a payment.
fn back_of(came_back: &CameBack, order: OrderId, attempt: AttemptNo) -> i128 {
    came_back.range((order, attempt, 0)..=(order, attempt, u8::MAX)).map(|(_, amount)| amount.signed()).sum()
}

/// Compares every line of the channels' books with the order that it belongs to. `heard` are payments of which a
/// running engine was told that they were made; of others it cannot know.
pub fn compare(
    channels: &[&Simulator],
    orders: &[&Order],
    heard: &BTreeSet<Payment>,
    came_back: &CameBack,
    log: &NaiveLedger,
    breaks: &mut Vec<String>,
) -> u64 {
    let mut unheard = 0;
    for channel in channels {
        let id = suanpan_channels::Adapter::capability(*channel).id;
        let (mut owed, mut fees) = (0, 0);
        for (order_id, attempt_no, line) in channel.lines() {
            let order = orders.iter().find(|order| order.id == order_id);
            let attempt = order.and_then(|order| order.attempt(attempt_no));
            let (Some(order), Some(attempt)) = (order, attempt) else {
                let what = format!(
                    "channel {id} was called for attempt {attempt_no} of order {order_id}, which is not there"
                );
                breaks.push(Invariant::AnsweredIsDurable.broken(what));
                continue;
            };
            let known = attempt.state == AttemptState::Succeeded;
            let paid = line.status == LineStatus::Paid;
            let name = format!("order {order_id}, attempt {attempt_no} at channel {id}");
            if known && (!paid || line.amount != order.terms.payable()) {
                let what = format!(
                    "{name}: counted as paid, the book says {:?} {}",
                    line.status,
                    line.amount.minor()
                );
                breaks.push(Invariant::BooksAgree.broken(what));
            }
            if paid && !known {
                if heard.contains(&(order_id, attempt_no)) {
                    let what =
                        format!("{name}: paid, the engine was told, and has it as {}", attempt.state.name());
                    breaks.push(Invariant::BooksAgree.broken(what));
                }
                unheard += 1;
                continue;
            }
            if paid {
                let refunded = line.refunded.signed() - back_of(came_back, order_id, attempt_no);
                owed += line.amount.signed() - refunded;
                fees += i128::from(line.fee.minor());
            }
            refunds(channel, order, attempt_no, came_back, &name, breaks);
            if line.refunded > line.amount {
                breaks.push(Invariant::RefundsWithinPaid.broken(format!("{name}: more went back than came")));
            }
        }
        let clearing = AccountId::internal(AccountType::ChannelClearing, u32::from(id.0), Currency::Cny, 0);
        let booked = log.striped(clearing);
        if booked != owed - fees {
            let what = format!("channel {id} owes {} by its book, {booked} by the ledger", owed - fees);
            breaks.push(Invariant::BooksAgree.broken(what));
        }
    }
    for order in orders {
        charged_once(channels, order, came_back, breaks);
    }
    unheard
}

fn refunds(
    channel: &Simulator,
    order: &Order,
    attempt: AttemptNo,
    came_back: &CameBack,
    name: &str,
    breaks: &mut Vec<String>,
) {
    for refund in order.refunds.iter().filter(|refund| refund.attempt == attempt) {
        let made =
            channel.refund(order.id, attempt, refund.no).filter(|line| line.status == RefundStatus::Made);
        let made = made.filter(|_| !came_back.contains_key(&(order.id, attempt, refund.no)));
        let done = refund.state == RefundState::Succeeded && !refund.to_payer.is_zero();
        let amounts = (made.map(|line| line.amount), done.then_some(refund.to_payer));
        if amounts.0 != amounts.1 && !refund.state.is_alive() {
            let what = format!(
                "{name}: refund {} is {:?} in the book, {:?} in the order, where it {}",
                refund.no,
                amounts.0,
                amounts.1,
                refund.state.name()
            );
            breaks.push(Invariant::BooksAgree.broken(what));
        }
    }
}

/// What of a payment went back to its payer: over the channel, or as an operator finished it another way.
fn went_back(
    channels: &[&Simulator],
    order: &Order,
    attempt: AttemptNo,
    came_back: &CameBack,
) -> Option<(i128, i128)> {
    let channel_of = order.attempt(attempt)?.channel();
    let channel =
        channels.iter().find(|channel| suanpan_channels::Adapter::capability(**channel).id == channel_of)?;
    let line = channel.payment(order.id, attempt)?;
    let refunded = line.refunded.signed() - back_of(came_back, order.id, attempt);
    let otherwise = order.refunds.iter().filter(|refund| {
        refund.attempt == attempt
            && refund.state == RefundState::Finished
            && !refund.note.starts_with("resend")
    });
    let otherwise: i128 = otherwise.map(|refund| refund.to_payer.signed()).sum();
    Some((line.amount.signed(), refunded + otherwise))
}

/// Of the payments that the engine knows, at most one stays: all others went back whole.
fn charged_once(channels: &[&Simulator], order: &Order, came_back: &CameBack, breaks: &mut Vec<String>) {
    for attempt in order.attempts.iter().filter(|attempt| attempt.state == AttemptState::Succeeded) {
        let Some((paid, back)) = went_back(channels, order, attempt.no, came_back) else { continue };
        let name = format!("order {} is {}: attempt {}", order.id, order.status, attempt.no);
        if back > paid {
            let what = format!("{name} paid {paid} minor units, and {back} went back");
            breaks.push(Invariant::RefundsWithinPaid.broken(what));
        }
        if order.paid_by != Some(attempt.no) && back != paid {
            let what = format!("{name} was paid too, {paid} minor units, of which {back} went back");
            breaks.push(Invariant::NoDoubleCharge.broken(what));
        }
        if order.paid_by == Some(attempt.no) && order.status == OrderStatus::Refunded && back != paid {
            let what = format!("{name} paid {paid} minor units of a refunded order, and {back} went back");
            breaks.push(Invariant::OrderConserved.broken(what));
        }
    }
}
