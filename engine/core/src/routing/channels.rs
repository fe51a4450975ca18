//! A set of channels as the bits of one word, and sets that change at thresholds.

use std::ops::{BitAnd, BitOr, BitOrAssign};

/// Most channels that one router can hold: the bits of a [`ChannelSet`].
pub const CHANNELS_MAX: usize = 64;

/// Channels by their index in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChannelSet(u64);

impl ChannelSet {
    pub(super) const EMPTY: Self = Self(0);

    pub(super) const fn one(index: usize) -> Self {
        Self(1 << index)
    }

    /// The first `count` channels.
    pub(super) const fn first(count: usize) -> Self {
        if count >= CHANNELS_MAX { Self(u64::MAX) } else { Self((1 << count) - 1) }
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn has(self, index: usize) -> bool {
        self.0 >> index & 1 == 1
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn count(self) -> u64 {
        u64::from(self.0.count_ones())
    }

    /// Indices in ascending order.
    pub(super) fn indices(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            (left != 0).then(|| {
                let index = left.trailing_zeros() as usize;
                left &= left - 1;
                index
            })
        })
    }
}

impl FromIterator<usize> for ChannelSet {
    fn from_iter<I: IntoIterator<Item = usize>>(indices: I) -> Self {
        indices.into_iter().fold(Self::EMPTY, |set, index| set | Self::one(index))
    }
}

impl BitAnd for ChannelSet {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for ChannelSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for ChannelSet {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// A set of channels as a function of an amount or a minute: constant between thresholds, so that one binary
/// search answers for every channel at once.
#[derive(Clone, Debug)]
pub(super) struct Steps<K> {
    /// First key of each step, ascending; the first is the smallest key there is.
    starts: Vec<K>,
    /// The set that holds from the start of the same index on.
    sets: Vec<ChannelSet>,
}

impl<K: Copy + Ord + Default> Steps<K> {
    /// Tabulates `set`, which may change only at `thresholds` and at the smallest key.
    pub(super) fn new(thresholds: impl IntoIterator<Item = K>, set: impl Fn(K) -> ChannelSet) -> Self {
        let mut starts: Vec<K> = std::iter::once(K::default()).chain(thresholds).collect();
        starts.sort_unstable();
        starts.dedup();
        let sets = starts.iter().map(|start| set(*start)).collect();
        Self { starts, sets }
    }

    pub(super) fn at(&self, key: K) -> ChannelSet {
        let after = self.starts.partition_point(|start| *start <= key);
        self.sets.get(after.wrapping_sub(1)).copied().unwrap_or(ChannelSet::EMPTY)
    }
}
