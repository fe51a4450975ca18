//! The description of the API (OpenAPI 3.1): built from the table of endpoints, the operations beside it, and the wire
//! types. `openapi.json` beside this crate is the same; a test says when it is not.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

mod accounts;
mod answers;
mod docs;
mod examples;
mod operation;
mod operator;
mod orders;
mod paths;
mod routing;

pub use docs::page;
pub use examples::{Example, examples};
pub use operation::{Answer, Content, Operation};

/// Where schemas stand in the document.
const SCHEMAS: &str = "/components/schemas";

/// The document.
#[must_use]
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(build)
}

/// Every operation, in the order in which people read them.
#[must_use]
pub fn operations() -> Vec<Operation> {
    [orders::operations(), accounts::operations(), routing::operations(), operator::operations()].concat()
}

/// Schemas of what is sent and of what is answered: the same type may be required to have more in an answer.
pub struct Schemas {
    sent: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = SCHEMAS.into();
                settings.meta_schema = None;
            })
        };
        Self {
            sent: settings().for_deserialize().into_generator(),
            answered: settings().for_serialize().into_generator(),
        }
    }

    /// The schema of what is sent.
    pub fn sent<T: JsonSchema>(&mut self) -> Schema {
        self.sent.subschema_for::<T>()
    }

    /// The schema of what is answered.
    pub fn answered<T: JsonSchema>(&mut self) -> Schema {
        self.answered.subschema_for::<T>()
    }

    /// All of them by name. Where both directions have another form of one type, that of what is sent has the plain name,
    /// and answers, whose fields are then optional, are described by it too.
    fn into_components(mut self) -> Map<String, Value> {
        let mut all = self.answered.take_definitions(true);
        all.extend(self.sent.take_definitions(true));
        all
    }
}

fn build() -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let path = paths.entry(operation.endpoint.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            let method = operation.endpoint.method.to_ascii_lowercase();
            path.insert(method, paths::operation(&operation, &mut schemas));
        }
    }
    let tags: Vec<Value> = operation::Tag::ALL
        .iter()
        .map(|tag| json!({ "name": tag.name(), "description": tag.what() }))
        .collect();
    let headers = answers::headers();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Suanpan",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The order and payment-routing engine between a mall and its banks.",
            "description": include_str!("openapi/introduction.md"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "this server" }],
        "tags": tags,
        "paths": paths,
        "components": { "schemas": schemas.into_components(), "headers": headers },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::endpoint::Endpoint;

    #[test]
    fn every_endpoint_is_described_once() {
        let described: Vec<usize> = operations().iter().map(|one| one.endpoint.index).collect();
        let once: BTreeSet<usize> = described.iter().copied().collect();
        assert_eq!(described.len(), once.len(), "an endpoint is described twice");
        for endpoint in Endpoint::ALL {
            assert!(once.contains(&endpoint.index), "{} {} is not described", endpoint.method, endpoint.path);
        }
        let ids: BTreeSet<&str> = operations().iter().map(|one| one.id).collect();
        assert_eq!(ids.len(), described.len(), "an operation id is used twice");
    }

    #[test]
    fn every_call_has_an_example() {
        let shown: BTreeSet<usize> = examples().iter().map(|example| example.endpoint.index).collect();
        for endpoint in Endpoint::ALL {
            assert!(shown.contains(&endpoint.index), "{} {} has no example", endpoint.method, endpoint.path);
        }
    }

    #[test]
    fn the_file_is_what_the_code_says() {
        let file: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap_or_default();
        assert!(
            file == *document(),
            "engine/server/openapi.json is not what the code says: \
             cargo run -p suanpan-server -- openapi > engine/server/openapi.json"
        );
    }

    /// What every reference in the document points to is there.
    #[test]
    fn references_lead_somewhere() {
        fn look(value: &Value, whole: &Value) {
            match value {
                Value::Object(fields) => {
                    if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                        let pointer = target.trim_start_matches('#');
                        assert!(whole.pointer(pointer).is_some(), "{target} leads nowhere");
                    }
                    fields.values().for_each(|value| look(value, whole));
                }
                Value::Array(values) => values.iter().for_each(|value| look(value, whole)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        look(document(), document());
    }
}
