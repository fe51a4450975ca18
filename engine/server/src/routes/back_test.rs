//! Trying a draft rule set on recorded orders: an answer that grows line by line.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use suanpan_core::routing::Router;
use suanpan_model::{RejectCode, TimestampMs};
use suanpan_runtime::Engine;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::answer::Answered;
use crate::back_test::{Scope, Telling};
use crate::body::Body;
use crate::identity::Caller;
use crate::problem::Problem;
use crate::state::State;
use crate::text::parse_time;
use crate::wire::{RecordedLine, RulesIn, object, some_objects};

/// Lines that may wait for a caller who reads slowly.
const LINES_WAITING: usize = 256;
/// Changed orders that are told when the caller does not say how many.
const CHANGES_TOLD: u64 = 1_000;

/// A draft, and the orders that it is tried on: those given, or the platform's finished ones in the archive.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BackTest")]
pub(crate) struct BackTestIn {
    #[serde(deserialize_with = "object")]
    rules: RulesIn,
    /// Recorded orders; the platform's finished ones in the archive when absent.
    #[serde(default, deserialize_with = "some_objects")]
    orders: Option<Vec<RecordedLine>>,
    /// Only orders routed from this instant on.
    #[schemars(with = "Option<crate::wire::schema::Instant>")]
    from: Option<String>,
    /// Only orders routed before this instant.
    #[schemars(with = "Option<crate::wire::schema::Instant>")]
    until: Option<String>,
    /// Most changed orders that are told; 1000 when absent.
    changes_max: Option<u64>,
}

/// Lines of an answer as they come.
struct Lines(Receiver<Bytes>);

impl MessageBody for Lines {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.0.poll_recv(context).map(|line| line.map(Ok))
    }
}

pub(super) async fn back_test(caller: Caller, state: Data<State>, body: Body) -> Answered {
    let asked: BackTestIn = body.read()?;
    let rules = super::rules::read(&asked.rules, &state.engine, caller.platform)?;
    let (router, warnings) = state.engine.router().with_rules(caller.platform, rules).map_err(|faults| {
        let words: Vec<String> = faults.0.iter().map(ToString::to_string).collect();
        Problem::new(RejectCode::InvalidRules, "rules", "rules that can work; see faults")
            .with("faults", json!(words))
    })?;
    let instant = |field: &'static str, text: &Option<String>, usual: TimestampMs| match text {
        None => Ok(usual),
        Some(text) => parse_time(text).ok_or_else(|| {
            let expected = "a time of RFC 3339 such as 2026-01-01T00:00:00+08:00";
            Problem::new(RejectCode::InvalidField, field, expected)
        }),
    };
    let scope = Scope {
        platform: caller.platform,
        from: instant("from", &asked.from, TimestampMs(0))?,
        until: instant("until", &asked.until, TimestampMs::NEVER)?,
        changes_max: asked.changes_max.unwrap_or(CHANGES_TOLD),
    };
    let orders = match &asked.orders {
        None => None,
        Some(lines) => {
            let read = |(place, line): (usize, &RecordedLine)| {
                line.read(caller.platform, &router).map_err(|expected| {
                    Problem::new(RejectCode::InvalidField, format!("orders[{place}]"), expected)
                })
            };
            Some(lines.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?)
        }
    };
    let (sender, receiver) = channel(LINES_WAITING);
    let engine = state.engine.clone();
    // A thread of its own: the archive is read for as long as it takes, and the line is waited for.
    let thread = std::thread::Builder::new().name("back-test".to_owned());
    let work = move || {
        let listening = tell(&sender, &json!({ "warnings": super::rules::words(&warnings) }));
        if listening.is_continue() {
            run(&router, scope, orders, &engine, &sender);
        }
    };
    thread.spawn(work).map_err(|_| {
        Problem::new(RejectCode::Unavailable, "", "a machine that can start a thread; try again later")
    })?;
    let content = (header::CONTENT_TYPE, "application/x-ndjson");
    Ok(HttpResponse::Ok().insert_header(content).body(Lines(receiver)))
}

fn run(
    router: &Router,
    scope: Scope,
    orders: Option<Vec<suanpan_core::routing::backtest::Recorded>>,
    engine: &Engine,
    sender: &Sender<Bytes>,
) {
    let mut telling = Telling::new(router, scope, |line| tell(sender, &line));
    match orders {
        Some(orders) => {
            if orders.iter().try_for_each(|order| telling.take(order)).is_break() {
                return;
            }
        }
        None => {
            let mut gone = false;
            let read = engine.for_each_archived(&mut |order| {
                let flow = telling.take_order(&order);
                gone = flow.is_break();
                flow
            });
            if gone {
                return;
            }
            if let Err(fault) = read {
                tracing::error!(%fault, "a back-test ended early");
                let problem =
                    json!({ "problem": { "code": "unavailable", "detail": "an archive that can be read" } });
                // Nobody may listen any more.
                let _ = tell(sender, &problem);
                return;
            }
        }
    }
    // Nobody may listen any more.
    let _ = telling.finish();
}

/// Hands a line over; breaks off when nobody listens any more.
fn tell(sender: &Sender<Bytes>, line: &Value) -> ControlFlow<()> {
    let mut bytes = line.to_string().into_bytes();
    bytes.push(b'\n');
    match sender.blocking_send(Bytes::from(bytes)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}
