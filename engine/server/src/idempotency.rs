//! `Idempotency-Key`: a request that was answered is answered again with the same bytes.
//!
//! The answer that is kept is that of the first request that was not refused. A refusal changes nothing and is not kept, so
//! the key can be used again. The command and its answer become durable one after the other: after a crash between them the
//! request runs again, and the engine recognises it as a repeat, so nothing happens twice.

use std::sync::Arc;

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpResponse, ResponseError};
use suanpan_model::RejectCode;

use crate::answers::{AnswersFault, Claim, Kept, Key};
use crate::budget::platform_of;
use crate::endpoint::Endpoint;
use crate::problem::Problem;
use crate::security::TakenBody;
use crate::state::State;

/// The request's header.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// `true` in an answer that was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key.
const KEY_MAX: usize = 64;

/// A request with a key.
struct Keyed {
    key: Key,
    fingerprint: u128,
    claim: Claim,
}

/// Answers a request that has a key and was answered before; lets everything else through, and keeps the answer.
///
/// # Errors
/// As the handler.
pub async fn once<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, actix_web::Error> {
    let platform =
        platform_of(request.path()).filter(|_| request.headers().contains_key(KEY) && changes(&request));
    let (Some(platform), Some(state)) = (platform, request.app_data::<Data<State>>().cloned()) else {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    };
    let keyed = match read(&request, platform, &state).await {
        Ok(Asked::First(keyed)) => keyed,
        Ok(Asked::Again(kept)) => {
            let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
            let answer = HttpResponse::build(status)
                .insert_header((header::CONTENT_TYPE, "application/json"))
                .insert_header((REPLAYED, HeaderValue::from_static("true")))
                .body(kept.body);
            return Ok(request.into_response(answer).map_into_right_body());
        }
        Err(problem) => return Ok(request.into_response(problem.error_response()).map_into_right_body()),
    };
    let response = next.call(request).await?;
    keep(response, keyed, state).await
}

/// Whether the request is for an endpoint that changes something.
fn changes(request: &ServiceRequest) -> bool {
    let (method, path) = (request.method(), request.path());
    *method != Method::GET && Endpoint::ALL.iter().any(|endpoint| endpoint.takes(method.as_str(), path))
}

enum Asked {
    First(Keyed),
    Again(Kept),
}

async fn read(
    request: &ServiceRequest,
    platform: suanpan_model::PlatformId,
    state: &Data<State>,
) -> Result<Asked, Problem> {
    let text = request.headers().get(KEY).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wellformed = (1..=KEY_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !wellformed {
        let expected = "1 to 64 visible characters of ASCII, another key for each request";
        return Err(Problem::new(RejectCode::InvalidField, "Idempotency-Key", expected));
    }
    let key = (platform, text.to_owned());
    let fingerprint = {
        // Nothing comes here around the gate, which has taken the body in.
        let taken = request.extensions();
        fingerprint(request, &taken.get::<TakenBody>().ok_or_else(Problem::internal)?.0)
    };
    let claim = state.answers.claim(&key).ok_or_else(|| {
        let expected = "the answer to the first request with this key; wait, then send it again";
        Problem::new(RejectCode::InProgress, "Idempotency-Key", expected)
    })?;
    let (answers, asked) = (Arc::clone(&state.answers), key.clone());
    let found = blocking(move || answers.find(&asked)).await?;
    match found {
        None => Ok(Asked::First(Keyed { key, fingerprint, claim })),
        Some(kept) if kept.request == fingerprint => Ok(Asked::Again(kept)),
        Some(_) => {
            let expected = "the very request that was first sent with this key, or another key";
            Err(Problem::new(RejectCode::IdempotencyConflict, "Idempotency-Key", expected))
        }
    }
}

/// Of everything that the request asks for. Nobody gains from a collision: keys are apart by platform.
fn fingerprint(request: &ServiceRequest, body: &[u8]) -> u128 {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    let asked = [request.method().as_str().as_bytes(), target.as_bytes(), body].join(&b'\n');
    xxhash_rust::xxh3::xxh3_128(&asked)
}

/// Keeps an answer that is no refusal, before it is given. One that grows while it is read is let through.
async fn keep<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    keyed: Keyed,
    state: Data<State>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, actix_web::Error> {
    let is_whole = !matches!(response.response().body().size(), BodySize::Stream);
    if !response.status().is_success() || !is_whole {
        return Ok(response.map_into_left_body());
    }
    let Keyed { key, fingerprint, claim } = keyed;
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let Ok(body) = to_bytes(body).await else {
        return Ok(ServiceResponse::new(request, Problem::internal().error_response()).map_into_right_body());
    };
    let kept = Kept { request: fingerprint, status: response.status().as_u16(), body: body.clone() };
    let (answers, now) = (Arc::clone(&state.answers), state.engine.now());
    let written = blocking(move || answers.keep(&key, &kept, now)).await;
    drop(claim);
    let response = match written {
        Ok(()) => response.set_body(body).map_into_boxed_body(),
        Err(problem) => problem.error_response(),
    };
    Ok(ServiceResponse::new(request, response).map_into_right_body())
}

/// Waits for the disk off the worker's thread, which serves others meanwhile.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AnswersFault> + Send + 'static,
) -> Result<T, Problem> {
    match actix_web::web::block(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(fault)) => {
            tracing::error!(%fault, "an idempotency key cannot be looked up or kept");
            let expected = "a disk that can be written; send the same again, it will not happen twice";
            Err(Problem::new(RejectCode::Unavailable, "", expected))
        }
        Err(_) => Err(Problem::internal()),
    }
}
