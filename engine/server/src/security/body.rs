//! The body of a request, taken in whole before anybody looks at it: within its limit and its time.

use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_util::StreamExt;
use suanpan_model::RejectCode;

use crate::endpoint;
use crate::problem::Problem;
use crate::routes::BodyLimits;

/// How long a body may be, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct BodyRules {
    /// Sizes.
    pub limits: BodyLimits,
    /// From the end of the head to the end of the body.
    pub patience: Duration,
}

/// Takes the body in.
///
/// # Errors
/// Larger than its endpoint allows; not whole in time; a connection that breaks.
pub(super) async fn take(request: &mut ServiceRequest, rules: BodyRules) -> Result<Bytes, Problem> {
    let most = if is_large(request.path()) { rules.limits.batch_bytes } else { rules.limits.single_bytes };
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|text| text.parse::<usize>().ok()).is_some_and(|length| length > most) {
        return Err(too_large());
    }
    match tokio::time::timeout(rules.patience, whole(request.take_payload(), most)).await {
        Ok(taken) => taken,
        Err(_) => {
            let expected = format!("a body that is whole within {} s", rules.patience.as_secs());
            Err(Problem::of_http(408, "request_timeout", "", expected))
        }
    }
}

/// The parts of a body, put together. Most come in one part, which stays where it is.
async fn whole(mut payload: Payload, most: usize) -> Result<Bytes, Problem> {
    let mut first = Bytes::new();
    let mut rest: Vec<u8> = Vec::new();
    while let Some(part) = payload.next().await {
        let cut = |_| Problem::new(RejectCode::Malformed, "", "a whole body; the connection was cut");
        let part = part.map_err(cut)?;
        if first.len() + rest.len() + part.len() > most {
            return Err(too_large());
        }
        if first.is_empty() && rest.is_empty() {
            first = part;
            continue;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&part);
    }
    Ok(if rest.is_empty() { first } else { rest.into() })
}

/// A body that was taken in, as the request carries it to its handler.
#[derive(Clone, Debug)]
pub struct TakenBody(pub Bytes);

fn too_large() -> Problem {
    Problem::new(RejectCode::TooLarge, "", "a smaller body; send orders in batches of fewer")
}

/// Whether the path is that of an endpoint whose bodies are batches.
fn is_large(path: &str) -> bool {
    let own_part = |path: &'static str| path.strip_prefix("/v1/platforms/{platform}").unwrap_or(path);
    [endpoint::BATCH, endpoint::BACK_TEST].iter().any(|large| path.ends_with(own_part(large.path)))
}
