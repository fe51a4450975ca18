//! One key of a rule set, its values cut into cells inside which every condition of the set answers alike.

use std::hash::Hash;

use rustc_hash::FxHashMap;
use smol_str::SmolStr;
use suanpan_model::{AccountId, Bank};

use super::request::RouteRequest;
use super::rule::{Condition, Key, Test, Value, Values};

/// A value as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cell {
    /// Numbers from this one up to the next cell's.
    From(u64),
    /// One value.
    One(Value),
    /// Every value that no condition names.
    Other,
    /// The order lacks the key.
    Missing,
}

/// How a value finds its cell.
#[derive(Clone, Debug)]
enum Finder {
    /// First number of each cell, ascending, from 0.
    Numbers(Vec<u64>),
    Banks(FxHashMap<Bank, usize>),
    Accounts(FxHashMap<AccountId, usize>),
    Texts(FxHashMap<SmolStr, usize>),
}

/// A key and its cells: those that some condition tells apart, then every other value, then no value at all.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub key: Key,
    cells: Vec<Cell>,
    finder: Finder,
}

/// Where an order stands on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Cell(usize),
    Missing,
    /// The order has several values: the sub-orders' merchants.
    Many,
}

/// Whether conditions on a key compare its texts as numbers.
fn is_numeric(key: &Key, conditions: &[&Condition]) -> bool {
    match key.values() {
        Values::Numbers(_) => true,
        Values::Banks | Values::Accounts => false,
        Values::Texts => conditions.iter().any(|one| matches!(one.test, Test::Within { .. })),
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        Value::Bank(_) | Value::Account(..) => None,
    }
}

impl Axis {
    /// The axis of `key`, of which `conditions` are all that the rule set has.
    pub(super) fn new(key: Key, conditions: &[&Condition]) -> Self {
        let named = || {
            conditions.iter().flat_map(|condition| match &condition.test {
                Test::In(values) | Test::NotIn(values) => values.as_slice(),
                Test::Within { .. } | Test::Present | Test::Absent => &[],
            })
        };
        let (mut cells, finder) = if is_numeric(&key, conditions) {
            let bounds = conditions.iter().flat_map(|condition| match condition.test {
                Test::Within { from, until } => [Some(from), until],
                Test::In(_) | Test::NotIn(_) | Test::Present | Test::Absent => [None, None],
            });
            let single = named().filter_map(number).flat_map(|value| [Some(value), value.checked_add(1)]);
            let mut starts: Vec<u64> = std::iter::once(0).chain(bounds.chain(single).flatten()).collect();
            starts.sort_unstable();
            starts.dedup();
            let most = match key.values() {
                Values::Numbers(below) => below,
                Values::Banks | Values::Accounts | Values::Texts => u64::MAX,
            };
            starts.retain(|start| *start < most);
            (starts.iter().copied().map(Cell::From).collect(), Finder::Numbers(starts))
        } else {
            let mut values: Vec<Value> = named().cloned().collect();
            values.sort_unstable();
            // Accounts may be written under several names.
            values.dedup_by(|one, other| match (&*one, &*other) {
                (Value::Account(one, _), Value::Account(other, _)) => one == other,
                (one, other) => one == other,
            });
            let finder = match key.values() {
                Values::Banks => Finder::Banks(index(&values, |value| match value {
                    Value::Bank(bank) => Some(*bank),
                    Value::Number(_) | Value::Account(..) | Value::Text(_) => None,
                })),
                Values::Accounts => Finder::Accounts(index(&values, |value| match value {
                    Value::Account(account, _) => Some(*account),
                    Value::Number(_) | Value::Bank(_) | Value::Text(_) => None,
                })),
                Values::Numbers(_) | Values::Texts => Finder::Texts(index(&values, |value| match value {
                    Value::Text(text) => Some(text.clone()),
                    Value::Number(_) | Value::Bank(_) | Value::Account(..) => None,
                })),
            };
            (values.into_iter().map(Cell::One).collect::<Vec<_>>(), finder)
        };
        if !matches!(finder, Finder::Numbers(_)) {
            cells.push(Cell::Other);
        }
        cells.push(Cell::Missing);
        Self { key, cells, finder }
    }

    pub(super) fn cells(&self) -> usize {
        self.cells.len()
    }

    pub(super) fn missing(&self) -> usize {
        self.cells.len() - 1
    }

    /// Whether an order can stand in a cell: some keys no order lacks.
    pub(super) fn is_possible(&self, cell: usize) -> bool {
        let always_there = match self.key {
            Key::Amount | Key::Currency | Key::Kind | Key::Hour | Key::Weekday => true,
            Key::Bank
            | Key::CardType
            | Key::Holder
            | Key::Merchant
            | Key::Category
            | Key::Payer
            | Key::PayerAttribute(_)
            | Key::Metadata(_) => false,
        };
        cell != self.missing() || !always_there
    }

    /// Whether orders of a cell pass a condition on this key.
    pub(super) fn passes(&self, cell: usize, test: &Test) -> bool {
        let named = |values: &[Value]| match &self.cells[cell] {
            Cell::From(from) => values.iter().any(|value| number(value) == Some(*from)),
            Cell::One(Value::Account(account, _)) => {
                values.iter().any(|value| matches!(value, Value::Account(other, _) if other == account))
            }
            Cell::One(value) => values.contains(value),
            Cell::Other | Cell::Missing => false,
        };
        let is_missing = self.cells[cell] == Cell::Missing;
        match test {
            Test::Within { from, until } => match self.cells[cell] {
                Cell::From(start) => *from <= start && until.is_none_or(|until| start < until),
                Cell::One(_) | Cell::Other | Cell::Missing => false,
            },
            Test::In(values) => named(values),
            Test::NotIn(values) => !is_missing && !named(values),
            Test::Present => !is_missing,
            Test::Absent => is_missing,
        }
    }

    /// The cell of a text, or number, of the order.
    fn of_text(&self, text: Option<&str>) -> Place {
        let Some(text) = text else { return Place::Missing };
        match &self.finder {
            Finder::Texts(texts) => Place::Cell(texts.get(text).copied().unwrap_or(texts.len())),
            // A text that is no number says nothing about numbers.
            Finder::Numbers(_) => text.parse().map_or(Place::Missing, |number| self.of_number(number)),
            Finder::Banks(_) | Finder::Accounts(_) => Place::Missing,
        }
    }

    fn of_number(&self, number: u64) -> Place {
        let Finder::Numbers(starts) = &self.finder else { return Place::Missing };
        Place::Cell(starts.partition_point(|start| *start <= number) - 1)
    }

    fn of_account(&self, account: AccountId) -> Place {
        let Finder::Accounts(accounts) = &self.finder else { return Place::Missing };
        Place::Cell(accounts.get(&account).copied().unwrap_or(accounts.len()))
    }

    /// Where the order stands.
    pub(super) fn locate(&self, request: &RouteRequest<'_>) -> Place {
        let facts = &request.facts;
        let noted = |pairs: &[(SmolStr, SmolStr)], name: &SmolStr| {
            let found = pairs.iter().find(|(key, _)| key == name);
            self.of_text(found.map(|(_, value)| value.as_str()))
        };
        let known = |text: &str| self.of_text(Some(text).filter(|text| !text.is_empty()));
        let numbered = |number: Option<u64>| number.map_or(Place::Missing, |number| self.of_number(number));
        match &self.key {
            Key::Amount => self.of_number(request.amount.minor()),
            Key::Currency => self.of_number(request.currency as u64),
            Key::Kind => self.of_number(request.kind as u64),
            Key::Bank => match (&self.finder, request.bank) {
                (Finder::Banks(banks), Some(bank)) => {
                    Place::Cell(banks.get(&bank).copied().unwrap_or(banks.len()))
                }
                (Finder::Banks(_) | Finder::Numbers(_) | Finder::Accounts(_) | Finder::Texts(_), _) => {
                    Place::Missing
                }
            },
            Key::CardType => numbered(request.card_type.map(|card| card as u64)),
            Key::Holder => numbered(facts.holder.map(|holder| holder as u64)),
            Key::Merchant => match facts.sub_orders {
                [] => Place::Missing,
                [one] => self.of_account(one.merchant),
                [_, _, ..] => Place::Many,
            },
            Key::Category => known(facts.category),
            Key::Hour => self.of_number(u64::from(request.now.beijing_minute() / 60)),
            Key::Weekday => self.of_number(u64::from(request.now.beijing_weekday())),
            Key::Payer => known(facts.payer),
            Key::PayerAttribute(name) => noted(facts.payer_attributes, name),
            Key::Metadata(name) => noted(facts.metadata, name),
        }
    }

    /// The cells of an order that has several merchants.
    pub(super) fn locate_many<'a>(
        &'a self,
        request: &'a RouteRequest<'_>,
    ) -> impl Iterator<Item = usize> + 'a {
        request.facts.sub_orders.iter().filter_map(|sub_order| match self.of_account(sub_order.merchant) {
            Place::Cell(cell) => Some(cell),
            Place::Missing | Place::Many => None,
        })
    }

    /// The numbers of a cell: from, and the first above it. Nothing for cells that hold no numbers.
    pub(super) fn interval(&self, cell: usize) -> Option<(u64, Option<u64>)> {
        let start = |cell: usize| match self.cells.get(cell)? {
            Cell::From(start) => Some(*start),
            Cell::One(_) | Cell::Other | Cell::Missing => None,
        };
        Some((start(cell)?, start(cell + 1)))
    }

    /// Whether orders of a cell may come from one of these banks.
    pub(super) fn is_bank_of(&self, cell: usize, banks: &[Bank]) -> bool {
        match &self.cells[cell] {
            Cell::One(Value::Bank(bank)) => banks.contains(bank),
            Cell::Other => true,
            Cell::From(_)
            | Cell::Missing
            | Cell::One(Value::Number(_) | Value::Account(..) | Value::Text(_)) => false,
        }
    }

    /// A cell in words.
    pub(super) fn words(&self, cell: usize) -> SmolStr {
        match &self.cells[cell] {
            Cell::From(start) => smol_str::format_smolstr!("from {start}"),
            Cell::One(Value::Bank(bank)) => bank.code(),
            Cell::One(Value::Account(_, name)) => name.clone(),
            Cell::One(Value::Text(text)) => text.clone(),
            Cell::One(Value::Number(number)) => smol_str::format_smolstr!("{number}"),
            Cell::Other => SmolStr::new_static("any other"),
            Cell::Missing => SmolStr::new_static("none"),
        }
    }
}

fn index<T: Hash + Eq>(values: &[Value], read: impl Fn(&Value) -> Option<T>) -> FxHashMap<T, usize> {
    values.iter().enumerate().filter_map(|(place, value)| Some((read(value)?, place))).collect()
}
