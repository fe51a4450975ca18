//! Answers as JSON.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::Serialize;
use suanpan_model::Order;
use suanpan_runtime::Reply;
use suanpan_runtime::api::OrderSummary;

use crate::idempotency::REPLAYED;
use crate::problem::Problem;

/// What a handler answers.
pub type Answered = Result<HttpResponse, Problem>;

/// Bytes that most answers fit in.
const ROOM: usize = 512;

/// An answer with a body of JSON.
///
/// # Errors
/// `internal` when the body cannot be written, which is a bug.
pub fn json(status: StatusCode, body: &impl Serialize) -> Answered {
    let mut bytes = Vec::with_capacity(ROOM);
    written(status, serde_json::to_writer(&mut bytes, body).map(|()| bytes))
}

/// An answer whose body of JSON was written.
///
/// # Errors
/// `internal` when it could not be written, which is a bug.
pub fn written(status: StatusCode, body: serde_json::Result<Vec<u8>>) -> Answered {
    let bytes = body.map_err(|fault| {
        tracing::error!(%fault, "an answer cannot be written");
        Problem::internal()
    })?;
    Ok(HttpResponse::build(status).insert_header((header::CONTENT_TYPE, "application/json")).body(bytes))
}

/// An answer that was given before, to the same request.
#[must_use]
pub fn replayed(mut answer: HttpResponse) -> HttpResponse {
    answer.headers_mut().insert(REPLAYED, header::HeaderValue::from_static("true"));
    answer
}

/// The answer to a command.
///
/// # Errors
/// `internal` when the engine answered another question, which is a bug.
pub fn summary(reply: Reply) -> Result<OrderSummary, Problem> {
    match reply {
        Reply::Order(summary) => Ok(summary),
        Reply::Life(_) => Err(crossed()),
    }
}

/// The answer to a query.
///
/// # Errors
/// As [`summary`].
pub fn life(reply: Reply) -> Result<std::sync::Arc<Order>, Problem> {
    match reply {
        Reply::Life(order) => Ok(order),
        Reply::Order(_) => Err(crossed()),
    }
}

fn crossed() -> Problem {
    tracing::error!("the engine's answer does not fit the question");
    Problem::internal()
}
