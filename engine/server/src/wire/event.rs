//! What a mall is told: the body of a notification, and an item of the feed.

use serde::Serialize;
use suanpan_model::event::EventKind;
use suanpan_model::{Announced, AnnouncementId};

use crate::notify::{Delivery, DeliveryState, Try};
use crate::text::time_text;

/// Something that happened to an order. The feed and the notification have the same bytes.
#[derive(Debug, Serialize)]
pub struct EventOut<'a> {
    id: String,
    r#type: String,
    platform: u32,
    order: String,
    order_no: &'a str,
    /// Number under the order, from 1 without gaps: what comes out of order is put in order by it.
    sequence: u32,
    at: String,
    /// Where the order stood afterwards.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
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
#[derive(Debug, Serialize)]
pub struct DeliveryOut {
    event: String,
    state: &'static str,
    tries: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try_at: Option<String>,
    /// The latest tries, oldest first.
    log: Vec<TryOut>,
}

#[derive(Debug, Serialize)]
struct TryOut {
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
