//! Each check finds the bug that it is there for: one is planted, and some of the next lives must break the invariant.

use suanpan_core::invariants::Invariant;
use suanpan_sim::plan::Sabotage;
use suanpan_sim::{Plan, live_plan};

/// Lives within which a planted bug must show.
const LIVES: u64 = 150;

const PLANTED: [(Sabotage, Invariant); 13] = [
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
    (Sabotage::KeepsLatePayments, Invariant::NoDoubleCharge),
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
