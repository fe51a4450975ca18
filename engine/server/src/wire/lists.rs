//! Lists, page by page, and platforms.

use schemars::JsonSchema;
use serde::Serialize;
use suanpan_model::PlatformPolicy;
use suanpan_model::policy::Agreement;
use suanpan_runtime::api::Balance;

use super::{CampaignOut, ExceptionOut, schema};
use crate::text::percent_text;

/// Campaigns by number.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Campaigns")]
pub struct CampaignsOut {
    /// Those of the page.
    pub campaigns: Vec<CampaignOut>,
    /// The `after` of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Cursor>")]
    pub next: Option<String>,
}

/// Orders whose money waits for an operator, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Exceptions")]
pub struct ExceptionsOut<'a> {
    /// Those of the page.
    pub exceptions: Vec<ExceptionOut<'a>>,
    /// The `after` of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Cursor>")]
    pub next: Option<String>,
}

/// Accounts in the order in which they were opened.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Accounts")]
pub struct AccountsOut<'a> {
    accounts: Vec<AccountLineOut<'a>>,
    /// The `after` of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Cursor>")]
    next: Option<String>,
}

/// An account without its balances.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccountLine")]
struct AccountLineOut<'a> {
    #[schemars(with = "schema::Number")]
    account: String,
    #[schemars(with = "schema::OpenedKind")]
    kind: &'static str,
    reference: &'a str,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
}

impl<'a> AccountsOut<'a> {
    /// A page of accounts.
    #[must_use]
    pub fn new(accounts: &'a [Balance], next: Option<String>) -> Self {
        let line = |Balance { account, reference, currency, .. }: &'a Balance| AccountLineOut {
            account: account.raw().to_string(),
            kind: account.kind().name(),
            reference,
            currency: currency.code(),
        };
        Self { accounts: accounts.iter().map(line).collect(), next }
    }
}

/// What a platform agreed to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Platform")]
pub struct PlatformOut {
    #[schemars(with = "schema::Number")]
    platform: String,
    /// Largest total share of receivers beside the merchants.
    #[schemars(with = "schema::Percent")]
    split_cap_percent: String,
    split_receivers_max: usize,
    /// After how many seconds frozen money is released by itself.
    auto_release_s: u64,
    /// The same for orders of virtual goods.
    auto_release_virtual_s: u64,
    /// How many seconds an order waits for its payer when it does not say.
    order_ttl_s: u64,
    /// Most attempts, each at another channel, under one order.
    attempts_max: u8,
    #[schemars(with = "schema::AgreementTerms")]
    agreement: Agreement,
}

impl PlatformOut {
    /// As the engine has it.
    #[must_use]
    pub fn new(policy: &PlatformPolicy) -> Self {
        Self {
            platform: policy.id.to_string(),
            split_cap_percent: percent_text(policy.split_cap_bps),
            split_receivers_max: policy.split_receivers_max,
            auto_release_s: policy.auto_release.0 / 1_000,
            auto_release_virtual_s: policy.auto_release_virtual.0 / 1_000,
            order_ttl_s: policy.order_ttl.0 / 1_000,
            attempts_max: policy.attempts_max,
            agreement: policy.agreement,
        }
    }
}

/// Platforms by number.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Platforms")]
pub struct PlatformsOut {
    /// Those of the page.
    pub platforms: Vec<PlatformOut>,
    /// The `after` of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Cursor>")]
    pub next: Option<String>,
}
