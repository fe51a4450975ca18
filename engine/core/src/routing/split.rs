//! Volume split by weights: which share an order falls into follows from the order alone.

use super::channels::ChannelSet;
use super::draw::again;

/// Shares of something, with the channels of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Split<T> {
    shares: Vec<(T, u32)>,
    total: u32,
}

/// A share that was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share<'a, T> {
    pub of: &'a T,
    /// The number that was drawn, and below which number.
    pub drawn: (u32, u32),
}

impl<T> Split<T> {
    /// Shares whose weights [`super::check`] has found in order.
    pub(super) fn new(shares: Vec<(T, u32)>) -> Self {
        let total = shares.iter().map(|(_, weight)| *weight).sum();
        Self { shares, total }
    }

    /// The share of the order that drew `number`, among those with a capable channel. It is the one that the number
    /// falls into while that has one; an order that must go elsewhere leaves every other order where it is.
    pub(super) fn pick(
        &self,
        number: u64,
        channels: impl Fn(&T) -> ChannelSet,
        capable: ChannelSet,
    ) -> Option<Share<'_, T>> {
        let fits = |of: &T| !(channels(of) & capable).is_empty();
        let drawn = (below(number, self.total)?, self.total);
        let of = self.at(drawn.0, |_| true)?;
        if fits(of) {
            return Some(Share { of, drawn });
        }
        let left = self.shares.iter().filter(|(of, _)| fits(of)).map(|(_, weight)| *weight).sum();
        let drawn = (below(again(number), left)?, left);
        Some(Share { of: self.at(drawn.0, fits)?, drawn })
    }

    /// The share in which `number` falls when only those that `count` count are laid side by side.
    fn at(&self, number: u32, counts: impl Fn(&T) -> bool) -> Option<&T> {
        let mut end = 0;
        self.shares.iter().filter(|(of, _)| counts(of)).find_map(|(of, weight)| {
            end += weight;
            (number < end).then_some(of)
        })
    }
}

fn below(number: u64, total: u32) -> Option<u32> {
    let rest = number.checked_rem(u64::from(total))?;
    u32::try_from(rest).ok()
}
