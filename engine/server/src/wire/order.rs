//! Bodies about orders, as they are written. Every field is optional here: what is required says so itself.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Object, Text, schema};

/// An order.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each stands for the field of `OrderTerms` of the same name")]
#[schemars(rename = "NewOrder")]
pub struct OrderIn<'a> {
    #[serde(borrow)]
    #[schemars(with = "schema::Reference")]
    pub order_no: Option<Text<'a>>,
    #[serde(borrow)]
    #[schemars(with = "schema::Reference")]
    pub payer: Option<Text<'a>>,
    #[serde(borrow)]
    #[schemars(with = "schema::PositiveAmount")]
    pub amount: Option<Text<'a>>,
    /// CNY when absent.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::CurrencyCode>")]
    pub currency: Option<Text<'a>>,
    #[serde(borrow)]
    #[schemars(with = "schema::PayKindName")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    #[schemars(with = "Option<schema::BankCode>")]
    pub bank: Option<Text<'a>>,
    #[serde(borrow)]
    #[schemars(with = "Option<schema::CardTypeName>")]
    pub card_type: Option<Text<'a>>,
    #[serde(borrow)]
    #[schemars(with = "Option<schema::Line<64>>")]
    pub agreement_no: Option<Text<'a>>,
    #[serde(borrow)]
    #[schemars(with = "Option<schema::Line<256>>")]
    pub description: Option<Text<'a>>,
    /// The platform's time to live from now when absent; in a repeat, whatever was recorded.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::Instant>")]
    pub expires_at: Option<Text<'a>>,
    /// True when absent.
    pub escrow: Option<bool>,
    /// False when absent.
    pub virtual_goods: Option<bool>,
    /// In any order: campaigns say in which order they are applied.
    #[schemars(length(max = 10))]
    pub coupons: Option<Vec<Object<CouponIn>>>,
    /// Short for one sub-order of the whole amount.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::Reference>")]
    pub merchant: Option<Text<'a>>,
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 100))]
    pub sub_orders: Option<Vec<Object<SubOrderIn<'a>>>>,
    #[serde(borrow)]
    #[schemars(length(max = 100))]
    pub splits: Option<Vec<Object<SplitIn<'a>>>>,
    #[serde(borrow)]
    #[schemars(with = "Option<schema::Callback>")]
    pub callback: Option<Text<'a>>,
    #[serde(borrow)]
    #[schemars(with = "Option<schema::TextPairs>")]
    pub metadata: Option<Pairs<'a>>,
    #[serde(borrow)]
    #[schemars(with = "Option<schema::Line<64>>")]
    pub category: Option<Text<'a>>,
    /// Who holds the card or account: person or company.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::HolderName>")]
    pub holder: Option<Text<'a>>,
    #[serde(borrow)]
    #[schemars(with = "Option<schema::TextPairs>")]
    pub payer_attributes: Option<Pairs<'a>>,
}

/// Many orders, each recorded or refused by itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewOrders")]
pub struct BatchIn<T> {
    /// The orders. One that is malformed is refused by itself, in the answer.
    #[schemars(length(min = 1, max = 5000))]
    pub orders: Vec<T>,
}

/// Orders of a batch that are read one by one, because one of them is malformed.
pub type RawBatchIn<'a> = BatchIn<&'a RawValue>;

/// A coupon.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Coupon")]
pub struct CouponIn {
    /// Its campaign.
    pub campaign: u32,
}

/// What one merchant sold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SubOrder")]
pub struct SubOrderIn<'a> {
    /// Reference of the merchant's settlement account.
    #[serde(borrow)]
    #[schemars(with = "schema::Reference")]
    pub merchant: Text<'a>,
    /// Its part of the price.
    #[serde(borrow)]
    #[schemars(with = "schema::PositiveAmount")]
    pub amount: Text<'a>,
}

/// A receiver beside the merchants, and one of four forms of share.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Split")]
pub struct SplitIn<'a> {
    /// Who receives.
    #[serde(borrow)]
    pub receiver: ReceiverIn<'a>,
    /// Percentage of what is divided, at most two decimals.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::PositivePercent>")]
    pub percent: Option<Text<'a>>,
    /// Fixed sum in the order's currency.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::PositiveAmount>")]
    pub fixed: Option<Text<'a>>,
    /// Percentages by size of what is divided.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 20))]
    pub tiers: Option<Vec<Object<TierIn<'a>>>>,
    /// What the others of the level leave.
    pub remainder: Option<bool>,
    /// Place of an earlier split, from 0, whose part this one divides.
    pub within: Option<u8>,
}

/// A percentage from some size on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tier")]
pub struct TierIn<'a> {
    /// Smallest sum that it is for.
    #[serde(borrow)]
    #[schemars(with = "schema::AmountText")]
    pub from: Text<'a>,
    /// Percentage of the whole sum, at most two decimals.
    #[serde(borrow)]
    #[schemars(with = "schema::Percent")]
    pub percent: Text<'a>,
}

/// An account by type and reference.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountRef<'a> {
    /// Its type.
    #[serde(borrow)]
    #[schemars(with = "schema::AccountKind")]
    pub kind: Text<'a>,
    /// The platform's name for it.
    #[serde(borrow)]
    #[schemars(with = "schema::Reference")]
    pub reference: Text<'a>,
}

/// Who receives a split.
#[derive(Clone, Debug)]
pub enum ReceiverIn<'a> {
    /// A name: only `platform` is known.
    Named(Text<'a>),
    /// An account.
    Account(AccountRef<'a>),
}

struct ReceiverVisitor;

impl<'de> Visitor<'de> for ReceiverVisitor {
    type Value = ReceiverIn<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"platform\" or an object with kind and reference")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(ReceiverIn::Named(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(ReceiverIn::Named(Text(text.to_owned().into())))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        AccountRef::deserialize(MapAccessDeserializer::new(map)).map(ReceiverIn::Account)
    }
}

impl JsonSchema for ReceiverIn<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Receiver".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": "platform" }, generator.subschema_for::<AccountRef<'_>>()] })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ReceiverIn<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReceiverVisitor)
    }
}

/// An object of texts, in the order in which it is written.
#[derive(Clone, Debug, Default)]
pub struct Pairs<'a>(pub Vec<(Text<'a>, Text<'a>)>);

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

/// Release part of what is frozen.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewRelease")]
pub struct ReleaseIn<'a> {
    /// The mall's number for the release; repeats are recognised by it.
    #[serde(borrow)]
    #[schemars(with = "schema::Reference")]
    pub release_no: Option<Text<'a>>,
    /// Place of the sub-order in the order, from 0; all when absent.
    pub sub_order: Option<u8>,
    /// How much of it; all that is left when absent.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::PositiveAmount>")]
    pub amount: Option<Text<'a>>,
    /// Currency of the amounts; the order's must be the same. CNY when absent.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::CurrencyCode>")]
    pub currency: Option<Text<'a>>,
    /// Receivers of this release instead of the order's splits; the merchants get what they leave.
    #[serde(borrow)]
    #[schemars(length(max = 100))]
    pub payees: Option<Vec<Object<SplitIn<'a>>>>,
}

/// Give money back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewRefund")]
pub struct RefundIn<'a> {
    /// The mall's number for the refund; repeats are recognised by it.
    #[serde(borrow)]
    #[schemars(with = "schema::Reference")]
    pub refund_no: Option<Text<'a>>,
    /// Place of the sub-order in the order, from 0; all when absent.
    pub sub_order: Option<u8>,
    /// Part of the price to undo; all that can still be given back when absent.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::PositiveAmount>")]
    pub amount: Option<Text<'a>>,
    /// Currency of the amount; the order's must be the same. CNY when absent.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::CurrencyCode>")]
    pub currency: Option<Text<'a>>,
}

/// End a dispute.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Resolution")]
pub struct ResolveIn<'a> {
    /// What goes back to the payer; nothing when absent.
    #[serde(borrow)]
    pub refund: Option<Object<RefundIn<'a>>>,
}

/// End a refund that its channel cannot finish.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RefundEnding")]
pub struct FinishIn<'a> {
    /// `to_account`, `outside`, `resend` or `give_up`.
    #[serde(borrow)]
    #[schemars(with = "schema::FinishWayName")]
    pub way: Text<'a>,
    /// The cash account that `to_account` pays into.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::Reference>")]
    pub reference: Option<Text<'a>>,
    /// What the operator notes, for example the number of a bank transfer.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::Line<256>>")]
    pub note: Option<Text<'a>>,
}

/// The code that the payer typed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SmsCode")]
pub struct SmsCodeIn<'a> {
    /// The code. Never logged: this type has no `Debug`.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 16), regex(pattern = "^[0-9A-Za-z]+$"))]
    pub sms_code: Text<'a>,
}

/// A body without fields.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Nothing")]
pub struct EmptyIn {}

/// What a simulated channel notifies.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ChannelNotification")]
pub struct NotificationIn<'a> {
    /// The engine's number for the attempt, as the channel was given it.
    #[serde(borrow)]
    #[schemars(with = "schema::PaymentNo")]
    pub payment_no: Text<'a>,
    /// The engine's number of the refund under the order, when it is about one.
    #[schemars(range(min = 0))]
    pub refund: Option<u8>,
    /// The channel's own number.
    #[serde(borrow)]
    #[schemars(with = "schema::Reference")]
    pub channel_no: Text<'a>,
    /// `succeeded`, `failed` or `closed`; of a refund `succeeded`, `failed`, `abnormal` or `bounced`.
    #[serde(borrow)]
    #[schemars(with = "schema::NotifiedStatus")]
    pub status: Text<'a>,
    /// What was paid or given back.
    #[serde(borrow)]
    #[schemars(with = "schema::PositiveAmount")]
    pub amount: Text<'a>,
    /// Its currency.
    #[serde(borrow)]
    #[schemars(with = "schema::CurrencyCode")]
    pub currency: Text<'a>,
    /// The channel's own code of a refusal.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::Reference>")]
    pub code: Option<Text<'a>>,
}
