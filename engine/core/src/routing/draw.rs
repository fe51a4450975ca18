//! Draws that follow from the order alone: the same order draws the same number whenever it is asked.

/// A number that looks random and follows from seed, purpose and order alone.
pub(super) fn draw(seed: u64, purpose: u64, order_key: u128) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "both halves are mixed in")]
    let (low, high) = (order_key as u64, (order_key >> 64) as u64);
    mix(mix(mix(seed ^ purpose.rotate_left(32)) ^ low) ^ high)
}

/// Another draw after `drawn`.
pub(super) fn again(drawn: u64) -> u64 {
    mix(drawn)
}

/// A number for a text, to tell purposes apart (FNV-1a).
pub(super) fn purpose(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finalizer of SplitMix64: every bit of the input reaches every bit of the output.
const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_differ_by_seed_and_purpose() {
        let mut hits = [0_u32; 10];
        for order in 0..100_000_u128 {
            hits[usize::try_from(draw(1, purpose("a"), order) % 10).unwrap()] += 1;
        }
        assert!(hits.iter().all(|hits| (9_500..10_500).contains(hits)), "{hits:?}");
        assert_ne!(draw(1, purpose("a"), 7), draw(2, purpose("a"), 7));
        assert_ne!(draw(1, purpose("a"), 7), draw(1, purpose("b"), 7));
    }
}
