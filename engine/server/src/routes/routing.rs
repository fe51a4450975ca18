//! Routing questions and channels.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde_json::json;
use suanpan_core::routing::{AllOpen, RouteRequest, explain_none};
use suanpan_model::{AccountType, Amount, Bank, ChannelId, Currency, RejectCode, SubOrder};

use crate::answer::{Answered, json as respond};
use crate::body::Body;
use crate::identity::{Caller, Operator};
use crate::problem::Problem;
use crate::state::State;
use crate::text::parse_time;
use crate::wire::{
    ChannelHealthOut, ChannelHealthsOut, ChannelOut, ChannelsOut, QuestionParts, RouteOut, WhatIfIn,
    candidates, card_type, currency, pay_kind, positive_amount,
};

/// Decides without an order, and takes nothing.
pub(super) async fn what_if(caller: Caller, state: Data<State>, body: Body) -> Answered {
    let question: WhatIfIn<'_> = body.read()?;
    let router = state.engine.router();
    let currency =
        question.currency.as_deref().map_or(Ok(Currency::Cny), |code| currency("currency", code))?;
    let bank = question.bank.as_deref().map(|code| {
        let expected = "the code of a bank that some channel lists";
        let known = Bank::from_code(code).filter(|bank| router.knows_bank(*bank));
        known.ok_or_else(|| Problem::new(RejectCode::UnknownBank, "bank", expected))
    });
    let card = question.card_type.as_deref().map(|name| {
        let refused = || Problem::new(RejectCode::InvalidField, "card_type", "debit or credit");
        card_type(name).ok_or_else(refused)
    });
    let mut parts = QuestionParts::read(&question, caller.platform)?;
    if let Some(name) = question.merchant.as_deref() {
        let account = state
            .engine
            .account_by_reference(caller.platform, AccountType::Settlement, name)
            .ok_or_else(|| {
                let expected = "a settlement account that was opened on this platform";
                Problem::new(RejectCode::UnknownAccount, "merchant", expected)
            })?;
        parts.sub_orders.push(SubOrder { merchant: account, amount: Amount::ZERO });
    }
    let at = question.at.as_deref().map(|text| {
        let expected = "a time of RFC 3339 such as 2026-01-01T00:00:00+08:00";
        parse_time(text).ok_or_else(|| Problem::new(RejectCode::InvalidField, "at", expected))
    });
    let tried = question.tried.iter().flatten().map(|name| {
        let expected = "names of channels; GET /v1/channels lists them";
        router
            .channel_by_name(name)
            .ok_or_else(|| Problem::new(RejectCode::UnknownChannel, "tried", expected))
    });
    let tried: Vec<ChannelId> = tried.collect::<Result<_, _>>()?;
    let open = match question.standing.as_deref() {
        None | Some("now") => false,
        Some("open") => true,
        Some(_) => return Err(Problem::new(RejectCode::InvalidField, "standing", "now or open")),
    };
    let request = RouteRequest {
        now: at.transpose()?.unwrap_or(state.engine.now()),
        platform: caller.platform,
        kind: pay_kind("kind", &question.kind)?,
        currency,
        bank: bank.transpose()?,
        card_type: card.transpose()?,
        amount: positive_amount("amount", &question.amount, currency)?,
        tried: &tried,
        facts: parts.facts(),
    };
    let decided = if open { router.decide(&request, &AllOpen) } else { state.engine.what_if(&request) };
    match decided {
        Ok(route) => {
            let known = (router.rules(caller.platform), router.keys(caller.platform));
            respond(StatusCode::OK, &RouteOut::new(&router, &route, currency, Some(known)))
        }
        Err(none) => {
            let expected = "a payment that some channel takes; see because";
            Err(Problem::new(RejectCode::NoChannel, "", expected)
                .with("because", json!(explain_none(&router, &none)))
                .with("candidates", json!(candidates(&router, &none.because, currency)))
                .with("rules_version", json!(none.rules_version)))
        }
    }
}

pub(super) async fn channels(_operator: Operator, state: Data<State>) -> Answered {
    let router = state.engine.router();
    let (learning, now) = (state.engine.learning(), state.engine.now());
    let channels = router.capabilities().iter().map(|one| ChannelOut::new(one, &learning, now)).collect();
    respond(StatusCode::OK, &ChannelsOut { channels })
}

/// How channels are, for the malls whose payments they take: nothing of what they cost.
pub(super) async fn channel_health(_caller: Caller, state: Data<State>) -> Answered {
    let router = state.engine.router();
    let (learning, now) = (state.engine.learning(), state.engine.now());
    let channels =
        router.capabilities().iter().map(|one| ChannelHealthOut::new(one, &learning, now)).collect();
    respond(StatusCode::OK, &ChannelHealthsOut { channels })
}
