//! Where a driver learns the time and where it waits: the wall clock in a run, a virtual one in tests.

use std::time::{Duration, Instant};

use crate::driver::Inbox;

/// Time as a driver sees it.
pub trait Clock {
    /// Nanoseconds since the run began.
    fn now_ns(&self) -> u64;

    /// Waits for news in `inbox`, at most `longest`, or a little longer in a busy driver.
    fn wait(&self, inbox: &Inbox, longest: Duration, is_busy: bool);
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct WallClock(Instant);

impl WallClock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for WallClock {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn wait(&self, inbox: &Inbox, longest: Duration, is_busy: bool) {
        inbox.wait(longest, is_busy);
    }
}
