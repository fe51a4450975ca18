//! What must be true of a shard's books, and what is not.

use rustc_hash::FxHashMap;
use suanpan_model::{AccountId, AccountType, Currency};

use super::Ledger;
use crate::invariants::Invariant;

impl Ledger {
    /// Debits minus credits of all posted balances by currency; each is zero over all shards together.
    #[must_use]
    pub fn trial_balance(&self) -> FxHashMap<Currency, i128> {
        let mut sums: FxHashMap<Currency, i128> = FxHashMap::default();
        for account in self.accounts.values() {
            *sums.entry(account.currency).or_default() += account.debit_balance();
        }
        sums
    }

    /// Breaks of the invariants that hold inside one shard; empty when all is well.
    #[must_use]
    pub fn breaks(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut held: FxHashMap<AccountId, i128> = FxHashMap::default();
        for hold in self.holds.values() {
            *held.entry(hold.account).or_default() += hold.left.signed();
        }
        let mut below: FxHashMap<AccountId, i128> = FxHashMap::default();
        for account in self.accounts.values() {
            let mut parent = account.parent;
            while let Some(id) = parent {
                *below.entry(id).or_default() += account.posted;
                parent = self.accounts.get(id).and_then(|above| above.parent);
            }
        }
        for account in self.accounts.values() {
            let id = account.id;
            if account.held.signed() != held.get(&id).copied().unwrap_or(0) {
                let what = format_args!("account {id}: the held balance is not the sum of its holds");
                found.push(Invariant::HeldIsHolds.broken(what));
            }
            if account.below != below.get(&id).copied().unwrap_or(0) {
                let what = format_args!("account {id}: the roll-up is not the sum of the accounts below");
                found.push(Invariant::RollUp.broken(what));
            }
            if id.kind().is_limited() && account.available() < 0 {
                let what = format_args!("account {id}: the balance is below what the account allows");
                let is_fund = id.kind() == AccountType::CouponFund;
                let broken = if is_fund { Invariant::CouponStock } else { Invariant::HeldWithinPosted };
                found.push(broken.broken(what));
            }
        }
        found
    }
}
