//! Signing what is answered.
//!
//! A caller that shares a secret with the engine gets answers signed with it; everybody else, and whoever was refused
//! before it was known who calls, gets them signed with the engine's own key. An answer whose body grows while it is sent
//! (a back-test) cannot be signed as a whole before it begins: its status, time and nonce are, and a header says so.

use std::sync::Arc;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use smol_str::SmolStr;
use suanpan_signing::{Message, answer_message, header, stream_message};

use super::keyring::KeyEntry;
use super::{Security, claim};

/// With what an answer is signed.
pub(super) struct AnswerKey {
    /// The caller's key, once it was proved.
    pub(super) caller: Option<Arc<KeyEntry>>,
    /// The nonce of the request; empty when it had none.
    pub(super) nonce: SmolStr,
}

/// Signs an answer. One that cannot be signed, because there is no key for it, stays as it is.
pub(super) fn sign(
    response: ServiceResponse<BoxBody>,
    security: &Security,
    key: &AnswerKey,
    now_s: u64,
) -> ServiceResponse<BoxBody> {
    let status = response.status().as_u16();
    let (request, response) = response.into_parts();
    let (mut response, body) = response.into_parts();
    let (signed, body) = match whole(body) {
        Ok(bytes) => {
            let signed = signature(security, key, &answer_message(status, now_s, &key.nonce, &bytes));
            (signed, BoxBody::new(bytes))
        }
        Err(stream) => {
            let signed = signature(security, key, &stream_message(status, now_s, &key.nonce));
            if signed.is_some() {
                let name = HeaderName::from_static(header::SIGNED);
                response.headers_mut().insert(name, HeaderValue::from_static("head"));
            }
            (signed, stream)
        }
    };
    if let Some((key_id, signature)) = signed {
        let headers = [
            (claim::KEY_ID, HeaderValue::from_str(&key_id)),
            (claim::TIMESTAMP, Ok(HeaderValue::from(now_s))),
            (claim::NONCE, HeaderValue::from_str(&key.nonce)),
            (claim::SIGNATURE, HeaderValue::try_from(signature)),
        ];
        for (name, value) in headers {
            // Ids, numbers, nonces and base64 are visible ASCII.
            if let Ok(value) = value {
                response.headers_mut().insert(name, value);
            }
        }
    }
    ServiceResponse::new(request, response.set_body(body))
}

/// The code of a refusal, and the answer as it was.
pub(super) fn code(response: ServiceResponse<BoxBody>) -> (ServiceResponse<BoxBody>, Option<String>) {
    if response.status().is_success() {
        return (response, None);
    }
    let mut code = None;
    let response = response.map_body(|_, body| match whole(body) {
        Ok(bytes) => {
            let problem: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
            code = problem.and_then(|problem| problem["code"].as_str().map(str::to_owned));
            BoxBody::new(bytes)
        }
        Err(stream) => stream,
    });
    (response, code)
}

/// The body, if all of it is there.
fn whole(body: BoxBody) -> Result<actix_web::web::Bytes, BoxBody> {
    match body.size() {
        BodySize::Stream => Err(body),
        BodySize::None | BodySize::Sized(_) => body.try_into_bytes(),
    }
}

fn signature(security: &Security, key: &AnswerKey, message: &Message<'_>) -> Option<(SmolStr, String)> {
    let shared = key.caller.as_ref().and_then(|entry| {
        let signature = entry.verifying.sign_with_secret(message)?;
        Some((entry.id.clone(), signature))
    });
    shared.or_else(|| {
        let engine = security.engine_key.as_ref()?;
        match engine.key.sign(message) {
            Ok(signature) => Some((engine.id.clone(), signature)),
            Err(fault) => {
                tracing::error!(%fault, "an answer cannot be signed");
                None
            }
        }
    })
}
