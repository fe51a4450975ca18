//! The last results of a channel.

use serde::{Deserialize, Serialize};
use suanpan_model::Success;

use super::wilson::lower_bound_ppm;

/// Results that are kept.
pub const WINDOW: u8 = 125;
const MASK: u128 = (1 << WINDOW) - 1;

/// The last [`WINDOW`] results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// A bit for each result, the latest lowest; set when it was good.
    bits: u128,
    results: u8,
}

impl Window {
    /// Takes in a result, and lets go of the oldest.
    pub fn push(&mut self, good: bool) {
        self.bits = (self.bits << 1 | u128::from(good)) & MASK;
        self.results = (self.results + 1).min(WINDOW);
    }

    /// How many results there are.
    #[must_use]
    pub const fn results(&self) -> u8 {
        self.results
    }

    /// How many of them were good.
    #[must_use]
    pub const fn good(&self) -> u32 {
        self.bits.count_ones()
    }

    /// How often the channel succeeds at the least; nothing without results.
    #[must_use]
    pub fn success(&self) -> Option<Success> {
        lower_bound_ppm(self.good(), u32::from(self.results)).map(Success::from_ppm)
    }
}
