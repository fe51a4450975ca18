//! What can be wrong with channels and rules before a single payment is routed.

use std::fmt;

use smol_str::SmolStr;
use suanpan_model::{Amount, Bank, CardType, ChannelId, PlatformId};

use super::book::{KEYS_MAX, STATEMENTS_MAX};
use super::channels::CHANNELS_MAX;
use super::rules::{Place, RuleSet, Strategy};

/// Something that makes a configuration unusable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    /// More channels than a router holds.
    #[error("{0} channels, at most {CHANNELS_MAX} are possible")]
    TooManyChannels(usize),
    /// Two channels have one number.
    #[error("channel number {0} is used twice")]
    RepeatedId(ChannelId),
    /// Two channels have one name.
    #[error("channel name `{0}` is used twice")]
    RepeatedName(SmolStr),
    /// A platform has two rule sets.
    #[error("platform {0} has two rule sets")]
    RepeatedPlatform(PlatformId),
    /// A channel's descriptor contradicts itself.
    #[error("channel {channel}: {fault}")]
    Channel {
        /// The channel.
        channel: ChannelId,
        /// What is wrong.
        fault: ChannelFault,
    },
    /// A rule set contradicts itself or the channels.
    #[error("{set}: {fault}")]
    Rules {
        /// The rule set.
        set: RuleSet,
        /// What is wrong.
        fault: RuleSetFault,
    },
}

/// What is wrong with a channel's descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelFault {
    /// Offers payments from the balance, which need no channel.
    #[error("`balance` is not paid through a channel")]
    OffersBalance,
    /// Its smallest amount is above its largest.
    #[error("the smallest amount is above the largest")]
    LimitsInverted,
    /// A minute of its service hours is not one of the day.
    #[error("service hours must lie between minute 0 and 1440 of the day")]
    HoursOutOfDay,
    /// A tariff band is not above the one before it, or follows one without an end.
    #[error("{card} tariff: band {} is not above the one before it", band + 1, card = card.name())]
    TariffNotAscending {
        /// Which of the two tariffs.
        card: CardType,
        /// Index of the band.
        band: usize,
    },
}

/// What is wrong with a rule set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleSetFault {
    /// The order names a strategy twice; the second mention is never reached.
    #[error("strategy `{0}` is named twice")]
    RepeatedStrategy(Strategy),
    /// A list without channels.
    #[error("{0} names no channel")]
    NoChannels(Place),
    /// A channel that is not configured.
    #[error("{place} names channel {channel}, which is not configured")]
    UnknownChannel {
        /// Where.
        place: Place,
        /// The channel.
        channel: ChannelId,
    },
    /// A channel stands twice in one list; the second mention is never reached.
    #[error("{place} names channel {channel} twice")]
    RepeatedChannel {
        /// Where.
        place: Place,
        /// The channel.
        channel: ChannelId,
    },
    /// A band that ends where it begins.
    #[error("amount band {} is empty", .0 + 1)]
    BandEmpty(usize),
    /// A band that ends before it begins.
    #[error("amount band {} ends before it begins", .0 + 1)]
    BandInverted(usize),
    /// Two bands share an amount.
    #[error("amount bands {} and {} overlap", .0 + 1, .1 + 1)]
    BandsOverlap(usize, usize),
    /// A designation without bank and card type.
    #[error("designation {} has neither bank nor card type; that is what the priority list is for", .0 + 1)]
    DesignationOfAll(usize),
    /// Two designations of the same bank and card type; the second is never reached.
    #[error("designations {} and {} are for the same bank and card type", .0 + 1, .1 + 1)]
    RepeatedDesignation(usize, usize),
    /// A rule without output and nested rules.
    #[error("rule {0} says nothing")]
    RuleSaysNothing(usize),
    /// A rule without a name, or with that of another rule.
    #[error("rule {0} needs a name that no other rule of the set has")]
    RuleNameTaken(usize),
    /// A statement of a rule that no order can meet.
    #[error("rule {0} has a statement that no order can meet")]
    RuleNeverHolds(usize),
    /// A rule that is never reached: an earlier one holds whenever it does, and always names a channel.
    #[error("rule {rule} is never reached: rule {by} decides before it")]
    RuleUnreachable {
        /// The rule.
        rule: usize,
        /// The one before it.
        by: usize,
    },
    /// A rule that asks the rules again.
    #[error("rule {0} asks the rules themselves")]
    RuleAsksRules(usize),
    /// A condition that does not fit its key.
    #[error("rule {0} asks something of a key that has no such values")]
    RuleTestUnfit(usize),
    /// A text is compared with numbers by one rule and with other texts by another.
    #[error("rule {0} compares a key with texts that another rule reads as numbers")]
    RuleTextNotNumber(usize),
    /// A condition on a bank that no channel lists.
    #[error("rule {rule}: no channel lists bank {bank}")]
    RuleUnknownBank {
        /// The rule.
        rule: usize,
        /// The bank.
        bank: Bank,
    },
    /// Shares that are all zero, or add up to more than a million.
    #[error("{0}: weights must add up to 1 to 1000000")]
    WeightsOutOfRange(Place),
    /// No channel of an output can take any payment for which it is asked.
    #[error("{0} reaches no channel that can take such a payment")]
    ReachesNoChannel(Place),
    /// More statements or keys than a rule set may have.
    #[error("the rules have too many statements or keys: at most {STATEMENTS_MAX} and {KEYS_MAX}")]
    RulesTooMany,
    /// A share above the whole.
    #[error("scoring: shares must be at most 100%")]
    ScoringOverWhole,
    /// A bank that no channel lists.
    #[error("designation {}: no channel lists bank {bank}", designation + 1)]
    UnknownBank {
        /// Index of the designation.
        designation: usize,
        /// The bank.
        bank: Bank,
    },
}

/// Every fault that was found, not only the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFaults(pub Vec<RuleFault>);

impl fmt::Display for RuleFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleFaults {}

/// Something that works but is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleWarning {
    /// A channel without a tariff costs nothing, so it always wins by cost.
    #[error("channel {0} has no tariff: it counts as free")]
    NoTariff(ChannelId),
    /// Amounts above the last band of a tariff are priced by that band.
    #[error("channel {channel}: the {card} tariff ends below the channel's largest amount", card = card.name())]
    TariffEnds {
        /// The channel.
        channel: ChannelId,
        /// Which of the two tariffs.
        card: CardType,
    },
    /// A finding in a rule set.
    #[error("{set}: {finding}")]
    Rules {
        /// The rule set.
        set: RuleSet,
        /// What looks wrong.
        finding: RuleFinding,
    },
}

/// What looks wrong in a rule set. Written for people; amounts are in minor units, because a band has no
/// currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleFinding {
    /// No band covers these amounts: the next strategy decides.
    BandGap {
        /// Smallest uncovered amount.
        from: Amount,
        /// First covered amount above; none when everything above is uncovered.
        until: Option<Amount>,
    },
    /// A strategy of the order has nothing to decide with.
    NothingConfigured(Strategy),
    /// Rules for a strategy that the order does not name.
    NeverAsked(Strategy),
    /// A channel of a list that cannot take any payment for which the list is read.
    NeverFits {
        /// Where.
        place: Place,
        /// The channel.
        channel: ChannelId,
    },
    /// A rule that decides only when the channels of earlier ones cannot take the payment.
    RuleShadowed {
        /// The rule.
        rule: usize,
        /// An earlier rule that holds whenever it does.
        by: usize,
    },
    /// Two rules that hold for some of the same orders and say different things; the first decides.
    RulesOverlap {
        /// The rule that decides.
        first: usize,
        /// The later one.
        second: usize,
    },
    /// More overlaps than are listed.
    MoreOverlaps(usize),
    /// Orders that no rule decides, in words: the next strategy decides them.
    RulesGap(SmolStr),
    /// A channel of a rule that cannot take any payment for which the rule is asked.
    RuleNeverFits {
        /// The rule.
        rule: usize,
        /// The channel.
        channel: ChannelId,
    },
    /// A channel of a rule that is switched off.
    SwitchedOff {
        /// Where.
        place: Place,
        /// The channel.
        channel: ChannelId,
    },
}

impl fmt::Display for RuleFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BandGap { from, until: Some(until) } => {
                write!(f, "no amount band covers {} up to {} minor units", from.minor(), until.minor())
            }
            Self::BandGap { from, until: None } => {
                write!(f, "no amount band covers {} minor units and above", from.minor())
            }
            Self::NothingConfigured(strategy) => {
                write!(f, "strategy `{strategy}` is in the order but has nothing configured")
            }
            Self::NeverAsked(strategy) => {
                write!(f, "there are rules for strategy `{strategy}`, which the order does not name")
            }
            Self::NeverFits { place, channel } => {
                write!(f, "channel {channel} can never take what {place} gives it")
            }
            Self::RuleShadowed { rule, by } => {
                write!(f, "rule {rule} decides only when no channel of rule {by} can take the payment")
            }
            Self::RulesOverlap { first, second } => {
                write!(f, "rules {first} and {second} overlap: where both hold, rule {first} decides")
            }
            Self::MoreOverlaps(more) => write!(f, "{more} more overlaps of rules"),
            Self::RulesGap(orders) => write!(f, "no rule decides {orders}"),
            Self::RuleNeverFits { rule, channel } => {
                write!(f, "channel {channel} can never take what rule {rule} gives it")
            }
            Self::SwitchedOff { place, channel } => {
                write!(f, "{place} names channel {channel}, which is switched off")
            }
        }
    }
}
