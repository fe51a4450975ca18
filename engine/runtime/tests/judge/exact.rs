//! Exact arithmetic and dice: all that the model needs of mathematics.

use suanpan_model::Amount;

/// Minor units, signed and wide.
pub type Cents = i128;

pub fn amount(cents: Cents) -> Amount {
    Amount::from_minor(u64::try_from(cents).expect("an amount is never negative"))
}

/// `whole` in proportion to `weights` by largest remainder, ties in declared order.
pub fn largest_remainder(whole: Cents, weights: &[Cents]) -> Vec<Cents> {
    let total: Cents = weights.iter().sum();
    if total == 0 {
        assert_eq!(whole, 0, "something to divide and nobody to have it");
        return vec![0; weights.len()];
    }
    let mut parts: Vec<Cents> = weights.iter().map(|weight| whole * weight / total).collect();
    let mut places: Vec<usize> = (0..weights.len()).collect();
    places.sort_by_key(|place| std::cmp::Reverse(whole * weights[*place] % total));
    let left = whole - parts.iter().sum::<Cents>();
    for place in places.into_iter().take(usize::try_from(left).expect("fewer cents than places")) {
        parts[place] += 1;
    }
    parts
}

/// Whether `part` is less than `slack` cents away from `of × numerator / denominator`.
pub fn is_near(part: Cents, of: Cents, numerator: Cents, denominator: Cents, slack: Cents) -> bool {
    if denominator == 0 {
        return part == 0;
    }
    (part * denominator - of * numerator).abs() < slack * denominator
}

/// Splitmix64 (Steele, Lea, Flood 2014).
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: Cents, high: Cents) -> Cents {
        assert!(low <= high, "an empty range");
        low + Cents::from(self.bits()) % (high - low + 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.between(0, bound as Cents - 1)).expect("below a bound")
    }

    pub fn percent(&mut self, percent: Cents) -> bool {
        self.between(1, 100) <= percent
    }

    pub fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }

    /// Mostly awkward sums: one cent, primes, round ones, large ones.
    pub fn sum(&mut self, most: Cents) -> Cents {
        let drawn = match self.below(6) {
            0 => self.between(1, 12),
            1 => self.pick(&[1, 2, 3, 7, 97, 101, 9_973, 10_007]),
            2 => self.pick(&[100, 3_333, 10_000]),
            _ => self.between(1, 60_000),
        };
        drawn.min(most)
    }
}
