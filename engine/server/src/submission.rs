//! Handing orders to the engine, so that a repeat without an expiry is recognised.
//!
//! An order that leaves its expiry to the platform's default gets another one each time it is sent, so a repeat
//! would be a conflict. The recorded expiry counts: on a conflict, and only then, the recorded order is asked for and
//! the order sent again with the expiry that stands there. Whatever else differs is still a conflict.

use std::rc::Rc;
use std::sync::Arc;

use suanpan_model::command::OrderRef;
use suanpan_model::{OrderTerms, Reject, RejectCode};
use suanpan_runtime::api::OrderSummary;
use suanpan_runtime::{Command, Engine, Reply};

use crate::answer::{life, summary};
use crate::intake::Intake;
use crate::problem::Problem;
use crate::wire::Parsed;

/// An order that the engine has: the terms that are recorded, and where it stands.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The terms, with the recorded expiry.
    pub terms: Arc<OrderTerms>,
    /// Where it stands.
    pub summary: OrderSummary,
}

/// Submits one order.
///
/// # Errors
/// As the engine refuses it.
pub async fn submit(intake: &Rc<Intake>, engine: &Engine, order: Parsed) -> Result<Submitted, Problem> {
    let terms = Arc::new(order.terms);
    match intake.call(Command::Create(Arc::clone(&terms))).await {
        Err(reject) if order.default_expiry && is_conflict(&reject) => {
            let recorded = engine.call(query(&terms)).await;
            let Some(terms) = as_recorded(&terms, recorded)? else { return Err(reject.into()) };
            let again = engine.call(Command::Create(Arc::clone(&terms))).await;
            submitted(terms, again)
        }
        result => submitted(terms, result),
    }
}

/// Submits many orders; answers in their order.
pub async fn submit_many(engine: &Engine, orders: Vec<Parsed>) -> Vec<Result<Submitted, Problem>> {
    let default_expiry: Vec<bool> = orders.iter().map(|order| order.default_expiry).collect();
    let terms: Vec<Arc<OrderTerms>> = orders.into_iter().map(|order| Arc::new(order.terms)).collect();
    let results = engine.call_many(terms.iter().cloned().map(Command::Create).collect()).await;
    let mut answers = Vec::with_capacity(terms.len());
    let mut doubtful = Vec::new();
    for (place, (terms, result)) in terms.into_iter().zip(results).enumerate() {
        if let Err(reject) = &result
            && default_expiry[place]
            && is_conflict(reject)
        {
            doubtful.push((place, Arc::clone(&terms)));
        }
        answers.push(submitted(terms, result));
    }
    settle(engine, doubtful, &mut answers).await;
    answers
}

/// Sends conflicting orders again, each with the recorded expiry.
async fn settle(
    engine: &Engine,
    doubtful: Vec<(usize, Arc<OrderTerms>)>,
    answers: &mut [Result<Submitted, Problem>],
) {
    if doubtful.is_empty() {
        return;
    }
    let recorded = engine.call_many(doubtful.iter().map(|(_, terms)| query(terms)).collect()).await;
    let mut again = Vec::with_capacity(doubtful.len());
    for ((place, terms), recorded) in doubtful.into_iter().zip(recorded) {
        match as_recorded(&terms, recorded) {
            Ok(Some(terms)) => again.push((place, terms)),
            Ok(None) => {}
            Err(problem) => answers[place] = Err(problem),
        }
    }
    let commands = again.iter().map(|(_, terms)| Command::Create(Arc::clone(terms))).collect();
    let results = engine.call_many(commands).await;
    for ((place, terms), result) in again.into_iter().zip(results) {
        answers[place] = submitted(terms, result);
    }
}

fn is_conflict(reject: &Reject) -> bool {
    reject.code == RejectCode::IdempotencyConflict
}

fn query(terms: &OrderTerms) -> Command {
    Command::Query { platform: Some(terms.platform), order: OrderRef::Key(terms.key()) }
}

/// The terms with the recorded expiry; nothing when the recorded order has the same expiry and so differs elsewhere.
fn as_recorded(
    terms: &OrderTerms,
    recorded: Result<Reply, Reject>,
) -> Result<Option<Arc<OrderTerms>>, Problem> {
    let recorded = life(recorded?)?;
    if recorded.terms.expires_at == terms.expires_at {
        return Ok(None);
    }
    Ok(Some(Arc::new(OrderTerms { expires_at: recorded.terms.expires_at, ..terms.clone() })))
}

fn submitted(terms: Arc<OrderTerms>, result: Result<Reply, Reject>) -> Result<Submitted, Problem> {
    Ok(Submitted { terms, summary: summary(result?)? })
}
