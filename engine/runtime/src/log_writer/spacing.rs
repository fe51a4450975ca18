//! How far apart groups of the log begin.
//!
//! A group costs the same few dozen microseconds of CPU, and the disk the same flush, whether it holds one record or a
//! hundred, and wakes the same threads. While orders come from many sides at once, a group that waits a little takes in
//! what would have needed groups of its own. Where nothing comes meanwhile, as with one caller who waits for each answer,
//! waiting is given up for a while.

use std::time::Duration;

/// Groups begin this far apart as long as more comes meanwhile.
///
/// Measured at 10 000 orders/s offered, two cores: the 90th percentile of whole orders falls from 14 to 6 ms, since there are half
/// as many flushes and wakes, and the machine is not driven to its limit; the median rises by 0.5 ms (`benches/RESULTS.md`).
const SPACING: Duration = Duration::from_micros(500);

/// After waiting for nothing, this many groups do not wait; twice as many after each further time, up to the limit.
const PATIENCE_GROUPS: u32 = 4;
const PATIENCE_GROUPS_MAX: u32 = 256;

/// Decides whether a group waits for more.
#[derive(Debug)]
pub(super) struct Spacing {
    /// Groups that still do not wait.
    hasty: u32,
    /// How many do after the next time that nothing came.
    next: u32,
}

impl Spacing {
    pub(super) const fn new() -> Self {
        Self { hasty: 0, next: PATIENCE_GROUPS }
    }

    /// How long the group that is about to be written waits, when the last one began `since` ago.
    pub(super) fn wait(&mut self, since: Duration) -> Option<Duration> {
        let left = SPACING.checked_sub(since).filter(|left| !left.is_zero())?;
        if self.hasty > 0 {
            self.hasty -= 1;
            return None;
        }
        Some(left)
    }

    /// A group has waited; `came` says whether anything came meanwhile.
    pub(super) fn waited(&mut self, came: bool) {
        if came {
            self.next = PATIENCE_GROUPS;
        } else {
            self.hasty = self.next;
            self.next = (self.next * 2).min(PATIENCE_GROUPS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSE: Duration = Duration::from_micros(200);

    #[test]
    fn groups_that_are_far_apart_never_wait() {
        let mut spacing = Spacing::new();
        for since in [SPACING, SPACING * 2, Duration::from_secs(1)] {
            assert_eq!(spacing.wait(since), None);
        }
    }

    #[test]
    fn a_group_waits_for_the_rest_of_the_spacing_while_more_comes() {
        let mut spacing = Spacing::new();
        for _ in 0..1_000 {
            assert_eq!(spacing.wait(CLOSE), Some(SPACING - CLOSE));
            spacing.waited(true);
        }
    }

    #[test]
    fn who_waits_for_nothing_waits_ever_more_seldom() {
        let mut spacing = Spacing::new();
        let mut waits = 0;
        for _ in 0..10_000 {
            if spacing.wait(CLOSE).is_some() {
                spacing.waited(false);
                waits += 1;
            }
        }
        assert!((30..60).contains(&waits), "{waits}");
        // Once something came, it is worth it again.
        while spacing.wait(CLOSE).is_none() {}
        spacing.waited(true);
        assert!(spacing.wait(CLOSE).is_some());
        spacing.waited(false);
        let hasty = (0..10_000).take_while(|_| spacing.wait(CLOSE).is_none()).count();
        assert_eq!(hasty, 4);
    }
}
