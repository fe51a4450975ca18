//! A platform's routing rules, as they are configured.

use std::fmt;

use serde::{Deserialize, Serialize};
use suanpan_model::{Amount, Bank, CardType, ChannelId, PlatformId};

use super::rule::{Rule, Weight};

/// One way to choose among the capable channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Strategy {
    /// The band of the amount names the channels (订单金额优先).
    Amount,
    /// The lowest fee for this amount and card type (费率成本优先).
    Cost,
    /// Designated by bank and card type (指定渠道).
    Designated,
    /// The first capable one of a list.
    Priority,
    /// The first rule that holds and names a capable channel.
    Rules,
    /// Volume is split by weights (权重).
    Weights,
    /// The highest success rate (成功率).
    Success,
    /// The highest expected value: success × (margin − cost).
    Value,
    /// The channel that is furthest behind the volume that was agreed with it.
    Commitment,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 9] = [
        Self::Amount,
        Self::Cost,
        Self::Designated,
        Self::Priority,
        Self::Rules,
        Self::Weights,
        Self::Success,
        Self::Value,
        Self::Commitment,
    ];

    /// Name in the API and the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::Cost => "cost",
            Self::Designated => "designated",
            Self::Priority => "priority",
            Self::Rules => "rules",
            Self::Weights => "weights",
            Self::Success => "success",
            Self::Value => "value",
            Self::Commitment => "commitment",
        }
    }

    /// The strategy of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.name() == name)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Channels for amounts from `from` up to but not including `until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmountBand {
    /// Smallest amount in minor units.
    pub from: Amount,
    /// First amount above the band in minor units; without it the band has no end.
    pub until: Option<Amount>,
    /// Channels, the preferred one first.
    pub channels: Vec<ChannelId>,
}

/// Channels for a bank, a card type, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Designation {
    /// The payer's bank; any when absent.
    pub bank: Option<Bank>,
    /// The payer's kind of card; any when absent.
    pub card_type: Option<CardType>,
    /// Channels, the preferred one first.
    pub channels: Vec<ChannelId>,
}

/// How what was learned about channels is used. Shares are in parts per million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scoring {
    /// Share of orders whose first channel is drawn, so that something is learned about every channel.
    pub explore_ppm: u32,
    /// A channel that succeeds less often than this is not chosen by its success.
    pub eliminate_ppm: u32,
    /// Success that may be given up, below the best channel's, for a better expected value.
    pub given_up_ppm: u32,
    /// What the platform earns of an amount that is paid.
    pub margin_ppm: u32,
}

impl Default for Scoring {
    fn default() -> Self {
        Self { explore_ppm: 50_000, eliminate_ppm: 200_000, given_up_ppm: 50_000, margin_ppm: 10_000 }
    }
}

/// The rules of one platform, or the default ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingRules {
    /// Version, recorded in every decision.
    pub version: u32,
    /// Strategies in the order in which they are asked. When none of them names a capable channel, the
    /// cheapest capable one is taken.
    pub order: Vec<Strategy>,
    /// Bands of [`Strategy::Amount`]; they may not overlap.
    pub amount_bands: Vec<AmountBand>,
    /// Designations of [`Strategy::Designated`]: one with bank and card type comes before one with the bank
    /// alone, and that before one with the card type alone.
    pub designations: Vec<Designation>,
    /// List of [`Strategy::Priority`], the preferred channel first.
    pub priority: Vec<ChannelId>,
    /// Rules of [`Strategy::Rules`], in the order in which they are asked.
    pub rules: Vec<Rule>,
    /// Shares of [`Strategy::Weights`].
    pub weights: Vec<Weight>,
    /// How [`Strategy::Success`] and [`Strategy::Value`] use what was learned.
    pub scoring: Scoring,
    /// Draws for splits and exploration follow from it and the order.
    pub seed: u64,
}

/// Names a rule set in findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleSet {
    /// The rules of platforms that have none of their own.
    Default,
    /// The rules of one platform.
    Platform(PlatformId),
}

impl fmt::Display for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default rules"),
            Self::Platform(platform) => write!(f, "rules of platform {platform}"),
        }
    }
}

/// A list of channels inside a rule set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The amount band with this index; written from 1.
    AmountBand(usize),
    /// The designation with this index; written from 1.
    Designation(usize),
    /// The priority list.
    Priority,
    /// The shares of the platform.
    Weights,
    /// The output of the rule with this number, from 1 in declared order, nested rules included.
    Rule(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AmountBand(index) => write!(f, "amount band {}", index + 1),
            Self::Designation(index) => write!(f, "designation {}", index + 1),
            Self::Priority => f.write_str("the priority list"),
            Self::Weights => f.write_str("the weights"),
            Self::Rule(no) => write!(f, "rule {no}"),
        }
    }
}
