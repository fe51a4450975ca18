//! For the operator: books, health, metrics, the list of paths.

use std::fmt::Write;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use serde_json::{Map, Value, json};
use suanpan_model::command::OrderRef;
use suanpan_model::money::signed_text;
use suanpan_model::{Currency, OrderId, RejectCode};
use suanpan_runtime::Command;

use crate::answer::{Answered, json as respond};
use crate::endpoint::Endpoint;
use crate::identity::Operator;
use crate::metrics::CONTENT_TYPE;
use crate::problem::Problem;
use crate::state::State;

pub(super) async fn trial_balance(_operator: Operator, state: Data<State>) -> Answered {
    let trial = state.engine.trial_balance().await;
    let row = |row: &suanpan_runtime::api::TrialRow| {
        json!({
            "kind": row.kind.name(),
            "owner": row.owner.to_string(),
            "currency": row.currency.code(),
            "accounts": row.accounts,
            "debit_balance": signed_text(row.debit_balance, row.currency),
        })
    };
    let used = |currency: &Currency| trial.rows.iter().any(|row| row.currency == *currency);
    let sums: Map<String, Value> = Currency::ALL
        .into_iter()
        .filter(used)
        .map(|currency| (currency.code().to_owned(), signed_text(trial.sum(currency), currency).into()))
        .collect();
    let body = json!({
        "balanced": trial.is_balanced(),
        "sums": sums,
        "breaks": trial.breaks,
        "rows": trial.rows.iter().map(row).collect::<Vec<_>>(),
    });
    respond(StatusCode::OK, &body)
}

pub(super) async fn books(_operator: Operator, state: Data<State>) -> Answered {
    let comparisons = state.engine.compare_books().await;
    let router = state.engine.router();
    let row = |one: &suanpan_runtime::api::BookComparison| {
        let name = router.capability(one.channel).map(|known| known.name.to_string());
        json!({
            "channel": name.unwrap_or_else(|| one.channel.to_string()),
            "currency": one.currency.code(),
            "ours": signed_text(one.ours, one.currency),
            "theirs": signed_text(one.theirs, one.currency),
            "difference": signed_text(one.ours - one.theirs, one.currency),
        })
    };
    let agree = comparisons.iter().all(|one| one.ours == one.theirs);
    let body = json!({ "agree": agree, "channels": comparisons.iter().map(row).collect::<Vec<_>>() });
    respond(StatusCode::OK, &body)
}

pub(super) async fn live() -> Answered {
    respond(StatusCode::OK, &json!({ "status": "live" }))
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
        Err(_) | Ok(_) => respond(StatusCode::OK, &json!({ "status": "ready" })),
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
