//! What malls write and read: JSON at the edge, the engine's own types behind it. Pure functions.

mod account;
mod attributes;
mod batch;
mod campaign;
mod channel;
mod event;
mod exceptions;
mod forms;
mod life;
mod lists;
mod money;
mod object;
mod operator;
mod order;
mod order_lists;
mod receipt;
mod recorded;
mod refund;
mod route;
mod rules;
pub mod schema;
mod short;
mod splits;
mod terms;
mod text;

#[cfg(test)]
mod tests;

pub use account::{AccountIn, BalanceOut, StatementOut, TopUpIn, TopUpOut};
pub use batch::{BatchOut, ResultOut, each_order};
pub use campaign::{
    CampaignIn, CampaignOut, CustomerOut, FunderIn, IssueIn, IssuedOut, NamedCampaign, campaign,
};
pub use channel::{ChannelHealthOut, ChannelOut};
pub use event::{
    AuditPageForm, DeliveriesOut, DeliveryOut, EngineKeyOut, EventOut, EventsOut, ResentOut, ToldEventOut,
};
pub use exceptions::ExceptionOut;
pub use forms::{
    CURRENCIES, Checked, Refusal, account_kind, amount, card_type, currency, is_reference, line, pay_kind,
    positive_amount, reference,
};
pub use life::{AttemptsOut, DisputesOut, LifeOut, RefundsOut, ReleasesOut};
pub use lists::{AccountsOut, CampaignsOut, ExceptionsOut, PlatformOut, PlatformsOut};
pub use object::{Object, object, some_objects};
pub use operator::{
    AccountOpenedOut, BooksOut, ChannelHealthsOut, ChannelsOut, HealthOut, NotifiedOut, RulesPutOut,
    TrialBalanceOut,
};
pub use order::{
    AccountRef, BatchIn, CouponIn, EmptyIn, FinishIn, NotificationIn, OrderIn, RawBatchIn, ReceiverIn,
    RefundIn, ReleaseIn, ResolveIn, SmsCodeIn, SplitIn, SubOrderIn, TierIn,
};
pub use order_lists::{
    DisputeLineOut, DisputeLinesOut, OrderLineOut, OrdersOut, RefundLineOut, RefundLinesOut, ReleaseLineOut,
    ReleaseLinesOut,
};
pub use receipt::{ActionOut, NowOut, ReceiptOut, SummaryOut};
pub use recorded::{RecordedLine, changed, summary};
pub use route::{ExplainedAttempt, ExplainedOut, QuestionParts, RouteOut, WhatIfIn, candidates};
pub use rules::{RuleNames, RulesIn};
pub use splits::{Names, split_rules};
pub use terms::{Lookup, OrderContext, Parsed, terms};
pub use text::Text;
