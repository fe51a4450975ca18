//! The postings of each event. Every entry built here sums to zero.
//!
//! | event | debit | credit |
//! |---|---|---|
//! | payment through a channel | channel clearing (paid), funders of coupons (subsidy) | escrow (price) |
//! | channel's fee | fee expense | channel clearing |
//! | payment from an e-account | payer's account (paid), funders of coupons (subsidy) | escrow (price) |
//! | release | escrow | merchants, receivers of splits, fee income |
//! | refund | escrow, receivers, receivables of those that are short | channel clearing or payer's account, funders |
//! | … short and advanced by the platform | commission income | advance |
//! | late payment / its refund | channel clearing / suspense | suspense / channel clearing |
//! | late payment taken in | suspense, funders of coupons | escrow |
//! | refund that came back / finished | channel clearing / suspense | suspense / payer's account or funding |
//! | coupon used / come back (pieces) | wallet, or stock and allowance / pool | pool / wallet, or stock and allowance |

use smallvec::{SmallVec, smallvec};
use suanpan_model::event::Payee;
use suanpan_model::order::OrderHold;
use suanpan_model::policy::Shortfall;
use suanpan_model::refund::Unwinding;
use suanpan_model::{
    AccountId, AccountType, Amount, ChannelId, Currency, Entry, EntryCode, Order, OrderId, OrderTerms,
    Posting, Side, TimestampMs,
};

use super::plan::receiver;
use crate::split::sum;

/// The owner of the clearing account of money that does not come or go through a channel.
const FUNDING: ChannelId = ChannelId(0);

fn of_platform(kind: AccountType, id: OrderId, terms: &OrderTerms) -> AccountId {
    AccountId::internal(kind, terms.platform.0, terms.currency, id.stripe())
}

fn of_channel(kind: AccountType, id: OrderId, terms: &OrderTerms, channel: ChannelId) -> AccountId {
    AccountId::internal(kind, u32::from(channel.0), terms.currency, id.stripe())
}

/// The order's stripe of an internal account; any other account as it is.
pub(super) fn striped(account: AccountId, id: OrderId) -> AccountId {
    if account.kind().is_internal() { account.on_stripe(id.stripe()) } else { account }
}

fn entry(order: &Order, code: EntryCode) -> Entry {
    Entry::new(code, order.terms.currency, order.id.cause())
}

/// The order's clearing account of money paid outside the engine.
pub(super) fn funding(order: &Order) -> AccountId {
    of_channel(AccountType::ChannelClearing, order.id, &order.terms, FUNDING)
}

/// Where a payment came from, and its refund goes to.
///
/// # Panics
/// When it came neither through a channel nor from an e-account: a bug.
pub(super) fn source_of_payment(order: &Order, channel: Option<ChannelId>) -> AccountId {
    match (channel, order.terms.payer_account) {
        (Some(channel), _) => of_channel(AccountType::ChannelClearing, order.id, &order.terms, channel),
        (None, Some(account)) => account,
        (None, None) => unreachable!("a payment came through a channel or from an e-account"),
    }
}

/// Payment through `channel`, which takes `fee`; coupons that are used.
pub(super) fn payment(order: &Order, channel: ChannelId, fee: Amount) -> SmallVec<[Entry; 2]> {
    let clearing = of_channel(AccountType::ChannelClearing, order.id, &order.terms, channel);
    let mut paid = entry(order, EntryCode::Payment).with(Posting::debit(clearing, order.terms.payable()));
    into_escrow(order, &order.holds, &mut paid);
    let mut entries = with_fee(order, channel, fee, paid);
    entries.extend(coupons_used(order, &order.holds));
    entries
}

/// The subsidies that are held, and the whole price into escrow.
fn into_escrow(order: &Order, holds: &[OrderHold], entry: &mut Entry) {
    for hold in holds.iter().filter(|hold| !is_pieces(hold.account)) {
        entry.push(Posting::debit_held(hold.account, hold.amount, hold.no));
    }
    let escrow = of_platform(AccountType::Escrow, order.id, &order.terms);
    entry.push(Posting::credit(escrow, order.terms.amount));
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

/// Payment from the payer's e-account, which is among the holds.
pub(super) fn balance_payment(order: &Order) -> SmallVec<[Entry; 2]> {
    let mut paid = entry(order, EntryCode::BalancePayment);
    into_escrow(order, &order.holds, &mut paid);
    let mut entries = smallvec![paid];
    entries.extend(coupons_used(order, &order.holds));
    entries
}

const fn is_kind_of_pieces(kind: AccountType) -> bool {
    matches!(kind, AccountType::CouponStock | AccountType::CouponWallet | AccountType::CouponAllowance)
}

fn is_pieces(account: AccountId) -> bool {
    is_kind_of_pieces(account.kind())
}

/// One entry in pieces for each counted coupon, in the order of the terms: out of the customer's wallet, or out of
/// stock and allowance.
fn coupons_used(order: &Order, holds: &[OrderHold]) -> SmallVec<[Entry; 2]> {
    let mut entries: SmallVec<[Entry; 2]> = SmallVec::new();
    for hold in holds.iter().filter(|hold| is_pieces(hold.account)) {
        let debit = Posting::debit_held(hold.account, hold.amount, hold.no);
        match entries.last_mut() {
            // The allowance goes with the stock before it.
            Some(entry) if hold.account.kind() == AccountType::CouponAllowance => entry.push(debit),
            Some(_) | None => entries
                .push(Entry::new(EntryCode::CouponUsed, Currency::Pieces, order.id.cause()).with(debit)),
        }
    }
    for entry in &mut entries {
        let pieces = sum(&entry.postings.iter().map(|line| line.amount).collect::<SmallVec<[_; 2]>>());
        entry.push(Posting::credit(coupon_pool(order), pieces));
    }
    entries
}

fn coupon_pool(order: &Order) -> AccountId {
    AccountId::internal(AccountType::CouponPool, order.terms.platform.0, Currency::Pieces, order.id.stripe())
}

/// The used coupons that are still valid at `now` come back to where they were taken from.
pub(super) fn coupons_back(order: &Order, now: TimestampMs) -> SmallVec<[Entry; 1]> {
    let used = order.entries.iter().filter(|entry| entry.code == EntryCode::CouponUsed);
    let coupons = order.terms.coupons.iter().filter(|coupon| coupon.counted);
    let valid = used.zip(coupons).filter(|(_, coupon)| now < coupon.valid_until);
    let back = |(used, _): (&Entry, _)| {
        let mut entry = Entry::new(EntryCode::CouponReturned, Currency::Pieces, order.id.cause());
        for line in &used.postings {
            entry.push(match line.side {
                Side::Debit => Posting::credit(line.account, line.amount),
                Side::Credit => Posting::debit(line.account, line.amount),
            });
        }
        entry
    };
    valid.map(back).collect()
}

/// Release of `amounts` of the sub-orders; `given` says what each column of the plan gets, row by row.
pub(super) fn release(order: &Order, amounts: &[Amount], given: &[Amount], columns: usize) -> Entry {
    let (id, terms) = (order.id, &*order.terms);
    let mut entry = entry(order, EntryCode::Release)
        .with(Posting::debit(of_platform(AccountType::Escrow, id, terms), sum(amounts)));
    let merchants = columns - 1;
    for (place, sub_order) in terms.sub_orders.iter().enumerate() {
        let amount = given[place * columns + merchants];
        entry.push(Posting::credit(striped(sub_order.merchant, id), amount));
    }
    for column in 0..merchants {
        let of_all = given.iter().skip(column).step_by(columns);
        let amount = of_all.fold(Amount::ZERO, |sum, part| sum.plus(*part));
        entry.push(Posting::credit(striped(receiver(order, 0, column), id), amount));
    }
    entry
}

/// Release to payees that it names.
pub(super) fn release_to_payees(order: &Order, payees: &[Payee]) -> Entry {
    let total = payees.iter().fold(Amount::ZERO, |sum, payee| sum.plus(payee.amount));
    let mut entry = entry(order, EntryCode::Release)
        .with(Posting::debit(of_platform(AccountType::Escrow, order.id, &order.terms), total));
    for payee in payees {
        entry.push(Posting::credit(striped(payee.account, order.id), payee.amount));
    }
    entry
}

/// Refund of an order's money as `unwinding` says, `to_payer` of it to `payer`.
pub(super) fn refund(order: &Order, unwinding: &Unwinding, to_payer: Amount, payer: AccountId) -> Entry {
    let (id, terms) = (order.id, &*order.terms);
    let escrow = of_platform(AccountType::Escrow, id, terms);
    let mut entry = entry(order, EntryCode::Refund).with(Posting::debit(escrow, sum(&unwinding.returned)));
    for take in &unwinding.takes {
        let hold_no = take.hold.map_or(0, |hold| hold.no);
        entry.push(Posting::debit_held(take.account, take.covered(), hold_no));
    }
    for take in &unwinding.takes {
        match order.agreement.shortfall {
            Shortfall::Debt | Shortfall::Refuse => {
                entry.push(Posting::debit(take.account.receivable(), take.short()));
            }
            Shortfall::Advance => {
                let income = of_platform(AccountType::CommissionIncome, id, terms);
                entry.push(Posting::debit(income, take.short()));
                entry.push(Posting::debit(take.account.advanced(), take.short()));
                entry.push(Posting::credit(of_platform(AccountType::Advance, id, terms), take.short()));
            }
        }
    }
    entry.push(Posting::credit(payer, to_payer));
    for (funder, amount) in &unwinding.funders {
        entry.push(Posting::credit(*funder, *amount));
    }
    entry
}

/// A payment through `channel` that the order no longer waits for.
pub(super) fn late_payment(order: &Order, channel: ChannelId, fee: Amount) -> SmallVec<[Entry; 2]> {
    let (id, terms) = (order.id, &*order.terms);
    let parked = entry(order, EntryCode::LatePayment)
        .with(Posting::debit(of_channel(AccountType::ChannelClearing, id, terms, channel), terms.payable()))
        .with(Posting::credit(of_platform(AccountType::Suspense, id, terms), terms.payable()));
    with_fee(order, channel, fee, parked)
}

/// Parked money goes back.
pub(super) fn late_refund(order: &Order, channel: ChannelId, amount: Amount) -> Entry {
    let (id, terms) = (order.id, &*order.terms);
    entry(order, EntryCode::LateRefund)
        .with(Posting::debit(of_platform(AccountType::Suspense, id, terms), amount))
        .with(Posting::credit(of_channel(AccountType::ChannelClearing, id, terms, channel), amount))
}

/// A parked payment is taken into its order, with the subsidies that are held anew.
pub(super) fn reopening(order: &Order, holds: &[OrderHold]) -> SmallVec<[Entry; 2]> {
    let suspense = of_platform(AccountType::Suspense, order.id, &order.terms);
    let mut taken = entry(order, EntryCode::Reopening).with(Posting::debit(suspense, order.terms.payable()));
    into_escrow(order, holds, &mut taken);
    let mut entries = smallvec![taken];
    entries.extend(coupons_used(order, holds));
    entries
}

/// A refund through `channel` came back.
pub(super) fn refund_bounced(order: &Order, channel: ChannelId, amount: Amount) -> Entry {
    let (id, terms) = (order.id, &*order.terms);
    entry(order, EntryCode::RefundBounced)
        .with(Posting::debit(of_channel(AccountType::ChannelClearing, id, terms, channel), amount))
        .with(Posting::credit(of_platform(AccountType::Suspense, id, terms), amount))
}

/// Parked money goes to `account` instead of back through its channel.
pub(super) fn bounced_refund(order: &Order, amount: Amount, account: AccountId) -> Entry {
    let suspense = of_platform(AccountType::Suspense, order.id, &order.terms);
    entry(order, EntryCode::BouncedRefund)
        .with(Posting::debit(suspense, amount))
        .with(Posting::credit(account, amount))
}
