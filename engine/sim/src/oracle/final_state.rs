//! The state of a quiet engine beside the naive ledger and beside what the log alone gives.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use suanpan_core::invariants::Invariant;
use suanpan_model::policy::{Agreement, FeeBearer, RefundedFee};
use suanpan_model::{AccountId, AccountType, Currency, Lsn, Order, OrderId, TimestampMs};
use suanpan_runtime::Limits;
use suanpan_runtime::api::StatementQuery;
use suanpan_runtime::balance_shard::BalanceShard;
use suanpan_runtime::codec::decode_order_row;
use suanpan_runtime::journal::{FaultyStorage, Journal, MemoryJournal, SegmentJournal};
use suanpan_runtime::recovery::{Purpose, Recovered, Settings, Threads, recover_with};
use suanpan_runtime::store::{MemoryTables, Store, StoreOptions};

use super::ledger::{Line, NaiveLedger};
use crate::plan::{PLATFORM, Plan};
use crate::process::journal_options;
use crate::tap::Written;

/// Balances and holds of the running shards beside the naive ledger.
pub fn ledger(balances: &[BalanceShard], log: &NaiveLedger, breaks: &mut Vec<String>) {
    let shards = balances.len();
    let mut sum = 0;
    for shard in balances {
        let (rows, found) = shard.trial();
        breaks.extend(found);
        sum += rows.iter().map(|row| row.debit_balance).sum::<i128>();
    }
    if sum != 0 || log.imbalance() != 0 {
        let what = format!("debits less credits are {sum}, by the naive ledger {}", log.imbalance());
        breaks.push(Invariant::BooksBalance.broken(what));
    }
    let mut held: BTreeMap<AccountId, i128> = BTreeMap::new();
    for (account, left) in log.holds.values() {
        *held.entry(*account).or_default() += i128::from(*left);
    }
    let accounts: std::collections::BTreeSet<AccountId> =
        log.posted.keys().chain(log.opened.keys()).chain(held.keys()).copied().collect();
    for account in accounts {
        let live = balances[account.shard(shards)].balance(account);
        let live = live.map(|balance| (balance.posted, balance.held.signed())).unwrap_or_default();
        let naive =
            (log.posted.get(&account).copied().unwrap_or(0), held.get(&account).copied().unwrap_or(0));
        if live != naive {
            let what =
                format!("account {account}: posted and held are {live:?}, by the naive ledger {naive:?}");
            breaks.push(Invariant::ReplayEqualsLive.broken(what));
        }
    }
}

/// Whether a merchant gives back more than it got when its money is taken back.
#[must_use]
pub fn keeps_fees(agreement: Agreement) -> bool {
    agreement.fee_bearer == FeeBearer::Merchant && agreement.refunded_fee == RefundedFee::Keep
}

/// Nobody owes while money of theirs is there to be taken; nobody owes at all where receivers were never short.
pub fn debts(balances: &[BalanceShard], log: &NaiveLedger, may_owe: bool, breaks: &mut Vec<String>) {
    for account in log.opened.keys() {
        let owed = [account.receivable(), account.advanced()];
        let owed: i128 = owed.iter().filter_map(|debt| log.posted.get(debt)).sum();
        let available =
            balances[account.shard(balances.len())].balance(*account).map_or(0, |found| found.available);
        if owed < 0 || owed > 0 && available > 0 {
            let what = format!("account {account} owes {owed} minor units and has {available} available");
            breaks.push(Invariant::DebtsRecovered.broken(what));
        }
    }
    for order in log.debts.iter().filter(|_| !may_owe) {
        let what = format!("order {order} made debts although no receiver could be short");
        breaks.push(Invariant::DebtsRecovered.broken(what));
    }
    // What platforms advanced is what their receivers owe them.
    let advanced = log.posted.iter().filter(|(account, _)| account.kind() == AccountType::Advanced);
    let advanced: i128 = advanced.map(|(_, posted)| *posted).sum();
    let advance = log.striped(AccountId::internal(AccountType::Advance, PLATFORM.0, Currency::Cny, 0));
    if advanced != advance {
        let what = format!("{advanced} minor units are owed to the platform, which advanced {advance}");
        breaks.push(Invariant::DebtsRecovered.broken(what));
    }
}

/// Once everything is over nothing is left in escrow or in suspense.
pub fn custody(log: &NaiveLedger, breaks: &mut Vec<String>) {
    for kind in [AccountType::Escrow, AccountType::Suspense] {
        let left = log.striped(AccountId::internal(kind, PLATFORM.0, Currency::Cny, 0));
        if left != 0 {
            let what = format!("{left} minor units are left in {} at the end", kind.name());
            breaks.push(Invariant::Custody.broken(what));
        }
    }
    for (id, heard) in log.orders.iter().filter(|(_, heard)| heard.escrow != 0 || heard.suspense != 0) {
        let what =
            format!("order {id}: {} in escrow and {} in suspense at the end", heard.escrow, heard.suspense);
        breaks.push(Invariant::Custody.broken(what));
    }
}

/// Statements of all accounts beside the naive ledger.
pub fn statements(balances: &[BalanceShard], log: &NaiveLedger, page: usize, breaks: &mut Vec<String>) {
    for (account, expected) in &log.lines {
        let shard = &balances[account.shard(balances.len())];
        let mut found: Vec<Line> = Vec::new();
        let mut after = Lsn(0);
        loop {
            let query = StatementQuery {
                account: *account,
                after,
                from: TimestampMs(0),
                until: TimestampMs::NEVER,
                limit: page,
            };
            let lines = match shard.statement(&query) {
                Ok(lines) => lines,
                Err(reject) => {
                    breaks.push(Invariant::StatementsComplete.broken(format!("account {account}: {reject}")));
                    return;
                }
            };
            let Some(last) = lines.last() else { break };
            after = last.lsn;
            found.extend(lines.iter().map(|line| {
                let credit = line.side == suanpan_model::Side::Credit;
                (line.lsn.0, credit, line.amount.minor(), line.balance)
            }));
        }
        if found != *expected {
            let place = found.iter().zip(expected).position(|(found, expected)| found != expected);
            let place = place.unwrap_or(found.len().min(expected.len()));
            let what = format!(
                "account {account}: {} lines for {} postings, from line {place} on {:?} for {:?}",
                found.len(),
                expected.len(),
                found.get(place),
                expected.get(place),
            );
            breaks.push(Invariant::StatementsComplete.broken(what));
        }
    }
}

/// The order as a recovery has it: live, or in the archive.
fn recovered_order(recovered: &Recovered, store: &Store, id: OrderId) -> Option<Order> {
    if let Some(known) = recovered.orders.get(&id) {
        return known.look().ok().map(Cow::into_owned);
    }
    let row = store.order(id.0).ok()??;
    decode_order_row(&row).ok().map(|(_, order)| order)
}

fn same(
    what: &str,
    recovered: &Recovered,
    store: &Store,
    orders: &[Arc<Order>],
    balances: &[BalanceShard],
    breaks: &mut Vec<String>,
) {
    let mut differs =
        |text: String| breaks.push(Invariant::ReplayEqualsLive.broken(format!("{what}: {text}")));
    for order in orders {
        match recovered_order(recovered, store, order.id) {
            Some(found) if found == **order => {}
            Some(found) => differs(format!(
                "order {} is {} after {} steps, live {} after {}",
                order.id,
                found.status,
                found.steps.len(),
                order.status,
                order.steps.len()
            )),
            None => differs(format!("order {} is not there", order.id)),
        }
    }
    let mut accounts = 0;
    for restored in &recovered.balances {
        for account in restored.ledger.accounts() {
            accounts += 1;
            let live = balances[account.id.shard(balances.len())].balance(account.id);
            let found = (account.posted, account.held, account.rolled_up());
            let live = live.map(|live| (live.posted, live.held, live.rolled_up));
            if live != Some(found) {
                differs(format!("account {} has {found:?}, live {live:?}", account.id));
            }
        }
    }
    let live: usize = balances.iter().flat_map(|shard| shard.trial().0).map(|row| row.accounts).sum();
    if live != accounts {
        differs(format!("{accounts} accounts, live {live}"));
    }
}

/// What the disks give now, and what the whole log gives alone, beside the running engine.
pub fn replays(
    plan: &Plan,
    disk: &FaultyStorage,
    tables: &MemoryTables,
    log: &[Written],
    orders: &[Arc<Order>],
    balances: &[BalanceShard],
    breaks: &mut Vec<String>,
) {
    let open = |tables| Store::open_on(Box::new(tables), Path::new("memory"), StoreOptions::default());
    let journal = SegmentJournal::open_in(Arc::new(disk.copy()), journal_options(plan));
    match (journal, open(tables.copy())) {
        (Ok(journal), Ok(store)) => {
            replay("from the disks", &plan.limits, &store, &journal, plan.shards, orders, balances, breaks);
        }
        (Err(fault), _) => breaks.push(Invariant::ReplayEqualsLive.broken(fault)),
        (_, Err(fault)) => breaks.push(Invariant::ReplayEqualsLive.broken(fault)),
    }
    let mut whole = MemoryJournal::new();
    for (_, records, payload) in log {
        if let Err(fault) = whole.append(*records, payload) {
            breaks.push(Invariant::ReplayEqualsLive.broken(fault));
        }
    }
    if let Ok(store) = open(MemoryTables::new()) {
        // Another number of shards, and no limits: what the log says depends on neither.
        let what = "from the log alone";
        replay(what, &Limits::USUAL, &store, &whole, 1, orders, balances, breaks);
    }
}

#[expect(clippy::too_many_arguments, reason = "two states side by side")]
fn replay(
    what: &str,
    limits: &Limits,
    store: &Store,
    journal: &dyn Journal,
    shards: usize,
    orders: &[Arc<Order>],
    balances: &[BalanceShard],
    breaks: &mut Vec<String>,
) {
    let settings =
        Settings { limits: *limits, conditions: &FxHashMap::default(), policies: &[], threads: Threads::One };
    match recover_with(settings, store, journal, shards, Purpose::Verify) {
        Ok(recovered) => {
            breaks.extend(recovered.all_breaks());
            same(what, &recovered, store, orders, balances, breaks);
        }
        Err(fault) => breaks.push(Invariant::ReplayEqualsLive.broken(format!("{what}: {fault}"))),
    }
}

/// Every order number in the archive, for the check that none is there that the log does not know.
pub fn archived(store: &Store) -> Vec<OrderId> {
    let mut ids = Vec::new();
    let visited = store.for_each_order(&mut |id, _| {
        ids.push(OrderId(id));
        ControlFlow::Continue(())
    });
    visited.map_or_else(|_| Vec::new(), |_| ids)
}
