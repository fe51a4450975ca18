//! Routing rules of a platform, and how the channels of an order were chosen.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use serde_json::json;
use suanpan_core::routing::{Key, Router, RoutingRules, RuleWarning};
use suanpan_model::order::Attempt;
use suanpan_model::{Order, PlatformId, RejectCode};
use suanpan_runtime::Engine;
use suanpan_runtime::rulebook::PutFault;

use super::orders::{find, order_ref};
use crate::answer::{Answered, json as respond};
use crate::body::Body;
use crate::config::ConfigFault;
use crate::identity::Caller;
use crate::problem::Problem;
use crate::rule_names::PlatformNames;
use crate::state::State;
use crate::wire::{ExplainedAttempt, ExplainedOut, RouteOut, RulesIn, RulesPutOut};

pub(super) async fn get(caller: Caller, state: Data<State>) -> Answered {
    let router = state.engine.router();
    let names = PlatformNames { engine: &state.engine, router: &router, platform: caller.platform };
    respond(StatusCode::OK, &RulesIn::write(router.rules(caller.platform), &names))
}

pub(super) async fn put(caller: Caller, state: Data<State>, body: Body) -> Answered {
    let rules = read(&body.read::<RulesIn>()?, &state.engine, caller.platform)?;
    let version = rules.version;
    // The disk is waited for: off the worker's thread, which serves others meanwhile.
    let (engine, platform) = (state.engine.clone(), caller.platform);
    let put = actix_web::web::block(move || engine.put_rules(platform, rules)).await;
    match put.map_err(|_| Problem::internal())? {
        Ok(put) => {
            let result = if put.repeat { "repeat" } else { "moved" };
            respond(StatusCode::OK, &RulesPutOut { version, result, warnings: words(&put.warnings) })
        }
        Err(PutFault::Rules(faults)) => {
            let words: Vec<String> = faults.0.iter().map(ToString::to_string).collect();
            Err(Problem::new(RejectCode::InvalidRules, "", "rules that can work; see faults")
                .with("faults", json!(words)))
        }
        Err(PutFault::Version { current }) => {
            let expected = format!("a version above {current}, which is in force");
            Err(Problem::new(RejectCode::RulesVersion, "version", expected).with("current", json!(current)))
        }
        Err(PutFault::Disk(fault)) => {
            tracing::error!(%fault, "routing rules cannot be written");
            let expected = "a disk that can be written; the rules in force stay. Try again later";
            Err(Problem::new(RejectCode::Unavailable, "", expected))
        }
    }
}

/// Reads rules of a request.
///
/// # Errors
/// `invalid_field` of the first value that is not allowed.
pub(super) fn read(rules: &RulesIn, engine: &Engine, platform: PlatformId) -> Result<RoutingRules, Problem> {
    let router = engine.router();
    let names = PlatformNames { engine, router: &router, platform };
    rules.read("rules", &names).map_err(|fault| match fault {
        ConfigFault::Value { key, expected, .. } | ConfigFault::Refused { key, expected } => {
            let field = key.strip_prefix("rules.").unwrap_or(&key).to_owned();
            Problem::new(RejectCode::InvalidField, field, expected)
        }
        other @ (ConfigFault::Read { .. } | ConfigFault::Shape(_)) => {
            Problem::new(RejectCode::InvalidField, "", other.to_string())
        }
    })
}

/// Findings in words.
pub(super) fn words(warnings: &[RuleWarning]) -> Vec<String> {
    warnings.iter().map(ToString::to_string).collect()
}

pub(super) async fn explain(caller: Caller, state: Data<State>, path: Path<(String, String)>) -> Answered {
    let order = find(&state.engine, &caller, order_ref(caller.platform, &path.1)?).await?;
    let router = state.engine.router();
    let attempts = order.attempts.iter().map(|one| decision(&order, one, &router, &state.engine)).collect();
    respond(StatusCode::OK, &ExplainedOut::new(&order, attempts))
}

fn decision(order: &Order, attempt: &Attempt, router: &Router, engine: &Engine) -> ExplainedAttempt {
    let (platform, version) = (order.terms.platform, attempt.route.rules_version);
    let tell = |rules: Option<&RoutingRules>| {
        let keys: Vec<Key> = rules.map(Router::keys_of).unwrap_or_default();
        let known = rules.map(|rules| (rules, keys.as_slice()));
        ExplainedAttempt::new(attempt, RouteOut::new(router, &attempt.route, order.terms.currency, known))
    };
    if let Some(put) = engine.rules_version(platform, version) {
        return tell(Some(&put.rules));
    }
    let in_force = router.rules(platform);
    tell((in_force.version == version).then_some(in_force))
}
