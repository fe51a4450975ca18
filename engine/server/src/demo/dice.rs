//! Repeatable chance: a number follows from seed, subject and how many were drawn before.

/// A stream of draws.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The stream of one subject in a run with `seed`.
    #[must_use]
    pub const fn new(seed: u64, subject: u64) -> Self {
        Self(mix(seed ^ mix(subject.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    /// The next number below `bound`, which must not be zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0) % bound
    }

    /// The next number from `from` up to and including `until`.
    pub const fn between(&mut self, from: u64, until: u64) -> u64 {
        from + self.below(until - from + 1)
    }

    /// Whether something of this probability happens.
    pub const fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`, each as likely as its weight says.
    ///
    /// # Panics
    /// When there is no choice: a bug of the caller.
    pub fn weighted<T: Copy>(&mut self, choices: &[(u64, T)]) -> T {
        let mut left = self.below(choices.iter().map(|(weight, _)| weight).sum());
        for (weight, choice) in choices {
            if left < *weight {
                return *choice;
            }
            left -= weight;
        }
        unreachable!("a draw below the sum of the weights falls on one of them")
    }
}

/// SplitMix64, Steele, Lea and Flood 2014.
const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn draws_repeat_and_keep_to_their_bounds() {
        let draw = |seed, subject| -> Vec<u64> {
            let mut dice = Dice::new(seed, subject);
            (0..1_000).map(|_| dice.between(3, 12)).collect()
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
        assert!((3..=12).all(|number| draw(1, 2).contains(&number)));
        assert!(draw(1, 2).iter().all(|number| (3..=12).contains(number)));
    }

    #[test]
    fn weights_count() {
        let mut dice = Dice::new(1, 1);
        let heads = (0..10_000).filter(|_| dice.weighted(&[(3, true), (1, false)])).count();
        assert!((7_200..7_800).contains(&heads), "{heads}");
    }
}
