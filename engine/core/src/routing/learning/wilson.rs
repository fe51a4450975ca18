//! The lower bound of Wilson's confidence interval, in integers.

/// How often something succeeds at the least, in parts per million, when `good` of `all` results were good: the lower
/// end of the 95 % interval (z = 1.96), rounded down. Nothing without results.
///
/// E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference (1927).
#[must_use]
pub fn lower_bound_ppm(good: u32, all: u32) -> Option<u32> {
    /// z and its square, in parts of a thousand and a million.
    const Z: u128 = 1_960;
    const Z2: u128 = Z * Z;
    const MILLION: u128 = 1_000_000;
    if all == 0 {
        return None;
    }
    let (good, all) = (u128::from(good.min(all)), u128::from(all));
    // (2k + z² − z·√(z² + 4k(n−k)/n)) / 2(n + z²), with everything times a million.
    let centre = 2 * good * MILLION + Z2;
    let under_root = Z2 * MILLION + 4 * good * (all - good) * MILLION * MILLION / all;
    let spread = Z * under_root.isqrt() / 1_000;
    let bound = centre.saturating_sub(spread) * MILLION / (2 * (all * MILLION + Z2));
    u32::try_from(bound).ok()
}
