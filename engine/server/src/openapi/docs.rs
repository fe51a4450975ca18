//! The description as a page: no script, nothing from elsewhere.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use super::operation::{Operation, Tag};
use super::{examples, operations};

mod schema;

/// The page of a document.
#[must_use]
pub fn page(document: &Value) -> String {
    let mut page = String::with_capacity(1 << 19);
    let title = text(&document["info"]["title"]);
    let version = text(&document["info"]["version"]);
    let all = operations();
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} API {version}</title><style>{}</style></head><body>",
        include_str!("docs/page.css")
    );
    navigation(&mut page, &title, &version, &all);
    page.push_str("<main>");
    let _ = write!(page, "<h1>{title} API</h1>");
    introduction(&mut page, document["info"]["description"].as_str().unwrap_or_default());
    for tag in Tag::ALL {
        let _ = write!(
            page,
            "<section><h2 id=\"tag-{0}\">{0}</h2><p class=\"lead\">{1}</p>",
            tag.name(),
            tag.what()
        );
        for operation in all.iter().filter(|operation| operation.tag == tag) {
            one(&mut page, document, operation);
        }
        page.push_str("</section>");
    }
    forms(&mut page, document);
    page.push_str("</main></body></html>");
    page
}

fn navigation(page: &mut String, title: &str, version: &str, all: &[Operation]) {
    let _ = write!(
        page,
        "<nav><p class=\"brand\">{title} <small>{version}</small></p>\
         <p><a href=\"/openapi.json\">openapi.json</a> · <a href=\"#forms\">Forms</a></p>"
    );
    for tag in Tag::ALL {
        let _ = write!(page, "<p class=\"group\"><a href=\"#tag-{0}\">{0}</a></p><ul>", tag.name());
        for operation in all.iter().filter(|operation| operation.tag == tag) {
            let method = operation.endpoint.method;
            let _ = write!(
                page,
                "<li><a href=\"#{id}\"><b class=\"m {method}\">{method}</b>{id}</a></li>",
                id = operation.id
            );
        }
        page.push_str("</ul>");
    }
    page.push_str("</nav>");
}

/// Paragraphs with `code` and **weight**, which is all that the introduction uses.
fn introduction(page: &mut String, written: &str) {
    for paragraph in written.split("\n\n") {
        let _ = write!(page, "<p>{}</p>", marked(paragraph));
    }
}

/// Text with its marks as HTML.
fn marked(written: &str) -> String {
    let mut html = escaped(written);
    for (mark, tag) in [("**", "b"), ("`", "code")] {
        let parts: Vec<&str> = html.split(mark).collect();
        let mut whole = String::with_capacity(html.len() + 64);
        for (place, part) in parts.iter().enumerate() {
            match (place, place % 2) {
                (0, _) => {}
                (_, 1) => whole.push_str(&format!("<{tag}>")),
                _ => whole.push_str(&format!("</{tag}>")),
            }
            whole.push_str(part);
        }
        html = whole;
    }
    html
}

fn one(page: &mut String, document: &Value, operation: &Operation) {
    let (method, path, id) = (operation.endpoint.method, operation.endpoint.path, operation.id);
    let told = &document["paths"][path][method.to_ascii_lowercase()];
    let _ = write!(
        page,
        "<article id=\"{id}\"><h3><b class=\"m {method}\">{method}</b><code>{}</code></h3>\
         <p class=\"summary\">{}.</p>",
        path_marked(path),
        marked(told["summary"].as_str().unwrap_or_default())
    );
    if let Some(more) = told["description"].as_str() {
        let _ = write!(page, "<p>{}</p>", marked(more));
    }
    parameters(page, told);
    let body = &told["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        let needed = if told["requestBody"]["required"] == true { "" } else { " (may be left out)" };
        let _ = write!(page, "<h4>Body{needed}</h4>{}", schema::shown(document, body));
    }
    shown_examples(page, operation);
    answers(page, document, &told["responses"]);
    page.push_str("</article>");
}

fn path_marked(path: &str) -> String {
    escaped(path).replace('{', "<i>{").replace('}', "}</i>")
}

fn parameters(page: &mut String, told: &Value) {
    let Some(all) = told["parameters"].as_array() else { return };
    page.push_str("<h4>Parameters</h4><table><tbody>");
    for one in all {
        let _ = write!(
            page,
            "<tr><td><code>{}</code><small>{}</small></td><td>{}</td><td>{}</td></tr>",
            text(&one["name"]),
            text(&one["in"]),
            schema::named(&one["schema"]),
            marked(one["description"].as_str().unwrap_or_default())
        );
    }
    page.push_str("</tbody></table>");
}

fn shown_examples(page: &mut String, operation: &Operation) {
    let all = examples();
    let of = all.iter().filter(|one| one.endpoint.index == operation.endpoint.index);
    let mut seen = BTreeSet::new();
    for example in of {
        let target = escaped(&example.target());
        let body = example.body.as_ref().map(|body| format!("{body:#}")).unwrap_or_default();
        if !seen.insert((target.clone(), body.clone())) {
            continue;
        }
        let name =
            if example.name == "plain" { String::new() } else { format!(": {}", escaped(example.name)) };
        let _ = write!(
            page,
            "<details open><summary>Example{name}</summary><pre>{} {target}{}{}</pre></details>",
            example.endpoint.method,
            if body.is_empty() { "" } else { "\ncontent-type: application/json\n\n" },
            escaped(&body)
        );
    }
}

fn answers(page: &mut String, document: &Value, answers: &Value) {
    let Some(all) = answers.as_object() else { return };
    page.push_str("<h4>Answers</h4><table><tbody>");
    for (status, answer) in all {
        let kind = if status.starts_with('2') { "good" } else { "bad" };
        let _ = write!(
            page,
            "<tr><td><b class=\"{kind}\">{status}</b></td><td>{}",
            marked(answer["description"].as_str().unwrap_or_default())
        );
        let content = answer["content"].as_object().and_then(|content| content.iter().next());
        if let Some((kind, content)) = content {
            let form = &content["schema"];
            match form["properties"]["code"]["enum"].as_array() {
                Some(codes) => {
                    page.push_str("<br>");
                    for code in codes {
                        let _ = write!(page, "<code>{}</code> ", text(code));
                    }
                }
                None if kind == "application/json" => page.push_str(&schema::shown(document, form)),
                None => {
                    let _ = write!(page, " <small>{}</small>", escaped(kind));
                }
            }
        }
        page.push_str("</td></tr>");
    }
    page.push_str("</tbody></table>");
}

/// Every form with a name.
fn forms(page: &mut String, document: &Value) {
    page.push_str("<section><h2 id=\"forms\">Forms</h2>");
    if let Some(all) = document["components"]["schemas"].as_object() {
        for (name, form) in all {
            let _ =
                write!(page, "<article id=\"form-{name}\"><h3>{name}</h3>{}</article>", schema::whole(form));
        }
    }
    page.push_str("</section>");
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

/// Text that HTML takes as it is.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_becomes_html() {
        assert_eq!(marked("a <b> & `c<d` **e**"), "a &lt;b&gt; &amp; <code>c&lt;d</code> <b>e</b>");
    }
}
