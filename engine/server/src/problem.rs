//! What a refused caller is told: `application/problem+json` (RFC 9457).

use std::borrow::Cow;
use std::fmt;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use suanpan_model::{Reject, RejectCode};

/// A refusal on its way to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: u16,
    code: &'static str,
    field: Cow<'static, str>,
    detail: String,
    /// Further members, beside those that every problem has.
    more: Map<String, Value>,
    allow: Option<&'static str>,
}

/// The body of a problem; also an item of a batch's answer.
#[derive(Debug, Serialize)]
pub struct ProblemBody<'a> {
    r#type: String,
    title: String,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    field: &'a str,
    detail: &'a str,
    #[serde(flatten)]
    more: &'a Map<String, Value>,
}

impl Problem {
    /// A refusal of `field` (empty: of the whole request).
    #[must_use]
    pub fn new(code: RejectCode, field: impl Into<Cow<'static, str>>, expected: impl Into<String>) -> Self {
        Self::of_http(code.http_status(), code.code(), field, expected)
    }

    /// A refusal that only HTTP knows.
    pub(crate) fn of_http(
        status: u16,
        code: &'static str,
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, code, field: field.into(), detail: detail.into(), more: Map::new(), allow: None }
    }

    /// No such path.
    #[must_use]
    pub fn not_found() -> Self {
        Self::of_http(404, "not_found", "", "a path of this API; GET / lists them")
    }

    /// The path exists, but not with this method.
    #[must_use]
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let detail = format!("the method {allow}");
        Self { allow: Some(allow), ..Self::of_http(405, "method_not_allowed", "", detail) }
    }

    /// The body is not JSON by its own account.
    #[must_use]
    pub fn unsupported_media_type() -> Self {
        let detail = "a body with the header content-type: application/json";
        Self::of_http(415, "unsupported_media_type", "", detail)
    }

    /// A fault on our side that must not happen; the log says more.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "nothing; this is a fault of the engine. Ask for the order before you send it again";
        Self::of_http(500, "internal", "", detail)
    }

    /// With one more member.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// The same about the field inside `parent`.
    #[must_use]
    pub fn inside(mut self, parent: &str) -> Self {
        self.field = format!("{parent}.{}", self.field).into();
        self
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The status of HTTP.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The field that is at fault, as a path in the request.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is written.
    #[must_use]
    pub fn body(&self) -> ProblemBody<'_> {
        ProblemBody {
            r#type: format!("urn:suanpan:problem:{}", self.code),
            title: title(self.code),
            status: self.status,
            code: self.code,
            field: &self.field,
            detail: &self.detail,
            more: &self.more,
        }
    }
}

/// The code as a phrase: `amount_zero` is "Amount zero".
fn title(code: &str) -> String {
    let mut title = code.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

impl From<Reject> for Problem {
    fn from(reject: Reject) -> Self {
        Self::new(reject.code, reject.field, reject.expected)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): expected {}", self.code, self.field, self.detail)
    }
}

impl std::error::Error for Problem {}

impl actix_web::ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        if self.status == 503 || self.code == RejectCode::InProgress.code() {
            response.insert_header((header::RETRY_AFTER, "1"));
        }
        if let Some(allow) = self.allow {
            response.insert_header((header::ALLOW, allow));
        }
        // A map of texts and numbers always serializes.
        response.body(serde_json::to_vec(&self.body()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;

    #[test]
    fn every_code_has_a_status_of_http_and_a_title() {
        for code in RejectCode::ALL {
            let problem = Problem::new(*code, "", "something");
            assert_eq!(problem.status_code().as_u16(), code.http_status(), "{code:?}");
            let retry = problem.error_response().headers().contains_key("retry-after");
            let expected =
                matches!(code, RejectCode::Busy | RejectCode::Unavailable | RejectCode::InProgress);
            assert_eq!(retry, expected, "{code:?}");
        }
        assert_eq!(title("amount_zero"), "Amount zero");
    }
}
