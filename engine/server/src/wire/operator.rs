//! What the operator's pages tell: books, health, and lists that are wrapped in an object.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use suanpan_core::routing::Router;
use suanpan_model::Currency;
use suanpan_model::money::signed_text;
use suanpan_runtime::api::{BookComparison, TrialBalance, TrialRow};

use super::life::channel_name;
use super::schema;

/// Debits less credits of every kind of account.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TrialBalance")]
pub struct TrialBalanceOut {
    /// Whether every currency sums to zero and no invariant is broken.
    balanced: bool,
    /// The sum of each currency.
    #[schemars(with = "BTreeMap<String, schema::SignedAmount>")]
    sums: BTreeMap<&'static str, String>,
    /// Invariants that are broken, in words.
    breaks: Vec<String>,
    rows: Vec<RowOut>,
}

/// One row of the trial balance.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TrialRow")]
struct RowOut {
    #[schemars(with = "schema::AccountKind")]
    kind: &'static str,
    /// Platform or channel; 0 for all accounts of a type that platforms open.
    #[schemars(with = "schema::Number")]
    owner: String,
    #[schemars(with = "schema::Unit")]
    currency: &'static str,
    accounts: usize,
    #[schemars(with = "schema::SignedAmount")]
    debit_balance: String,
}

impl TrialBalanceOut {
    /// As the engine has it.
    #[must_use]
    pub fn new(trial: &TrialBalance) -> Self {
        let row = |row: &TrialRow| RowOut {
            kind: row.kind.name(),
            owner: row.owner.to_string(),
            currency: row.currency.code(),
            accounts: row.accounts,
            debit_balance: signed_text(row.debit_balance, row.currency),
        };
        let used = |currency: &Currency| trial.rows.iter().any(|row| row.currency == *currency);
        let sum = |currency: Currency| (currency.code(), signed_text(trial.sum(currency), currency));
        Self {
            balanced: trial.is_balanced(),
            sums: Currency::ALL.into_iter().filter(used).map(sum).collect(),
            breaks: trial.breaks.clone(),
            rows: trial.rows.iter().map(row).collect(),
        }
    }
}

/// The clearing accounts beside the channels' own books.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Books")]
pub struct BooksOut {
    agree: bool,
    channels: Vec<BookOut>,
}

/// One clearing account beside the channel's own book.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Book")]
struct BookOut {
    channel: String,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
    #[schemars(with = "schema::SignedAmount")]
    ours: String,
    #[schemars(with = "schema::SignedAmount")]
    theirs: String,
    #[schemars(with = "schema::SignedAmount")]
    difference: String,
}

impl BooksOut {
    /// As the engine and the channels have it.
    #[must_use]
    pub fn new(comparisons: &[BookComparison], router: &Router) -> Self {
        let row = |one: &BookComparison| BookOut {
            channel: channel_name(router, one.channel),
            currency: one.currency.code(),
            ours: signed_text(one.ours, one.currency),
            theirs: signed_text(one.theirs, one.currency),
            difference: signed_text(one.ours - one.theirs, one.currency),
        };
        Self {
            agree: comparisons.iter().all(|one| one.ours == one.theirs),
            channels: comparisons.iter().map(row).collect(),
        }
    }
}

/// `live` or `ready`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Health")]
pub struct HealthOut {
    /// `live` or `ready`.
    pub status: &'static str,
}

/// Channels.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Channels")]
pub struct ChannelsOut {
    /// In the order of the descriptors.
    pub channels: Vec<super::ChannelOut>,
}

/// How channels are.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChannelHealths")]
pub struct ChannelHealthsOut {
    /// In the order of the descriptors.
    pub channels: Vec<super::ChannelHealthOut>,
}

/// What became of a channel's notification.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Notified")]
pub struct NotifiedOut {
    /// `contradiction`: it was recorded for reconciliation and changes nothing else.
    #[schemars(extend("enum" = ["moved", "repeat", "contradiction"]))]
    pub result: &'static str,
}

/// Rules that were put.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RulesPut")]
pub struct RulesPutOut {
    /// The version in force.
    pub version: u32,
    /// Whether it was put now.
    #[schemars(with = "schema::CommandResult")]
    pub result: &'static str,
    /// Findings of the static checks, in words.
    pub warnings: Vec<String>,
}

/// An account that was opened.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenedAccount")]
pub struct AccountOpenedOut<'a> {
    /// The engine's number.
    #[schemars(with = "schema::Number")]
    pub account: String,
    /// Its type.
    #[schemars(with = "schema::OpenedKind")]
    pub kind: &'static str,
    /// The platform's name for it.
    pub reference: &'a str,
    /// Its currency.
    #[schemars(with = "schema::CurrencyCode")]
    pub currency: &'static str,
}
