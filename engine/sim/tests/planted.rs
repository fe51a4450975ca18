//! Each check finds the bug that it is there for: one is planted, and some of the next lives must break the invariant.
#![expect(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::collections::BTreeSet;
use std::path::Path;

use suanpan_core::invariants::Invariant;
use suanpan_core::ledger::Instruction;
use suanpan_model::order::AttemptState;
use suanpan_model::refund::RefundSource;
use suanpan_model::{AccountId, AccountType, Amount, CauseId, Currency, EntryCode, Lsn, Order, Posting};
use suanpan_runtime::journal::{Journal, MemoryJournal};
use suanpan_runtime::recovery::{Purpose, Recovered, recover};
use suanpan_runtime::store::{MemoryTables, Store, StoreOptions};
use suanpan_sim::plan::Sabotage;
use suanpan_sim::tap::Written;
use suanpan_sim::{Plan, live, live_plan};

/// Lives within which a planted bug must show.
const LIVES: u64 = 150;

const PLANTED: [(Sabotage, Invariant); 16] = [
    (Sabotage::ForgetsSynced, Invariant::AnsweredIsDurable),
    (Sabotage::SkipsPositions, Invariant::NoGaps),
    (Sabotage::CountsTwice, Invariant::OneEffect),
    (Sabotage::ChangesAmount, Invariant::BooksBalance),
    (Sabotage::LosesPosting, Invariant::ReplayEqualsLive),
    (Sabotage::LosesVoids, Invariant::HoldsHaveOrders),
    (Sabotage::LosesLines, Invariant::StatementsComplete),
    (Sabotage::InventsRefund, Invariant::BooksAgree),
    (Sabotage::DeafForEver, Invariant::EverythingEnds),
    (Sabotage::LosesAnswer, Invariant::AnsweredOnce),
    (Sabotage::RefusesFalsely, Invariant::RejectChangesNothing),
    (Sabotage::CommitsTwice, Invariant::NoPanic),
    (Sabotage::ForgetsFailures, Invariant::NoFailOverInDoubt),
    (Sabotage::KeepsLatePayments, Invariant::NoDoubleCharge),
    (Sabotage::ForgetsDebts, Invariant::DebtsRecovered),
    (Sabotage::LosesTidings, Invariant::MallsTold),
];

#[test]
fn every_planted_bug_is_found() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = Vec::new();
    for (sabotage, invariant) in PLANTED {
        let breaks_it = |seed: &u64| {
            let plan = Plan { sabotage: Some(sabotage), ..Plan::of(*seed) };
            let report = live_plan(plan, false);
            report.breaks.iter().any(|broken| Invariant::of(broken) == Some(invariant))
        };
        match (1..=LIVES).find(breaks_it) {
            Some(seed) => println!("{sabotage:?} breaks {invariant} in seed {seed}"),
            None => missed.push((sabotage, invariant)),
        }
    }
    drop(std::panic::take_hook());
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// A way to falsify a recovered state; false when this state has nothing to falsify.
type Falsify = fn(&mut Recovered) -> bool;

const FALSIFIED: [(&str, Falsify, Invariant); 9] = [
    (
        "a posting out of nothing",
        |state| post(state, &[(AccountType::Suspense, false)]),
        Invariant::BooksBalance,
    ),
    (
        "money into escrow for nobody",
        |state| post(state, &[(AccountType::Escrow, false), (AccountType::ChannelClearing, true)]),
        Invariant::Custody,
    ),
    (
        "a posting of an entry is changed",
        |state| {
            order(
                state,
                |order| !order.entries.is_empty(),
                |order| {
                    let posting = &mut order.entries[0].postings[0];
                    posting.amount = posting.amount.plus(Amount::from_minor(1));
                },
            )
        },
        Invariant::EntriesBalance,
    ),
    (
        "more is frozen than was paid",
        |state| {
            order(
                state,
                |order| order.paid_by.is_some(),
                |order| {
                    order.frozen = order.frozen.plus(Amount::from_minor(1));
                },
            )
        },
        Invariant::OrderConserved,
    ),
    (
        "a refund gives more than was paid",
        |state| {
            let is_refunded =
                |order: &Order| order.refunds.iter().any(|refund| refund.source == RefundSource::Order);
            order(state, is_refunded, |order| {
                let paid = order.terms.payable();
                order
                    .refunds
                    .iter_mut()
                    .for_each(|refund| refund.to_payer = paid.plus(Amount::from_minor(1)));
            })
        },
        Invariant::RefundsWithinPaid,
    ),
    (
        "two attempts at once",
        |state| {
            order(
                state,
                |order| order.alive().is_some(),
                |order| {
                    let mut again = order.attempts[0].clone();
                    again.state = AttemptState::Calling;
                    order.attempts.push(again);
                },
            )
        },
        Invariant::OneAttemptAlive,
    ),
    ("a held balance without holds", |state| account(state, AccountType::Cash, true), Invariant::HeldIsHolds),
    ("a balance below zero", |state| account(state, AccountType::Cash, false), Invariant::HeldWithinPosted),
    (
        "an overdrawn coupon fund",
        |state| account(state, AccountType::CouponFund, false),
        Invariant::CouponStock,
    ),
];

fn post(state: &mut Recovered, lines: &[(AccountType, bool)]) -> bool {
    for (kind, is_debit) in lines {
        let owner = if *kind == AccountType::ChannelClearing { 1 } else { 9_001 };
        let account = AccountId::internal(*kind, owner, Currency::Cny, 0);
        let amount = Amount::from_minor(1);
        let posting =
            if *is_debit { Posting::debit(account, amount) } else { Posting::credit(account, amount) };
        let instruction =
            Instruction::Post { posting, code: EntryCode::TopUp, cause: CauseId(1), currency: Currency::Cny };
        state.balances[0].ledger.carry_out(Lsn(u64::MAX), &instruction);
    }
    true
}

fn order(state: &mut Recovered, fits: impl Fn(&Order) -> bool, falsify: impl Fn(&mut Order)) -> bool {
    let mut orders = state.orders.values_mut().map(|known| known.open().unwrap());
    orders.find(|order| fits(order)).map(falsify).is_some()
}

fn account(state: &mut Recovered, kind: AccountType, holds: bool) -> bool {
    let ledger = &mut state.balances[0].ledger;
    let Some(mut account) = ledger.accounts().find(|account| account.id.kind() == kind).cloned() else {
        return false;
    };
    if holds {
        account.held = account.held.plus(Amount::from_minor(1));
    } else {
        account.posted = -1;
    }
    ledger.restore_account(account);
    true
}

/// The state that the first groups of a log give.
fn state(log: &[Written]) -> Recovered {
    let mut journal = MemoryJournal::new();
    for (_, records, payload) in log {
        journal.append(*records, payload).unwrap();
    }
    let tables = Box::new(MemoryTables::new());
    let store = Store::open_on(tables, Path::new("memory"), StoreOptions::default()).unwrap();
    recover(&store, &journal, 1, Purpose::Verify).unwrap()
}

#[test]
fn every_falsified_state_is_found() {
    let lives: Vec<Vec<Written>> = (1..=60).map(|seed| live(seed, true).log).collect();
    for (what, falsify, invariant) in FALSIFIED {
        let finds = |log: &Vec<Written>| {
            // Half-way, when orders are under way, and at the end.
            [log.len() / 3, log.len() / 2, log.len()].into_iter().any(|groups| {
                let mut state = state(&log[..groups]);
                assert_eq!(state.all_breaks(), [""; 0], "before anything was falsified");
                falsify(&mut state)
                    && state.all_breaks().iter().any(|broken| Invariant::of(broken) == Some(invariant))
            })
        };
        assert!(lives.iter().any(finds), "{what}: {invariant} is not found broken");
    }
}

/// The roll-up is kept by the ledger itself; it is falsified in an account below another.
#[test]
fn a_wrong_roll_up_is_found() {
    let log = live(1, true).log;
    let mut state = state(&log);
    let ledger = &mut state.balances[0].ledger;
    let mut below = ledger.accounts().find(|account| account.parent.is_some()).cloned().unwrap();
    below.posted += 1;
    ledger.restore_account(below);
    let broken = state.all_breaks();
    assert!(broken.iter().any(|broken| Invariant::of(broken) == Some(Invariant::RollUp)), "{broken:?}");
}

#[test]
fn every_invariant_has_a_planted_bug() {
    let planted = PLANTED.iter().map(|(_, invariant)| *invariant);
    let falsified = FALSIFIED.iter().map(|(_, _, invariant)| *invariant);
    let covered: BTreeSet<Invariant> = planted.chain(falsified).chain([Invariant::RollUp]).collect();
    let missing: Vec<_> = Invariant::ALL.iter().filter(|known| !covered.contains(known)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
