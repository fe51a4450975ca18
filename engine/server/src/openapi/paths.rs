//! An operation as the document has it.

use serde_json::{Map, Value, json};

use super::examples::{Example, examples};
use super::operation::Operation;
use super::{Schemas, answers};
use crate::wire::schema;

/// The operation object.
pub(super) fn operation(operation: &Operation, schemas: &mut Schemas) -> Value {
    let shown: Vec<Example> =
        examples().into_iter().filter(|one| one.endpoint.index == operation.endpoint.index).collect();
    let mut told = json!({
        "operationId": operation.id,
        "tags": [operation.tag.name()],
        "summary": summary(operation.endpoint.what),
        "responses": answers::of(operation, schemas),
    });
    if !operation.description.is_empty() {
        told["description"] = json!(operation.description);
    }
    let parameters = parameters(operation, &shown, schemas);
    if !parameters.is_empty() {
        told["parameters"] = json!(parameters);
    }
    if let Some(body) = operation.body {
        let mut content = json!({ "schema": (body.schema)(schemas) });
        let bodies = shown.iter().filter_map(|one| Some((one.name, one.body.as_ref()?)));
        let examples: Map<String, Value> =
            bodies.map(|(name, body)| (name.to_owned(), json!({ "value": body }))).collect();
        if !examples.is_empty() {
            content["examples"] = Value::Object(examples);
        }
        told["requestBody"] =
            json!({ "required": !body.optional, "content": { "application/json": content } });
    }
    told
}

/// A sentence with its capital.
fn summary(what: &str) -> String {
    let mut summary = what.to_owned();
    if let Some(first) = summary.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    summary
}

fn parameters(operation: &Operation, shown: &[Example], schemas: &mut Schemas) -> Vec<Value> {
    let path = operation.endpoint.path;
    let names = path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let mut all: Vec<Value> = Vec::new();
    for name in names {
        let (form, what) = in_path(name, schemas);
        let is_number = form["type"] == "integer";
        let mut told =
            json!({ "name": name, "in": "path", "required": true, "description": what, "schema": form });
        if let Some(value) = shown.iter().find_map(|one| one.path_value(name)) {
            let number = value.parse::<u64>().ok().filter(|_| is_number);
            told["example"] = number.map_or_else(|| json!(value), |number| json!(number));
        }
        all.push(told);
    }
    if operation.takes_key() {
        all.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Chosen by the platform, another for each request: the same request again is answered with the same \
                bytes. Kept for 90 days.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[\\x21-\\x7e]+$" },
        }));
    }
    for parameter in operation.query {
        all.push(json!({
            "name": parameter.name, "in": "query", "required": false, "description": parameter.what,
            "schema": parameter.schema(&mut schemas.sent),
        }));
    }
    all
}

/// Form and meaning of a variable part of a path.
fn in_path(name: &str, schemas: &mut Schemas) -> (Value, &'static str) {
    let number = |most: u64| json!({ "type": "integer", "minimum": 0, "maximum": most });
    match name {
        "platform" => (number(u32::MAX.into()), "The platform's number."),
        "campaign" => (number(u32::MAX.into()), "The campaign's number."),
        "no" => {
            (number(u8::MAX.into()), "The engine's number of the attempt or refund under its order, from 1.")
        }
        "order" => (
            json!({ "type": "string", "minLength": 1, "maxLength": 67 }),
            "The engine's number for the order, or `no:` and the platform's own.",
        ),
        "event" => (schemas.sent::<schema::EventId>().to_value(), "The event's id."),
        "kind" => (schemas.sent::<schema::AccountKind>().to_value(), "The account's type."),
        "account" => (schemas.sent::<schema::Number>().to_value(), "The engine's number for the account."),
        "channel" => (json!({ "type": "string", "minLength": 1 }), "The channel's name."),
        "customer" => {
            (schemas.sent::<schema::Reference>().to_value(), "The customer, as the platform names payers.")
        }
        _ => (
            schemas.sent::<schema::Reference>().to_value(),
            "The platform's name for it; of an account of the platform's own (coupon_fund, escrow …) its currency.",
        ),
    }
}
