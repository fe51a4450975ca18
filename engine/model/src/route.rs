//! A routing decision and its reasons.

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
        }
    }

    /// Whether the channel could have taken the payment.
    #[must_use]
    pub const fn is_capable(self) -> bool {
        matches!(self, Self::Chosen | Self::Ranked)
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
        }
    }
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
    pub because: SmallVec<[Candidate; 8]>,
}
