//! Routing questions without an order, and decisions.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use smol_str::SmolStr;
use suanpan_core::routing::{Key, OrderFacts, Router, RoutingRules, explain, explain_trace};
use suanpan_model::order::order_key;
use suanpan_model::{Candidate, Currency, OrderAttributes, PlatformId, Route, SubOrder, Success};

use super::Text;
use super::attributes::attributes;
use super::forms::{Checked, Refusal};
use super::life::channel_name;
use super::order::Pairs;

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
    /// The platform's number: draws for splits follow from it.
    #[serde(borrow)]
    pub order_no: Option<Text<'a>>,
    /// The payer.
    #[serde(borrow)]
    pub payer: Option<Text<'a>>,
    /// The merchant.
    #[serde(borrow)]
    pub merchant: Option<Text<'a>>,
    /// Kind of goods or business.
    #[serde(borrow)]
    pub category: Option<Text<'a>>,
    /// Who holds the card or account.
    #[serde(borrow)]
    pub holder: Option<Text<'a>>,
    /// Attributes of the payer.
    #[serde(borrow)]
    pub payer_attributes: Option<Pairs<'a>>,
    /// Notes of the mall.
    #[serde(borrow)]
    pub metadata: Option<Pairs<'a>>,
    /// When it would be; now when absent.
    #[serde(borrow)]
    pub at: Option<Text<'a>>,
    /// Channels that were tried before, by name.
    #[serde(borrow)]
    pub tried: Option<Vec<Text<'a>>>,
    /// `now` (when absent): limits, health and success as they are; `open`: no limit used, every channel healthy.
    #[serde(borrow)]
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
#[derive(Debug, Serialize)]
pub struct RouteOut {
    channel: String,
    fee: String,
    currency: &'static str,
    rule: &'static str,
    rules_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_no: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drawn: Option<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    explored: bool,
    /// Keys that the order lacks and a rule asks for.
    missing: Vec<String>,
    because: Vec<String>,
    candidates: Value,
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
            drawn: trace.drawn.map(|(drawn, below)| json!({ "drawn": drawn, "below": below })),
            explored: trace.explored,
            missing: missing.map(|(_, key)| key.name().into()).collect(),
            because,
            candidates: candidates(router, &route.because, currency),
        }
    }
}

/// Every candidate with its verdict and, where it was capable, its fee.
#[must_use]
pub fn candidates(router: &Router, because: &[Candidate], currency: Currency) -> Value {
    let one = |candidate: &Candidate| {
        let fee = candidate.verdict.is_capable().then(|| candidate.fee.to_text(currency));
        let mut told = json!({
            "channel": channel_name(router, candidate.channel),
            "verdict": candidate.verdict.name(),
            "fee": fee,
        });
        if let (Some(success), Some(told)) = (candidate.success.map(Success::ppm), told.as_object_mut()) {
            let percent = format!("{}.{:04}", success / 10_000, success % 10_000);
            told.insert("success_percent_at_least".to_owned(), percent.into());
        }
        told
    };
    because.iter().map(one).collect()
}
