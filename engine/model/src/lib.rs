//! The nouns of the engine: money, ids, time, accounts, orders, channel calls, events, reject codes.
//!
//! Nothing here reads a clock, a disk or the network, and nothing decides: rules live in `suanpan-core`.

pub mod account;
pub mod announcement;
pub mod attributes;
pub mod capability;
pub mod channel;
pub mod command;
pub mod conditions;
pub mod coupon;
pub mod entry;
pub mod event;
pub mod ids;
pub mod money;
pub mod order;
pub mod policy;
pub mod refund;
pub mod reject;
pub mod route;
pub mod split;
pub mod time;

pub use account::{AccountType, NormalSide};
pub use announcement::{Announced, Announcement, AnnouncementId};
pub use attributes::{Holder, OrderAttributes};
pub use capability::{Banks, Capability, ServiceHours, Tariff, TariffBand};
pub use channel::{
    ChannelOp, ChannelReport, ChannelRequest, FailureKind, Outcome, PayerAction, ReportSource,
};
pub use command::OrderCommand;
pub use conditions::{Commitment, Conditions, HealthPolicy, Maintenance, RateLimit, SpecialTariff};
pub use coupon::{Campaign, CouponUse, Funder, Worth};
pub use entry::{Entry, EntryCode, Posting, Side};
pub use event::{LedgerEvent, OrderEvent, Record};
pub use ids::{
    AccountId, AttemptNo, CampaignId, CauseId, ChannelId, HoldId, Lsn, OrderId, PlatformId, Ticket,
};
pub use money::{Amount, Currency, MoneyError};
pub use order::{Bank, CardType, Order, OrderStatus, OrderTerms, PayKind, SubOrder};
pub use policy::PlatformPolicy;
pub use reject::{Reject, RejectCode};
pub use route::{Candidate, CandidateVerdict, Route, RouteRule, RouteTrace, Success};
pub use split::{Share, SplitRule, Tier};
pub use time::{DurationMs, TimestampMs};
