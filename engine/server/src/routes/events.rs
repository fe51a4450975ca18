//! What happened to orders, as a feed; how far malls were told; telling them again.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use suanpan_model::{Announced, AnnouncementId, RejectCode};
use suanpan_runtime::EngineFault;

use crate::answer::{Answered, json as respond};
use crate::identity::Caller;
use crate::notify::ResendFault;
use crate::problem::Problem;
use crate::query::{DELIVERIES, EVENTS, Parameters};
use crate::state::State;
use crate::wire::{DeliveriesOut, DeliveryOut, EventOut, EventsOut, ResentOut, ToldEventOut};

/// Platform and event.
type EventPath = Path<(String, String)>;

pub(super) async fn list(caller: Caller, state: Data<State>, request: HttpRequest) -> Answered {
    let query = Parameters::read(&request, EVENTS)?;
    let (after, limit) = (query.after_event()?, query.limit()?);
    let events = state.engine.announcements(caller.platform, after, limit).map_err(unreadable)?;
    // Looked at afterwards, so that nothing went in between unnoticed.
    let expired = state.engine.expired_upto(caller.platform).map_err(unreadable)?;
    if after != AnnouncementId::FIRST && after < expired {
        let expected = "the id of an event that is kept, since later ones are gone; GET .../orders has where orders stand, and \
                        without `after` the feed begins with the oldest event that is kept";
        return Err(Problem::new(RejectCode::EventExpired, "after", expected));
    }
    // A reader that has everything goes on from where it is.
    let next = events.last().map_or(after.max(expired), |last| last.id);
    let has_more = events.len() == limit;
    let events: Vec<EventOut<'_>> = events.iter().map(EventOut::new).collect();
    respond(StatusCode::OK, &EventsOut { events, next: next.to_string(), has_more })
}

pub(super) async fn show(caller: Caller, state: Data<State>, path: EventPath) -> Answered {
    let announced = found(&caller, &state, &path.1)?;
    let delivery = state.notifier.delivery(caller.platform, announced.id).map_err(unreadable)?;
    let delivery = delivery.map(|(stands, delivery)| DeliveryOut::new(announced.id, stands, &delivery));
    respond(StatusCode::OK, &ToldEventOut { event: EventOut::new(&announced), delivery })
}

pub(super) async fn resend(caller: Caller, state: Data<State>, path: EventPath) -> Answered {
    let announced = found(&caller, &state, &path.1)?;
    state.notifier.resend(caller.platform, announced.id).await.map_err(|fault| match fault {
        ResendFault::Expired => expired(),
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
    respond(StatusCode::ACCEPTED, &ResentOut { event: announced.id.to_string() })
}

pub(super) async fn deliveries(caller: Caller, state: Data<State>, request: HttpRequest) -> Answered {
    let query = Parameters::read(&request, DELIVERIES)?;
    let (wanted, after, limit) = (query.delivery_state()?, query.after_event()?, query.limit()?);
    let found = state.notifier.deliveries(caller.platform, wanted, after, limit).map_err(unreadable)?;
    let next = found.last().map_or(after, |(id, _)| *id);
    let has_more = found.len() == limit;
    let found: Vec<DeliveryOut> =
        found.iter().map(|(id, delivery)| DeliveryOut::new(*id, wanted, delivery)).collect();
    respond(StatusCode::OK, &DeliveriesOut { deliveries: found, next: next.to_string(), has_more })
}

fn found(caller: &Caller, state: &State, text: &str) -> Result<Announced, Problem> {
    let id = AnnouncementId::parse(text);
    if let Some(id) = id
        && id > AnnouncementId::FIRST
        && id <= state.engine.expired_upto(caller.platform).map_err(unreadable)?
    {
        return Err(expired());
    }
    let found =
        id.map(|id| state.engine.announcement(caller.platform, id)).transpose().map_err(unreadable)?;
    found.flatten().ok_or_else(|| {
        let expected = "the id of an event of this platform; GET .../events lists them";
        Problem::new(RejectCode::UnknownEvent, "event", expected)
    })
}

fn expired() -> Problem {
    let expected = "an event that is kept; GET .../orders/{order} has the whole life of its order";
    Problem::new(RejectCode::EventExpired, "event", expected)
}

#[expect(clippy::needless_pass_by_value, reason = "as the callers have it")]
fn unreadable(fault: EngineFault) -> Problem {
    tracing::error!(%fault, "events cannot be read");
    Problem::new(RejectCode::Unavailable, "", "a disk that can be read; ask again later")
}
