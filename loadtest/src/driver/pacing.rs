//! When orders are sent.

use std::time::Duration;

use super::inbox::LOOK_EVERY;

/// The longest that a driver sleeps when nothing is due.
pub const NAP_MAX: Duration = Duration::from_millis(1);

/// When the next order is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pacing {
    /// When one ends, so that there are always so many under way. A slow target is asked less: such a run tells how
    /// much a target can do, not how long its callers wait.
    Closed {
        /// How many.
        in_flight: usize,
    },
    /// By a schedule, whatever the target does. Latencies count from the planned time, so a stall is seen by every
    /// order that was due in it.
    Open {
        /// How many a second, above zero.
        per_second: u64,
    },
}

impl Pacing {
    /// How many orders may be sent now, `sent` of which were sent and `under_way` have not ended.
    #[must_use]
    pub fn due(self, now_ns: u64, sent: u64, under_way: usize) -> u64 {
        match self {
            Self::Closed { in_flight } => in_flight.saturating_sub(under_way) as u64,
            Self::Open { per_second } => {
                let planned = u128::from(now_ns) * u128::from(per_second) / 1_000_000_000 + 1;
                u64::try_from(planned).unwrap_or(u64::MAX).saturating_sub(sent)
            }
        }
    }

    /// From when the latency of order `count` (from 0) counts, if it is sent at `now_ns`.
    #[must_use]
    pub fn start_ns(self, now_ns: u64, count: u64) -> u64 {
        match self {
            Self::Closed { .. } => now_ns,
            Self::Open { per_second } => planned_ns(per_second, count),
        }
    }

    /// Whether the next order is always due before a busy driver looks again.
    #[must_use]
    pub fn is_dense(self) -> bool {
        match self {
            Self::Closed { .. } => false,
            Self::Open { per_second } => planned_ns(per_second, 1) < super::nanos(LOOK_EVERY),
        }
    }

    /// How long until order `sent` has to be sent, at most [`NAP_MAX`].
    #[must_use]
    pub fn nap(self, now_ns: u64, sent: u64) -> Duration {
        match self {
            Self::Closed { .. } => NAP_MAX,
            Self::Open { per_second } => {
                Duration::from_nanos(planned_ns(per_second, sent).saturating_sub(now_ns)).min(NAP_MAX)
            }
        }
    }
}

/// When order `count` is due, rounded up so that it is due then.
fn planned_ns(per_second: u64, count: u64) -> u64 {
    let ns = (u128::from(count) * 1_000_000_000).div_ceil(u128::from(per_second.max(1)));
    u64::try_from(ns).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_loop_keeps_its_schedule() {
        let open = Pacing::Open { per_second: 3 };
        assert_eq!(open.due(0, 0, 0), 1);
        for count in 0..1_000 {
            let planned = open.start_ns(0, count);
            assert_eq!(open.due(planned, count, usize::MAX), 1, "{count}: due when it is planned");
            assert_eq!(
                open.due(planned.saturating_sub(1), count, 0),
                u64::from(count == 0),
                "{count}: not before"
            );
        }
        assert_eq!(open.due(10_000_000_000, 1, 0), 30, "what was missed is made up for");
    }

    #[test]
    fn a_closed_loop_fills_up() {
        let closed = Pacing::Closed { in_flight: 8 };
        assert_eq!([closed.due(0, 0, 0), closed.due(0, 100, 5), closed.due(0, 100, 8)], [8, 3, 0]);
        assert_eq!(closed.start_ns(77, 5), 77);
    }
}
