//! Accounts of TigerBeetle after a measurement, against the driver's own sums.

use rustc_hash::FxHashMap;

use super::plan::{self, COMMISSION, COUPON_FUND, ESCROW, FEES, FUNDING};
use crate::verify::{Sums, Verdict};

/// What an account holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Debits that are held.
    pub debits_pending: u128,
    /// Debits.
    pub debits_posted: u128,
    /// Credits that are held.
    pub credits_pending: u128,
    /// Credits.
    pub credits_posted: u128,
}

impl Balance {
    /// What has come in, less what has gone out.
    #[must_use]
    pub fn gained(self) -> i128 {
        signed(self.credits_posted) - signed(self.debits_posted)
    }
}

fn signed(amount: u128) -> i128 {
    i128::try_from(amount).unwrap_or(i128::MAX)
}

/// Every account by its number.
pub type Balances = FxHashMap<u128, Balance>;

/// Compares `balances` with what the orders of `sums` must have come to, when all of them have ended and `buyers` buyers
/// had `float` each.
#[must_use]
pub fn check(balances: &Balances, sums: &Sums, buyers: usize, float: i128) -> Verdict {
    let mut verdict = Verdict::default();
    let of = |account: u128| balances.get(&account).copied().unwrap_or_default();
    for (account, balance) in balances {
        let held = balance.debits_pending + balance.credits_pending;
        verdict.expect(|| format!("what is still held of account {account}"), &0, &held);
    }
    let all = balances.values().fold((0, 0), |(debits, credits), balance| {
        (debits + balance.debits_posted, credits + balance.credits_posted)
    });
    verdict.expect(|| "all debits and all credits".to_owned(), &all.0, &all.1);
    let escrow = of(ESCROW);
    verdict.expect(|| "what is left in escrow".to_owned(), &0, &escrow.gained());
    let through = sums.all_channels().paid + sums.cash + sums.fund;
    verdict.expect(|| "what went through escrow".to_owned(), &through, &signed(escrow.debits_posted));
    let single = [
        ("commission", COMMISSION, sums.commission),
        ("coupon fund", COUPON_FUND, -sums.fund),
        ("fees", FEES, sums.fee_income),
        ("funding", FUNDING, -float * i128::try_from(buyers).unwrap_or(0)),
    ];
    for (what, account, expected) in single {
        verdict.expect(|| what.to_owned(), &expected, &of(account).gained());
    }
    for (channel, book) in &sums.channels {
        let found = of(plan::clearing(*channel)).gained();
        verdict.expect(|| format!("clearing of channel {channel}"), &-book.paid, &found);
    }
    for (place, expected) in sums.merchants.iter().enumerate() {
        verdict.expect(|| format!("merchant {place}"), expected, &of(plan::merchant(place)).gained());
    }
    for (place, expected) in sums.agents.iter().enumerate() {
        verdict.expect(|| format!("agent {place}"), expected, &of(plan::agent(place)).gained());
    }
    let spent: i128 = (0..buyers).map(|place| float - of(plan::buyer(place)).gained()).sum();
    verdict.expect(|| "what buyers paid out of e-accounts".to_owned(), &sums.cash, &spent);
    verdict
}
