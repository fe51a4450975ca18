//! Work in the background, at leisure or in haste.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What is written at leisure is made durable in steps of this size. A group of the log that is being appended waits for what
/// was written before it: some 16 ms for 8 MiB, and for this not noticeably longer than it takes anyway.
pub const STEP_BYTES: u64 = 256 << 10;

/// The pause after each step. 256 KiB and the pause together are some 60 MB/s. 50 000 orders/s add half of that to the log, which asks
/// for a new segment; and all of it to the archive, which falls behind then and is fed in haste.
const PAUSE: Duration = Duration::from_millis(3);

/// Whether somebody waits for work that is done in the background. Until then it is done at leisure: what it asks of the disk
/// is kept small, because the log asks, too, and malls wait for that.
#[derive(Debug, Default)]
pub struct Haste(AtomicBool);

impl Haste {
    /// Somebody waits from the beginning.
    #[must_use]
    pub const fn from_the_start() -> Self {
        Self(AtomicBool::new(true))
    }

    /// Somebody waits from now on.
    pub fn hurry(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Nobody waits.
    pub fn relax(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether somebody waits.
    #[must_use]
    pub fn is_pressing(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Pauses after a step, unless somebody waits.
    pub fn pause(&self) {
        if !self.is_pressing() {
            std::thread::sleep(PAUSE);
        }
    }
}
