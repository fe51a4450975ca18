//! Forms of single values as the API's description tells them. The readers beside enforce them; a test holds each
//! pattern against its reader.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use suanpan_core::routing::Strategy;
use suanpan_model::event::EventKind;
use suanpan_model::{AccountType, Currency, EntryCode, Holder, OrderStatus};

use crate::notify::DeliveryState;

macro_rules! forms {
    ($($(#[doc = $doc:literal])+ $name:ident = $schema:expr;)*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl JsonSchema for $name {
                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
                    let mut schema: Schema = $schema;
                    schema.insert("description".to_owned(), concat!($($doc,)+).trim().into());
                    schema
                }
            }
        )*
    };
}

forms! {
    /// A name or number that the platform chose: 1 to 64 characters, none of them a control character.
    Reference = json_schema!({
        "type": "string", "minLength": 1, "maxLength": 64, "pattern": LINE, "examples": ["M0001"],
    });
    /// An amount as decimal text above zero, at most 10000000000.00, with at most the decimals of its currency (none for
    /// JPY): never a number, never with sign or exponent.
    PositiveAmount = json_schema!({ "type": "string", "pattern": POSITIVE_AMOUNT, "examples": ["128.00"] });
    /// An amount as decimal text, at most 10000000000.00, with at most the decimals of its currency.
    AmountText = json_schema!({ "type": "string", "pattern": AMOUNT, "examples": ["30.00"] });
    /// An amount as decimal text that may be below zero.
    SignedAmount = json_schema!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$", "examples": ["-0.05"] });
    /// A percentage as decimal text from 0 to 100 with at most two decimals.
    Percent = json_schema!({ "type": "string", "pattern": PERCENT, "examples": ["5", "2.50"] });
    /// A percentage as decimal text above 0, at most 100, with at most two decimals.
    PositivePercent = json_schema!({ "type": "string", "pattern": POSITIVE_PERCENT, "examples": ["5", "2.50"] });
    /// A percentage with its sign, such as 5%, from 0% to 100% with at most two decimals.
    Share = json_schema!({ "type": "string", "pattern": format!("{}%$", PERCENT.trim_end_matches('$')), "examples": ["5%"] });
    /// A percentage with four decimals.
    FinePercent = json_schema!({ "type": "string", "pattern": "^[0-9]+\\.[0-9]{4}$", "examples": ["0.6000"] });
    /// A currency of ISO 4217.
    CurrencyCode = names(Currency::ALL.into_iter().filter(|one| one.is_money()).map(Currency::code));
    /// A currency of ISO 4217, or `pieces` where coupons are counted.
    Unit = names(Currency::ALL.into_iter().map(Currency::code));
    /// An instant of RFC 3339 from 1970 on.
    Instant = json_schema!({ "type": "string", "format": "date-time", "examples": ["2026-01-01T00:00:00+08:00"] });
    /// An instant of RFC 3339 in UTC; `never` for one that does not come.
    ToldInstant = json_schema!({ "type": "string", "examples": ["2026-01-01T00:00:00Z"] });
    /// The code of a bank.
    BankCode = json_schema!({ "type": "string", "pattern": BANK, "examples": ["ICBC"] });
    /// How the payer pays.
    PayKindName = names(["gateway", "quick_pay", "balance"]);
    /// Kind of bank card.
    CardTypeName = names(["debit", "credit"]);
    /// Who holds the card or account.
    HolderName = names(Holder::ALL.into_iter().map(Holder::name));
    /// A type of account that platforms open.
    OpenedKind = names(AccountType::ALL.into_iter().filter(|kind| kind.may_be_opened()).map(AccountType::name));
    /// A type of account.
    AccountKind = names(AccountType::ALL.into_iter().map(AccountType::name));
    /// Where an order stands.
    OrderStatusName = names(OrderStatus::ALL.into_iter().map(OrderStatus::name));
    /// What happened to an order.
    EventName = names(EventKind::ALL.into_iter().map(EventKind::name));
    /// What an entry records.
    EntryCodeName = names(EntryCode::ALL.into_iter().map(EntryCode::name));
    /// A side of the ledger.
    SideName = names(["debit", "credit"]);
    /// A strategy of routing.
    StrategyName = names(Strategy::ALL.into_iter().map(Strategy::name));
    /// Where an attempt stands.
    AttemptStateName = names(["calling", "waiting", "in_doubt", "succeeded", "failed", "not_sent", "closed"]);
    /// `moved` when something happened now, `repeat` when it had happened before.
    CommandResult = names(["moved", "repeat"]);
    /// A number of the engine's. Numbers are strings, because they are larger than a float can hold.
    Number = json_schema!({ "type": "string", "pattern": "^[0-9]+$", "examples": ["1531480783552774380"] });
    /// The id of an event of an order.
    EventId = json_schema!({
        "type": "string", "pattern": "^ev_(0|[1-9][0-9]{0,19})_(0|[1-9][0-9]{0,9})$", "examples": ["ev_0_0"],
    });
    /// How far a mall was told of an event.
    DeliveryStateName = names(DeliveryState::ALL.into_iter().map(DeliveryState::name));
    /// Where a list goes on: opaque, from `next` of the page before.
    Cursor = json_schema!({ "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9A-Za-z._-]+$" });
    /// The number under which a channel was given an attempt.
    PaymentNo = json_schema!({
        "type": "string", "pattern": "^[0-9a-f]{18}$", "examples": ["1540d3c5a1f2b3c401"],
    });
    /// An address that begins with https:// or http://; empty for none.
    Callback = json_schema!({ "type": "string", "maxLength": 512, "pattern": CALLBACK });
    /// How a refund that its channel cannot finish ends.
    FinishWayName = names(["to_account", "outside", "resend", "give_up"]);
    /// What a channel says: of a payment succeeded, failed or closed; of a refund succeeded, failed, abnormal or bounced.
    NotifiedStatus = names(["succeeded", "failed", "closed", "abnormal", "bounced"]);
    /// `now`: limits, health and success as they are; `open`: no limit used, every channel healthy.
    Standing = names(["now", "open"]);
    /// What became of a recorded order.
    OutcomeName = names(["paid", "channel_fault", "unpaid"]);
    /// What the platform had agreed to when the order came.
    AgreementTerms = json_schema!({
        "type": "object", "required": ["fee_bearer", "late_payment", "refunded_fee", "shortfall"],
        "properties": {
            "fee_bearer": { "enum": ["merchant", "platform"] },
            "late_payment": { "enum": ["refund", "park", "reopen"] },
            "refunded_fee": { "enum": ["keep", "return"] },
            "shortfall": { "enum": ["debt", "advance", "refuse"] },
        },
    });
    /// Up to twenty pairs of texts.
    TextPairs = json_schema!({
        "type": "object", "maxProperties": 20,
        "propertyNames": { "minLength": 1, "maxLength": 64, "pattern": LINE },
        "additionalProperties": { "type": "string", "maxLength": 256 },
    });
}

/// No control characters.
const LINE: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";
const AMOUNT: &str = "^[0-9]+(\\.[0-9]{1,2})?$";
const POSITIVE_AMOUNT: &str = "^([0-9]*[1-9][0-9]*(\\.[0-9]{1,2})?|[0-9]+\\.(0[1-9]|[1-9][0-9]?))$";
const PERCENT: &str = "^0*(100(\\.0{1,2})?|[0-9]{1,2}(\\.[0-9]{1,2})?)$";
const POSITIVE_PERCENT: &str =
    "^0*(100(\\.0{1,2})?|([1-9]|[1-9][0-9])(\\.[0-9]{1,2})?|0\\.(0[1-9]|[1-9][0-9]?))$";
const CALLBACK: &str =
    "^(https?://[^/\\s\\u0000-\\u001f\\u007f-\\u009f][^\\s\\u0000-\\u001f\\u007f-\\u009f]*)?$";
const BANK: &str = "^[0-9A-Z]{2,8}$";

/// One of some names.
fn names(names: impl IntoIterator<Item = &'static str>) -> Schema {
    json_schema!({ "type": "string", "enum": names.into_iter().collect::<Vec<_>>() })
}

/// Text on one line, of at most so many characters.
#[derive(Clone, Copy, Debug)]
pub struct Line<const MAX: usize>;

impl<const MAX: usize> JsonSchema for Line<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Line{MAX}").into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": MAX, "pattern": LINE })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use suanpan_model::Bank;

    use super::*;
    use crate::text::{parse_percent, parse_time};
    use crate::wire::{amount, is_reference, positive_amount};

    fn takes<T: JsonSchema>(text: &str) -> bool {
        let schema = SchemaGenerator::default().into_root_schema_for::<T>();
        jsonschema::is_valid(schema.as_value(), &text.into())
    }

    proptest! {
        #[test]
        fn forms_are_what_readers_take(text in "[0-9]{0,3}[.]?[0-9]{0,3}%?|[ -~]{0,4}|[A-Z0-9]{1,9}|\\PC{0,66}|\\n?a\\n?") {
            let cny = suanpan_model::Currency::Cny;
            prop_assert_eq!(takes::<AmountText>(&text), amount("a", &text, cny).is_ok(), "{}", text);
            prop_assert_eq!(takes::<PositiveAmount>(&text), positive_amount("a", &text, cny).is_ok(), "{}", text);
            prop_assert_eq!(takes::<Percent>(&text), parse_percent(&text).is_some(), "{}", text);
            prop_assert_eq!(
                takes::<PositivePercent>(&text), parse_percent(&text).is_some_and(|bps| bps > 0), "{}", text
            );
            prop_assert_eq!(takes::<BankCode>(&text), Bank::from_code(&text).is_some(), "{}", text);
            prop_assert_eq!(takes::<Reference>(&text), is_reference(&text), "{}", text);
        }
    }

    #[test]
    fn instants_of_the_examples_are_read() {
        let schema = SchemaGenerator::default().into_root_schema_for::<Instant>();
        let example = schema.get("examples").and_then(|all| all[0].as_str()).unwrap_or_default();
        assert!(parse_time(example).is_some());
    }
}
