//! Handlers, and which path leads to which.

use actix_web::http::Method;
use actix_web::{Handler, Resource, Responder, Route, guard, web};

use crate::endpoint::{self, Endpoint};
use crate::problem::Problem;

mod accounts;
mod actions;
pub(crate) mod back_test;
mod campaigns;
mod description;
mod events;
mod exceptions;
mod lists;
mod notifications;
mod operations;
pub(crate) mod orders;
mod platforms;
mod routing;
mod rules;
mod security;
mod statement;

/// Adds every endpoint.
pub fn mount(config: &mut web::ServiceConfig) {
    config
        .app_data(web::PathConfig::default().error_handler(|_, _| Problem::not_found().into()))
        // Paths are matched in this order, and orders come most often.
        .service(resource(endpoint::ORDERS, orders::create).guard(guard::Post()))
        .service(resource_of("GET, POST", endpoint::ORDER_LIST, lists::orders))
        .service(resource(endpoint::PLATFORM_REFUNDS, lists::refunds))
        .service(resource(endpoint::PLATFORM_RELEASES, lists::releases))
        .service(resource(endpoint::PLATFORM_DISPUTES, lists::disputes))
        .service(resource(endpoint::BATCH, orders::batch))
        .service(resource(endpoint::ORDER, orders::life))
        .service(resource(endpoint::CONFIRM, actions::confirm))
        .service(resource(endpoint::ATTEMPTS, orders::attempts))
        .service(resource(endpoint::RELEASES_LIST, orders::releases).guard(guard::Get()))
        .service(resource_of("GET, POST", endpoint::RELEASES, actions::release))
        .service(resource(endpoint::CLOSE, actions::close))
        .service(resource(endpoint::REFUNDS_LIST, orders::refunds).guard(guard::Get()))
        .service(resource_of("GET, POST", endpoint::REFUNDS, actions::refund))
        .service(resource(endpoint::SMS_CODE, actions::sms_code))
        .service(resource(endpoint::DISPUTE_SHOW, orders::dispute).guard(guard::Get()))
        .service(resource_of("GET, POST", endpoint::DISPUTE, actions::dispute))
        .service(resource(endpoint::RESOLVE, actions::resolve))
        .service(resource(endpoint::FINISH_REFUND, actions::finish_refund))
        .service(resource(endpoint::RETURN_PARKED, actions::return_parked))
        .service(resource(endpoint::REOPEN, actions::reopen))
        .service(resource(endpoint::EXCEPTIONS, exceptions::of_platform))
        // Two endpoints of one path: whatever the first does not take, the second answers.
        .service(resource(endpoint::CAMPAIGNS, campaigns::list).guard(guard::Get()))
        .service(resource_of("GET, POST", endpoint::NEW_CAMPAIGN, campaigns::record))
        .service(resource(endpoint::CAMPAIGN, campaigns::show))
        .service(resource(endpoint::COUPONS, campaigns::issue))
        .service(resource(endpoint::CUSTOMER_COUPONS, campaigns::customer))
        .service(resource(endpoint::ACCOUNTS_LIST, accounts::list).guard(guard::Get()))
        .service(resource_of("GET, POST", endpoint::ACCOUNTS, accounts::open))
        .service(resource(endpoint::MERCHANTS, accounts::merchants))
        .service(resource(endpoint::ACCOUNT, accounts::balance))
        .service(resource(endpoint::ENTRIES, statement::entries))
        .service(resource(endpoint::TOP_UPS, accounts::top_up))
        .service(resource(endpoint::EXPLAIN, rules::explain))
        // Both have one path: what is not put is asked for.
        .service(resource(endpoint::RULES_PUT, rules::put).guard(guard::Put()))
        .service(resource_of("GET, PUT", endpoint::RULES, rules::get))
        .service(resource(endpoint::BACK_TEST, back_test::back_test))
        .service(resource(endpoint::WHAT_IF, routing::what_if))
        .service(resource(endpoint::CHANNEL_HEALTH, routing::channel_health))
        .service(resource(endpoint::PLATFORM, platforms::show))
        .service(resource(endpoint::PLATFORMS, platforms::list))
        .service(resource(endpoint::EVENTS, events::list))
        .service(resource(endpoint::EVENT, events::show))
        .service(resource(endpoint::RESEND, events::resend))
        .service(resource(endpoint::DELIVERIES, events::deliveries))
        .service(resource(endpoint::ACCOUNT_BY_ID, accounts::balance_by_id))
        .service(resource(endpoint::NOTIFICATIONS, notifications::notify))
        .service(resource(endpoint::CHANNELS, routing::channels))
        .service(resource(endpoint::ALL_EXCEPTIONS, exceptions::all))
        .service(resource(endpoint::TRIAL_BALANCE, operations::trial_balance))
        .service(resource(endpoint::BOOKS, operations::books))
        .service(resource(endpoint::AUDIT, security::audit))
        .service(resource(endpoint::ENGINE_KEY, security::engine_key))
        .service(resource(endpoint::LIVE, operations::live))
        .service(resource(endpoint::READY, operations::ready))
        .service(resource(endpoint::METRICS, operations::metrics))
        .service(resource(endpoint::OPENAPI, description::openapi))
        .service(resource(endpoint::DOCS, description::docs))
        .service(resource(endpoint::HOME, operations::home))
        .default_service(web::to(async || Err::<String, _>(Problem::not_found())));
}

/// The place of an endpoint in the list; the request carries it, so that metrics need not match the path again.
#[derive(Clone, Copy, Debug)]
pub struct EndpointIndex(pub usize);

fn resource<F, Args>(endpoint: Endpoint, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    resource_of(endpoint.method, endpoint, handler)
}

/// An endpoint on whose path the methods `allow` are taken.
fn resource_of<F, Args>(allow: &'static str, endpoint: Endpoint, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let method = match endpoint.method {
        "GET" => Method::GET,
        "PUT" => Method::PUT,
        _ => Method::POST,
    };
    web::resource(endpoint.path)
        .app_data(EndpointIndex(endpoint.index))
        .route(Route::new().method(method).to(handler))
        .default_service(web::to(move || async move { Err::<String, _>(Problem::method_not_allowed(allow)) }))
}
