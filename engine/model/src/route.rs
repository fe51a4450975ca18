//! A routing decision and its reasons.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::ids::ChannelId;
use crate::money::Amount;

/// Why a channel was, or was not, the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum CandidateVerdict {
    /// Chosen.
    Chosen,
    /// Capable, but another one ranked before it.
    Ranked,
    /// Switched off in the configuration.
    Disabled,
    /// Its circuit is open.
    Unhealthy,
    /// Does not offer the kind of payment.
    Kind,
    /// Does not take the currency.
    Currency,
    /// Does not reach the bank.
    Bank,
    /// Does not take the card type.
    CardType,
    /// Below its smallest single amount.
    BelowMinimum,
    /// Above its largest single amount.
    AboveMaximum,
    /// Not enough of its daily quota is left.
    Quota,
    /// Outside its service hours.
    Hours,
    /// An earlier attempt of this order failed there.
    AlreadyTried,
    /// Does not take payments from this kind of holder.
    Holder,
    /// Under maintenance.
    Maintenance,
    /// Not enough of its monthly quota is left.
    MonthlyQuota,
    /// It would pass the month's volume that was agreed with it.
    CommitmentReached,
    /// Called as often as it may be called just now.
    RateLimited,
    /// Another payment took its last room at the same instant.
    Contended,
    /// Capable, but it succeeds too rarely.
    SuccessTooLow,
}

impl CandidateVerdict {
    /// Code in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Ranked => "ranked",
            Self::Disabled => "disabled",
            Self::Unhealthy => "unhealthy",
            Self::Kind => "kind_not_offered",
            Self::Currency => "currency_not_taken",
            Self::Bank => "bank_not_reached",
            Self::CardType => "card_type_not_taken",
            Self::BelowMinimum => "below_minimum",
            Self::AboveMaximum => "above_maximum",
            Self::Quota => "quota_used_up",
            Self::Hours => "outside_service_hours",
            Self::AlreadyTried => "already_tried",
            Self::Holder => "holder_not_taken",
            Self::Maintenance => "under_maintenance",
            Self::MonthlyQuota => "monthly_quota_used_up",
            Self::CommitmentReached => "commitment_reached",
            Self::RateLimited => "rate_limited",
            Self::Contended => "contended",
            Self::SuccessTooLow => "success_too_low",
        }
    }

    /// Whether the channel could have taken the payment.
    #[must_use]
    pub const fn is_capable(self) -> bool {
        matches!(self, Self::Chosen | Self::Ranked | Self::SuccessTooLow)
    }
}

/// How often a channel succeeds, as far as it is known: the lower bound of a confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Success(NonZeroU32);

impl Success {
    /// A rate in parts per million.
    #[must_use]
    pub const fn from_ppm(ppm: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(ppm))
    }

    /// The rate in parts per million.
    #[must_use]
    pub const fn ppm(self) -> u32 {
        self.0.get() - 1
    }
}

/// A channel that was considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The channel.
    pub channel: ChannelId,
    /// What became of it.
    pub verdict: CandidateVerdict,
    /// Its fee for this payment in minor units; zero when it was not capable.
    pub fee: Amount,
    /// How often it succeeds, where the decision looked at it and anything is known.
    pub success: Option<Success>,
}

/// The rule that chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum RouteRule {
    /// An amount band named the channel (订单金额优先).
    AmountBand,
    /// The lowest true cost (费率成本优先).
    LowestCost,
    /// Designated by bank and card type (指定渠道).
    Designated,
    /// First capable channel of the priority list.
    Priority,
    /// A rule named the channel.
    Channel,
    /// A rule named a list.
    List,
    /// Volume is split by weights (权重).
    Weights,
    /// Volume is split over lists by weights.
    ListSplit,
    /// The highest success rate (成功率).
    SuccessRate,
    /// The highest expected value: success × (margin − cost).
    ExpectedValue,
    /// A channel that is behind the volume that was agreed with it.
    Commitment,
}

impl RouteRule {
    /// Name in the API and the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AmountBand => "amount",
            Self::LowestCost => "cost",
            Self::Designated => "designated",
            Self::Priority => "priority",
            Self::Channel => "channel",
            Self::List => "list",
            Self::Weights => "weights",
            Self::ListSplit => "list_split",
            Self::SuccessRate => "success",
            Self::ExpectedValue => "value",
            Self::Commitment => "commitment",
        }
    }
}

/// What a decision looked at beside the candidates, compactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTrace {
    /// Number of the rule that decided, among the rules of its set in declared order, nested ones included; from 1, 0 for
    /// none.
    pub rule_no: u16,
    /// Keys that the order lacks and a rule asked for: bits by place in the rule set's list of keys.
    pub missing: u64,
    /// Number that was drawn for a split, and below which number.
    pub drawn: Option<(u32, u32)>,
    /// Whether the channel was chosen to learn about it.
    pub explored: bool,
}

/// The decision: a channel, the rule that chose it, and what became of every candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The chosen channel.
    pub channel: ChannelId,
    /// Its fee for this payment in minor units.
    pub fee: Amount,
    /// The rule that chose it.
    pub rule: RouteRule,
    /// Version of the rule set that was in force.
    pub rules_version: u32,
    /// Every candidate, in the configuration's order.
    pub because: SmallVec<[Candidate; 16]>,
    /// What the decision looked at beside them.
    pub trace: RouteTrace,
}
