//! The naive twin: one mutex around two maps, and the arithmetic of the canonical order written down once more. It is the
//! oracle of the core's cents, and the baseline that an engine without rules, log and routing would be.

use std::collections::HashMap;
use std::sync::Mutex;

use suanpan_model::OrderTerms;

/// Where an order of the twin stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Frozen { amount: u64, fee: u64 },
    Settled,
}

/// Sums by account, in minor units.
#[derive(Debug, Default)]
struct State {
    orders: HashMap<String, Stage>,
    balances: HashMap<u64, i128>,
}

/// Orders and balances behind one lock.
#[derive(Debug, Default)]
pub struct Twin(Mutex<State>);

/// Accounts that the twin has one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum House {
    /// What channels owe.
    Clearing = 1,
    /// What coupons cost.
    Fund = 2,
    /// What is frozen.
    Escrow = 3,
    /// What the platform earned.
    Commission = 4,
    /// What merchants paid for channels.
    FeeIncome = 5,
    /// What channels cost.
    FeeExpense = 6,
}

impl Twin {
    /// Takes an order and its payment, of which the channel keeps `fee`; false when it has the number already.
    ///
    /// # Panics
    /// When another thread panicked.
    pub fn pay(&self, terms: &OrderTerms, fee: u64) -> bool {
        let mut state = self.0.lock().expect("no thread panics here");
        let amount = terms.amount.minor();
        if state.orders.contains_key(terms.order_no.as_str()) {
            return false;
        }
        state.orders.insert(terms.order_no.to_string(), Stage::Frozen { amount, fee });
        let (amount, fee) = (i128::from(amount), i128::from(fee));
        let subsidy = i128::from(terms.subsidy().minor());
        state.add(House::Clearing as u64, subsidy - amount + fee);
        state.add(House::Fund as u64, -subsidy);
        state.add(House::Escrow as u64, amount);
        state.add(House::FeeExpense as u64, -fee);
        true
    }

    /// Gives an order's money to its receivers: 5 % to the platform, 2 % to the agent, the fee, the rest to the merchant.
    ///
    /// # Panics
    /// When another thread panicked.
    pub fn release(&self, terms: &OrderTerms) -> bool {
        let mut state = self.0.lock().expect("no thread panics here");
        let Some(stage) = state.orders.get_mut(terms.order_no.as_str()) else { return false };
        let Stage::Frozen { amount, fee } = *stage else { return false };
        *stage = Stage::Settled;
        let [commission, agent] = shares(amount);
        let merchant = terms.sub_orders[0].merchant.raw();
        state.add(House::Escrow as u64, -i128::from(amount));
        state.add(House::Commission as u64, i128::from(commission));
        state.add(terms.splits[1].receiver.raw(), i128::from(agent));
        state.add(House::FeeIncome as u64, i128::from(fee));
        state.add(merchant, i128::from(amount - commission - agent - fee));
        true
    }

    /// Credits less debits of an account, in minor units.
    ///
    /// # Panics
    /// When another thread panicked.
    #[must_use]
    pub fn balance(&self, account: u64) -> i128 {
        self.0.lock().expect("no thread panics here").balances.get(&account).copied().unwrap_or(0)
    }

    /// Credits less debits of everything.
    ///
    /// # Panics
    /// When another thread panicked.
    #[must_use]
    pub fn sum(&self) -> i128 {
        self.0.lock().expect("no thread panics here").balances.values().sum()
    }
}

impl State {
    fn add(&mut self, account: u64, amount: i128) {
        *self.balances.entry(account).or_default() += amount;
    }
}

/// 5 % and 2 % of an amount, whose rest is 93 %: whole cents first, then a cent each to the largest remainders, the earlier
/// one first.
fn shares(amount: u64) -> [u64; 2] {
    let mut cents = [5, 2, 93].map(|percent| amount * percent / 100);
    let mut left = [5, 2, 93].map(|percent| amount * percent % 100);
    for _ in cents.iter().sum::<u64>()..amount {
        let mut largest = 0;
        for place in 1..3 {
            if left[place] > left[largest] {
                largest = place;
            }
        }
        cents[largest] += 1;
        left[largest] = 0;
    }
    [cents[0], cents[1]]
}
