//! Seeded draws. A draw is a hash of what it is about, so it does not depend on who asked first.

/// Finalizer of splitmix64 (Steele, Lea, Flood 2014): each input bit flips each output bit with probability ½.
const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The source of all draws about one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws(u64);

impl Draws {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

    /// Draws of a run with this seed.
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed.wrapping_add(Self::GOLDEN)))
    }

    /// Draws about a narrower subject.
    pub const fn about(self, subject: u64) -> Self {
        Self(mix(self.0.wrapping_add(subject.wrapping_mul(Self::GOLDEN)).wrapping_add(Self::GOLDEN)))
    }

    /// 64 random bits for one question.
    pub const fn bits(self, question: u64) -> u64 {
        self.about(question).0
    }

    /// A whole number below `bound`, for one question.
    pub const fn below(self, question: u64, bound: u32) -> u32 {
        // The high half times the bound, shifted back: even up to 2^-32, without a division.
        (((self.bits(question) >> 32) * bound as u64) >> 32) as u32
    }

    /// A number in (0, 1), for one question.
    pub const fn unit(self, question: u64) -> f64 {
        /// 2^-53: the 53 high bits fill a double exactly.
        const STEP: f64 = 1.110_223_024_625_156_5e-16;
        ((self.bits(question) >> 11) as f64 + 0.5) * STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_repeatable() {
        let draws = Draws::new(7).about(3);
        assert_eq!(draws.bits(1), Draws::new(7).about(3).bits(1));
        assert_ne!(draws.bits(1), draws.bits(2));
        assert_ne!(draws.bits(1), Draws::new(8).about(3).bits(1));
        let mut seen = [0_u32; 10];
        for subject in 0..100_000 {
            let slot = draws.about(subject).below(5, 10);
            seen[slot as usize] += 1;
        }
        assert!(seen.iter().all(|count| (9_500..10_500).contains(count)), "{seen:?}");
        let mean: f64 = (0..100_000).map(|question| draws.unit(question)).sum::<f64>() / 100_000.0;
        assert!((0.49..0.51).contains(&mean), "{mean}");
    }
}
