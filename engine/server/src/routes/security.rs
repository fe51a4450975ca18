//! The engine's public key, and what operators did.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use serde::Deserialize;
use serde_json::json;
use suanpan_model::RejectCode;

use crate::answer::{Answered, json as respond};
use crate::identity::Admin;
use crate::problem::Problem;
use crate::state::State;

/// Lines of a page that does not say.
const LIMIT_DEFAULT: usize = 100;
/// Most lines of a page.
const LIMIT_MAX: usize = 1_000;

pub(super) async fn engine_key(state: Data<State>) -> Answered {
    let key = state.security.engine_key.as_ref().ok_or_else(|| {
        let expected =
            "nothing: every caller shares a secret with this engine, with which answers are signed";
        Problem::of_http(404, "no_engine_key", "", expected)
    })?;
    let body = json!({
        "key_id": key.id,
        "algorithm": key.key.algorithm().name(),
        "public_key": key.public_pem,
    });
    respond(StatusCode::OK, &body)
}

/// Which lines are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

pub(super) async fn audit(_admin: Admin, state: Data<State>, query: Query<AuditQuery>) -> Answered {
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let expected = format!("a number from 1 to {LIMIT_MAX}");
        return Err(Problem::new(RejectCode::InvalidField, "limit", expected));
    }
    let (trail, after) = (state.security.audit.clone(), query.after.unwrap_or(0));
    let page = actix_web::web::block(move || trail.read(after, limit)).await;
    respond(StatusCode::OK, &page.map_err(|_| Problem::internal())??)
}
