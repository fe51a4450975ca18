//! Rules laid flat: nested conditions are multiplied out, so that every statement is one list of conditions and the
//! first statement that holds decides.

use super::rule::{Condition, Output, Rule};

/// A rule in declared order, nested ones included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbered<'a> {
    /// From 1.
    pub no: usize,
    pub rule: &'a Rule,
}

/// An output and the statements under which it is asked.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub no: usize,
    pub rule: &'a Rule,
    pub output: &'a Output,
    /// Each a list of conditions that must all pass; at least one.
    pub statements: Vec<Vec<&'a Condition>>,
}

/// Every rule with its number.
pub(super) fn numbered(rules: &[Rule]) -> Vec<Numbered<'_>> {
    fn walk<'a>(rules: &'a [Rule], into: &mut Vec<Numbered<'a>>) {
        for rule in rules {
            into.push(Numbered { no: into.len() + 1, rule });
            walk(&rule.rules, into);
        }
    }
    let mut all = Vec::new();
    walk(rules, &mut all);
    all
}

/// The outputs in the order in which they are asked. `None` when they would make more than `most` statements.
pub(super) fn entries(rules: &[Rule], most: usize) -> Option<Vec<Entry<'_>>> {
    let mut flattener = Flattener { no: 0, statements: 0, most, entries: Vec::new() };
    flattener.walk(rules, &[Vec::new()])?;
    Some(flattener.entries)
}

struct Flattener<'a> {
    no: usize,
    statements: usize,
    most: usize,
    entries: Vec<Entry<'a>>,
}

impl<'a> Flattener<'a> {
    /// Lays `rules` flat, which are asked where one of `above` holds.
    fn walk(&mut self, rules: &'a [Rule], above: &[Vec<&'a Condition>]) -> Option<()> {
        for rule in rules {
            self.no += 1;
            let no = self.no;
            let own: Vec<Vec<&Condition>> = match rule.when.as_slice() {
                [] => vec![Vec::new()],
                when => when.iter().map(|statement| statement.iter().collect()).collect(),
            };
            if above.len().saturating_mul(own.len()) > self.most {
                return None;
            }
            let join = |outer: &Vec<&'a Condition>, inner: &Vec<&'a Condition>| {
                outer.iter().chain(inner).copied().collect::<Vec<_>>()
            };
            let statements: Vec<_> =
                above.iter().flat_map(|outer| own.iter().map(move |inner| join(outer, inner))).collect();
            self.walk(&rule.rules, &statements)?;
            if let Some(output) = &rule.output {
                self.statements += statements.len();
                if self.statements > self.most {
                    return None;
                }
                self.entries.push(Entry { no, rule, output, statements });
            }
        }
        Some(())
    }
}
