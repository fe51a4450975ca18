//! Bodies: bytes within a limit, read as JSON in one pass, with errors that name line, column and field.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde::Deserialize;
use suanpan_model::RejectCode;

use crate::json_path::path_at;
use crate::problem::Problem;
use crate::security::TakenBody;

/// The body of a request, as the gate has taken it in, within its limits.
#[derive(Debug)]
pub struct Body(Bytes);

impl Body {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the body.
    ///
    /// # Errors
    /// `malformed` when it is not JSON; `missing_field`, `invalid_field` when it is other JSON than expected.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problem> {
        read_json(&self.0)
    }

    /// Reads the body; an empty one is an object without fields.
    ///
    /// # Errors
    /// As [`Body::read`].
    pub fn read_or_empty<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problem> {
        read_json(if self.0.is_empty() { b"{}" } else { &self.0 })
    }
}

/// Reads JSON.
///
/// # Errors
/// As [`Body::read`].
pub fn read_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    // Derived readers also take a list of the fields' values, in order: nobody means that.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::new(RejectCode::InvalidField, "", "a JSON object"));
    }
    // Bytes that are text as a whole need not be looked at again string by string.
    let read = match str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(bytes),
    };
    read.map_err(|error| json_problem(bytes, &error))
}

fn json_problem(bytes: &[u8], error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    if !error.is_data() {
        return Problem::new(RejectCode::Malformed, "", format!("JSON; {message}"));
    }
    let path = path_at(bytes, error.line(), error.column());
    match quoted_after(&message, "missing field ") {
        Some(name) => {
            let field = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            Problem::new(RejectCode::MissingField, field, message)
        }
        None => Problem::new(RejectCode::InvalidField, path, without_value(&message)),
    }
}

/// Most characters of a JSON fault that are told.
const FAULT_CHARS: usize = 300;

/// The fault without the value that was sent, which may be a secret in the wrong form, and never longer than a screen.
fn without_value(message: &str) -> String {
    let names_value = ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .any(|start| message.starts_with(start));
    let told = match message.split_once(", expected ") {
        Some((_, expected)) if names_value => format!("another form of value; expected {expected}"),
        Some(_) | None => message.to_owned(),
    };
    told.chars().take(FAULT_CHARS).collect()
}

fn quoted_after<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.strip_prefix('`')?.split('`').next()
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        if !is_json(request) {
            return ready(Err(Problem::unsupported_media_type()));
        }
        // No handler with a body is reached around the gate.
        let taken = request.extensions().get::<TakenBody>().map(|taken| Self(taken.0.clone()));
        ready(taken.ok_or_else(Problem::internal))
    }
}

/// Whether the body says that it is JSON. One that says nothing is refused as well: in development, where nobody signs,
/// this is what keeps a page in somebody's browser from sending commands, because a browser asks the server before
/// it sends this header to another origin, and the server does not agree.
fn is_json(request: &HttpRequest) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}
