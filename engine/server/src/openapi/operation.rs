//! One operation: what is sent, what is answered, what is refused.

use schemars::{JsonSchema, Schema};
use suanpan_model::RejectCode;

use super::Schemas;
use crate::endpoint::Endpoint;
use crate::query::Parameter;

/// A group of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Orders and what is done with them.
    Orders,
    /// Coupons.
    Campaigns,
    /// Accounts.
    Accounts,
    /// Routing.
    Routing,
    /// Platforms.
    Platforms,
    /// What malls are told.
    Events,
    /// Orders that wait for somebody.
    Exceptions,
    /// The operator's pages.
    Operator,
    /// Health, metrics and this description.
    Service,
}

impl Tag {
    /// Every group, in the order in which people read them.
    pub const ALL: [Self; 9] = [
        Self::Orders,
        Self::Campaigns,
        Self::Accounts,
        Self::Routing,
        Self::Platforms,
        Self::Events,
        Self::Exceptions,
        Self::Operator,
        Self::Service,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orders => "Orders",
            Self::Campaigns => "Coupons",
            Self::Accounts => "Accounts",
            Self::Routing => "Routing",
            Self::Platforms => "Platforms",
            Self::Events => "Events",
            Self::Exceptions => "Exceptions",
            Self::Operator => "Operator",
            Self::Service => "Service",
        }
    }

    /// What is in it.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Orders => "Submit orders, ask for them, release their money, give it back, dispute it.",
            Self::Campaigns => "Coupon campaigns: who pays, how many there are, where they are.",
            Self::Accounts => "Accounts of payers, merchants and agents: balances, statements, top-ups.",
            Self::Routing => "Routing rules, their explanation, and trying them before they go live.",
            Self::Platforms => "What a platform agreed to.",
            Self::Events => "What happened to orders: the feed, and how far the mall was told.",
            Self::Exceptions => "Orders whose money waits for an operator, and what can be done about each.",
            Self::Operator => "Books and channels, for the engine's operator, and what channels notify.",
            Self::Service => "Health, metrics, and this description.",
        }
    }
}

/// How a schema is made.
pub type MakeSchema = fn(&mut Schemas) -> Schema;

/// What an answer has in its body.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// JSON of this form.
    Json(MakeSchema),
    /// Lines of JSON objects.
    Lines,
    /// Text of this content type.
    Text(&'static str),
}

/// An answer that is no refusal.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// When it is given.
    pub what: &'static str,
    /// Its body.
    pub content: Content,
}

/// What is sent in a body.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Its form.
    pub schema: MakeSchema,
    /// Whether it may be left out.
    pub optional: bool,
}

/// An operation of the API.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Path and method.
    pub endpoint: Endpoint,
    /// Its name for programs.
    pub id: &'static str,
    /// Its group.
    pub tag: Tag,
    /// More about it than the one line of the endpoint.
    pub description: &'static str,
    /// Parameters of the query.
    pub query: &'static [Parameter],
    /// The body.
    pub body: Option<Sent>,
    /// Answers that are no refusals.
    pub answers: Vec<Answer>,
    /// What it is refused with, beside what every operation of its kind is refused with.
    pub codes: Vec<RejectCode>,
    /// Operations that the answer leads to, with what stands in it for a variable part of their path.
    pub links: Vec<(&'static str, &'static str, &'static str)>,
}

impl Operation {
    /// An operation.
    pub fn new(endpoint: Endpoint, id: &'static str, tag: Tag) -> Self {
        Self {
            endpoint,
            id,
            tag,
            description: "",
            query: &[],
            body: None,
            answers: Vec::new(),
            codes: Vec::new(),
            links: Vec::new(),
        }
    }

    /// Whether it is below a platform.
    pub fn is_of_platform(&self) -> bool {
        self.endpoint.path.starts_with("/v1/platforms/{platform}")
    }

    /// Whether it takes an `Idempotency-Key`.
    pub fn takes_key(&self) -> bool {
        self.is_of_platform() && self.endpoint.method != "GET"
    }

    /// More about it.
    pub fn about(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// With these parameters.
    pub fn query(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }

    /// With a body.
    pub fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Sent { schema: |schemas| schemas.sent::<T>(), optional: false });
        self
    }

    /// With a body that may be left out.
    pub fn body_or_nothing<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Sent { schema: |schemas| schemas.sent::<T>(), optional: true });
        self
    }

    /// Answers JSON.
    pub fn answers<T: JsonSchema>(mut self, status: u16, what: &'static str) -> Self {
        let content = Content::Json(|schemas| schemas.answered::<T>());
        self.answers.push(Answer { status, what, content });
        self
    }

    /// Answers something else.
    pub fn answers_other(mut self, status: u16, what: &'static str, content: Content) -> Self {
        self.answers.push(Answer { status, what, content });
        self
    }

    /// Is refused with these codes.
    pub fn refuses(mut self, codes: &[RejectCode]) -> Self {
        self.codes.extend_from_slice(codes);
        self
    }

    /// The answer leads to another operation, whose `parameter` stands at `pointer` in it.
    pub fn leads_to(mut self, id: &'static str, parameter: &'static str, pointer: &'static str) -> Self {
        self.links.push((id, parameter, pointer));
        self
    }
}
