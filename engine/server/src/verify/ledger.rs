//! Checks of the recovered books and of the orders that live.

use std::collections::BTreeMap;

use suanpan_core::invariants::Invariant;
use suanpan_model::money::signed_text;
use suanpan_model::{AccountId, AccountType, Currency, Order};
use suanpan_runtime::recovery::{Recovered, in_escrow, in_suspense};

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

/// What is frozen for orders, promised refunds included, is what the escrow accounts hold; what is parked for them is
/// what the suspense accounts hold.
fn custody(recovered: &Recovered, findings: &mut Findings) {
    type Of = fn(&Order) -> i128;
    let kinds: [(AccountType, &str, Of); 2] =
        [(AccountType::Escrow, "frozen", in_escrow), (AccountType::Suspense, "parked", in_suspense)];
    let mut sums: BTreeMap<AccountId, (i128, i128)> = BTreeMap::new();
    // A row that cannot be read is told of with the invariants.
    for order in recovered.orders.values().filter_map(|known| known.look().ok()) {
        let terms = &order.terms;
        for (kind, _, of) in kinds {
            let account = AccountId::internal(kind, terms.platform.0, terms.currency, 0);
            sums.entry(account).or_default().0 += of(&order);
        }
    }
    for account in recovered.balances.iter().flat_map(|restored| restored.ledger.accounts()) {
        if kinds.iter().any(|(kind, _, _)| *kind == account.id.kind()) {
            sums.entry(account.id.unstriped()).or_default().1 += account.posted;
        }
    }
    for (account, (owed, held)) in sums {
        let currency = account.internal_currency().unwrap_or_default();
        let text = |minor| signed_text(minor, currency);
        let faults = match owed == held {
            true => Vec::new(),
            false => {
                let what = format_args!("orders are owed {}, the account holds {}", text(owed), text(held));
                vec![Invariant::Custody.broken(what)]
            }
        };
        let kind = account.kind();
        let state = kinds.iter().find(|(known, _, _)| *known == kind).map_or("", |(_, state, _)| state);
        let what =
            format!("{} of platform {} in {currency} is what is {state}", kind.name(), account.owner());
        findings.check(what, text(held), faults);
    }
}
