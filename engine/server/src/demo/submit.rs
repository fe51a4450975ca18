//! The mall submits its orders, singly and in batches, at a steady pace.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use suanpan_model::OrderId;
use tokio::sync::Semaphore;

use super::DemoFault;
use super::buyer::Buyer;
use super::mall::Mall;
use super::meters::record;
use super::script::{self, Script};

/// Orders that are submitted singly or in one batch.
const GROUP: usize = 50;
/// New orders a second.
const RATE: u32 = 800;
/// Most that the mall makes up for when it is behind its pace.
const MAKE_UP: Duration = Duration::from_millis(200);
/// Submissions under way at once.
const SUBMISSIONS_MAX: usize = 32;

/// Submits these orders of the script; each goes on with its buyer. `told` hears how many more were submitted.
///
/// # Errors
/// When the server cannot be reached.
pub async fn submit_all(
    mall: &Rc<Mall>,
    seed: u64,
    orders: Range<usize>,
    told: impl Fn(u64),
) -> Result<(), DemoFault> {
    let lanes = Arc::new(Semaphore::new(SUBMISSIONS_MAX));
    let mut next = Instant::now();
    for (group, first) in orders.clone().step_by(GROUP).enumerate() {
        let places = first..(first + GROUP).min(orders.end);
        if script::is_batch(seed, group) {
            pace(mall, seed, places.clone(), &mut next).await;
            let scripts = places.clone().map(|place| Script::new(seed, place)).collect();
            spawn(mall, &lanes, Submission::Batch(scripts)).await;
            told(places.len() as u64);
            continue;
        }
        for place in places {
            pace(mall, seed, place..place + 1, &mut next).await;
            spawn(mall, &lanes, Submission::Single(Box::new(Script::new(seed, place)))).await;
            told(1);
        }
    }
    // All lanes free: every submission has its answer.
    let _all = lanes.acquire_many(u32::try_from(SUBMISSIONS_MAX).unwrap_or(u32::MAX)).await;
    Ok(())
}

/// Waits for the turn of new orders. What an earlier run has submitted needs no pace.
async fn pace(mall: &Mall, seed: u64, places: Range<usize>, next: &mut Instant) {
    let known = |place: &usize| mall.record.borrow().orders().contains_key(&script::order_no(seed, *place));
    let new = places.filter(|place| !known(place)).count();
    let new = u32::try_from(new).unwrap_or(u32::MAX);
    // What a sleep overslept is made up for, a long stop is not.
    let now = Instant::now();
    let earliest = now.checked_sub(MAKE_UP).unwrap_or(now);
    *next = (*next).max(earliest) + Duration::from_secs(1) / RATE * new;
    actix_rt::time::sleep(next.saturating_duration_since(now)).await;
}

enum Submission {
    Single(Box<Script>),
    Batch(Vec<Script>),
}

async fn spawn(mall: &Rc<Mall>, lanes: &Arc<Semaphore>, submission: Submission) {
    let lane = Arc::clone(lanes).acquire_owned().await;
    let mall = Rc::clone(mall);
    actix_rt::spawn(async move {
        let submitted = match submission {
            Submission::Single(script) => single(&mall, *script).await,
            Submission::Batch(scripts) => batch(&mall, scripts).await,
        };
        if let Err(fault) = submitted {
            mall.problem(format!("a submission: {fault}"));
        }
        drop(lane);
    });
}

async fn single(mall: &Rc<Mall>, script: Script) -> Result<(), DemoFault> {
    let began = Instant::now();
    let answer = mall.post("orders", &script.body).await?;
    if answer.status == 201 {
        record(&mut mall.meters.borrow_mut().submit, answer.took);
    }
    let Some(order) = accept(mall, &script, answer.status, &answer.body)? else { return Ok(()) };
    if script.twice {
        repeat(mall, &script, order).await?;
    }
    Buyer::new(mall, script, order, began, answer.status == 200).spawn();
    Ok(())
}

/// Sends the order again: the answer must be the first one.
async fn repeat(mall: &Mall, script: &Script, order: OrderId) -> Result<(), DemoFault> {
    let answer = mall.post("orders", &script.body).await?;
    let same = mall.number(&answer.body).is_some_and(|(number, _)| number == order);
    if answer.status != 200 || !same {
        let (no, status) = (&script.order_no, answer.status);
        mall.problem(format!("order {no}: a repeat was answered with {status}: {}", answer.body));
    }
    mall.meters.borrow_mut().repeats += 1;
    Ok(())
}

async fn batch(mall: &Rc<Mall>, scripts: Vec<Script>) -> Result<(), DemoFault> {
    let began = Instant::now();
    let mut waiting = scripts;
    while !waiting.is_empty() {
        let orders: Vec<&Value> = waiting.iter().map(|script| &script.body).collect();
        let answer = mall.post("orders/batch", &json!({ "orders": orders })).await?;
        let Some(results) = answer.body["results"].as_array().filter(|list| list.len() == waiting.len())
        else {
            mall.problem(format!("a batch was answered with {}: {}", answer.status, answer.body));
            return Ok(());
        };
        record(&mut mall.meters.borrow_mut().batch, answer.took);
        let mut busy = Vec::new();
        let mut acknowledged = Vec::new();
        for (script, result) in waiting.into_iter().zip(results) {
            let status = result["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
            match status {
                200 | 201 => acknowledged.push((script, status, &result["receipt"])),
                503 => busy.push(script),
                _ => refuse(mall, &script, &result["problem"]),
            }
        }
        take_in(mall, acknowledged, began)?;
        if !busy.is_empty() {
            actix_rt::time::sleep(Duration::from_millis(100)).await;
        }
        waiting = busy;
    }
    Ok(())
}

/// Notes a batch of acknowledged orders in one write, then lets their buyers go.
fn take_in(
    mall: &Rc<Mall>,
    acknowledged: Vec<(Script, u16, &Value)>,
    began: Instant,
) -> Result<(), DemoFault> {
    let mut lines = Vec::with_capacity(acknowledged.len());
    let mut buyers = Vec::with_capacity(acknowledged.len());
    for (script, status, receipt) in acknowledged {
        let Some((order, number)) = mall.number(receipt) else {
            mall.problem(format!("order {}: an answer without a number: {receipt}", script.order_no));
            continue;
        };
        count(mall, status);
        lines.push((script.order_no.clone(), number));
        buyers.push(Buyer::new(mall, script, order, began, status == 200));
    }
    mall.acknowledge(&lines)?;
    buyers.into_iter().for_each(Buyer::spawn);
    Ok(())
}

fn accept(mall: &Mall, script: &Script, status: u16, body: &Value) -> Result<Option<OrderId>, DemoFault> {
    if !matches!(status, 200 | 201) {
        refuse(mall, script, body);
        return Ok(None);
    }
    let Some((order, number)) = mall.number(body) else {
        mall.problem(format!("order {}: an answer without a number: {body}", script.order_no));
        return Ok(None);
    };
    count(mall, status);
    mall.acknowledge(&[(script.order_no.clone(), number)])?;
    Ok(Some(order))
}

/// Counts an acknowledged order.
pub fn count(mall: &Mall, status: u16) {
    let mut meters = mall.meters.borrow_mut();
    match status {
        201 => meters.acknowledged += 1,
        _ => meters.repeats += 1,
    }
}

fn refuse(mall: &Mall, script: &Script, problem: &Value) {
    let code = problem["code"].as_str().unwrap_or("no code").to_owned();
    if mall.record.borrow().orders().contains_key(&script.order_no) {
        mall.problem(format!("order {} was acknowledged and is refused now: {problem}", script.order_no));
    }
    tracing::warn!(order_no = script.order_no, %problem, "refused");
    *mall.meters.borrow_mut().refused.entry(code).or_default() += 1;
}
