//! Lists over the orders of a platform, newest first.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use suanpan_model::{AccountType, Announced, Order, OrderId, RejectCode};
use suanpan_runtime::{AnnouncedQuery, Listed, OrderQuery};

use crate::answer::{Answered, json as respond};
use crate::identity::Caller;
use crate::problem::Problem;
use crate::query::{EVENT_LIST, ORDERS, Parameters};
use crate::state::State;
use crate::wire::{
    DisputeLineOut, DisputeLinesOut, OrderLineOut, OrdersOut, RefundLineOut, RefundLinesOut, ReleaseLineOut,
    ReleaseLinesOut,
};

pub(super) async fn orders(caller: Caller, state: Data<State>, request: HttpRequest) -> Answered {
    let query = Parameters::read(&request, ORDERS)?;
    let (from, until) = query.range()?;
    let merchant = |reference: &str| {
        let known = state.engine.account_by_reference(caller.platform, AccountType::Settlement, reference);
        let expected = "the reference of a settlement account of this platform";
        known.ok_or_else(|| Problem::new(RejectCode::UnknownAccount, "merchant", expected))
    };
    let wanted = OrderQuery {
        platform: caller.platform,
        before: query.cursor()?.map(OrderId),
        from,
        until,
        status: query.order_status()?,
        merchant: query.name("merchant")?.map(merchant).transpose()?,
        payer: query.name("payer")?.map(Into::into),
        limit: query.limit()?,
    };
    let page = state.engine.orders(wanted).await?;
    let orders = page.items.iter().map(|order| OrderLineOut::new(order)).collect();
    respond(StatusCode::OK, &OrdersOut { orders, next: page.next.map(|next| next.to_string()) })
}

pub(super) async fn refunds(caller: Caller, state: Data<State>, request: HttpRequest) -> Answered {
    let page = happened(&caller, &state, &request, Listed::Refunds).await?;
    let next = page.next.clone();
    respond(StatusCode::OK, &RefundLinesOut { refunds: page.lines(RefundLineOut::new), next })
}

pub(super) async fn releases(caller: Caller, state: Data<State>, request: HttpRequest) -> Answered {
    let page = happened(&caller, &state, &request, Listed::Releases).await?;
    let next = page.next.clone();
    respond(StatusCode::OK, &ReleaseLinesOut { releases: page.lines(ReleaseLineOut::new), next })
}

pub(super) async fn disputes(caller: Caller, state: Data<State>, request: HttpRequest) -> Answered {
    let page = happened(&caller, &state, &request, Listed::Disputes).await?;
    let next = page.next.clone();
    respond(StatusCode::OK, &DisputeLinesOut { disputes: page.lines(DisputeLineOut::new), next })
}

/// What happened, with the orders as they stand now.
struct Happened {
    announced: Vec<Announced>,
    orders: HashMap<OrderId, Arc<Order>>,
    next: Option<String>,
}

impl Happened {
    fn lines<'a, T>(&'a self, line: impl Fn(&Announced, &'a Order) -> Option<T>) -> Vec<T> {
        let known = |one: &Announced| line(one, self.orders.get(&one.announcement.order)?);
        self.announced.iter().filter_map(known).collect()
    }
}

async fn happened(
    caller: &Caller,
    state: &State,
    request: &HttpRequest,
    listed: Listed,
) -> Result<Happened, Problem> {
    let query = Parameters::read(request, EVENT_LIST)?;
    let (from, until) = query.range()?;
    let (before, limit) = (query.before_event()?, query.limit()?);
    let platform = caller.platform;
    let page =
        state.engine.announced_as(AnnouncedQuery { platform, listed, before, from, until, limit }).await?;
    let mut ids: Vec<OrderId> = page.items.iter().map(|one| one.announcement.order).collect();
    ids.sort_unstable();
    ids.dedup();
    let orders = state.engine.lives(platform, &ids).await?;
    Ok(Happened {
        announced: page.items,
        orders: orders.into_iter().map(|order| (order.id, order)).collect(),
        next: page.next.map(|next| next.to_string()),
    })
}
