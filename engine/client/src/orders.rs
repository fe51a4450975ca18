//! What a mall sends. Amounts are decimal texts such as "128.00"; what is left out has the engine's defaults.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The payer is sent to a page of the channel.
    Gateway,
    /// From a card that is bound, with a code where one is asked for.
    QuickPay,
    /// From the payer's e-account.
    Balance,
}

/// A new order.
#[derive(Clone, Debug, Serialize)]
pub struct NewOrder {
    /// The mall's number; the same number with the same content is the same order.
    pub order_no: String,
    /// Who pays.
    pub payer: String,
    /// The price.
    pub amount: String,
    /// How it is paid.
    pub kind: Kind,
    /// CNY when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Bank of the card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank: Option<String>,
    /// `debit` or `credit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_type: Option<String>,
    /// Number under which a card is bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement_no: Option<String>,
    /// What the payer reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Until when it can be paid (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Whether the money is kept until the buyer confirms; it is when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escrow: Option<bool>,
    /// Whether the goods are virtual, so that money is released sooner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_goods: Option<bool>,
    /// The only merchant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant: Option<String>,
    /// Several merchants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sub_orders: Vec<SubOrder>,
    /// Who gets a part beside the merchants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<Split>,
    /// Coupons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<Coupon>,
    /// Where the mall hears of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback: Option<String>,
    /// What the mall wants to find again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl NewOrder {
    /// An order with the least that it needs, beside a merchant or sub-orders.
    #[must_use]
    pub fn new(
        order_no: impl Into<String>,
        payer: impl Into<String>,
        amount: impl Into<String>,
        kind: Kind,
    ) -> Self {
        Self {
            order_no: order_no.into(),
            payer: payer.into(),
            amount: amount.into(),
            kind,
            currency: None,
            bank: None,
            card_type: None,
            agreement_no: None,
            description: None,
            expires_at: None,
            escrow: None,
            virtual_goods: None,
            merchant: None,
            sub_orders: Vec::new(),
            splits: Vec::new(),
            coupons: Vec::new(),
            callback: None,
            metadata: BTreeMap::new(),
        }
    }

    /// All of it is sold by this merchant.
    #[must_use]
    pub fn to_merchant(self, merchant: impl Into<String>) -> Self {
        Self { merchant: Some(merchant.into()), ..self }
    }

    /// With one more receiver beside the merchants.
    #[must_use]
    pub fn with_split(mut self, split: Split) -> Self {
        self.splits.push(split);
        self
    }
}

/// What one merchant sold.
#[derive(Clone, Debug, Serialize)]
pub struct SubOrder {
    /// The merchant.
    pub merchant: String,
    /// Its part of the price.
    pub amount: String,
}

/// A coupon.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Coupon {
    /// Its campaign.
    pub campaign: u32,
}

/// Who gets a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// The mall itself.
    Platform,
    /// An account of the mall's.
    Account(Account),
}

impl Serialize for Receiver {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Platform => serializer.serialize_str("platform"),
            Self::Account(account) => account.serialize(serializer),
        }
    }
}

/// An account by type and the mall's name for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Its type: cash, settlement, marketing, wealth, deposit or commission.
    pub kind: String,
    /// The mall's name for it.
    pub reference: String,
}

/// A receiver beside the merchants with its share: one of the forms is named.
#[derive(Clone, Debug, Serialize)]
pub struct Split {
    /// Who.
    pub receiver: Receiver,
    /// A percentage with at most two decimals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<String>,
    /// A fixed sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<String>,
    /// What the others leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remainder: Option<bool>,
    /// Place of an earlier split, from 0, whose part is divided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<u8>,
}

impl Split {
    /// A percentage for somebody.
    #[must_use]
    pub fn percent(receiver: Receiver, percent: impl Into<String>) -> Self {
        Self { receiver, percent: Some(percent.into()), fixed: None, remainder: None, within: None }
    }

    /// A fixed sum for somebody.
    #[must_use]
    pub fn fixed(receiver: Receiver, amount: impl Into<String>) -> Self {
        Self { receiver, percent: None, fixed: Some(amount.into()), remainder: None, within: None }
    }
}

/// A receiver of one release.
pub type Payee = Split;

/// A release of a part.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Release {
    /// The mall's number; the same number with the same content is the same release.
    pub release_no: String,
    /// Of which sub-order, from 0; of all of them when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_order: Option<u16>,
    /// How much; all that is frozen when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Its currency, which must be the order's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Receivers of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub payees: Vec<Payee>,
}

/// A refund.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Refund {
    /// The mall's number; the same number with the same content is the same refund.
    pub refund_no: String,
    /// Of which sub-order, from 0; of all of them when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_order: Option<u16>,
    /// How much; all the rest when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Its currency, which must be the order's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// Money from outside; for operators.
#[derive(Clone, Debug, Serialize)]
pub struct TopUp {
    /// The number by which a repeat is known.
    pub reference: String,
    /// How much.
    pub amount: String,
    /// CNY when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}
