//! What happened to orders, as a feed; how far malls were told; telling them again.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Query};
use serde::Deserialize;
use serde_json::json;
use suanpan_model::{Announced, AnnouncementId, RejectCode};
use suanpan_runtime::EngineFault;

use crate::answer::{Answered, json as respond};
use crate::identity::Caller;
use crate::notify::{DeliveryState, ResendFault};
use crate::problem::Problem;
use crate::state::State;
use crate::wire::{DeliveryOut, EventOut};

/// Events of a page that does not say.
const LIMIT_DEFAULT: usize = 100;
/// Most events of a page.
const LIMIT_MAX: usize = 1_000;

/// Which events are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    after: Option<String>,
    limit: Option<usize>,
}

/// Which deliveries are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveriesQuery {
    state: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// Platform and event.
type EventPath = Path<(String, String)>;

pub(super) async fn list(caller: Caller, state: Data<State>, query: Query<EventsQuery>) -> Answered {
    let (after, limit) = (cursor(query.after.as_deref())?, limit(query.limit)?);
    let events = state.engine.announcements(caller.platform, after, limit).map_err(unreadable)?;
    // A reader that has everything goes on from where it is.
    let next = events.last().map_or(after, |last| last.id);
    let has_more = events.len() == limit;
    let events: Vec<EventOut<'_>> = events.iter().map(EventOut::new).collect();
    respond(StatusCode::OK, &json!({ "events": events, "next": next.to_string(), "has_more": has_more }))
}

pub(super) async fn show(caller: Caller, state: Data<State>, path: EventPath) -> Answered {
    let announced = found(&caller, &state, &path.1)?;
    let delivery = state.notifier.delivery(caller.platform, announced.id).map_err(unreadable)?;
    let delivery = delivery.map(|(stands, delivery)| DeliveryOut::new(announced.id, stands, &delivery));
    respond(StatusCode::OK, &json!({ "event": EventOut::new(&announced), "delivery": delivery }))
}

pub(super) async fn resend(caller: Caller, state: Data<State>, path: EventPath) -> Answered {
    let announced = found(&caller, &state, &path.1)?;
    state.notifier.resend(caller.platform, announced.id).await.map_err(|fault| match fault {
        ResendFault::NoTarget => {
            let expected =
                "a platform with notify_url in its configuration; GET .../events has what happened";
            Problem::new(RejectCode::NoNotifyUrl, "", expected)
        }
        ResendFault::Busy => {
            let expected = "fewer notifications that are pending; ask again when the mall answers";
            Problem::new(RejectCode::Busy, "", expected)
        }
        ResendFault::Ended => Problem::new(RejectCode::Unavailable, "", "an engine that is running"),
    })?;
    respond(StatusCode::ACCEPTED, &json!({ "event": announced.id.to_string() }))
}

pub(super) async fn deliveries(
    caller: Caller,
    state: Data<State>,
    query: Query<DeliveriesQuery>,
) -> Answered {
    let wanted = match query.state.as_deref() {
        None => DeliveryState::Pending,
        Some(name) => {
            let known = DeliveryState::ALL.into_iter().find(|state| state.name() == name);
            known.ok_or_else(|| {
                Problem::new(RejectCode::InvalidField, "state", "pending, delivered or dead")
            })?
        }
    };
    let (after, limit) = (cursor(query.after.as_deref())?, limit(query.limit)?);
    let found = state.notifier.deliveries(caller.platform, wanted, after, limit).map_err(unreadable)?;
    let next = found.last().map_or(after, |(id, _)| *id);
    let has_more = found.len() == limit;
    let found: Vec<DeliveryOut> =
        found.iter().map(|(id, delivery)| DeliveryOut::new(*id, wanted, delivery)).collect();
    respond(StatusCode::OK, &json!({ "deliveries": found, "next": next.to_string(), "has_more": has_more }))
}

fn found(caller: &Caller, state: &State, text: &str) -> Result<Announced, Problem> {
    let id = AnnouncementId::parse(text);
    let found =
        id.map(|id| state.engine.announcement(caller.platform, id)).transpose().map_err(unreadable)?;
    found.flatten().ok_or_else(|| {
        let expected = "the id of an event of this platform; GET .../events lists them";
        Problem::new(RejectCode::UnknownEvent, "event", expected)
    })
}

fn cursor(text: Option<&str>) -> Result<AnnouncementId, Problem> {
    let read = |text| {
        let expected = "the id of an event, or `next` of an earlier page";
        AnnouncementId::parse(text).ok_or_else(|| Problem::new(RejectCode::InvalidField, "after", expected))
    };
    text.map_or(Ok(AnnouncementId::FIRST), read)
}

fn limit(wanted: Option<usize>) -> Result<usize, Problem> {
    let limit = wanted.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let expected = format!("a number from 1 to {LIMIT_MAX}");
        return Err(Problem::new(RejectCode::InvalidField, "limit", expected));
    }
    Ok(limit)
}

#[expect(clippy::needless_pass_by_value, reason = "as the callers have it")]
fn unreadable(fault: EngineFault) -> Problem {
    tracing::error!(%fault, "events cannot be read");
    Problem::new(RejectCode::Unavailable, "", "a disk that can be read; ask again later")
}
