//! What platforms agreed to.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Data;

use crate::answer::{Answered, json};
use crate::identity::{Caller, Operator};
use crate::query::{PAGE, Parameters, page};
use crate::state::State;
use crate::wire::{PlatformOut, PlatformsOut};

pub(super) async fn show(caller: Caller) -> Answered {
    json(StatusCode::OK, &PlatformOut::new(&caller.policy))
}

pub(super) async fn list(_operator: Operator, state: Data<State>, request: HttpRequest) -> Answered {
    let query = Parameters::read(&request, PAGE)?;
    let (after, limit) = (query.cursor::<u32>()?, query.limit()?);
    let mut policies = state.engine.policies();
    policies.retain(|policy| after.is_none_or(|after| policy.id.0 > after));
    let (policies, next) = page(&policies, limit, |policy| policy.id.0);
    let platforms = policies.iter().map(|policy| PlatformOut::new(policy)).collect();
    json(StatusCode::OK, &PlatformsOut { platforms, next })
}
