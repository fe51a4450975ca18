//! A compiled rule list: for each key, which statements an order passes by its value; a decision is one look-up a key
//! and the intersection of what they give.

use smallvec::SmallVec;

use super::axis::{Axis, Place};
use super::flat::{self, Entry};
use super::request::RouteRequest;
use super::rule::{Condition, Key, Rule, Test};

/// Most statements of one rule set, nested conditions multiplied out.
pub const STATEMENTS_MAX: usize = 16_384;
/// Most keys of one rule set: the bits of [`RouteTrace::missing`](suanpan_model::RouteTrace::missing).
pub const KEYS_MAX: usize = 64;

/// The statements that pass by one key, for each of its cells.
#[derive(Clone, Debug)]
struct Column {
    axis: Axis,
    /// Rows of `words` words, one for each cell.
    rows: Box<[u64]>,
    /// Statements that refuse values: of an order with several values, all must pass.
    refusing: Box<[u64]>,
}

/// A compiled rule list.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    words: usize,
    columns: Vec<Column>,
    /// All statements.
    all: Box<[u64]>,
    /// By statement: the entry that it belongs to, and the keys that it uses.
    statements: Vec<(u32, u64)>,
}

/// The cells that a statement allows on the keys that it uses.
pub(super) type Boxed = Vec<(usize, CellSet)>;

/// Cells of one axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CellSet(SmallVec<[u64; 2]>);

impl CellSet {
    pub(super) fn new(cells: usize, holds: impl Fn(usize) -> bool) -> Self {
        let mut words: SmallVec<[u64; 2]> = SmallVec::from_elem(0, cells.div_ceil(64));
        for cell in (0..cells).filter(|cell| holds(*cell)) {
            words[cell / 64] |= 1 << (cell % 64);
        }
        Self(words)
    }

    pub(super) fn has(&self, cell: usize) -> bool {
        self.0[cell / 64] >> (cell % 64) & 1 == 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(one, other)| one & !other == 0)
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(one, other)| one & other != 0)
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one & other).collect())
    }

    pub(super) fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one & !other).collect())
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.0.len() * 64).filter(|cell| self.has(*cell))
    }
}

/// The keys of a rule list with their cells, in the order in which they are first used, and what each statement allows.
pub(super) struct Layout<'a> {
    pub entries: Vec<Entry<'a>>,
    pub axes: Vec<Axis>,
    /// For each entry, for each of its statements.
    pub boxes: Vec<Vec<Boxed>>,
}

impl<'a> Layout<'a> {
    /// Lays rules out; `None` when there are too many statements or keys.
    pub(super) fn new(rules: &'a [Rule]) -> Option<Self> {
        let entries = flat::entries(rules, STATEMENTS_MAX)?;
        let mut keys: Vec<&Key> = Vec::new();
        let mut conditions: Vec<Vec<&Condition>> = Vec::new();
        for numbered in flat::numbered(rules) {
            for condition in numbered.rule.when.iter().flatten() {
                let place = keys.iter().position(|key| **key == condition.key).unwrap_or_else(|| {
                    keys.push(&condition.key);
                    conditions.push(Vec::new());
                    keys.len() - 1
                });
                conditions[place].push(condition);
            }
        }
        if keys.len() > KEYS_MAX {
            return None;
        }
        let axes: Vec<Axis> =
            keys.iter().zip(&conditions).map(|(key, known)| Axis::new((*key).clone(), known)).collect();
        let boxed = |statement: &Vec<&Condition>| -> Boxed {
            let mut used: Boxed = Vec::new();
            for (place, axis) in axes.iter().enumerate() {
                let of_key = || statement.iter().filter(|condition| condition.key == axis.key);
                if of_key().next().is_some() {
                    let passes = |cell| {
                        axis.is_possible(cell) && of_key().all(|condition| axis.passes(cell, &condition.test))
                    };
                    used.push((place, CellSet::new(axis.cells(), passes)));
                }
            }
            used
        };
        let boxes = entries.iter().map(|entry| entry.statements.iter().map(boxed).collect()).collect();
        Some(Self { entries, axes, boxes })
    }
}

impl Book {
    /// Compiles a layout.
    pub(super) fn new(layout: &Layout<'_>) -> Self {
        let statements: Vec<(u32, u64)> = layout
            .boxes
            .iter()
            .zip(0_u32..)
            .flat_map(|(boxes, entry)| {
                boxes
                    .iter()
                    .map(move |used| (entry, used.iter().fold(0_u64, |keys, (axis, _)| keys | 1 << axis)))
            })
            .collect();
        let words = statements.len().div_ceil(64);
        let mut all = vec![u64::MAX; words].into_boxed_slice();
        if let Some(last) = all.last_mut()
            && !statements.len().is_multiple_of(64)
        {
            *last = (1 << (statements.len() % 64)) - 1;
        }
        let mut columns: Vec<Column> = layout
            .axes
            .iter()
            .map(|axis| Column {
                axis: axis.clone(),
                rows: all.repeat(axis.cells()).into_boxed_slice(),
                refusing: vec![0; words].into_boxed_slice(),
            })
            .collect();
        let refuses = |condition: &Condition| matches!(condition.test, Test::NotIn(_));
        let of_entry = layout.entries.iter().zip(&layout.boxes);
        let flat = of_entry.flat_map(|(entry, boxes)| entry.statements.iter().zip(boxes));
        for (bit, (conditions, used)) in flat.enumerate() {
            let (word, mask) = (bit / 64, 1_u64 << (bit % 64));
            for (place, cells) in used {
                let column = &mut columns[*place];
                for cell in (0..column.axis.cells()).filter(|cell| !cells.has(*cell)) {
                    column.rows[cell * words + word] &= !mask;
                }
                let key = &column.axis.key;
                if conditions.iter().any(|condition| condition.key == *key && refuses(condition)) {
                    column.refusing[word] |= mask;
                }
            }
        }
        Self { words, columns, all, statements }
    }

    /// Hands the entries that hold for the order to `ask`, in order, until one answers. Returns the answer and the
    /// keys that the order lacks and for want of which an earlier statement did not hold.
    pub(super) fn first<T>(
        &self,
        request: &RouteRequest<'_>,
        mut ask: impl FnMut(usize) -> Option<T>,
    ) -> (Option<T>, u64) {
        let stand = self.stand(request);
        let (mut lacking, mut asked) = (0, None);
        // Word by word: most orders are decided by one of the first statements, and nothing is kept of the others.
        for word in 0..self.words {
            let wanted = stand.known.iter().fold(self.all[word], |held, row| held & row[word]);
            let wanted = stand.many.map_or(wanted, |column| wanted & self.many(column, request, word));
            let holding = stand.lacking.iter().fold(wanted, |held, row| held & row[word]);
            let short = wanted & !holding;
            for bit in ones(holding) {
                let entry = self.statements[word * 64 + bit].0;
                if asked.replace(entry) == Some(entry) {
                    continue;
                }
                if let Some(answer) = ask(entry as usize) {
                    let earlier = short & ((1 << bit) - 1);
                    return (Some(answer), lacking | self.keys(word, earlier) & stand.missing);
                }
            }
            lacking |= self.keys(word, short) & stand.missing;
        }
        (None, lacking)
    }

    /// Where the order stands on every key.
    fn stand<'a>(&'a self, request: &RouteRequest<'_>) -> Stand<'a> {
        let mut stand = Stand::default();
        for (place, column) in self.columns.iter().enumerate() {
            match column.axis.locate(request) {
                Place::Cell(cell) => stand.known.push(self.row(column, cell)),
                Place::Missing => {
                    stand.missing |= 1 << place;
                    stand.lacking.push(self.row(column, column.axis.missing()));
                }
                // Only merchants are several.
                Place::Many => stand.many = Some(column),
            }
        }
        stand
    }

    fn row<'a>(&self, column: &'a Column, cell: usize) -> &'a [u64] {
        &column.rows[cell * self.words..(cell + 1) * self.words]
    }

    /// One word of the statements that an order with several values passes.
    fn many(&self, column: &Column, request: &RouteRequest<'_>, word: usize) -> u64 {
        let (mut any, mut every) = (0, self.all[word]);
        for cell in column.axis.locate_many(request) {
            let row = self.row(column, cell)[word];
            any |= row;
            every &= row;
        }
        let refusing = column.refusing[word];
        (any & !refusing) | (every & refusing)
    }

    /// The keys that these statements of a word use.
    fn keys(&self, word: usize, statements: u64) -> u64 {
        ones(statements).fold(0, |keys, bit| keys | self.statements[word * 64 + bit].1)
    }
}

/// Where an order stands: the statements that pass by each key that it has, and by the lack of each that it lacks.
#[derive(Default)]
struct Stand<'a> {
    known: SmallVec<[&'a [u64]; 16]>,
    lacking: SmallVec<[&'a [u64]; 16]>,
    /// The keys that it lacks.
    missing: u64,
    /// The key of which it has several values.
    many: Option<&'a Column>,
}

fn ones(mut left: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (left != 0).then(|| {
            let bit = left.trailing_zeros() as usize;
            left &= left - 1;
            bit
        })
    })
}
