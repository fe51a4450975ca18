//! Accounts as the API takes and tells them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suanpan_model::money::signed_text;
use suanpan_model::{Currency, Lsn};
use suanpan_runtime::api::{Balance, StatementLine, TopUp};

use super::{AccountRef, Object, Text, schema};
use crate::text::time_text;

/// An account to be opened.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewAccount")]
pub struct AccountIn<'a> {
    /// Its type.
    #[serde(borrow)]
    #[schemars(with = "schema::OpenedKind")]
    pub kind: Text<'a>,
    /// The platform's name for it.
    #[serde(borrow)]
    #[schemars(with = "schema::Reference")]
    pub reference: Text<'a>,
    /// Its currency; CNY when absent.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::CurrencyCode>")]
    pub currency: Option<Text<'a>>,
    /// The account above it in its tree.
    #[serde(borrow)]
    pub parent: Option<Object<AccountRef<'a>>>,
}

/// Money that is put on an account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewTopUp")]
pub struct TopUpIn<'a> {
    /// The platform's number for it; repeats are recognised by it.
    #[serde(borrow)]
    #[schemars(with = "schema::Reference")]
    pub reference: Text<'a>,
    /// How much.
    #[serde(borrow)]
    #[schemars(with = "schema::PositiveAmount")]
    pub amount: Text<'a>,
    /// In which currency; CNY when absent.
    #[serde(borrow)]
    #[schemars(with = "Option<schema::CurrencyCode>")]
    pub currency: Option<Text<'a>>,
}

/// A top-up that was booked.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TopUp")]
pub struct TopUpOut {
    #[schemars(with = "schema::Number")]
    account: String,
    #[schemars(with = "schema::Reference")]
    reference: String,
    #[schemars(with = "schema::PositiveAmount")]
    amount: String,
    #[schemars(with = "schema::CurrencyCode")]
    currency: &'static str,
}

impl TopUpOut {
    /// As it was asked for.
    #[must_use]
    pub fn new(top_up: &TopUp) -> Self {
        Self {
            account: top_up.account.raw().to_string(),
            reference: top_up.reference.to_string(),
            amount: top_up.amount.to_text(top_up.currency),
            currency: top_up.currency.code(),
        }
    }
}

/// Balances of an account.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Account")]
pub struct BalanceOut {
    #[schemars(with = "schema::Number")]
    account: String,
    #[schemars(with = "schema::AccountKind")]
    kind: &'static str,
    reference: String,
    #[schemars(with = "schema::Number")]
    platform: String,
    #[schemars(with = "schema::Unit")]
    currency: &'static str,
    #[schemars(with = "schema::SignedAmount")]
    balance: String,
    #[schemars(with = "schema::AmountText")]
    held: String,
    #[schemars(with = "schema::SignedAmount")]
    available: String,
    #[schemars(with = "schema::SignedAmount")]
    rolled_up: String,
    /// What the owner could not give back; taken from the next income.
    #[schemars(with = "schema::AmountText")]
    owed: String,
}

impl BalanceOut {
    /// As the engine has it.
    #[must_use]
    pub fn new(balance: &Balance) -> Self {
        let currency = balance.currency;
        Self {
            account: balance.account.raw().to_string(),
            kind: balance.account.kind().name(),
            reference: balance.reference.to_string(),
            platform: balance.platform.to_string(),
            currency: currency.code(),
            balance: signed_text(balance.posted, currency),
            held: balance.held.to_text(currency),
            available: signed_text(balance.available, currency),
            rolled_up: signed_text(balance.rolled_up, currency),
            owed: balance.owed.to_text(currency),
        }
    }
}

/// Part of an account's statement.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Statement")]
pub struct StatementOut {
    #[schemars(with = "schema::Number")]
    account: String,
    #[schemars(with = "schema::Unit")]
    currency: &'static str,
    entries: Vec<LineOut>,
    /// What to send as `after` for the lines that follow; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Cursor>")]
    next: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StatementLine")]
struct LineOut {
    #[schemars(with = "schema::Number")]
    position: String,
    #[schemars(with = "schema::ToldInstant")]
    at: String,
    #[schemars(with = "schema::Number")]
    cause: String,
    #[schemars(with = "schema::EntryCodeName")]
    code: &'static str,
    #[schemars(with = "schema::SideName")]
    side: &'static str,
    #[schemars(with = "schema::AmountText")]
    amount: String,
    /// Of an internal account: balance of one stripe, named by `account`.
    #[schemars(with = "schema::SignedAmount")]
    balance: String,
    #[schemars(with = "schema::Number")]
    account: String,
}

impl StatementOut {
    /// Lines of an account, and where the next ones begin.
    #[must_use]
    pub fn new(account: u64, currency: Currency, lines: &[StatementLine], next: Option<Lsn>) -> Self {
        let line = |line: &StatementLine| LineOut {
            position: line.lsn.to_string(),
            at: time_text(line.at),
            cause: line.cause.to_string(),
            code: line.code.name(),
            side: line.side.name(),
            amount: line.amount.to_text(currency),
            balance: signed_text(line.balance, currency),
            account: line.account.raw().to_string(),
        };
        Self {
            account: account.to_string(),
            currency: currency.code(),
            entries: lines.iter().map(line).collect(),
            next: next.map(|lsn| lsn.to_string()),
        }
    }
}
