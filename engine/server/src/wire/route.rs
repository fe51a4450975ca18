//! Routing questions without an order, and decisions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use suanpan_core::routing::{Key, OrderFacts, Router, RoutingRules, explain, explain_trace};
use suanpan_model::order::{Attempt, order_key};
use suanpan_model::{Candidate, Currency, Order, OrderAttributes, PlatformId, Route, SubOrder, Success};

use super::attributes::attributes;
use super::channel::fine_percent;
use super::forms::{Checked, Refusal};
use super::life::channel_name;
use super::order::Pairs;
use super::{Text, schema};
use crate::text::time_text;

/// A payment that nobody makes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RoutingQuestion")]
pub struct WhatIfIn<'a> {
    /// How it would be paid.
    #[serde(borrow)]
    #[schemars(with = "schema::PayKindName")]
    pub kind: Text<'a>,
    /// What the payer would pay.
    #[serde(borrow)]
    #[schemars(with = "schema::PositiveAmount")]
    pub amount: Text<'a>,
    /// CNY when absent.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::CurrencyCode>")]
    pub currency: Option<Text<'a>>,
    /// The payer's bank.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::BankCode>")]
    pub bank: Option<Text<'a>>,
    /// The payer's kind of card.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::CardTypeName>")]
    pub card_type: Option<Text<'a>>,
    /// The platform's number: draws for splits follow from it.
    #[serde(borrow)]
    #[schemars(with = "Option<String>")]
    pub order_no: Option<Text<'a>>,
    /// The payer.
    #[serde(borrow)]
    #[schemars(with = "Option<String>")]
    pub payer: Option<Text<'a>>,
    /// The merchant.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::Reference>")]
    pub merchant: Option<Text<'a>>,
    /// Kind of goods or business.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::Line<64>>")]
    pub category: Option<Text<'a>>,
    /// Who holds the card or account.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::HolderName>")]
    pub holder: Option<Text<'a>>,
    /// Attributes of the payer.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::TextPairs>")]
    pub payer_attributes: Option<Pairs<'a>>,
    /// Notes of the mall.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::TextPairs>")]
    pub metadata: Option<Pairs<'a>>,
    /// When it would be; now when absent.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::Instant>")]
    pub at: Option<Text<'a>>,
    /// Channels that were tried before, by name.
    #[serde(borrow)]
    #[schemars(with = "Option<Vec<String>>")]
    pub tried: Option<Vec<Text<'a>>>,
    /// `now` (when absent): limits, health and success as they are; `open`: no limit used, every channel healthy.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::Standing>")]
    pub standing: Option<Text<'a>>,
}

/// The parts of a question that its facts point into.
#[derive(Debug, Default)]
pub struct QuestionParts {
    key: u128,
    payer: String,
    /// What each merchant would sell.
    pub sub_orders: Vec<SubOrder>,
    attributes: OrderAttributes,
    metadata: Vec<(SmolStr, SmolStr)>,
}

impl QuestionParts {
    /// Reads what rules may look at.
    ///
    /// # Errors
    /// `invalid_field` of the first that is not allowed.
    pub fn read(question: &WhatIfIn<'_>, platform: PlatformId) -> Checked<Self> {
        let pairs = |pairs: Option<&Pairs<'_>>, field: &'static str| {
            let read = pairs.map_or(Ok(Vec::new()), super::terms::metadata);
            read.map_err(|refusal| Refusal { field: field.into(), ..refusal })
        };
        let payer = pairs(question.payer_attributes.as_ref(), "payer_attributes")?;
        let said = attributes(question.category.as_ref(), question.holder.as_ref(), payer)?;
        Ok(Self {
            key: order_key(platform, question.order_no.as_deref().unwrap_or_default()),
            payer: question.payer.as_deref().unwrap_or_default().to_owned(),
            sub_orders: Vec::new(),
            attributes: said.map(|said| *said).unwrap_or_default(),
            metadata: pairs(question.metadata.as_ref(), "metadata")?,
        })
    }

    /// What rules may look at.
    #[must_use]
    pub fn facts(&self) -> OrderFacts<'_> {
        OrderFacts {
            key: self.key,
            payer: &self.payer,
            sub_orders: &self.sub_orders,
            category: &self.attributes.category,
            holder: self.attributes.holder,
            payer_attributes: &self.attributes.payer,
            metadata: &self.metadata,
        }
    }
}

/// A decision.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RoutingDecision")]
pub struct RouteOut {
    channel: String,
    #[schemars(with = "schema::AmountText")]
    fee: String,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
    rule: &'static str,
    rules_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_no: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drawn: Option<DrawnOut>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    explored: bool,
    /// Keys that the order lacks and a rule asks for.
    missing: Vec<String>,
    because: Vec<String>,
    candidates: Vec<CandidateOut>,
}

/// A draw: which number came, of how many. It follows from the order's number, so that a replay draws the same.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Draw")]
struct DrawnOut {
    drawn: u32,
    below: u32,
}

/// A channel that was looked at.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Candidate")]
pub struct CandidateOut {
    channel: String,
    /// `chosen`, `ranked`, or why it cannot take the payment.
    verdict: &'static str,
    /// What it would cost; null where it cannot take the payment.
    #[schemars(with = "Option<schema::AmountText>")]
    fee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::FinePercent>")]
    success_percent_at_least: Option<String>,
}

/// How the channels of an order were chosen.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Explanation")]
pub struct ExplainedOut<'a> {
    #[schemars(with = "schema::Number")]
    order: String,
    order_no: &'a str,
    attempts: Vec<ExplainedAttempt>,
}

impl<'a> ExplainedOut<'a> {
    /// The decisions about `order`.
    #[must_use]
    pub fn new(order: &'a Order, attempts: Vec<ExplainedAttempt>) -> Self {
        Self { order: order.id.to_string(), order_no: &order.terms.order_no, attempts }
    }
}

/// How the channel of one attempt was chosen.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExplainedAttempt {
    no: u8,
    #[schemars(with = "schema::AttemptStateName")]
    state: &'static str,
    #[schemars(with = "schema::ToldInstant")]
    at: String,
    decision: RouteOut,
}

impl ExplainedAttempt {
    /// The decision about `attempt`.
    #[must_use]
    pub fn new(attempt: &Attempt, decision: RouteOut) -> Self {
        Self { no: attempt.no.0, state: attempt.state.name(), at: time_text(attempt.started_at), decision }
    }
}

impl RouteOut {
    /// A decision with its reasons in words; `known` are the rules of its version and their keys.
    #[must_use]
    pub fn new(
        router: &Router,
        route: &Route,
        currency: Currency,
        known: Option<(&RoutingRules, &[Key])>,
    ) -> Self {
        let trace = &route.trace;
        let keys = known.map_or(&[][..], |(_, keys)| keys).iter().enumerate();
        let missing = keys.filter(|(place, _)| trace.missing >> place & 1 == 1);
        let mut because = explain(router, route, currency);
        because.extend(explain_trace(route, known));
        Self {
            channel: channel_name(router, route.channel),
            fee: route.fee.to_text(currency),
            currency: currency.code(),
            rule: route.rule.name(),
            rules_version: route.rules_version,
            rule_no: Some(trace.rule_no).filter(|no| *no > 0),
            drawn: trace.drawn.map(|(drawn, below)| DrawnOut { drawn, below }),
            explored: trace.explored,
            missing: missing.map(|(_, key)| key.name().into()).collect(),
            because,
            candidates: candidates(router, &route.because, currency),
        }
    }
}

/// Every candidate with its verdict and, where it was capable, its fee.
#[must_use]
pub fn candidates(router: &Router, because: &[Candidate], currency: Currency) -> Vec<CandidateOut> {
    let one = |candidate: &Candidate| CandidateOut {
        channel: channel_name(router, candidate.channel),
        verdict: candidate.verdict.name(),
        fee: candidate.verdict.is_capable().then(|| candidate.fee.to_text(currency)),
        success_percent_at_least: candidate.success.map(Success::ppm).map(fine_percent),
    };
    because.iter().map(one).collect()
}
