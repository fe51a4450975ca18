//! What malls write and read: JSON at the edge, the engine's own types behind it. Pure functions.

mod account;
mod attributes;
mod forms;
mod life;
mod order;
mod receipt;
mod recorded;
mod route;
mod rules;
mod terms;
mod text;

#[cfg(test)]
mod tests;

pub use account::{AccountIn, BalanceOut, StatementOut, TopUpIn, TopUpOut};
pub use forms::{
    CURRENCIES, Checked, Refusal, account_kind, amount, card_type, currency, is_reference, pay_kind,
    positive_amount, reference,
};
pub use life::LifeOut;
pub use order::{
    AccountRef, BatchIn, ConfirmIn, CouponIn, EmptyIn, NotificationIn, OrderIn, RawBatchIn, ReceiverIn,
    RefundIn, SmsCodeIn, SplitIn, SubOrderIn,
};
pub use receipt::{ActionOut, NowOut, ReceiptOut, SummaryOut};
pub use recorded::{RecordedLine, changed, summary};
pub use route::{QuestionParts, RouteOut, WhatIfIn, candidates};
pub use rules::{RuleNames, RulesIn};
pub use terms::{Lookup, OrderContext, Parsed, terms};
pub use text::Text;
