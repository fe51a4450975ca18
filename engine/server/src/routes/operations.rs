//! For the operator: books, health, metrics, the list of paths.

use std::fmt::Write;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use suanpan_model::command::OrderRef;
use suanpan_model::{OrderId, RejectCode};
use suanpan_runtime::Command;

use crate::answer::{Answered, json as respond};
use crate::endpoint::Endpoint;
use crate::identity::Operator;
use crate::metrics::CONTENT_TYPE;
use crate::problem::Problem;
use crate::state::State;
use crate::wire::{BooksOut, HealthOut, TrialBalanceOut};

pub(super) async fn trial_balance(_operator: Operator, state: Data<State>) -> Answered {
    respond(StatusCode::OK, &TrialBalanceOut::new(&state.engine.trial_balance().await))
}

pub(super) async fn books(_operator: Operator, state: Data<State>) -> Answered {
    let comparisons = state.engine.compare_books().await;
    respond(StatusCode::OK, &BooksOut::new(&comparisons, &state.engine.router()))
}

pub(super) async fn live() -> Answered {
    respond(StatusCode::OK, &HealthOut { status: "live" })
}

/// Asks the engine for an order that does not exist: whatever refuses that (a full queue, a full disk, an engine that
/// is ending) refuses orders too.
pub(super) async fn ready(state: Data<State>) -> Answered {
    if let Some(reason) = state.engine.stats().unavailable {
        return Err(Problem::new(RejectCode::Unavailable, "", reason));
    }
    let probe = Command::Query { platform: None, order: OrderRef::Id(OrderId(0)) };
    match state.engine.call(probe).await {
        Err(reject) if matches!(reject.code, RejectCode::Busy | RejectCode::Unavailable) => {
            Err(reject.into())
        }
        Err(_) | Ok(_) => respond(StatusCode::OK, &HealthOut { status: "ready" }),
    }
}

pub(super) async fn metrics(state: Data<State>) -> HttpResponse {
    let mut text = state.metrics.text(&state.engine.stats());
    crate::metrics::write_channels(
        &mut text,
        &state.engine.router(),
        &state.engine.learning(),
        state.engine.now(),
    );
    crate::metrics::write_attempts(&mut text, &state.engine);
    crate::metrics::write_notifications(&mut text, &state.notifier, state.engine.now());
    if let Some(tracer) = &state.tracer {
        crate::metrics::write_traces(&mut text, tracer.counts());
    }
    crate::metrics::write_process(&mut text);
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).body(text)
}

pub(super) async fn home() -> HttpResponse {
    let mut text = "suanpan: a payment order and routing engine\n\n".to_owned();
    for endpoint in Endpoint::ALL {
        let _ = writeln!(text, "{:4} {}\n     {}", endpoint.method, endpoint.path, endpoint.what);
    }
    text.push_str(
        "\nBodies are JSON; amounts are decimal strings with a currency, ids are strings, times are RFC 3339.\n\
         Errors are application/problem+json with a stable code.\n",
    );
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8")).body(text)
}
