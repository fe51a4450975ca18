//! Routing questions and channels.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde_json::{Value, json};
use suanpan_core::routing::{AllOpen, RouteRequest, explain_none};
use suanpan_model::{Bank, Banks, Capability, Currency, RejectCode, ServiceHours, TariffBand};

use crate::answer::{Answered, json as respond};
use crate::body::Body;
use crate::identity::{Caller, Operator};
use crate::problem::Problem;
use crate::state::State;
use crate::wire::{RouteOut, WhatIfIn, candidates, card_type, currency, pay_kind, positive_amount};

/// Decides without an order: as if no quota were used and every channel were healthy.
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
    let request = RouteRequest {
        now: state.engine.now(),
        platform: caller.platform,
        kind: pay_kind("kind", &question.kind)?,
        currency,
        bank: bank.transpose()?,
        card_type: card.transpose()?,
        amount: positive_amount("amount", &question.amount, currency)?,
        tried: &[],
    };
    match router.decide(&request, &AllOpen) {
        Ok(route) => respond(StatusCode::OK, &RouteOut::new(&router, &route, currency)),
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
    let channels: Value = router.capabilities().iter().map(channel).collect();
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
