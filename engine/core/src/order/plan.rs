//! Who is to get what of an order: worked out from its terms and the channel's fee, sub-order by sub-order, before
//! anything is given. Releases and refunds only move along it, so that in the end every cent is where the plan says,
//! whatever the steps were.

use smallvec::SmallVec;
use suanpan_model::order::Stake;
use suanpan_model::policy::FeeBearer;
use suanpan_model::{AccountId, AccountType, Amount, Order, SplitRule};

use crate::split::{allocate, divide, proportion, sum, table};

/// A table of sums: one row for each sub-order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    columns: usize,
    cells: SmallVec<[Amount; 8]>,
}

impl Plan {
    /// What belongs to a sub-order, column by column.
    pub(super) fn row(&self, place: usize) -> &[Amount] {
        &self.cells[place * self.columns..(place + 1) * self.columns]
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }
}

/// What each receiver gets of each sub-order: one column for each split, then the channel's fee, then the merchant.
///
/// # Panics
/// When the splits take more than there is: they were checked when the order came.
pub(super) fn shares(order: &Order) -> Plan {
    let prices: SmallVec<[Amount; 4]> = prices(order).collect();
    let splits = &order.terms.splits;
    let parts = divide(order.terms.amount, splits).expect("splits were checked to fit");
    let weights: SmallVec<[u64; 8]> = prices.iter().map(|price| price.minor()).collect();
    with_rest(&prices, &parts, &allocate(fee_of_merchants(order), &weights))
}

/// What each payee that a release names gets of the `amounts` that it releases, laid out like [`shares`]; `None` when
/// they would take more than there is. Merchants bear the channel's fee here too, in proportion to what is released to
/// named payees.
pub(super) fn shares_of_release(order: &Order, amounts: &[Amount], payees: &[SplitRule]) -> Option<Plan> {
    let parts = divide(sum(amounts), payees)?;
    let prices: SmallVec<[u64; 8]> = prices(order).map(Amount::minor).collect();
    let whole = allocate(fee_of_merchants(order), &prices);
    let fee = |place: usize| {
        let named =
            order.part(place).map_or(&[][..], |part| part.stakes.get(own_lines(order)..).unwrap_or(&[]));
        let fees = named.iter().filter(|stake| stake.account.kind() == AccountType::FeeIncome);
        let given = |sum: Amount, stake: &Stake| sum.plus(stake.given);
        let upto = named.iter().fold(amounts[place], given);
        let due = proportion(whole[place], upto, order.terms.sub_orders[place].amount);
        due.checked_sub(fees.fold(Amount::ZERO, given)).unwrap_or(Amount::ZERO)
    };
    let fees: SmallVec<[Amount; 4]> = (0..amounts.len()).map(fee).collect();
    Some(with_rest(amounts, &parts, &fees))
}

/// How many stakes of a sub-order follow its plan: the splits, the fee, the merchant. Those of named payees stand behind.
pub(super) fn own_lines(order: &Order) -> usize {
    order.terms.splits.len() + 2
}

/// The receivers' `parts` over `rows` in proportion, then the fee of each row as far as it can bear it, then what is left.
fn with_rest(rows: &[Amount], parts: &[Amount], fees: &[Amount]) -> Plan {
    let weights: SmallVec<[u64; 8]> = rows.iter().map(|row| row.minor()).collect();
    let taken = allocate(sum(parts), &weights);
    let given = table(&taken, parts);
    let columns = parts.len() + 2;
    let mut cells = SmallVec::with_capacity(columns * rows.len());
    for (place, row) in rows.iter().enumerate() {
        cells.extend_from_slice(&given[place * parts.len()..(place + 1) * parts.len()]);
        let left = row.minus(taken[place]);
        let fee = fees[place].min(left);
        cells.push(fee);
        cells.push(left.minus(fee));
    }
    Plan { columns, cells }
}

/// The channel's fee, where merchants bear it.
fn fee_of_merchants(order: &Order) -> Amount {
    let paid_by = order.paid_by.and_then(|no| order.attempt(no));
    match (order.agreement.fee_bearer, paid_by) {
        // A channel may charge more than it was paid; merchants never bear more than the price.
        (FeeBearer::Merchant, Some(attempt)) => attempt.fee.min(order.terms.amount),
        (FeeBearer::Merchant, None) | (FeeBearer::Platform, _) => Amount::ZERO,
    }
}

/// Who paid what of each sub-order: one column for the payer, then one for each funder of each coupon.
pub(super) fn funds(order: &Order) -> Plan {
    let coupons = &order.terms.coupons;
    let columns = 1 + coupons.iter().map(|coupon| coupon.funders.len()).sum::<usize>();
    let prices: SmallVec<[Amount; 4]> = prices(order).collect();
    let mut cells: SmallVec<[Amount; 8]> = SmallVec::from_elem(Amount::ZERO, columns * prices.len());
    for (place, price) in prices.iter().enumerate() {
        let subsidies = coupons.iter().map(|coupon| coupon.shares[place]);
        cells[place * columns] = subsidies.fold(*price, Amount::minus);
    }
    let mut first = 1;
    for coupon in coupons {
        let parts: SmallVec<[Amount; 4]> = coupon.funders.iter().map(|(_, part)| *part).collect();
        let table = table(&coupon.shares, &parts);
        for place in 0..prices.len() {
            let from = place * columns + first;
            cells[from..from + parts.len()]
                .copy_from_slice(&table[place * parts.len()..(place + 1) * parts.len()]);
        }
        first += parts.len();
    }
    Plan { columns, cells }
}

/// The funders of an order's coupons, in the order of the columns of [`funds`] after the payer's.
pub(super) fn funders(order: &Order) -> impl Iterator<Item = AccountId> {
    order.terms.coupons.iter().flat_map(|coupon| coupon.funders.iter().map(|(account, _)| *account))
}

/// The account of a column of [`shares`] for a sub-order.
pub(super) fn receiver(order: &Order, place: usize, column: usize) -> AccountId {
    let terms = &*order.terms;
    match column.checked_sub(terms.splits.len()) {
        None => terms.splits[column].receiver,
        Some(0) => AccountId::internal(AccountType::FeeIncome, terms.platform.0, terms.currency, 0),
        Some(_) => terms.sub_orders[place].merchant,
    }
}

fn prices(order: &Order) -> impl Iterator<Item = Amount> {
    order.terms.sub_orders.iter().map(|sub_order| sub_order.amount)
}
