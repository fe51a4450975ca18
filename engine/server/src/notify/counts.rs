//! What became of notifications since the start, for metrics.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use suanpan_model::{AnnouncementId, TimestampMs};
use suanpan_runtime::tally::DurationTally;

use super::delivery::Try;

/// Bounds of a mall's answer; it is awaited for ten seconds unless the configuration says otherwise.
const ANSWER_BOUNDS_US: [u64; 11] =
    [1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000, 10_000_000];

/// Bounds from an event to its delivery: at once, or after some of the tries of a day.
const DELIVERY_BOUNDS_US: [u64; 12] = [
    10_000,
    50_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    20_000_000,
    60_000_000,
    300_000_000,
    1_800_000_000,
    14_400_000_000,
    86_400_000_000,
];

/// What a try came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryResult {
    /// The mall took it.
    Taken,
    /// The mall is busy: 408 or 429.
    Busy,
    /// Another 4xx.
    Refused,
    /// 5xx, or an answer that is none of these.
    Fault,
    /// No answer, or it was not sent.
    NoAnswer,
}

impl TryResult {
    /// Every result.
    pub const ALL: [Self; 5] = [Self::Taken, Self::Busy, Self::Refused, Self::Fault, Self::NoAnswer];

    /// What a status of HTTP is; 0 stands for no answer.
    #[must_use]
    pub const fn of(status: u16) -> Self {
        match status {
            0 => Self::NoAnswer,
            200..=299 => Self::Taken,
            408 | 429 => Self::Busy,
            400..=499 => Self::Refused,
            _ => Self::Fault,
        }
    }

    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Fault => "fault",
            Self::NoAnswer => "no_answer",
        }
    }
}

/// What became of the notifications to one mall since the start.
#[derive(Debug)]
pub struct Counts {
    /// Malls have them.
    pub delivered: AtomicU64,
    /// Given up.
    pub dead: AtomicU64,
    /// Pending now.
    pub pending: AtomicU64,
    /// Tries by [`TryResult`].
    pub tries: [AtomicU64; TryResult::ALL.len()],
    /// How long the mall took to answer.
    pub answers: DurationTally,
    /// How long it took from an event until the mall had it.
    pub deliveries: DurationTally,
    /// The oldest that is pending, and up to which one everything was taken up.
    oldest: Mutex<(Option<AnnouncementId>, AnnouncementId)>,
    /// What happened before this instant may be gone.
    expired_before_ms: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            delivered: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            tries: Default::default(),
            answers: DurationTally::new(&ANSWER_BOUNDS_US),
            deliveries: DurationTally::new(&DELIVERY_BOUNDS_US),
            oldest: Mutex::new((None, AnnouncementId::FIRST)),
            expired_before_ms: AtomicU64::new(0),
        }
    }
}

impl Counts {
    /// Adds a try.
    pub fn tried(&self, one: &Try) {
        let result = TryResult::of(one.status);
        if let Some(place) = TryResult::ALL.iter().position(|known| *known == result) {
            self.tries[place].fetch_add(1, Ordering::Relaxed);
        }
        if one.status != 0 {
            self.answers.add(Duration::from_millis(u64::from(one.took_ms)));
        }
    }

    /// Notes where the outbox stands.
    pub fn stands(&self, pending: usize, oldest: Option<AnnouncementId>, taken_up_to: AnnouncementId) {
        self.pending.store(pending as u64, Ordering::Relaxed);
        *self.oldest.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = (oldest, taken_up_to);
    }

    /// From this number on, the mall has still to be told.
    #[must_use]
    pub fn needed_from(&self) -> AnnouncementId {
        let (oldest, taken_up_to) = self.oldest();
        oldest.unwrap_or(taken_up_to.next())
    }

    /// What happened before this instant may be gone.
    #[must_use]
    pub fn expired_before(&self) -> TimestampMs {
        TimestampMs(self.expired_before_ms.load(Ordering::Relaxed))
    }

    /// Notes that what happened before `instant` is about to go.
    pub fn expires(&self, instant: TimestampMs) {
        self.expired_before_ms.fetch_max(instant.0, Ordering::Relaxed);
    }

    /// The oldest that is pending, and up to which one everything was taken up.
    #[must_use]
    pub fn oldest(&self) -> (Option<AnnouncementId>, AnnouncementId) {
        *self.oldest.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
