//! One rule of a rule set as data: when it holds, and what it says then.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, format_smolstr};
use suanpan_model::{AccountId, Bank, ChannelId};

use super::rules::Strategy;

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    /// What the payer pays, in minor units.
    Amount,
    /// The currency, by its place in [`Currency::ALL`](suanpan_model::Currency::ALL).
    Currency,
    /// How the order is paid, by the number of the kind.
    Kind,
    /// The payer's bank.
    Bank,
    /// The payer's kind of card, by its number.
    CardType,
    /// Who holds the card or account, by the number of the kind.
    Holder,
    /// A merchant of the order: of several, one is enough.
    Merchant,
    /// Kind of goods or business.
    Category,
    /// Hour of the day in Beijing, 0 to 23.
    Hour,
    /// Day of the week in Beijing, Monday = 0 to Sunday = 6.
    Weekday,
    /// The payer, as the mall names them.
    Payer,
    /// An attribute of the payer.
    PayerAttribute(SmolStr),
    /// A note of the mall.
    Metadata(SmolStr),
}

const PAYER_PREFIX: &str = "payer.";
const METADATA_PREFIX: &str = "metadata.";

impl Key {
    /// Name in the API and the configuration.
    #[must_use]
    pub fn name(&self) -> SmolStr {
        SmolStr::new_static(match self {
            Self::Amount => "amount",
            Self::Currency => "currency",
            Self::Kind => "kind",
            Self::Bank => "bank",
            Self::CardType => "card_type",
            Self::Holder => "holder",
            Self::Merchant => "merchant",
            Self::Category => "category",
            Self::Hour => "hour",
            Self::Weekday => "weekday",
            Self::Payer => "payer",
            Self::PayerAttribute(name) => return format_smolstr!("{PAYER_PREFIX}{name}"),
            Self::Metadata(name) => return format_smolstr!("{METADATA_PREFIX}{name}"),
        })
    }

    /// The key with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let plain = [
            Self::Amount,
            Self::Currency,
            Self::Kind,
            Self::Bank,
            Self::CardType,
            Self::Holder,
            Self::Merchant,
            Self::Category,
            Self::Hour,
            Self::Weekday,
            Self::Payer,
        ];
        let named = |prefix: &str| name.strip_prefix(prefix).filter(|rest| !rest.is_empty());
        named(PAYER_PREFIX)
            .map(|rest| Self::PayerAttribute(rest.into()))
            .or_else(|| named(METADATA_PREFIX).map(|rest| Self::Metadata(rest.into())))
            .or_else(|| plain.into_iter().find(|key| key.name() == name))
    }

    /// What its values are.
    #[must_use]
    pub const fn values(&self) -> Values {
        match self {
            Self::Amount => Values::Numbers(u64::MAX),
            Self::Currency => Values::Numbers(suanpan_model::Currency::ALL.len() as u64),
            Self::Kind => Values::Numbers(3),
            Self::CardType | Self::Holder => Values::Numbers(2),
            Self::Hour => Values::Numbers(24),
            Self::Weekday => Values::Numbers(7),
            Self::Bank => Values::Banks,
            Self::Merchant => Values::Accounts,
            Self::Category | Self::Payer | Self::PayerAttribute(_) | Self::Metadata(_) => Values::Texts,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// What the values of a key are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Numbers below this one.
    Numbers(u64),
    /// Banks.
    Banks,
    /// Accounts of merchants.
    Accounts,
    /// Texts; a rule set that compares one with intervals reads it as a number.
    Texts,
}

/// A value that a condition names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// A number: an amount in minor units, an hour, the number of a kind.
    Number(u64),
    /// A bank.
    Bank(Bank),
    /// A merchant's account, and the name under which it was written.
    Account(AccountId, SmolStr),
    /// A text.
    Text(SmolStr),
}

/// What is asked of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Test {
    /// From `from` up to but not including `until`; without it there is no end.
    Within {
        /// The first that passes.
        from: u64,
        /// The first above that does not.
        until: Option<u64>,
    },
    /// One of these.
    In(Vec<Value>),
    /// None of these; a key that is missing does not pass.
    NotIn(Vec<Value>),
    /// The order has the key.
    Present,
    /// The order lacks the key.
    Absent,
}

/// A key and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What it looks at.
    pub key: Key,
    /// What is asked.
    pub test: Test,
}

/// A channel and its share of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// The channel.
    pub channel: ChannelId,
    /// Its share of the sum of all weights.
    pub weight: u32,
}

/// A list and its share of a split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightedList {
    /// Channels, the preferred one first.
    pub channels: Vec<ChannelId>,
    /// Its share of the sum of all weights.
    pub weight: u32,
}

/// What a rule says when it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// This channel.
    Channel(ChannelId),
    /// The first capable channel of a list.
    Priority(Vec<ChannelId>),
    /// Volume split over channels.
    Split(Vec<Weight>),
    /// Volume split over lists.
    SplitLists(Vec<WeightedList>),
    /// What a strategy says.
    Strategy(Strategy),
}

/// A rule. It holds when one of its statements does; without statements always. When it holds, its nested rules are
/// asked in their order, then its own output. What names no capable channel is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name, unique in the rule set.
    pub name: SmolStr,
    /// Statements, of which one must hold; each is a list of conditions that must all pass.
    pub when: Vec<Vec<Condition>>,
    /// Rules that are asked first when it holds.
    pub rules: Vec<Rule>,
    /// What it says.
    pub output: Option<Output>,
}
