//! What a refused caller is told: `application/problem+json` (RFC 9457).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use suanpan_model::{Reject, RejectCode};

macro_rules! http_codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $status:literal;)*) => {
        /// A refusal that only HTTP knows: the engine has not seen the request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum HttpCode {
            $($(#[doc = $doc])+ $name,)*
        }

        impl HttpCode {
            /// The stable code in the API.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status of HTTP.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

http_codes! {
    /// No such path.
    NotFound = "not_found", 404;
    /// Answers are signed with secrets that callers share, so that there is no public key.
    NoEngineKey = "no_engine_key", 404;
    /// The path exists, but not with this method.
    MethodNotAllowed = "method_not_allowed", 405;
    /// The request did not arrive in time.
    RequestTimeout = "request_timeout", 408;
    /// The body does not say that it is JSON.
    UnsupportedMediaType = "unsupported_media_type", 415;
    /// More requests than the platform agreed to.
    RateLimited = "rate_limited", 429;
    /// A fault on our side that must not happen.
    Internal = "internal", 500;
}

impl HttpCode {
    /// Whether the same request can be sent again after a refusal with this status: the answer says when.
    #[must_use]
    pub const fn may_be_retried(status: u16) -> bool {
        matches!(status, 429 | 503)
    }
}

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
    /// After how many seconds to send the same again, where that is worth trying.
    retry_after_s: u32,
}

/// Goes with the answer of a refusal, so that refusals are counted by their codes.
#[derive(Clone, Copy, Debug)]
pub struct Refused(pub &'static str);

/// The body of a problem; also an item of a batch's answer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemBody<'a> {
    /// The code as a URN.
    r#type: String,
    /// The code as a phrase.
    title: String,
    /// The status of HTTP.
    status: u16,
    /// The stable code: what programs look at.
    code: &'a str,
    /// The field that is at fault, as a path in the request such as `sub_orders[1].amount`, or the name of a parameter;
    /// absent when it is the whole request.
    #[serde(skip_serializing_if = "str::is_empty")]
    field: &'a str,
    /// What was expected, for people.
    detail: &'a str,
    #[serde(flatten)]
    #[schemars(skip)]
    more: &'a Map<String, Value>,
}

impl Problem {
    /// A refusal of `field` (empty: of the whole request).
    #[must_use]
    pub fn new(code: RejectCode, field: impl Into<Cow<'static, str>>, expected: impl Into<String>) -> Self {
        Self::of_http(code.http_status(), code.code(), field, expected)
    }

    fn of_code(code: HttpCode, detail: impl Into<String>) -> Self {
        Self::of_http(code.status(), code.code(), "", detail)
    }

    /// A refusal that only HTTP knows.
    pub(crate) fn of_http(
        status: u16,
        code: &'static str,
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            field: field.into(),
            detail: detail.into(),
            more: Map::new(),
            allow: None,
            retry_after_s: 1,
        }
    }

    /// No such path.
    #[must_use]
    pub fn not_found() -> Self {
        Self::of_code(HttpCode::NotFound, "a path of this API; GET / lists them")
    }

    /// There is no public key of the engine.
    #[must_use]
    pub fn no_engine_key(detail: &str) -> Self {
        Self::of_code(HttpCode::NoEngineKey, detail)
    }

    /// The path exists, but not with this method.
    #[must_use]
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let detail = format!("the method {allow}");
        Self { allow: Some(allow), ..Self::of_code(HttpCode::MethodNotAllowed, detail) }
    }

    /// The body is not JSON by its own account.
    #[must_use]
    pub fn unsupported_media_type() -> Self {
        let detail = "a body with the header content-type: application/json";
        Self::of_code(HttpCode::UnsupportedMediaType, detail)
    }

    /// The platform sends more than it agreed to; it has to wait this long.
    #[must_use]
    pub fn rate_limited(wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        let detail = format!("fewer requests; the next one in {seconds} s");
        let retry_after_s = u32::try_from(seconds).unwrap_or(u32::MAX);
        Self { retry_after_s, ..Self::of_code(HttpCode::RateLimited, detail) }
    }

    /// A fault on our side that must not happen; the log says more.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "nothing; this is a fault of the engine. Ask for the order before you send it again";
        Self::of_code(HttpCode::Internal, detail)
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

    /// The same with the names that the caller used, where the engine has others.
    #[must_use]
    pub fn in_words_of_caller(mut self, names: &[(&str, &'static str)]) -> Self {
        if let Some((_, name)) = names.iter().find(|(ours, _)| *ours == self.field) {
            self.field = (*name).into();
        }
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
        if HttpCode::may_be_retried(self.status) || self.code == RejectCode::InProgress.code() {
            response.insert_header((header::RETRY_AFTER, self.retry_after_s));
        }
        if let Some(allow) = self.allow {
            response.insert_header((header::ALLOW, allow));
        }
        // A map of texts and numbers always serializes.
        let mut response = response.body(serde_json::to_vec(&self.body()).unwrap_or_default());
        response.extensions_mut().insert(Refused(self.code));
        response
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
