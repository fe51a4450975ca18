//! A refund as the API tells it.

use schemars::JsonSchema;
use serde::Serialize;
use suanpan_model::policy::Shortfall;
use suanpan_model::refund::{Refund, RefundSource, Take, Unwinding};
use suanpan_model::{Amount, Order};

use super::money::{AccountOut, SumOut};
use super::schema;

/// A refund.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Refund")]
pub struct RefundOut<'a> {
    no: u8,
    refund_no: &'a str,
    attempt: u8,
    state: &'static str,
    /// `order`, or `suspense` for money that was parked.
    #[schemars(extend("enum" = ["order", "suspense"]))]
    source: &'static str,
    #[schemars(with = "schema::AmountText")]
    amount: String,
    #[schemars(with = "schema::AmountText")]
    to_payer: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'a str,
    #[serde(flatten)]
    unwinding: Option<UnwindingOut>,
}

/// Where the money of a refund comes from, and who else than the payer gets some.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Unwinding")]
struct UnwindingOut {
    #[schemars(with = "schema::AmountText")]
    from_frozen: String,
    #[schemars(with = "schema::AmountText")]
    from_receivers: String,
    to_funders: Vec<SumOut>,
    receivers: Vec<TakeOut>,
}

/// What a receiver gives back.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TakenBack")]
struct TakeOut {
    #[serde(flatten)]
    account: AccountOut,
    #[schemars(with = "schema::AmountText")]
    amount: String,
    /// What it had.
    #[schemars(with = "schema::AmountText")]
    given_back: String,
    /// What it had spent and owes from then on, to the operator; recovered from its next income.
    #[schemars(with = "schema::AmountText")]
    owed: String,
    /// The same, where the platform advanced it.
    #[schemars(with = "schema::AmountText")]
    advanced: String,
}

impl<'a> RefundOut<'a> {
    /// A refund of `order`.
    #[must_use]
    pub fn new(order: &Order, refund: &'a Refund) -> Self {
        let text = |amount: Amount| amount.to_text(order.terms.currency);
        Self {
            no: refund.no,
            refund_no: &refund.refund_no,
            attempt: refund.attempt.0,
            state: refund.state.name(),
            source: match refund.source {
                RefundSource::Order => "order",
                RefundSource::Suspense => "suspense",
            },
            amount: text(refund.amount),
            to_payer: text(refund.to_payer),
            note: &refund.note,
            unwinding: refund.unwinding.as_deref().map(|unwinding| UnwindingOut::new(order, unwinding)),
        }
    }
}

impl UnwindingOut {
    fn new(order: &Order, unwinding: &Unwinding) -> Self {
        let currency = order.terms.currency;
        let sum = |amounts: &[Amount]| {
            amounts.iter().fold(Amount::ZERO, |sum, amount| sum.plus(*amount)).to_text(currency)
        };
        let funders = unwinding.funders.iter();
        Self {
            from_frozen: sum(&unwinding.returned),
            from_receivers: sum(&unwinding.reversed),
            to_funders: funders.map(|(account, amount)| SumOut::new(*account, *amount, currency)).collect(),
            receivers: unwinding.takes.iter().map(|take| TakeOut::new(order, take)).collect(),
        }
    }
}

impl TakeOut {
    fn new(order: &Order, take: &Take) -> Self {
        let text = |amount: Amount| amount.to_text(order.terms.currency);
        let (owed, advanced) = match order.agreement.shortfall {
            Shortfall::Advance => (Amount::ZERO, take.short()),
            Shortfall::Debt | Shortfall::Refuse => (take.short(), Amount::ZERO),
        };
        Self {
            account: AccountOut::new(take.account),
            amount: text(take.amount),
            given_back: text(take.covered()),
            owed: text(owed),
            advanced: text(advanced),
        }
    }
}
