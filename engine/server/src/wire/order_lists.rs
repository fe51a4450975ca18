//! Lists over the orders of a platform: orders, refunds, releases, disputes. Newest first.

use schemars::JsonSchema;
use serde::Serialize;
use suanpan_model::event::EventKind;
use suanpan_model::{Amount, Announced, Order};

use super::life::{DisputeOut, ReleaseOut};
use super::refund::RefundOut;
use super::schema;
use crate::text::time_text;

/// Orders, newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Orders")]
pub struct OrdersOut<'a> {
    /// Those of the page.
    pub orders: Vec<OrderLineOut<'a>>,
    /// The `after` of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Cursor>")]
    pub next: Option<String>,
}

/// An order in short; its life has the rest.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OrderLine")]
pub struct OrderLineOut<'a> {
    #[schemars(with = "schema::Number")]
    order: String,
    order_no: &'a str,
    #[schemars(with = "schema::OrderStatusName")]
    status: &'static str,
    #[schemars(with = "schema::ToldInstant")]
    created_at: String,
    payer: &'a str,
    #[schemars(with = "Vec<schema::Number>")]
    merchant_accounts: Vec<String>,
    #[schemars(with = "schema::PayKindName")]
    kind: &'static str,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
    #[schemars(with = "schema::AmountText")]
    amount: String,
    /// What the payer pays of it.
    #[schemars(with = "schema::AmountText")]
    payable: String,
    #[schemars(with = "schema::AmountText")]
    frozen: String,
    #[schemars(with = "schema::AmountText")]
    released: String,
    #[schemars(with = "schema::AmountText")]
    refunded: String,
}

impl<'a> OrderLineOut<'a> {
    /// Of an order.
    #[must_use]
    pub fn new(order: &'a Order) -> Self {
        let terms = &order.terms;
        let text = |amount: Amount| amount.to_text(terms.currency);
        Self {
            order: order.id.to_string(),
            order_no: &terms.order_no,
            status: order.status.name(),
            created_at: time_text(order.created_at()),
            payer: &terms.payer,
            merchant_accounts: terms.sub_orders.iter().map(|one| one.merchant.raw().to_string()).collect(),
            kind: terms.kind.name(),
            currency: terms.currency.code(),
            amount: text(terms.amount),
            payable: text(terms.payable()),
            frozen: text(order.frozen),
            released: text(order.released()),
            refunded: text(order.refunded()),
        }
    }
}

/// What happened to an order, and to which.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OrderEvent")]
struct HappenedOut<'a> {
    /// The event with which it began; `next` is one, too.
    #[schemars(with = "schema::EventId")]
    event: String,
    #[schemars(with = "schema::ToldInstant")]
    at: String,
    #[schemars(with = "schema::Number")]
    order: String,
    order_no: &'a str,
    /// Where the order stands now.
    #[schemars(with = "schema::OrderStatusName")]
    order_status: &'static str,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
}

impl<'a> HappenedOut<'a> {
    fn new(announced: &Announced, order: &'a Order) -> Self {
        Self {
            event: announced.id.to_string(),
            at: time_text(announced.announcement.at),
            order: order.id.to_string(),
            order_no: &order.terms.order_no,
            order_status: order.status.name(),
            currency: order.terms.currency.code(),
        }
    }
}

/// Refunds, newest first, as they stand now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RefundsOfOrders")]
pub struct RefundLinesOut<'a> {
    /// Those of the page.
    pub refunds: Vec<RefundLineOut<'a>>,
    /// The `after` of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::EventId>")]
    pub next: Option<String>,
}

/// A refund with its order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RefundOfOrder")]
pub struct RefundLineOut<'a> {
    #[serde(flatten)]
    happened: HappenedOut<'a>,
    refund: RefundOut<'a>,
}

impl<'a> RefundLineOut<'a> {
    /// The refund whose beginning was announced.
    #[must_use]
    pub fn new(announced: &Announced, order: &'a Order) -> Option<Self> {
        let refund = order.refunds.get(nth(announced, order)?)?;
        Some(Self { happened: HappenedOut::new(announced, order), refund: RefundOut::new(order, refund) })
    }
}

/// Releases, newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReleasesOfOrders")]
pub struct ReleaseLinesOut<'a> {
    /// Those of the page.
    pub releases: Vec<ReleaseLineOut<'a>>,
    /// The `after` of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::EventId>")]
    pub next: Option<String>,
}

/// A release with its order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReleaseOfOrder")]
pub struct ReleaseLineOut<'a> {
    #[serde(flatten)]
    happened: HappenedOut<'a>,
    release: ReleaseOut<'a>,
}

impl<'a> ReleaseLineOut<'a> {
    /// The release that was announced.
    #[must_use]
    pub fn new(announced: &Announced, order: &'a Order) -> Option<Self> {
        let release = order.releases.get(nth(announced, order)?)?;
        let release = ReleaseOut::new(release, order.terms.currency);
        Some(Self { happened: HappenedOut::new(announced, order), release })
    }
}

/// Disputes, newest first, as they stand now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Disputes")]
pub struct DisputeLinesOut<'a> {
    /// Those of the page.
    pub disputes: Vec<DisputeLineOut<'a>>,
    /// The `after` of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::EventId>")]
    pub next: Option<String>,
}

/// A dispute with its order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DisputeOfOrder")]
pub struct DisputeLineOut<'a> {
    #[serde(flatten)]
    happened: HappenedOut<'a>,
    #[schemars(extend("enum" = ["open", "resolved"]))]
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::ToldInstant>")]
    resolved_at: Option<String>,
    /// While it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    dispute: Option<DisputeOut>,
}

impl<'a> DisputeLineOut<'a> {
    /// The dispute whose opening was announced.
    #[must_use]
    pub fn new(announced: &Announced, order: &'a Order) -> Option<Self> {
        let nth = nth(announced, order)?;
        // An order has one dispute at a time, so they end in the order in which they were opened.
        let resolved = order.steps.iter().filter(|step| step.kind == EventKind::DisputeResolved).nth(nth);
        Some(Self {
            happened: HappenedOut::new(announced, order),
            state: if resolved.is_some() { "resolved" } else { "open" },
            resolved_at: resolved.map(|step| time_text(step.at)),
            dispute: if resolved.is_none() { DisputeOut::new(order) } else { None },
        })
    }
}

/// How many steps of the same kind the order had before the one that was announced.
fn nth(announced: &Announced, order: &Order) -> Option<usize> {
    let told = usize::try_from(announced.announcement.sequence).ok()?.checked_sub(1)?;
    let steps = order.steps.iter().enumerate();
    let (place, step) = steps.filter(|(_, step)| step.kind.is_announced()).nth(told)?;
    Some(order.steps[..place].iter().filter(|before| before.kind == step.kind).count())
}
