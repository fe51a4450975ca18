//! What a channel took: reserved when a payment begins, given back when it comes to nothing.

use serde::{Deserialize, Serialize};
use suanpan_model::{Amount, TimestampMs};

use super::observe::{Observation, Observed};

/// Minor units taken on the latest day and in the latest month in Beijing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The day, counted from 1970-01-01.
    pub day: u32,
    /// Taken on it.
    pub day_used: u64,
    /// The month, counted from January 1970.
    pub month: u32,
    /// Taken in it.
    pub month_used: u64,
}

impl Volume {
    /// Folds in an observation.
    pub fn fold(&mut self, seen: &Observation) {
        match seen.what {
            Observed::Started => self.take(seen.at, seen.amount),
            Observed::Paid { was_dead: true, .. } => self.take(seen.at, seen.amount),
            Observed::Failed { .. } | Observed::NotSent { .. } | Observed::Closed { .. } => {
                self.give_back(seen.started_at, seen.amount);
            }
            Observed::Paid { was_dead: false, .. } | Observed::Accepted { .. } | Observed::InDoubt { .. } => {
            }
        }
    }

    fn take(&mut self, at: TimestampMs, amount: Amount) {
        let (day, month) = (at.beijing_day(), at.beijing_month().0);
        if self.day < day {
            (self.day, self.day_used) = (day, 0);
        }
        if self.month < month {
            (self.month, self.month_used) = (month, 0);
        }
        if self.day == day {
            self.day_used = self.day_used.saturating_add(amount.minor());
        }
        if self.month == month {
            self.month_used = self.month_used.saturating_add(amount.minor());
        }
    }

    fn give_back(&mut self, taken_at: TimestampMs, amount: Amount) {
        if self.day == taken_at.beijing_day() {
            self.day_used = self.day_used.saturating_sub(amount.minor());
        }
        if self.month == taken_at.beijing_month().0 {
            self.month_used = self.month_used.saturating_sub(amount.minor());
        }
    }

    /// What was taken on a day.
    #[must_use]
    pub fn on_day(&self, day: u32) -> Amount {
        Amount::from_minor(if self.day == day { self.day_used } else { 0 })
    }

    /// What was taken in a month.
    #[must_use]
    pub fn in_month(&self, month: u32) -> Amount {
        Amount::from_minor(if self.month == month { self.month_used } else { 0 })
    }
}
