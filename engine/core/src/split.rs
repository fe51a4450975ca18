//! Dividing money: the parts always equal the whole.

use smallvec::SmallVec;
use suanpan_model::order::{Share, SplitRule};
use suanpan_model::{Amount, Order};

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
    let exact = |weight: u64| u128::from(total.minor()) * u128::from(weight);
    let mut parts: SmallVec<[Amount; 4]> =
        weights.iter().map(|weight| narrow(exact(*weight) / sum)).collect();
    let given: u64 = parts.iter().map(|part| part.minor()).sum();
    let mut by_remainder: SmallVec<[usize; 8]> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|index| std::cmp::Reverse(exact(weights[*index]) % sum));
    let missing =
        usize::try_from(total.minor() - given).expect("fewer cents are missing than there are parts");
    for index in by_remainder.into_iter().take(missing) {
        parts[index] = parts[index].plus(Amount::from_minor(1));
    }
    parts
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

/// Who gets what of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares {
    /// For each sub-order, what its merchant gets.
    pub merchants: SmallVec<[Amount; 4]>,
    /// For each split rule, what its receiver gets.
    pub receivers: SmallVec<[Amount; 4]>,
    /// For each split rule, the part of that which counts towards a fixed sum.
    pub fixed: SmallVec<[Amount; 2]>,
    /// Channel fee taken from the merchants.
    pub fee: Amount,
}

/// Divides a release of `amounts` (one per sub-order) of `order`, from which `fee_due` is to be taken.
///
/// Percent receivers get their share of what is released, by largest remainder against the merchants' remainder;
/// fixed sums come from the first releases; merchants bear the deductions in proportion to what is released of
/// their sub-order. Source: domain.md, Commission splits.
#[must_use]
pub fn shares(order: &Order, amounts: &[Amount], fee_due: Amount) -> Shares {
    let total = sum(amounts);
    let rules = &order.terms.splits;
    let mut receivers = percent_parts(total, rules);
    let mut left = total.minus(sum(&receivers));
    let mut fixed: SmallVec<[Amount; 2]> = SmallVec::new();
    for (index, rule) in rules.iter().enumerate() {
        let part = match rule.share {
            Share::Bps(_) => Amount::ZERO,
            Share::Fixed(whole) => {
                let given = order.fixed_given.get(index).copied().unwrap_or(Amount::ZERO);
                whole.minus(given).min(left)
            }
        };
        left = left.minus(part);
        receivers[index] = receivers[index].plus(part);
        fixed.push(part);
    }
    let fee = fee_due.min(left);
    let deductions = allocate(total.minus(left).plus(fee), &weights(amounts));
    let merchants = amounts.iter().zip(&deductions).map(|(amount, part)| amount.minus(*part)).collect();
    Shares { merchants, receivers, fixed, fee }
}

fn percent_parts(total: Amount, rules: &[SplitRule]) -> SmallVec<[Amount; 4]> {
    if rules.is_empty() {
        return SmallVec::new();
    }
    let mut weights: SmallVec<[u64; 8]> = rules
        .iter()
        .map(|rule| match rule.share {
            Share::Bps(bps) => u64::from(bps),
            Share::Fixed(_) => 0,
        })
        .collect();
    let taken: u64 = weights.iter().sum();
    weights.push(10_000 - taken);
    let mut parts = allocate(total, &weights);
    parts.pop();
    parts
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

    proptest! {
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
