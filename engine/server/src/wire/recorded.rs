//! Recorded orders as lines of JSON, and what a back-test says about them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use suanpan_core::routing::Router;
use suanpan_core::routing::backtest::{Outcome, Recorded, Step, Summary};
use suanpan_model::order::order_key;
use suanpan_model::{Amount, Bank, Currency, Holder, OrderAttributes, PlatformId, SubOrder};

use super::forms::{card_type, pay_kind};
use super::life::channel_name;
use super::schema;
use crate::text::{parse_time, time_text};

/// One recorded order.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each stands for the field of `Recorded` of the same name")]
#[schemars(rename = "RecordedOrder")]
pub struct RecordedLine {
    #[schemars(with = "schema::Instant")]
    pub at: String,
    pub order_no: String,
    #[schemars(with = "schema::AmountText")]
    pub amount: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::CurrencyCode>")]
    pub currency: Option<String>,
    #[schemars(with = "schema::PayKindName")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::BankCode>")]
    pub bank: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::CardTypeName>")]
    pub card_type: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub payer: String,
    /// Settlement accounts of the merchants, by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merchant_accounts: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub category: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::HolderName>")]
    pub holder: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub payer_attributes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The channel by name.
    pub channel: String,
    #[schemars(with = "schema::AmountText")]
    pub fee: String,
    /// `paid`, `channel_fault` or `unpaid`.
    #[schemars(with = "schema::OutcomeName")]
    pub outcome: String,
}

impl RecordedLine {
    /// Reads an order of `platform`; the error says what was expected.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn read(&self, platform: PlatformId, router: &Router) -> Result<Recorded, String> {
        let wrong = |field: &str, expected: &str| format!("{field}: expected {expected}");
        let currency = match self.currency.as_deref() {
            None => Currency::Cny,
            Some(code) => Currency::from_code(code).ok_or_else(|| wrong("currency", "a code of ISO 4217"))?,
        };
        let amount = |field: &str, text: &str| {
            Amount::parse(text, currency).map_err(|fault| wrong(field, &format!("an amount ({fault})")))
        };
        let bank = match self.bank.as_deref() {
            None => None,
            Some(code) => Some(Bank::from_code(code).ok_or_else(|| wrong("bank", "the code of a bank"))?),
        };
        let card = match self.card_type.as_deref() {
            None => None,
            Some(name) => Some(card_type(name).ok_or_else(|| wrong("card_type", "debit or credit"))?),
        };
        let holder = match self.holder.as_deref() {
            None => None,
            Some(name) => Some(Holder::from_name(name).ok_or_else(|| wrong("holder", "person or company"))?),
        };
        let merchant = |number: &String| {
            let account = number.parse().ok().and_then(suanpan_model::AccountId::from_raw);
            account.map(|merchant| SubOrder { merchant, amount: Amount::ZERO })
        };
        let pairs = |map: &BTreeMap<String, String>| {
            map.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
        };
        Ok(Recorded {
            at: parse_time(&self.at).ok_or_else(|| wrong("at", "a time of RFC 3339"))?,
            platform,
            order_no: self.order_no.as_str().into(),
            key: order_key(platform, &self.order_no),
            kind: pay_kind("kind", &self.kind).map_err(|refusal| wrong("kind", &refusal.expected))?,
            currency,
            bank,
            card_type: card,
            amount: amount("amount", &self.amount)?,
            payer: self.payer.as_str().into(),
            sub_orders: self.merchant_accounts.iter().filter_map(merchant).collect(),
            attributes: OrderAttributes {
                category: self.category.as_str().into(),
                holder,
                payer: pairs(&self.payer_attributes),
            },
            metadata: pairs(&self.metadata),
            channel: router
                .channel_by_name(&self.channel)
                .or_else(|| self.channel.parse().ok().map(suanpan_model::ChannelId))
                .ok_or_else(|| wrong("channel", "the name of a channel, or its number"))?,
            fee: amount("fee", &self.fee)?,
            outcome: Outcome::from_name(&self.outcome)
                .ok_or_else(|| wrong("outcome", "paid, channel_fault or unpaid"))?,
        })
    }
}

/// An order that would go elsewhere, or nowhere; nothing when it stays where it was.
#[must_use]
pub fn changed(order: &Recorded, step: &Step, router: &Router) -> Option<Value> {
    let fee = |amount: Amount| amount.to_text(order.currency);
    let was = json!({
        "order_no": order.order_no,
        "at": time_text(order.at),
        "amount": fee(order.amount),
        "currency": order.currency.code(),
        "was": { "channel": channel_name(router, order.channel), "fee": fee(order.fee) },
    });
    let draft = match step {
        Step::Same => return None,
        Step::Lost => Value::Null,
        Step::Changed { channel, fee: new, rule, rule_no } => json!({
            "channel": channel_name(router, *channel),
            "fee": fee(*new),
            "rule": rule.name(),
            "rule_no": rule_no,
        }),
    };
    let Value::Object(mut told) = was else { return None };
    told.insert("draft".to_owned(), draft);
    Some(Value::Object(told))
}

/// The sums of a back-test; money in minor units as decimal text without currency, since orders may mix them.
#[must_use]
pub fn summary(sums: &Summary, router: &Router) -> Value {
    let channel =
        |(id, totals): &(suanpan_model::ChannelId, suanpan_core::routing::backtest::ChannelTotals)| {
            json!({
                "channel": channel_name(router, *id),
                "orders": totals.orders,
                "volume_minor": totals.volume.to_string(),
                "fees_minor": totals.fees.to_string(),
                "paid": totals.paid,
                "draft_orders": totals.draft_orders,
                "draft_volume_minor": totals.draft_volume.to_string(),
                "draft_fees_minor": totals.draft_fees.to_string(),
                "draft_paid_expected": totals.draft_paid_millionths / 1_000_000,
            })
        };
    json!({
        "orders": sums.orders,
        "changed": sums.changed,
        "lost": sums.lost,
        "unknown_channel": sums.unknown_channel,
        "fees_minor": sums.fees.to_string(),
        "draft_fees_minor": sums.draft_fees.to_string(),
        "channels": sums.channels.iter().map(channel).collect::<Vec<_>>(),
    })
}
