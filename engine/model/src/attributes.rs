//! What an order says about itself beyond money: what routing rules may look at.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Who holds the card or account that pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Holder {
    /// A natural person (个人).
    Person,
    /// A company (对公).
    Company,
}

impl Holder {
    /// Every kind of holder.
    pub const ALL: [Self; 2] = [Self::Person, Self::Company];

    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Company => "company",
        }
    }

    /// The kind of holder with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|holder| holder.name() == name)
    }
}

/// Attributes of an order; an order without any has none of this in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderAttributes {
    /// Kind of goods or business; empty where not known.
    pub category: SmolStr,
    /// Who holds the card or account that pays, where known.
    pub holder: Option<Holder>,
    /// What the mall knows about the payer, sorted by name.
    pub payer: Vec<(SmolStr, SmolStr)>,
}

impl OrderAttributes {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
