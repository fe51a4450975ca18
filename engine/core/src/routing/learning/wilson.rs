//! The lower bound of Wilson's confidence interval, in integers.

/// How often something succeeds at the least, in parts per million, when `good` of `all` results were good: the lower
/// end of the 95 % interval (z = 1.96), rounded down. Nothing without results.
///
/// E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference (1927).
#[must_use]
pub fn lower_bound_ppm(good: u32, all: u32) -> Option<u32> {
    match all {
        0 => None,
        // 128-bit divisions and roots cost ten times as much, and windows are small.
        1..=1_000 => narrow(u64::from(good.min(all)), u64::from(all)).try_into().ok(),
        _ => wide(u128::from(good.min(all)), u128::from(all)).try_into().ok(),
    }
}

macro_rules! lower_bound {
    ($name:ident, $number:ty) => {
        fn $name(good: $number, all: $number) -> $number {
            /// z and its square, in parts of a thousand and a million.
            const Z: $number = 1_960;
            const Z2: $number = Z * Z;
            const MILLION: $number = 1_000_000;
            // (2k + z² − z·√(z² + 4k(n−k)/n)) / 2(n + z²), with everything times a million.
            let centre = 2 * good * MILLION + Z2;
            let under_root = Z2 * MILLION + 4 * good * (all - good) * MILLION * MILLION / all;
            let spread = Z * under_root.isqrt() / 1_000;
            centre.saturating_sub(spread) * MILLION / (2 * (all * MILLION + Z2))
        }
    };
}

lower_bound!(narrow, u64);
lower_bound!(wide, u128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_widths_say_the_same() {
        for all in 1..=1_000_u64 {
            for good in (0..=all).step_by(7).chain([all]) {
                assert_eq!(u128::from(narrow(good, all)), wide(good.into(), all.into()), "{good} of {all}");
            }
        }
    }
}
