//! Lists over the orders of a platform, newest first, page by page: which entries are wanted, and what is told of each.
//!
//! What a page costs the engine is bounded, so it may be short, even empty, and still have a `next`: only a page without one
//! is the last.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::platform::escaped;

/// Which orders are listed: all of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Only those that stand here now.
    pub status: Option<String>,
    /// Only those of which this merchant sells something: the reference of its settlement account.
    pub merchant: Option<String>,
    /// Only those of this payer.
    pub payer: Option<String>,
    /// When they were created.
    pub created: TimeRange,
}

/// A time range; open where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// Not before this instant (RFC 3339).
    pub from: Option<String>,
    /// Before this instant (RFC 3339).
    pub until: Option<String>,
}

impl OrderFilter {
    pub(crate) fn query(&self, after: Option<&str>, limit: usize) -> String {
        let Self { status, merchant, payer, created } = self;
        let own = [("status", status), ("merchant", merchant), ("payer", payer)];
        let own = own.map(|(name, value)| parameter(name, value.as_deref())).concat();
        format!("{}{own}", created.query(after, limit))
    }
}

impl TimeRange {
    pub(crate) fn query(&self, after: Option<&str>, limit: usize) -> String {
        let (from, until) = (self.from.as_deref(), self.until.as_deref());
        let own = [("from", from), ("until", until), ("after", after)];
        format!("limit={limit}{}", own.map(|(name, value)| parameter(name, value)).concat())
    }
}

fn parameter(name: &str, value: Option<&str>) -> String {
    value.map(|value| format!("&{name}={}", escaped(value))).unwrap_or_default()
}

/// A page of orders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Orders {
    /// Those of the page.
    pub orders: Vec<OrderLine>,
    /// Where the next page begins; nothing at the end.
    pub next: Option<String>,
}

/// An order in short; its life has the rest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderLine {
    /// The engine's number.
    pub order: String,
    /// The mall's number.
    pub order_no: String,
    /// Where it stands.
    pub status: String,
    /// When it was recorded (RFC 3339).
    pub created_at: String,
    /// Who pays.
    pub payer: String,
    /// The currency.
    pub currency: String,
    /// The price.
    pub amount: String,
    /// What the payer pays of it.
    pub payable: String,
    /// What is still frozen.
    pub frozen: String,
    /// What was released.
    pub released: String,
    /// What was given back.
    pub refunded: String,
    /// Whatever else was told.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A page of refunds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Refunds {
    /// Those of the page, as they stand now.
    pub refunds: Vec<RefundLine>,
    /// Where the next page begins; nothing at the end.
    pub next: Option<String>,
}

/// A refund with its order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RefundLine {
    /// The event with which it began.
    pub event: String,
    /// When (RFC 3339).
    pub at: String,
    /// The order's number with the engine.
    pub order: String,
    /// The order's number with the mall.
    pub order_no: String,
    /// The refund.
    pub refund: RefundNow,
    /// Whatever else was told.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A refund as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RefundNow {
    /// The mall's number.
    pub refund_no: String,
    /// How far it is.
    pub state: String,
    /// How much.
    pub amount: String,
    /// What the payer gets of it.
    pub to_payer: String,
    /// Whatever else was told.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A page of releases.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Releases {
    /// Those of the page.
    pub releases: Vec<ReleaseLine>,
    /// Where the next page begins; nothing at the end.
    pub next: Option<String>,
}

/// A release with its order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ReleaseLine {
    /// The event that it was.
    pub event: String,
    /// When (RFC 3339).
    pub at: String,
    /// The order's number with the engine.
    pub order: String,
    /// The order's number with the mall.
    pub order_no: String,
    /// The release.
    pub release: Released,
    /// Whatever else was told.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What was released at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Released {
    /// The mall's number; empty where it gave none.
    pub release_no: String,
    /// How much.
    pub amount: String,
    /// Whatever else was told.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A page of disputes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Disputes {
    /// Those of the page, as they stand now.
    pub disputes: Vec<DisputeLine>,
    /// Where the next page begins; nothing at the end.
    pub next: Option<String>,
}

/// A dispute with its order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DisputeLine {
    /// The event with which it began.
    pub event: String,
    /// When (RFC 3339).
    pub at: String,
    /// The order's number with the engine.
    pub order: String,
    /// The order's number with the mall.
    pub order_no: String,
    /// `open` or `resolved`.
    pub state: String,
    /// When it ended (RFC 3339).
    pub resolved_at: Option<String>,
    /// Whatever else was told.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_stands_in_the_query() {
        let text = |text: &str| Some(text.to_owned());
        let created = TimeRange { from: text("2026-01-01T00:00:00+08:00"), until: None };
        let filter = OrderFilter { payer: text("a&b"), created: created.clone(), ..OrderFilter::default() };
        assert_eq!(OrderFilter::default().query(None, 5), "limit=5");
        assert_eq!(
            filter.query(Some("7"), 5),
            "limit=5&from=2026-01-01T00:00:00%2B08:00&after=7&payer=a%26b"
        );
        assert_eq!(created.query(None, 1), "limit=1&from=2026-01-01T00:00:00%2B08:00");
    }
}
