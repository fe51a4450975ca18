//! What the engine answers. Members that this version does not know are kept in `more`.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::fault::Problem;

/// What was recorded of an order: a repeat gets the same.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Receipt {
    /// The engine's number.
    pub order: String,
    /// The mall's number.
    pub order_no: String,
    /// The price.
    pub amount: String,
    /// What the payer pays, without the coupons.
    pub payable: String,
    /// What coupons pay.
    pub subsidy: String,
    /// The currency.
    pub currency: String,
    /// Until when it can be paid (RFC 3339).
    pub expires_at: String,
    /// Where it stands, if that was waited for.
    pub now: Option<Now>,
    /// Whatever else was told.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Where an order stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Now {
    /// Its status.
    pub status: String,
    /// What the payer has to do.
    pub action: Option<Action>,
}

/// What the payer has to do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Action {
    /// Go to an address.
    Redirect {
        /// The address.
        url: String,
    },
    /// Type the code that was sent to the phone.
    SmsCode,
}

/// What became of a command to an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Summary {
    /// The engine's number.
    pub order: String,
    /// Where the order stands.
    pub status: String,
    /// `moved`, or `repeat` when nothing happened now; the repeat of a numbered release or refund has its first answer.
    pub result: String,
    /// What the payer has to do.
    pub action: Option<Action>,
    /// Whatever else was told.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// One order of a batch: recorded, or refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum BatchResult {
    /// Recorded, or known already.
    Receipt {
        /// 201, or 200 for a repeat.
        status: u16,
        /// What was recorded.
        receipt: Receipt,
    },
    /// Refused.
    Problem {
        /// Status of HTTP that the order alone would have got.
        status: u16,
        /// Why.
        problem: Problem,
    },
}

/// An order's whole life. What is rarely needed stays in `more`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Life {
    /// The engine's number.
    pub order: String,
    /// The mall's number.
    pub order_no: String,
    /// Where it stands.
    pub status: String,
    /// Where its money is: the parts by name.
    pub money: Map<String, Value>,
    /// Attempts at channels with what was decided and what came of it.
    pub attempts: Vec<Value>,
    /// Releases.
    pub releases: Vec<Value>,
    /// Refunds.
    pub refunds: Vec<Value>,
    /// Its entries in the books.
    pub entries: Vec<Value>,
    /// Whatever else was told.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Balances of an account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Balance {
    /// The account's number.
    pub account: String,
    /// Its type.
    pub kind: String,
    /// The mall's name for it.
    pub reference: String,
    /// Its currency.
    pub currency: String,
    /// What is booked.
    pub balance: String,
    /// The part of it that is held.
    pub held: String,
    /// What can be spent.
    pub available: String,
    /// What its owner owes.
    pub owed: String,
    /// Whatever else was told.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A page of an account's statement.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Statement {
    /// The account's number.
    pub account: String,
    /// Its currency.
    pub currency: String,
    /// Lines, oldest first.
    pub entries: Vec<Line>,
    /// Where the next page begins; nothing at the end.
    pub next: Option<String>,
}

/// A line of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Line {
    /// Its place.
    pub position: String,
    /// When (RFC 3339).
    pub at: String,
    /// What for.
    pub code: String,
    /// `debit` or `credit`.
    pub side: String,
    /// How much.
    pub amount: String,
    /// What was on the account after it.
    pub balance: String,
    /// Whatever else was told.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}
