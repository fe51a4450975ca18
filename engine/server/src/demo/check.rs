//! The checks at the end.

use std::time::{Duration, Instant};

use suanpan_model::Currency;
use suanpan_runtime::Engine;
use suanpan_runtime::api::{BookComparison, TrialBalance};

use super::mall::Mall;
use super::survey::Survey;

/// How long money that is still on its way (late payments, their refunds) may take after the last buyer left.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the books.
const PAUSE: Duration = Duration::from_millis(200);

/// Asks for every order once nothing is under way and the clearing accounts agree with the channels' books, or when
/// that did not come about in time.
pub async fn settled_survey(engine: &Engine, mall: &Mall) -> Survey {
    let began = Instant::now();
    loop {
        let mut agreed = 0;
        while agreed < 3 && began.elapsed() < PATIENCE {
            let agree = engine.compare_books().await.iter().all(agrees);
            agreed = if agree { agreed + 1 } else { 0 };
            actix_rt::time::sleep(PAUSE).await;
        }
        let survey = Survey::take(engine, mall).await;
        if survey.unfinished.is_empty() || began.elapsed() >= PATIENCE {
            return survey;
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
pub fn failures(mall: &Mall, survey: &Survey, trial: &TrialBalance, books: &[BookComparison]) -> Vec<String> {
    let mut failures = Vec::new();
    let listed =
        |what: &str, list: &[String]| list.iter().map(|one| format!("{what}: {one}")).collect::<Vec<_>>();
    failures.extend(listed("acknowledged order", &survey.missing));
    failures.extend(listed("not ended", &survey.unfinished));
    failures.extend(listed("order", &survey.breaks));
    failures.extend(listed("ledger", &trial.breaks));
    failures.extend(listed("mall", &mall.problems.borrow()));
    for currency in Currency::ALL {
        let sum = trial.sum(currency);
        if sum != 0 {
            failures.push(format!("the books in {currency} do not sum to zero: {sum} minor units"));
        }
    }
    for one in books.iter().filter(|one| !agrees(one)) {
        let BookComparison { channel, currency, ours, theirs } = one;
        failures.push(format!("channel {channel} in {currency}: ours {ours}, theirs {theirs} minor units"));
    }
    failures
}
