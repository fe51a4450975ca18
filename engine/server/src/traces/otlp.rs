//! Spans in the JSON form of OTLP (`ExportTraceServiceRequest`): numbers of traces and spans in hex, 64-bit integers as
//! text, names in camel case, enums as integers.

use serde_json::{Value, json};

use super::Span;

/// `SPAN_KIND_SERVER`.
const KIND_SERVER: u8 = 2;
/// `STATUS_CODE_UNSET` and `STATUS_CODE_ERROR`: a server's span is an error only where the server is at fault.
const STATUS_UNSET: u8 = 0;
const STATUS_ERROR: u8 = 2;

/// What a collector is sent.
pub(super) fn request(service: &str, spans: &[Span]) -> Value {
    json!({ "resourceSpans": [{
        "resource": { "attributes": [text("service.name", service), text("service.version", env!("CARGO_PKG_VERSION"))] },
        "scopeSpans": [{
            "scope": { "name": "suanpan" },
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }] })
}

fn span(span: &Span) -> Value {
    let begin_ns = u128::from(span.began.0) * 1_000_000;
    let end_ns = begin_ns + span.took.as_nanos();
    let mut attributes = vec![
        text("http.request.method", &span.method),
        text("http.route", span.route),
        json!({ "key": "http.response.status_code", "value": { "intValue": span.status.to_string() } }),
    ];
    let more = [
        ("error.type", span.code),
        ("suanpan.platform", span.platform.as_deref()),
        ("suanpan.order", span.order.as_deref()),
    ];
    attributes.extend(more.into_iter().filter_map(|(key, value)| Some(text(key, value?))));
    let status = if span.status >= 500 { STATUS_ERROR } else { STATUS_UNSET };
    let mut told = json!({
        "traceId": span.trace.to_string(),
        "spanId": span.id.to_string(),
        "name": format!("{} {}", span.method, span.route),
        "kind": KIND_SERVER,
        "startTimeUnixNano": begin_ns.to_string(),
        "endTimeUnixNano": end_ns.to_string(),
        "attributes": attributes,
        "status": { "code": status },
    });
    if let Some(parent) = span.parent {
        told["parentSpanId"] = json!(parent.to_string());
    }
    told
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}
