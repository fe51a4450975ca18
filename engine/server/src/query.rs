//! Parameters of a query: declared once, for the reader and for the description of the API.

use std::str::FromStr;

use actix_web::{HttpRequest, web};
use schemars::{Schema, SchemaGenerator};
use suanpan_model::{AccountType, AnnouncementId, OrderStatus, RejectCode, TimestampMs};

use crate::notify::DeliveryState;
use crate::problem::Problem;
use crate::text::parse_time;
use crate::wire::{is_reference, schema};

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub what: &'static str,
    form: Form,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// A whole number within these bounds.
    Number(u64, u64),
    /// A time.
    Instant,
    /// From `next` of the page before.
    Cursor,
    /// The id of an event, or `next` of a page of them.
    Event,
    /// How far a mall was told.
    Delivery,
    /// A type of account that platforms open.
    Kind,
    /// Where an order stands.
    Status,
    /// A name that the platform gave.
    Name,
}

/// Entries of a page that does not say.
pub const LIMIT_DEFAULT: usize = 100;
/// Longest cursor.
const CURSOR_MAX: usize = 64;
/// Most entries of a page.
const LIMIT_MAX: u64 = 1_000;

const LIMIT: Parameter = Parameter {
    name: "limit",
    what: "Most entries of the page; 100 when left out. A page may have fewer: only the absence of `next` is the end.",
    form: Form::Number(1, LIMIT_MAX),
};
const CURSOR: Parameter = Parameter {
    name: "after",
    what: "Where the page begins: `next` of the page before, as it stands there.",
    form: Form::Cursor,
};
const FROM: Parameter = Parameter { name: "from", what: "First instant of the range.", form: Form::Instant };
const UNTIL: Parameter =
    Parameter { name: "until", what: "First instant after the range.", form: Form::Instant };

/// Of a submission.
pub const SUBMISSION: &[Parameter] = &[Parameter {
    name: "wait_ms",
    what: "Wait so long for what the payer has to do, or for a result; the answer then has `now`.",
    form: Form::Number(0, 5_000),
}];
/// Of a list.
pub const PAGE: &[Parameter] = &[CURSOR, LIMIT];
/// Of a list of things that happened at some time.
pub const TIMED_PAGE: &[Parameter] = &[FROM, UNTIL, CURSOR, LIMIT];
/// Of accounts.
pub const ACCOUNTS: &[Parameter] =
    &[Parameter { name: "kind", what: "Only accounts of this type.", form: Form::Kind }, CURSOR, LIMIT];

/// Of orders.
pub const ORDERS: &[Parameter] = &[
    Parameter { name: "status", what: "Only orders that stand here now.", form: Form::Status },
    Parameter {
        name: "merchant",
        what: "Only orders of which this merchant sells something: the reference of its settlement account.",
        form: Form::Name,
    },
    Parameter { name: "payer", what: "Only orders of this payer.", form: Form::Name },
    FROM,
    UNTIL,
    CURSOR,
    LIMIT,
];

/// Of a list of what happened to orders.
pub const EVENT_LIST: &[Parameter] = &[
    FROM,
    UNTIL,
    Parameter {
        name: "after",
        what: "Where the page begins: `next` of the page before, as it stands there.",
        form: Form::Event,
    },
    LIMIT,
];

const AFTER_EVENT: Parameter = Parameter {
    name: "after",
    what: "Events after this one; from the first when left out.",
    form: Form::Event,
};
/// Of the feed of events.
pub const EVENTS: &[Parameter] = &[AFTER_EVENT, LIMIT];
/// Of deliveries.
pub const DELIVERIES: &[Parameter] = &[
    Parameter {
        name: "state",
        what: "Only deliveries that stand there; those that are pending when left out.",
        form: Form::Delivery,
    },
    AFTER_EVENT,
    LIMIT,
];

impl Parameter {
    /// Its form.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        match self.form {
            Form::Number(least, most) => {
                schemars::json_schema!({ "type": "integer", "minimum": least, "maximum": most })
            }
            Form::Instant => generator.subschema_for::<schema::Instant>(),
            Form::Cursor => generator.subschema_for::<schema::Cursor>(),
            Form::Event => generator.subschema_for::<schema::EventId>(),
            Form::Delivery => generator.subschema_for::<schema::DeliveryStateName>(),
            Form::Kind => generator.subschema_for::<schema::OpenedKind>(),
            Form::Status => generator.subschema_for::<schema::OrderStatusName>(),
            Form::Name => generator.subschema_for::<schema::Reference>(),
        }
    }
}

/// The parameters of a request, each known and there once.
#[derive(Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the query of a request that takes these parameters.
    ///
    /// # Errors
    /// `invalid_field` of the first parameter that is not known or stands there twice.
    pub fn read(request: &HttpRequest, known: &[Parameter]) -> Result<Self, Problem> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        let pairs = pairs.map_err(|_| invalid("", "a query of the form name=value&name=value"))?.into_inner();
        for (place, (name, _)) in pairs.iter().enumerate() {
            let names = || known.iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
            if !known.iter().any(|one| one.name == name) {
                let name: String = name.chars().take(64).collect();
                return Err(invalid(name, format!("no such parameter, but one of {}", names())));
            }
            if pairs[..place].iter().any(|(before, _)| before == name) {
                return Err(invalid(name.clone(), "the parameter once"));
            }
        }
        Ok(Self(pairs))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, of: &Parameter) -> Result<Option<u64>, Problem> {
        let Form::Number(least, most) = of.form else { return Ok(None) };
        let read = |text: &str| {
            let number = digits(text).filter(|number| (least..=most).contains(number));
            number.ok_or_else(|| invalid(of.name, format!("a whole number from {least} to {most}")))
        };
        self.get(of.name).map(read).transpose()
    }

    /// How long to wait.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn wait_ms(&self) -> Result<Option<u64>, Problem> {
        SUBMISSION.iter().find_map(|of| self.number(of).transpose()).transpose()
    }

    /// Most entries of the page.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn limit(&self) -> Result<usize, Problem> {
        let limit = self.number(&LIMIT)?;
        Ok(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(LIMIT_DEFAULT))
    }

    /// Where the page begins, by the number that its last entry had.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn cursor<T: FromStr>(&self) -> Result<Option<T>, Problem> {
        let read = |text: &str| {
            let known = Some(text).filter(|text| text.len() <= CURSOR_MAX && digits(text).is_some());
            let refused = || invalid("after", "`next` of the page before, as it stands there");
            known.and_then(|text| text.parse().ok()).ok_or_else(refused)
        };
        self.get("after").map(read).transpose()
    }

    /// The range of time, from 1970 and without an end where it is left out.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn range(&self) -> Result<(TimestampMs, TimestampMs), Problem> {
        let instant = |name: &'static str, usual| match self.get(name) {
            None => Ok(usual),
            Some(text) => parse_time(text).ok_or_else(|| {
                invalid(name, "a time of RFC 3339 such as 2026-01-01T00:00:00Z (with + written as %2B)")
            }),
        };
        Ok((instant("from", TimestampMs(0))?, instant("until", TimestampMs::NEVER)?))
    }

    /// After which event the page begins.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn after_event(&self) -> Result<AnnouncementId, Problem> {
        Ok(self.before_event()?.unwrap_or(AnnouncementId::FIRST))
    }

    /// Before which event a page begins whose first event is the newest.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn before_event(&self) -> Result<Option<AnnouncementId>, Problem> {
        let read = |text| {
            AnnouncementId::parse(text)
                .ok_or_else(|| invalid("after", "the id of an event, or `next` of an earlier page"))
        };
        self.get("after").map(read).transpose()
    }

    /// Where orders shall stand.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn order_status(&self) -> Result<Option<OrderStatus>, Problem> {
        let names = || OrderStatus::ALL.into_iter().map(OrderStatus::name).collect::<Vec<_>>().join(", ");
        let read = |text: &str| {
            let known = OrderStatus::ALL.into_iter().find(|status| status.name() == text);
            known.ok_or_else(|| invalid("status", format!("one of {}", names())))
        };
        self.get("status").map(read).transpose()
    }

    /// A name that the platform gave.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn name(&self, parameter: &'static str) -> Result<Option<&str>, Problem> {
        match self.get(parameter) {
            Some(text) if !is_reference(text) => {
                Err(invalid(parameter, "1 to 64 characters without control characters"))
            }
            known => Ok(known),
        }
    }

    /// Where deliveries shall stand.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn delivery_state(&self) -> Result<DeliveryState, Problem> {
        let read = |text: &str| {
            let known = DeliveryState::ALL.into_iter().find(|state| state.name() == text);
            known.ok_or_else(|| invalid("state", "pending, delivered or dead"))
        };
        self.get("state").map_or(Ok(DeliveryState::Pending), read)
    }

    /// The type that accounts shall have.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn kind(&self) -> Result<Option<AccountType>, Problem> {
        let read = |text: &str| {
            let known = AccountType::from_name(text).filter(|kind| kind.may_be_opened());
            let expected = "cash, settlement, marketing, wealth, deposit or commission";
            known.ok_or_else(|| invalid("kind", expected))
        };
        self.get("kind").map(read).transpose()
    }
}

/// The first `limit` of what is there, and the cursor after them when something is left.
pub fn page<T, N: ToString>(all: &[T], limit: usize, number: impl Fn(&T) -> N) -> (&[T], Option<String>) {
    let shown = &all[..all.len().min(limit)];
    let next = shown.last().filter(|_| all.len() > limit).map(|last| number(last).to_string());
    (shown, next)
}

/// A number as it is written: digits, nothing else.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn invalid(field: impl Into<std::borrow::Cow<'static, str>>, expected: impl Into<String>) -> Problem {
    Problem::new(RejectCode::InvalidField, field, expected)
}
