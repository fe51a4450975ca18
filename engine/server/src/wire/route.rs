//! Routing questions without an order, and channels.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use suanpan_core::routing::{Router, explain};
use suanpan_model::{Candidate, Currency, Route};

use super::Text;
use super::life::channel_name;

/// A payment that nobody makes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhatIfIn<'a> {
    /// How it would be paid.
    #[serde(borrow)]
    pub kind: Text<'a>,
    /// What the payer would pay.
    #[serde(borrow)]
    pub amount: Text<'a>,
    /// CNY when absent.
    #[serde(borrow)]
    pub currency: Option<Text<'a>>,
    /// The payer's bank.
    #[serde(borrow)]
    pub bank: Option<Text<'a>>,
    /// The payer's kind of card.
    #[serde(borrow)]
    pub card_type: Option<Text<'a>>,
}

/// A decision.
#[derive(Debug, Serialize)]
pub struct RouteOut {
    channel: String,
    fee: String,
    currency: &'static str,
    rule: &'static str,
    rules_version: u32,
    because: Vec<String>,
    candidates: Value,
}

impl RouteOut {
    /// A decision with its reasons in words.
    #[must_use]
    pub fn new(router: &Router, route: &Route, currency: Currency) -> Self {
        Self {
            channel: channel_name(router, route.channel),
            fee: route.fee.to_text(currency),
            currency: currency.code(),
            rule: route.rule.name(),
            rules_version: route.rules_version,
            because: explain(router, route, currency),
            candidates: candidates(router, &route.because, currency),
        }
    }
}

/// Every candidate with its verdict and, where it was capable, its fee.
#[must_use]
pub fn candidates(router: &Router, because: &[Candidate], currency: Currency) -> Value {
    let one = |candidate: &Candidate| {
        let fee = candidate.verdict.is_capable().then(|| candidate.fee.to_text(currency));
        json!({
            "channel": channel_name(router, candidate.channel),
            "verdict": candidate.verdict.name(),
            "fee": fee,
        })
    };
    because.iter().map(one).collect()
}
