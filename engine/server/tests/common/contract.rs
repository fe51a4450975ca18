//! Every answer that a test gets is held against the description of the API.

use std::cell::RefCell;
use std::collections::HashMap;

use jsonschema::Validator;
use serde_json::{Value, json};
use suanpan_server::openapi;

use super::Answer;

thread_local! {
    /// Validators by path, method and status: they are dear to make.
    static KNOWN: RefCell<HashMap<String, Validator>> = RefCell::default();
}

/// # Panics
/// When the answer is not one that is described.
pub fn check(method: &str, path: &str, answer: &Answer) {
    let Some((template, operations)) = operations(path) else {
        assert!(answer.status == 404 || answer.status == 400, "{method} {path} is not described: {answer:?}");
        return;
    };
    let Some(operation) = operations.get(method.to_lowercase()) else {
        assert_eq!(answer.status, 405, "{method} {path} is not described");
        return;
    };
    let described = &operation["responses"][answer.status.to_string()];
    assert!(
        described.is_object(),
        "{method} {template}: {} is not described: {}",
        answer.status,
        answer.text
    );
    let (kind, schema) = described["content"].as_object().and_then(|content| content.iter().next()).unwrap();
    assert_eq!(&answer.content_type, kind, "{method} {template}");
    let is_later =
        matches!(answer.status, 429 | 503) || answer.status == 409 && answer.text.contains("\"in_progress\"");
    assert_eq!(answer.retry_after.is_some(), is_later, "{method} {template} {answer:?}");
    assert!(
        !is_later || described["headers"]["Retry-After"].is_object(),
        "{method} {template} {}",
        answer.status
    );
    if kind.ends_with("/json") || kind.ends_with("+json") {
        let key = format!("{method} {template} {}", answer.status);
        KNOWN.with_borrow_mut(|known| {
            let validator = known.entry(key).or_insert_with(|| validator(&schema["schema"]));
            let body = answer.json();
            if let Err(fault) = validator.validate(&body) {
                panic!(
                    "{method} {template} {}: at {}: {fault}\n{body}",
                    answer.status,
                    fault.instance_path()
                );
            }
        });
    }
}

fn validator(schema: &Value) -> Validator {
    let components = &openapi::document()["components"];
    jsonschema::options().build(&json!({ "allOf": [schema], "components": components })).unwrap()
}

/// The path of the description that `path` is one of: the one with the fewest variable parts.
fn operations(path: &str) -> Option<(&'static str, &'static Value)> {
    let same = |template: &str| {
        let (ours, theirs): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        let part =
            |(ours, theirs): (&&str, &&str)| ours == theirs || ours.starts_with('{') && !theirs.is_empty();
        ours.len() == theirs.len() && ours.iter().zip(&theirs).all(part)
    };
    let paths = openapi::document()["paths"].as_object().unwrap().iter();
    let matching = paths.filter(|(template, _)| same(template));
    matching.min_by_key(|(template, _)| template.matches('{').count()).map(|(path, all)| (path.as_str(), all))
}
