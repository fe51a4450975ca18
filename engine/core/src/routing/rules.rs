//! A platform's routing rules, as they are configured.

use std::fmt;

use suanpan_model::{Amount, Bank, CardType, ChannelId, PlatformId, RouteRule};

/// One way to choose among the capable channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// The band of the amount names the channels (订单金额优先).
    Amount,
    /// The lowest fee for this amount and card type (费率成本优先).
    Cost,
    /// Designated by bank and card type (指定渠道).
    Designated,
    /// The first capable one of a list.
    Priority,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 4] = [Self::Amount, Self::Cost, Self::Designated, Self::Priority];

    /// The rule under which its choices are recorded.
    #[must_use]
    pub const fn rule(self) -> RouteRule {
        match self {
            Self::Amount => RouteRule::AmountBand,
            Self::Cost => RouteRule::LowestCost,
            Self::Designated => RouteRule::Designated,
            Self::Priority => RouteRule::Priority,
        }
    }

    /// Name in the API and the configuration: that of its rule.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.rule().name()
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmountBand {
    /// Smallest amount in minor units.
    pub from: Amount,
    /// First amount above the band in minor units; without it the band has no end.
    pub until: Option<Amount>,
    /// Channels, the preferred one first.
    pub channels: Vec<ChannelId>,
}

/// Channels for a bank, a card type, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Designation {
    /// The payer's bank; any when absent.
    pub bank: Option<Bank>,
    /// The payer's kind of card; any when absent.
    pub card_type: Option<CardType>,
    /// Channels, the preferred one first.
    pub channels: Vec<ChannelId>,
}

/// The rules of one platform, or the default ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AmountBand(index) => write!(f, "amount band {}", index + 1),
            Self::Designation(index) => write!(f, "designation {}", index + 1),
            Self::Priority => f.write_str("the priority list"),
        }
    }
}
