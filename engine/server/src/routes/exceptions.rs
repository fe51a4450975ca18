//! Orders whose money waits for an operator: parked payments, refunds that are stuck or bounced.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use suanpan_model::Order;

use crate::answer::{Answered, json as respond};
use crate::identity::{Caller, Operator};
use crate::query::{Parameters, TIMED_PAGE, page};
use crate::state::State;
use crate::wire::{ExceptionOut, ExceptionsOut};

pub(super) async fn of_platform(caller: Caller, state: Data<State>, request: HttpRequest) -> Answered {
    let query = Parameters::read(&request, TIMED_PAGE)?;
    let mut orders = state.engine.needing_operator().await?;
    orders.retain(|order| order.terms.platform == caller.platform);
    tell(&state, orders, &query)
}

pub(super) async fn all(_operator: Operator, state: Data<State>, request: HttpRequest) -> Answered {
    let query = Parameters::read(&request, TIMED_PAGE)?;
    tell(&state, state.engine.needing_operator().await?, &query)
}

/// A page of orders, by number and so by the time at which they came.
fn tell(state: &State, mut orders: Vec<Arc<Order>>, query: &Parameters) -> Answered {
    let router = state.engine.router();
    let (after, limit, (from, until)) = (query.cursor::<u64>()?, query.limit()?, query.range()?);
    orders.retain(|order| {
        let came = order.created_at();
        after.is_none_or(|after| order.id.0 > after) && from <= came && came < until
    });
    let (orders, next) = page(&orders, limit, |order| order.id.0);
    let exceptions = orders.iter().map(|order| ExceptionOut::new(order, &router)).collect();
    respond(StatusCode::OK, &ExceptionsOut { exceptions, next })
}
