//! The body of a request, taken in whole before anybody looks at it: within its limit and its time.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header;
use actix_web::web::Bytes;
use arc_swap::ArcSwap;
use futures_util::StreamExt;
use suanpan_model::RejectCode;

use crate::body_limits::{Allowed, BodyLimitsInForce};
use crate::problem::Problem;

/// Room that a body gets because it was announced, in bytes: nobody has shown yet who sends it.
const ROOM_MAX: usize = 1 << 20;

/// How long a body may be, and how long it may take.
#[derive(Debug)]
pub struct BodyRules {
    /// Sizes. They can change while the program runs.
    pub limits: Arc<ArcSwap<BodyLimitsInForce>>,
    /// From the end of the head to the end of the body.
    pub patience: Duration,
}

/// Takes the body in.
///
/// # Errors
/// Larger than its endpoint and platform allow; not whole in time; a connection that breaks.
pub(super) async fn take(request: &mut ServiceRequest, rules: &BodyRules) -> Result<Bytes, Problem> {
    let allowed = rules.limits.load().allowed(request.path());
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    if announced > allowed.bytes {
        return Err(too_large(allowed));
    }
    match tokio::time::timeout(rules.patience, whole(request.take_payload(), announced, allowed)).await {
        Ok(taken) => taken,
        Err(_) => {
            let expected = format!("a body that is whole within {} s", rules.patience.as_secs());
            Err(Problem::of_http(408, "request_timeout", "", expected))
        }
    }
}

/// The parts of a body, put together. Most come in one part, which stays where it is; others get room for what was
/// announced.
async fn whole(mut payload: Payload, announced: usize, allowed: Allowed) -> Result<Bytes, Problem> {
    let mut first = Bytes::new();
    let mut rest: Vec<u8> = Vec::new();
    while let Some(part) = payload.next().await {
        let cut = |_| Problem::new(RejectCode::Malformed, "", "a whole body; the connection was cut");
        let part = part.map_err(cut)?;
        if first.len() + rest.len() + part.len() > allowed.bytes {
            return Err(too_large(allowed));
        }
        if first.is_empty() && rest.is_empty() {
            first = part;
            continue;
        }
        if rest.is_empty() {
            rest.reserve_exact(announced.min(ROOM_MAX));
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&part);
    }
    Ok(if rest.is_empty() { first } else { rest.into() })
}

/// A body that was taken in, as the request carries it to its handler.
#[derive(Clone, Debug)]
pub struct TakenBody(pub Bytes);

fn too_large(allowed: Allowed) -> Problem {
    Problem::new(RejectCode::TooLarge, "", allowed.to_string())
}
