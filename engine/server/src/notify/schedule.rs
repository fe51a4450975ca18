//! When a mall is told again, and when not any more.

use std::time::Duration;

/// Waits between tries in seconds, 24 hours and 4 minutes in total: the schedule that WeChat Pay publishes.
const PUBLISHED_S: [u64; 15] =
    [15, 15, 30, 180, 600, 1_200, 1_800, 1_800, 1_800, 3_600, 10_800, 10_800, 10_800, 21_600, 21_600];

/// A mall that asks for patience gets at most this much.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Waits between tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    waits: Vec<Duration>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { waits: PUBLISHED_S.map(Duration::from_secs).to_vec() }
    }
}

impl Schedule {
    /// These waits, one after another.
    #[must_use]
    pub const fn new(waits: Vec<Duration>) -> Self {
        Self { waits }
    }

    /// How long to wait after the try number `tries` (from 1) failed; nothing when it was the last. What the mall asked for
    /// is honoured where it is longer.
    #[must_use]
    pub fn wait(&self, tries: usize, asked: Option<Duration>) -> Option<Duration> {
        let wait = *self.waits.get(tries.checked_sub(1)?)?;
        Some(asked.map_or(wait, |asked| asked.min(RETRY_AFTER_MAX).max(wait)))
    }
}

/// What a mall's answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has it.
    Delivered,
    /// Try again, no sooner than it asked.
    Again(Option<Duration>),
    /// It will never take it.
    Refused,
}

impl Verdict {
    /// What a status means: 2xx has it, 4xx will never take it but for 408 and 429, everything else may pass.
    #[must_use]
    pub const fn of(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            200..=299 => Self::Delivered,
            408 | 429 => Self::Again(retry_after),
            400..=499 => Self::Refused,
            _ => Self::Again(retry_after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schedule_lasts_a_day() {
        let schedule = Schedule::default();
        let waits: Vec<Duration> = (1..).map_while(|tries| schedule.wait(tries, None)).collect();
        assert_eq!(waits.len(), 15);
        assert_eq!(waits.iter().sum::<Duration>(), Duration::from_secs(24 * 3_600 + 4 * 60));
        assert_eq!(schedule.wait(0, None), None);
    }

    #[test]
    fn what_the_mall_asks_for_is_honoured_within_a_day() {
        let (schedule, seconds) = (Schedule::default(), Duration::from_secs);
        let table = [
            // tries, asked for, wait
            (1, None, Some(15)),
            (1, Some(5), Some(15)),
            (1, Some(40), Some(40)),
            (1, Some(10_000_000), Some(86_400)),
            (15, Some(1), Some(21_600)),
            (16, Some(1), None),
        ];
        for (tries, asked, expected) in table {
            assert_eq!(schedule.wait(tries, asked.map(seconds)), expected.map(seconds), "{tries} {asked:?}");
        }
    }

    #[test]
    fn what_answers_mean() {
        let patience = Some(Duration::from_secs(7));
        for (status, expected) in [
            (200, Verdict::Delivered),
            (204, Verdict::Delivered),
            (301, Verdict::Again(patience)),
            (400, Verdict::Refused),
            (404, Verdict::Refused),
            (408, Verdict::Again(patience)),
            (410, Verdict::Refused),
            (429, Verdict::Again(patience)),
            (500, Verdict::Again(patience)),
            (503, Verdict::Again(patience)),
        ] {
            assert_eq!(Verdict::of(status, patience), expected, "{status}");
        }
    }
}
