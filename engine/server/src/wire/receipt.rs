//! Short answers about an order.

use schemars::JsonSchema;
use serde::Serialize;
use suanpan_model::{OrderId, OrderTerms, PayerAction};
use suanpan_runtime::api::OrderSummary;

use super::schema;
use super::short::{Instant, Short};

/// What was recorded: follows from number and terms alone, so a repeat of the order gets the same bytes, whatever
/// has become of the order since.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Receipt")]
pub struct ReceiptOut<'a> {
    #[schemars(with = "schema::Number")]
    order: Short,
    order_no: &'a str,
    #[schemars(with = "schema::AmountText")]
    amount: Short,
    #[schemars(with = "schema::AmountText")]
    payable: Short,
    #[schemars(with = "schema::AmountText")]
    subsidy: Short,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
    #[schemars(with = "schema::PayKindName")]
    kind: &'static str,
    escrow: bool,
    #[schemars(with = "schema::ToldInstant")]
    expires_at: Instant,
    /// Where the order stands, when the caller asked to wait for it; the only part that changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<NowOut>,
}

impl<'a> ReceiptOut<'a> {
    /// The receipt of an order.
    #[must_use]
    pub fn new(order: OrderId, terms: &'a OrderTerms, now: Option<NowOut>) -> Self {
        let currency = terms.currency;
        Self {
            order: Short::order(order),
            order_no: &terms.order_no,
            amount: Short::amount(terms.amount, currency),
            payable: Short::amount(terms.payable(), currency),
            subsidy: Short::amount(terms.subsidy(), currency),
            currency: currency.code(),
            kind: terms.kind.name(),
            escrow: terms.escrow,
            expires_at: Instant::new(terms.expires_at),
            now,
        }
    }
}

/// Where an order stands.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Now")]
pub struct NowOut {
    #[schemars(with = "schema::OrderStatusName")]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<ActionOut>,
}

impl NowOut {
    /// Status and what the payer has to do.
    #[must_use]
    pub fn new(status: suanpan_model::OrderStatus, action: Option<&PayerAction>) -> Self {
        Self { status: status.name(), action: action.map(ActionOut::new) }
    }
}

/// What the payer has to do.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schemars(rename = "PayerAction")]
pub enum ActionOut {
    /// Go to an address.
    Redirect {
        /// The address.
        url: String,
    },
    /// Type the code sent to the phone.
    SmsCode,
}

impl ActionOut {
    /// As the engine has it.
    #[must_use]
    pub fn new(action: &PayerAction) -> Self {
        match action {
            PayerAction::Redirect(url) => Self::Redirect { url: url.to_string() },
            PayerAction::SmsCode => Self::SmsCode,
        }
    }
}

/// What became of a command to an order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CommandAnswer")]
pub struct SummaryOut {
    #[schemars(with = "schema::Number")]
    order: String,
    #[schemars(with = "schema::OrderStatusName")]
    status: &'static str,
    /// `moved`, or `repeat` when nothing happened now. A repeat by a number of the platform's own has the answer of the first
    /// time, so there it is always `moved`.
    #[schemars(with = "schema::CommandResult")]
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<ActionOut>,
}

impl SummaryOut {
    /// As the engine has it.
    #[must_use]
    pub fn new(summary: &OrderSummary) -> Self {
        let result = if summary.repeat { "repeat" } else { "moved" };
        Self::with_result(summary, result)
    }

    /// The answer to a request with a number of the platform's own: the same bytes the first time and every other.
    #[must_use]
    pub fn numbered(summary: &OrderSummary) -> Self {
        Self::with_result(summary, "moved")
    }

    fn with_result(summary: &OrderSummary, result: &'static str) -> Self {
        Self {
            order: summary.id.to_string(),
            status: summary.status.name(),
            result,
            action: summary.action.as_ref().map(ActionOut::new),
        }
    }
}
