//! Where lives came by: statuses × events, faults, refusals.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use suanpan_core::order::next_status;
use suanpan_model::event::EventKind;
use suanpan_model::{Order, OrderStatus};

/// Counts of what lives came by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Events by the status that the order was in before.
    pub moves: BTreeMap<(OrderStatus, EventKind), u64>,
    /// Faults that were injected, and other things worth counting, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Answers to malls by code.
    pub answers: BTreeMap<&'static str, u64>,
}

impl Coverage {
    /// Counts a fault.
    pub fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    /// Counts an answer.
    pub fn answer(&mut self, code: &'static str) {
        *self.answers.entry(code).or_default() += 1;
    }

    /// Counts the life of an order.
    pub fn order(&mut self, order: &Order) {
        let mut before = OrderStatus::Created;
        for step in &order.steps {
            *self.moves.entry((before, step.kind)).or_default() += 1;
            before = step.status;
        }
    }

    /// Adds what other lives came by.
    pub fn add(&mut self, other: &Self) {
        let add = |to: &mut BTreeMap<&'static str, u64>, from: &BTreeMap<&'static str, u64>| {
            from.iter().for_each(|(name, count)| *to.entry(name).or_default() += count);
        };
        add(&mut self.faults, &other.faults);
        add(&mut self.answers, &other.answers);
        other.moves.iter().for_each(|(key, count)| *self.moves.entry(*key).or_default() += count);
    }

    /// All faults together.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.faults.values().sum()
    }

    /// What the table of states allows.
    #[must_use]
    pub fn possible() -> BTreeSet<(OrderStatus, EventKind)> {
        let all = OrderStatus::ALL
            .into_iter()
            .flat_map(|status| EventKind::ALL.into_iter().map(move |kind| (status, kind)));
        // The table has no row for what comes before everything.
        let born = (OrderStatus::Created, EventKind::Created);
        all.filter(|(status, kind)| next_status(*status, *kind).is_some()).chain([born]).collect()
    }

    /// What the table of states allows and no life came by.
    #[must_use]
    pub fn never(&self) -> Vec<(OrderStatus, EventKind)> {
        Self::possible().into_iter().filter(|key| !self.moves.contains_key(key)).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (possible, never) = (Self::possible().len(), self.never());
        writeln!(f, "states × events: {} of {possible} came by", possible - never.len())?;
        for ((status, kind), count) in &self.moves {
            writeln!(f, "  {status:>14} × {:<18} {count:>10}", kind.name())?;
        }
        let rare = |(status, kind): &(OrderStatus, EventKind)| format!("{status} × {}", kind.name());
        if !never.is_empty() {
            writeln!(f, "never: {}", never.iter().map(rare).collect::<Vec<_>>().join(", "))?;
        }
        writeln!(f, "faults and turns of fate:")?;
        for (name, count) in &self.faults {
            writeln!(f, "  {name:<40} {count:>10}")?;
        }
        writeln!(f, "answers:")?;
        for (code, count) in &self.answers {
            writeln!(f, "  {code:<40} {count:>10}")?;
        }
        Ok(())
    }
}
