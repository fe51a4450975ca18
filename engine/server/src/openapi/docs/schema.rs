//! Schemas as tables.

use std::fmt::Write;

use serde_json::Value;

use super::{escaped, marked, text};

/// The fields of a schema where it stands, one level deep; a link where it is no object.
pub(super) fn shown(document: &Value, schema: &Value) -> String {
    let target = schema["$ref"].as_str().and_then(|path| document.pointer(path.trim_start_matches('#')));
    let form = target.unwrap_or(schema);
    if form["properties"].as_object().is_none_or(serde_json::Map::is_empty) {
        return format!("<p>{}</p>", named(schema));
    }
    let name = if target.is_some() { named(schema) } else { String::new() };
    format!("<details><summary>{name}</summary>{}</details>", fields(form))
}

/// A form with everything about it.
pub(super) fn whole(form: &Value) -> String {
    let about =
        form["description"].as_str().map(|about| format!("<p>{}</p>", marked(about))).unwrap_or_default();
    if form["properties"].is_object() {
        return format!("{about}{}", fields(form));
    }
    format!("{about}<p>{}</p>", named(form))
}

fn fields(form: &Value) -> String {
    let Some(all) = form["properties"].as_object() else { return String::new() };
    let needed = |name: &str| {
        form["required"].as_array().is_some_and(|names| names.iter().any(|one| one.as_str() == Some(name)))
    };
    let mut table = "<table><tbody>".to_owned();
    for (name, field) in all {
        let mark = if needed(name) { "<small>required</small>" } else { "" };
        let _ = write!(
            table,
            "<tr><td><code>{}</code>{mark}</td><td>{}</td><td>{}</td></tr>",
            escaped(name),
            named(field),
            marked(field["description"].as_str().unwrap_or_default())
        );
    }
    table.push_str("</tbody></table>");
    table
}

/// A schema in a few words, with links to forms that have a name.
pub(super) fn named(schema: &Value) -> String {
    if let Some(path) = schema["$ref"].as_str() {
        let name = path.rsplit('/').next().unwrap_or_default();
        return format!("<a href=\"#form-{name}\">{name}</a>");
    }
    for (key, join) in [("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")] {
        if let Some(forms) = schema[key].as_array() {
            let forms = forms.iter().filter(|form| form["type"] != "null").map(named);
            return forms.collect::<Vec<_>>().join(join);
        }
    }
    if let Some(names) = schema["enum"].as_array() {
        let names = names.iter().map(|name| format!("<code>{}</code>", plain(name)));
        return names.collect::<Vec<_>>().join(" ");
    }
    if !schema["const"].is_null() {
        return format!("<code>{}</code>", plain(&schema["const"]));
    }
    let kind = match &schema["type"] {
        Value::String(kind) => escaped(kind),
        Value::Array(kinds) => {
            let kinds = kinds.iter().filter(|kind| *kind != "null").map(text);
            kinds.collect::<Vec<_>>().join(" or ")
        }
        _ => String::new(),
    };
    let of =
        if schema["items"].is_object() { format!(" of {}", named(&schema["items"])) } else { String::new() };
    format!("{kind}{of}{}", bounds(schema))
}

fn bounds(schema: &Value) -> String {
    let mut words = Vec::new();
    for (key, word) in [
        ("minLength", "at least %s characters"),
        ("maxLength", "at most %s characters"),
        ("minimum", "from %s"),
        ("maximum", "to %s"),
        ("minItems", "at least %s"),
        ("maxItems", "at most %s"),
        ("format", "%s"),
        ("pattern", "%s"),
    ] {
        let value = &schema[key];
        // The width of a number is told by its bounds.
        let is_width = key == "format" && value.as_str().is_some_and(|one| one.contains("int"));
        if !value.is_null() && !is_width {
            words.push(word.replace("%s", &plain(value)));
        }
    }
    if words.is_empty() { String::new() } else { format!(" <small>{}</small>", words.join(", ")) }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| escaped(&value.to_string()), escaped)
}
