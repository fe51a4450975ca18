//! The postings of each event. Every entry built here sums to zero.
//!
//! | event | debit | credit |
//! |---|---|---|
//! | payment through a channel | channel clearing (paid), coupon fund (subsidy) | escrow (price) |
//! | channel's fee | fee expense | channel clearing |
//! | payment from an e-account | payer's account (paid), coupon fund (subsidy) | escrow (price) |
//! | release | escrow | merchants, receivers of splits, fee income |
//! | refund | escrow | channel clearing or payer's account, coupon fund |
//! | late payment / its refund | channel clearing / suspense | suspense / channel clearing |

use smallvec::{SmallVec, smallvec};
use suanpan_model::{
    AccountId, AccountType, Amount, ChannelId, Entry, EntryCode, Order, OrderId, OrderTerms, Posting,
};

use super::create::{COUPON_HOLD, PAYER_HOLD};
use crate::split::Shares;

fn of_platform(kind: AccountType, id: OrderId, terms: &OrderTerms) -> AccountId {
    AccountId::internal(kind, terms.platform.0, terms.currency, id.stripe())
}

fn of_channel(kind: AccountType, id: OrderId, terms: &OrderTerms, channel: ChannelId) -> AccountId {
    AccountId::internal(kind, u32::from(channel.0), terms.currency, id.stripe())
}

/// The stripe of the coupon fund that pays an order's subsidy.
pub(super) fn coupon_fund(id: OrderId, terms: &OrderTerms) -> AccountId {
    of_platform(AccountType::CouponFund, id, terms)
}

fn entry(order: &Order, code: EntryCode) -> Entry {
    Entry::new(code, order.terms.currency, order.id.cause())
}

/// Payment through `channel`, which takes `fee`.
pub(super) fn payment(order: &Order, channel: ChannelId, fee: Amount) -> SmallVec<[Entry; 2]> {
    let (id, terms) = (order.id, &*order.terms);
    let clearing = of_channel(AccountType::ChannelClearing, id, terms, channel);
    let paid = entry(order, EntryCode::Payment)
        .with(Posting::debit(clearing, terms.payable()))
        .with(Posting::debit_held(coupon_fund(id, terms), terms.subsidy(), COUPON_HOLD))
        .with(Posting::credit(of_platform(AccountType::Escrow, id, terms), terms.amount));
    with_fee(order, channel, fee, paid)
}

fn with_fee(order: &Order, channel: ChannelId, fee: Amount, first: Entry) -> SmallVec<[Entry; 2]> {
    if fee.is_zero() {
        return smallvec![first];
    }
    let expense = of_channel(AccountType::FeeExpense, order.id, &order.terms, channel);
    let clearing = of_channel(AccountType::ChannelClearing, order.id, &order.terms, channel);
    let fee = entry(order, EntryCode::ChannelFee)
        .with(Posting::debit(expense, fee))
        .with(Posting::credit(clearing, fee));
    smallvec![first, fee]
}

/// Payment from the payer's e-account.
pub(super) fn balance_payment(order: &Order) -> SmallVec<[Entry; 2]> {
    let (id, terms) = (order.id, &*order.terms);
    let payer = terms.payer_account.expect("a balance payment was checked to name the payer's account");
    smallvec![
        entry(order, EntryCode::BalancePayment)
            .with(Posting::debit_held(payer, terms.payable(), PAYER_HOLD))
            .with(Posting::debit_held(coupon_fund(id, terms), terms.subsidy(), COUPON_HOLD))
            .with(Posting::credit(of_platform(AccountType::Escrow, id, terms), terms.amount))
    ]
}

/// Release of `total` frozen money to `shares`.
pub(super) fn release(order: &Order, total: Amount, shares: &Shares) -> Entry {
    let (id, terms) = (order.id, &*order.terms);
    let mut entry = entry(order, EntryCode::Release)
        .with(Posting::debit(of_platform(AccountType::Escrow, id, terms), total));
    for (sub_order, amount) in terms.sub_orders.iter().zip(&shares.merchants) {
        entry.push(Posting::credit(striped(sub_order.merchant, id), *amount));
    }
    for (rule, amount) in terms.splits.iter().zip(&shares.receivers) {
        entry.push(Posting::credit(striped(rule.receiver, id), *amount));
    }
    entry.push(Posting::credit(of_platform(AccountType::FeeIncome, id, terms), shares.fee));
    entry
}

fn striped(account: AccountId, id: OrderId) -> AccountId {
    if account.kind().is_internal() { account.on_stripe(id.stripe()) } else { account }
}

/// Refund of frozen money: `to_payer` of `amount` to the payer, the rest to the coupon fund.
pub(super) fn refund(order: &Order, channel: Option<ChannelId>, amount: Amount, to_payer: Amount) -> Entry {
    let (id, terms) = (order.id, &*order.terms);
    let payer = match (channel, terms.payer_account) {
        (Some(channel), _) => of_channel(AccountType::ChannelClearing, id, terms, channel),
        (None, Some(account)) => account,
        (None, None) => unreachable!("a payment came through a channel or from an e-account"),
    };
    entry(order, EntryCode::Refund)
        .with(Posting::debit(of_platform(AccountType::Escrow, id, terms), amount))
        .with(Posting::credit(payer, to_payer))
        .with(Posting::credit(coupon_fund(id, terms), amount.minus(to_payer)))
}

/// A payment through `channel` that the order no longer waits for.
pub(super) fn late_payment(order: &Order, channel: ChannelId, fee: Amount) -> SmallVec<[Entry; 2]> {
    let (id, terms) = (order.id, &*order.terms);
    let parked = entry(order, EntryCode::LatePayment)
        .with(Posting::debit(of_channel(AccountType::ChannelClearing, id, terms, channel), terms.payable()))
        .with(Posting::credit(of_platform(AccountType::Suspense, id, terms), terms.payable()));
    with_fee(order, channel, fee, parked)
}

/// A parked payment goes back.
pub(super) fn late_refund(order: &Order, channel: ChannelId, amount: Amount) -> Entry {
    let (id, terms) = (order.id, &*order.terms);
    entry(order, EntryCode::LateRefund)
        .with(Posting::debit(of_platform(AccountType::Suspense, id, terms), amount))
        .with(Posting::credit(of_channel(AccountType::ChannelClearing, id, terms, channel), amount))
}
