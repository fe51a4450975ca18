//! Dividing money: the parts always equal the whole.

use smallvec::SmallVec;
use suanpan_model::{Amount, Share, SplitRule};

/// Divides `total` in proportion to `weights` by largest remainder; ties go to the earlier weight.
///
/// The parts add up to `total` exactly. When all weights are zero the first part takes everything.
///
/// # Panics
/// When there are no weights: a bug of the caller.
#[must_use]
pub fn allocate(total: Amount, weights: &[u64]) -> SmallVec<[Amount; 4]> {
    assert!(!weights.is_empty(), "nothing to divide among");
    let sum: u128 = weights.iter().copied().map(u128::from).sum();
    if weights.len() == 1 || sum == 0 {
        let mut parts: SmallVec<[Amount; 4]> = SmallVec::from_elem(Amount::ZERO, weights.len());
        parts[0] = total;
        return parts;
    }
    let mut parts: SmallVec<[Amount; 4]> = SmallVec::with_capacity(weights.len());
    let mut remainders: SmallVec<[u128; 8]> = SmallVec::with_capacity(weights.len());
    for weight in weights {
        let (part, remainder) = divided(total.minor(), *weight, sum);
        parts.push(part);
        remainders.push(remainder);
    }
    let given: u64 = parts.iter().map(|part| part.minor()).sum();
    let missing =
        usize::try_from(total.minor() - given).expect("fewer cents are missing than there are parts");
    if missing > 0 {
        let mut by_remainder: SmallVec<[usize; 8]> = (0..weights.len()).collect();
        by_remainder.sort_by_key(|index| std::cmp::Reverse(remainders[*index]));
        for index in by_remainder.into_iter().take(missing) {
            parts[index] = parts[index].plus(Amount::from_minor(1));
        }
    }
    parts
}

/// `total × weight / sum`, rounded down, and what the division leaves.
fn divided(total: u64, weight: u64, sum: u128) -> (Amount, u128) {
    // Most numbers are small, and a division of 128 bits costs several times as much.
    if let (Some(exact), Ok(sum)) = (total.checked_mul(weight), u64::try_from(sum)) {
        return (Amount::from_minor(exact / sum), u128::from(exact % sum));
    }
    let exact = u128::from(total) * u128::from(weight);
    (narrow(exact / sum), exact % sum)
}

/// `amount × numerator / denominator`, rounded down.
///
/// # Panics
/// When the result exceeds `u64`, or the denominator is zero: a bug of the caller.
#[must_use]
pub fn proportion(amount: Amount, numerator: Amount, denominator: Amount) -> Amount {
    narrow(u128::from(amount.minor()) * u128::from(numerator.minor()) / u128::from(denominator.minor()))
}

fn narrow(value: u128) -> Amount {
    Amount::from_minor(u64::try_from(value).expect("a part is no larger than the whole"))
}

/// Brings what parties were given up to a new total: what each gets now.
///
/// `shares` are what each gets when the whole is given, `given` what each got so far, `upto` the new total. The
/// target of each is its part of `upto` in proportion to its share, by largest remainder; what it gets is the target
/// less what it got. Nobody is ever asked to give back, nobody gets more than its share, and when `upto` is the whole
/// everybody has exactly its share, whatever the steps were. Source: peers.md, Split (cumulative target less what was
/// done already).
///
/// # Panics
/// When `given` is above `upto` or above a share, or `upto` is above the whole: bugs of the caller.
#[must_use]
pub fn advance(shares: &[Amount], given: &[Amount], upto: Amount) -> SmallVec<[Amount; 4]> {
    let room = |place: usize| shares[place].minus(given[place]);
    if shares.is_empty() {
        return SmallVec::new();
    }
    let targets = allocate(upto, &weights(shares));
    let mut more: SmallVec<[Amount; 4]> = SmallVec::with_capacity(shares.len());
    for (place, target) in targets.iter().enumerate() {
        let wanted = target.checked_sub(given[place]).unwrap_or(Amount::ZERO);
        more.push(wanted.min(room(place)));
    }
    // Rounding may have been kinder to one of them before: a cent here or there, in declared order.
    let wanted = upto.minus(sum(given));
    let mut surplus = sum(&more).checked_sub(wanted).unwrap_or(Amount::ZERO);
    for one in more.iter_mut().rev() {
        let less = surplus.min(*one);
        *one = one.minus(less);
        surplus = surplus.minus(less);
    }
    let mut missing = wanted.minus(sum(&more));
    for (place, one) in more.iter_mut().enumerate() {
        let extra = missing.min(room(place).minus(*one));
        *one = one.plus(extra);
        missing = missing.minus(extra);
    }
    assert!(missing.is_zero(), "shares add up to the whole");
    more
}

/// Fills a table row by row whose rows and columns add up to the given sums, in proportion; both must have the same
/// total.
///
/// # Panics
/// When the totals differ: a bug of the caller.
#[must_use]
pub fn table(rows: &[Amount], columns: &[Amount]) -> SmallVec<[Amount; 8]> {
    if rows.len() == 1 {
        return columns.iter().copied().collect();
    }
    let mut cells: SmallVec<[Amount; 8]> = SmallVec::from_elem(Amount::ZERO, rows.len() * columns.len());
    let mut filled: SmallVec<[Amount; 8]> = SmallVec::from_elem(Amount::ZERO, rows.len());
    let mut upto = Amount::ZERO;
    for (column, whole) in columns.iter().enumerate() {
        upto = upto.plus(*whole);
        for (row, more) in advance(rows, &filled, upto).into_iter().enumerate() {
            cells[row * columns.len() + column] = more;
            filled[row] = filled[row].plus(more);
        }
    }
    cells
}

/// What each rule takes of `total`, to the cent; `None` when the rules of one level take more than there is.
///
/// On each level percentages come by largest remainder against what is left, ties to the earlier; fixed sums come out
/// of what is left, and a remainder takes the rest. A rule within another divides that one's part. Source:
/// domain.md, Commission splits.
#[must_use]
pub fn divide(total: Amount, rules: &[SplitRule]) -> Option<SmallVec<[Amount; 4]>> {
    let mut parts: SmallVec<[Amount; 4]> = SmallVec::from_elem(Amount::ZERO, rules.len());
    divide_level(total, rules, None, &mut parts)?;
    for place in 0..rules.len() {
        let within = u8::try_from(place).ok()?;
        if rules.iter().any(|rule| rule.within == Some(within)) {
            parts[place] = divide_level(parts[place], rules, Some(within), &mut parts)?;
        }
    }
    Some(parts)
}

/// Divides `total` among the rules of one level; returns what they leave.
fn divide_level(
    total: Amount,
    rules: &[SplitRule],
    within: Option<u8>,
    parts: &mut [Amount],
) -> Option<Amount> {
    let mut weights: SmallVec<[u64; 8]> = SmallVec::with_capacity(rules.len() + 1);
    let mut left_bps: u64 = 10_000;
    for rule in rules {
        let bps = if rule.within == within { u64::from(bps_of(&rule.share, total)) } else { 0 };
        left_bps = left_bps.checked_sub(bps)?;
        weights.push(bps);
    }
    weights.push(left_bps);
    let shares = allocate(total, &weights);
    let mut left = shares[rules.len()];
    let mut remainder = None;
    for (place, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.within == within) {
        match rule.share {
            Share::Bps(_) | Share::Tiered(_) => parts[place] = shares[place],
            Share::Fixed(amount) => {
                left = left.checked_sub(amount)?;
                parts[place] = amount;
            }
            Share::Remainder => remainder = Some(place),
        }
    }
    if let Some(place) = remainder {
        parts[place] = std::mem::take(&mut left);
    }
    Some(left)
}

/// The basis points of `total` that a share stands for; none for what is no percentage.
#[must_use]
pub fn bps_of(share: &Share, total: Amount) -> u32 {
    match share {
        Share::Bps(bps) => *bps,
        Share::Tiered(tiers) => tiers.iter().rev().find(|tier| tier.from <= total).map_or(0, |tier| tier.bps),
        Share::Fixed(_) | Share::Remainder => 0,
    }
}

fn weights(amounts: &[Amount]) -> SmallVec<[u64; 8]> {
    amounts.iter().map(|amount| amount.minor()).collect()
}

/// The sum of amounts that an earlier check has bounded.
///
/// # Panics
/// On overflow: a bug.
#[must_use]
pub fn sum(amounts: &[Amount]) -> Amount {
    amounts.iter().fold(Amount::ZERO, |sum, amount| sum.plus(*amount))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn minor(parts: &[Amount]) -> Vec<u64> {
        parts.iter().map(|part| part.minor()).collect()
    }

    #[test]
    fn largest_remainder_by_hand() {
        // 0.01 among three equals: every remainder ties, the first declared gets it.
        assert_eq!(minor(&allocate(Amount::from_minor(1), &[1, 1, 1])), [1, 0, 0]);
        // 1.00 three ways at 33.33 %: 33.33 each, remainders tie but for the rest's .01.
        assert_eq!(minor(&allocate(Amount::from_minor(100), &[3333, 3333, 3333, 1])), [34, 33, 33, 0]);
        // 10.01 at 1:2:4 = 143.0, 286.0, 572.0 exactly.
        assert_eq!(minor(&allocate(Amount::from_minor(1001), &[1, 2, 4])), [143, 286, 572]);
        // 0.10 at 1:2:4 = 1.43, 2.86, 5.71: one short of floors 1+2+5=8, so .86 and .71 get one.
        assert_eq!(minor(&allocate(Amount::from_minor(10), &[1, 2, 4])), [1, 3, 6]);
        assert_eq!(minor(&allocate(Amount::from_minor(7), &[0, 0])), [7, 0]);
    }

    fn amounts(minor: &[u64]) -> Vec<Amount> {
        minor.iter().copied().map(Amount::from_minor).collect()
    }

    #[test]
    fn steps_by_hand() {
        let step = |shares: &[u64], given: &[u64], upto| {
            minor(&advance(&amounts(shares), &amounts(given), Amount::from_minor(upto)))
        };
        // 10 % of 100.00 in thirds of 33.33: targets 3.333, 6.666, 10.00 of the commission.
        assert_eq!(step(&[1_000, 9_000], &[0, 0], 3_333), [333, 3_000]);
        assert_eq!(step(&[1_000, 9_000], &[333, 3_000], 6_666), [334, 2_999]);
        assert_eq!(step(&[1_000, 9_000], &[667, 5_999], 10_000), [333, 3_001]);
        // One cent: 0.1 against 0.9; the last of ten cents is the small one's.
        assert_eq!(step(&[1, 9], &[0, 0], 1), [0, 1]);
        assert_eq!(step(&[1, 9], &[0, 9], 10), [1, 0]);
        // Thirds of 0.05: targets of 3 are 1, 1, 1, of 4 they are 2 (tie, first), 1, 1.
        assert_eq!(step(&[2, 2, 1], &[0, 0, 0], 3), [1, 1, 1]);
        assert_eq!(step(&[2, 2, 1], &[1, 1, 1], 5), [1, 1, 0]);
    }

    #[test]
    fn levels_by_hand() {
        let account =
            |number| suanpan_model::AccountId::opened(suanpan_model::AccountType::Commission, number, 0);
        let rule = |number, share, within| SplitRule { receiver: account(number), share, within };
        let parts =
            |total, rules: &[SplitRule]| divide(Amount::from_minor(total), rules).map(|parts| minor(&parts));
        // Platform 5 %, agent 10 %, of the agent's part a quarter to the sub-agent. Of 99.99: 4.9995 and 9.999, floors
        // 4.99 + 9.99, rest 84.9915: of two missing cents the larger remainders .95 and .90 get one each: 5.00, 10.00.
        // A quarter of 10.00 is 2.50.
        let levels = [
            rule(1, Share::Bps(500), None),
            rule(2, Share::Bps(1_000), None),
            rule(3, Share::Bps(2_500), Some(1)),
        ];
        assert_eq!(parts(9_999, &levels), Some(vec![500, 750, 250]));
        // Fixed 0.30 and the rest of it to another: nothing is left for the merchant.
        let rest = [rule(1, Share::Fixed(Amount::from_minor(30)), None), rule(2, Share::Remainder, None)];
        assert_eq!(parts(101, &rest), Some(vec![30, 71]));
        assert_eq!(parts(29, &rest), None);
        // Tiers: 1 % from 0, 2 % from 100.00.
        let tier = |from, bps| suanpan_model::Tier { from: Amount::from_minor(from), bps };
        let tiers = [rule(1, Share::Tiered(Box::new([tier(0, 100), tier(10_000, 200)])), None)];
        assert_eq!(parts(9_999, &tiers), Some(vec![100]));
        assert_eq!(parts(10_000, &tiers), Some(vec![200]));
        // 33.33 % three ways of 1.00 leaves a cent's hundredth: the first gets the missing cent.
        let thirds = [1, 2, 3].map(|number| rule(number, Share::Bps(3_333), None));
        assert_eq!(parts(100, &thirds), Some(vec![34, 33, 33]));
        assert_eq!(parts(1, &thirds), Some(vec![1, 0, 0]));
        assert_eq!(parts(1, &[rule(1, Share::Bps(10_001), None)]), None);
    }

    proptest! {
        #[test]
        fn steps_close_to_the_cent(
            shares in prop::collection::vec(0_u64..5_000, 1..12),
            steps in prop::collection::vec(0_u64..3_000, 1..30),
        ) {
            let whole: u64 = shares.iter().sum();
            let (shares, mut given) = (amounts(&shares), vec![Amount::ZERO; shares.len()]);
            let mut upto = 0;
            for step in steps.into_iter().chain([whole]) {
                upto = (upto + step).min(whole);
                let more = advance(&shares, &given, Amount::from_minor(upto));
                for (place, one) in more.into_iter().enumerate() {
                    given[place] = given[place].plus(one);
                    prop_assert!(given[place] <= shares[place]);
                    // Never more than a cent a party away from the exact proportion.
                    let exact = u128::from(shares[place].minor()) * u128::from(upto);
                    let off = (u128::from(given[place].minor()) * u128::from(whole)).abs_diff(exact);
                    prop_assert!(off <= u128::from(whole) * shares.len() as u128);
                }
                prop_assert_eq!(sum(&given).minor(), upto);
            }
            prop_assert_eq!(given, shares);
        }

        #[test]
        fn tables_add_up_both_ways(
            rows in prop::collection::vec(0_u64..10_000, 1..8),
            weights in prop::collection::vec(0_u64..100, 1..8),
        ) {
            let rows = amounts(&rows);
            let columns = allocate(sum(&rows), &weights);
            let cells = table(&rows, &columns);
            for (row, whole) in cells.chunks(columns.len()).zip(&rows) {
                prop_assert_eq!(sum(row), *whole);
            }
            for (column, whole) in columns.iter().enumerate() {
                let cells: Vec<Amount> = cells.iter().skip(column).step_by(columns.len()).copied().collect();
                prop_assert_eq!(sum(&cells), *whole);
            }
        }

        #[test]
        fn parts_equal_the_whole(total in 0_u64..1_000_000_000_000, weights in prop::collection::vec(0_u64..100_000, 1..60)) {
            let parts = allocate(Amount::from_minor(total), &weights);
            prop_assert_eq!(parts.iter().map(|part| u128::from(part.minor())).sum::<u128>(), u128::from(total));
            let sum: u128 = weights.iter().copied().map(u128::from).sum();
            for (part, weight) in parts.iter().zip(&weights) {
                let exact = u128::from(total) * u128::from(*weight);
                let part = u128::from(part.minor());
                let within_a_cent = part * sum < exact + sum && exact < (part + 1) * sum;
                prop_assert!(sum == 0 || within_a_cent, "{part} of {exact} / {sum}");
            }
        }
    }
}
