//! The checks at the end.

use std::time::{Duration, Instant};

use suanpan_core::invariants::Invariant;
use suanpan_model::Currency;
use suanpan_runtime::Engine;
use suanpan_runtime::api::{BookComparison, TrialBalance};

use super::mall::Mall;
use super::survey::Survey;

/// How long money that is still on its way (late payments, their refunds) may take after the last buyer left.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the books.
const PAUSE: Duration = Duration::from_millis(200);

/// What is known at the end.
pub struct Outcome {
    /// Every acknowledged order.
    pub survey: Survey,
    /// The trial balance.
    pub trial: TrialBalance,
    /// The clearing accounts beside the channels' books.
    pub books: Vec<BookComparison>,
}

/// Looks at everything at a moment at which nothing is under way, or when no such moment came in time. A payer may still
/// pay for an order that was closed: then it takes a while until the money is back.
pub async fn look(engine: &Engine, mall: &Mall) -> Outcome {
    let began = Instant::now();
    loop {
        let mut agreed = 0;
        while agreed < 3 && began.elapsed() < PATIENCE {
            let agree = engine.compare_books().await.iter().all(agrees);
            agreed = if agree { agreed + 1 } else { 0 };
            actix_rt::time::sleep(PAUSE).await;
        }
        let survey = Survey::take(engine, mall).await;
        let trial = engine.trial_balance().await;
        let books = engine.compare_books().await;
        let is_quiet = survey.unfinished.is_empty() && books.iter().all(agrees);
        if is_quiet || began.elapsed() >= PATIENCE {
            return Outcome { survey, trial, books };
        }
    }
}

/// Whether our account with the channel is what the channel's book says.
#[must_use]
pub const fn agrees(books: &BookComparison) -> bool {
    books.ours == books.theirs
}

/// Everything that is wrong, in words; empty when all is well.
#[must_use]
pub fn failures(mall: &Mall, Outcome { survey, trial, books }: &Outcome) -> Vec<String> {
    let mut failures = Vec::new();
    let listed =
        |what: &str, list: &[String]| list.iter().map(|one| format!("{what}: {one}")).collect::<Vec<_>>();
    failures.extend(listed(Invariant::AnsweredIsDurable.id(), &survey.missing));
    failures.extend(listed(Invariant::EverythingEnds.id(), &survey.unfinished));
    failures.extend(listed("order", &survey.breaks));
    failures.extend(listed("ledger", &trial.breaks));
    failures.extend(listed("mall", &mall.problems.borrow()));
    for currency in Currency::ALL {
        let sum = trial.sum(currency);
        if sum != 0 {
            let what = format_args!("the books in {currency} do not sum to zero: {sum} minor units");
            failures.push(Invariant::BooksBalance.broken(what));
        }
    }
    for one in books.iter().filter(|one| !agrees(one)) {
        let BookComparison { channel, currency, ours, theirs } = one;
        let what = format_args!("channel {channel} in {currency}: ours {ours}, theirs {theirs} minor units");
        failures.push(Invariant::BooksAgree.broken(what));
    }
    failures
}
