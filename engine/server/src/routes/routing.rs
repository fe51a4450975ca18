//! Routing questions and channels.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde_json::{Value, json};
use suanpan_core::routing::learning::Learning;
use suanpan_core::routing::{AllOpen, RouteRequest, explain_none};
use suanpan_model::{
    AccountType, Amount, Bank, Banks, Capability, ChannelId, Currency, RejectCode, ServiceHours, SubOrder,
    TariffBand, TimestampMs,
};

use crate::answer::{Answered, json as respond};
use crate::body::Body;
use crate::identity::{Caller, Operator};
use crate::problem::Problem;
use crate::state::State;
use crate::text::{parse_time, time_text};
use crate::wire::{
    QuestionParts, RouteOut, WhatIfIn, candidates, card_type, currency, pay_kind, positive_amount,
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
                .with("candidates", candidates(&router, &none.because, currency))
                .with("rules_version", json!(none.rules_version)))
        }
    }
}

pub(super) async fn channels(_operator: Operator, state: Data<State>) -> Answered {
    let router = state.engine.router();
    let (learning, now) = (state.engine.learning(), state.engine.now());
    let one = |capability: &Capability| {
        let mut told = channel(capability);
        if let Some(told) = told.as_object_mut() {
            told.insert("conditions".to_owned(), conditions(capability));
            told.insert("standing".to_owned(), standing(capability, &learning, now));
        }
        told
    };
    let channels: Value = router.capabilities().iter().map(one).collect();
    respond(StatusCode::OK, &json!({ "channels": channels }))
}

/// A channel's capability. Amounts are in its first currency: a descriptor has one set of limits for all of them.
fn channel(capability: &Capability) -> Value {
    let currency = capability.currencies.first().copied().unwrap_or_default();
    let banks = match &capability.banks {
        Banks::All => json!("all"),
        Banks::Only(banks) => banks.iter().map(|bank| bank.code().to_string()).collect(),
    };
    let bands = |bands: &[TariffBand]| -> Value { bands.iter().map(|one| band(one, currency)).collect() };
    json!({
        "id": capability.id.to_string(),
        "name": capability.name,
        "title": capability.title,
        "enabled": capability.enabled,
        "own_bank": capability.own_bank,
        "kinds": capability.kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
        "currencies": capability.currencies.iter().map(|one| one.code()).collect::<Vec<_>>(),
        "banks": banks,
        "card_types": capability.card_types.iter().map(|card| card.name()).collect::<Vec<_>>(),
        "amount_min": capability.amount_min.to_text(currency),
        "amount_max": capability.amount_max.to_text(currency),
        "daily_quota": capability.daily_quota.map(|quota| quota.to_text(currency)),
        "hours": capability.hours.map(hours),
        "tariff": { "debit": bands(&capability.tariff.debit), "credit": bands(&capability.tariff.credit) },
    })
}

/// What was agreed beyond the capability, in the channel's first currency.
fn conditions(capability: &Capability) -> Value {
    let currency = capability.currencies.first().copied().unwrap_or_default();
    let known = &capability.conditions;
    json!({
        "holders": known.holders.iter().map(|holder| holder.name()).collect::<Vec<_>>(),
        "monthly_quota": known.monthly_quota.map(|quota| quota.to_text(currency)),
        "commitment": known.commitment.map(|agreed| json!({
            "minimum": agreed.minimum.to_text(currency),
            "maximum": agreed.maximum.map(|most| most.to_text(currency)),
        })),
        "maintenance": known.maintenance.iter().map(|one| json!({
            "from": time_text(one.from), "until": time_text(one.until),
        })).collect::<Vec<_>>(),
        "rate_limit": known.rate_limit.map(|limit| json!({
            "per_second": limit.per_second, "burst": limit.burst,
        })),
        "special_tariffs": known.special_tariffs.len(),
        "own_cost": known.own_cost.map(|cost| band(&cost, currency)),
    })
}

/// What was learned about a channel, from the log.
fn standing(capability: &Capability, learning: &Learning, now: TimestampMs) -> Value {
    let currency = capability.currencies.first().copied().unwrap_or_default();
    let known = learning.channel(capability.id).cloned().unwrap_or_default();
    let (faults, answers) = known.health.faults();
    let windows = learning.windows().filter(|(channel, ..)| *channel == capability.id);
    let success = windows.map(|(_, bank, card, window)| {
        json!({
            "bank": bank.map(|bank| bank.code().to_string()),
            "card_type": card.map(|card| card.name()),
            "results": window.results(),
            "good": window.good(),
            "success_percent_at_least": window.success().map(|success| {
                format!("{}.{:04}", success.ppm() / 10_000, success.ppm() % 10_000)
            }),
        })
    });
    json!({
        "circuit": known.health.circuit.name(),
        "healthy": known.health.lets_through(&capability.conditions.health, now),
        "opened": known.health.opened,
        "faults": faults,
        "answers": answers,
        "latency_ms": known.health.latency_ms(),
        "taken_today": known.volume.on_day(now.beijing_day()).to_text(currency),
        "taken_this_month": known.volume.in_month(now.beijing_month().0).to_text(currency),
        "success": success.collect::<Vec<_>>(),
    })
}

fn hours(hours: ServiceHours) -> String {
    let text = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    format!("{}-{}", text(hours.from_minute), text(hours.until_minute))
}

fn band(band: &TariffBand, currency: Currency) -> Value {
    json!({
        "up_to": band.up_to.map(|amount| amount.to_text(currency)),
        "rate_percent": format!("{}.{:04}", band.rate_ppm / 10_000, band.rate_ppm % 10_000),
        "fixed": band.fixed.to_text(currency),
        "floor": band.floor.to_text(currency),
        "cap": band.cap.map(|amount| amount.to_text(currency)),
    })
}
