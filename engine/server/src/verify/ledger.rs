//! Checks of the recovered books and of the orders that live.

use std::collections::BTreeMap;

use suanpan_core::invariants::Invariant;
use suanpan_model::money::signed_text;
use suanpan_model::order::RefundSource;
use suanpan_model::{AccountId, AccountType, Amount, Currency, Order};
use suanpan_runtime::recovery::Recovered;

use super::findings::Findings;

/// Checks the ledger as a whole.
pub fn check(recovered: &Recovered, findings: &mut Findings) {
    let accounts = || recovered.balances.iter().flat_map(|restored| restored.ledger.accounts());
    let mut sums: BTreeMap<Currency, (i128, i128)> = BTreeMap::new();
    for account in accounts() {
        let sum = sums.entry(account.currency).or_default();
        let balance = account.debit_balance();
        if balance > 0 { sum.0 += balance } else { sum.1 -= balance }
    }
    for (currency, (debit, credit)) in sums {
        let text = |minor| signed_text(minor, currency);
        let faults = match debit == credit {
            true => Vec::new(),
            false => {
                let what = format_args!("debits less credits: {} {currency}", text(debit - credit));
                vec![Invariant::BooksBalance.broken(what)]
            }
        };
        let counts = format!("{} debit, {} credit", text(debit), text(credit));
        findings.check(format!("books in {currency} sum to zero"), counts, faults);
    }
    custody(recovered, findings);
    let live = recovered.orders.len();
    let counts = format!("{} accounts, {live} orders in memory", accounts().count());
    findings.check("ledger and live orders hold their invariants", counts, recovered.all_breaks());
}

/// What is frozen for orders, promised refunds included, is what the escrow accounts hold.
fn custody(recovered: &Recovered, findings: &mut Findings) {
    let mut owed: BTreeMap<AccountId, (i128, i128)> = BTreeMap::new();
    for order in recovered.orders.values().map(|known| &known.order) {
        let terms = &order.terms;
        let escrow = AccountId::internal(AccountType::Escrow, terms.platform.0, terms.currency, 0);
        owed.entry(escrow).or_default().0 += frozen(order);
    }
    for account in recovered.balances.iter().flat_map(|restored| restored.ledger.accounts()) {
        if account.id.kind() == AccountType::Escrow {
            owed.entry(account.id.unstriped()).or_default().1 += account.posted;
        }
    }
    for (escrow, (owed, held)) in owed {
        let currency = escrow.internal_currency().unwrap_or_default();
        let text = |minor| signed_text(minor, currency);
        let faults = match owed == held {
            true => Vec::new(),
            false => {
                let what = format_args!("orders are owed {}, the account holds {}", text(owed), text(held));
                vec![Invariant::Custody.broken(what)]
            }
        };
        let what = format!("escrow of platform {} in {currency} is what is frozen", escrow.owner());
        findings.check(what, text(held), faults);
    }
}

fn frozen(order: &Order) -> i128 {
    let alive = |refund: &&suanpan_model::order::Refund| {
        refund.state.is_alive() && refund.source == RefundSource::Escrow
    };
    let returning: i128 = order.refunds.iter().filter(alive).map(|refund| refund.amount.signed()).sum();
    Amount::signed(order.frozen) + returning
}
