//! The engine's public key, and what operators did.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Data;

use crate::answer::{Answered, json as respond};
use crate::identity::Admin;
use crate::problem::Problem;
use crate::query::{PAGE, Parameters};
use crate::state::State;
use crate::wire::EngineKeyOut;

pub(super) async fn engine_key(state: Data<State>) -> Answered {
    let key = state.security.engine_key.as_ref().ok_or_else(|| {
        let expected =
            "nothing: every caller shares a secret with this engine, with which answers are signed";
        Problem::no_engine_key(expected)
    })?;
    let told =
        EngineKeyOut { key_id: &key.id, algorithm: key.key.algorithm().name(), public_key: &key.public_pem };
    respond(StatusCode::OK, &told)
}

pub(super) async fn audit(_admin: Admin, state: Data<State>, request: HttpRequest) -> Answered {
    let query = Parameters::read(&request, PAGE)?;
    let (trail, after, limit) = (state.security.audit.clone(), query.cursor()?.unwrap_or(0), query.limit()?);
    let page = actix_web::web::block(move || trail.read(after, limit)).await;
    respond(StatusCode::OK, &page.map_err(|_| Problem::internal())??)
}
