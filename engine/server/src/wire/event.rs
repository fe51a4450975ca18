//! What a mall is told: the body of a notification, and an item of the feed.

use schemars::JsonSchema;
use serde::Serialize;
use suanpan_model::event::EventKind;
use suanpan_model::{Announced, AnnouncementId};

use super::schema;
use crate::notify::{Delivery, DeliveryState, Try};
use crate::text::time_text;

/// Something that happened to an order. The feed and the notification have the same bytes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventOut<'a> {
    #[schemars(with = "schema::EventId")]
    id: String,
    r#type: String,
    platform: u32,
    #[schemars(with = "schema::Number")]
    order: String,
    order_no: &'a str,
    /// Number under the order, from 1 without gaps: what comes out of order is put in order by it.
    sequence: u32,
    #[schemars(with = "schema::ToldInstant")]
    at: String,
    /// Where the order stood afterwards.
    #[schemars(with = "schema::OrderStatusName")]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::AmountText>")]
    amount: Option<String>,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    release_no: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_no: Option<&'a str>,
}

impl<'a> EventOut<'a> {
    /// As the engine has it.
    #[must_use]
    pub fn new(announced: &'a Announced) -> Self {
        let told = &announced.announcement;
        let number = Some(told.number.as_str()).filter(|number| !number.is_empty());
        let is_release = told.kind == EventKind::Released;
        Self {
            id: announced.id.to_string(),
            r#type: format!("order.{}", told.kind.name()),
            platform: announced.platform.0,
            order: told.order.to_string(),
            order_no: &told.order_no,
            sequence: told.sequence,
            at: time_text(told.at),
            status: told.status.name(),
            amount: (!told.amount.is_zero()).then(|| told.amount.to_text(told.currency)),
            currency: told.currency.code(),
            release_no: number.filter(|_| is_release),
            refund_no: number.filter(|_| !is_release),
        }
    }
}

/// How far a mall was told of an event.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub struct DeliveryOut {
    #[schemars(with = "schema::EventId")]
    event: String,
    #[schemars(with = "schema::DeliveryStateName")]
    state: &'static str,
    tries: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::ToldInstant>")]
    next_try_at: Option<String>,
    /// The latest tries, oldest first.
    log: Vec<TryOut>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeliveryTry")]
struct TryOut {
    #[schemars(with = "schema::ToldInstant")]
    at: String,
    took_ms: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

impl DeliveryOut {
    /// As the outbox has it.
    #[must_use]
    pub fn new(event: AnnouncementId, state: DeliveryState, delivery: &Delivery) -> Self {
        let tried = |one: &Try| TryOut {
            at: time_text(one.at),
            took_ms: one.took_ms,
            status: (one.status != 0).then_some(one.status),
            fault: Some(one.fault.to_string()).filter(|fault| !fault.is_empty()),
        };
        Self {
            event: event.to_string(),
            state: state.name(),
            tries: delivery.tries,
            next_try_at: (state == DeliveryState::Pending).then(|| time_text(delivery.due)),
            log: delivery.log.iter().map(tried).collect(),
        }
    }
}

/// A page of the feed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Events")]
pub struct EventsOut<'a> {
    /// Oldest first.
    pub events: Vec<EventOut<'a>>,
    /// The `after` of the next page; where the reader goes on when there is nothing more yet.
    #[schemars(with = "schema::EventId")]
    pub next: String,
    /// Whether there is more now.
    pub has_more: bool,
}

/// An event, and how far the mall was told; null where it is told nothing.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ToldEvent")]
pub struct ToldEventOut<'a> {
    /// What happened.
    pub event: EventOut<'a>,
    /// How far the mall was told.
    pub delivery: Option<DeliveryOut>,
}

/// An event of which the mall is told once more.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Resent")]
pub struct ResentOut {
    /// Its id.
    #[schemars(with = "schema::EventId")]
    pub event: String,
}

/// A page of deliveries.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Deliveries")]
pub struct DeliveriesOut {
    /// By event.
    pub deliveries: Vec<DeliveryOut>,
    /// The `after` of the next page.
    #[schemars(with = "schema::EventId")]
    pub next: String,
    /// Whether there is more now.
    pub has_more: bool,
}

/// The public half of the key with which the engine signs answers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EngineKey")]
pub struct EngineKeyOut<'a> {
    /// Its id.
    pub key_id: &'a str,
    /// ed25519 or rsa-sha256.
    pub algorithm: &'a str,
    /// In PEM.
    pub public_key: &'a str,
}

/// What operators did, oldest first: a description of the answer of the trail, whose lines are as they stand in its file.
#[derive(JsonSchema)]
#[schemars(rename = "AuditPage")]
#[expect(dead_code, reason = "describes lines that are passed on as they are")]
pub struct AuditPageForm {
    lines: Vec<serde_json::Map<String, serde_json::Value>>,
    /// The `after` of the next page; null at the end.
    next: Option<u64>,
}
