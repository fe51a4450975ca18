//! Answers of an operation: what it says, and every refusal with its codes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use suanpan_model::RejectCode;

use super::operation::{Content, Operation};
use super::{SCHEMAS, Schemas};
use crate::endpoint;
use crate::problem::{HttpCode, ProblemBody};
use crate::security::SECURITY_CODES;

/// Headers that answers have.
pub(super) fn headers() -> Value {
    json!({
        "RetryAfter": {
            "description": "After how many seconds the same request can be sent again.",
            "schema": { "type": "integer", "minimum": 1 },
        },
        "RateLimitLimit": {
            "description": "How many requests the platform may send at once. Absent where no limit was agreed.",
            "schema": { "type": "integer", "minimum": 1 },
        },
        "RateLimitRemaining": {
            "description": "How many of them are left now.",
            "schema": { "type": "integer", "minimum": 0 },
        },
        "IdempotencyReplayed": {
            "description": "`true` in an answer that was given before: under the request's Idempotency-Key, or to the platform's own number of \
                the order, release or refund.",
            "schema": { "type": "string", "const": "true" },
        },
    })
}

/// All answers by status.
pub(super) fn of(operation: &Operation, schemas: &mut Schemas) -> Map<String, Value> {
    let mut all = Map::new();
    for answer in &operation.answers {
        let content = match answer.content {
            Content::Json(schema) => json!({ "application/json": { "schema": schema(schemas) } }),
            Content::Lines => json!({ "application/x-ndjson": { "schema": { "type": "string" } } }),
            Content::Text(kind) => json!({ kind: { "schema": { "type": "string" } } }),
        };
        let mut told = json!({ "description": answer.what, "content": content });
        let headers = common_headers(operation);
        if !headers.is_empty() {
            told["headers"] = Value::Object(headers);
        }
        if !operation.links.is_empty() {
            told["links"] = links(operation);
        }
        all.insert(answer.status.to_string(), told);
    }
    let problem = schemas.answered::<ProblemBody<'_>>();
    debug_assert!(problem.as_value()["$ref"].as_str().is_some_and(|path| path.contains(SCHEMAS)));
    for (status, codes) in refusals(operation) {
        all.insert(status.to_string(), refusal(operation, status, &codes, problem.as_value()));
    }
    all
}

fn reference(header: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{header}") })
}

/// Headers that every answer of an operation may have.
fn common_headers(operation: &Operation) -> Map<String, Value> {
    let mut headers = Map::new();
    if operation.is_of_platform() {
        headers.insert("RateLimit-Limit".to_owned(), reference("RateLimitLimit"));
        headers.insert("RateLimit-Remaining".to_owned(), reference("RateLimitRemaining"));
    }
    if operation.takes_key() {
        headers.insert("Idempotency-Replayed".to_owned(), reference("IdempotencyReplayed"));
    }
    headers
}

fn links(operation: &Operation) -> Value {
    let link = |(id, parameter, pointer): &(&str, &str, &str)| {
        let mut parameters = Map::new();
        parameters.insert((*parameter).to_owned(), json!(format!("$response.body#{pointer}")));
        if operation.is_of_platform() && *id != "getAccountByNumber" {
            parameters.insert("platform".to_owned(), json!("$request.path.platform"));
        }
        ((*id).to_owned(), json!({ "operationId": id, "parameters": parameters }))
    };
    Value::Object(operation.links.iter().map(link).collect())
}

/// Codes by status.
fn refusals(operation: &Operation) -> BTreeMap<u16, Vec<&'static str>> {
    let path = operation.endpoint.path;
    let mut codes: Vec<(u16, &'static str)> =
        operation.codes.iter().map(|code| (code.http_status(), code.code())).collect();
    let mut add =
        |more: &[RejectCode]| codes.extend(more.iter().map(|code| (code.http_status(), code.code())));
    if operation.body.is_some() {
        add(&[
            RejectCode::Malformed,
            RejectCode::MissingField,
            RejectCode::InvalidField,
            RejectCode::TooLarge,
        ]);
    }
    if !operation.query.is_empty() {
        add(&[RejectCode::InvalidField]);
    }
    if path.contains("{platform}") {
        add(&[RejectCode::UnknownPlatform]);
    }
    if operation.takes_key() {
        add(&[RejectCode::InvalidField, RejectCode::IdempotencyConflict, RejectCode::InProgress]);
    }
    if path.starts_with("/v1/") {
        add(&[RejectCode::Busy, RejectCode::Unavailable]);
    }
    let mut add = |code: HttpCode| codes.push((code.status(), code.code()));
    if operation.endpoint.index == endpoint::ENGINE_KEY.index {
        add(HttpCode::NoEngineKey);
    }
    if path.contains('{') {
        // A part of the path that is no text.
        add(HttpCode::NotFound);
    }
    if operation.body.is_some() {
        add(HttpCode::UnsupportedMediaType);
        add(HttpCode::RequestTimeout);
    }
    if operation.is_of_platform() {
        add(HttpCode::RateLimited);
    }
    if path.starts_with("/v1/") {
        add(HttpCode::Internal);
    }
    if path.starts_with("/v1/") && operation.endpoint.index != endpoint::ENGINE_KEY.index {
        codes.extend(SECURITY_CODES.iter().map(|(code, status)| (*status, *code)));
    }
    let mut by_status: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    for (status, code) in codes {
        let known = by_status.entry(status).or_default();
        if !known.contains(&code) {
            known.push(code);
        }
    }
    by_status
}

fn refusal(operation: &Operation, status: u16, codes: &[&str], problem: &Value) -> Value {
    let mut schema = problem.clone();
    schema["properties"] = json!({ "code": { "enum": codes }, "status": { "const": status } });
    let mut told = json!({
        "description": meaning(status),
        "content": { "application/problem+json": { "schema": schema } },
    });
    let mut headers = common_headers(operation);
    headers.remove("Idempotency-Replayed");
    if HttpCode::may_be_retried(status) || codes.contains(&RejectCode::InProgress.code()) {
        headers.insert("Retry-After".to_owned(), reference("RetryAfter"));
    }
    if !headers.is_empty() {
        told["headers"] = Value::Object(headers);
    }
    told
}

/// What a status means for whoever called.
const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request is not as it must be; correct it.",
        401 => "Nobody proved who sends it; sign it anew.",
        403 => "Whoever sends it may not do this.",
        404 => "What the request names is not known on this platform.",
        408 => "The request did not arrive in time; send it again.",
        409 => "The request contradicts what is recorded, or what is under way.",
        410 => "It was there and is no longer kept; go on with what is.",
        413 => "The request is larger than allowed; send less.",
        415 => "The body does not say that it is JSON.",
        422 => "The request can be read, but what it asks for is not possible.",
        429 => "More requests than the platform agreed to; wait as long as Retry-After says.",
        503 => "Nothing was done; wait as long as Retry-After says, then send the same again.",
        _ => "A fault of the engine. Ask for the order before you send it again.",
    }
}
