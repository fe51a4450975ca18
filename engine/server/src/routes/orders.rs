//! Submitting orders and asking for them.

use std::rc::Rc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use suanpan_model::command::OrderRef;
use suanpan_model::order::{AttemptState, order_key};
use suanpan_model::{Order, OrderId, OrderStatus, PlatformId, RejectCode, TimestampMs};
use suanpan_runtime::{Command, Engine};

use crate::answer::{self, Answered, json, replayed};
use crate::body::{Body, read_json};
use crate::identity::Caller;
use crate::intake::Intake;
use crate::problem::Problem;
use crate::query::{Parameters, SUBMISSION};
use crate::state::{Names, State};
use crate::submission::{Submitted, submit, submit_many};
use crate::traces::made_order;
use crate::wire::{
    AttemptsOut, BatchOut, DisputesOut, LifeOut, NowOut, OrderContext, OrderIn, Parsed, RawBatchIn,
    ReceiptOut, RefundsOut, ReleasesOut, ResultOut, each_order, terms,
};

/// First and longest pause between two looks at an order.
const PAUSE_FIRST: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(100);

pub(super) async fn create(caller: Caller, state: Data<State>, request: HttpRequest, body: Body) -> Answered {
    let wait_ms = Parameters::read(&request, SUBMISSION)?.wait_ms()?;
    let order: OrderIn<'_> = body.read()?;
    let parsed = read(&order, &caller, &state.engine, state.engine.now())?;
    // Every worker is built with its intake.
    let intake = request.app_data::<Rc<Intake>>().ok_or_else(Problem::internal)?;
    let submitted = submit(intake, &state.engine, parsed).await?;
    if state.tracer.is_some() {
        made_order(&request, submitted.summary.id);
    }
    let now = match wait_ms {
        Some(wait_ms) => Some(wait(&state.engine, caller.platform, &submitted, wait_ms).await),
        None => None,
    };
    let is_replayed = submitted.summary.repeat && now.is_none();
    let status = if submitted.summary.repeat { StatusCode::OK } else { StatusCode::CREATED };
    let receipt = ReceiptOut::new(submitted.summary.id, &submitted.terms, now);
    let answer = answer::written(status, receipt.json())?;
    Ok(if is_replayed { replayed(answer) } else { answer })
}

fn read(order: &OrderIn<'_>, caller: &Caller, engine: &Engine, now: TimestampMs) -> Result<Parsed, Problem> {
    let lookup = Names { engine, platform: caller.platform };
    let context =
        OrderContext { platform: caller.platform, now, order_ttl: caller.policy.order_ttl, lookup: &lookup };
    Ok(terms(order, &context)?)
}

/// Waits until the payer has something to do or the order has a result; at the longest `wait_ms`. The order is
/// recorded: when the engine has no time to say where it stands, the answer is what is known from its creation.
async fn wait(engine: &Engine, platform: PlatformId, submitted: &Submitted, wait_ms: u64) -> NowOut {
    let summary = &submitted.summary;
    let patience = Duration::from_millis(wait_ms);
    let started = std::time::Instant::now();
    let mut pause = PAUSE_FIRST;
    let mut known = NowOut::new(summary.status, summary.action.as_ref());
    loop {
        let query = Command::Query { platform: Some(platform), order: OrderRef::Id(summary.id) };
        let order = engine.call(query).await.map_err(Problem::from).and_then(answer::life);
        let left = patience.saturating_sub(started.elapsed());
        if let Ok(order) = &order {
            known = now(order);
        }
        if left.is_zero() || order.is_ok_and(|order| has_news(&order)) {
            return known;
        }
        actix_rt::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn has_news(order: &Order) -> bool {
    match order.status {
        OrderStatus::Created | OrderStatus::Routing => false,
        OrderStatus::Pending => action(order).is_some(),
        OrderStatus::Paid
        | OrderStatus::Frozen
        | OrderStatus::PartReleased
        | OrderStatus::Settled
        | OrderStatus::Failed
        | OrderStatus::Closed
        | OrderStatus::Refunded
        | OrderStatus::Disputed => true,
    }
}

fn now(order: &Order) -> NowOut {
    NowOut::new(order.status, action(order))
}

/// What the payer has to do about the attempt that is alive.
fn action(order: &Order) -> Option<&suanpan_model::PayerAction> {
    match &order.alive()?.state {
        AttemptState::Waiting { action } => action.as_ref(),
        AttemptState::Calling
        | AttemptState::InDoubt(_)
        | AttemptState::Succeeded
        | AttemptState::Failed { .. }
        | AttemptState::NotSent(_)
        | AttemptState::Closed => None,
    }
}

pub(super) async fn batch(caller: Caller, state: Data<State>, body: Body) -> Answered {
    let read = read_batch(&body, &caller, &state)?;
    let mut places = Vec::with_capacity(read.len());
    let mut orders = Vec::with_capacity(read.len());
    for result in read {
        places.push(result.map(|order| orders.push(order)));
    }
    let mut submitted = submit_many(&state.engine, orders).await.into_iter();
    let results: Vec<Result<Submitted, Problem>> = places
        .into_iter()
        .map(|place| place.and_then(|()| submitted.next().unwrap_or_else(|| Err(Problem::internal()))))
        .collect();
    let out = BatchOut { results: results.iter().map(result_out).collect() };
    answer::written(StatusCode::OK, out.json())
}

fn result_out(result: &Result<Submitted, Problem>) -> ResultOut<'_> {
    match result {
        Ok(Submitted { terms, summary }) => ResultOut::Receipt {
            status: if summary.repeat { 200 } else { 201 },
            receipt: ReceiptOut::new(summary.id, terms, None),
        },
        Err(problem) => ResultOut::Problem { status: problem.status(), problem: problem.body() },
    }
}

/// Reads a batch in one pass; order by order when one of them is malformed, so that the others are not refused
/// with it.
fn read_batch(body: &Body, caller: &Caller, state: &State) -> Result<Vec<Result<Parsed, Problem>>, Problem> {
    let now = state.engine.now();
    let read = |order: &OrderIn<'_>| self::read(order, caller, &state.engine, now);
    if let Some(orders) = each_order(body.bytes(), state.orders_per_batch_max, read) {
        check_count(orders.len(), state)?;
        return Ok(orders);
    }
    let RawBatchIn { orders } = body.read()?;
    check_count(orders.len(), state)?;
    let one = |raw: &serde_json::value::RawValue| read(&read_json(raw.get().as_bytes())?);
    Ok(orders.into_iter().map(one).collect())
}

fn check_count(count: usize, state: &State) -> Result<(), Problem> {
    let most = state.orders_per_batch_max;
    match count {
        0 => Err(Problem::new(RejectCode::MissingField, "orders", "at least one order")),
        count if count > most => {
            Err(Problem::new(RejectCode::TooLarge, "orders", format!("at most {most} orders in one batch")))
        }
        _ => Ok(()),
    }
}

pub(super) async fn life(caller: Caller, state: Data<State>, path: Path<(String, String)>) -> Answered {
    let order = order_ref(caller.platform, &path.1)?;
    let order = find(&state.engine, &caller, order).await?;
    let router = state.engine.router();
    respond(&LifeOut::new(&order, &router))
}

pub(super) async fn attempts(caller: Caller, state: Data<State>, path: Path<(String, String)>) -> Answered {
    let order = find(&state.engine, &caller, order_ref(caller.platform, &path.1)?).await?;
    json(StatusCode::OK, &AttemptsOut::new(&order, &state.engine.router()))
}

pub(super) async fn releases(caller: Caller, state: Data<State>, path: Path<(String, String)>) -> Answered {
    let order = find(&state.engine, &caller, order_ref(caller.platform, &path.1)?).await?;
    json(StatusCode::OK, &ReleasesOut::new(&order))
}

pub(super) async fn refunds(caller: Caller, state: Data<State>, path: Path<(String, String)>) -> Answered {
    let order = find(&state.engine, &caller, order_ref(caller.platform, &path.1)?).await?;
    json(StatusCode::OK, &RefundsOut::new(&order))
}

pub(super) async fn dispute(caller: Caller, state: Data<State>, path: Path<(String, String)>) -> Answered {
    let order = find(&state.engine, &caller, order_ref(caller.platform, &path.1)?).await?;
    json(StatusCode::OK, &DisputesOut::new(&order))
}

fn respond(life: &LifeOut<'_>) -> Result<HttpResponse, Problem> {
    json(StatusCode::OK, life)
}

/// The order that a path names.
pub(super) fn order_ref(platform: PlatformId, text: &str) -> Result<OrderRef, Problem> {
    if let Some(order_no) = text.strip_prefix("no:") {
        return Ok(OrderRef::Key(order_key(platform, order_no)));
    }
    let number = text.parse().map(|number| OrderRef::Id(OrderId(number)));
    number.map_err(|_| {
        let expected = "the engine's number for an order of this platform, or no: and the platform's own";
        Problem::new(RejectCode::UnknownOrder, "order", expected)
    })
}

/// An order of the caller's.
pub(super) async fn find(
    engine: &Engine,
    caller: &Caller,
    order: OrderRef,
) -> Result<std::sync::Arc<Order>, Problem> {
    answer::life(engine.call(Command::Query { platform: Some(caller.platform), order }).await?)
}
