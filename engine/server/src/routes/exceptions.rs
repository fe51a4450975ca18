//! Orders whose money waits for an operator: parked payments, refunds that are stuck or bounced.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde_json::json;
use suanpan_model::Order;

use crate::answer::{Answered, json as respond};
use crate::identity::{Caller, Operator};
use crate::state::State;
use crate::wire::ExceptionOut;

pub(super) async fn of_platform(caller: Caller, state: Data<State>) -> Answered {
    let mut orders = state.engine.needing_operator().await?;
    orders.retain(|order| order.terms.platform == caller.platform);
    tell(&state, &orders)
}

pub(super) async fn all(_operator: Operator, state: Data<State>) -> Answered {
    tell(&state, &state.engine.needing_operator().await?)
}

fn tell(state: &State, orders: &[Arc<Order>]) -> Answered {
    let router = state.engine.router();
    let exceptions: Vec<ExceptionOut<'_>> =
        orders.iter().map(|order| ExceptionOut::new(order, &router)).collect();
    respond(StatusCode::OK, &json!({ "exceptions": exceptions }))
}
