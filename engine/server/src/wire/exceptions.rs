//! Orders whose money waits for an operator, and what can be done about each.

use schemars::JsonSchema;
use serde::Serialize;
use suanpan_core::routing::Router;
use suanpan_model::order::Attempt;
use suanpan_model::refund::{FinishWay, Refund, RefundState};
use suanpan_model::{Order, OrderStatus};

use super::life::channel_name;
use super::schema;

/// An order that needs an operator.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Exception")]
pub struct ExceptionOut<'a> {
    #[schemars(with = "schema::Number")]
    order: String,
    #[schemars(with = "schema::Number")]
    platform: String,
    order_no: &'a str,
    #[schemars(with = "schema::OrderStatusName")]
    status: &'static str,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
    parked: Vec<ParkedOut<'a>>,
    refunds: Vec<RefundOut<'a>>,
}

/// A payment that belongs to no live order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ParkedPayment")]
struct ParkedOut<'a> {
    attempt: u8,
    #[schemars(with = "schema::PaymentNo")]
    payment_no: String,
    channel: String,
    channel_no: &'a str,
    #[schemars(with = "schema::AmountText")]
    amount: String,
    /// What can be done: actions below the attempt.
    ways: &'static [&'static str],
}

/// A refund that its channel cannot finish.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenRefund")]
struct RefundOut<'a> {
    no: u8,
    refund_no: &'a str,
    attempt: u8,
    state: &'static str,
    #[schemars(with = "schema::AmountText")]
    to_payer: String,
    note: &'a str,
    /// How it can be finished.
    ways: Vec<&'static str>,
}

impl<'a> ExceptionOut<'a> {
    /// What waits in `order`.
    #[must_use]
    pub fn new(order: &'a Order, router: &Router) -> Self {
        let refunds = order.refunds.iter().filter(|refund| refund.state.needs_operator());
        Self {
            order: order.id.to_string(),
            platform: order.terms.platform.to_string(),
            order_no: &order.terms.order_no,
            status: order.status.name(),
            currency: order.terms.currency.code(),
            parked: order.parked().map(|attempt| parked(order, attempt, router)).collect(),
            refunds: refunds.map(|one| refund(order, one)).collect(),
        }
    }
}

fn parked<'a>(order: &Order, attempt: &'a Attempt, router: &Router) -> ParkedOut<'a> {
    let may_reopen = matches!(order.status, OrderStatus::Closed | OrderStatus::Failed);
    ParkedOut {
        attempt: attempt.no.0,
        payment_no: order.id.payment_no(attempt.no),
        channel: channel_name(router, attempt.channel()),
        channel_no: &attempt.channel_no,
        amount: order.terms.payable().to_text(order.terms.currency),
        ways: if may_reopen { &["return", "reopen"] } else { &["return"] },
    }
}

fn refund<'a>(order: &Order, refund: &'a Refund) -> RefundOut<'a> {
    // Money of an order has a place to go back to as long as it has not left it.
    let may_give_up = refund.state == RefundState::Stuck && refund.unwinding.is_some();
    let mut ways = vec!["to_account", FinishWay::Outside.name(), FinishWay::Resend.name()];
    ways.extend(may_give_up.then(|| FinishWay::GiveUp.name()));
    RefundOut {
        no: refund.no,
        refund_no: &refund.refund_no,
        attempt: refund.attempt.0,
        state: refund.state.name(),
        to_payer: refund.to_payer.to_text(order.terms.currency),
        note: &refund.note,
        ways,
    }
}
