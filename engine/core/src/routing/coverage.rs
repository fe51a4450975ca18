//! Which orders statements hold for, as boxes: for each key the cells that they allow.

use smol_str::SmolStr;

use super::axis::Axis;
use super::book::{Boxed, CellSet};

/// Most pieces into which orders are cut before a question is given up.
const PIECES_MAX: usize = 250;
/// Gaps that are told.
const GAPS_TOLD: usize = 3;

/// How the statements of an earlier rule lie to those of a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meets {
    /// The earlier holds whenever the later does.
    Covers,
    /// The later holds whenever the earlier does: an exception before the rule.
    Inside,
    /// Some orders meet both.
    Overlaps,
    /// No order meets both.
    Apart,
}

/// Whether `both` holds on every axis that both boxes use. Boxes name their axes in ascending order.
fn on_common_axes(one: &Boxed, other: &Boxed, both: impl Fn(&CellSet, &CellSet) -> bool) -> bool {
    let mut others = other.iter().peekable();
    one.iter().all(|(axis, cells)| {
        while others.next_if(|(place, _)| place < axis).is_some() {}
        others.peek().filter(|(place, _)| place == axis).is_none_or(|(_, also)| both(cells, also))
    })
}

/// Whether `outer` holds whenever `inner` does.
fn contains(outer: &Boxed, inner: &Boxed) -> bool {
    let uses = |axis: usize| inner.iter().any(|(place, _)| *place == axis);
    outer.iter().all(|(axis, _)| uses(*axis))
        && on_common_axes(outer, inner, |allowed, narrow| narrow.is_within(allowed))
}

fn intersects(one: &Boxed, other: &Boxed) -> bool {
    on_common_axes(one, other, CellSet::meets)
}

/// How two rules lie to each other.
pub(super) fn meets(earlier: &[Boxed], later: &[Boxed]) -> Meets {
    let covered = |inner: &[Boxed], outer: &[Boxed]| {
        inner.iter().all(|inner| outer.iter().any(|outer| contains(outer, inner)))
    };
    if !earlier.iter().any(|one| later.iter().any(|other| intersects(one, other))) {
        Meets::Apart
    } else if covered(later, earlier) {
        Meets::Covers
    } else if covered(earlier, later) {
        Meets::Inside
    } else {
        Meets::Overlaps
    }
}

/// What is left of `from` without `what`, cut into boxes.
fn subtract(axes: &[Axis], from: Boxed, what: &Boxed, into: &mut Vec<Boxed>) {
    if !intersects(&from, what) {
        into.push(from);
        return;
    }
    let mut rest = from;
    for (axis, taken) in what {
        let all = || CellSet::new(axes[*axis].cells(), |cell| axes[*axis].is_possible(cell));
        let known = rest.iter().position(|(place, _)| place == axis);
        let allowed = known.map_or_else(all, |place| rest[place].1.clone());
        let outside = allowed.without(taken);
        let place = known.unwrap_or_else(|| {
            let place = rest.partition_point(|(place, _)| place < axis);
            rest.insert(place, (*axis, allowed.clone()));
            place
        });
        if !outside.is_empty() {
            let mut piece = rest.clone();
            piece[place].1 = outside;
            into.push(piece);
        }
        rest[place].1 = allowed.and(taken);
    }
}

/// What is left of `from` without all of `taken`; nothing when that takes too many pieces.
fn remainder(axes: &[Axis], from: Vec<Boxed>, taken: &[&Boxed]) -> Option<Vec<Boxed>> {
    let mut left = from;
    for what in taken {
        let mut next = Vec::with_capacity(left.len());
        for piece in left {
            subtract(axes, piece, what, &mut next);
        }
        if next.len() > PIECES_MAX {
            return None;
        }
        left = next;
    }
    Some(left)
}

/// The rule that completes the cover of `statements` by earlier ones, if they are covered together.
pub(super) fn covered_by(axes: &[Axis], statements: &[Boxed], earlier: &[(usize, &Boxed)]) -> Option<usize> {
    let touching = |(_, used): &&(usize, &Boxed)| statements.iter().any(|one| intersects(one, used));
    let earlier: Vec<&(usize, &Boxed)> = earlier.iter().filter(touching).collect();
    let taken: Vec<&Boxed> = earlier.iter().map(|(_, used)| *used).collect();
    if statements.is_empty() || taken.is_empty() {
        return None;
    }
    let left = remainder(axes, statements.to_vec(), &taken)?;
    left.is_empty().then(|| earlier[earlier.len() - 1].0)
}

/// Some of the orders for which none of `statements` holds, in words.
pub(super) fn gaps(axes: &[Axis], statements: &[&Boxed]) -> Vec<SmolStr> {
    let Some(left) = remainder(axes, vec![Boxed::new()], statements) else { return Vec::new() };
    let more = left.len().saturating_sub(GAPS_TOLD);
    let mut told: Vec<SmolStr> = left.iter().take(GAPS_TOLD).map(|piece| words(axes, piece)).collect();
    if more > 0
        && let Some(last) = told.last_mut()
    {
        *last = smol_str::format_smolstr!("{last}, and {more} more sets of orders");
    }
    told
}

/// A box in words: `orders with amount 0 to 100 and bank any other`.
fn words(axes: &[Axis], piece: &Boxed) -> SmolStr {
    let told = piece.iter().map(|(place, allowed)| {
        let axis = &axes[*place];
        let mut parts: Vec<String> = Vec::new();
        let mut cells = allowed.cells().filter(|cell| *cell < axis.cells()).peekable();
        while let Some(cell) = cells.next() {
            let Some((from, mut until)) = axis.interval(cell) else {
                parts.push(axis.words(cell).into());
                continue;
            };
            while let Some(next) = cells.peek().and_then(|next| axis.interval(*next))
                && Some(next.0) == until
            {
                until = next.1;
                cells.next();
            }
            parts.push(match until {
                Some(until) => format!("{from} up to {until}"),
                None => format!("{from} and above"),
            });
        }
        format!("{} {}", axis.key, parts.join(" or "))
    });
    match told.collect::<Vec<_>>() {
        parts if parts.is_empty() => SmolStr::new_static("any order"),
        parts => smol_str::format_smolstr!("orders with {}", parts.join(" and ")),
    }
}
