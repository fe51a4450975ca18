//! The channels' own books beside what the engine believes of each payment.

use std::collections::BTreeSet;

use suanpan_channels::{LineStatus, Simulator};
use suanpan_core::invariants::Invariant;
use suanpan_model::order::{AttemptState, RefundSource, RefundState};
use suanpan_model::policy::LatePayment;
use suanpan_model::{AccountId, AccountType, AttemptNo, Currency, Order, OrderId, OrderStatus};

use super::ledger::NaiveLedger;

/// A payment at a channel.
pub type Payment = (OrderId, AttemptNo);

/// Compares every line of the channels' books with the order that it belongs to. `heard` are payments of which a
/// running engine was told that they were made; of others it cannot know.
pub fn compare(
    channels: &[&Simulator],
    orders: &[&Order],
    heard: &BTreeSet<Payment>,
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
                owed += i128::from(line.amount.minor()) - i128::from(line.refunded.minor());
                fees += i128::from(line.fee.minor());
            }
            refunds(channel, order, attempt_no, &name, breaks);
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
        charged_once(channels, order, breaks);
    }
    unheard
}

fn refunds(channel: &Simulator, order: &Order, attempt: AttemptNo, name: &str, breaks: &mut Vec<String>) {
    for refund in order.refunds.iter().filter(|refund| refund.attempt == attempt) {
        let made = channel.refund(order.id, attempt, refund.no).filter(|line| line.made);
        let done = refund.state == RefundState::Succeeded && !refund.to_payer.is_zero();
        let amounts = (made.map(|line| line.amount), done.then_some(refund.to_payer));
        if amounts.0 != amounts.1 && !refund.state.is_alive() {
            let what = format!(
                "{name}: refund {} is {:?} in the book, {:?} in the order",
                refund.no, amounts.0, amounts.1
            );
            breaks.push(Invariant::BooksAgree.broken(what));
        }
    }
}

/// Of the payments that the engine knows, at most one stays: others went back, or are parked for an operator because that is
/// the policy or because the channel refused to give them back.
fn charged_once(channels: &[&Simulator], order: &Order, breaks: &mut Vec<String>) {
    for attempt in order.attempts.iter().filter(|attempt| attempt.state == AttemptState::Succeeded) {
        if order.paid_by == Some(attempt.no) {
            continue;
        }
        let parked = order.late_payment == LatePayment::Park;
        let back = order
            .refunds
            .iter()
            .any(|refund| refund.attempt == attempt.no && refund.source == RefundSource::Suspense);
        let channel = channels
            .iter()
            .find(|channel| suanpan_channels::Adapter::capability(**channel).id == attempt.channel());
        let line = channel.and_then(|channel| channel.payment(order.id, attempt.no));
        let returned = line.is_some_and(|line| line.refunded == line.amount);
        let refused = order
            .refunds
            .iter()
            .any(|refund| refund.attempt == attempt.no && matches!(refund.state, RefundState::Failed));
        let pending =
            order.refunds.iter().any(|refund| refund.attempt == attempt.no && refund.state.is_alive());
        if !parked && !returned && !refused && !pending {
            let what = format!(
                "order {} is {}: attempt {} was paid too and did not go back (a refund was started: {back})",
                order.id, order.status, attempt.no
            );
            breaks.push(Invariant::NoDoubleCharge.broken(what));
        }
    }
    if order.status == OrderStatus::Refunded {
        let paid = order.paid_by.and_then(|no| order.attempt(no));
        let line = paid.and_then(|attempt| {
            let channel = channels
                .iter()
                .find(|channel| suanpan_channels::Adapter::capability(**channel).id == attempt.channel())?;
            channel.payment(order.id, attempt.no)
        });
        if line.is_some_and(|line| line.refunded != line.amount) {
            let what = format!("order {} is refunded, its payer has not everything back", order.id);
            breaks.push(Invariant::OrderConserved.broken(what));
        }
    }
}
